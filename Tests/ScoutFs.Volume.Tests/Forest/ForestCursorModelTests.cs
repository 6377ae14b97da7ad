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

/// <summary>The merged view against a dictionary that applies the rules of format §9.5 by hand.</summary>
public sealed class ForestCursorModelTests
{
    private const ulong Fsid = 99;
    private const int MetaBlocks = 8192;

    [Test]
    public async Task Scan_RandomLogs_ShowsGreatestSeqAndHidesDeletions([Values(0, 1, 5, 40)] int logs)
    {
        var world = await World.CreateAsync(new Prng((ulong)logs + 1), logs, itemsPerTree: 300);
        using var cache = world.NewCache();
        using var cursor = new ForestCursor(cache, world.Roots, readAheadBlocks: 2);

        await AssertRangeAsync(cursor, world, ItemKey.Min, ItemKey.Max);
        var prng = new Prng(5);
        for (int i = 0; i < 200; i++)
        {
            ulong ino = prng.NextUInt64(3000);
            await AssertRangeAsync(
                cursor, world, Keys.Inode(ino), new ItemKey(KeyZone.Fs, ino, byte.MaxValue, ulong.MaxValue));
        }

        cursor.Release();
        Assert.That(cache.LeasesOut, Is.Zero);
    }

    [TestCase(true, 10UL, 5UL, 3UL, 107UL, TestName = "Totals_InputNotYetMerged_IsAdded")]
    [TestCase(true, 5UL, 10UL, 3UL, 102UL, TestName = "Totals_InputAlreadyInFsRoot_IsNotAddedTwice")]
    [TestCase(false, 5UL, 0UL, 3UL, 7UL, TestName = "Totals_NoFsItemPositiveInput_IsAdded")]
    [TestCase(false, 5UL, 0UL, ulong.MaxValue, 2UL, TestName = "Totals_NoFsItemNegativeInput_WasMergedAway")]
    public void Totals_MergeInProgress_CountEachInputOnce(
        bool hasFs, ulong inputSeq, ulong fsSeq, ulong inputCount, ulong expected)
    {
        var sum = default(TotalsSum);
        if (hasFs)
            sum.Add(ForestLayer.Merged, fsSeq, new XattrTotalItem { Total = 100, Count = 1 });
        sum.Add(ForestLayer.MergeInput, inputSeq, new XattrTotalItem { Total = 5, Count = inputCount });
        sum.Add(ForestLayer.Log, 20, new XattrTotalItem { Total = 2, Count = 1 });

        Assert.That(sum.Result().Total.Value, Is.EqualTo(expected));
    }

    [Test]
    public async Task MoveNext_CachedScan_AllocatesNothing()
    {
        var world = await World.CreateAsync(new Prng(8), logs: 4, itemsPerTree: 500);
        using var cache = world.NewCache();
        using var cursor = new ForestCursor(cache, world.Roots);
        await AssertRangeAsync(cursor, world, ItemKey.Min, ItemKey.Max);

        long before = GC.GetAllocatedBytesForCurrentThread();
        int count = 0;
        var status = cursor.Seek(ItemKey.Min, ItemKey.Max);
        for (; status == BtreeStatus.Found; status = cursor.MoveNext())
            count++;
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.That(status, Is.EqualTo(BtreeStatus.End));
        Assert.That(count, Is.EqualTo(world.Model.Count));
        Assert.That(allocated, Is.Zero);
    }

    private static async Task AssertRangeAsync(ForestCursor cursor, World world, ItemKey start, ItemKey end)
    {
        var expected = world.Model.Where(pair => pair.Key >= start && pair.Key <= end).ToList();
        int index = 0;
        var status = await cursor.SeekAsync(start, end, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None), index++)
        {
            Assert.That(index, Is.LessThan(expected.Count), $"extra {cursor.Key}");
            Assert.That(cursor.Key, Is.EqualTo(expected[index].Key));
            Assert.That(cursor.Value.SequenceEqual(expected[index].Value), Is.True, $"value of {cursor.Key}");
        }

        Assert.That(status, Is.EqualTo(BtreeStatus.End), $"{cursor.Fault}");
        Assert.That(index, Is.EqualTo(expected.Count));
    }

    private sealed class World
    {
        private readonly MemoryBlockDevice _device =
            new("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);

        private ulong _nextBlkno = FormatConstants.FirstMetaBlkno;

        public SortedDictionary<ItemKey, byte[]> Model { get; } = [];

        public ForestRoots Roots { get; private set; } = null!;

        public static async Task<World> CreateAsync(Prng prng, int logs, int itemsPerTree)
        {
            var world = new World();
            var best = new Dictionary<ItemKey, (ulong Seq, bool IsLive, byte[] Value)>();
            var logItems = new List<(ulong Nr, BtreeRoot Root, BlockRef Bloom)>();
            BtreeRoot fsRoot = default;
            for (int tree = 0; tree <= logs; tree++)
            {
                var items = new SortedDictionary<ItemKey, (ulong Seq, byte Flags, byte[] Value)>();
                for (int i = 0; i < itemsPerTree; i++)
                {
                    var key = prng.NextInt32(4) == 0
                        ? Keys.Inode(prng.NextUInt64(3000))
                        : Keys.DataExtent(prng.NextUInt64(3000), prng.NextUInt64(3), 1);
                    bool isDeletion = tree > 0 && prng.NextInt32(3) == 0;
                    var value = isDeletion ? [] : new byte[1 + prng.NextInt32(60)];
                    prng.Fill(value);

                    // Unique seqs: later trees do not always win.
                    ulong seq = ((1 + prng.NextUInt64(1000)) << 8) | (uint)tree;
                    items[key] = (seq, isDeletion ? BtreeItem.FlagDeletion : (byte)0, value);
                }

                var root = await world.LoadTreeAsync(items);
                if (tree == 0)
                    fsRoot = root;
                else
                    logItems.Add(((ulong)tree, root, world.WriteBloom(items.Keys)));
                foreach (var (key, item) in items)
                {
                    if (!best.TryGetValue(key, out var old) || item.Seq > old.Seq)
                        best[key] = (item.Seq, item.Flags == 0, item.Value);
                }
            }

            foreach (var (key, item) in best)
            {
                if (item.IsLive)
                    world.Model[key] = item.Value;
            }

            await world.LoadRootsAsync(fsRoot, logItems);
            return world;
        }

        public BlockCache NewCache() => new(_device, 256, Fsid, MetaBlocks, BtreeShape.Verify);

        private async Task<BtreeRoot> LoadTreeAsync(
            SortedDictionary<ItemKey, (ulong Seq, byte Flags, byte[] Value)> items)
        {
            var loader = new TreeBulkLoader(_device, Fsid, () => _nextBlkno++, maxItemsPerBlock: 40);
            foreach (var (key, item) in items)
                await loader.AddAsync(key, item.Value, item.Seq, item.Flags);
            return await loader.FinishAsync();
        }

        private BlockRef WriteBloom(IEnumerable<ItemKey> keys)
        {
            var block = new byte[FormatConstants.LargeBlockBytes];
            foreach (var key in keys)
            {
                var (first, second, third) = new BloomProbe(Keys.LockStart(key)).Bits;
                foreach (uint bit in new[] { first, second, third })
                    block[40 + (bit / 8)] |= (byte)(1 << (int)(bit % 8));
            }

            ulong blkno = _nextBlkno++;
            ref var header = ref Disk.Ref<BlockHeader>(block.AsSpan());
            header.Magic = (uint)BlockMagic.Bloom;
            header.Fsid = Fsid;
            header.Seq = 1;
            header.Blkno = blkno;
            header.Crc = Crc32C.Compute(block.AsSpan(4));
            var write = _device.WriteAsync(
                (long)blkno * FormatConstants.LargeBlockBytes, block.AsMemory(), CancellationToken.None);
            Invariant.Require(write.IsCompletedSuccessfully);
            return new BlockRef(blkno, 1);
        }

        private async Task LoadRootsAsync(BtreeRoot fsRoot, List<(ulong Nr, BtreeRoot Root, BlockRef Bloom)> logs)
        {
            var loader = new TreeBulkLoader(_device, Fsid, () => _nextBlkno++);
            foreach (var (nr, root, bloom) in logs)
            {
                var item = new LogTrees { Rid = nr, Nr = 1, ItemRoot = root, BloomRef = bloom };
                await loader.AddAsync(Keys.LogTrees(nr, 1), Disk.Bytes(in item).ToArray());
            }

            var logsRoot = await loader.FinishAsync();
            using var cache = NewCache();
            var (roots, error, _) = await ForestRoots.LoadAsync(
                cache, fsRoot, logsRoot, default, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None));
            Roots = roots!;
        }
    }
}
