using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>The walk from a root to the leaf that covers a key, shared by lookups and cursors.</summary>
internal static class BtreeDescent
{
    /// <summary>Finds and leases the leaf whose range contains a key.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="writer">Transaction whose dirty blocks are part of the tree, or null for a committed tree.</param>
    /// <param name="root">Root of the tree.</param>
    /// <param name="key">Key to find the leaf of.</param>
    /// <param name="readAheadBlocks">Following leaves to start reading.</param>
    /// <param name="leaf">The leaf, with Found.</param>
    /// <param name="leafStart">First key of the leaf's range, with Found.</param>
    /// <param name="leafEnd">Last key of the leaf's range, with Found.</param>
    /// <param name="needed">The block to load, with NeedBlock.</param>
    /// <param name="fault">What is wrong, with Corrupt.</param>
    /// <returns>Found, End for an empty tree, NeedBlock or Corrupt. A lease is held with Found only.</returns>
    public static BtreeStatus Descend(
        BlockCache cache,
        BlockWriter? writer,
        in BtreeRoot root,
        in ItemKey key,
        int readAheadBlocks,
        out BlockLease leaf,
        out ItemKey leafStart,
        out ItemKey leafEnd,
        out BlockRef needed,
        out Corruption fault)
    {
        leaf = default;
        needed = default;
        fault = default;
        leafStart = ItemKey.Min;
        leafEnd = ItemKey.Max;
        if (root.Height == 0 && root.Ref.IsNone)
            return BtreeStatus.End;
        if (root.Height is 0 or > FormatConstants.MaxBtreeHeight || root.Ref.IsNone)
        {
            fault = new Corruption(
                CorruptionSite.BtreeRootShape, root.Ref.Blkno, FormatConstants.MaxBtreeHeight, root.Height);
            return BtreeStatus.Corrupt;
        }

        var start = ItemKey.Min;
        var end = ItemKey.Max;
        var blockRef = root.Ref;
        for (int level = root.Height - 1; ; level--)
        {
            var lease = default(BlockLease);
            bool isHeld = (writer is not null && writer.TryLease(blockRef, out lease))
                || cache.TryGet(blockRef, BlockMagic.Btree, out lease);
            if (!isHeld)
            {
                needed = blockRef;
                return BtreeStatus.NeedBlock;
            }

            var block = new BtreeBlock(lease.Bytes);
            fault = CheckPlace(block, level, start, end);
            if (fault.IsFound)
            {
                lease.Dispose();
                return BtreeStatus.Corrupt;
            }

            if (level == 0)
            {
                leaf = lease;
                leafStart = start;
                leafEnd = end;
                return BtreeStatus.Found;
            }

            int child = block.LowerBound(key);
            if (child == 0)
            {
                fault = new Corruption(CorruptionSite.BtreeNoChild, blockRef.Blkno);
                lease.Dispose();
                return BtreeStatus.Corrupt;
            }

            if (level == 1 && readAheadBlocks > 0)
                ReadAhead(cache, block, child, readAheadBlocks);
            int previous = block.Previous(child);
            if (previous != 0)
                start = block.Item(previous).Key.Next();
            end = block.Item(child).Key;
            blockRef = Disk.Ref<BlockRef>(block.Value(block.Item(child)));
            lease.Dispose();
        }
    }

    private static Corruption CheckPlace(in BtreeBlock block, int level, in ItemKey start, in ItemKey end)
    {
        ulong blkno = block.Header.Header.Blkno;
        if (block.Level != level)
            return new Corruption(CorruptionSite.BtreeLevel, blkno, (ulong)level, (ulong)block.Level);
        int first = block.First();
        if (first == 0)
            return default;
        bool isInside = block.Item(first).Key >= start && block.Item(block.Last()).Key <= end;
        return isInside ? default : new Corruption(CorruptionSite.BtreeKeyRange, blkno);
    }

    private static void ReadAhead(BlockCache cache, in BtreeBlock parent, int child, int countBlocks)
    {
        for (int next = parent.Next(child); next != 0 && countBlocks > 0; next = parent.Next(next), countBlocks--)
            cache.Prefetch(Disk.Ref<BlockRef>(parent.Value(parent.Item(next))), BlockMagic.Btree);
    }
}
