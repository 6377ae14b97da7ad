using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>A listed xattr.</summary>
/// <param name="Name">Name with prefix.</param>
/// <param name="Hash">Hash of the name, first part of the storage order.</param>
/// <param name="Id">Id, second part of the storage order.</param>
public readonly record struct ListedXattr(byte[] Name, uint Hash, ulong Id)
{
    /// <summary>True when ordinary listings leave it out.</summary>
    public bool IsHidden => (XattrName.TagsOf(Name) & XattrTags.Hide) != 0;
}

/// <summary>Lists all xattrs of an inode in storage order.</summary>
/// <param name="ino">Inode number.</param>
/// <param name="names">Receives them.</param>
public struct ListXattrsOperation(ulong ino, List<ListedXattr> names) : IOperation
{
    /// <summary>None, NotFound or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        names.Clear();
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error;
        uint hash = 0;
        ulong id = 0;
        while (Error == FsError.None)
        {
            if (!Xattrs.Next(context, inode, hash, id, out bool isFound, out var xattr, out var name))
                return false;
            if (!isFound)
                return true;
            names.Add(new ListedXattr(name.ToArray(), xattr.Hash, xattr.Id));
            hash = xattr.Hash;
            id = xattr.Id + 1;
        }

        return true;
    }
}
