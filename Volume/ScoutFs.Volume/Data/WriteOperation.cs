using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>How files get blocks (engine §8.3).</summary>
/// <param name="PreallocBlocks">Most blocks allocated ahead, 1..2^52-1.</param>
/// <param name="IsContiguousOnly">Only streams get blocks ahead; else aligned regions do.</param>
public readonly record struct AllocationPolicy(ulong PreallocBlocks, bool IsContiguousOnly);

/// <summary>Writes a piece of a file into buffers (engine §8.5).</summary>
public struct WriteOperation : IOperation
{
    /// <summary>Most bytes in one operation: a piece of a larger write.</summary>
    public const int MaxBytes = 1 << 20;

    private const uint SetUidGid = 0xc00;
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    private readonly ulong _ino;
    private readonly ulong _offset;
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly bool _isAppend;
    private readonly bool _clearsSetId;
    private readonly ulong? _stagedVersion;
    private readonly Timespec _now;
    private readonly DataPort _data;

    /// <summary>Describes a write.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte; ignored for an append.</param>
    /// <param name="bytes">1..<see cref="MaxBytes"/> bytes.</param>
    /// <param name="isAppend">Write at the end of the file, wherever that is then.</param>
    /// <param name="clearsSetId">Whether set-id bits go, as for unprivileged callers.</param>
    /// <param name="now">Time of the call.</param>
    /// <param name="data">The mount's data side.</param>
    /// <param name="stagedVersion">
    /// Not null: the bytes come back from the archive, where this data_version was kept (archive §9.6).
    /// </param>
    public WriteOperation(
        ulong ino,
        ulong offset,
        ReadOnlyMemory<byte> bytes,
        bool isAppend,
        bool clearsSetId,
        Timespec now,
        DataPort data,
        ulong? stagedVersion = null)
    {
        Invariant.Require(bytes.Length is > 0 and <= MaxBytes);
        _ino = ino;
        _offset = offset;
        _bytes = bytes;
        _isAppend = isAppend;
        _clearsSetId = clearsSetId;
        _now = now;
        _data = data;
        _stagedVersion = stagedVersion;
    }

    /// <summary>None; NotFound, Invalid, IsDirectory, NotPermitted, Stale for another data_version than the staged one,
    /// FileTooLarge, Io, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Where it was written.</summary>
    public ulong Offset { get; private set; }

    /// <summary>The inode, changed.</summary>
    public InodeItem Item { get; private set; }

    /// <summary>Checks whether a range can be staged (archive §9.6).</summary>
    /// <returns>None; Invalid; Stale for another version.</returns>
    public static FsError CheckStage(in InodeItem item, ulong offset, ulong end, ulong version)
    {
        bool isWhole = offset % BlockBytes == 0 && (end % BlockBytes == 0 || end == item.Size);
        if (!InodeAccess.IsRegular(item) || end > item.Size || !isWhole)
            return FsError.Invalid;
        return item.DataVersion == version ? FsError.None : FsError.Stale;
    }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, _ino, LockMode.Write, out var inode, out var error))
            return false;
        Offset = _isAppend ? inode.Item.Size.Value : _offset;
        Error = error != FsError.None ? error : Check(inode.Item);
        if (Error != FsError.None)
            return true;
        if ((inode.Item.Flags & InodeItem.FlagTruncate) != 0)
        {
            context.Need(_data.TruncateNeed(_ino), releasesLocks: true);
            return false;
        }

        // The version is of the whole file: nothing of it may be in the archive alone (engine §8.5).
        if (inode.Item.OfflineBlocks != 0UL && _stagedVersion is null)
        {
            if (!OfflineExtents.FindFirst(context, inode, 0, DataPort.BlocksOf(inode.Item.Size), out ulong block))
                return false;
            if (block != ulong.MaxValue)
            {
                context.Need(_data.Waiters.Add(_ino, block, DataWaitOp.Write), releasesLocks: true);
                return false;
            }
        }

        if (_stagedVersion is null)
        {
            if (!DataPort.CheckQuota(context, inode, out error))
                return false;
            Error = error;
            if (error != FsError.None)
                return true;
        }

        ulong first = Offset / BlockBytes;
        ulong end = ((Offset + (ulong)_bytes.Length - 1) / BlockBytes) + 1;

        // Blocks may lie scattered, in the worst case one a chunk.
        if (_data.Buffers.RoomChunks < Math.Min((int)(end - first), DataBuffers.ChunkBlocks * 2) + 3)
        {
            context.Need(_data.Buffers, releasesLocks: false);
            return false;
        }

        bool leavesGap = Offset > inode.Item.Size;
        if (!FileExtents.Touch(context, inode, first, end) || !TouchEdges(context, inode, first, end)
            || (leavesGap && !_data.TouchTail(context, inode, inode.Item.Size)))
        {
            return false;
        }

        // Blocks are taken with the transaction held only: a commit counts what is left of them.
        if (!context.Hold(isAllocating: true))
            return false;

        // Blocks past the end may be offline, too: nobody waits for those.
        if (!_data.Plan(context, inode, first, end, out var plan))
        {
            context.Need(context.Transaction.DataSpace, releasesLocks: false);
            return false;
        }

        if (!InodeAccess.Prepare(context, inode, changesData: _stagedVersion is null))
        {
            DataPort.GiveBack(context, plan);
            return false;
        }

        Apply(context, inode, first, end, plan);
        return true;
    }

    private readonly FsError Check(in InodeItem item)
    {
        if (_stagedVersion is { } version)
            return CheckStage(item, Offset, Offset + (ulong)_bytes.Length, version);
        if (InodeAccess.CheckRegular(item) is var error and not FsError.None)
            return error;
        if (InodeAccess.IsRetained(item))
            return FsError.NotPermitted;
        return Offset > long.MaxValue - (ulong)_bytes.Length ? FsError.FileTooLarge : FsError.None;
    }

    // A block that is written in part needs the rest of its contents.
    private readonly bool TouchEdges(OperationContext context, in InodeHandle inode, ulong first, ulong end)
    {
        ulong endOffset = Offset + (ulong)_bytes.Length;
        bool isHeadPartial = Offset % BlockBytes != 0;
        bool isTailPartial = endOffset % BlockBytes != 0 && _stagedVersion is null;
        return (!isHeadPartial || _data.TouchBlock(context, inode, first))
            && (!isTailPartial || _data.TouchBlock(context, inode, end - 1));
    }

    private void Apply(
        OperationContext context, InodeHandle inode, ulong first, ulong end, List<DataExtent> plan)
    {
        if (Offset > inode.Item.Size)
            _data.ClearTail(context, inode, inode.Item.Size);
        DataPort.Allocate(context, ref inode, plan);
        ulong block = first;
        int done = 0;
        while (block < end)
        {
            bool isKnown = FileExtents.Next(context, inode, block, out bool isFound, out var extent);
            Invariant.Require(isKnown && isFound && extent.Start <= block && extent.Blkno != 0);
            ulong to = Math.Min(end, extent.End);
            var part = extent.Slice(block, to);
            bool wasUnwritten = part.IsUnwritten;
            if (wasUnwritten)
                FileExtents.Set(context, ref inode, part with { Flags = 0 });
            for (; block < to; block++)
                done += CopyBlock(part.Blkno + (block - part.Start), done, wasUnwritten);
        }

        Invariant.Require(done == _bytes.Length);
        _data.Buffers.Kick();
        if (_stagedVersion is not null)
        {
            InodeAccess.Store(context, ref inode, changesData: false);
            _data.Waiters.Wake(_ino);
            Item = inode.Item;
            return;
        }

        ref var item = ref inode.Item;
        item.Size = Math.Max(item.Size.Value, Offset + (ulong)_bytes.Length);
        item.DataVersion = item.DataVersion + 1;
        item.Mtime = item.Ctime = _now;
        if (_clearsSetId)
            item.Mode = item.Mode & ~SetUidGid;
        InodeAccess.Store(context, ref inode, changesData: true);
        Item = item;
    }

    private readonly int CopyBlock(ulong blkno, int done, bool isNew)
    {
        int start = done == 0 ? (int)(Offset % BlockBytes) : 0;
        int length = Math.Min(BlockBytes - start, _bytes.Length - done);
        var target = _data.Buffers.Dirty(blkno);

        // What was not written before reads as zeros; what was, and is replaced in part, is held. Staging replaces
        // whole blocks.
        if (length < BlockBytes && (isNew || _stagedVersion is not null))
            target.Clear();
        _bytes.Span.Slice(done, length).CopyTo(target[start..]);
        return length;
    }
}
