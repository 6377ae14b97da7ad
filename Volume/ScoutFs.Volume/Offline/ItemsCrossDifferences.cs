using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Collects everything in the buckets whose fingerprints differ, exactly, in as many rounds as memory asks for.
/// </summary>
internal sealed class ItemsCrossDifferences : ItemsCrossReferences, ISrchEntrySink
{
    private readonly ItemsBuckets[] _buckets;
    private readonly ItemsBuckets _srchBuckets;

    /// <summary>Creates it.</summary>
    /// <param name="fingerprints">What the first pass found.</param>
    /// <param name="isSrchComplete">False when srch entries were lost, so that they cannot be compared.</param>
    public ItemsCrossDifferences(ItemsCrossFingerprints fingerprints, bool isSrchComplete)
        : base(fingerprints)
    {
        // Two or more members make an object, where all is well.
        var entries = new ItemsBuckets(
            fingerprints.Readdirs.Members / 2, fingerprints.Readdirs, fingerprints.Backrefs);
        var inodes = new ItemsBuckets(fingerprints.Index.Members / 2, fingerprints.Index, fingerprints.Orphans);
        var xattrIndex = new ItemsBuckets(fingerprints.XattrIndex.Members / 2, fingerprints.XattrIndex);
        var totals = new ItemsBuckets(
            fingerprints.Totals.Members / 2, fingerprints.Totals, fingerprints.TotalCounts);
        _srchBuckets = new ItemsBuckets(
            fingerprints.Srch.Members / 2, isSrchComplete ? fingerprints.Srch : new MultisetFingerprint());
        _buckets = [entries, inodes, xattrIndex, totals, _srchBuckets];
        Entries = new ItemsEntryDifferences(entries);
        Inodes = new ItemsInodeDifferences(inodes);
        XattrIndex = new ItemsXattrIndexDifferences(xattrIndex);
        Totals = new ItemsTotalDifferences(totals);
        Srch = new ItemsSrchDifferences(_srchBuckets);
    }

    /// <summary>Directory entries.</summary>
    public ItemsEntryDifferences Entries { get; }

    /// <summary>Inode index and orphans.</summary>
    public ItemsInodeDifferences Inodes { get; }

    /// <summary>Index of xattrs.</summary>
    public ItemsXattrIndexDifferences XattrIndex { get; }

    /// <summary>Totals.</summary>
    public ItemsTotalDifferences Totals { get; }

    /// <summary>Srch entries.</summary>
    public ItemsSrchDifferences Srch { get; }

    /// <summary>This round has to see the srch entries as well.</summary>
    public bool NeedsSrchEntries => _srchBuckets.HasSelected;

    /// <summary>Selects what the next round collects.</summary>
    /// <returns>False when everything has been collected.</returns>
    public bool SelectNext()
    {
        bool hasSelected = false;
        foreach (var buckets in _buckets)
        {
            buckets.SelectNext();
            hasSelected |= buckets.HasSelected;
        }

        return hasSelected;
    }

    /// <summary>The items of the round have passed by.</summary>
    public void EndRound()
    {
        Entries.EndRound();
        Inodes.EndRound();
        XattrIndex.EndRound();
        Totals.EndRound();
        Srch.EndRound();
    }

    /// <inheritdoc/>
    public void OnSrchEntry(in SrchEntry entry) => SrchEntry(entry);

    /// <inheritdoc/>
    public override void EntryItem(
        EntryItemKind kind, in EntryPlace place, EntryDefects defects, ReadOnlySpan<byte> value)
    {
        if (Entries.IsSelected(EntryBucket(place)))
            Entries.Add(kind, place, defects, value, EntryValueDigest(place.Ino, value));
    }

    /// <inheritdoc/>
    public override void IndexItem(byte type, ulong seq, ulong ino)
    {
        if (Inodes.IsSelected(InodeBucket(ino)))
            Inodes.AddIndexItem(type, seq, ino);
    }

    /// <inheritdoc/>
    public override void IndexNeed(byte type, ulong seq, ulong ino)
    {
        if (Inodes.IsSelected(InodeBucket(ino)))
            Inodes.AddIndexNeed(type, seq, ino);
    }

    /// <inheritdoc/>
    public override void OrphanItem(ulong ino)
    {
        if (Inodes.IsSelected(InodeBucket(ino)))
            Inodes.AddOrphanItem(ino);
    }

    /// <inheritdoc/>
    public override void OrphanNeed(ulong ino)
    {
        if (Inodes.IsSelected(InodeBucket(ino)))
            Inodes.AddOrphanNeed(ino);
    }

    /// <inheritdoc/>
    public override void XattrIndexItem(byte major, ulong minor, ulong ino, ulong id)
    {
        if (XattrIndex.IsSelected(MultisetFingerprint.BucketOf(Digest.Of(major, minor, ino, id))))
            XattrIndex.AddItem(new XattrIndexId(ino, id, major, minor));
    }

    /// <inheritdoc/>
    public override void XattrIndexNeed(byte major, ulong minor, ulong ino, ulong id)
    {
        if (XattrIndex.IsSelected(MultisetFingerprint.BucketOf(Digest.Of(major, minor, ino, id))))
            XattrIndex.AddNeed(new XattrIndexId(ino, id, major, minor));
    }

    /// <inheritdoc/>
    public override void TotalItem(ulong a, ulong b, ulong c, ulong total, ulong count)
    {
        if (Totals.IsSelected(MultisetFingerprint.BucketOf(Digest.Of(a, b, c))))
            Totals.AddItem(new TotalId(a, b, c), total, count);
    }

    /// <inheritdoc/>
    public override void TotalNeed(ulong a, ulong b, ulong c, ulong value)
    {
        if (Totals.IsSelected(MultisetFingerprint.BucketOf(Digest.Of(a, b, c))))
            Totals.AddNeed(new TotalId(a, b, c), value);
    }

    /// <inheritdoc/>
    public override void SrchEntry(in SrchEntry entry)
    {
        if (Srch.IsSelected(MultisetFingerprint.BucketOf(Digest.Of(entry.Hash, entry.Ino, entry.Id))))
            Srch.AddEntry(new SrchId(entry.Hash, entry.Ino, entry.Id));
    }

    /// <inheritdoc/>
    public override void SrchNeed(in SrchEntry entry)
    {
        if (Srch.IsSelected(MultisetFingerprint.BucketOf(Digest.Of(entry.Hash, entry.Ino, entry.Id))))
            Srch.AddNeed(new SrchId(entry.Hash, entry.Ino, entry.Id));
    }
}
