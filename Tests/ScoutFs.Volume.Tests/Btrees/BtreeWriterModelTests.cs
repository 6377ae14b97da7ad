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
