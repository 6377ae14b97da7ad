using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>
/// Decides when log trees are finalised, and starts a log merge once all are (cluster §9.1, §9.2): inside the requests
/// for the next transaction, where a mount has no transaction open.
/// </summary>
internal sealed class LogMergeStart
{
    private static readonly ItemKey StatusKey = new(KeyZone.MergeStatus, 0, 0);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(100);

    // A tree whose root has a single level of parents holds 30 to 57 MiB; more is merged (cluster §14).
    private const int MaxHeight = 2;

    private readonly ILeaderPeers _peers;
    private readonly LeaderOptions _options;
    private readonly TimeProvider _time;

    // Owned by the holder. Transactions opened later have not been asked to commit yet.
    private ulong _lastSyncSeq;

    /// <summary>Creates it.</summary>
    public LogMergeStart(ILeaderPeers peers, LeaderOptions options, TimeProvider time)
    {
        _peers = peers;
        _options = options;
        _time = time;
    }

    /// <summary>Trigger: the next request finalises its tree whatever its size; cleared when it has fired.</summary>
    public bool ForceFinalize { get; set; }

    /// <summary>Waits that ended without a merge because some mount did not finalise in time.</summary>
    public long TimedOutWaits { get; private set; }

    /// <summary>Finalises the caller's tree when it is time to, and starts the merge if it was the last.</summary>
    /// <param name="transaction">The transaction; may be restarted.</param>
    /// <param name="rid">The mount that asks for its next transaction.</param>
    /// <param name="cancellationToken">Ends the wait for others.</param>
    /// <returns>None, whether a merge started or not; or why nothing can be done.</returns>
    public async ValueTask<FsError> RunAsync(
        LeaderTransaction transaction, ulong rid, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        var pause = FirstPause;
        while (true)
        {
            var (error, _) = await transaction.ReadAsync<LogMergeStatus>(LeaderTree.LogMerge, StatusKey);
            if (error != FsError.NotFound)
                return error;
            error = await FinalizeOrphansAsync(transaction, rid);
            if (error != FsError.None)
                return error;
            var (sawFinalized, othersActive) = Scan(transaction, rid);
            if (!Wants(transaction, rid) && !sawFinalized)
                return FsError.None;
            SendSyncs(transaction, rid);

            // What the scan saw stays true: nobody else gets in unless emptying our tree takes several commits, and
            // then the scan is repeated below.
            error = await LogTreesRelease.FinalizeAsync(transaction, rid, isGone: false);
            if (error != FsError.None)
                return error;
            (_, othersActive) = Scan(transaction, rid);
            if (!othersActive)
                return await StartAsync(transaction);
            if (_time.GetElapsedTime(start) > _options.LogMergeWait)
            {
                TimedOutWaits++;
                return FsError.None;
            }

            error = await transaction.PauseAsync(pause, _time, cancellationToken);
            if (error != FsError.None)
                return error;
            pause = pause * 1.5 < LongestPause ? pause * 1.5 : LongestPause;
        }
    }

    private static (bool SawFinalized, bool OthersActive) Scan(LeaderTransaction transaction, ulong rid)
    {
        bool sawFinalized = false;
        bool othersActive = false;
        foreach (var log in LeaderState.LastOfEach(transaction.Logs))
        {
            sawFinalized |= log.IsFinalized;
            othersActive |= !log.IsFinalized && log.Rid != rid;
        }

        return (sawFinalized, othersActive);
    }

    private static async ValueTask<FsError> StartAsync(LeaderTransaction transaction)
    {
        // Emptying trees may have let others in: one of them may have started the merge.
        var (error, _) = await transaction.ReadAsync<LogMergeStatus>(LeaderTree.LogMerge, StatusKey);
        if (error != FsError.NotFound)
            return error;
        var range = new LogMergeRange { Start = ItemKey.Min, End = ItemKey.Max };
        error = await transaction.ForceAsync(LeaderTree.LogMerge, new ItemKey(KeyZone.MergeRange, 0, 0), range);
        if (error != FsError.None)
            return error;
        var status = new LogMergeStatus { Seq = transaction.NextSeq() };
        return await transaction.ForceAsync(LeaderTree.LogMerge, StatusKey, status);
    }

    // Trees of mounts that are gone without having been finalised would keep every merge from starting.
    private static async ValueTask<FsError> FinalizeOrphansAsync(LeaderTransaction transaction, ulong rid)
    {
        while (true)
        {
            ulong orphan = 0;
            bool isFound = false;
            foreach (var log in LeaderState.LastOfEach(transaction.Logs))
            {
                if (log.IsFinalized || log.Rid == rid || transaction.Clients.ContainsKey(log.Rid))
                    continue;
                orphan = log.Rid;
                isFound = true;
                break;
            }

            if (!isFound)
                return FsError.None;
            var error = await LogTreesRelease.FinalizeAsync(transaction, orphan, isGone: true);
            if (error == FsError.None)
                error = await transaction.RestartAsync();
            if (error != FsError.None)
                return error;
        }
    }

    private bool Wants(LeaderTransaction transaction, ulong rid)
    {
        if (!transaction.TryLastLogTrees(rid, out var log) || log.IsFinalized)
            return false;
        if (ForceFinalize)
        {
            ForceFinalize = false;
            return true;
        }

        // Merging an empty tree would free nothing.
        bool isLow = (log.MetaAvail.Flags & AllocRoot.FlagLow) != 0;
        return log.ItemRoot.Height > MaxHeight || (isLow && !log.ItemRoot.IsEmpty);
    }

    private void SendSyncs(LeaderTransaction transaction, ulong rid)
    {
        ulong before = _lastSyncSeq;
        _lastSyncSeq = transaction.Seq;
        foreach (var log in LeaderState.LastOfEach(transaction.Logs))
        {
            bool isOpen = !log.IsFinalized && log.GetTransSeq > log.CommitTransSeq;
            if (isOpen && log.Rid != rid && log.GetTransSeq > before)
                _peers.SendSyncLogTrees(log.Rid);
        }
    }
}
