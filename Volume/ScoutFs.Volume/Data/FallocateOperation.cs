using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>Allocates a batch of the blocks that a range of a file lacks, in one transaction (engine §8.7).</summary>
/// <remarks>Contents do not change: allocated blocks read as zeros, offline ones stay offline.</remarks>
/// <param name="ino">Inode number.</param>
/// <param name="offset">First byte of the whole range.</param>
/// <param name="length">Bytes of the whole range, at least 1.</param>
/// <param name="fromBlock">First block that earlier batches left.</param>
/// <param name="keepsSize">The size stays; else it grows with what is done.</param>
/// <param name="data">The mount's data side.</param>
public struct FallocateOperation(
    ulong ino, ulong offset, ulong length, ulong fromBlock, bool keepsSize, DataPort data) : IOperation
{
    private const int BatchExtents = 8;
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    /// <summary>
    /// None; NotFound, IsDirectory, Invalid, NotPermitted under retention, FileTooLarge, Corrupt.
    /// </summary>
    public FsError Error { get; private set; }

    /// <summary>First block that is left to do.</summary>
    public ulong NextBlock { get; private set; }

    /// <summary>Nothing is left to do.</summary>
    public bool IsDone { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error != FsError.None ? error : Check(inode.Item);
        if (Error != FsError.None)
            return true;
        if ((inode.Item.Flags & InodeItem.FlagTruncate) != 0)
        {
            context.Need(data.TruncateNeed(ino), releasesLocks: true);
            return false;
        }

        if (!DataPort.CheckQuota(context, inode, out error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;
        ulong end = ((offset + length - 1) / BlockBytes) + 1;
        bool mayGrow = !keepsSize && offset + length > inode.Item.Size;
        if (mayGrow && !data.TouchTail(context, inode, inode.Item.Size))
            return false;

        // Blocks are taken with the transaction held only: a commit counts what is left of them.
        if (!context.Hold(isAllocating: true))
            return false;

        if (!Plan(context, inode, end, out var plan, out ulong next))
            return false;
        if (!FileExtents.Touch(context, inode, fromBlock, next) || !InodeAccess.Prepare(context, inode, false))
        {
            DataPort.GiveBack(context, plan);
            return false;
        }

        bool isChanged = plan.Count > 0;
        DataPort.Allocate(context, ref inode, plan);
        NextBlock = next;
        IsDone = next >= end;
        ulong size = IsDone ? offset + length : next * BlockBytes;
        if (!keepsSize && size > inode.Item.Size)
        {
            data.ClearTail(context, inode, inode.Item.Size);
            inode.Item.Size = size;
            inode.Item.DataVersion = inode.Item.DataVersion + 1;
            isChanged = true;
        }

        if (isChanged)
            InodeAccess.Store(context, ref inode, changesData: false);
        return true;
    }

    private readonly FsError Check(in InodeItem item)
    {
        if (InodeAccess.CheckRegular(item) is var error and not FsError.None)
            return error;
        if (InodeAccess.IsRetained(item))
            return FsError.NotPermitted;
        if (length > ulong.MaxValue - offset)
            return FsError.Invalid;
        return offset + length > long.MaxValue ? FsError.FileTooLarge : FsError.None;
    }

    // Space for holes, and for offline blocks to be staged into.
    private readonly bool Plan(
        OperationContext context, in InodeHandle inode, ulong end, out List<DataExtent> plan, out ulong next)
    {
        plan = data.EmptyPlan();
        next = fromBlock;
        while (next < end && plan.Count < BatchExtents)
        {
            if (!FileExtents.Next(context, inode, next, out bool isFound, out var extent))
            {
                DataPort.GiveBack(context, plan);
                return false;
            }

            bool isInside = isFound && extent.Start <= next;
            if (isInside && extent.Blkno != 0)
            {
                next = Math.Min(end, extent.End);
                continue;
            }

            byte flags = isInside
                ? (byte)(DataExtentItem.FlagOffline | DataExtentItem.FlagUnwritten)
                : DataExtentItem.FlagUnwritten;
            ulong stop = !isFound ? end : Math.Min(end, isInside ? extent.End : extent.Start);
            ulong want = Math.Min(stop - next, DataSpace.PieceBlocks);
            if (!context.Transaction.DataSpace.TryTake(want, out var taken))
            {
                if (plan.Count > 0)
                    return true;
                context.Need(context.Transaction.DataSpace, releasesLocks: false);
                return false;
            }

            plan.Add(new DataExtent(next, taken.Count, taken.Start, flags));
            next += taken.Count;
        }

        return true;
    }
}
