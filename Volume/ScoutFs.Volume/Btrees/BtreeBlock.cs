using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>Read-only view of one btree block whose shape has been verified (<see cref="BtreeShape"/>).</summary>
/// <remarks>
/// Items are named by their byte offset in the block, 0 meaning none. Without a verified shape offsets may lead
/// anywhere (then the bounds checks of spans throw), so views are made of leased blocks only.
/// </remarks>
public readonly ref struct BtreeBlock
{
    private const int ItemBytes = 56;
    private const int FirstItem = 48;

    private readonly ReadOnlySpan<byte> _bytes;

    /// <summary>Creates a view of a verified block of 65536 bytes.</summary>
    public BtreeBlock(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The fixed part.</summary>
    public ref readonly BtreeBlockHeader Header => ref Disk.Ref<BtreeBlockHeader>(_bytes);

    /// <summary>0: leaf.</summary>
    public int Level => Header.Level;

    /// <summary>Number of items.</summary>
    public int NrItems => Header.NrItems;

    /// <summary>The item at a byte offset.</summary>
    public ref readonly BtreeItem Item(int offset) => ref Disk.Ref<BtreeItem>(_bytes, offset);

    /// <summary>The item's value.</summary>
    public ReadOnlySpan<byte> Value(in BtreeItem item) =>
        item.ValLen == 0 ? default : _bytes.Slice(item.ValOff, item.ValLen);

    /// <summary>Offset of the item with the least key, or 0.</summary>
    public int First()
    {
        int offset = FromNode(Header.ItemRoot);
        if (offset == 0)
            return 0;
        for (int left = FromNode(Item(offset).Node.Left); left != 0; left = FromNode(Item(offset).Node.Left))
            offset = left;
        return offset;
    }

    /// <summary>Offset of the item with the greatest key, or 0.</summary>
    public int Last()
    {
        int offset = FromNode(Header.ItemRoot);
        if (offset == 0)
            return 0;
        for (int right = FromNode(Item(offset).Node.Right); right != 0; right = FromNode(Item(offset).Node.Right))
            offset = right;
        return offset;
    }

    /// <summary>Offset of the item with the next greater key, or 0.</summary>
    public int Next(int offset)
    {
        int right = FromNode(Item(offset).Node.Right);
        if (right != 0)
        {
            for (int left = FromNode(Item(right).Node.Left); left != 0; left = FromNode(Item(right).Node.Left))
                right = left;
            return right;
        }

        int parent = FromNode(Item(offset).Node.Parent);
        while (parent != 0 && FromNode(Item(parent).Node.Right) == offset)
        {
            offset = parent;
            parent = FromNode(Item(offset).Node.Parent);
        }

        return parent;
    }

    /// <summary>Offset of the item with the next smaller key, or 0.</summary>
    public int Previous(int offset)
    {
        int left = FromNode(Item(offset).Node.Left);
        if (left != 0)
        {
            for (int right = FromNode(Item(left).Node.Right); right != 0; right = FromNode(Item(left).Node.Right))
                left = right;
            return left;
        }

        int parent = FromNode(Item(offset).Node.Parent);
        while (parent != 0 && FromNode(Item(parent).Node.Left) == offset)
        {
            offset = parent;
            parent = FromNode(Item(offset).Node.Parent);
        }

        return parent;
    }

    /// <summary>Offset of the item with the least key that is not less than <paramref name="key"/>, or 0.</summary>
    public int LowerBound(in ItemKey key)
    {
        int best = 0;
        int offset = FromNode(Header.ItemRoot);
        while (offset != 0)
        {
            ref readonly var item = ref Item(offset);
            int order = ItemKey.Compare(key, item.Key);
            if (order == 0)
                return offset;
            if (order < 0)
            {
                best = offset;
                offset = FromNode(item.Node.Left);
            }
            else
            {
                offset = FromNode(item.Node.Right);
            }
        }

        return best;
    }

    /// <summary>Offset of the leaf's item with exactly this key, by the leaf hash, or 0 (format §7.4).</summary>
    public int FindInLeaf(in ItemKey key)
    {
        var buckets = Disk.Slice<Le16>(
            _bytes, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        int bucket = LeafBucket(key);
        for (int probe = 0; probe < buckets.Length; probe++)
        {
            int offset = buckets[bucket];
            if (offset == 0)
                return 0;
            if (Item(offset).Key == key)
                return offset;
            if (++bucket == buckets.Length)
                bucket = 0;
        }

        return 0;
    }

    /// <summary>First bucket of a key in the leaf hash.</summary>
    public static int LeafBucket(in ItemKey key) =>
        (int)(Fnv1a.Hash32(Disk.Bytes(in key)) % BtreeBlockHeader.LeafHashBuckets);

    /// <summary>Byte offset of the i-th item of the array.</summary>
    public static int OffsetOf(int index) => FirstItem + (index * ItemBytes);

    /// <summary>Byte offset of the item of an AVL node offset; 0 stays 0.</summary>
    internal static int FromNode(int node) => node == 0 ? 0 : node + BtreeBlockHeader.NodeBase;

    /// <summary>AVL node offset of the item at a byte offset; 0 stays 0.</summary>
    internal static int ToNode(int offset) => offset == 0 ? 0 : offset - BtreeBlockHeader.NodeBase;
}
