using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>What happens to the blocks of a range.</summary>
public enum OfflineChange
{
    /// <summary>Blocks are freed and become offline (archive §9.5).</summary>
    Release,

    /// <summary>Offline blocks become holes (archive §9.15).</summary>
    Punch,

    /// <summary>Blocks past the size are freed, if nothing of the file is online (engine §8.10).</summary>
    DropPastEnd,
}

/// <summary>
/// Frees a batch of a file's blocks whose contents are archived, or gives up offline ones, in one transaction.
/// </summary>
/// <remarks>Neither changes data_version, so that an archived copy stays valid.</remarks>
/// <param name="change">What happens.</param>
/// <param name="ino">Inode number.</param>
/// <param name="dataVersion">Version that the caller has archived; another one is Stale.</param>
/// <param name="fromBlock">First block.</param>
/// <param name="endBlock">Block behind the last.</param>
/// <param name="data">The mount's data side.</param>
public struct ReleaseOperation(
    OfflineChange change, ulong ino, ulong dataVersion, ulong fromBlock, ulong endBlock, DataPort data) : IOperation
{
    private const int BatchExtents = 32;

    /// <summary>
    /// None; NotFound, Invalid, Stale for another data_version, NotPermitted under retention, Corrupt.
    /// </summary>
    public FsError Error { get; private set; }

    /// <summary>First block that is left to do.</summary>
    public ulong NextBlock { get; private set; }

    /// <summary>Nothing is left to do.</summary>
    public bool IsDone { get; private set; }

    /// <summary>No online block is left and the file has a size: what lies past it may go.</summary>
    public bool IsFullyOffline { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error != FsError.None ? error : Check(inode.Item);
        IsDone = change == OfflineChange.DropPastEnd && !MayDrop(inode.Item);
        if (Error != FsError.None || IsDone)
            return true;
        ulong at = fromBlock;
        int count = 0;
        bool hasMore = true;
        while (hasMore && count < BatchExtents && at < endBlock)
        {
            if (!FileExtents.Next(context, inode, at, out hasMore, out var extent))
                return false;
            if (!hasMore || extent.Start >= endBlock)
            {
                hasMore = false;
                at = endBlock;
                break;
            }

            if (change == OfflineChange.Punch && !(extent.IsOffline && extent.Blkno == 0))
            {
                // What comes before it is done first.
                if (count > 0)
                    break;
                Error = FsError.Invalid;
                return true;
            }

            at = Math.Min(endBlock, extent.End);
            count++;
        }

        if (!FileExtents.Touch(context, inode, fromBlock, at)
            || !data.MayFree(context, ino)
            || !InodeAccess.Prepare(context, inode, changesData: false))
        {
            return false;
        }

        if (!context.Hold(isAllocating: false))
            return false;

        Apply(context, ref inode, at);
        NextBlock = at;
        IsDone = at >= endBlock;
        IsFullyOffline = inode.Item.OnlineBlocks == 0UL && inode.Item.Size != 0UL;
        return true;
    }

    private readonly FsError Check(in InodeItem item)
    {
        if (!InodeAccess.IsRegular(item))
            return FsError.Invalid;
        if (item.DataVersion != dataVersion)
            return FsError.Stale;
        return change == OfflineChange.Punch && InodeAccess.IsRetained(item) ? FsError.NotPermitted : FsError.None;
    }

    // Somebody may have written, or grown the file, since the caller looked.
    private readonly bool MayDrop(in InodeItem item) => item.OnlineBlocks == 0UL
        && fromBlock >= DataPort.BlocksOf(item.Size);

    private readonly void Apply(OperationContext context, ref InodeHandle inode, ulong end)
    {
        bool isChanged = false;
        for (ulong at = fromBlock; at < end;)
        {
            bool isKnown = FileExtents.Next(context, inode, at, out bool isFound, out var extent);
            Invariant.Require(isKnown);
            if (!isFound || extent.Start >= end)
                break;
            var part = extent.Slice(Math.Max(at, extent.Start), Math.Min(end, extent.End));
            at = part.End;
            if (change == OfflineChange.Release && part.Blkno == 0)
                continue;
            isChanged = true;
            FileExtents.Free(context, ref inode, part, data.Buffers);
            if (change == OfflineChange.Release)
                FileExtents.Set(context, ref inode, part with { Blkno = 0, Flags = DataExtentItem.FlagOffline });
        }

        if (!isChanged)
            return;
        InodeAccess.Store(context, ref inode, changesData: false);
        if (change == OfflineChange.Punch)
            data.Waiters.Wake(ino);
    }
}
