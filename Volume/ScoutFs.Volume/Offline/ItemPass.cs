using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Walks fs_root and all log trees together, verifying their blocks, and passes the merged view on (format §9.5).
/// Checks on the way what concerns versions of items: I36 to I39, I86, I89.
/// </summary>
/// <remarks>Same merge as <see cref="ForestCursor"/>, but over walks that survive damage. One use.</remarks>
internal sealed class ItemPass : IDisposable
{
    private readonly CheckContext _context;
    private readonly IItemSink _sink;
    private readonly List<Source> _sources = [];
    private readonly byte[] _totals = new byte[16];
    private readonly int[] _toMove;
    private readonly int[] _heap;
    private int _heapCount;
    private int _toMoveCount;

    /// <summary>Creates a pass.</summary>
    /// <param name="context">What it reports to and accounts in.</param>
    /// <param name="logs">Log trees.</param>
    /// <param name="inputsBefore">See <see cref="LogMergeCheck.InputsBefore"/>.</param>
    /// <param name="sink">Takes the merged items.</param>
    public ItemPass(CheckContext context, IReadOnlyList<LogTrees> logs, ulong inputsBefore, IItemSink sink)
    {
        _context = context;
        _sink = sink;
        _sources.Add(new Source(context, "fs_root", context.Super.FsRoot, ForestLayer.Merged, default));
        foreach (var log in logs)
        {
            if (log.ItemRoot.Height == 0 && log.ItemRoot.Ref.IsNone)
                continue;
            bool isInput = log.IsFinalized && log.FinalizeSeq < inputsBefore;
            var layer = isInput ? ForestLayer.MergeInput : ForestLayer.Log;
            _sources.Add(new Source(context, LogTreesCheck.NameOf(log), log.ItemRoot, layer, log));
        }

        _toMove = new int[_sources.Count];
        _heap = new int[_sources.Count];
    }

    /// <summary>Live items of each zone and type.</summary>
    public long[] CountByKind { get; } = new long[256 * 256];

    /// <summary>Runs the whole pass.</summary>
    /// <returns>True when every item of every tree was delivered.</returns>
    public async ValueTask<bool> RunAsync(CancellationToken cancellationToken)
    {
        foreach (var source in _sources)
            await source.LoadBloomAsync(cancellationToken);
        _toMoveCount = _sources.Count;
        for (int i = 0; i < _toMoveCount; i++)
            _toMove[i] = i;
        while (true)
        {
            var needs = MoveUntilBlocked();
            if (needs is null)
                break;
            await needs.Walk.LoadAsync(cancellationToken);
        }

        bool isComplete = true;
        foreach (var source in _sources)
        {
            isComplete &= source.Walk.IsComplete;
            source.ReportMaxSeq();
        }

        return isComplete;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var source in _sources)
            source.Dispose();
    }

    // Synchronous as long as blocks are there. Returns the source that misses one, or null at the end.
    private Source? MoveUntilBlocked()
    {
        while (true)
        {
            while (_toMoveCount > 0)
            {
                int index = _toMove[_toMoveCount - 1];
                var source = _sources[index];
                var status = source.Walk.MoveNext();
                if (status == BtreeStatus.NeedBlock)
                    return source;
                _toMoveCount--;
                if (status == BtreeStatus.Found)
                {
                    source.OnItem();
                    Push(index);
                }
            }

            if (_heapCount == 0)
                return null;
            TakeVersions();
        }
    }

    private void TakeVersions()
    {
        var winner = _sources[_heap[0]];
        var key = winner.Key;
        bool isTotal = key.Zone == KeyZone.XattrTotal;
        bool isGood = true;
        var sum = default(TotalsSum);
        ulong seq = 0;
        int versions = 0;
        while (_heapCount > 0 && _sources[_heap[0]].Key == key)
        {
            int index = Pop();
            var source = _sources[index];
            ref readonly var item = ref source.Walk.Item;
            if (versions++ == 0 || item.Seq > seq)
            {
                winner = source;
                seq = item.Seq;
            }
            else if (item.Seq == seq && !isTotal && winner != source)
            {
                CheckTie(winner, source, key);
            }

            if (isTotal)
                isGood &= AddTotal(ref sum, source, item.Seq);
            _toMove[_toMoveCount++] = index;
        }

        if (isTotal)
            DeliverTotal(key, seq, sum, isGood);
        else if ((winner.Walk.Item.Flags & BtreeItem.FlagDeletion) == 0)
            Deliver(key, seq, winner.Walk.Value);
    }

    private void Deliver(in ItemKey key, ulong seq, ReadOnlySpan<byte> value)
    {
        CountByKind[(key.Zone * 256) + key.Type]++;
        _context.Items++;
        _sink.OnItem(key, seq, value);
    }

    private void DeliverTotal(in ItemKey key, ulong seq, in TotalsSum sum, bool isGood)
    {
        if (!isGood)
            return;
        var result = sum.Result();
        if (result.Total == 0 && result.Count == 0)
            return;
        Disk.Ref<XattrTotalItem>(_totals.AsSpan()) = result;
        Deliver(key, seq, _totals);
    }

    private bool AddTotal(ref TotalsSum sum, Source source, ulong seq)
    {
        var value = source.Walk.Value;
        if (value.Length != _totals.Length)
        {
            _context.Findings.Report(
                "I90",
                source.Walk.Structure,
                string.Create(CultureInfo.InvariantCulture, $"item {source.Key}"),
                $"The value of a total has {value.Length} bytes, not {_totals.Length}.");
            return false;
        }

        sum.Add(source.Layer, seq, Disk.Ref<XattrTotalItem>(value));
        return true;
    }

    private void CheckTie(Source winner, Source other, in ItemKey key)
    {
        ref readonly var left = ref winner.Walk.Item;
        ref readonly var right = ref other.Walk.Item;
        if (left.Flags == right.Flags && winner.Walk.Value.SequenceEqual(other.Walk.Value))
            return;
        _context.Findings.Report(
            "I37",
            other.Walk.Structure,
            string.Create(CultureInfo.InvariantCulture, $"item {key}"),
            $"{winner.Walk.Structure} has another version of the item with the same seq {left.Seq.Value}.",
            FindingSeverity.Warning);
    }

    private void Push(int index)
    {
        int child = _heapCount++;
        while (child > 0)
        {
            int parent = (child - 1) / 2;
            if (!IsBefore(index, _heap[parent]))
                break;
            _heap[child] = _heap[parent];
            child = parent;
        }

        _heap[child] = index;
    }

    private int Pop()
    {
        int top = _heap[0];
        int last = _heap[--_heapCount];
        int parent = 0;
        while (true)
        {
            int child = (2 * parent) + 1;
            if (child >= _heapCount)
                break;
            if (child + 1 < _heapCount && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], last))
                break;
            _heap[parent] = _heap[child];
            parent = child;
        }

        _heap[parent] = last;
        return top;
    }

    private bool IsBefore(int left, int right)
    {
        int order = ItemKey.Compare(_sources[left].Key, _sources[right].Key);
        return order != 0 ? order < 0 : left < right;
    }

    // One tree of the pass.
    private sealed class Source : IDisposable
    {
        private readonly CheckContext _context;
        private readonly LogTrees _log;
        private BlockLease _bloom;
        private bool _hasBloom;
        private ItemKey _lockStart = ItemKey.Max;
        private ulong _maxSeq;
        private int _bloomReports;

        public Source(CheckContext context, string structure, BtreeRoot root, ForestLayer layer, in LogTrees log)
        {
            _context = context;
            _log = log;
            Layer = layer;
            Walk = new CheckedTreeWalk(context, structure, root);
        }

        public ForestLayer Layer { get; }

        public CheckedTreeWalk Walk { get; }

        public ItemKey Key { get; private set; }

        // A bad bloom block is reported where blooms are checked; here it only means that bits cannot be judged.
        public async ValueTask LoadBloomAsync(CancellationToken cancellationToken)
        {
            _hasBloom = Layer == ForestLayer.Merged || _log.BloomRef.IsNone;
            if (_hasBloom)
                return;
            var result = await _context.Cache.LoadAsync(_log.BloomRef, BlockMagic.Bloom, cancellationToken);
            _hasBloom = result.Error == FsError.None
                && _context.Cache.TryGet(_log.BloomRef, BlockMagic.Bloom, out _bloom);
        }

        public void OnItem()
        {
            ref readonly var item = ref Walk.Item;
            Key = item.Key;
            ulong seq = item.Seq;
            if (seq > _maxSeq)
            {
                _maxSeq = seq;
                if (seq > _context.Super.Seq)
                    Report("I86", $"Its seq {seq} is greater than the super's seq {_context.Super.Seq.Value}.");
            }

            bool isDeletion = (item.Flags & BtreeItem.FlagDeletion) != 0;
            if (isDeletion && Layer == ForestLayer.Merged)
                Report("I36", "It is a deletion, which only log trees may hold.");
            if (isDeletion && item.ValLen != 0)
                Report("I38", $"It is a deletion, but has a value of {item.ValLen.Value} bytes.");
            if (!IsExpected(item.Key))
                Report("I39", "Items of this zone and type do not belong here.");
            if (Layer != ForestLayer.Merged)
                CheckBloom(item.Key);
        }

        public void ReportMaxSeq()
        {
            if (Layer == ForestLayer.Merged || _maxSeq <= _log.MaxItemSeq || _maxSeq > _context.Super.Seq)
                return;
            _context.Findings.Report(
                "I86",
                Walk.Structure,
                "max_item_seq",
                $"It is {_log.MaxItemSeq.Value}, an item has seq {_maxSeq}.",
                FindingSeverity.Warning);
        }

        public void Dispose()
        {
            Walk.Dispose();
            _bloom.Dispose();
        }

        private static bool IsExpected(in ItemKey key) => key.Zone switch
        {
            KeyZone.Fs => key.Type is KeyType.Inode or KeyType.Xattr or KeyType.Dirent or KeyType.Readdir
                or KeyType.LinkBackref or KeyType.Symlink or KeyType.DataExtent,
            KeyZone.InodeIndex => key.Type is KeyType.MetaSeq or KeyType.DataSeq,
            KeyZone.Orphan or KeyZone.Quota => key.Type == KeyType.Orphan,
            KeyZone.XattrTotal or KeyZone.XattrIndex => key.Type == 0,
            _ => false,
        };

        // Once for each lock range of the tree: items of a range stand together.
        private void CheckBloom(in ItemKey key)
        {
            var lockStart = Keys.LockStart(key);
            if (lockStart == _lockStart)
                return;
            _lockStart = lockStart;
            if (!_hasBloom)
                return;
            bool mayHave = _bloom.IsHeld && new BloomProbe(lockStart).MayBeIn(_bloom.Bytes);
            if (!mayHave && _bloomReports++ < 100)
                Report("I89", $"The bloom bits of its lock range {lockStart} are not set.");
        }

        private void Report(string invariant, string what) => _context.Findings.Report(
            invariant,
            Walk.Structure,
            string.Create(CultureInfo.InvariantCulture, $"item {Key}, block {Walk.Blkno}"),
            what);
    }
}
