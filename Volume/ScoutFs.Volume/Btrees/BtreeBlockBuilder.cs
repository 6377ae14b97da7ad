using System;
using System.Numerics;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>Fills one btree block from items given in ascending key order: bulk loading (format §17.3).</summary>
/// <remarks>
/// The result has the items in array order, exact AVL heights (a balanced tree whose root is the middle item), values
/// packed from the end in item order and a complete leaf hash. Not thread safe; reused block after block.
/// </remarks>
public ref struct BtreeBlockBuilder
{
    private readonly Span<byte> _block;
    private readonly int _level;
    private int _nrItems;
    private int _valueStart;
    private int _totalItemBytes;

    /// <summary>Starts a block: zeroes it, remembers its level.</summary>
    /// <param name="block">65536 bytes.</param>
    /// <param name="level">0 for a leaf.</param>
    public BtreeBlockBuilder(Span<byte> block, int level)
    {
        Invariant.Require(block.Length == FormatConstants.LargeBlockBytes);
        block.Clear();
        _block = block;
        _level = level;
        _nrItems = 0;
        _totalItemBytes = 0;
        _valueStart = ValueEnd(level);
    }

    /// <summary>Items added so far.</summary>
    public readonly int NrItems => _nrItems;

    /// <summary>Bytes of items and values added so far (total_item_bytes).</summary>
    public readonly int TotalItemBytes => _totalItemBytes;

    /// <summary>End of the value area of a block of a level.</summary>
    public static int ValueEnd(int level) =>
        level == 0 ? BtreeBlockHeader.LeafHashOffset : FormatConstants.LargeBlockBytes;

    /// <summary>Adds an item whose key is greater than all before.</summary>
    /// <returns>False when the block has no room; it is unchanged then.</returns>
    public bool TryAdd(in ItemKey key, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        Invariant.Require(value.Length <= FormatConstants.MaxValueBytes);
        int valueBytes = (value.Length + 7) & ~7;
        int itemOffset = BtreeBlock.OffsetOf(_nrItems);
        if (itemOffset + 56 + valueBytes > _valueStart)
            return false;
        ref var item = ref Disk.Ref<BtreeItem>(_block, itemOffset);
        item.Key = key;
        item.Seq = seq;
        item.Flags = flags;
        item.ValLen = (ushort)value.Length;
        if (value.Length > 0)
        {
            _valueStart -= valueBytes;
            item.ValOff = (ushort)_valueStart;
            value.CopyTo(_block[_valueStart..]);
        }

        _nrItems++;
        _totalItemBytes += 56 + valueBytes;
        return true;
    }

    /// <summary>Links the items, fills the leaf hash, stamps header and checksum.</summary>
    public readonly void Finish(ulong fsid, ulong blkno, ulong seq)
    {
        ref var header = ref Disk.Ref<BtreeBlockHeader>(_block);
        header.NrItems = (ushort)_nrItems;
        header.TotalItemBytes = (ushort)_totalItemBytes;
        header.MidFreeLen = (ushort)(_valueStart - BtreeBlock.OffsetOf(_nrItems));
        header.Level = (byte)_level;
        header.ItemRoot = (ushort)BtreeBlock.ToNode(Link(0, _nrItems, 0));
        if (_level == 0)
            FillHash();
        header.Header.Magic = (uint)BlockMagic.Btree;
        header.Header.Fsid = fsid;
        header.Header.Seq = seq;
        header.Header.Blkno = blkno;
        header.Header.Crc = Crc32C.Compute(_block[4..]);
    }

    // Links the items first..first+count-1 below a parent and returns the byte offset of their root, 0 for none.
    private readonly int Link(int first, int count, int parentOffset)
    {
        if (count == 0)
            return 0;
        int middle = first + (count / 2);
        int offset = BtreeBlock.OffsetOf(middle);
        ref var node = ref Disk.Ref<AvlNode>(_block, offset);
        node.Parent = (ushort)BtreeBlock.ToNode(parentOffset);
        node.Left = (ushort)BtreeBlock.ToNode(Link(first, middle - first, offset));
        node.Right = (ushort)BtreeBlock.ToNode(Link(middle + 1, first + count - middle - 1, offset));

        // Splitting at count / 2 leaves the greater half on the left, so the height is that of a complete tree.
        node.Height = (byte)(BitOperations.Log2((uint)count) + 1);
        return offset;
    }

    private readonly void FillHash()
    {
        var buckets = Disk.Slice<Le16>(
            _block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        for (int i = 0; i < _nrItems; i++)
        {
            int offset = BtreeBlock.OffsetOf(i);
            int bucket = BtreeBlock.LeafBucket(Disk.Ref<BtreeItem>(_block, offset).Key);
            while (buckets[bucket] != 0)
                bucket = (bucket + 1) % buckets.Length;
            buckets[bucket] = (ushort)offset;
        }
    }
}
