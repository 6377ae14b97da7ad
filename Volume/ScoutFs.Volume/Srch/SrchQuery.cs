using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Srch;

/// <summary>Gives the committed roots to search in; asked again when blocks turn out to be stale.</summary>
public delegate ValueTask<(FsError Error, WireRoots Roots)> SrchRootsSource(CancellationToken cancellationToken);

/// <summary>Finds the inodes that may have an xattr tagged srch (archive §10.5).</summary>
/// <remarks>
/// <para>Entries of sorted files, log files and open log trees toggle; what is left an odd number of times is a
/// candidate. They are collected and cancelled in batches. When more candidates than the limit are left, the greatest
/// are dropped and the end of the range comes down, so that memory is bounded and what is answered is complete up to
/// there.</para>
/// <para>One search at a time; instances are cheap.</para>
/// </remarks>
public sealed class SrchQuery
{
    /// <summary>Candidates the reference keeps at a time.</summary>
    public const int DefaultCandidates = 1_000_000;

    private const int ReadAheadBlocks = 4;

    private readonly BlockCache _cache;
    private readonly SrchRootsSource _rootsSource;
    private readonly int _maxCandidates;
    private readonly List<Candidate> _candidates = [];
    private SrchEntry _start;
    private SrchEntry _end;
    private bool _isEndLowered;

    /// <summary>Creates a query.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="rootsSource">Where committed roots come from.</param>
    /// <param name="maxCandidates">Most candidates to keep; twice as many entries, 16 bytes each, are held.</param>
    public SrchQuery(BlockCache cache, SrchRootsSource rootsSource, int maxCandidates = DefaultCandidates)
    {
        Invariant.Require(maxCandidates > 0);
        _cache = cache;
        _rootsSource = rootsSource;
        _maxCandidates = maxCandidates;
    }

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Searches.</summary>
    /// <param name="hash">Hash of the xattr's full name.</param>
    /// <param name="firstIno">First inode number wanted.</param>
    /// <param name="lastIno">Last inode number wanted, inclusive.</param>
    /// <param name="inos">Gets the numbers, ascending, each once; emptied first.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <returns>
    /// None, and whether the list reaches to <paramref name="lastIno"/> (else a search from behind its last number goes
    /// on); Io when the same roots were stale twice; Corrupt, NoBuffers, Cancelled or what the source of roots said.
    /// </returns>
    public async ValueTask<(FsError Error, bool IsComplete)> SearchAsync(
        ulong hash, ulong firstIno, ulong lastIno, List<ulong> inos, CancellationToken cancellationToken)
    {
        inos.Clear();
        if (firstIno > lastIno)
            return (FsError.None, true);
        var start = new SrchEntry(hash, firstIno, 0);
        var last = new SrchEntry(hash, lastIno, ulong.MaxValue);
        var stale = default(StaleCheck);
        while (true)
        {
            var (error, roots) = await _rootsSource(cancellationToken);
            if (error != FsError.None)
                return (error, false);
            _start = start;
            _end = last;
            error = await CollectAsync(roots, cancellationToken);
            if (error == FsError.Stale)
            {
                if (stale.IsDamage(roots.SrchRoot.Ref, roots.LogsRoot.Ref))
                    return (FsError.Io, false);
                continue;
            }

            if (error != FsError.None)
                return (error, false);
            Cancel();
            if (_candidates.Count == 0 && _isEndLowered)
            {
                // Everything up to the lowered end cancelled out later: what was dropped is beyond it.
                start = Next(_end);
                continue;
            }

            foreach (var candidate in _candidates)
            {
                if (inos.Count == 0 || inos[^1] != candidate.Ino)
                    inos.Add(candidate.Ino);
            }

            return (FsError.None, !_isEndLowered);
        }
    }

    private static SrchEntry Next(in SrchEntry entry) => entry.Id == ulong.MaxValue
        ? new SrchEntry(entry.Hash, entry.Ino + 1, 0)
        : new SrchEntry(entry.Hash, entry.Ino, entry.Id + 1);

    private static SrchEntry Previous(in SrchEntry entry) => entry.Id == 0
        ? new SrchEntry(entry.Hash, entry.Ino - 1, ulong.MaxValue)
        : new SrchEntry(entry.Hash, entry.Ino, entry.Id - 1);

    private async ValueTask<FsError> CollectAsync(WireRoots roots, CancellationToken cancellationToken)
    {
        _candidates.Clear();
        _isEndLowered = false;
        using var items = new BtreeCursor(_cache);
        using var entries = new SrchFileCursor(_cache, ReadAheadBlocks);

        // Sorted files first: their candidates lower the end before the log files, which must be read whole.
        var error = await CollectFilesAsync(items, entries, roots.SrchRoot, KeyType.SrchSorted, cancellationToken);
        if (error == FsError.None)
            error = await CollectFilesAsync(items, entries, roots.SrchRoot, KeyType.SrchLog, cancellationToken);
        if (error == FsError.None)
            error = await CollectLogTreesAsync(items, entries, roots.LogsRoot, cancellationToken);
        return error;
    }

    private async ValueTask<FsError> CollectFilesAsync(
        BtreeCursor items,
        SrchFileCursor entries,
        BtreeRoot srchRoot,
        byte type,
        CancellationToken cancellationToken)
    {
        items.SetRoot(srchRoot);
        var status = await items.SeekAsync(new ItemKey(KeyZone.Srch, 0, type), cancellationToken);
        while (status == BtreeStatus.Found && items.Key.Zone == KeyZone.Srch && items.Key.Type == type)
        {
            if (items.Value.Length != Disk.SizeOf<SrchFile>())
                return FailItem(CorruptionSite.SrchFileItemLength, items);
            var file = Disk.Ref<SrchFile>(items.Value);
            var error = await CollectFileAsync(entries, file, type == KeyType.SrchSorted, cancellationToken);
            if (error != FsError.None)
                return error;
            status = await items.MoveNextAsync(cancellationToken);
        }

        return FromCursor(items, status);
    }

    private async ValueTask<FsError> CollectLogTreesAsync(
        BtreeCursor items, SrchFileCursor entries, BtreeRoot logsRoot, CancellationToken cancellationToken)
    {
        items.SetRoot(logsRoot);
        var status = await items.SeekAsync(ItemKey.Min, cancellationToken);
        while (status == BtreeStatus.Found)
        {
            if (items.Value.Length != Disk.SizeOf<LogTrees>())
                return FailItem(CorruptionSite.SrchLogTreesLength, items);
            var file = Disk.Ref<LogTrees>(items.Value).SrchFile;
            var error = await CollectFileAsync(entries, file, isSorted: false, cancellationToken);
            if (error != FsError.None)
                return error;
            status = await items.MoveNextAsync(cancellationToken);
        }

        return FromCursor(items, status);
    }

    private async ValueTask<FsError> CollectFileAsync(
        SrchFileCursor entries, SrchFile file, bool isSorted, CancellationToken cancellationToken)
    {
        // Bounds of files are hints, and only when they are in order and there.
        bool hasBounds = SrchEntry.Compare(file.First, file.Last) <= 0 && file.Last != default;
        bool isOutside = SrchEntry.Compare(file.First, _end) > 0 || SrchEntry.Compare(file.Last, _start) < 0;
        if (file.Height == 0 || (hasBounds && isOutside))
            return FsError.None;
        entries.SetFile(file, isSorted, _start, _end);
        var status = await entries.MoveNextAsync(cancellationToken);
        while (status == BtreeStatus.Found)
        {
            ref readonly var entry = ref entries.Entry;
            if (SrchEntry.Compare(entry, _end) <= 0)
                Add(new Candidate(entry.Ino, entry.Id));
            else if (isSorted)
                break;
            status = await entries.MoveNextAsync(cancellationToken);
        }

        entries.Release();
        if (status != BtreeStatus.Corrupt)
            return FsError.None;
        Fault = entries.Fault;
        return entries.Error;
    }

    private void Add(Candidate candidate)
    {
        _candidates.Add(candidate);
        if (_candidates.Count < 2 * _maxCandidates)
            return;
        Cancel();
        if (_candidates.Count <= _maxCandidates)
            return;
        var dropped = _candidates[_maxCandidates];
        _candidates.RemoveRange(_maxCandidates, _candidates.Count - _maxCandidates);
        _end = Previous(new SrchEntry(_start.Hash, dropped.Ino, dropped.Id));
        _isEndLowered = true;
    }

    // Sorts, and leaves one of those that occur an odd number of times.
    private void Cancel()
    {
        _candidates.Sort();
        int kept = 0;
        for (int i = 0; i < _candidates.Count;)
        {
            int next = i + 1;
            while (next < _candidates.Count && _candidates[next] == _candidates[i])
                next++;
            if (((next - i) & 1) == 1)
                _candidates[kept++] = _candidates[i];
            i = next;
        }

        _candidates.RemoveRange(kept, _candidates.Count - kept);
    }

    private FsError FromCursor(BtreeCursor items, BtreeStatus status)
    {
        if (status != BtreeStatus.Corrupt)
            return FsError.None;
        Fault = items.Fault;
        return items.Error;
    }

    private FsError FailItem(CorruptionSite site, BtreeCursor items)
    {
        Fault = new Corruption(site, items.LeafBlkno);
        return FsError.Corrupt;
    }

    private readonly record struct Candidate(ulong Ino, ulong Id) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other) => Ino != other.Ino ? Ino.CompareTo(other.Ino) : Id.CompareTo(other.Id);
    }
}
