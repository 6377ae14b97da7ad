using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <content>Insertion of many sorted items: one walk a leaf (engine §2.5).</content>
public sealed partial class BtreeWriter
{
    // Items stored one right behind the other after which a full leaf is split where they go in.
    private const int RunItems = 16;

    /// <summary>Adds or replaces items in key order, as a log tree takes them.</summary>
    /// <remarks>
    /// <para>A totals item that the tree has already is not replaced but added to: total and count are summed and the
    /// seq becomes the new one's; sums of zero stay (format §9.6).</para>
    /// <para>Leaves that fill up in the middle of a run of new neighbours are split where the run goes on, so that
    /// ascending insertion leaves full leaves behind.</para>
    /// </remarks>
    /// <param name="root">Root of the tree; its new version is returned.</param>
    /// <param name="source">The items.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>
    /// None; NoSpace, Corrupt, Stale, Io, NoBuffers or Cancelled. The root is that of the tree with all items which the
    /// source has given out, also after an error: then the source stands at the first item that is not stored.
    /// </returns>
    public async ValueTask<(FsError Error, BtreeRoot Root)> ForceManyAsync(
        BtreeRoot root, IItemSource source, CancellationToken cancellationToken)
    {
        int run = 0;
        while (TryPeekKey(source, out var key))
        {
            var error = await PrepareAsync(root, key, Change.Insert, cancellationToken);
            if (error == FsError.None)
                error = ApplyMany(ref root, source, ref run);
            ReleaseLeases();
            if (error != FsError.None)
                return (error, root);
        }

        return (FsError.None, root);
    }

    private static bool TryPeekKey(IItemSource source, out ItemKey key)
    {
        bool hasItem = source.TryPeek(out var item);
        key = item.Key;
        return hasItem;
    }

    // Stores items while they belong into one leaf and fit; at least one.
    private FsError ApplyMany(ref BtreeRoot root, IItemSource source, ref int run)
    {
        _ = source.TryPeek(out var item);
        var leaf = DescendToInsert(ref root, item.Key, item.Value.Length, run >= RunItems, out var leafEnd);

        // The item lies, or will lie, between these two neighbours; its own old version counts as the later one.
        int next = leaf.View.LowerBound(item.Key);
        int previous = next == 0 ? leaf.View.Last() : leaf.View.Previous(next);
        while (true)
        {
            Invariant.Require(item.Value.Length <= FormatConstants.MaxValueBytes);
            if (next != 0 && leaf.View.Item(next).Key == item.Key)
            {
                if (item.Key.Zone == KeyZone.XattrTotal)
                {
                    if (leaf.View.Item(next).ValLen != Disk.SizeOf<XattrTotalItem>())
                        return Fail(CorruptionSite.BtreeWriterDelta, leaf.View.Header.Header.Blkno);
                    AddDelta(leaf, next, item);
                }
                else
                {
                    if (leaf.View.Item(next).ValLen != item.Value.Length && !leaf.HasRoom(item.Value.Length))
                        return FsError.None;
                    leaf.Update(next, item.Seq, item.Flags, item.Value);
                }

                previous = next;
                next = leaf.View.Next(next);
            }
            else
            {
                if (!leaf.HasRoom(item.Value.Length))
                    return FsError.None;
                previous = leaf.InsertBetween(previous, next, item.Key, item.Seq, item.Flags, item.Value);
            }

            source.Advance();
            run++;
            if (!source.TryPeek(out item))
                return FsError.None;
            Invariant.Require(leaf.View.Item(previous).Key < item.Key);
            if (item.Key > leafEnd)
            {
                run = 0;
                return FsError.None;
            }

            if (next != 0 && leaf.View.Item(next).Key < item.Key)
            {
                run = 0;
                next = leaf.View.LowerBound(item.Key);
                previous = next == 0 ? leaf.View.Last() : leaf.View.Previous(next);
            }
        }
    }

    private static void AddDelta(BtreeBlockEditor leaf, int offset, scoped in SourceItem item)
    {
        Invariant.Require(item.Value.Length == Disk.SizeOf<XattrTotalItem>());
        var view = leaf.View;
        var sum = Disk.Ref<XattrTotalItem>(view.Value(view.Item(offset)));
        ref readonly var delta = ref Disk.Ref<XattrTotalItem>(item.Value);
        sum.Total = sum.Total + delta.Total;
        sum.Count = sum.Count + delta.Count;
        leaf.Update(offset, item.Seq, item.Flags, Disk.Bytes(in sum));
    }

    // Splits a full leaf where a run of new items goes in; they go on in the emptier half.
    private BtreeBlockEditor SplitLeafAt(
        BtreeBlockEditor leaf, BtreeBlockEditor parent, scoped in ItemKey key, scoped ref ItemKey leafEnd)
    {
        int before = 0;
        for (int offset = leaf.View.First(); offset != 0; offset = leaf.View.Next(offset))
        {
            if (leaf.View.Item(offset).Key >= key)
                break;
            before += BtreeBlockEditor.ItemBytesOf(leaf.View.Item(offset));
        }

        // The fewer bytes move. Keys between the halves go where the run goes on.
        int after = leaf.TotalItemBytes - before;
        bool goesLeft = before <= after;
        if (goesLeft)
        {
            BlockRef leftRef = default;
            var left = CreateSibling(leaf, ref leftRef);
            leaf.MoveLowestTo(left, before);
            leaf.Compact(_scratch);
            leafEnd = leaf.View.Item(leaf.View.First()).Key.Previous();
            parent.Insert(leafEnd, 0, 0, Disk.Bytes(in leftRef));
            return left;
        }

        return SplitOffHighest(leaf, parent, key, after);
    }

    // Moves items of at least so many bytes into a new right neighbour, which takes over the end of the block's range.
    private BtreeBlockEditor SplitOffHighest(
        BtreeBlockEditor block, BtreeBlockEditor parent, scoped in ItemKey key, int bytes)
    {
        BlockRef rightRef = default;
        var right = CreateSibling(block, ref rightRef);
        block.MoveHighestTo(right, bytes);
        block.Compact(_scratch);
        int parentItem = parent.View.LowerBound(key);
        var end = parent.View.Item(parentItem).Key;
        parent.SetParentKey(parentItem, block.View.Item(block.View.Last()).Key);
        parent.Insert(end, 0, 0, Disk.Bytes(in rightRef));
        return right;
    }

    private BtreeBlockEditor CreateSibling(BtreeBlockEditor block, scoped ref BlockRef siblingRef)
    {
        var bytes = _writer.Create(ref siblingRef, BlockMagic.Btree, _allocator);
        BtreeBlockEditor.Initialise(bytes, block.View.Level);
        return new BtreeBlockEditor(bytes);
    }
}
