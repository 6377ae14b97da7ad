using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Btrees;

/// <summary>Cursor and lookups against a sorted list, over trees of one to five levels.</summary>
public sealed class BtreeCursorModelTests
{
    private const ulong Fsid = 0x1122334455667788;
    private const int MetaBlocks = 4096;

    [TestCase(0, int.MaxValue)]
    [TestCase(1, int.MaxValue)]
    [TestCase(500, int.MaxValue)]
    [TestCase(5000, int.MaxValue)]
    [TestCase(400, 5)]
    [TestCase(300, 2)]
    public async Task Cursor_RandomTree_AgreesWithSortedList(int count, int maxItemsPerBlock)
    {
        var prng = new Prng(42);
        var model = MakeItems(prng, count);
        var device = new MemoryBlockDevice("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);
        var root = await LoadAsync(device, model, maxItemsPerBlock);
        using var cache = new BlockCache(device, 16, Fsid, MetaBlocks, BtreeShape.Verify);
        using var cursor = new BtreeCursor(cache, readAheadBlocks: 4);
        cursor.SetRoot(root);

        int index = 0;
        var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None), index++)
        {
            Assert.That(cursor.Key, Is.EqualTo(model[index].Key));
            Assert.That(cursor.Value.SequenceEqual(model[index].Value), Is.True);
        }

        Assert.That(status, Is.EqualTo(BtreeStatus.End));
        Assert.That(index, Is.EqualTo(count));
        for (int probe = 0; probe < 300; probe++)
        {
            var key = RandomKey(prng);
            if (count > 0 && probe % 2 == 0)
                key = model[prng.NextInt32(count)].Key;
            int expected = model.FindIndex(item => item.Key >= key);
            var found = await cursor.SeekAsync(key, CancellationToken.None);
            Assert.That(found, Is.EqualTo(expected < 0 ? BtreeStatus.End : BtreeStatus.Found));
            if (expected >= 0)
                Assert.That(cursor.Key, Is.EqualTo(model[expected].Key));
            var (error, item, _) = await BtreeReader.LookupAsync(cache, root, key, CancellationToken.None);
            bool isThere = expected >= 0 && model[expected].Key == key;
            Assert.That(error, Is.EqualTo(isThere ? FsError.None : FsError.NotFound));
            if (isThere)
                Assert.That(item.Value.SequenceEqual(model[expected].Value), Is.True);
            item.Dispose();
        }

        cursor.Release();
        Assert.That(cache.LeasesOut, Is.Zero);
    }

    [Test]
    public async Task TryLookup_CachedBlocks_AllocatesNothing()
    {
        var model = MakeItems(new Prng(7), 3000);
        var device = new MemoryBlockDevice("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);
        var root = await LoadAsync(device, model, int.MaxValue);
        using var cache = new BlockCache(device, 64, Fsid, MetaBlocks, BtreeShape.Verify);
        foreach (var item in model)
            await LookupAsync(cache, root, item.Key);

        long before = GC.GetAllocatedBytesForCurrentThread();
        int found = 0;
        foreach (var item in model)
        {
            if (BtreeReader.TryLookup(cache, root, item.Key, out var lease, out _, out _) == BtreeStatus.Found)
                found++;
            lease.Dispose();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(found, Is.EqualTo(model.Count));
        Assert.That(allocated, Is.Zero);
    }

    [Test]
    public async Task Seek_ChildPointsAtAncestor_IsCorruptNotEndless()
    {
        var model = MakeItems(new Prng(9), 200);
        var device = new MemoryBlockDevice("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);
        var root = await LoadAsync(device, model, 4);
        var block = new byte[FormatConstants.LargeBlockBytes];
        long offset = (long)(root.Ref.Blkno * FormatConstants.LargeBlockBytes);
        _ = await device.ReadAsync(offset, block, CancellationToken.None);
        PointFirstChildAt(block, root.Ref);
        _ = await device.WriteAsync(offset, block, CancellationToken.None);
        using var cache = new BlockCache(device, 16, Fsid, MetaBlocks, BtreeShape.Verify);
        using var cursor = new BtreeCursor(cache);
        cursor.SetRoot(root);

        var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);

        Assert.That(status, Is.EqualTo(BtreeStatus.Corrupt));
        Assert.That(cursor.Fault.Site, Is.EqualTo(CorruptionSite.BtreeLevel));
    }

    private static async Task LookupAsync(BlockCache cache, BtreeRoot root, ItemKey key)
    {
        var (error, item, _) = await BtreeReader.LookupAsync(cache, root, key, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
        item.Dispose();
    }

    private static void PointFirstChildAt(byte[] bytes, BlockRef target)
    {
        var block = new BtreeBlock(bytes);
        int valueOffset = block.Item(block.First()).ValOff;
        Disk.Ref<BlockRef>(bytes.AsSpan(), valueOffset) = target;
        Disk.Ref<BlockHeader>(bytes.AsSpan()).Crc = Crc32C.Compute(bytes.AsSpan(4));
    }

    private static async Task<BtreeRoot> LoadAsync(IBlockDevice device, List<Entry> model, int maxItemsPerBlock)
    {
        ulong next = FormatConstants.FirstMetaBlkno;
        var loader = new TreeBulkLoader(device, Fsid, () => next++, maxItemsPerBlock);
        foreach (var item in model)
            await loader.AddAsync(item.Key, item.Value, item.Seq);
        return await loader.FinishAsync();
    }

    private static List<Entry> MakeItems(Prng prng, int count)
    {
        var byKey = new SortedDictionary<ItemKey, Entry>();
        while (byKey.Count < count)
        {
            var key = RandomKey(prng);
            var value = new byte[prng.NextInt32(prng.NextInt32(10) == 0 ? 897 : 200)];
            prng.Fill(value);
            byKey[key] = new Entry(key, value, prng.NextUInt64());
        }

        return [.. byKey.Values];
    }

    private static ItemKey RandomKey(Prng prng) => new(
        (byte)prng.NextInt32(8),
        prng.NextUInt64(6),
        (byte)prng.NextInt32(4),
        prng.NextUInt64(5),
        prng.NextUInt64(1000),
        (byte)prng.NextInt32(256));

    private sealed record Entry(ItemKey Key, byte[] Value, ulong Seq);
}
