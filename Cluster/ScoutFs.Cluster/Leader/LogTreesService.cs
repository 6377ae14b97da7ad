using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Opens and commits the transactions of mounts (cluster §5.1, §5.2, §6.3, §9.2).</summary>
internal sealed class LogTreesService
{
    /// <summary>Entries that a mount's list of free metadata blocks gets (cluster §0, META_FILL_TARGET).</summary>
    public const int MetaTarget = FormatConstants.ListBlockEntries;

    /// <summary>Entries below which it gets more (cluster §0, META_FILL_LO).</summary>
    public const int MetaRefillBelow = 4092;

    /// <summary>Blocks from which a srch file becomes an item of its own (cluster §0, SRCH_ROTATE).</summary>
    public const ulong SrchRotateBlocks = 16;

    private readonly LeaderCommit _commit;
    private readonly LogMergeStart _mergeStart;

    /// <summary>Creates the service.</summary>
    public LogTreesService(LeaderCommit commit, LogMergeStart mergeStart)
    {
        _commit = commit;
        _mergeStart = mergeStart;
    }

    /// <summary>Opens a mount's next transaction, or answers again with the one that is open.</summary>
    /// <returns>None; Isolated when the mount is not mounted any more; Invalid for an item that contradicts itself;
    /// NoSpace; or a device's or damage's error.</returns>
    public ValueTask<(FsError Error, LogTrees LogTrees)> GetAsync(ulong rid, CancellationToken cancellationToken) =>
        _commit.RunAsync<LogTrees>(transaction => GetAsync(transaction, rid, cancellationToken), cancellationToken);

    /// <summary>Commits a mount's open transaction.</summary>
    /// <returns>None, also when it is committed already; Io for another mount's or transaction's; NotFound; Isolated
    /// when the mount is not mounted any more; NoSpace; or a device's or damage's error.</returns>
    public ValueTask<FsError> CommitAsync(ulong rid, LogTrees logTrees, CancellationToken cancellationToken) =>
        _commit.RunAsync(transaction => CommitAsync(transaction, rid, logTrees), cancellationToken);

    /// <summary>The seq up to which every transaction is committed, and after which every later one begins.</summary>
    public ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(CancellationToken cancellationToken) =>
        _commit.InspectAsync<ulong>(
            () =>
            {
                // Transactions that are opened but not yet committed as such may begin any time; those that are closed
                // but not yet committed may still be taken back. Both tables count.
                ulong seq = _commit.Seq - 1;
                LowerBelowOpen(_commit.Stable.Logs.Values, ref seq);
                LowerBelowOpen(_commit.Logs.Values, ref seq);
                return new((FsError.None, seq));
            },
            cancellationToken);

    private void LowerBelowOpen(IEnumerable<LogTrees> logs, ref ulong seq)
    {
        foreach (var log in logs)
        {
            if (log.GetTransSeq > log.CommitTransSeq && !log.IsFinalized && _commit.Clients.ContainsKey(log.Rid))
                seq = Math.Min(seq, log.GetTransSeq - 1);
        }
    }

    // The mount may have been fenced and reclaimed while its request waited: then it gets nothing any more.
    private static FsError LastOrNew(LeaderTransaction transaction, ulong rid, out LogTrees log)
    {
        log = default;
        if (!transaction.Clients.ContainsKey(rid))
            return FsError.Isolated;
        if (!transaction.TryLastLogTrees(rid, out var last) || last.IsFinalized)
        {
            log = new LogTrees
            {
                Rid = rid,
                Nr = last.Nr + 1,
                GetTransSeq = last.GetTransSeq,
                CommitTransSeq = last.CommitTransSeq,
            };
            return FsError.None;
        }

        log = last;
        return log.CommitTransSeq > log.GetTransSeq ? FsError.Invalid : FsError.None;
    }

    private async ValueTask<(FsError Error, LogTrees LogTrees)> GetAsync(
        LeaderTransaction transaction, ulong rid, CancellationToken cancellationToken)
    {
        var error = LastOrNew(transaction, rid, out var log);
        if (error != FsError.None || log.GetTransSeq > log.CommitTransSeq)
            return (error, log);
        error = await _mergeStart.RunAsync(transaction, rid, cancellationToken);
        return error == FsError.None ? await OpenAsync(transaction, rid) : (error, default);
    }

    // Blocks that the mount freed go back, those it needs come; over several commits when data extents are many.
    private static async ValueTask<(FsError Error, LogTrees LogTrees)> OpenAsync(
        LeaderTransaction transaction, ulong rid)
    {
        while (true)
        {
            var error = LastOrNew(transaction, rid, out var log);
            if (error == FsError.None)
                error = await transaction.OpenAsync();
            if (error == FsError.None)
                error = await transaction.GiveListAsync(log.MetaFreed);
            log.MetaFreed = default;
            if (error == FsError.None)
            {
                (error, log.DataFreed) = await transaction.GiveDataAsync(
                    log.DataFreed, LogTreesRelease.DataBudgetBlocks);
            }

            bool isDone = log.DataFreed.TotalLen == 0;
            if (error == FsError.None && isDone)
                (error, log, isDone) = await RefillAsync(transaction, log);
            if (error == FsError.None && isDone)
                log.GetTransSeq = transaction.NextSeq();
            if (error == FsError.None)
                error = await transaction.StoreLogTreesAsync(log);
            if (isDone || error != FsError.None)
                return (error, log);
            error = await transaction.RestartAsync();
            if (error != FsError.None)
                return (error, log);
        }
    }

    // Not done: so little data came within the budget that the mount would take the volume for full.
    private static async ValueTask<(FsError Error, LogTrees Log, bool IsDone)> RefillAsync(
        LeaderTransaction transaction, LogTrees log)
    {
        (var error, log.MetaAvail) = await transaction.FillListAsync(log.MetaAvail, MetaRefillBelow, MetaTarget);
        log.MetaAvail.Flags = transaction.MetaAvail.TotalLen <= transaction.ReservedBlocks ? AllocRoot.FlagLow : 0;
        bool isShort = log.DataAvail.TotalLen < DataPlacement.RefillBelow;
        if (error == FsError.None && isShort)
            (error, log) = await DataPlacement.FillAsync(transaction, log, LogTreesRelease.DataBudgetBlocks);
        if (error == FsError.None && (isShort || IsOtherZoneSize(transaction, log)))
            (error, log) = await DataPlacement.NoteZonesAsync(transaction, log);
        bool isLow = log.DataAvail.TotalLen < DataPlacement.RefillBelow;
        log.DataAvail.Flags = isLow ? AllocRoot.FlagLow : 0;
        return (error, log, !isLow || transaction.Super.DataAlloc.TotalLen == 0);
    }

    private static bool IsOtherZoneSize(LeaderTransaction transaction, in LogTrees log) =>
        log.DataAllocZoneBlocks != DataPlacement.ZoneBlocksOf(transaction.Super.VolumeOptions);

    private static async ValueTask<FsError> CommitAsync(LeaderTransaction transaction, ulong rid, LogTrees logTrees)
    {
        if (logTrees.Rid != rid)
            return FsError.Io;

        // What a reclaimed mount still had open is gone, whatever its item says now.
        if (!transaction.Clients.ContainsKey(rid))
            return FsError.Isolated;
        if (!transaction.Logs.TryGetValue(new LogTreesKey(rid, logTrees.Nr), out var stored))
            return FsError.NotFound;
        if (stored.CommitTransSeq == logTrees.GetTransSeq)
            return FsError.None;
        if (stored.GetTransSeq != logTrees.GetTransSeq || stored.IsFinalized)
            return FsError.Io;
        logTrees.Flags = stored.Flags;
        logTrees.FinalizeSeq = stored.FinalizeSeq;
        logTrees.DataAllocZones = stored.DataAllocZones;
        logTrees.DataAllocZoneBlocks = stored.DataAllocZoneBlocks;
        var (error, log) = await LogTreesRelease.RotateSrchAsync(transaction, logTrees, SrchRotateBlocks);
        log.CommitTransSeq = log.GetTransSeq;
        return error == FsError.None ? await transaction.StoreLogTreesAsync(log) : error;
    }
}
