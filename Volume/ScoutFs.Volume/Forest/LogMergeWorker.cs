using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Forest;

/// <summary>Does one log merge request for the leader (engine §11.4, cluster §9.5).</summary>
/// <remarks>
/// Works in blocks of its own, taken from the request, so that it depends on nothing the mount does otherwise. Whatever
/// goes wrong, there is a completion to send: one that says error makes the leader take the request's blocks back.
/// </remarks>
public sealed class LogMergeWorker
{
    /// <summary>Dirty blocks after which a request is answered in part: 64 MiB.</summary>
    public const int DefaultMaxDirtyBlocks = 1024;

    private const int MinBlocks = 10;

    private readonly IBlockDevice _meta;
    private readonly BlockCache _cache;
    private readonly Prng _prng;
    private readonly int _maxDirtyBlocks;

    /// <summary>Creates a worker.</summary>
    /// <param name="meta">Metadata device, writable.</param>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="prng">Source of block seqs; must not repeat any, as a second fork of one name would.</param>
    /// <param name="maxDirtyBlocks">See <see cref="DefaultMaxDirtyBlocks"/>; fewer for tests.</param>
    public LogMergeWorker(
        IBlockDevice meta, BlockCache cache, Prng prng, int maxDirtyBlocks = DefaultMaxDirtyBlocks)
    {
        _meta = meta;
        _cache = cache;
        _prng = prng;
        _maxDirtyBlocks = maxDirtyBlocks;
    }

    /// <summary>Merges what a request asks for; the result is on the device when this returns.</summary>
    /// <returns>The completion to send, and what went wrong if it says error.</returns>
    public async ValueTask<(LogMergeComplete Complete, FsError Error, Corruption Fault)> RunAsync(
        LogMergeRequest request, CancellationToken cancellationToken)
    {
        var complete = new LogMergeComplete
        {
            MetaAvail = request.MetaAvail,
            MetaFreed = request.MetaFreed,
            Root = request.Root,
            Start = request.Start,
            End = request.End,
            Rid = request.Rid,
            Seq = request.Seq,
        };
        var (error, fault, inputs) = await ReadInputsAsync(request, cancellationToken);
        if (error == FsError.None)
            (error, fault, complete) = await MergeAsync(request, inputs, complete, cancellationToken);
        if (error != FsError.None)
            complete.Flags = LogMergeComplete.FlagError;
        return (complete, error, fault);
    }

    // The trees that had been finalized when the merge began.
    private async ValueTask<(FsError Error, Corruption Fault, List<BtreeRoot> Inputs)> ReadInputsAsync(
        LogMergeRequest request, CancellationToken cancellationToken)
    {
        var inputs = new List<BtreeRoot>();
        using var cursor = new BtreeCursor(_cache);
        cursor.SetRoot(request.LogsRoot);
        var status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
        while (status == BtreeStatus.Found)
        {
            if (cursor.Value.Length != Disk.SizeOf<LogTrees>())
                return (FsError.Corrupt, new Corruption(CorruptionSite.MergeInputLength, cursor.LeafBlkno), inputs);
            ref readonly var log = ref Disk.Ref<LogTrees>(cursor.Value);
            if (log.IsFinalized && log.FinalizeSeq < request.InputSeq && !log.ItemRoot.IsEmpty)
                inputs.Add(log.ItemRoot);
            status = await cursor.MoveNextAsync(cancellationToken);
        }

        return status == BtreeStatus.Corrupt
            ? (cursor.Error, cursor.Fault, inputs)
            : (FsError.None, default, inputs);
    }

    private async ValueTask<(FsError Error, Corruption Fault, LogMergeComplete Complete)> MergeAsync(
        LogMergeRequest request,
        List<BtreeRoot> inputs,
        LogMergeComplete complete,
        CancellationToken cancellationToken)
    {
        using var writer = new BlockWriter(_meta, _maxDirtyBlocks + 64, _cache.Fsid, _prng);
        var (error, allocator, fault) = await ListAllocator.OpenAsync(
            _cache, writer, request.MetaAvail, request.MetaFreed, cancellationToken);
        if (allocator is null)
            return (error, fault, complete);
        using var merge = new BtreeMerge(_cache, writer, allocator);
        bool isSubtree = (request.Flags.Value & LogMergeRequest.FlagSubtree) != 0;
        var result = await merge.MergeAsync(
            inputs,
            request.Root,
            request.Start,
            request.End,
            new MergeLimits(isSubtree, _maxDirtyBlocks, MinBlocks),
            cancellationToken);
        if (result.Error != FsError.None)
            return (result.Error, merge.Fault, complete);
        error = await writer.WriteAllAsync(cancellationToken);
        if (error == FsError.None)
            error = await _meta.FlushAsync(cancellationToken);
        if (error != FsError.None)
            return (error, default, complete);
        complete.MetaAvail = allocator.Avail;
        complete.MetaFreed = allocator.Freed;
        complete.Root = result.Root;
        if (result.Remain is { } remain)
        {
            complete.Remain = remain;
            complete.Flags = LogMergeComplete.FlagRemain;
        }

        return (FsError.None, default, complete);
    }
}
