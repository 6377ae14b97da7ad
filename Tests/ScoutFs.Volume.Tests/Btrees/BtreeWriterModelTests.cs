using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Btrees;

/// <summary>Random changes with commits in between, against a sorted dictionary.</summary>
public sealed class BtreeWriterModelTests
{
    private const ulong Fsid = 4711;
    private const int MetaBlocks = 1 << 16;

    [TestCase(1UL, 896, 12_000)]
    [TestCase(2UL, 0, 60_000)]
    [TestCase(3UL, 200, 40_000)]
    [TestCase(4UL, -1, 40_000)]
    public async Task RandomChanges_WithCommits_AgreeWithDictionaryAndLeakNothing(
        ulong seed, int valueBytes, int operations)
    {
        using var world = new World(seed);
        await world.RunAsync(operations, valueBytes, removeInEight: 2);
        await world.CheckAsync();
        await world.RunAsync(operations, valueBytes, removeInEight: 4);
        await world.CheckAsync();
        await world.RemoveAllAsync();
        await world.CheckAsync();
        Assert.That(world.Root.Height, Is.Zero);
        Assert.That(world.AllocatedBlocks, Is.Zero);
    }

    [Test]
    public async Task Removals_OfATreeOfThreeLevels_ShrinkItToNothing()
    {
        using var world = new World(9);
        await world.InsertAscendingAsync(70_000, 896);
        Assert.That(world.Root.Height, Is.EqualTo(3));
        await world.CheckAsync();
        await world.RemoveAllAsync();
        Assert.That(world.Root.Height, Is.Zero);
        Assert.That(world.AllocatedBlocks, Is.Zero);
    }

    [TestCase(11UL, 896, 30)]
    [TestCase(12UL, 0, 60)]
    [TestCase(13UL, -1, 60)]
    public async Task Batches_MixedWithRemovals_AgreeWithDictionaryAndLeakNothing(
        ulong seed, int valueBytes, int batches)
    {
        using var world = new World(seed);
        for (int i = 0; i < batches; i++)
        {
            await world.RunBatchAsync(2000, valueBytes);
            if (i % 4 == 3)
                await world.RunAsync(500, valueBytes, removeInEight: 8);
        }

        await world.CheckAsync();
        await world.RemoveAllAsync();
        Assert.That(world.AllocatedBlocks, Is.Zero);
    }

    [Test]
    public async Task Batch_OfAscendingItems_FillsLeaves()
    {
        using var world = new World(21);
        for (int i = 0; i < 10; i++)
            await world.InsertRunAsync(first: 1000 * i, count: 1000, valueBytes: 96);
        await world.CheckAsync();

        // A leaf holds 62464 / 152 items; besides 25 leaves there are the root and what ends the batches' runs.
        Assert.That(world.AllocatedBlocks, Is.LessThanOrEqualTo(26));
    }

    [Test]
    public async Task Batch_OfTotals_AddsToWhatIsThereAndKeepsZero()
    {
        using var world = new World(22);
        await world.AddTotalsAsync(count: 5000, total: 7, seq: 3);
        await world.AddTotalsAsync(count: 5000, total: 5, seq: 4);
        Assert.That(await world.FindTotalAsync(4999), Is.EqualTo((12UL, 2UL, 4UL)));
        await world.AddTotalsAsync(count: 5000, total: unchecked((ulong)-12), seq: 5, each: unchecked((ulong)-2));
        Assert.That(await world.FindTotalAsync(0), Is.EqualTo((0UL, 0UL, 5UL)));
    }

    private sealed class World : IDisposable
    {
        private readonly MemoryBlockDevice _device =
            new("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);

        private readonly Prng _prng;
        private readonly BlockCache _cache;
        private readonly BlockWriter _writer;
        private readonly Allocator _allocator = new();
        private readonly BtreeWriter _trees;
        private readonly SortedDictionary<ItemKey, byte[]> _model = [];
        private BtreeRoot _root;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            _cache = new BlockCache(_device, 24, Fsid, MetaBlocks, BtreeShape.Verify);
            _writer = new BlockWriter(_device, 256, Fsid, _prng.Fork("blocks"));
            _trees = new BtreeWriter(_cache, _writer, _allocator);
        }

        public BtreeRoot Root => _root;

        public int AllocatedBlocks => _allocator.Allocated.Count;

        public async Task RunAsync(int operations, int valueBytes, int removeInEight)
        {
            for (int i = 0; i < operations; i++)
            {
                var key = Keys.DataExtent(_prng.NextUInt64(40), _prng.NextUInt64(1000), 1);
                if (_prng.NextInt32(8) < removeInEight)
                    await RemoveAsync(key);
                else
                    await InsertAsync(key, valueBytes < 0 ? _prng.NextInt32(897) : valueBytes);
                if (_writer.RoomBlocks < 64 || _prng.NextInt32(500) == 0)
                    await CommitAsync();
            }

            await CommitAsync();
        }

        public async Task InsertAscendingAsync(int count, int valueBytes)
        {
            for (int i = 0; i < count; i++)
            {
                await InsertAsync(Keys.Inode((ulong)i), valueBytes);
                if (_writer.RoomBlocks < 64)
                    await CommitAsync();
            }

            await CommitAsync();
        }

        // A sorted batch of scattered items and of runs of neighbours, some of them there already.
        public async Task RunBatchAsync(int count, int valueBytes)
        {
            var items = new SortedDictionary<ItemKey, byte[]>();
            while (items.Count < count)
            {
                ulong ino = _prng.NextUInt64(40);
                ulong first = _prng.NextUInt64(100_000);
                int run = _prng.NextInt32(4) == 0 ? 1 + _prng.NextInt32(600) : 1;
                for (int i = 0; i < run; i++)
                {
                    var value = new byte[valueBytes < 0 ? _prng.NextInt32(897) : valueBytes];
                    _prng.Fill(value);
                    items[Keys.DataExtent(ino, first + (ulong)i, 1)] = value;
                }
            }

            await ForceManyAsync(items, 7);
            foreach (var (key, value) in items)
                _model[key] = value;
        }

        public async Task InsertRunAsync(int first, int count, int valueBytes)
        {
            var items = new SortedDictionary<ItemKey, byte[]>();
            for (int i = 0; i < count; i++)
                _model[Keys.Inode((ulong)(first + i))] = items[Keys.Inode((ulong)(first + i))] = new byte[valueBytes];
            await ForceManyAsync(items, 7);
        }

        public async Task AddTotalsAsync(int count, ulong total, ulong seq, ulong each = 1)
        {
            var items = new SortedDictionary<ItemKey, byte[]>();
            for (int i = 0; i < count; i++)
            {
                var value = new XattrTotalItem { Total = total, Count = each };
                items[Keys.XattrTotal(1, (ulong)i, 0)] = Disk.Bytes(in value).ToArray();
            }

            await ForceManyAsync(items, seq);
        }

        public async Task<(ulong Total, ulong Count, ulong Seq)> FindTotalAsync(ulong b)
        {
            var (error, item, _) = await BtreeReader.LookupAsync(
                _cache, _root, Keys.XattrTotal(1, b, 0), CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None));
            var value = Disk.Ref<XattrTotalItem>(item.Value);
            ulong seq = item.Item.Seq;
            item.Dispose();
            return (value.Total, value.Count, seq);
        }

        public async Task RemoveAllAsync()
        {
            var keys = new List<ItemKey>(_model.Keys);
            for (int i = keys.Count - 1; i >= 0; i--)
            {
                int swap = _prng.NextInt32(i + 1);
                (keys[i], keys[swap]) = (keys[swap], keys[i]);
                await RemoveAsync(keys[i]);
                if (_writer.RoomBlocks < 64)
                    await CommitAsync();
            }

            await CommitAsync();
        }

        public async Task CheckAsync()
        {
            using var cursor = new BtreeCursor(_cache);
            cursor.SetRoot(_root);
            var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);
            foreach (var (key, value) in _model)
            {
                Assert.That(status, Is.EqualTo(BtreeStatus.Found), $"{cursor.Fault}");
                Assert.That(cursor.Key, Is.EqualTo(key));
                Assert.That(cursor.Value.SequenceEqual(value), Is.True);
                status = await cursor.MoveNextAsync(CancellationToken.None);
            }

            Assert.That(status, Is.EqualTo(BtreeStatus.End), $"{cursor.Fault}");
            var reachable = new HashSet<ulong>();
            await WalkAsync(_root.Ref, _root.Height - 1, isRightSpine: true, reachable);
            Assert.That(reachable.SetEquals(_allocator.Allocated), Is.True, "every block in use is reachable");
        }

        public void Dispose()
        {
            _trees.Dispose();
            _writer.Dispose();
            _cache.Dispose();
        }

        private async Task InsertAsync(ItemKey key, int valueBytes)
        {
            var value = new byte[valueBytes];
            _prng.Fill(value);
            (var error, _root) = await _trees.ForceAsync(_root, key, 7, 0, value, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{_trees.Fault}");
            _model[key] = value;
        }

        private async Task ForceManyAsync(SortedDictionary<ItemKey, byte[]> items, ulong seq)
        {
            var source = new ListSource([.. items], seq);
            while (!source.IsAtEnd)
            {
                (var error, _root) = await _trees.ForceManyAsync(_root, source, CancellationToken.None);
                Assert.That(error, Is.EqualTo(source.IsAtEnd ? FsError.None : FsError.NoSpace), $"{_trees.Fault}");
                await CommitAsync();
            }
        }

        private async Task RemoveAsync(ItemKey key)
        {
            (var error, _root) = await _trees.RemoveAsync(_root, key, CancellationToken.None);
            Assert.That(error, Is.EqualTo(_model.Remove(key) ? FsError.None : FsError.NotFound), $"{_trees.Fault}");
        }

        private async Task CommitAsync()
        {
            Assert.That(await _writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
            _writer.Forget();
            _allocator.Commit();
        }

        // Every block: shape, exact AVL heights, fill counts, right spine, at least a quarter full or alone.
        private async Task WalkAsync(BlockRef blockRef, int level, bool isRightSpine, HashSet<ulong> reachable)
        {
            if (level < 0)
                return;
            Assert.That(reachable.Add(blockRef.Blkno), Is.True);
            var bytes = new byte[FormatConstants.LargeBlockBytes];
            _ = await _device.ReadAsync(
                (long)(blockRef.Blkno * FormatConstants.LargeBlockBytes), bytes, CancellationToken.None);
            Assert.That(BlockCache.VerifyHeader(bytes, blockRef, BlockMagic.Btree, Fsid).IsFound, Is.False);
            Assert.That(BtreeShape.Verify(bytes), Is.EqualTo(default(Corruption)));
            foreach (var (child, isLast) in CheckBlock(bytes, level, isRightSpine))
                await WalkAsync(child, level - 1, isRightSpine && isLast, reachable);
        }

        private static List<(BlockRef Child, bool IsLast)> CheckBlock(byte[] bytes, int level, bool isRightSpine)
        {
            var block = new BtreeBlock(bytes);
            var children = new List<(BlockRef, bool)>();
            int total = 0;
            int lowestValue = BtreeBlockBuilder.ValueEnd(level);
            for (int offset = block.First(); offset != 0; offset = block.Next(offset))
            {
                ref readonly var item = ref block.Item(offset);
                total += 56 + ((item.ValLen + 7) & ~7);
                lowestValue = item.ValLen > 0 ? Math.Min(lowestValue, item.ValOff) : lowestValue;
                int left = item.Node.Left == 0 ? 0 : block.Item(item.Node.Left + 32).Node.Height;
                int right = item.Node.Right == 0 ? 0 : block.Item(item.Node.Right + 32).Node.Height;
                Assert.That((int)item.Node.Height, Is.EqualTo(1 + Math.Max(left, right)));
                Assert.That(Math.Abs(left - right), Is.LessThanOrEqualTo(1));
                if (level == 0)
                    Assert.That(block.FindInLeaf(item.Key), Is.EqualTo(offset));
                else
                    children.Add((Disk.Ref<BlockRef>(block.Value(item)), block.Next(offset) == 0));
            }

            Assert.That((int)block.Header.TotalItemBytes, Is.EqualTo(total));
            Assert.That(48 + (56 * block.NrItems) + block.Header.MidFreeLen, Is.LessThanOrEqualTo(lowestValue));
            if (isRightSpine && level > 0)
                Assert.That(block.Item(block.Last()).Key, Is.EqualTo(ItemKey.Max));
            return children;
        }
    }

    private sealed class ListSource : IItemSource
    {
        private readonly KeyValuePair<ItemKey, byte[]>[] _items;
        private readonly ulong _seq;
        private int _next;

        public ListSource(KeyValuePair<ItemKey, byte[]>[] items, ulong seq)
        {
            _items = items;
            _seq = seq;
        }

        public bool IsAtEnd => _next == _items.Length;

        public bool TryPeek(out SourceItem item)
        {
            item = default;
            if (IsAtEnd)
                return false;
            item = new SourceItem(_items[_next].Key, _seq, 0, _items[_next].Value);
            return true;
        }

        public void Advance() => _next++;
    }

    private sealed class Allocator : IBlockAllocator
    {
        private readonly Stack<ulong> _free = [];
        private readonly List<ulong> _freed = [];
        private ulong _next = FormatConstants.FirstMetaBlkno;

        public HashSet<ulong> Allocated { get; } = [];

        public int AvailableBlocks => int.MaxValue;

        public int FreeRoomBlocks => int.MaxValue;

        public ulong Allocate()
        {
            ulong blkno = _free.Count > 0 ? _free.Pop() : _next++;
            Assert.That(Allocated.Add(blkno), Is.True);
            return blkno;
        }

        public void Free(ulong blkno)
        {
            Assert.That(Allocated.Remove(blkno), Is.True, "freed twice or never allocated");
            _freed.Add(blkno);
        }

        public void Commit()
        {
            foreach (ulong blkno in _freed)
                _free.Push(blkno);
            _freed.Clear();
        }
    }
}
