using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Fingerprints of all cross references: eight tables of 32 KiB, whatever the size of the volume.</summary>
internal sealed class ItemsCrossFingerprints : ItemsCrossReferences
{
    // Added to the digest of an item that is wrong on its own, so that its bucket is looked at even where the other
    // items of the entry agree with it. One number a kind, so that three equal faults do not cancel out.
    private readonly ulong _direntFault;
    private readonly ulong _readdirFault;
    private readonly ulong _backrefFault;

    /// <summary>Creates it with a new random key.</summary>
    public ItemsCrossFingerprints(Prng prng)
        : base(prng)
    {
        _direntFault = prng.NextUInt64();
        _readdirFault = prng.NextUInt64();
        _backrefFault = prng.NextUInt64();
    }

    /// <summary>Dirents against readdir items.</summary>
    public MultisetFingerprint Readdirs { get; } = new();

    /// <summary>Dirents against back references.</summary>
    public MultisetFingerprint Backrefs { get; } = new();

    /// <summary>The inode index against what inodes need.</summary>
    public MultisetFingerprint Index { get; } = new();

    /// <summary>Orphan items against inodes without links.</summary>
    public MultisetFingerprint Orphans { get; } = new();

    /// <summary>The index of xattrs against xattrs tagged indx.</summary>
    public MultisetFingerprint XattrIndex { get; } = new();

    /// <summary>
    /// Totals against values of xattrs tagged totl. Both are sums, so the fingerprint is linear: a total times an odd
    /// factor that depends on its name. Odd numbers divide no zero, so a difference of one total always shows.
    /// </summary>
    public MultisetFingerprint Totals { get; } = new();

    /// <summary>The same for the counts of totals.</summary>
    public MultisetFingerprint TotalCounts { get; } = new();

    /// <summary>Srch entries and xattrs tagged srch, by exclusive or.</summary>
    public MultisetFingerprint Srch { get; } = new();

    /// <summary>True when every item that is needed is there and no other.</summary>
    public bool IsZero => Readdirs.IsZero && Backrefs.IsZero && Index.IsZero && Orphans.IsZero && XattrIndex.IsZero
        && Totals.IsZero && TotalCounts.IsZero && Srch.IsZero;

    /// <inheritdoc/>
    public override void EntryItem(
        EntryItemKind kind, in EntryPlace place, EntryDefects defects, ReadOnlySpan<byte> value)
    {
        ulong entry = EntryDigest(place);
        ulong digest = EntryValueDigest(entry ^ place.Ino, value);
        int bucket = MultisetFingerprint.BucketOf(entry);
        switch (kind)
        {
            case EntryItemKind.Dirent:
                if (defects != EntryDefects.None)
                    digest += _direntFault;
                Readdirs.Add(bucket, digest);
                Backrefs.Add(bucket, digest);
                break;
            case EntryItemKind.Readdir:
                Readdirs.Subtract(bucket, defects == EntryDefects.None ? digest : digest + _readdirFault);
                break;
            default:
                Backrefs.Subtract(bucket, defects == EntryDefects.None ? digest : digest + _backrefFault);
                break;
        }
    }

    /// <inheritdoc/>
    public override void IndexItem(byte type, ulong seq, ulong ino) =>
        Index.Add(InodeBucket(ino), Digest.Of(seq, ino, type));

    /// <inheritdoc/>
    public override void IndexNeed(byte type, ulong seq, ulong ino) =>
        Index.Subtract(InodeBucket(ino), Digest.Of(seq, ino, type));

    /// <inheritdoc/>
    public override void OrphanItem(ulong ino) => Orphans.Add(InodeBucket(ino), Digest.Of(ino));

    /// <inheritdoc/>
    public override void OrphanNeed(ulong ino) => Orphans.Subtract(InodeBucket(ino), Digest.Of(ino));

    /// <inheritdoc/>
    public override void XattrIndexItem(byte major, ulong minor, ulong ino, ulong id)
    {
        ulong digest = Digest.Of(major, minor, ino, id);
        XattrIndex.Add(MultisetFingerprint.BucketOf(digest), digest);
    }

    /// <inheritdoc/>
    public override void XattrIndexNeed(byte major, ulong minor, ulong ino, ulong id)
    {
        ulong digest = Digest.Of(major, minor, ino, id);
        XattrIndex.Subtract(MultisetFingerprint.BucketOf(digest), digest);
    }

    /// <inheritdoc/>
    public override void TotalItem(ulong a, ulong b, ulong c, ulong total, ulong count)
    {
        ulong name = Digest.Of(a, b, c);
        int bucket = MultisetFingerprint.BucketOf(name);
        Totals.Add(bucket, total * (name | 1));
        TotalCounts.Add(bucket, count * (name | 1));
    }

    /// <inheritdoc/>
    public override void TotalNeed(ulong a, ulong b, ulong c, ulong value)
    {
        ulong name = Digest.Of(a, b, c);
        int bucket = MultisetFingerprint.BucketOf(name);
        Totals.Subtract(bucket, value * (name | 1));
        TotalCounts.Subtract(bucket, name | 1);
    }

    /// <inheritdoc/>
    public override void SrchEntry(in SrchEntry entry) => ToggleSrch(entry);

    /// <inheritdoc/>
    public override void SrchNeed(in SrchEntry entry) => ToggleSrch(entry);

    private void ToggleSrch(in SrchEntry entry)
    {
        ulong digest = Digest.Of(entry.Hash, entry.Ino, entry.Id);
        Srch.Toggle(MultisetFingerprint.BucketOf(digest), digest);
    }
}
