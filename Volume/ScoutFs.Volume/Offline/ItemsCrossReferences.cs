using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>The three items that each directory entry has, with an identical value (format §10.2).</summary>
internal enum EntryItemKind : byte
{
    /// <summary>By name hash, in the directory.</summary>
    Dirent,

    /// <summary>By position, in the directory.</summary>
    Readdir,

    /// <summary>In the target.</summary>
    Backref,
}

/// <summary>What is wrong with one item of a directory entry, seen on its own.</summary>
[Flags]
internal enum EntryDefects : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The value is too short or too long to be looked into; reported already.</summary>
    ValueLength = 1,

    /// <summary>The key's hash is not the value's.</summary>
    KeyHash = 2,

    /// <summary>The key's position is not the value's.</summary>
    KeyPos = 4,

    /// <summary>A part of the key that must be 0 is not.</summary>
    KeyRest = 8,

    /// <summary>The value's hash is not the name's.</summary>
    NameHash = 16,

    /// <summary>The position is 0 or 1, which are not for entries, or the greatest number.</summary>
    PosRange = 32,

    /// <summary>No entry may have the name.</summary>
    NameNotAllowed = 64,
}

/// <summary>Where an item of a directory entry belongs.</summary>
/// <param name="Dir">The directory, by the key.</param>
/// <param name="Pos">The position in it, by the key.</param>
/// <param name="Ino">The target: by the key for back references, else by the value.</param>
/// <param name="KeyHash">The hash in a dirent's key, else 0.</param>
internal readonly record struct EntryPlace(ulong Dir, ulong Pos, ulong Ino, ulong KeyHash = 0);

/// <summary>
/// Takes what items say about each other: what is there, and what something else needs to be there. For a healthy
/// volume both sides are equal, whatever the order they come in.
/// </summary>
/// <remarks>
/// The first pass only takes fingerprints (<see cref="ItemsCrossFingerprints"/>). If they differ, another pass collects
/// what is in the buckets that differ (<see cref="ItemsCrossDifferences"/>). Both use the same key, so both agree on
/// the buckets.
/// </remarks>
internal abstract class ItemsCrossReferences
{
    private readonly KeyedDigest _digest;

    /// <summary>Creates it with a new random key.</summary>
    protected ItemsCrossReferences(Prng prng) => _digest = new KeyedDigest(prng);

    /// <summary>Creates it with the key of another.</summary>
    protected ItemsCrossReferences(ItemsCrossReferences other) => _digest = other._digest;

    /// <summary>Digests under the shared key.</summary>
    protected ref readonly KeyedDigest Digest => ref _digest;

    /// <summary>One of the three items of an entry is there.</summary>
    /// <param name="kind">Which one.</param>
    /// <param name="place">Where it belongs.</param>
    /// <param name="defects">What is wrong with it on its own.</param>
    /// <param name="value">Its value.</param>
    public abstract void EntryItem(
        EntryItemKind kind, in EntryPlace place, EntryDefects defects, ReadOnlySpan<byte> value);

    /// <summary>An item of the inode index is there.</summary>
    public abstract void IndexItem(byte type, ulong seq, ulong ino);

    /// <summary>An inode needs an item in the inode index.</summary>
    public abstract void IndexNeed(byte type, ulong seq, ulong ino);

    /// <summary>An orphan item is there.</summary>
    public abstract void OrphanItem(ulong ino);

    /// <summary>An inode has no links and needs an orphan item.</summary>
    public abstract void OrphanNeed(ulong ino);

    /// <summary>An item of the index of xattrs is there.</summary>
    public abstract void XattrIndexItem(byte major, ulong minor, ulong ino, ulong id);

    /// <summary>An xattr tagged indx needs an item.</summary>
    public abstract void XattrIndexNeed(byte major, ulong minor, ulong ino, ulong id);

    /// <summary>A total is there.</summary>
    public abstract void TotalItem(ulong a, ulong b, ulong c, ulong total, ulong count);

    /// <summary>An xattr tagged totl is part of a total.</summary>
    public abstract void TotalNeed(ulong a, ulong b, ulong c, ulong value);

    /// <summary>A srch entry is there; an even number of equal ones are none.</summary>
    public abstract void SrchEntry(in SrchEntry entry);

    /// <summary>An xattr tagged srch needs an entry.</summary>
    public abstract void SrchNeed(in SrchEntry entry);

    /// <summary>Bucket for everything about one entry of a directory.</summary>
    protected int EntryBucket(in EntryPlace place) => MultisetFingerprint.BucketOf(EntryDigest(place));

    /// <summary>Digest of the place of an entry.</summary>
    protected ulong EntryDigest(in EntryPlace place) => _digest.Of(place.Dir, place.Pos);

    /// <summary>Digest of what an item says about an entry: all of the value but its unused bytes.</summary>
    protected ulong EntryValueDigest(ulong seed, ReadOnlySpan<byte> value)
    {
        const int usedBytes = 24;
        int headerBytes = Disk.SizeOf<DirentHeader>();
        return value.Length <= headerBytes
            ? _digest.Of(seed, value)
            : _digest.Of(_digest.Of(seed ^ value[usedBytes], value[..usedBytes]), value[headerBytes..]);
    }

    /// <summary>Bucket for the index and orphan items of one inode.</summary>
    protected int InodeBucket(ulong ino) => MultisetFingerprint.BucketOf(_digest.Of(ino));
}
