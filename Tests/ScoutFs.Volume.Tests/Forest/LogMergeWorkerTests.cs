using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Forest;

/// <summary>Whole log merges, part by part, against a dictionary.</summary>
public sealed class LogMergeWorkerTests
{
    [TestCase(1UL, 40_000, 3, 5_000, 1024)]
    [TestCase(2UL, 40_000, 5, 8_000, 40)]
    [TestCase(3UL, 120_000, 2, 60_000, 100)]
    [TestCase(4UL, 300, 4, 300, 1024)]
    [TestCase(5UL, 0, 2, 5_000, 1024)]
    [TestCase(6UL, 120_000, 300, 60, 1024)]
    public async Task Merges_OfRandomLogs_AgreeWithDictionaryAndLeakNothing(
        ulong seed, int items, int logs, int itemsPerLog, int maxDirtyBlocks)
    {
        using var world = new Merging(seed, maxDirtyBlocks);
        await world.BuildFsRootAsync(items);
        for (int round = 0; round < 3; round++)
        {
            await world.BuildLogsAsync(logs, itemsPerLog, removeInEight: (round * 3) + 1);
            await world.MergeAsync();
            await world.CheckAsync();
        }

        await world.BuildRemovalOfMostAsync();
        await world.MergeAsync();
        await world.CheckAsync();
    }

    [TestCase(11UL, 1, 60_000, 1024)]
    [TestCase(12UL, 3, 20_000, 64)]
    public async Task Merges_IntoSubtrees_AgreeWithDictionaryAndLeakNothing(
        ulong seed, int logs, int itemsPerLog, int maxDirtyBlocks)
    {
        using var world = new Merging(seed, maxDirtyBlocks);
        await world.BuildFsRootAsync(150_000, maxItemsPerBlock: 240);
        Assert.That(world.FsRootHeight, Is.EqualTo(3));
        for (int round = 0; round < 4; round++)
        {
            await world.BuildLogsAsync(logs, itemsPerLog, removeInEight: 1 + (2 * round));
            await world.MergeAsync();
            await world.CheckAsync();
        }

        await world.BuildRemovalOfMostAsync();
        await world.MergeAsync();
        await world.CheckAsync();
    }

    [Test]
    public async Task Request_ThatCannotWrite_CompletesWithError()
    {
        using var world = new Merging(7, 1024);
        await world.BuildFsRootAsync(5000);
        await world.BuildLogsAsync(1, 3000, removeInEight: 1);
        var complete = await world.RunOnSmallDeviceAsync();
        Assert.That(complete.Flags.Value, Is.EqualTo(LogMergeComplete.FlagError));
    }

    private sealed class Merging : IDisposable
    {
        private const int RequestBlocks = 1028;
        private const ulong InputSeq = 1000;

        private readonly MetaWorld _world;
        private readonly SortedDictionary<ItemKey, MetaItem> _model = [];
        private readonly List<BtreeRoot> _logs = [];
        private readonly LogMergeWorker _worker;
        private BtreeRoot _fsRoot;
        private BtreeRoot _logsRoot;
        private ulong _seq = 1;

        public Merging(ulong seed, int maxDirtyBlocks)
        {
            _world = new MetaWorld(seed);
            _worker = new LogMergeWorker(_world.Device, _world.Cache, _world.Prng.Fork("worker"), maxDirtyBlocks);
        }

        public int FsRootHeight => _fsRoot.Height;

        public async Task BuildFsRootAsync(int count, int maxItemsPerBlock = int.MaxValue)
        {
            for (int i = 0; i < count; i++)
            {
                var item = RandomItem(removeInEight: 0);
                if (item.Key.Zone != KeyZone.XattrTotal || !IsZero(item.Value))
                    _model[item.Key] = item;
            }

            var loader = new TreeBulkLoader(_world.Device, MetaWorld.Fsid, _world.Allocate, maxItemsPerBlock);
            foreach (var item in _model.Values)
                await loader.AddAsync(item.Key, item.Value, item.Seq);
            _fsRoot = await loader.FinishAsync();
        }

        public async Task BuildLogsAsync(int logs, int itemsPerLog, int removeInEight)
        {
            _seq++;
            for (int i = 0; i < logs; i++)
            {
                var items = new SortedDictionary<ItemKey, MetaItem>();
                for (int j = 0; j < itemsPerLog; j++)
                {
                    var item = RandomItem(removeInEight);
                    items[item.Key] = item;
                }

                await AddLogAsync(items);
            }

            await BuildLogsRootAsync();
        }

        // What is left are some of the items in few places: most leaves join.
        public async Task BuildRemovalOfMostAsync()
        {
            _seq++;
            var items = new SortedDictionary<ItemKey, MetaItem>();
            foreach (var (key, item) in _model)
            {
                if (key.Zone != KeyZone.XattrTotal && _world.Prng.NextInt32(200) != 0)
                    items[key] = new MetaItem(key, _seq, BtreeItem.FlagDeletion, []);
                else if (key.Zone == KeyZone.XattrTotal)
                    items[key] = new MetaItem(key, _seq, 0, Negative(item.Value));
            }

            await AddLogAsync(items);
            await BuildLogsRootAsync();
        }

        // The leader's part in short: ranges, requests one at a time, splices.
        public async Task MergeAsync()
        {
            var ranges = new Queue<(ItemKey Start, ItemKey End)>();
            ranges.Enqueue((ItemKey.Min, ItemKey.Max));
            int requests = 0;
            while (ranges.TryDequeue(out var range))
            {
                Assert.That(++requests, Is.LessThan(2000), "the merge goes on");
                var (error, subtree) = await _world.Trees.FindSubtreeAsync(
                    _fsRoot, range.Start, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{_world.Trees.Fault}");
                var end = range.End < subtree.End ? range.End : subtree.End;
                if (range.End > end)
                    ranges.Enqueue((end.Next(), range.End));
                var complete = await RunAsync(subtree, range.Start, end);
                await SpliceAsync(complete);
                if (complete.Flags == LogMergeComplete.FlagRemain)
                    ranges.Enqueue((complete.Remain, end));
            }

            foreach (var log in _logs)
            {
                var (error, key, _) = await new BtreeFreeing(_world.Cache).FreeAsync(
                    log, ItemKey.Min, _world, int.MaxValue, CancellationToken.None);
                Assert.That((error, key), Is.EqualTo((FsError.None, ItemKey.Max)));
            }

            _logs.Clear();
            await _world.CommitAsync();
        }

        public async Task CheckAsync()
        {
            var found = await _world.ReadTreeAsync(_fsRoot);
            Assert.That(found.Select(item => item.Key), Is.EqualTo(_model.Keys));
            foreach (var item in found)
            {
                var expected = _model[item.Key];

                // Deltas that cancel each other leave a total's seq alone.
                if (item.Key.Zone != KeyZone.XattrTotal)
                    Assert.That(item.Seq, Is.EqualTo(expected.Seq), $"{item.Key}");
                Assert.That(item.Flags, Is.Zero);
                Assert.That(item.Value.AsSpan().SequenceEqual(expected.Value), Is.True, $"{item.Key}");
            }

            var places = _world.NewPlaces();
            await places.AddTreeAsync(_fsRoot);
            await places.AddTreeAsync(_logsRoot);
            places.AssertEachOnce();
            Assert.That(_world.Allocated.SetEquals(places.Places), Is.True, "no block lost");
        }

        public async Task<LogMergeComplete> RunOnSmallDeviceAsync()
        {
            var whole = new BtreeSubtree(_fsRoot, true, ItemKey.Min, ItemKey.Max);
            var request = await MakeRequestAsync(whole, ItemKey.Min, ItemKey.Max);
            await using var device = new MemoryBlockDevice("too small", 1 << 16);
            var worker = new LogMergeWorker(device, _world.Cache, _world.Prng.Fork("small"));
            var (complete, error, _) = await worker.RunAsync(request, CancellationToken.None);
            Assert.That(error, Is.Not.EqualTo(FsError.None));
            return complete;
        }

        public void Dispose() => _world.Dispose();

        private static bool IsZero(byte[] value) => value.AsSpan().IndexOfAnyExcept((byte)0) < 0;

        private static byte[] Negative(byte[] value)
        {
            var total = Disk.Ref<XattrTotalItem>(value);
            total.Total = 0 - total.Total.Value;
            total.Count = 0 - total.Count.Value;
            return Disk.Bytes(in total).ToArray();
        }

        private async Task<LogMergeComplete> RunAsync(BtreeSubtree subtree, ItemKey start, ItemKey end)
        {
            var request = await MakeRequestAsync(subtree, start, end);
            var (complete, error, fault) = await _worker.RunAsync(request, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
            Assert.That(_world.Cache.LeasesOut, Is.Zero);
            return complete;
        }

        private async Task<LogMergeRequest> MakeRequestAsync(BtreeSubtree subtree, ItemKey start, ItemKey end) => new()
        {
            MetaAvail = await _world.MakeListAsync(RequestBlocks),
            LogsRoot = _logsRoot,
            Root = subtree.Root,
            Start = start,
            End = end,
            InputSeq = InputSeq,
            Rid = 1,
            Seq = 2,
            Flags = subtree.IsWhole ? 0 : LogMergeRequest.FlagSubtree,
        };

        private async Task SpliceAsync(LogMergeComplete complete)
        {
            (var error, _fsRoot) = await _world.Trees.ReplaceSubtreeAsync(
                _fsRoot, complete.Start, complete.Root, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{_world.Trees.Fault}");
            if (complete.Flags == LogMergeComplete.FlagRemain)
            {
                (error, _fsRoot) = await _world.Trees.RebalanceAsync(
                    _fsRoot, complete.Start, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{_world.Trees.Fault}");
            }

            await _world.CommitAsync();
            await _world.FreeListAsync(complete.MetaAvail);
            await _world.FreeListAsync(complete.MetaFreed);
        }

        private async Task AddLogAsync(SortedDictionary<ItemKey, MetaItem> items)
        {
            _logs.Add(await _world.BuildTreeAsync(items.Values));
            foreach (var (key, item) in items)
                ApplyToModel(key, item);
        }

        // Logs are applied in order of their seqs, so the dictionary sees versions oldest first.
        private void ApplyToModel(ItemKey key, MetaItem item)
        {
            _ = _model.TryGetValue(key, out var old);
            if ((item.Flags & BtreeItem.FlagDeletion) != 0)
            {
                _ = _model.Remove(key);
            }
            else if (key.Zone == KeyZone.XattrTotal && old is not null)
            {
                var sum = Disk.Ref<XattrTotalItem>(old.Value);
                ref readonly var delta = ref Disk.Ref<XattrTotalItem>(item.Value.AsSpan());
                sum.Total = sum.Total + delta.Total;
                sum.Count = sum.Count + delta.Count;
                _model[key] = item with { Value = Disk.Bytes(in sum).ToArray() };
                if (IsZero(_model[key].Value))
                    _ = _model.Remove(key);
            }
            else if (key.Zone != KeyZone.XattrTotal || !IsZero(item.Value))
            {
                _model[key] = item;
            }
        }

        private async Task BuildLogsRootAsync()
        {
            var (error, key, _) = await new BtreeFreeing(_world.Cache).FreeAsync(
                _logsRoot, ItemKey.Min, _world, int.MaxValue, CancellationToken.None);
            Assert.That((error, key), Is.EqualTo((FsError.None, ItemKey.Max)));
            var items = new List<MetaItem>();
            for (int i = 0; i < _logs.Count; i++)
                items.Add(LogItem((ulong)i + 1, _logs[i], finalizeSeq: InputSeq - 1));

            // Not inputs: an open tree, and one that was finalized after the merge began.
            items.Add(LogItem(5000, new BtreeRoot { Height = 1, Ref = new BlockRef(1, 1) }, finalizeSeq: 0));
            items.Add(LogItem(5001, new BtreeRoot { Height = 1, Ref = new BlockRef(1, 1) }, finalizeSeq: InputSeq));
            _logsRoot = await _world.BuildTreeAsync(items);
        }

        private static MetaItem LogItem(ulong rid, BtreeRoot root, ulong finalizeSeq)
        {
            var log = new LogTrees { Rid = rid, Nr = 1, ItemRoot = root, FinalizeSeq = finalizeSeq };
            log.Flags = finalizeSeq > 0 ? LogTrees.FlagFinalized : 0;
            return new MetaItem(Keys.LogTrees(rid, 1), 0, 0, Disk.Bytes(in log).ToArray());
        }

        private MetaItem RandomItem(int removeInEight)
        {
            var prng = _world.Prng;
            _seq++;
            if (prng.NextInt32(6) == 0)
            {
                var total = new XattrTotalItem { Total = prng.NextUInt64(3) - 1, Count = prng.NextUInt64(3) - 1 };
                return new MetaItem(
                    Keys.XattrTotal(prng.NextUInt64(3), prng.NextUInt64(4000), 0),
                    _seq,
                    0,
                    Disk.Bytes(in total).ToArray());
            }

            var key = Keys.DataExtent(prng.NextUInt64(40), prng.NextUInt64(6000), 1);
            if (prng.NextInt32(8) < removeInEight)
                return new MetaItem(key, _seq, BtreeItem.FlagDeletion, []);
            var value = new byte[prng.NextInt32(3) == 0 ? 0 : prng.NextInt32(200)];
            prng.Fill(value);
            return new MetaItem(key, _seq, 0, value);
        }
    }
}
