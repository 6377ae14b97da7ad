using System;
using System.Globalization;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Checks everything that can be said about one btree block (format §7, I20 to I35).</summary>
/// <remarks>
/// Unlike <see cref="BtreeShape"/> it reports all it finds and says in which order the items can still be used: a block
/// whose links are broken still has its items in the array. One cause is reported once: what follows from broken links,
/// from keys out of order or from misplaced values is left out. Reused block after block, not thread safe.
/// </remarks>
internal sealed class BtreeBlockChecker
{
    private readonly IFindingSink _findings;
    private readonly ushort[] _stack = new ushort[BtreeShape.MaxParentItems];
    private readonly byte[] _heights = new byte[BtreeShape.MaxParentItems];
    private readonly ulong[] _valueUnits = new ulong[FormatConstants.LargeBlockBytes / 8 / 64];
    private string _structure = string.Empty;
    private string _where = string.Empty;

    /// <summary>Creates a checker that reports to a sink.</summary>
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

    /// <summary>Checks a block with a good header.</summary>
    /// <param name="block">65536 bytes.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="order">Receives the byte offsets of the usable items in key order; room for every item.</param>
    /// <param name="isComplete">False when items of the block could not be used.</param>
    /// <returns>Number of usable items, or -1 when the block cannot be used at all.</returns>
    public int Check(ReadOnlySpan<byte> block, in Place place, Span<ushort> order, out bool isComplete)
    {
        ref readonly var header = ref Disk.Ref<BtreeBlockHeader>(block);
        _structure = place.Structure;
        _where = string.Create(CultureInfo.InvariantCulture, $"block {header.Header.Blkno.Value}");
        isComplete = false;
        if (header.Level != place.Level)
        {
            Report("I20", $"The block has level {header.Level}, its place in the tree asks for {place.Level}.");
            return -1;
        }

        int nrItems = header.NrItems;
        int maxItems = place.Level == 0 ? BtreeShape.MaxLeafItems : BtreeShape.MaxParentItems;
        if (nrItems > maxItems)
        {
            Report("I21", $"The block says it has {nrItems} items, {maxItems} fit.");
            return -1;
        }

        isComplete = true;
        if (nrItems == 0)
            CheckEmpty(header, place);
        bool hasGoodLinks = CheckLinks(block, header, order);
        bool hasGoodOrder = hasGoodLinks && CheckOrder(block, order[..nrItems]);
        if (!hasGoodOrder)
            SortByKey(block, order[..nrItems]);
        bool hasGoodRange = !hasGoodOrder || CheckRange(block, order[..nrItems], place);
        if (hasGoodLinks)
            CheckHeights(block, header, order[..nrItems]);
        bool hasGoodItems = CheckItems(block, nrItems, place.Level);
        if (hasGoodItems && hasGoodLinks)
            CheckFill(block, header, nrItems, place.Level);
        if (hasGoodLinks && hasGoodOrder && hasGoodRange && place.Level == 0)
            CheckHash(block, order[..nrItems]);
        bool asksForAllOnes = place.IsRightSpine && place.Level > 0 && nrItems > 0 && hasGoodOrder && hasGoodRange;
        if (asksForAllOnes && KeyAt(block, order[nrItems - 1]) != ItemKey.Max)
            Report(
                "I32",
                $"The last key of the tree's right edge is {KeyAt(block, order[nrItems - 1])}, not all ones.");
        return KeepUsable(block, order[..nrItems], place, ref isComplete);
    }

    private static ref readonly ItemKey KeyAt(ReadOnlySpan<byte> block, int offset) =>
        ref Disk.Ref<BtreeItem>(block, offset).Key;

    private void CheckEmpty(in BtreeBlockHeader header, in Place place)
    {
        if (place.Level > 0)
            Report("I35", "A parent block has no items.");
        else if (!place.IsRoot)
            Report("I35", "A leaf that is not the root has no items.", FindingSeverity.Warning);
        if (header.ItemRoot != 0)
            Report("I22", $"The block has no items but an AVL root at {header.ItemRoot.Value}.");
    }

    private bool CheckLinks(ReadOnlySpan<byte> block, in BtreeBlockHeader header, Span<ushort> order)
    {
        int nrItems = header.NrItems;
        if (nrItems == 0)
            return true;
        int depth = 0;
        int visited = 0;
        int parent = 0;
        int node = header.ItemRoot;
        while (node != 0 || depth > 0)
        {
            while (node != 0)
            {
                if (!BtreeShape.IsNode(node, nrItems) || visited + depth >= nrItems)
                    return FailLinks($"An AVL link leads to {node}, which is no item or was reached before.");
                ref readonly var entered = ref Disk.Ref<AvlNode>(block, BtreeBlock.FromNode(node));
                if (entered.Parent != parent)
                    return FailLinks($"The AVL node {node} names {entered.Parent.Value} as its parent, not {parent}.");
                _stack[depth++] = (ushort)node;
                parent = node;
                node = entered.Left;
            }

            int offset = BtreeBlock.FromNode(_stack[--depth]);
            order[visited++] = (ushort)offset;
            parent = BtreeBlock.ToNode(offset);
            node = Disk.Ref<AvlNode>(block, offset).Right;
        }

        return visited == nrItems || FailLinks($"The AVL tree reaches {visited} of {nrItems} items.");

        bool FailLinks(string what)
        {
            Report("I22", what);
            return false;
        }
    }

    private bool CheckOrder(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order)
    {
        for (int i = 1; i < order.Length; i++)
        {
            if (KeyAt(block, order[i - 1]) < KeyAt(block, order[i]))
                continue;
            Report("I24", $"Key {KeyAt(block, order[i])} follows key {KeyAt(block, order[i - 1])}.");
            return false;
        }

        return true;
    }

    // Without usable links the items are still in the array. Insertion sort: close to sorted in most blocks, and
    // bounded by the number of items a block can hold in any case.
    private static void SortByKey(ReadOnlySpan<byte> block, Span<ushort> order)
    {
        for (int i = 0; i < order.Length; i++)
        {
            ushort offset = (ushort)BtreeBlock.OffsetOf(i);
            int at = i;
            for (; at > 0 && KeyAt(block, order[at - 1]) > KeyAt(block, offset); at--)
                order[at] = order[at - 1];
            order[at] = offset;
        }
    }

    private bool CheckRange(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order, in Place place)
    {
        bool isGood = true;
        if (order.Length > 0 && KeyAt(block, order[0]) < place.Start)
        {
            Report("I25", $"Key {KeyAt(block, order[0])} is less than {place.Start}, where the block's range starts.");
            isGood = false;
        }

        if (order.Length > 0 && KeyAt(block, order[^1]) > place.End)
        {
            Report("I25", $"Key {KeyAt(block, order[^1])} is greater than {place.End}, where the block's range ends.");
            isGood = false;
        }

        return isGood;
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

    private static int IndexOf(int node) => (node - 16) / 56;

    // Returns false when values cannot be trusted.
    private bool CheckItems(ReadOnlySpan<byte> block, int nrItems, int level)
    {
        bool isGood = true;
        int itemsEnd = BtreeBlock.OffsetOf(nrItems);
        int valueEnd = BtreeBlockBuilder.ValueEnd(level);
        Array.Clear(_valueUnits);
        var items = Disk.Slice<BtreeItem>(block, BtreeBlock.OffsetOf(0), nrItems);
        foreach (ref readonly var item in items)
        {
            if (!item.Key.HasZeroPad || item.Node.Pad != 0 || !IsZero(item.Pad))
                Report("I26", $"Item {item.Key} has padding that is not zero.");
            if ((item.Flags & ~BtreeItem.FlagDeletion) != 0)
                Report("I29", $"Item {item.Key} has unknown flags 0x{item.Flags:x}.");
            if (level > 0 && item.ValLen != Disk.SizeOf<BlockRef>())
            {
                Report("I28", $"Parent item {item.Key} has a value of {item.ValLen.Value} bytes instead of 16.");
                isGood = false;
                continue;
            }

            isGood &= CheckValue(item, itemsEnd, valueEnd);
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
            return false;
        }

        for (int unit = start / 8; unit < (start + length + 7) / 8; unit++)
        {
            ulong bit = 1UL << (unit % 64);
            if ((_valueUnits[unit / 64] & bit) != 0)
            {
                Report("I27", $"The value of item {item.Key} at {start} overlaps another value.");
                return false;
            }

            _valueUnits[unit / 64] |= bit;
        }

        return true;
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

    private void CheckHash(ReadOnlySpan<byte> block, ReadOnlySpan<ushort> order)
    {
        var view = new BtreeBlock(block);
        var buckets = Disk.Slice<Le16>(
            block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        int used = 0;
        foreach (int offset in buckets)
        {
            if (offset == 0)
                continue;
            used++;
            if (!BtreeShape.IsNode(BtreeBlock.ToNode(offset), order.Length))
            {
                Report("I33", $"A bucket of the leaf hash holds {offset}, which is no item.");
                return;
            }
        }

        if (used != order.Length)
        {
            Report("I33", $"The leaf hash holds {used} items, the leaf {order.Length}.");
            return;
        }

        foreach (ushort offset in order)
        {
            if (view.FindInLeaf(KeyAt(block, offset)) == offset)
                continue;
            Report("I33", $"Item {KeyAt(block, offset)} is not found through the leaf hash.");
            return;
        }
    }

    // Leaves out items that would break the order of the whole tree or whose value cannot be read.
    private static int KeepUsable(
        ReadOnlySpan<byte> block, Span<ushort> order, in Place place, ref bool isComplete)
    {
        int kept = 0;
        int valueEnd = BtreeBlockBuilder.ValueEnd(place.Level);
        int itemsEnd = BtreeBlock.OffsetOf(order.Length);
        foreach (ushort offset in order)
        {
            ref readonly var item = ref Disk.Ref<BtreeItem>(block, offset);
            bool isInRange = item.Key >= place.Start && item.Key <= place.End;
            bool isAfterLast = kept == 0 || KeyAt(block, order[kept - 1]) < item.Key;
            bool hasValue = item.ValLen == 0 || (item.ValLen <= FormatConstants.MaxValueBytes
                && item.ValOff >= itemsEnd && item.ValOff + item.ValLen <= valueEnd);
            bool hasChild = place.Level == 0 || item.ValLen == Disk.SizeOf<BlockRef>();
            if (isInRange && isAfterLast && hasValue && hasChild)
                order[kept++] = offset;
            else
                isComplete = false;
        }

        return kept;
    }

    private static bool IsZero(Pad3 pad) => pad[0] == 0 && pad[1] == 0 && pad[2] == 0;

    private void Report(string invariant, string what, FindingSeverity severity = FindingSeverity.Error) =>
        _findings.Report(invariant, _structure, _where, what, severity);
}
