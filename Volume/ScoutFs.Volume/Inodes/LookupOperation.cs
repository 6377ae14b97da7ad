using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Looks a name up in a directory and reads the inode.</summary>
/// <param name="directory">Directory.</param>
/// <param name="name">Name; "." and ".." are the caller's.</param>
public struct LookupOperation(ulong directory, ReadOnlyMemory<byte> name) : IOperation
{
    /// <summary>None, NotFound, NotDirectory, NameTooLong, Invalid or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Inode number.</summary>
    public ulong Ino { get; private set; }

    /// <summary>The inode.</summary>
    public InodeItem Item { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        Error = Directories.CheckName(name.Span);
        if (Error != FsError.None)
            return true;
        if (!Directories.Load(context, directory, LockMode.Read, out var parent, out var error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;
        if (!Directories.FindEntry(context, parent, name.Span, out bool isFound, out var entry))
            return false;
        if (!isFound)
        {
            Error = FsError.NotFound;
            return true;
        }

        if (!InodeAccess.Load(context, entry.Ino, LockMode.Read, out var inode, out error))
            return false;

        // An entry without an inode: no transaction leaves that behind.
        Error = error == FsError.NotFound ? FsError.Corrupt : error;
        Ino = entry.Ino;
        Item = inode.Item;
        return true;
    }
}
