using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Reads a symlink's target.</summary>
/// <param name="ino">Inode number.</param>
public struct ReadSymlinkOperation(ulong ino) : IOperation
{
    /// <summary>None, NotFound, Invalid when it is no symlink, or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Target without NUL.</summary>
    public byte[] Target { get; private set; } = [];

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;
        if ((inode.Item.Mode & FileMode.TypeMask) != FileMode.Symlink)
        {
            Error = FsError.Invalid;
            return true;
        }

        ulong size = inode.Item.Size;
        if (size is 0 or > FormatConstants.MaxSymlinkBytes)
        {
            Error = FsError.Corrupt;
            return true;
        }

        var target = new byte[size];
        int done = 0;
        for (ulong part = 0; done < target.Length; part++)
        {
            if (!context.Find(inode.Lock, Keys.Symlink(ino, part), out bool isFound, out var value))
                return false;
            if (!isFound || value.IsEmpty || value.Length > target.Length - done)
            {
                Error = FsError.Corrupt;
                return true;
            }

            value.CopyTo(target.AsSpan(done));
            done += value.Length;
        }

        if (target[^1] != 0)
            Error = FsError.Corrupt;
        Target = target[..^1];
        return true;
    }
}
