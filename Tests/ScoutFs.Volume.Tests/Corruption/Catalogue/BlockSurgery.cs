using System;
using System.Collections.Generic;
using ScoutFs.Testing;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Planting;

/// <summary>
/// Changes inside btree blocks that no tree of ours would ever make. Blocks have been packed by the builder: items lie
/// in key order, values from the end downwards in the same order.
/// </summary>
internal static class BlockSurgery
{
    /// <summary>A struct in a block or a value, to be written.</summary>
    public static ref T Of<T>(byte[] bytes, int offset = 0)
        where T : unmanaged
        => ref Disk.Ref<T>(bytes.AsSpan(), offset);

    /// <summary>The fixed part.</summary>
    public static ref BtreeBlockHeader Header(byte[] block) => ref Disk.Ref<BtreeBlockHeader>(block.AsSpan());

    /// <summary>The i-th item of the array.</summary>
    public static ref BtreeItem Item(byte[] block, int index) =>
        ref Disk.Ref<BtreeItem>(block.AsSpan(), BtreeBlock.OffsetOf(index));

    /// <summary>Node offset of the i-th item.</summary>
    public static ushort Node(int index) => (ushort)(16 + (56 * index));

    /// <summary>The buckets of a leaf's hash.</summary>
    public static Span<Le16> Buckets(byte[] block) => Disk.Slice<Le16>(
        block.AsSpan(), BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);

    /// <summary>Bucket that holds the i-th item.</summary>
    public static int BucketOf(byte[] block, int index)
    {
        var buckets = Buckets(block);
        for (int i = 0; i < buckets.Length; i++)
        {
            if (buckets[i] == BtreeBlock.OffsetOf(index))
                return i;
        }

        throw new InvalidOperationException("The item is not in the hash.");
    }

    /// <summary>Fills a leaf's hash anew, from the items' key bytes, padding included.</summary>
    public static void FillHash(byte[] block)
    {
        var buckets = Buckets(block);
        buckets.Clear();
        for (int i = 0; i < Header(block).NrItems; i++)
        {
            int bucket = BtreeBlock.LeafBucket(Item(block, i).Key);
            while (buckets[bucket] != 0)
                bucket = (bucket + 1) % buckets.Length;
            buckets[bucket] = (ushort)BtreeBlock.OffsetOf(i);
        }
    }

    /// <summary>Index of the first item that fits.</summary>
    public static int Find(byte[] block, Predicate<BtreeItem> wanted)
    {
        for (int i = 0; i < Header(block).NrItems; i++)
        {
            if (wanted(Item(block, i)))
                return i;
        }

        throw new InvalidOperationException("The block has no such item.");
    }

    /// <summary>Links all items as one chain to the left: in order, heights right, as unbalanced as can be.</summary>
    public static void Chain(byte[] block)
    {
        int count = Header(block).NrItems;
        for (int i = 0; i < count; i++)
        {
            ref var node = ref Item(block, i).Node;
            node.Parent = i + 1 < count ? Node(i + 1) : (ushort)0;
            node.Left = i > 0 ? Node(i - 1) : (ushort)0;
            node.Right = 0;
            node.Height = (byte)(i + 1);
        }

        Header(block).ItemRoot = Node(count - 1);
    }

    /// <summary>Writes a leaf anew with its items in the order given, which becomes the tree's.</summary>
    public static void WriteInOrder(byte[] block, IEnumerable<VolumeEditorItem> items)
    {
        var header = Header(block).Header;
        var builder = new BtreeBlockBuilder(block.AsSpan(), 0);
        foreach (var item in items)
            Invariant.Require(builder.TryAdd(item.Key, item.Seq, item.Flags, item.Value));
        builder.Finish(header.Fsid, header.Blkno, header.Seq);
    }

    /// <summary>Moves an item's value, with the bytes, to another place of the block.</summary>
    public static void MoveValue(byte[] block, int index, int offset)
    {
        ref var item = ref Item(block, index);
        byte[] value = block.AsSpan(item.ValOff, item.ValLen).ToArray();
        item.ValOff = (ushort)offset;
        value.CopyTo(block, offset);
    }
}
