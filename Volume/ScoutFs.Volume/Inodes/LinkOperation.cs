using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Gives an inode another name (engine §7.7).</summary>
/// <param name="ino">The inode; with no link left only when it was made without a name.</param>
/// <param name="directory">Directory of the new name.</param>
/// <param name="name">The new name.</param>
/// <param name="isUnnamed">The caller holds an unnamed file that is to get its first name.</param>
/// <param name="now">Time of the call.</param>
public struct LinkOperation(
    ulong ino, ulong directory, ReadOnlyMemory<byte> name, bool isUnnamed, Timespec now) : IOperation
{
    /// <summary>None; Exists, NotFound, NotDirectory, NotPermitted for a directory, TooManyLinks…</summary>
    public FsError Error { get; private set; }

    /// <summary>The inode, changed.</summary>
    public InodeItem Item { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        Error = Directories.CheckName(name.Span);
        if (Error != FsError.None)
            return true;
        if (!Directories.Load(context, directory, LockMode.Write, out var parent, out var error)
            || !InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var inodeError))
        {
            return false;
        }

        Error = error != FsError.None ? error : inodeError != FsError.None ? inodeError : Check(inode);
        if (Error != FsError.None)
            return true;
        if (!Directories.FindEntry(context, parent, name.Span, out bool isFound, out _))
            return false;
        if (isFound)
        {
            Error = FsError.Exists;
            return true;
        }

        ClusterLock? orphanLock = null;
        bool isFirst = inode.Item.Nlink == 0U;
        if ((isFirst && !context.Lock(LockRange.Orphans, LockMode.WriteOnly, out orphanLock))
            || !InodeAccess.Prepare(context, parent, changesData: false)
            || !InodeAccess.Prepare(context, inode, changesData: false))
        {
            return false;
        }

        if (!context.Hold(isAllocating: true))
            return false;

        if (isFirst)
            context.Items.ForceRemove(Keys.Orphan(ino), context.ItemSeq(orphanLock!, inode.Lock));
        inode.Item.Nlink = inode.Item.Nlink + 1;
        inode.Item.Ctime = now;
        Directories.AddEntry(context, ref parent, inode, name.Span);
        parent.Item.Mtime = parent.Item.Ctime = now;
        InodeAccess.Store(context, ref inode, changesData: false);
        InodeAccess.Store(context, ref parent, changesData: false);
        Item = inode.Item;
        return true;
    }

    private readonly FsError Check(in InodeHandle inode)
    {
        if (InodeAccess.IsDirectory(inode.Item))
            return FsError.NotPermitted;
        if (inode.Item.Nlink == 0U && !isUnnamed)
            return FsError.NotFound;
        return inode.Item.Nlink >= int.MaxValue ? FsError.TooManyLinks : FsError.None;
    }
}
