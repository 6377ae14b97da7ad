using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>Sets a file's size (engine §6.5).</summary>
/// <remarks>
/// The first transaction sets the size and, when blocks past it have to go, a persistent flag; <see
/// cref="FinishAsync"/>
/// removes them in transactions of bounded size and clears the flag. Whoever meets the flag after a crash goes on.
/// </remarks>
/// <param name="ino">Inode number.</param>
/// <param name="size">New size in bytes, at most 2^63-1.</param>
/// <param name="now">Time of the call.</param>
/// <param name="data">The mount's data side.</param>
public struct TruncateOperation(ulong ino, ulong size, Timespec now, DataPort data) : IOperation
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    /// <summary>None; NotFound, IsDirectory, Invalid, NotPermitted, FileTooLarge, Io, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The inode, changed.</summary>
    public InodeItem Item { get; private set; }

    /// <summary>Blocks remain to be removed: call <see cref="FinishAsync"/>.</summary>
    public bool MustFinish { get; private set; }

    /// <summary>Sets a size and removes what lies behind it.</summary>
    public static async ValueTask<(FsError Error, InodeItem Item)> RunAsync(
        OperationRunner runner,
        DataPort data,
        ulong ino,
        ulong size,
        Timespec now,
        CancellationToken cancellationToken)
    {
        var (error, done) = await runner.RunAsync(
            new TruncateOperation(ino, size, now, data), cancellationToken);
        if (error == FsError.None && done.MustFinish)
            error = await FinishAsync(runner, data, ino, cancellationToken);
        return (error, done.Item);
    }

    /// <summary>Removes the blocks past the size of a file whose truncation was begun.</summary>
    public static ValueTask<FsError> FinishAsync(
        OperationRunner runner, DataPort data, ulong ino, CancellationToken cancellationToken) =>
        RemoveExtentsOperation.RunAsync(runner, data, ino, isDeleting: false, cancellationToken);

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

        ulong old = inode.Item.Size;
        if (size > 0 && size != old && inode.Item.OfflineBlocks != 0UL)
        {
            if (!OfflineExtents.FindFirst(
                context, inode, 0, DataPort.BlocksOf(size), out ulong block))
            {
                return false;
            }

            if (block != ulong.MaxValue)
            {
                context.Need(data.Waiters.Add(ino, block, DataWaitOp.ChangeSize), releasesLocks: true);
                return false;
            }
        }

        ulong tail = Math.Min(size, old);
        ulong behind = DataPort.BlocksOf(size);
        if ((size != old && !data.TouchTail(context, inode, tail))
            || !FileExtents.Next(context, inode, behind, out bool hasMore, out _)
            || !InodeAccess.Prepare(context, inode, changesData: true))
        {
            return false;
        }

        if (!context.Hold(isAllocating: false))
            return false;

        if (size != old)
        {
            data.ClearTail(context, inode, tail);
            inode.Item.DataVersion = inode.Item.DataVersion + 1;
        }

        inode.Item.Size = size;
        inode.Item.Mtime = inode.Item.Ctime = now;
        MustFinish = size <= old && hasMore;
        if (MustFinish)
            inode.Item.Flags = inode.Item.Flags | InodeItem.FlagTruncate;
        InodeAccess.Store(context, ref inode, changesData: true);
        Item = inode.Item;
        return true;
    }

    private readonly FsError Check(in InodeItem item)
    {
        if (InodeAccess.CheckRegular(item) is var error and not FsError.None)
            return error;
        if (InodeAccess.IsRetained(item))
            return FsError.NotPermitted;
        return size > long.MaxValue ? FsError.FileTooLarge : FsError.None;
    }
}

/// <summary>
/// Removes a batch of a file's extents, in one transaction: those past the size, or all of a deleted file.
/// </summary>
/// <param name="ino">Inode number.</param>
/// <param name="isDeleting">The file has no link left and goes.</param>
/// <param name="data">The mount's data side.</param>
public struct RemoveExtentsOperation(ulong ino, bool isDeleting, DataPort data) : IOperation
{
    private const int BatchExtents = 32;

    /// <summary>None; NotFound, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>No extent is left to remove.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Removes all of them, batch after batch.</summary>
    public static async ValueTask<FsError> RunAsync(
        OperationRunner runner,
        DataPort data,
        ulong ino,
        bool isDeleting,
        CancellationToken cancellationToken,
        ClusterLock? borrowed = null)
    {
        while (true)
        {
            var (error, removed) = await runner.RunAsync(
                new RemoveExtentsOperation(ino, isDeleting, data), cancellationToken, borrowed);
            if (error != FsError.None || removed.IsDone)
                return error;
        }
    }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error;
        IsDone = error != FsError.None
            || (!isDeleting && (inode.Item.Flags & InodeItem.FlagTruncate) == 0)
            || (isDeleting && inode.Item.Nlink != 0U);
        if (IsDone)
            return true;
        ulong from = isDeleting
            ? 0
            : DataPort.BlocksOf(inode.Item.Size);
        ulong end = from;
        bool hasMore = true;
        for (int i = 0; i < BatchExtents && hasMore; i++)
        {
            if (!FileExtents.Next(context, inode, end, out hasMore, out var extent))
                return false;
            if (hasMore)
                end = extent.End;
        }

        if (!FileExtents.Touch(context, inode, from, end)
            || !data.MayFree(context, ino)
            || !InodeAccess.Prepare(context, inode, changesData: false))
        {
            return false;
        }

        if (end == from && isDeleting)
        {
            IsDone = true;
            return true;
        }

        if (!context.Hold(isAllocating: false))
            return false;

        bool wasOffline = inode.Item.OfflineBlocks != 0UL;
        while (from < end)
        {
            bool isKnown = FileExtents.Next(context, inode, from, out bool isFound, out var extent);
            Invariant.Require(isKnown);
            if (!isFound || extent.Start >= end)
                break;
            var part = extent.Start < from ? extent.Slice(from, extent.End) : extent;
            from = part.End;
            FileExtents.Free(context, ref inode, part, data.Buffers);
        }

        IsDone = !hasMore;
        if (IsDone && !isDeleting)
            inode.Item.Flags = inode.Item.Flags & ~InodeItem.FlagTruncate;
        InodeAccess.Store(context, ref inode, changesData: false);
        if (wasOffline)
            data.Waiters.Wake(ino);
        return true;
    }
}
