using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Mounting;

/// <summary>Takes an inode into use by its number alone (engine §6.3, §6.9).</summary>
/// <remarks>While the lock of its group is held for reading nobody can be deleting it.</remarks>
/// <param name="ino">Inode number.</param>
/// <param name="openInodes">The mount's inodes in use.</param>
internal struct OpenByHandleOperation(ulong ino, OpenInodes openInodes) : IOperation
{
    /// <summary>None; NotFound, also for an inode without a link; Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The inode.</summary>
    public InodeItem Item { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error == FsError.None && inode.Item.Nlink == 0U ? FsError.NotFound : error;
        Item = inode.Item;
        if (Error == FsError.None)
            openInodes.Open(ino);
        return true;
    }
}
