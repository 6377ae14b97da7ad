using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Reads an inode.</summary>
/// <param name="ino">Inode number.</param>
public struct GetInodeOperation(ulong ino) : IOperation
{
    /// <summary>None, NotFound or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The inode.</summary>
    public InodeItem Item { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error;
        Item = inode.Item;
        return true;
    }
}
