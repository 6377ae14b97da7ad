using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>
/// Proves, once when a block is read, everything that later accesses rely on: after it no offset inside the block leads
/// outside, every walk in the block ends, and keys ascend.
/// </summary>
/// <remarks>
/// It tolerates what readers must tolerate (wrong heights, unbalanced trees, holes between values); the volume checker
/// reports those. Costs about one pass over the items; allocates nothing.
/// </remarks>
public static class BtreeShape
{
    /// <summary>Items that fit into a leaf.</summary>
    public const int MaxLeafItems = (BtreeBlockHeader.LeafHashOffset - 48) / 56;

    /// <summary>Items that fit into a parent.</summary>
    public const int MaxParentItems = (FormatConstants.LargeBlockBytes - 48) / 56;

    /// <summary>For <see cref="Blocks.BlockCache"/>: checks btree blocks, accepts all others.</summary>
    public static Corruption Verify(BlockMagic magic, ReadOnlySpan<byte> block) =>
        magic == BlockMagic.Btree ? Verify(block) : default;

    /// <summary>Checks one btree block of 65536 bytes with a good header.</summary>
    /// <returns>The first thing found, or nothing.</returns>
    public static Corruption Verify(ReadOnlySpan<byte> block)
    {
        ref readonly var header = ref Disk.Ref<BtreeBlockHeader>(block);
        ulong blkno = header.Header.Blkno;
        if (header.Level >= FormatConstants.MaxBtreeHeight)
        {
            return new Corruption(
                CorruptionSite.BtreeLevel, blkno, FormatConstants.MaxBtreeHeight - 1, header.Level);
        }

        bool isLeaf = header.Level == 0;
        int maxItems = isLeaf ? MaxLeafItems : MaxParentItems;
        int nrItems = header.NrItems;
        if (nrItems > maxItems)
            return new Corruption(CorruptionSite.BtreeItemCount, blkno, (ulong)maxItems, (ulong)nrItems);
        if (nrItems == 0 && !isLeaf)
            return new Corruption(CorruptionSite.BtreeParentEmpty, blkno, 1);
        int valueEnd = isLeaf ? BtreeBlockHeader.LeafHashOffset : FormatConstants.LargeBlockBytes;
        var corruption = VerifyValues(block, blkno, nrItems, valueEnd, isLeaf);
        if (corruption.IsFound)
            return corruption;
        corruption = VerifyLinks(block, blkno, nrItems, header.ItemRoot);
        return corruption.IsFound || !isLeaf ? corruption : VerifyHash(block, blkno, nrItems);
    }

    /// <summary>True when a node offset is one of the block's items.</summary>
    internal static bool IsNode(int node, int nrItems) =>
        node >= 16 && (node - 16) % 56 == 0 && (node - 16) / 56 < nrItems;

    private static Corruption VerifyValues(
        ReadOnlySpan<byte> block, ulong blkno, int nrItems, int valueEnd, bool isLeaf)
    {
        int itemsEnd = BtreeBlock.OffsetOf(nrItems);
        var items = Disk.Slice<BtreeItem>(block, BtreeBlock.OffsetOf(0), nrItems);
        foreach (ref readonly var item in items)
        {
            int length = item.ValLen;
            int start = item.ValOff;
            if (!isLeaf && length != Disk.SizeOf<BlockRef>())
            {
                return new Corruption(
                    CorruptionSite.BtreeParentValue, blkno, (ulong)Disk.SizeOf<BlockRef>(), (ulong)length);
            }

            bool isPlaced = length == 0
                || (length <= FormatConstants.MaxValueBytes && start >= itemsEnd && start + length <= valueEnd);
            if (!isPlaced)
                return new Corruption(CorruptionSite.BtreeValuePlace, blkno, (ulong)length, (ulong)start);
        }

        return default;
    }

    private static Corruption VerifyLinks(ReadOnlySpan<byte> block, ulong blkno, int nrItems, int root)
    {
        // An explicit stack: hostile trees may be chains as long as the item array.
        Span<ushort> stack = stackalloc ushort[MaxParentItems];
        int depth = 0;
        int visited = 0;
        int node = root;
        int parent = 0;
        int previous = 0;
        while (node != 0 || depth > 0)
        {
            while (node != 0)
            {
                if (!IsNode(node, nrItems) || depth >= nrItems || visited + depth >= nrItems)
                    return new Corruption(CorruptionSite.BtreeAvlLinks, blkno, (ulong)nrItems, (ulong)node);
                ref readonly var entered = ref Disk.Ref<BtreeItem>(block, BtreeBlock.FromNode(node));
                if (entered.Node.Parent != parent)
                    return new Corruption(CorruptionSite.BtreeAvlLinks, blkno, (ulong)parent, entered.Node.Parent);
                stack[depth++] = (ushort)node;
                parent = node;
                node = entered.Node.Left;
            }

            int offset = BtreeBlock.FromNode(stack[--depth]);
            ref readonly var item = ref Disk.Ref<BtreeItem>(block, offset);
            if (previous != 0 && Disk.Ref<BtreeItem>(block, previous).Key >= item.Key)
                return new Corruption(CorruptionSite.BtreeKeyOrder, blkno, (ulong)previous, (ulong)offset);
            visited++;
            previous = offset;
            parent = BtreeBlock.ToNode(offset);
            node = item.Node.Right;
        }

        return visited == nrItems
            ? default
            : new Corruption(CorruptionSite.BtreeAvlLinks, blkno, (ulong)nrItems, (ulong)visited);
    }

    private static Corruption VerifyHash(ReadOnlySpan<byte> block, ulong blkno, int nrItems)
    {
        var buckets = Disk.Slice<Le16>(
            block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        foreach (int offset in buckets)
        {
            if (offset != 0 && !IsNode(BtreeBlock.ToNode(offset), nrItems))
                return new Corruption(CorruptionSite.BtreeLeafHash, blkno, 0, (ulong)offset);
        }

        return default;
    }
}
