using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>When a merge has to stop before it is through (engine §2.6).</summary>
/// <param name="IsSubtree">The destination is a part of a tree, of height 2, and its height must stay.</param>
/// <param name="MaxDirtyBlocks">Dirty blocks of the writer from which on nothing more is merged.</param>
/// <param name="MinBlocks">Blocks to allocate, and room for freed ones, below which nothing more is merged; at least
/// two a level of the destination and two more.</param>
public readonly record struct MergeLimits(bool IsSubtree, int MaxDirtyBlocks, int MinBlocks);

/// <content>Merging of sorted item versions into fs_root: one walk a leaf (engine §2.6, format §9.6).</content>
public sealed partial class BtreeWriter
{
    private enum MergeOutcome
    {
        GoOn,
        NeedsJoin,
        Failed,
    }

    /// <summary>Merges item versions, one a key, into a destination.</summary>
    /// <remarks>
    /// Deletions remove and are not stored, other versions replace whatever is there, totals are added to what is there
    /// and take over the later seq; a sum of zero removes the item. Versions in the destination always count as older.
    /// </remarks>
    /// <param name="root">Root of the destination; its new version is returned.</param>
    /// <param name="source">The versions.</param>
    /// <param name="limits">When to stop.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>
    /// None, and whether a limit was reached: then the source stands at the first version that is not merged. Or
    /// NoSpace, Corrupt, Stale, Io, NoBuffers or Cancelled; the destination is to be abandoned then.
    /// </returns>
    internal async ValueTask<(FsError Error, BtreeRoot Root, bool IsStopped)> MergeManyAsync(
        BtreeRoot root, IItemSource source, MergeLimits limits, CancellationToken cancellationToken)
    {
        int run = 0;
        while (TryPeekKey(source, out var key))
        {
            if (_writer.DirtyBlocks >= limits.MaxDirtyBlocks
                || _allocator.AvailableBlocks < limits.MinBlocks
                || _allocator.FreeRoomBlocks < limits.MinBlocks)
            {
                return (FsError.None, root, true);
            }

            var error = await PrepareAsync(root, key, Change.Insert, cancellationToken);
            if (error != FsError.None)
            {
                ReleaseLeases();
                return (error, root, false);
            }

            if (SkipDeletionsOfNothing(root, source, key))
            {
                ReleaseLeases();
                continue;
            }

            if (limits.IsSubtree && !MayChangeSubtree(root))
            {
                ReleaseLeases();
                return (FsError.None, root, true);
            }

            var outcome = ApplyMerge(ref root, source, ref run);
            ReleaseLeases();
            if (outcome == MergeOutcome.Failed)
                return (FsError.Corrupt, root, false);
            if (outcome == MergeOutcome.GoOn)
                continue;

            _ = TryPeekKey(source, out key);
            error = await PrepareAsync(root, key, Change.Remove, cancellationToken);
            if (error == FsError.None)
                ApplyRemove(ref root, key, limits.IsSubtree);
            ReleaseLeases();
            if (error != FsError.None)
                return (error, root, false);
            source.Advance();
        }

        return (FsError.None, root, false);
    }

    // Takes versions that change nothing, without making a block dirty. True: something was taken, walk again.
    private bool SkipDeletionsOfNothing(in BtreeRoot root, IItemSource source, in ItemKey key)
    {
        var leafEnd = ItemKey.Max;
        var leaf = default(BtreeBlock);
        if (root.Height > 0)
        {
            leaf = new BtreeBlock(Pinned(root.Ref));
            while (leaf.Level > 0)
            {
                int child = leaf.LowerBound(key);
                leafEnd = leaf.Item(child).Key;
                leaf = new BtreeBlock(Pinned(Child(leaf, child)));
            }
        }

        bool hasSkipped = false;
        while (source.TryPeek(out var item)
            && item.Key <= leafEnd
            && (item.Flags & BtreeItem.FlagDeletion) != 0
            && (root.Height == 0 || leaf.FindInLeaf(item.Key) == 0))
        {
            source.Advance();
            hasSkipped = true;
        }

        return hasSkipped;
    }

    // The parent of the leaves must neither have to be split nor be joined with its neighbour, which is elsewhere.
    private bool MayChangeSubtree(in BtreeRoot root)
    {
        Invariant.Require(root.Height == 2);
        var bytes = Pinned(root.Ref);
        ref readonly var header = ref Disk.Ref<BtreeBlockHeader>(bytes);
        bool hasRoom = header.MidFreeLen >= 56 + Disk.SizeOf<BlockRef>()
            || BtreeBlockEditor.IsWorthCompactingAt(header.TotalItemBytes);
        return hasRoom && header.TotalItemBytes >= BtreeBlockEditor.JoinBytes;
    }

    // Merges versions while they belong into one leaf and fit.
    private MergeOutcome ApplyMerge(ref BtreeRoot root, IItemSource source, ref int run)
    {
        _ = source.TryPeek(out var item);
        bool isDeletion = (item.Flags & BtreeItem.FlagDeletion) != 0;
        if (isDeletion && IsLeafToJoin(root, item.Key))
            return MergeOutcome.NeedsJoin;
        int valueBytes = isDeletion ? NoRoom : item.Value.Length;
        var leaf = DescendToInsert(ref root, item.Key, valueBytes, run >= RunItems, out var leafEnd);
        int next = leaf.View.LowerBound(item.Key);
        int previous = next == 0 ? leaf.View.Last() : leaf.View.Previous(next);
        while (true)
        {
            isDeletion = (item.Flags & BtreeItem.FlagDeletion) != 0;
            bool isThere = next != 0 && leaf.View.Item(next).Key == item.Key;
            bool isTotal = item.Key.Zone == KeyZone.XattrTotal;
            if (isDeletion)
            {
                if (isThere && root.Height > 1 && leaf.TotalItemBytes < BtreeBlockEditor.JoinBytes)
                    return MergeOutcome.NeedsJoin;
                if (isThere)
                    RemoveBetween(leaf, ref previous, ref next);
            }
            else if (isThere && isTotal)
            {
                if (leaf.View.Item(next).ValLen != Disk.SizeOf<XattrTotalItem>())
                {
                    _ = Fail(CorruptionSite.BtreeMergeTotal, leaf.View.Header.Header.Blkno);
                    return MergeOutcome.Failed;
                }

                // A sum of zero goes at once: after another walk the version would be added a second time.
                AddDelta(leaf, next, item);
                if (leaf.View.Value(leaf.View.Item(next)).IndexOfAnyExcept((byte)0) < 0)
                {
                    RemoveBetween(leaf, ref previous, ref next);
                }
                else
                {
                    previous = next;
                    next = leaf.View.Next(next);
                }
            }
            else if (isThere)
            {
                if (leaf.View.Item(next).ValLen != item.Value.Length && !leaf.HasRoom(item.Value.Length))
                    return MergeOutcome.GoOn;
                leaf.Update(next, item.Seq, item.Flags, item.Value);
                previous = next;
                next = leaf.View.Next(next);
            }
            else
            {
                if (!leaf.HasRoom(item.Value.Length))
                    return MergeOutcome.GoOn;
                previous = leaf.InsertBetween(previous, next, item.Key, item.Seq, item.Flags, item.Value);
            }

            var last = item.Key;
            source.Advance();
            run++;
            if (!source.TryPeek(out item))
                return MergeOutcome.GoOn;
            Invariant.Require(last < item.Key);
            if (item.Key > leafEnd)
            {
                run = 0;
                return MergeOutcome.GoOn;
            }

            if (next != 0 && leaf.View.Item(next).Key < item.Key)
            {
                run = 0;
                next = leaf.View.LowerBound(item.Key);
                previous = next == 0 ? leaf.View.Last() : leaf.View.Previous(next);
            }
        }
    }

    // A leaf that must take from its neighbour before an item of it is removed.
    private bool IsLeafToJoin(in BtreeRoot root, in ItemKey key)
    {
        if (root.Height < 2)
            return false;
        var block = new BtreeBlock(Pinned(root.Ref));
        while (block.Level > 0)
            block = new BtreeBlock(Pinned(Child(block, block.LowerBound(key))));
        return block.Header.TotalItemBytes < BtreeBlockEditor.JoinBytes;
    }

    // Removes the later of two neighbours; the last item of the array moves to its place.
    private static void RemoveBetween(BtreeBlockEditor leaf, ref int previous, ref int next)
    {
        int removed = next;
        int following = leaf.View.Next(next);
        leaf.Remove(removed);
        int moved = BtreeBlock.OffsetOf(leaf.NrItems);
        next = following == moved ? removed : following;
        previous = previous == moved ? removed : previous;
    }
}
