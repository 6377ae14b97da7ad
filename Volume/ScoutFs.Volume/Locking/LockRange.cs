using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Locking;

/// <summary>Keys that one cluster lock covers; the start key is its name (engine §4.6, cluster §7.1).</summary>
/// <param name="Start">First key, which also selects bloom bits: bit-exact.</param>
/// <param name="End">Last key, inclusive.</param>
public readonly record struct LockRange(ItemKey Start, ItemKey End)
{
    private const ulong GroupMask = FormatConstants.LockGroupSize - 1;

    /// <summary>The one lock that serialises renames between directories; covers no items.</summary>
    public static LockRange Rename { get; } =
        new(new ItemKey(KeyZone.Lock, 0, 4), new ItemKey(KeyZone.Lock, 0, 4));

    /// <summary>All orphan items.</summary>
    public static LockRange Orphans { get; } =
        new(new ItemKey(KeyZone.Orphan, 0, KeyType.Orphan), Keys.Orphan(ulong.MaxValue));

    /// <summary>All quota rules.</summary>
    public static LockRange Quota { get; } = Zone(KeyZone.Quota);

    /// <summary>All totals.</summary>
    public static LockRange Totals { get; } = Zone(KeyZone.XattrTotal);

    /// <summary>All index items of xattrs.</summary>
    public static LockRange XattrIndex { get; } = Zone(KeyZone.XattrIndex);

    /// <summary>The group of 1024 inodes that an inode belongs to.</summary>
    public static LockRange InodeGroup(ulong ino) => new(
        new ItemKey(KeyZone.Fs, ino & ~GroupMask, 0),
        new ItemKey(
            KeyZone.Fs, ino | GroupMask, byte.MaxValue, ulong.MaxValue, ulong.MaxValue, byte.MaxValue));

    /// <summary>1024 majors of an inode index.</summary>
    /// <param name="type"><see cref="KeyType.MetaSeq"/> or <see cref="KeyType.DataSeq"/>.</param>
    /// <param name="major">Any seq of the group.</param>
    public static LockRange InodeIndex(byte type, ulong major) => new(
        new ItemKey(KeyZone.InodeIndex, 0, type, major & ~GroupMask),
        new ItemKey(KeyZone.InodeIndex, 0, type, major | GroupMask, ulong.MaxValue));

    /// <summary>The lock that covers an item's key.</summary>
    public static LockRange Covering(in ItemKey key) => key.Zone switch
    {
        KeyZone.Fs => InodeGroup(key.First),
        KeyZone.InodeIndex => InodeIndex(key.Type, key.Second),
        KeyZone.Orphan => Orphans,
        KeyZone.Lock => Rename,
        _ => Zone(key.Zone),
    };

    /// <summary>True when the lock covers the key.</summary>
    public bool Contains(in ItemKey key) => key >= Start && key <= End;

    private static LockRange Zone(byte zone) => new(
        new ItemKey(zone, 0, 0),
        new ItemKey(zone, ulong.MaxValue, byte.MaxValue, ulong.MaxValue, ulong.MaxValue, byte.MaxValue));
}
