using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>
/// Changes one dirty btree block in place: items, values, AVL tree and leaf hash together (format §7.2).
/// </summary>
/// <remarks>
/// Offsets of items change when an item is removed (the last item of the array takes its place) and values move when
/// the block is compacted; callers keep keys, not offsets, across changes. Nothing here can fail: room is checked
/// first with
/// <see cref="HasRoom"/>. Parents and leaves work alike but for the hash.
/// </remarks>
internal readonly ref struct BtreeBlockEditor
{
    /// <summary>Bytes of items and values a block can hold, for the fill thresholds (format §7.6).</summary>
    public const int FillBytes = 65488;

    /// <summary>A block below this many bytes of items wants to be joined (format §7.6).</summary>
    public const int JoinBytes = 16372;

    private const int ItemBytes = 56;

    private readonly Span<byte> _block;

    /// <summary>Creates an editor of a dirty block of 65536 bytes with a proven shape.</summary>
    public BtreeBlockEditor(Span<byte> block) => _block = block;

    /// <summary>The block for reading.</summary>
    public BtreeBlock View => new(_block);

    /// <summary>Bytes of items and values.</summary>
    public int TotalItemBytes => Header.TotalItemBytes;

    /// <summary>Number of items.</summary>
    public int NrItems => Header.NrItems;

    private ref BtreeBlockHeader Header => ref Disk.Ref<BtreeBlockHeader>(_block);

    private bool IsLeaf => Header.Level == 0;

    /// <summary><see cref="IsWorthCompacting"/> of a block with so many bytes of items and values.</summary>
    public static bool IsWorthCompactingAt(int totalItemBytes) => totalItemBytes * 100 / FillBytes < 80;

    /// <summary>Makes an empty block of a level; the header is stamped elsewhere.</summary>
    public static void Initialise(Span<byte> block, int level)
    {
        var header = Disk.Ref<BlockHeader>(block);
        block.Clear();
        Disk.Ref<BlockHeader>(block) = header;
        ref var btree = ref Disk.Ref<BtreeBlockHeader>(block);
        btree.Level = (byte)level;
        btree.MidFreeLen = (ushort)(BtreeBlockBuilder.ValueEnd(level) - BtreeBlock.OffsetOf(0));
    }

    /// <summary>Room for one more item with a value of this length, without compaction.</summary>
    public bool HasRoom(int valueBytes) => Header.MidFreeLen >= ItemBytes + Round8(valueBytes);

    /// <summary>A compaction would give enough room, and not so little that it is soon needed again.</summary>
    public bool IsWorthCompacting => IsWorthCompactingAt(TotalItemBytes);

    /// <summary>Bytes an item counts in <see cref="TotalItemBytes"/>.</summary>
    public static int ItemBytesOf(in BtreeItem item) => ItemBytes + Round8(item.ValLen);

    /// <summary>The leaf has the key with a value of this length, which can be replaced in place.</summary>
    public bool HasValueOfLength(in ItemKey key, int valueBytes)
    {
        int offset = View.FindInLeaf(key);
        return offset != 0 && Item(offset).ValLen == valueBytes;
    }

    /// <summary>Adds an item; the key must be new and there must be room.</summary>
    public void Insert(in ItemKey key, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        int offset = Append(key, seq, flags, value);
        BtreeAvl.Insert(_block, offset);
        if (IsLeaf)
            BtreeLeafHash.Insert(_block, offset);
    }

    /// <summary>Adds an item between two neighbours in key order, 0: none; there must be room.</summary>
    /// <returns>Byte offset of the new item; those of others do not change.</returns>
    public int InsertBetween(
        int previous, int next, in ItemKey key, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        int offset = Append(key, seq, flags, value);
        BtreeAvl.InsertBetween(_block, offset, previous, next);
        if (IsLeaf)
            BtreeLeafHash.Insert(_block, offset);
        return offset;
    }

    /// <summary>Removes the item at a byte offset; the last item of the array moves there.</summary>
    public void Remove(int offset)
    {
        ref var header = ref Header;
        BtreeAvl.Remove(_block, offset);
        if (IsLeaf)
            BtreeLeafHash.Remove(_block, offset);
        header.TotalItemBytes = (ushort)(header.TotalItemBytes - ItemBytes - Round8(Item(offset).ValLen));
        header.NrItems = (ushort)(header.NrItems - 1);
        header.MidFreeLen = (ushort)(header.MidFreeLen + ItemBytes);
        int last = BtreeBlock.OffsetOf(header.NrItems);
        if (last == offset)
            return;
        Item(offset) = Item(last);
        BtreeAvl.Relocate(_block, last, offset);
        if (IsLeaf)
            BtreeLeafHash.Relocate(_block, last, offset);
    }

    /// <summary>Replaces value, seq and flags of the item at a byte offset; there must be room for the value.</summary>
    public void Update(int offset, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        ref var item = ref Item(offset);
        ref var header = ref Header;
        item.Seq = seq;
        item.Flags = flags;
        if (item.ValLen == value.Length)
        {
            if (value.Length > 0)
                value.CopyTo(_block[item.ValOff.Value..]);
            return;
        }

        header.TotalItemBytes =
            (ushort)(header.TotalItemBytes - Round8(item.ValLen) + Round8(value.Length));
        StoreValue(ref item, value);
    }

    /// <summary>Changes a parent item's key to one that keeps its place in the order.</summary>
    public void SetParentKey(int offset, in ItemKey key)
    {
        Invariant.Require(!IsLeaf);
        Item(offset).Key = key;
    }

    /// <summary>Changes the reference of a parent item.</summary>
    public void SetChild(int offset, in BlockRef child) =>
        Disk.Ref<BlockRef>(_block, Item(offset).ValOff) = child;

    /// <summary>Moves all values to the end of the block, so that the free space is contiguous.</summary>
    public void Compact(Span<byte> scratch)
    {
        ref var header = ref Header;
        int end = BtreeBlockBuilder.ValueEnd(header.Level);
        int start = end;
        _block.CopyTo(scratch);
        for (int i = 0; i < header.NrItems; i++)
        {
            ref var item = ref Item(BtreeBlock.OffsetOf(i));
            if (item.ValLen == 0)
                continue;
            int from = item.ValOff;
            start -= Round8(item.ValLen);
            scratch.Slice(from, item.ValLen).CopyTo(_block[start..]);
            item.ValOff = (ushort)start;
        }

        header.MidFreeLen = (ushort)(start - BtreeBlock.OffsetOf(header.NrItems));
    }

    /// <summary>
    /// Moves items with the least keys to the end of a left neighbour, until enough bytes have moved.
    /// </summary>
    /// <param name="left">Its keys are all smaller; it must have room.</param>
    /// <param name="bytes">Bytes of items to move at least, or all items.</param>
    public void MoveLowestTo(BtreeBlockEditor left, int bytes)
    {
        while (bytes > 0 && NrItems > 0)
            bytes -= MoveTo(left, View.First());
    }

    /// <summary>
    /// Moves items with the greatest keys to the front of a right neighbour, until enough bytes moved.
    /// </summary>
    /// <param name="right">Its keys are all greater; it must have room.</param>
    /// <param name="bytes">Bytes of items to move at least, or all items.</param>
    public void MoveHighestTo(BtreeBlockEditor right, int bytes)
    {
        while (bytes > 0 && NrItems > 0)
            bytes -= MoveTo(right, View.Last());
    }

    private static int Round8(int bytes) => (bytes + 7) & ~7;

    private int MoveTo(BtreeBlockEditor other, int offset)
    {
        ref readonly var item = ref Item(offset);
        int bytes = ItemBytes + Round8(item.ValLen);
        other.Insert(item.Key, item.Seq, item.Flags, View.Value(item));
        Remove(offset);
        return bytes;
    }

    private int Append(in ItemKey key, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        Invariant.Require(HasRoom(value.Length));
        ref var header = ref Header;
        int offset = BtreeBlock.OffsetOf(header.NrItems);
        header.NrItems = (ushort)(header.NrItems + 1);
        header.MidFreeLen = (ushort)(header.MidFreeLen - ItemBytes);
        ref var item = ref Item(offset);
        item = default;
        item.Key = key;
        item.Seq = seq;
        item.Flags = flags;
        StoreValue(ref item, value);
        header.TotalItemBytes = (ushort)(header.TotalItemBytes + ItemBytes + Round8(value.Length));
        return offset;
    }

    private void StoreValue(ref BtreeItem item, ReadOnlySpan<byte> value)
    {
        ref var header = ref Header;
        item.ValLen = (ushort)value.Length;
        if (value.Length == 0)
        {
            item.ValOff = 0;
            return;
        }

        int room = Round8(value.Length);
        Invariant.Require(header.MidFreeLen >= room);
        header.MidFreeLen = (ushort)(header.MidFreeLen - room);
        int offset = BtreeBlock.OffsetOf(header.NrItems) + header.MidFreeLen;
        item.ValOff = (ushort)offset;
        value.CopyTo(_block[offset..]);
    }

    private ref BtreeItem Item(int offset) => ref Disk.Ref<BtreeItem>(_block, offset);
}
