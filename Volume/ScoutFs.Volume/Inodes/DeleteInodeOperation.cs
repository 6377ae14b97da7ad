using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Removes an inode without links, extents and xattrs, together with its orphan item (engine §6.8).</summary>
/// <param name="ino">Inode number.</param>
public struct DeleteInodeOperation(ulong ino) : IOperation
{
    /// <summary>None, also when it was gone or has links; Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error == FsError.NotFound ? FsError.None : error;
        if (error != FsError.None || inode.Item.Nlink != 0U)
            return true;
        ulong parts = 0;
        if ((inode.Item.Mode & FileMode.TypeMask) == FileMode.Symlink)
        {
            bool isFound = true;
            while (isFound)
            {
                if (!context.Find(inode.Lock, Keys.Symlink(ino, parts), out isFound, out _))
                    return false;
                if (isFound)
                    parts++;
            }
        }

        if (!context.Lock(LockRange.Orphans, LockMode.WriteOnly, out var orphanLock)
            || !context.Lock(
                LockRange.InodeIndex(KeyType.MetaSeq, inode.Item.MetaSeq), LockMode.WriteOnly, out _)
            || (InodeAccess.IsRegular(inode.Item) && !context.Lock(
                LockRange.InodeIndex(KeyType.DataSeq, inode.Item.DataSeq), LockMode.WriteOnly, out _)))
        {
            return false;
        }

        if (!context.Hold(isAllocating: false))
            return false;

        for (ulong part = 0; part < parts; part++)
            context.Items.Remove(Keys.Symlink(ino, part), context.ItemSeq(inode.Lock));
        context.Items.ForceRemove(Keys.Orphan(ino), context.ItemSeq(orphanLock, inode.Lock));
        InodeAccess.Delete(context, inode);
        return true;
    }
}
