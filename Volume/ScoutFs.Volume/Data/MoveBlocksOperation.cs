using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>Blocks to move from one file to another (archive §9.13).</summary>
/// <param name="FromIno">File that loses them.</param>
/// <param name="FromOffset">First byte there, a multiple of 4096.</param>
/// <param name="Length">Bytes; a multiple of 4096 unless they end with the file.</param>
/// <param name="ToIno">File that gets them.</param>
/// <param name="ToOffset">First byte there, a multiple of 4096.</param>
/// <param name="IsStaging">They are the archived contents of offline blocks, which they replace.</param>
/// <param name="DataVersion">Version of the contents that are staged.</param>
public readonly record struct BlockMove(
    ulong FromIno,
    ulong FromOffset,
    ulong Length,
    ulong ToIno,
    ulong ToOffset,
    bool IsStaging,
    ulong DataVersion);

/// <summary>Moves a batch of extents from one file to another, in one transaction; contents are not copied.</summary>
/// <remarks>
/// The source gets holes. Its own holes are skipped, so a batch ends however scattered or long the range is. What is
/// still in buffers needs no care: they are found by device block.
/// </remarks>
/// <param name="move">The whole move, its ranges without overflow, of two files.</param>
/// <param name="doneBlocks">Blocks of the range that earlier batches went over.</param>
/// <param name="now">Time of the call.</param>
/// <param name="data">The mount's data side.</param>
public struct MoveBlocksOperation(BlockMove move, ulong doneBlocks, Timespec now, DataPort data) : IOperation
{
    private const int BatchExtents = 16;
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    /// <summary>
    /// None; NotFound, NotPermitted under retention of either file, Invalid, Stale for another data_version than the
    /// staged one, IsDirectory, FileTooLarge, Offline, Corrupt.
    /// </summary>
    public FsError Error { get; private set; }

    /// <summary>Blocks of the range that are done.</summary>
    public ulong DoneBlocks { get; private set; }

    /// <summary>Nothing is left to do.</summary>
    public bool IsDone { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, move.FromIno, LockMode.Write, out var source, out var sourceError)
            || !InodeAccess.Load(context, move.ToIno, LockMode.Write, out var target, out var targetError))
        {
            return false;
        }

        Error = sourceError != FsError.None ? sourceError : targetError;
        if (Error == FsError.None)
            Error = CheckRange(source.Item, target.Item);
        IsDone = Error == FsError.None && move.FromOffset >= source.Item.Size;
        if (Error == FsError.None && !IsDone)
            Error = CheckFiles(source.Item, target.Item);
        if (Error != FsError.None || IsDone)
            return true;
        if (((source.Item.Flags | target.Item.Flags) & InodeItem.FlagTruncate) != 0)
        {
            bool isSource = (source.Item.Flags & InodeItem.FlagTruncate) != 0;
            context.Need(data.TruncateNeed(isSource ? move.FromIno : move.ToIno), releasesLocks: true);
            return false;
        }

        ulong length = Math.Min(move.Length, source.Item.Size - move.FromOffset);
        ulong end = (move.FromOffset / BlockBytes) + ((length - 1) / BlockBytes) + 1;
        if (!Plan(context, source, target, end, out ulong at, out bool isMoving))
            return false;
        if (Error != FsError.None)
            return true;
        ulong doneBytes = Math.Min(length, (at - (move.FromOffset / BlockBytes)) * BlockBytes);

        // Staging gives a file back what it had, never more: it may be retained.
        ulong size = move.IsStaging
            ? target.Item.Size
            : Math.Max(target.Item.Size, move.ToOffset + doneBytes);
        if (!Prepare(context, source, target, at, size))
            return false;
        if (!context.Hold(isAllocating: true))
            return false;

        Apply(context, ref source, ref target, at, size, isMoving);
        DoneBlocks = at - (move.FromOffset / BlockBytes);
        IsDone = at >= end;
        return true;
    }

    private readonly ulong From => (move.FromOffset / BlockBytes) + doneBlocks;

    private readonly FsError CheckRange(in InodeItem source, in InodeItem target)
    {
        if (InodeAccess.IsRetained(source) || (InodeAccess.IsRetained(target) && !move.IsStaging))
            return FsError.NotPermitted;
        bool isAligned = move.FromOffset % BlockBytes == 0 && move.ToOffset % BlockBytes == 0
            && (move.Length % BlockBytes == 0 || move.FromOffset + move.Length == source.Size);
        if (!isAligned)
            return FsError.Invalid;
        return move.IsStaging && target.DataVersion != move.DataVersion ? FsError.Stale : FsError.None;
    }

    private readonly FsError CheckFiles(in InodeItem source, in InodeItem target)
    {
        if (InodeAccess.IsDirectory(source) || InodeAccess.IsDirectory(target))
            return FsError.IsDirectory;
        if (!InodeAccess.IsRegular(source) || !InodeAccess.IsRegular(target))
            return FsError.Invalid;
        if (source.OfflineBlocks != 0UL || (target.OfflineBlocks != 0UL && !move.IsStaging))
            return FsError.Offline;
        ulong length = Math.Min(move.Length, source.Size - move.FromOffset);
        return move.ToOffset > long.MaxValue - length ? FsError.FileTooLarge : FsError.None;
    }

    // Looks how far this batch goes; what the target does not admit ends it, or the whole move.
    private bool Plan(
        OperationContext context,
        in InodeHandle source,
        in InodeHandle target,
        ulong end,
        out ulong at,
        out bool isMoving)
    {
        at = From;
        isMoving = false;
        for (int count = 0; count < BatchExtents && at < end; count++)
        {
            if (!FileExtents.Next(context, source, at, out bool isFound, out var extent))
                return false;
            if (!isFound || extent.Start >= end)
            {
                at = end;
                return true;
            }

            var piece = extent.Slice(Math.Max(at, extent.Start), Math.Min(end, extent.End));
            if (!FileExtents.Next(context, target, InTarget(piece.Start), out bool isThere, out var present))
                return false;
            bool isAdmitted = move.IsStaging
                ? isThere && present.IsOffline && present.Start <= InTarget(piece.Start)
                    && present.End >= InTarget(piece.End)
                : !isThere || present.Start >= InTarget(piece.End);
            if (!isAdmitted)
            {
                Error = isMoving ? FsError.None : FsError.Invalid;
                return true;
            }

            isMoving = true;
            at = piece.End;
        }

        return true;
    }

    private readonly bool Prepare(
        OperationContext context, in InodeHandle source, in InodeHandle target, ulong at, ulong size)
    {
        return (!MovesTail(source.Item, at) || data.TouchTail(context, source, source.Item.Size))
            && (size == target.Item.Size || data.TouchTail(context, target, target.Item.Size))
            && FileExtents.Touch(context, source, From, at)
            && FileExtents.Touch(context, target, InTarget(From), InTarget(at))
            && data.MayFree(context, move.FromIno)
            && data.MayFree(context, move.ToIno)
            && InodeAccess.Prepare(context, source, changesData: true)
            && InodeAccess.Prepare(context, target, changesData: !move.IsStaging);
    }

    private readonly void Apply(
        OperationContext context,
        ref InodeHandle source,
        ref InodeHandle target,
        ulong end,
        ulong size,
        bool isMoving)
    {
        // The target may be longer than the source: what lies behind the source's end would show there.
        if (MovesTail(source.Item, end))
            data.ClearTail(context, source, source.Item.Size);
        if (size != target.Item.Size)
            data.ClearTail(context, target, target.Item.Size);
        for (ulong at = From; at < end;)
        {
            bool isKnown = FileExtents.Next(context, source, at, out bool isFound, out var extent);
            Invariant.Require(isKnown);
            if (!isFound || extent.Start >= end)
                break;
            var piece = extent.Slice(Math.Max(at, extent.Start), Math.Min(end, extent.End));
            at = piece.End;
            FileExtents.Set(context, ref source, new DataExtent(piece.Start, piece.Count, 0, 0));
            if (move.IsStaging)
                FreeReserved(context, ref target, InTarget(piece.Start), InTarget(piece.End));
            FileExtents.Set(context, ref target, piece with { Start = InTarget(piece.Start) });
        }

        if (isMoving)
        {
            source.Item.DataVersion = source.Item.DataVersion + 1;
            source.Item.Mtime = source.Item.Ctime = now;
            InodeAccess.Store(context, ref source, changesData: true);
        }

        if (!isMoving && size == target.Item.Size)
            return;
        target.Item.Size = size;
        if (move.IsStaging)
        {
            InodeAccess.Store(context, ref target, changesData: false, isCounted: false);
            data.Waiters.Wake(move.ToIno);
            return;
        }

        target.Item.DataVersion = target.Item.DataVersion + 1;
        target.Item.Mtime = target.Item.Ctime = now;
        InodeAccess.Store(context, ref target, changesData: true);
    }

    // Space that was allocated to be staged into is not needed any more.
    private readonly void FreeReserved(OperationContext context, ref InodeHandle target, ulong start, ulong end)
    {
        bool isKnown = FileExtents.Next(context, target, start, out bool isFound, out var reserved);
        Invariant.Require(isKnown && isFound && reserved.Start <= start && reserved.End >= end);
        if (reserved.Blkno != 0)
            FileExtents.Free(context, ref target, reserved.Slice(start, end), data.Buffers);
    }

    private static bool MovesTail(in InodeItem source, ulong end) =>
        source.Size % BlockBytes != 0 && end > source.Size / BlockBytes;

    private readonly ulong InTarget(ulong block) =>
        block - (move.FromOffset / BlockBytes) + (move.ToOffset / BlockBytes);
}
