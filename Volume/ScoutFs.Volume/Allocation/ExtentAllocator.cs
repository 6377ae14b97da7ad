using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Allocation;

/// <summary>
/// Changes trees of free extents: each extent stands in two items, by location and by size (format §8.1).
/// </summary>
/// <remarks>
/// One instance serves any number of trees of one transaction. A change is several btree changes; it checks beforehand
/// that the worst case fits. When a block cannot be read in the middle, the tree is half changed: the transaction must
/// be abandoned, which is what the rule for owned structures asks for anyway (format §19).
/// </remarks>
public sealed class ExtentAllocator : IDisposable
{
    // Two items for each of two neighbours and for the extent itself.
    private const int ChangesPerExtent = 6;

    private readonly BtreeWriter _trees;
    private readonly BtreeCursor _cursor;
    private readonly IBlockAllocator _allocator;
    private readonly BlockWriter _writer;

    /// <summary>Creates an allocator over a transaction's writer.</summary>
    public ExtentAllocator(BlockCache cache, BlockWriter writer, IBlockAllocator allocator)
    {
        _trees = new BtreeWriter(cache, writer, allocator);
        _cursor = new BtreeCursor(cache, writer);
        _allocator = allocator;
        _writer = writer;
    }

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Metadata blocks that one change of a tree may allocate or free at most (engine §3.5).</summary>
    public static int WorstBlocks(in AllocRoot root) => ((2 * root.Root.Height) + 4) * ChangesPerExtent;

    /// <summary>Adds a free extent and merges it with its neighbours.</summary>
    /// <returns>
    /// None and the new root; Invalid when it overlaps a free extent; NoSpace; or why a block cannot be read.
    /// </returns>
    public async ValueTask<(FsError Error, AllocRoot Root)> InsertAsync(
        AllocRoot root, FreeExtent extent, CancellationToken cancellationToken)
    {
        Invariant.Require(extent.Count > 0 && extent.Start > 0);
        if (!HasRoom(root))
            return (FsError.NoSpace, root);

        // The first extent that ends at or after the block before ours: the left neighbour, or the next to the right.
        var (error, near) = await FindAsync(root, extent.Start - 1, cancellationToken);
        var left = default(FreeExtent);
        if (error == FsError.None && near.Count > 0 && near.End == extent.Start)
        {
            left = near;
            (error, near) = await FindAsync(root, extent.Start, cancellationToken);
        }

        if (error != FsError.None)
            return (error, root);
        if (near.Count > 0 && near.Start < extent.End)
            return (FsError.Invalid, root);
        var right = near.Count > 0 && near.Start == extent.End ? near : default;

        // First in, then out: a tree that became empty in between would give up its block for another.
        var merged = new FreeExtent(extent.Start - left.Count, left.Count + extent.Count + right.Count);
        (error, root) = await InsertItemsAsync(root, merged, cancellationToken);
        if (error == FsError.None && left.Count > 0)
            (error, root) = await RemoveItemsAsync(root, left, cancellationToken);
        if (error == FsError.None && right.Count > 0)
            (error, root) = await RemoveItemsAsync(root, right, cancellationToken);
        return (error, root);
    }

    /// <summary>
    /// Takes up to <paramref name="want"/> blocks from the front of an extent of the largest size class.
    /// </summary>
    /// <returns>None with the extent (Count 0 when the tree is empty) and the new root; NoSpace; or a read
    /// error.</returns>
    public async ValueTask<(FsError Error, AllocRoot Root, FreeExtent Taken)> TakeAsync(
        AllocRoot root, ulong want, CancellationToken cancellationToken)
    {
        Invariant.Require(want > 0);
        if (!HasRoom(root))
            return (FsError.NoSpace, root, default);
        _cursor.SetRoot(root.Root);
        var status = await _cursor.SeekAsync(new ItemKey(KeyZone.FreeBySize, 0, 0), cancellationToken);
        var largest = status == BtreeStatus.Found ? FreeExtent.FromSizeKey(_cursor.Key) : default;
        _cursor.Release();
        if (status == BtreeStatus.Corrupt)
            return (FailFrom(_cursor), root, default);
        if (largest.Count == 0)
            return (FsError.None, root, default);
        var error = FsError.None;
        if (largest.Count > want)
        {
            (error, root) = await InsertItemsAsync(
                root, new FreeExtent(largest.Start + want, largest.Count - want), cancellationToken);
        }

        if (error == FsError.None)
            (error, root) = await RemoveItemsAsync(root, largest, cancellationToken);
        return (error, root, largest with { Count = Math.Min(want, largest.Count) });
    }

    /// <summary>Takes up to <paramref name="want"/> blocks from the first free extent inside a range.</summary>
    /// <param name="root">Root of the tree.</param>
    /// <param name="start">First block of the range.</param>
    /// <param name="end">First block after the range.</param>
    /// <param name="want">Blocks, at least 1.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None with the extent (Count 0 when the range has no free block) and the new root; NoSpace; or a read
    /// error.</returns>
    public async ValueTask<(FsError Error, AllocRoot Root, FreeExtent Taken)> TakeWithinAsync(
        AllocRoot root, ulong start, ulong end, ulong want, CancellationToken cancellationToken)
    {
        Invariant.Require(want > 0);
        if (!HasRoom(root))
            return (FsError.NoSpace, root, default);
        var (error, found) = await FindAsync(root, start, cancellationToken);
        if (error != FsError.None || found.Count == 0 || found.Start >= end)
            return (error, root, default);
        ulong from = Math.Max(start, found.Start);
        var taken = new FreeExtent(from, Math.Min(want, Math.Min(end, found.End) - from));
        if (found.Start < taken.Start)
        {
            (error, root) = await InsertItemsAsync(
                root, new FreeExtent(found.Start, taken.Start - found.Start), cancellationToken);
        }

        if (error == FsError.None && taken.End < found.End)
        {
            (error, root) = await InsertItemsAsync(
                root, new FreeExtent(taken.End, found.End - taken.End), cancellationToken);
        }

        if (error == FsError.None)
            (error, root) = await RemoveItemsAsync(root, found, cancellationToken);
        return (error, root, taken);
    }

    /// <summary>Finds the first free extent that ends at or after a block; Count 0 when there is none.</summary>
    public ValueTask<(FsError Error, FreeExtent Extent)> NextAsync(
        AllocRoot root, ulong blkno, CancellationToken cancellationToken) => FindAsync(root, blkno, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _cursor.Dispose();
        _trees.Dispose();
    }

    private bool HasRoom(in AllocRoot root)
    {
        int worst = WorstBlocks(root);
        return _allocator.AvailableBlocks >= worst
            && _allocator.FreeRoomBlocks >= worst
            && _writer.RoomBlocks >= worst;
    }

    // The first free extent that ends at or after a block; Count 0 when there is none.
    private async ValueTask<(FsError Error, FreeExtent Extent)> FindAsync(
        AllocRoot root, ulong blkno, CancellationToken cancellationToken)
    {
        _cursor.SetRoot(root.Root);
        var status = await _cursor.SeekAsync(Keys.FreeByLocation(blkno, 0), cancellationToken);
        var extent = status == BtreeStatus.Found && _cursor.Key.Zone == KeyZone.FreeByLocation
            ? FreeExtent.FromLocationKey(_cursor.Key)
            : default;
        _cursor.Release();
        return (status == BtreeStatus.Corrupt ? FailFrom(_cursor) : FsError.None, extent);
    }

    private async ValueTask<(FsError Error, AllocRoot Root)> RemoveItemsAsync(
        AllocRoot root, FreeExtent extent, CancellationToken cancellationToken)
    {
        (var error, root.Root) = await _trees.RemoveAsync(
            root.Root, Keys.FreeByLocation(extent.End - 1, extent.Count), cancellationToken);
        if (error == FsError.None)
        {
            (error, root.Root) = await _trees.RemoveAsync(
                root.Root, Keys.FreeBySize(extent.End - 1, extent.Count), cancellationToken);
        }

        Fault = _trees.Fault;
        root.TotalLen = root.TotalLen - extent.Count;
        return (error, root);
    }

    private async ValueTask<(FsError Error, AllocRoot Root)> InsertItemsAsync(
        AllocRoot root, FreeExtent extent, CancellationToken cancellationToken)
    {
        (var error, root.Root) = await _trees.ForceAsync(
            root.Root, Keys.FreeByLocation(extent.End - 1, extent.Count), 0, 0, default, cancellationToken);
        if (error == FsError.None)
        {
            (error, root.Root) = await _trees.ForceAsync(
                root.Root, Keys.FreeBySize(extent.End - 1, extent.Count), 0, 0, default, cancellationToken);
        }

        Fault = _trees.Fault;
        root.TotalLen = root.TotalLen + extent.Count;
        return (error, root);
    }

    private FsError FailFrom(BtreeCursor cursor)
    {
        Fault = cursor.Fault;
        return cursor.Error;
    }
}
