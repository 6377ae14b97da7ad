using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>The hash table at the end of a leaf: linear probing, no tombstones (format §7.4).</summary>
internal static class BtreeLeafHash
{
    /// <summary>Adds an item by its byte offset.</summary>
    public static void Insert(Span<byte> block, int offset)
    {
        var buckets = Buckets(block);
        int bucket = BtreeBlock.LeafBucket(Disk.Ref<BtreeItem>(block, offset).Key);
        while (buckets[bucket] != 0)
            bucket = Next(bucket);
        buckets[bucket] = (ushort)offset;
    }

    /// <summary>Removes an item and closes the gap, so that no later entry becomes unreachable.</summary>
    public static void Remove(Span<byte> block, int offset)
    {
        var buckets = Buckets(block);
        int bucket = Find(block, offset);
        buckets[bucket] = 0;
        for (bucket = Next(bucket); buckets[bucket] != 0; bucket = Next(bucket))
        {
            int moved = buckets[bucket];
            buckets[bucket] = 0;
            Insert(block, moved);
        }
    }

    /// <summary>Replaces an item's offset after it was moved in the array; its key is read at the new place.</summary>
    public static void Relocate(Span<byte> block, int from, int to)
    {
        var buckets = Buckets(block);
        int bucket = BtreeBlock.LeafBucket(Disk.Ref<BtreeItem>(block, to).Key);
        while (buckets[bucket] != from)
            bucket = Next(bucket);
        buckets[bucket] = (ushort)to;
    }

    /// <summary>Fills the table from the item array.</summary>
    public static void Rebuild(Span<byte> block)
    {
        Buckets(block).Clear();
        int nrItems = Disk.Ref<BtreeBlockHeader>(block).NrItems;
        for (int i = 0; i < nrItems; i++)
            Insert(block, BtreeBlock.OffsetOf(i));
    }

    private static int Find(Span<byte> block, int offset)
    {
        var buckets = Buckets(block);
        int bucket = BtreeBlock.LeafBucket(Disk.Ref<BtreeItem>(block, offset).Key);
        for (int probe = 0; probe < buckets.Length; probe++, bucket = Next(bucket))
        {
            if (buckets[bucket] == offset)
                return bucket;
        }

        throw new InvariantException("Invariant broken: a leaf's item is not in its hash table");
    }

    private static int Next(int bucket) => bucket + 1 == BtreeBlockHeader.LeafHashBuckets ? 0 : bucket + 1;

    private static Span<Le16> Buckets(Span<byte> block) =>
        Disk.Slice<Le16>(block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
}
