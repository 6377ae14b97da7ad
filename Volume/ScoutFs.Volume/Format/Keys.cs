using System.Numerics;

namespace ScoutFs.Volume.Format;

/// <summary>Makes the keys of every item kind from their meaning (format §6.2), one function each.</summary>
public static class Keys
{
    /// <summary>Inode index item by meta_seq.</summary>
    public static ItemKey MetaSeqIndex(ulong metaSeq, ulong ino) =>
        new(KeyZone.InodeIndex, 0, KeyType.MetaSeq, metaSeq, ino);

    /// <summary>Inode index item by data_seq; regular files only.</summary>
    public static ItemKey DataSeqIndex(ulong dataSeq, ulong ino) =>
        new(KeyZone.InodeIndex, 0, KeyType.DataSeq, dataSeq, ino);

    /// <summary>Orphan item.</summary>
    public static ItemKey Orphan(ulong ino) => new(KeyZone.Orphan, 0, KeyType.Orphan, ino);

    /// <summary>Quota rule.</summary>
    public static ItemKey QuotaRule(ulong hash, ulong collision) =>
        new(KeyZone.Quota, 0, KeyType.QuotaRule, hash, collision);

    /// <summary>Total of the xattrs tagged totl with the numbers a, b, c.</summary>
    public static ItemKey XattrTotal(ulong a, ulong b, ulong c) => new(KeyZone.XattrTotal, a, 0, b, c);

    /// <summary>Index item of an xattr tagged indx (format §10.10).</summary>
    public static ItemKey XattrIndex(byte major, ulong minor, ulong ino, ulong xattrId) => new(
        KeyZone.XattrIndex,
        ((ulong)major << 56) | (minor >> 8),
        0,
        (minor << 56) | (ino >> 8),
        (ino << 56) | (xattrId >> 8),
        (byte)xattrId);

    /// <summary>Inode.</summary>
    public static ItemKey Inode(ulong ino) => new(KeyZone.Fs, ino, KeyType.Inode);

    /// <summary>Part of an xattr.</summary>
    public static ItemKey Xattr(ulong ino, uint nameHash, ulong id, byte part) =>
        new(KeyZone.Fs, ino, KeyType.Xattr, nameHash, id, part);

    /// <summary>Directory entry by name hash.</summary>
    public static ItemKey Dirent(ulong dir, ulong nameHash, ulong pos) =>
        new(KeyZone.Fs, dir, KeyType.Dirent, nameHash, pos);

    /// <summary>Directory entry by position.</summary>
    public static ItemKey Readdir(ulong dir, ulong pos) => new(KeyZone.Fs, dir, KeyType.Readdir, pos);

    /// <summary>Back reference from an inode to the entry at a position of a directory.</summary>
    public static ItemKey LinkBackref(ulong ino, ulong dir, ulong pos) =>
        new(KeyZone.Fs, ino, KeyType.LinkBackref, dir, pos);

    /// <summary>Part of a symlink's target.</summary>
    public static ItemKey Symlink(ulong ino, ulong part) => new(KeyZone.Fs, ino, KeyType.Symlink, part);

    /// <summary>Data extent, keyed by its last logical block (4 KiB) and its length in blocks.</summary>
    public static ItemKey DataExtent(ulong ino, ulong lastBlock, ulong countBlocks) =>
        new(KeyZone.Fs, ino, KeyType.DataExtent, lastBlock, countBlocks);

    /// <summary>Log trees item of a mount.</summary>
    public static ItemKey LogTrees(ulong rid, ulong nr) => new(KeyZone.LogTrees, rid, 0, nr);

    /// <summary>Mounted client.</summary>
    public static ItemKey MountedClient(ulong rid) => new(KeyZone.MountedClient, rid, 0);

    /// <summary>Free extent by location; blknos in the unit of the allocator's device.</summary>
    public static ItemKey FreeByLocation(ulong lastBlkno, ulong count) =>
        new(KeyZone.FreeByLocation, lastBlkno, 0, count);

    /// <summary>Free extent by size (format §8.1).</summary>
    public static ItemKey FreeBySize(ulong lastBlkno, ulong count) =>
        new(KeyZone.FreeBySize, ulong.MaxValue - FreeOrder(count), 0, lastBlkno, count);

    /// <summary>Size class of a free extent: floor(log2(count | 1) / 3) (format §8.1).</summary>
    public static ulong FreeOrder(ulong count) => (ulong)(BitOperations.Log2(count | 1) / 3);

    /// <summary>Start of the lock range that covers an item, the key that bloom filters hash (format §9.4).</summary>
    public static ItemKey LockStart(in ItemKey key) => key.Zone switch
    {
        KeyZone.Fs => new(KeyZone.Fs, key.First & ~(FormatConstants.LockGroupSize - 1), 0),
        KeyZone.InodeIndex =>
            new(KeyZone.InodeIndex, 0, key.Type, key.Second & ~(FormatConstants.LockGroupSize - 1)),
        KeyZone.Orphan => new(KeyZone.Orphan, 0, KeyType.Orphan),
        _ => new(key.Zone, 0, 0),
    };
}
