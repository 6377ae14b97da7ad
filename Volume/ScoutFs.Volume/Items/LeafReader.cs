using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Items;

/// <summary>Reads the part of the forest around a key, to fill the item cache (engine §4.3).</summary>
/// <remarks>
/// Of fs_root and of every log tree whose bloom filter does not rule it out, the one leaf that covers the key is read;
/// the result holds for the intersection of their ranges with the lock's. One read at a time.
/// </remarks>
public sealed class LeafReader
{
    private readonly BlockCache _cache;
    private readonly List<Source> _logs = [];
    private readonly List<Leaf> _leaves = [];
    private BtreeRoot _logsRoot;
    private bool _hasLogs;

    /// <summary>Creates a reader over the metadata device's cache.</summary>
    public LeafReader(BlockCache cache) => _cache = cache;

    /// <summary>What was wrong, after Corrupt or Stale.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Reads the items around a key.</summary>
    /// <param name="roots">Committed roots, not older than the lock's grant and the mount's last commit.</param>
    /// <param name="range">The lock's range, which contains the key.</param>
    /// <param name="key">Key to read around.</param>
    /// <param name="items">Receives the items that exist between the returned keys, greatest seq of each.</param>
    /// <param name="cancellationToken">Ends the wait for blocks.</param>
    /// <returns>None and the range; Stale when newer roots are needed; Corrupt, Io, NoBuffers, Cancelled.</returns>
    public async ValueTask<(FsError Error, ItemKey Start, ItemKey End)> ReadAsync(
        WireRoots roots, LockRange range, ItemKey key, ItemBatch items, CancellationToken cancellationToken)
    {
        items.Clear();
        try
        {
            var error = await LoadLogsAsync(roots.LogsRoot, cancellationToken);
            var probe = new BloomProbe(range.Start);
            if (error == FsError.None)
                error = await AddLeafAsync(roots.FsRoot, key, cancellationToken);
            for (int i = 0; i < _logs.Count && error == FsError.None; i++)
            {
                (error, bool mayHave) = await TestBloomAsync(_logs[i].BloomRef, probe, cancellationToken);
                if (error == FsError.None && mayHave)
                    error = await AddLeafAsync(_logs[i].ItemRoot, key, cancellationToken);
            }

            if (error != FsError.None)
                return (error, default, default);
            var start = range.Start;
            var end = range.End;
            foreach (var leaf in _leaves)
            {
                start = leaf.Start > start ? leaf.Start : start;
                end = leaf.End < end ? leaf.End : end;
            }

            Merge(start, end, items);
            return (FsError.None, start, end);
        }
        finally
        {
            foreach (var leaf in _leaves)
                leaf.Dispose();
            _leaves.Clear();
        }
    }

    // The list of log trees changes with logs_root only.
    private async ValueTask<FsError> LoadLogsAsync(BtreeRoot logsRoot, CancellationToken cancellationToken)
    {
        if (_hasLogs && _logsRoot.Ref.SameAs(logsRoot.Ref))
            return FsError.None;
        _hasLogs = false;
        _logs.Clear();
        using var cursor = new BtreeCursor(_cache);
        cursor.SetRoot(logsRoot);
        var status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(cancellationToken))
        {
            if (cursor.Value.Length != Disk.SizeOf<LogTrees>())
            {
                Fault = new Corruption(CorruptionSite.LogTreesValueLength, cursor.LeafBlkno);
                return FsError.Corrupt;
            }

            ref readonly var log = ref Disk.Ref<LogTrees>(cursor.Value);
            if (!log.ItemRoot.IsEmpty && !log.BloomRef.IsNone)
                _logs.Add(new Source(log.ItemRoot, log.BloomRef));
        }

        Fault = cursor.Fault;
        if (status == BtreeStatus.Corrupt)
            return cursor.Error;
        _logsRoot = logsRoot;
        _hasLogs = true;
        return FsError.None;
    }

    private async ValueTask<(FsError Error, bool MayHave)> TestBloomAsync(
        BlockRef bloomRef, BloomProbe probe, CancellationToken cancellationToken)
    {
        BlockLease lease;
        while (!_cache.TryGet(bloomRef, BlockMagic.Bloom, out lease))
        {
            var result = await _cache.LoadAsync(bloomRef, BlockMagic.Bloom, cancellationToken);
            Fault = result.Corruption;
            if (result.Error != FsError.None)
                return (result.Error, false);
        }

        bool mayHave = probe.MayBeIn(lease.Bytes);
        lease.Dispose();
        return (FsError.None, mayHave);
    }

    private async ValueTask<FsError> AddLeafAsync(BtreeRoot root, ItemKey key, CancellationToken cancellationToken)
    {
        while (true)
        {
            var status = BtreeDescent.Descend(
                _cache, null, root, key, 0, out var lease, out var start, out var end, out var needed, out var fault);
            switch (status)
            {
                case BtreeStatus.Found:
                    _leaves.Add(new Leaf(lease, start, end));
                    return FsError.None;
                case BtreeStatus.End:
                    return FsError.None;
                case BtreeStatus.Corrupt:
                    Fault = fault;
                    return FsError.Corrupt;
                default:
                    var result = await _cache.LoadAsync(needed, BlockMagic.Btree, cancellationToken);
                    Fault = result.Corruption;
                    if (result.Error != FsError.None)
                        return result.Error;
                    break;
            }
        }
    }

    // Few leaves: the least key is found by looking at each.
    private void Merge(in ItemKey start, in ItemKey end, ItemBatch items)
    {
        foreach (var leaf in _leaves)
            leaf.Seek(start, end);
        while (true)
        {
            Leaf? best = null;
            foreach (var leaf in _leaves)
            {
                if (leaf.Offset == 0)
                    continue;
                int order = best is null ? -1 : ItemKey.Compare(leaf.Item.Key, best.Item.Key);
                if (order < 0 || (order == 0 && leaf.Item.Seq.Value > best!.Item.Seq.Value))
                    best = leaf;
            }

            if (best is null)
                return;
            var key = best.Item.Key;
            if ((best.Item.Flags & BtreeItem.FlagDeletion) == 0)
                items.Add(key, best.Item.Seq, best.Value);
            foreach (var leaf in _leaves)
                leaf.Skip(key, end);
        }
    }

    private readonly record struct Source(BtreeRoot ItemRoot, BlockRef BloomRef);

    private sealed class Leaf(BlockLease lease, ItemKey start, ItemKey end) : IDisposable
    {
        private BlockLease _lease = lease;

        public ItemKey Start { get; } = start;

        public ItemKey End { get; } = end;

        public int Offset { get; private set; }

        public ref readonly BtreeItem Item => ref new BtreeBlock(_lease.Bytes).Item(Offset);

        public ReadOnlySpan<byte> Value => new BtreeBlock(_lease.Bytes).Value(Item);

        public void Seek(in ItemKey first, in ItemKey last)
        {
            Offset = new BtreeBlock(_lease.Bytes).LowerBound(first);
            StopBehind(last);
        }

        public void Skip(in ItemKey key, in ItemKey last)
        {
            if (Offset == 0 || Item.Key != key)
                return;
            Offset = new BtreeBlock(_lease.Bytes).Next(Offset);
            StopBehind(last);
        }

        public void Dispose() => _lease.Dispose();

        private void StopBehind(in ItemKey last)
        {
            if (Offset != 0 && Item.Key > last)
                Offset = 0;
        }
    }
}
