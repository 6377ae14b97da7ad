using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>What every operation does with inodes: load, predict index locks, store (engine §6).</summary>
/// <remarks>Called by attempts, with the gate held. A call that returns false ends the attempt with false.</remarks>
public static class InodeAccess
{
    /// <summary>Loads an inode under a lock of its group.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="ino">Inode number.</param>
    /// <param name="mode">Read or Write.</param>
    /// <param name="inode">The inode and its lock.</param>
    /// <param name="error">None, NotFound or Corrupt.</param>
    public static bool Load(
        OperationContext context, ulong ino, LockMode mode, out InodeHandle inode, out FsError error)
    {
        inode = default;
        error = FsError.None;
        if (!context.Lock(LockRange.InodeGroup(ino), mode, out var clusterLock)
            || !context.Find(clusterLock, Keys.Inode(ino), out bool isFound, out var value))
        {
            return false;
        }

        inode = new InodeHandle { Ino = ino, Lock = clusterLock };
        if (!isFound)
            error = FsError.NotFound;
        else if (!TryParse(value, out inode.Item))
            error = FsError.Corrupt;
        return true;
    }

    /// <summary>Reads an inode item's value; false when it has neither length.</summary>
    public static bool TryParse(ReadOnlySpan<byte> value, out InodeItem item)
    {
        item = default;
        if (value.Length == InodeItem.Version2Bytes)
            item = Disk.Ref<InodeItem>(value);
        else if (value.Length == InodeItem.Version1Bytes)
            value.CopyTo(Disk.MutableBytes(ref item));
        else
            return false;
        return true;
    }

    /// <summary>Takes the index locks that a change of the inode will need (engine §6.6).</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="changesData">Whether data_seq will be set too.</param>
    public static bool Prepare(OperationContext context, in InodeHandle inode, bool changesData)
    {
        ulong trans = context.TransSeq;
        if (inode.Item.MetaSeq != trans && !LockIndex(context, KeyType.MetaSeq, inode.Item.MetaSeq, trans))
            return false;
        return !changesData || !IsRegular(inode.Item) || inode.Item.DataSeq == trans
            || LockIndex(context, KeyType.DataSeq, inode.Item.DataSeq, trans);
    }

    /// <summary>Takes the index locks that a new inode needs.</summary>
    public static bool PrepareNew(OperationContext context, uint mode)
    {
        ulong trans = context.TransSeq;
        return context.Lock(LockRange.InodeIndex(KeyType.MetaSeq, trans), LockMode.WriteOnly, out _)
            && ((mode & FileMode.TypeMask) != FileMode.Regular
                || context.Lock(LockRange.InodeIndex(KeyType.DataSeq, trans), LockMode.WriteOnly, out _));
    }

    /// <summary>Stores a changed inode and moves its index items; cannot fail.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">The inode, prepared.</param>
    /// <param name="changesData">Whether data_seq is set too.</param>
    /// <param name="isCounted">Whether the inode's count of changes grows.</param>
    public static void Store(
        OperationContext context, ref InodeHandle inode, bool changesData, bool isCounted = true)
    {
        ulong trans = context.TransSeq;
        ref var item = ref inode.Item;
        if (item.MetaSeq != trans)
        {
            MoveIndex(context, inode, KeyType.MetaSeq, item.MetaSeq, trans);
            item.MetaSeq = trans;
        }

        if (changesData && item.DataSeq != trans)
        {
            if (IsRegular(item))
                MoveIndex(context, inode, KeyType.DataSeq, item.DataSeq, trans);
            item.DataSeq = trans;
        }

        if (isCounted)
            item.Version = item.Version + 1;
        Put(context, inode);
    }

    /// <summary>Stores a new inode and its index items; cannot fail.</summary>
    public static void StoreNew(OperationContext context, ref InodeHandle inode)
    {
        ulong trans = context.TransSeq;
        inode.Item.MetaSeq = trans;
        inode.Item.DataSeq = trans;
        PutIndex(context, inode, KeyType.MetaSeq, trans);
        if (IsRegular(inode.Item))
            PutIndex(context, inode, KeyType.DataSeq, trans);
        Put(context, inode);
        context.Transaction.AddInodes(1);
    }

    /// <summary>True for a regular file.</summary>
    public static bool IsRegular(in InodeItem item) => (item.Mode & FileMode.TypeMask) == FileMode.Regular;

    /// <summary>Checks that an inode has contents.</summary>
    /// <returns>None for a regular file; IsDirectory; Invalid for everything else.</returns>
    public static FsError CheckRegular(in InodeItem item)
    {
        if (IsRegular(item))
            return FsError.None;
        return IsDirectory(item) ? FsError.IsDirectory : FsError.Invalid;
    }

    /// <summary>True for a directory.</summary>
    public static bool IsDirectory(in InodeItem item) => (item.Mode & FileMode.TypeMask) == FileMode.Directory;

    /// <summary>True for a symlink.</summary>
    public static bool IsSymlink(in InodeItem item) => (item.Mode & FileMode.TypeMask) == FileMode.Symlink;

    /// <summary>True when the retention bit forbids changes (archive §10.7).</summary>
    public static bool IsRetained(in InodeItem item) => (item.Flags & InodeItem.FlagRetention) != 0;

    /// <summary>Type of the directory entries of an inode with this mode.</summary>
    public static DirentType TypeOf(uint mode) => (mode & FileMode.TypeMask) switch
    {
        FileMode.Fifo => DirentType.Fifo,
        FileMode.CharDevice => DirentType.CharDevice,
        FileMode.Directory => DirentType.Directory,
        FileMode.BlockDevice => DirentType.BlockDevice,
        FileMode.Symlink => DirentType.Symlink,
        FileMode.Socket => DirentType.Socket,
        _ => DirentType.Regular,
    };

    /// <summary>Deletes an inode's item and index items; cannot fail.</summary>
    public static void Delete(OperationContext context, in InodeHandle inode)
    {
        RemoveIndex(context, inode, KeyType.MetaSeq, inode.Item.MetaSeq);
        if (IsRegular(inode.Item))
            RemoveIndex(context, inode, KeyType.DataSeq, inode.Item.DataSeq);
        context.Items.Remove(Keys.Inode(inode.Ino), context.ItemSeq(inode.Lock));
        context.Transaction.AddInodes(-1);
    }

    private static bool LockIndex(OperationContext context, byte type, ulong from, ulong to) =>
        context.Lock(LockRange.InodeIndex(type, from), LockMode.WriteOnly, out _)
        && context.Lock(LockRange.InodeIndex(type, to), LockMode.WriteOnly, out _);

    private static void MoveIndex(OperationContext context, in InodeHandle inode, byte type, ulong from, ulong to)
    {
        PutIndex(context, inode, type, to);
        RemoveIndex(context, inode, type, from);
    }

    private static void PutIndex(OperationContext context, in InodeHandle inode, byte type, ulong major) =>
        context.Items.ForcePut(IndexKey(type, major, inode.Ino), IndexSeq(context, inode, type, major), default);

    private static void RemoveIndex(OperationContext context, in InodeHandle inode, byte type, ulong major) =>
        context.Items.ForceRemove(IndexKey(type, major, inode.Ino), IndexSeq(context, inode, type, major));

    private static ItemKey IndexKey(byte type, ulong major, ulong ino) =>
        type == KeyType.MetaSeq ? Keys.MetaSeqIndex(major, ino) : Keys.DataSeqIndex(major, ino);

    // The primary orders versions of write-only holders (engine §4.5).
    private static ulong IndexSeq(OperationContext context, in InodeHandle inode, byte type, ulong major)
    {
        bool isHeld = context.Lock(LockRange.InodeIndex(type, major), LockMode.WriteOnly, out var indexLock);
        Invariant.Require(isHeld);
        return context.ItemSeq(indexLock, inode.Lock);
    }

    private static void Put(OperationContext context, in InodeHandle inode)
    {
        var item = inode.Item;
        var bytes = Disk.Bytes(in item);
        if (context.Volume.FormatVersion < 2)
            bytes = bytes[..InodeItem.Version1Bytes];
        context.Items.Put(Keys.Inode(inode.Ino), context.ItemSeq(inode.Lock), bytes);
    }
}

/// <summary>A loaded inode: a copy of its item, and the lock it was loaded under.</summary>
public struct InodeHandle
{
    /// <summary>Inode number.</summary>
    public ulong Ino;

    /// <summary>Lock of its group.</summary>
    public ClusterLock Lock;

    /// <summary>Its item, as loaded or changed since.</summary>
    public InodeItem Item;
}
