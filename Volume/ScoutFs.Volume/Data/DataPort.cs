using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>What the data operations of a mount share: buffers, waiters, block allocation, reads under way.</summary>
/// <remarks>Guarded by the gate.</remarks>
public sealed class DataPort : IDisposable
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    private readonly OperationRunner _runner;
    private readonly List<DataExtent> _plan = [];
    private readonly Dictionary<ulong, ReadsOfInode> _reads = [];
    private readonly BlockPool _loadPool = new(16);

    /// <summary>Creates the data side of a mount.</summary>
    public DataPort(OperationRunner runner, DataBuffers buffers, AllocationPolicy policy)
    {
        _runner = runner;
        Buffers = buffers;
        Policy = policy;
        Waiters = new OfflineWaiters(runner.Gate);
    }

    /// <summary>File data on its way to the device.</summary>
    public DataBuffers Buffers { get; }

    /// <summary>Operations that wait for offline data.</summary>
    public OfflineWaiters Waiters { get; }

    /// <summary>How files get blocks; may change at any time.</summary>
    public AllocationPolicy Policy { get; set; }

    /// <summary>The need of an operation that met an interrupted truncation: to finish it.</summary>
    public IOperationNeed TruncateNeed(ulong ino) => new InterruptedTruncate(_runner, this, ino);

    /// <summary>Blocks that so many bytes from the start of a file lie in.</summary>
    public static ulong BlocksOf(ulong bytes) => (bytes / BlockBytes) + (bytes % BlockBytes == 0 ? 0UL : 1);

    /// <summary>Whether quota rules allow the file more data (archive §10.8). False: attempt again.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="error">None, QuotaExceeded or Corrupt.</param>
    public static bool CheckQuota(OperationContext context, in InodeHandle inode, out FsError error)
    {
        error = FsError.None;
        return context.Quota is null || context.Quota.Check(
            context, QuotaOp.Data, inode.Item.Proj, inode.Item.Uid, inode.Item.Gid, out error);
    }

    /// <summary>Makes the contents of a written block available in the buffers. False: attempt again.</summary>
    public bool TouchBlock(OperationContext context, in InodeHandle inode, ulong block)
    {
        if (!FileExtents.Next(context, inode, block, out bool isFound, out var extent))
            return false;
        if (!isFound || extent.Start > block || !extent.IsOnline)
            return true;
        ulong blkno = extent.Blkno + (block - extent.Start);
        if (Buffers.TryGet(blkno, out _))
            return true;
        context.Need(new BlockLoad(this, blkno), releasesLocks: false);
        return false;
    }

    /// <summary>Makes the block that a size ends in available in the buffers. False: attempt again.</summary>
    /// <remarks>
    /// Needed wherever a size changes. Bytes behind the new end of a file must not show when it grows again; nor those
    /// behind its old end: contents are written in place, outside of transactions, so that a crash leaves bytes there
    /// that belong to a longer file.
    /// </remarks>
    public bool TouchTail(OperationContext context, in InodeHandle inode, ulong size)
    {
        if (size % BlockBytes == 0)
            return true;
        if (Buffers.RoomChunks < 2)
        {
            context.Need(Buffers, releasesLocks: false);
            return false;
        }

        return TouchBlock(context, inode, size / BlockBytes);
    }

    /// <summary>Zeroes the rest of the block that a size ends in; after <see cref="TouchTail"/>, in a hold.</summary>
    public void ClearTail(OperationContext context, in InodeHandle inode, ulong size)
    {
        ulong block = size / BlockBytes;
        if (size % BlockBytes == 0)
            return;
        bool isKnown = FileExtents.Next(context, inode, block, out bool isFound, out var extent);
        Invariant.Require(isKnown);
        if (!isFound || extent.Start > block || !extent.IsOnline)
            return;
        Buffers.Dirty(extent.Blkno + (block - extent.Start))[(int)(size % BlockBytes)..].Clear();
        Buffers.Kick();
    }

    /// <summary>The list that plans are made in; one at a time, under the gate.</summary>
    public List<DataExtent> EmptyPlan()
    {
        _plan.Clear();
        return _plan;
    }

    /// <summary>Takes free blocks for all holes and offline blocks of a range, and ahead of it. False: no more are in
    /// memory, or the extents of the region before the range are not known; nothing is taken.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="first">First block.</param>
    /// <param name="end">Block behind the last.</param>
    /// <param name="plan">Extents to add.</param>
    public bool Plan(
        OperationContext context, in InodeHandle inode, ulong first, ulong end, out List<DataExtent> plan) =>
        Plan(context, inode, first, end, isAhead: true, out plan)
        || Plan(context, inode, first, end, isAhead: false, out plan);

    // What is wanted ahead may be more than there is: then only what is needed is taken.
    private bool Plan(
        OperationContext context,
        in InodeHandle inode,
        ulong first,
        ulong end,
        bool isAhead,
        out List<DataExtent> plan)
    {
        plan = EmptyPlan();
        if (RegionOf(first) < first && !FileExtents.Touch(context, inode, RegionOf(first), first))
            return false;
        ulong block = first;
        while (block < end)
        {
            bool isKnown = FileExtents.Next(context, inode, block, out bool isFound, out var extent);
            Invariant.Require(isKnown);
            bool isInside = isFound && extent.Start <= block;
            if (isInside && extent.Blkno != 0)
            {
                block = extent.End;
                continue;
            }

            ulong nextStart = !isFound ? ulong.MaxValue : isInside ? extent.End : extent.Start;
            byte flags = isInside
                ? (byte)(DataExtentItem.FlagOffline | DataExtentItem.FlagUnwritten)
                : DataExtentItem.FlagUnwritten;
            ulong at = block;
            ulong stop = !isAhead ? 0 : isInside
                ? block + Math.Min(nextStart - block, Policy.PreallocBlocks)
                : Ahead(context, inode, first, block, nextStart, out at);
            stop = Math.Max(Math.Min(nextStart, end), stop);
            while (at < stop)
            {
                if (!context.Transaction.DataSpace.TryTake(stop - at, out var taken))
                {
                    if (at >= end)
                        break;
                    GiveBack(context, plan);
                    return false;
                }

                // What is got of blocks from before the wanted one on must reach it.
                if (at + taken.Count <= block)
                    at = block + 1 - taken.Count;
                plan.Add(new DataExtent(at, taken.Count, taken.Start, flags));
                at += taken.Count;
            }

            block = at;
        }

        return true;
    }

    /// <summary>Gives a plan's blocks back.</summary>
    public static void GiveBack(OperationContext context, List<DataExtent> plan)
    {
        for (int i = plan.Count - 1; i >= 0; i--)
            context.Transaction.DataSpace.GiveBack(new FreeExtent(plan[i].Blkno, plan[i].Count));
        plan.Clear();
    }

    /// <summary>Puts a plan's extents into the file, unwritten; cannot fail.</summary>
    public static void Allocate(OperationContext context, ref InodeHandle inode, List<DataExtent> plan)
    {
        foreach (var extent in plan)
            FileExtents.Set(context, ref inode, extent);
        plan.Clear();
    }

    /// <summary>Notes a read of device blocks; freeing blocks of the file waits for it.</summary>
    public void BeginRead(ulong ino)
    {
        if (!_reads.TryGetValue(ino, out var reads))
        {
            reads = new ReadsOfInode();
            _reads.Add(ino, reads);
        }

        reads.Count++;
    }

    /// <summary>Ends <see cref="BeginRead"/>.</summary>
    public void EndRead(ulong ino)
    {
        var reads = _reads[ino];
        if (--reads.Count > 0)
            return;
        _ = _reads.Remove(ino);
        _ = reads.Drained.TrySetResult();
    }

    /// <summary>Whether blocks of the file may be freed. False: attempt again.</summary>
    public bool MayFree(OperationContext context, ulong ino)
    {
        if (!_reads.TryGetValue(ino, out var reads))
            return true;
        context.Need(reads, releasesLocks: true);
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Buffers.Dispose();
        _loadPool.Dispose();
    }

    // First block that may be allocated together with one.
    private ulong RegionOf(ulong block) =>
        Policy.IsContiguousOnly ? block : block - (block % Policy.PreallocBlocks);

    // Which blocks to allocate at once for one in a hole (engine §8.3): from start to what is returned, exclusive.
    private ulong Ahead(
        OperationContext context,
        in InodeHandle inode,
        ulong first,
        ulong block,
        ulong nextStart,
        out ulong start)
    {
        start = block;
        ulong online = inode.Item.OnlineBlocks.Value + (block - first);
        if (Policy.IsContiguousOnly)
        {
            if (block <= 1 || block != online)
                return block + 1;
            return block + Math.Min(Math.Min(block, nextStart - block), Policy.PreallocBlocks);
        }

        // Aligned regions, never more than the file has online already.
        ulong region = RegionOf(block);
        if (block == first && region < block)
        {
            bool isKnown = FileExtents.Next(context, inode, region, out bool isFound, out var before);
            Invariant.Require(isKnown);
            start = isFound && before.Start < block ? block : region;
        }

        ulong count = Math.Min(region + Policy.PreallocBlocks, nextStart) - start;
        count = Math.Max(1, Math.Min(count, online));
        if (start + count <= block)
            start = block + 1 - count;
        return start + count;
    }

    private async ValueTask<FsError> LoadAsync(ulong blkno, CancellationToken cancellationToken)
    {
        var memory = _loadPool.TryRent();
        if (memory is null)
        {
            // Many loads at a time: wait in line by trying again.
            await Task.Yield();
            return FsError.None;
        }

        ulong stamp;
        lock (_runner.Gate)
            stamp = Buffers.WriteStamp;
        var bytes = memory.Memory[..BlockBytes];
        var error = await Buffers.Device.ReadAsync((long)blkno * BlockBytes, bytes, cancellationToken);
        lock (_runner.Gate)
        {
            // Another caller's change may have passed through the buffers meanwhile: then the block is read again.
            if (error == FsError.None && Buffers.WriteStamp == stamp)
                Buffers.PutClean(blkno, bytes.Span);
            _loadPool.Return(memory);
        }

        return error;
    }

    private sealed class BlockLoad(DataPort port, ulong blkno) : IOperationNeed
    {
        public ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken) =>
            port.LoadAsync(blkno, cancellationToken);
    }

    private sealed class ReadsOfInode : IOperationNeed
    {
        public readonly TaskCompletionSource Drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public int Count;

        public async ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken)
        {
            return await Drained.Task.OrCancelledAsync(cancellationToken);
        }
    }

    private sealed class InterruptedTruncate(OperationRunner runner, DataPort port, ulong ino) : IOperationNeed
    {
        public ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken) =>
            TruncateOperation.FinishAsync(runner, port, ino, cancellationToken);
    }
}
