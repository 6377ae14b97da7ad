using System;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>An extent of a file: consecutive blocks of 4 KiB in one state (engine §8.1).</summary>
/// <param name="Start">First logical block.</param>
/// <param name="Count">Blocks, at least 1.</param>
/// <param name="Blkno">First block on the data device, 0: none.</param>
/// <param name="Flags">Bits of <see cref="DataExtentItem"/>.</param>
public readonly record struct DataExtent(ulong Start, ulong Count, ulong Blkno, byte Flags)
{
    /// <summary>Block behind the last.</summary>
    public ulong End => Start + Count;

    /// <summary>Contents are archived elsewhere.</summary>
    public bool IsOffline => (Flags & DataExtentItem.FlagOffline) != 0;

    /// <summary>Allocated, but reads as zeros.</summary>
    public bool IsUnwritten => (Flags & DataExtentItem.FlagUnwritten) != 0;

    /// <summary>Contents are on the device.</summary>
    public bool IsOnline => Blkno != 0 && Flags == 0;

    /// <summary>The part between two logical blocks.</summary>
    public DataExtent Slice(ulong from, ulong end)
    {
        Invariant.Require(from >= Start && end <= End && from < end);
        return new DataExtent(from, end - from, Blkno == 0 ? 0 : Blkno + (from - Start), Flags);
    }

    /// <summary>True when the other goes on where this one ends, in the same state.</summary>
    public bool IsFollowedBy(in DataExtent next) => next.Start == End && next.Flags == Flags
        && (Blkno == 0 ? next.Blkno == 0 : next.Blkno == Blkno + Count);
}

/// <summary>Extent items of a file, and the algebra of their changes (engine §8.2).</summary>
/// <remarks>
/// Called by attempts, with the gate held. <see cref="Touch"/> makes the neighbourhood known before the hold; then
/// <see cref="Set"/> cannot fail. Counts of the inode change with the items; the caller stores it.
/// </remarks>
public static class FileExtents
{
    /// <summary>Finds the extent that contains a block, or the next behind it. False: attempt again.</summary>
    public static bool Next(
        OperationContext context, in InodeHandle inode, ulong block, out bool isFound, out DataExtent extent)
    {
        extent = default;
        var last = Keys.DataExtent(inode.Ino, ulong.MaxValue, ulong.MaxValue);
        if (!context.Next(
            inode.Lock, Keys.DataExtent(inode.Ino, block, 0), last, out isFound, out var key, out var value))
        {
            return false;
        }

        if (isFound)
            extent = Parse(key, value);
        return true;
    }

    /// <summary>Makes every extent from the block before a range to the one behind it known.</summary>
    public static bool Touch(OperationContext context, in InodeHandle inode, ulong start, ulong end)
    {
        ulong block = start == 0 ? 0 : start - 1;
        while (Next(context, inode, block, out bool isFound, out var extent))
        {
            if (!isFound || extent.Start > end)
                return true;
            block = extent.End;
        }

        return false;
    }

    /// <summary>
    /// Puts a range, which lies in one extent or in a hole, into a state; blkno 0 without flags makes a hole.
    /// </summary>
    public static void Set(OperationContext context, ref InodeHandle inode, in DataExtent to)
    {
        var merged = to;
        bool isHole = to.Blkno == 0 && to.Flags == 0;
        var found = Known(context, inode, to.Start == 0 ? 0 : to.Start - 1);
        if (found is { } left && left.End == to.Start)
        {
            if (!isHole && left.IsFollowedBy(merged))
            {
                RemoveItem(context, inode, left);
                merged = left with { Count = left.Count + merged.Count };
            }

            found = Known(context, inode, to.Start);
        }

        if (found is { } present && present.Start < to.End)
        {
            Invariant.Require(present.Start <= to.Start && present.End >= to.End);
            RemoveItem(context, inode, present);
            Count(ref inode.Item, present.Slice(to.Start, to.End), isAdded: false);
            if (present.End > to.End)
            {
                PutItem(context, inode, present.Slice(to.End, present.End));
            }

            if (present.Start < to.Start)
                PutItem(context, inode, present.Slice(present.Start, to.Start));
            found = Known(context, inode, to.End);
        }

        if (isHole)
            return;
        if (found is { } right && merged.IsFollowedBy(right))
        {
            RemoveItem(context, inode, right);
            merged = merged with { Count = merged.Count + right.Count };
        }

        Count(ref inode.Item, to, isAdded: true);
        PutItem(context, inode, merged);
    }

    /// <summary>Frees the blocks of an extent that was found, and removes it.</summary>
    public static void Free(
        OperationContext context, ref InodeHandle inode, in DataExtent extent, DataBuffers buffers)
    {
        Set(context, ref inode, new DataExtent(extent.Start, extent.Count, 0, 0));
        if (extent.Blkno == 0)
            return;
        buffers.Discard(extent.Blkno, extent.Count);
        context.Transaction.FreeData(new FreeExtent(extent.Blkno, extent.Count));
    }

    private static DataExtent? Known(OperationContext context, in InodeHandle inode, ulong block)
    {
        bool isKnown = Next(context, inode, block, out bool isFound, out var extent);
        Invariant.Require(isKnown);
        return isFound ? extent : null;
    }

    private static DataExtent Parse(in ItemKey key, ReadOnlySpan<byte> value)
    {
        ref readonly var item = ref Disk.Ref<DataExtentItem>(value);
        return new DataExtent(key.Second.Value - key.Third.Value + 1, key.Third, item.Blkno, item.Flags);
    }

    private static void RemoveItem(OperationContext context, in InodeHandle inode, in DataExtent extent) =>
        context.Items.Remove(
            Keys.DataExtent(inode.Ino, extent.End - 1, extent.Count), context.ItemSeq(inode.Lock));

    private static void PutItem(OperationContext context, in InodeHandle inode, in DataExtent extent)
    {
        var item = new DataExtentItem { Blkno = extent.Blkno, Flags = extent.Flags };
        context.Items.Put(
            Keys.DataExtent(inode.Ino, extent.End - 1, extent.Count), context.ItemSeq(inode.Lock),
            Disk.Bytes(in item));
    }

    // Online: mapped and written. Else offline when flagged so (engine §8.2).
    private static void Count(ref InodeItem item, in DataExtent extent, bool isAdded)
    {
        ulong count = isAdded ? extent.Count : 0 - extent.Count;
        if (extent.Blkno != 0 && !extent.IsUnwritten)
            item.OnlineBlocks = item.OnlineBlocks.Value + count;
        else if (extent.IsOffline)
            item.OfflineBlocks = item.OfflineBlocks.Value + count;
    }
}
