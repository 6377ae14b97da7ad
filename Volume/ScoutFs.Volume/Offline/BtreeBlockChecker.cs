using System;
using System.Globalization;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Checks everything that can be said about one btree block (format §7, I20 to I35).</summary>
/// <remarks>
/// <para>Unlike <see cref="BtreeShape"/> it goes on as long as items can be told: a block whose links are broken still
/// has its items in the array, and one whose item count is wrong still has links that count them. The leaf hash is the
/// witness for keys: where keys are out of order or range, an item that is not found through it is the wrong one and is
/// left out; when all are found, something else is wrong and all items are used.</para>
/// <para>One cause is reported once. What follows from broken links, from keys out of order or range, or from misplaced
/// values is not reported again. Reused block after block, not thread safe, allocates for findings only.</para>
/// </remarks>
internal sealed class BtreeBlockChecker
{
    private readonly IFindingSink _findings;
    private readonly ushort[] _stack = new ushort[BtreeShape.MaxParentItems];
    private readonly byte[] _heights = new byte[BtreeShape.MaxParentItems];
    private readonly bool[] _isUnusable = new bool[BtreeShape.MaxParentItems];
    private readonly ulong[] _valueUnits = new ulong[FormatConstants.LargeBlockBytes / 8 / 64];
    private string _structure = string.Empty;
    private ulong _blkno;

    /// <summary>Creates a checker.</summary>
    /// <param name="findings">Where findings go.</param>
    public BtreeBlockChecker(IFindingSink findings) => _findings = findings;

    /// <summary>Where a block stands in its tree.</summary>
    /// <param name="Structure">Name of the tree.</param>
    /// <param name="Level">Level it must have.</param>
    /// <param name="Start">Least key it may hold.</param>
    /// <param name="End">Greatest key it may hold.</param>
    /// <param name="IsRightSpine">Its last item, in a parent, must be all ones.</param>
    /// <param name="IsRoot">It is the tree's root.</param>
    public readonly record struct Place(
        string Structure, int Level, ItemKey Start, ItemKey End, bool IsRightSpine, bool IsRoot);

    /// <summary>What a block is good for.</summary>
    /// <param name="CountItems">Usable items.</param>
    /// <param name="IsComplete">No item of the block had to be left out.</param>
    /// <param name="HasGoodOrder">Keys ascend: in a parent they tell the children's ranges.</param>
    /// <param name="HasGoodRange">Keys lie inside the range that the place gives.</param>
    public readonly record struct Verdict(int CountItems, bool IsComplete, bool HasGoodOrder, bool HasGoodRange);

    /// <summary>Checks a block with a good header.</summary>
    /// <param name="block">65536 bytes.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="order">Receives the byte offsets of the usable items: in a leaf, and in a parent with
    /// <see cref="Verdict.HasGoodOrder"/>, in ascending key order. Room for <see cref="BtreeShape.MaxParentItems"/>.
    /// </param>
    public Verdict Check(ReadOnlySpan<byte> block, in Place place, Span<ushort> order)
    {
        ref readonly var header = ref Disk.Ref<BtreeBlockHeader>(block);
        _structure = place.Structure;
        _blkno = header.Header.Blkno;
        if (header.Level != place.Level)
        {
            Report("I20", $"The block has level {header.Level}, its place in the tree asks for {place.Level}.");
            return default;
        }

        bool isLeaf = place.Level == 0;
        int nrItems = CheckLinks(block, header, order, out bool hasGoodLinks);
        if (nrItems < 0)
            return default;
        if (nrItems == 0 && hasGoodLinks)
            CheckNotEmpty(place);
        order = order[..nrItems];
        Array.Clear(_isUnusable, 0, nrItems);
        bool hasGoodValues = CheckItems(block, nrItems, place.Level, out bool hasKeyPad);
        if (hasGoodLinks)
            CheckHeights(block, header, order);
        if (hasGoodLinks && hasGoodValues)
            CheckFill(block, header, nrItems, place.Level);

        if (!hasGoodLinks)
            SortByKey(block, order);
        bool hasGoodOrder = CheckOrder(block, order, isReported: hasGoodLinks);
        bool hasGoodRange = !hasGoodOrder || CheckRange(block, order, place);
        bool hasGoodKeys = hasGoodOrder && hasGoodRange;
        if (isLeaf)
            hasGoodKeys &= CheckHash(block, order, isReported: hasGoodLinks && hasGoodKeys, hasKeyPad);
        if (!isLeaf && place.IsRightSpine && hasGoodKeys && nrItems > 0)
            CheckRightSpine(block, order);

        // Nothing of the volume's is lost with an empty root leaf, all of it with an empty parent.
        bool isComplete = nrItems > 0 || (isLeaf && hasGoodLinks);
        int kept = KeepUsable(order, ref isComplete);
        if (isLeaf && !hasGoodOrder)
        {
            SortOffsetsByKey(block, order[..kept]);
            kept = DropEqualKeys(block, order[..kept], ref isComplete);
        }

        return new Verdict(kept, isComplete, hasGoodOrder, hasGoodRange);
    }

    private static ref readonly ItemKey KeyAt(ReadOnlySpan<byte> block, int offset) =>
        ref Disk.Ref<BtreeItem>(block, offset).Key;

    private static int IndexOf(int node) => (node - 16) / 56;

    private static int IndexOfOffset(int offset) => IndexOf(BtreeBlock.ToNode(offset));

    private void CheckNotEmpty(in Place place)
    {
        if (place.Level > 0)
            Report("I35", "A parent block has no items.");
        else if (!place.IsRoot)
            Report("I35", "A leaf that is not the root has no items.", FindingSeverity.Warning);
    }

    // Returns the number of items, or -1 when it cannot be told.
    private int CheckLinks(
        ReadOnlySpan<byte> block, in BtreeBlockHeader header, Span<ushort> order, out bool hasGoodLinks)
    {
        int nrItems = header.NrItems;
        int maxItems = header.Level == 0 ? BtreeShape.MaxLeafItems : BtreeShape.MaxParentItems;
        var fault = default(LinkFault);
        hasGoodLinks = nrItems <= maxItems && WalkLinks(block, header.ItemRoot, nrItems, order, out fault) == nrItems
            && !fault.IsFound;
        if (hasGoodLinks)
            return nrItems;

        // Links and total_item_bytes, which both count the items too, against nr_items.
        int linked = WalkLinks(block, header.ItemRoot, maxItems, order, out var other);
        if (!other.IsFound && linked != nrItems && IsWholeArray(block, order[..linked], header.TotalItemBytes))
        {
            hasGoodLinks = true;
            Report(
                nrItems > maxItems ? "I21" : "I22",
                $"nr_items is {nrItems}, but the AVL tree and total_item_bytes say that there are {linked}.");
            return linked;
        }

        if (nrItems > maxItems)
        {
            Report("I21", $"The block says it has {nrItems} items, {maxItems} fit.");
            return -1;
        }

        Report("I22", fault.IsFound
            ? $"The AVL node {fault.Node} is no item, was reached before, or has another parent than {fault.Parent}."
            : $"The AVL tree reaches fewer than the block's {nrItems} items.");
        return nrItems;
    }

    // Follows the links in key order; the number of items reached before something was wrong, if anything was.
    // Bounded by the number of items: what is on the stack and what has been left never exceed it.
    private int WalkLinks(
        ReadOnlySpan<byte> block, int root, int nrItems, Span<ushort> order, out LinkFault fault)
    {
        fault = default;
        int depth = 0;
        int visited = 0;
        int parent = 0;
        int node = root;
        while (node != 0 || depth > 0)
        {
            while (node != 0)
            {
                bool isItem = BtreeShape.IsNode(node, nrItems) && visited + depth < nrItems;
                if (!isItem || Disk.Ref<AvlNode>(block, BtreeBlock.FromNode(node)).Parent != parent)
                {
                    fault = new LinkFault(true, node, parent);
                    return visited;
                }

                _stack[depth++] = (ushort)node;
                parent = node;
                node = Disk.Ref<AvlNode>(block, BtreeBlock.FromNode(node)).Left;
            }

            int offset = BtreeBlock.FromNode(_stack[--depth]);
            order[visited++] = (ushort)offset;
            parent = BtreeBlock.ToNode(offset);
            node = Disk.Ref<AvlNode>(block, offset).Right;
        }

        return visited;
    }

    // True when the items are the first ones of the array, without a gap, and their sizes add up.
    private static bool IsWholeArray(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> offsets, int totalItemBytes)
    {
        int last = -1;
        int total = 0;
        foreach (ushort offset in offsets)
        {
            last = Math.Max(last, IndexOfOffset(offset));
            total += 56 + ((Disk.Ref<BtreeItem>(block, offset).ValLen + 7) & ~7);
        }

        return offsets.Length > 0 && last + 1 == offsets.Length && total == totalItemBytes;
    }

    private bool CheckOrder(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order, bool isReported)
    {
        for (int i = 1; i < order.Length; i++)
        {
            if (KeyAt(block, order[i - 1]) < KeyAt(block, order[i]))
                continue;
            if (isReported)
                Report("I24", $"Key {KeyAt(block, order[i])} follows key {KeyAt(block, order[i - 1])}.");
            return false;
        }

        return true;
    }

    // Without usable links the items are still in the array.
    private static void SortByKey(ReadOnlySpan<byte> block, Span<ushort> order)
    {
        for (int i = 0; i < order.Length; i++)
            order[i] = (ushort)BtreeBlock.OffsetOf(i);
        SortOffsetsByKey(block, order);
    }

    // Insertion sort: the number of items a block can hold bounds it, and only damaged blocks come here.
    private static void SortOffsetsByKey(ReadOnlySpan<byte> block, Span<ushort> order)
    {
        for (int i = 1; i < order.Length; i++)
        {
            ushort offset = order[i];
            int at = i;
            for (; at > 0 && KeyAt(block, order[at - 1]) > KeyAt(block, offset); at--)
                order[at] = order[at - 1];
            order[at] = offset;
        }
    }

    private bool CheckRange(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order, in Place place)
    {
        if (order.Length == 0)
            return true;
        bool isGood = true;
        ref readonly var first = ref KeyAt(block, order[0]);
        ref readonly var last = ref KeyAt(block, order[^1]);
        if (first < place.Start)
        {
            Report("I25", $"Key {first} is less than {place.Start}, where the block's range starts.");
            isGood = false;
        }

        if (last > place.End)
        {
            Report("I25", $"Key {last} is greater than {place.End}, where the block's range ends.");
            isGood = false;
        }

        return isGood;
    }

    private void CheckRightSpine(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order)
    {
        ref readonly var last = ref KeyAt(block, order[^1]);
        if (last != ItemKey.Max)
            Report("I32", $"The last key of the tree's right edge is {last}, not all ones.");
    }

    // A linked tree of at most 1169 nodes: children have smaller subtrees, so heights fit a byte unless it is a chain.
    private void CheckHeights(ReadOnlySpan<byte> block, in BtreeBlockHeader header, ReadOnlySpan<ushort> order)
    {
        int wrongHeights = 0;
        int unbalanced = 0;
        if (order.Length > 0)
            _ = MeasureHeights(block, header.ItemRoot, ref wrongHeights, ref unbalanced);
        if (wrongHeights == 0 && unbalanced == 0)
            return;
        bool isMkfsForm = header.NrItems <= 2 && header.Header.Seq == 1;
        Report(
            "I23",
            $"{wrongHeights} AVL heights are wrong, {unbalanced} nodes are unbalanced.",
            isMkfsForm ? FindingSeverity.Warning : FindingSeverity.Error);
    }

    private int MeasureHeights(ReadOnlySpan<byte> block, int root, ref int wrongHeights, ref int unbalanced)
    {
        // Post order without recursion, since chains are as long as the block has items: the stack holds the path, and
        // a node is measured when it is left for its parent.
        int depth = 0;
        int node = root;
        int cameFrom = 0;
        while (true)
        {
            ref readonly var at = ref Disk.Ref<AvlNode>(block, BtreeBlock.FromNode(node));
            int next = cameFrom == 0 && at.Left != 0 ? at.Left
                : (cameFrom == 0 || cameFrom == at.Left) && at.Right != 0 ? at.Right
                : 0;
            if (next != 0)
            {
                _stack[depth++] = (ushort)node;
                node = next;
                cameFrom = 0;
                continue;
            }

            int left = at.Left == 0 ? 0 : _heights[IndexOf(at.Left)];
            int right = at.Right == 0 ? 0 : _heights[IndexOf(at.Right)];
            int height = Math.Min(byte.MaxValue, 1 + Math.Max(left, right));
            _heights[IndexOf(node)] = (byte)height;
            wrongHeights += at.Height != height ? 1 : 0;
            unbalanced += Math.Abs(left - right) > 1 ? 1 : 0;
            if (depth == 0)
                return height;
            cameFrom = node;
            node = _stack[--depth];
        }
    }

    // Returns false when values cannot be trusted; items without a usable value are marked.
    private bool CheckItems(ReadOnlySpan<byte> block, int nrItems, int level, out bool hasKeyPad)
    {
        hasKeyPad = false;
        bool isGood = true;
        int itemsEnd = BtreeBlock.OffsetOf(nrItems);
        int valueEnd = BtreeBlockBuilder.ValueEnd(level);
        Array.Clear(_valueUnits);
        var items = Disk.Slice<BtreeItem>(block, BtreeBlock.OffsetOf(0), nrItems);
        for (int i = 0; i < items.Length; i++)
        {
            ref readonly var item = ref items[i];
            bool hasZeroKeyPad = item.Key.HasZeroPad;
            if (!hasZeroKeyPad || item.Node.Pad != 0 || !IsZero(item.Pad))
                Report("I26", $"Item {item.Key} has padding that is not zero.");
            hasKeyPad |= !hasZeroKeyPad;
            if ((item.Flags & ~BtreeItem.FlagDeletion) != 0)
                Report("I29", $"Item {item.Key} has unknown flags 0x{item.Flags:x}.");
            if (level > 0 && item.ValLen != Disk.SizeOf<BlockRef>())
            {
                Report("I28", $"Parent item {item.Key} has a value of {item.ValLen.Value} bytes instead of 16.");
                _isUnusable[i] = true;
            }
            else if (!CheckValue(item, itemsEnd, valueEnd))
            {
                _isUnusable[i] = true;
            }
            else if (item.ValLen > 0 && !TakeValue(item))
            {
                Report("I27", $"The value of item {item.Key} at {item.ValOff.Value} overlaps another value.");
                MarkOverlapping(items, i);
            }

            isGood &= !_isUnusable[i];
        }

        return isGood;
    }

    private bool CheckValue(in BtreeItem item, int itemsEnd, int valueEnd)
    {
        int start = item.ValOff;
        int length = item.ValLen;
        if (length == 0)
        {
            if (start != 0)
                Report("I27", $"Item {item.Key} has no value but a value offset {start}.", FindingSeverity.Warning);
            return true;
        }

        bool isPlaced = length <= FormatConstants.MaxValueBytes
            && start % 8 == 0 && start >= itemsEnd && start + length <= valueEnd;
        if (!isPlaced)
        {
            Report(
                "I27",
                $"Item {item.Key} has {length} bytes of value at {start}, outside of {itemsEnd}..{valueEnd}.");
        }

        return isPlaced;
    }

    // False when another value took one of the bytes before.
    private bool TakeValue(in BtreeItem item)
    {
        for (int unit = item.ValOff / 8; unit < (item.ValOff + item.ValLen + 7) / 8; unit++)
        {
            ulong bit = 1UL << (unit % 64);
            if ((_valueUnits[unit / 64] & bit) != 0)
                return false;
            _valueUnits[unit / 64] |= bit;
        }

        return true;
    }

    // Which of two overlapping values is the wrong one cannot be told: neither is used.
    private void MarkOverlapping(ReadOnlySpan<BtreeItem> items, int index)
    {
        ref readonly var item = ref items[index];
        _isUnusable[index] = true;
        for (int i = 0; i < index; i++)
        {
            ref readonly var other = ref items[i];
            bool isApart = other.ValLen == 0
                || other.ValOff >= item.ValOff + item.ValLen || item.ValOff >= other.ValOff + other.ValLen;
            _isUnusable[i] |= !isApart;
        }
    }

    private void CheckFill(ReadOnlySpan<byte> block, in BtreeBlockHeader header, int nrItems, int level)
    {
        int total = 0;
        int lowestValue = BtreeBlockBuilder.ValueEnd(level);
        foreach (ref readonly var item in Disk.Slice<BtreeItem>(block, BtreeBlock.OffsetOf(0), nrItems))
        {
            total += 56 + ((item.ValLen + 7) & ~7);
            if (item.ValLen > 0)
                lowestValue = Math.Min(lowestValue, item.ValOff);
        }

        if (header.TotalItemBytes != total)
            Report("I30", $"total_item_bytes is {header.TotalItemBytes.Value}, the items sum up to {total}.");
        int freeEnd = BtreeBlock.OffsetOf(nrItems) + header.MidFreeLen;
        if (freeEnd > lowestValue)
        {
            Report(
                "I31",
                $"mid_free_len is {header.MidFreeLen.Value}: free space ends at {freeEnd}, the lowest value starts at "
                + $"{lowestValue}.");
        }
    }

    // Marks items whose key the hash does not confirm. Returns false when keys are wrong.
    private bool CheckHash(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order, bool isReported, bool hasKeyPad)
    {
        var buckets = Disk.Slice<Le16>(
            block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        int used = 0;
        foreach (int offset in buckets)
        {
            if (offset == 0)
                continue;
            used++;
            if (BtreeShape.IsNode(BtreeBlock.ToNode(offset), order.Length))
                continue;
            if (isReported)
                Report("I33", $"A bucket of the leaf hash holds {offset}, which is no item.");
            return true;
        }

        if (used != order.Length)
        {
            if (isReported)
                Report("I33", $"The leaf hash holds {used} items, the leaf {order.Length}.");
            return true;
        }

        bool isGood = true;
        var view = new BtreeBlock(block);
        foreach (ushort offset in order)
        {
            // The hash covers the padding of keys, which I26 is about.
            ref readonly var key = ref KeyAt(block, offset);
            if (view.FindInLeaf(key) == offset || (hasKeyPad && !key.HasZeroPad))
                continue;
            if (isGood && isReported)
            {
                Report(
                    "I33",
                    $"Item {key} is not found through the leaf hash: its key or the hash is wrong.");
            }

            _isUnusable[IndexOfOffset(offset)] = true;
            isGood = false;
        }

        return isGood;
    }

    private int KeepUsable(Span<ushort> order, ref bool isComplete)
    {
        int kept = 0;
        foreach (ushort offset in order)
        {
            if (!_isUnusable[IndexOfOffset(offset)])
                order[kept++] = offset;
        }

        isComplete &= kept == order.Length;
        return kept;
    }

    private static int DropEqualKeys(ReadOnlySpan<byte> block, Span<ushort> order, ref bool isComplete)
    {
        int kept = 0;
        foreach (ushort offset in order)
        {
            if (kept == 0 || KeyAt(block, order[kept - 1]) < KeyAt(block, offset))
                order[kept++] = offset;
        }

        isComplete &= kept == order.Length;
        return kept;
    }

    private static bool IsZero(Pad3 pad) => pad[0] == 0 && pad[1] == 0 && pad[2] == 0;

    private void Report(string invariant, string what, FindingSeverity severity = FindingSeverity.Error) =>
        _findings.Report(
            invariant, _structure, string.Create(CultureInfo.InvariantCulture, $"block {_blkno}"), what, severity);

    private readonly record struct LinkFault(bool IsFound, int Node, int Parent);
}
