using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Hands out the parts of a log merge, and puts together what comes back (cluster §9.4 to §9.6).</summary>
/// <remarks>
/// <para>All state is in items of the log merge tree. A sweep hands out disjoint parts of fs_root, one parent of leaves
/// each; when nobody works on any, the results are spliced in and the next sweep takes what is left. When no range is
/// left, the inputs are deleted in one commit, since readers must never see a part of them.</para>
/// <para>Splicing restarts its transaction when it becomes long; then everything is read again, and whoever asks next
/// may as well go on with it.</para>
/// </remarks>
internal sealed class LogMergeCoordinator : ILeaderJobs
{
    /// <summary>Blocks that a request gets to work with (cluster §0, MERGE_FILL).</summary>
    public const int RequestBlocks = 1028;

    /// <summary>Requests and completions after which a sweep pauses to be spliced (cluster §0, MERGE_BATCH).</summary>
    public const ulong Batch = 8;

    // Blocks below which a request could do next to nothing.
    private const uint MinRequestBlocks = 64;

    // Blocks that one step of splicing may need: two paths of fs_root, two lists, and items.
    private const int StepBlocks = 160;

    private static readonly ItemKey StatusKey = new(KeyZone.MergeStatus, 0, 0);

    private readonly LeaderCommit _commit;
    private readonly LogFreeing _freeing;

    /// <summary>Creates the coordinator.</summary>
    /// <param name="commit">Transactions over the leader's trees.</param>
    /// <param name="freeing">Told when merged trees are to be freed.</param>
    public LogMergeCoordinator(LeaderCommit commit, LogFreeing freeing)
    {
        _commit = commit;
        _freeing = freeing;
    }

    /// <summary>Gives a mount a part to merge; the one it has already when it asks again (DEV-13).</summary>
    /// <returns>None and the request; NotFound when there is nothing to do; Isolated when the mount is not mounted any
    /// more; NoSpace; Cancelled; or a device's or damage's error.</returns>
    public async ValueTask<(FsError Error, LogMergeRequest Request)> GetAsync(
        ulong rid, CancellationToken cancellationToken)
    {
        var (error, request) = await _commit.RunAsync<LogMergeRequest>(
            transaction => GetAsync(transaction, rid), cancellationToken);

        // Having nothing to do must not take back what was spliced on the way to it.
        if (error == FsError.None && request.Seq == 0)
        {
            _freeing.Start();
            return (FsError.NotFound, default);
        }

        return (error, request);
    }

    /// <summary>Takes a result.</summary>
    /// <returns>None; NotFound when there is no such request, which is no harm; Invalid for a result that does not fit
    /// its request; NoSpace; Cancelled; or a device's or damage's error.</returns>
    public ValueTask<FsError> CommitAsync(
        ulong rid, LogMergeComplete complete, CancellationToken cancellationToken) =>
        _commit.RunAsync(transaction => CommitAsync(transaction, rid, complete), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<FsError> ReclaimAsync(LeaderTransaction transaction, ulong rid)
    {
        while (true)
        {
            var (error, request) = await FindRequestAsync(transaction, rid);
            if (error != FsError.None)
                return error == FsError.NotFound ? FsError.None : error;
            error = await TakeBackAsync(transaction, request);
            if (error != FsError.None)
                return error;
        }
    }

    private static ItemKey RequestKey(ulong rid, ulong seq) => new(KeyZone.MergeRequest, rid, 0, seq);

    private static ItemKey CompleteKey(ulong seq) => new(KeyZone.MergeComplete, seq, 0);

    // The zone is lost: ranges do not lie in order of their starts.
    private static ItemKey RangeKey(ItemKey start)
    {
        start.Zone = KeyZone.MergeRange;
        return start;
    }

    private static ItemKey After(in ItemKey key) => key == ItemKey.Max ? ItemKey.Max : key.Next();

    private static async ValueTask<(FsError Error, LogMergeRequest Request)> FindRequestAsync(
        LeaderTransaction transaction, ulong rid)
    {
        var (error, key, request) = await transaction.ReadNextAsync<LogMergeRequest>(
            LeaderTree.LogMerge, RequestKey(rid, 0));
        bool isFound = error == FsError.None && key.Zone == KeyZone.MergeRequest && key.First == rid;
        if (!isFound)
            return (error == FsError.None ? FsError.NotFound : error, default);
        return (request.Rid == rid && request.Seq == key.Second ? FsError.None : FsError.Corrupt, request);
    }

    private static async ValueTask<(FsError Error, LogMergeRequest Request)> GetAsync(
        LeaderTransaction transaction, ulong rid)
    {
        while (true)
        {
            if (!transaction.Clients.ContainsKey(rid))
                return (FsError.Isolated, default);
            var (error, request) = await FindRequestAsync(transaction, rid);
            if (error != FsError.NotFound)
                return (error, request);
            (error, var status) = await transaction.ReadAsync<LogMergeStatus>(LeaderTree.LogMerge, StatusKey);
            if (error != FsError.None)
                return (error == FsError.NotFound ? FsError.None : error, default);
            (error, var step, request) = await SweepAsync(transaction, rid, status);
            if (error != FsError.None || step == Step.Done)
                return (error, request);
            if (step == Step.Restart)
                error = await transaction.RestartAsync();
            if (error != FsError.None)
                return (error, default);
        }
    }

    // One range, request or splice of the sweep.
    private static async ValueTask<(FsError Error, Step Step, LogMergeRequest Request)> SweepAsync(
        LeaderTransaction transaction, ulong rid, LogMergeStatus status)
    {
        var (error, isFound, range) = await FindRangeAsync(transaction, status.NextRangeKey);
        if (error != FsError.None)
            return (error, Step.Done, default);
        if (status.NrRequests == 0 && (!isFound || status.NrComplete >= Batch))
        {
            (error, var step) = await SpliceAsync(transaction, status);
            return (error, step, default);
        }

        if (!isFound || status.NrRequests + status.NrComplete >= Batch)
            return (FsError.None, Step.Done, default);
        if (transaction.RemainingBlocks < StepBlocks)
            return (FsError.None, Step.Restart, default);
        (error, bool hasItems, var start) = await FindItemAsync(transaction, status.Seq, range);
        if (error == FsError.None)
            error = await transaction.RemoveAsync(LeaderTree.LogMerge, RangeKey(range.Start));
        if (error != FsError.None || !hasItems)
            return (error, Step.Again, default);
        (error, var request) = await RequestAsync(transaction, rid, status, range, start);
        return (error, Step.Done, request);
    }

    // Gives out the part of the range that lies below one parent of leaves.
    private static async ValueTask<(FsError Error, LogMergeRequest Request)> RequestAsync(
        LeaderTransaction transaction, ulong rid, LogMergeStatus status, LogMergeRange range, ItemKey start)
    {
        var (error, subtree) = await transaction.Trees.FindSubtreeAsync(
            transaction.Super.FsRoot, start, CancellationToken.None);
        if (error != FsError.None)
            return (transaction.FailTrees(error), default);
        var request = new LogMergeRequest
        {
            LogsRoot = transaction.Super.LogsRoot,
            Root = subtree.Root,
            Start = start,
            End = range.End < subtree.End ? range.End : subtree.End,
            InputSeq = status.Seq,
            Rid = rid,
            Seq = transaction.NextSeq(),
            Flags = subtree.IsWhole ? 0 : LogMergeRequest.FlagSubtree,
        };
        if (range.End > request.End)
            error = await AddRangeAsync(transaction, status.Seq, After(request.End), range.End);
        if (error == FsError.None)
        {
            (error, request.MetaAvail) = await transaction.FillListAsync(
                default, RequestBlocks, RequestBlocks);
        }

        if (error == FsError.None && request.MetaAvail.FirstNr < MinRequestBlocks)
            error = FsError.NoSpace;
        if (error == FsError.None)
            error = await transaction.ForceAsync(LeaderTree.LogMerge, RequestKey(rid, request.Seq), request);
        status.NextRangeKey = After(subtree.End);
        status.NrRequests = status.NrRequests + 1;
        if (error == FsError.None)
            error = await transaction.ForceAsync(LeaderTree.LogMerge, StatusKey, status);
        return (error, request);
    }

    private static async ValueTask<FsError> CommitAsync(
        LeaderTransaction transaction, ulong rid, LogMergeComplete complete)
    {
        if (!transaction.Clients.ContainsKey(rid))
            return FsError.Isolated;
        var (error, request) = await transaction.ReadAsync<LogMergeRequest>(
            LeaderTree.LogMerge, RequestKey(rid, complete.Seq));
        if (error != FsError.None)
            return error;
        if ((complete.Flags.Value & LogMergeComplete.FlagError) != 0)
            return await TakeBackAsync(transaction, request);
        bool hasRemain = (complete.Flags.Value & LogMergeComplete.FlagRemain) != 0;
        bool isPart = (request.Flags.Value & LogMergeRequest.FlagSubtree) != 0;
        bool fits = complete.Rid == rid
            && complete.Start == request.Start
            && complete.End == request.End
            && (!hasRemain || (complete.Remain >= request.Start && complete.Remain <= request.End))
            && (!isPart || complete.Root.Height == request.Root.Height);
        if (!fits)
            return FsError.Invalid;
        complete.Flags = hasRemain ? LogMergeComplete.FlagRemain : 0;
        (error, var status) = await transaction.ReadAsync<LogMergeStatus>(LeaderTree.LogMerge, StatusKey);
        if (error == FsError.None)
            error = await transaction.RemoveAsync(LeaderTree.LogMerge, RequestKey(rid, request.Seq));
        if (error == FsError.None)
            error = await transaction.ForceAsync(LeaderTree.LogMerge, CompleteKey(request.Seq), complete);
        status.NrRequests = status.NrRequests - 1;
        status.NrComplete = status.NrComplete + 1;
        return error == FsError.None
            ? await transaction.ForceAsync(LeaderTree.LogMerge, StatusKey, status)
            : error;
    }

    // Undoes a request: its range is to be merged again, its blocks are free.
    private static async ValueTask<FsError> TakeBackAsync(LeaderTransaction transaction, LogMergeRequest request)
    {
        var (error, status) = await transaction.ReadAsync<LogMergeStatus>(LeaderTree.LogMerge, StatusKey);
        if (error == FsError.None)
            error = await transaction.RemoveAsync(LeaderTree.LogMerge, RequestKey(request.Rid, request.Seq));
        if (error == FsError.None)
            error = await AddRangeAsync(transaction, status.Seq, request.Start, request.End);
        if (error == FsError.None)
            error = await transaction.GiveListAsync(request.MetaAvail);
        if (error == FsError.None)
            error = await transaction.GiveListAsync(request.MetaFreed);
        status.NrRequests = status.NrRequests - 1;
        return error == FsError.None
            ? await transaction.ForceAsync(LeaderTree.LogMerge, StatusKey, status)
            : error;
    }

    // Nobody works on a part: the results become part of fs_root, one after the other.
    private static async ValueTask<(FsError Error, Step Step)> SpliceAsync(
        LeaderTransaction transaction, LogMergeStatus status)
    {
        var (error, completes) = await ReadCompletesAsync(transaction);
        foreach (var complete in completes)
        {
            if (error != FsError.None || complete.IsSpliced)
                continue;
            if (transaction.RemainingBlocks < StepBlocks)
                return (FsError.None, Step.Restart);
            error = await SpliceOneAsync(transaction, complete);
        }

        // From here on nothing may be handed out until the last of them is gone.
        if (error == FsError.None && completes.Count > 0 && status.NrComplete < Batch)
        {
            status.NrComplete = Batch;
            error = await transaction.ForceAsync(LeaderTree.LogMerge, StatusKey, status);
        }

        foreach (var complete in completes)
        {
            if (error != FsError.None)
                break;
            if (transaction.RemainingBlocks < StepBlocks)
                return (FsError.None, Step.Restart);
            error = await EndOneAsync(transaction, status.Seq, complete);
        }

        if (error != FsError.None)
            return (error, Step.Done);
        (error, bool isFound, _) = await FindRangeAsync(transaction, ItemKey.Min);
        if (error != FsError.None)
            return (error, Step.Done);
        if (!isFound)
            return await FinishAsync(transaction, status);
        status.NextRangeKey = ItemKey.Min;
        status.NrComplete = 0;
        return (await transaction.ForceAsync(LeaderTree.LogMerge, StatusKey, status), Step.Again);
    }

    private static async ValueTask<FsError> SpliceOneAsync(LeaderTransaction transaction, LogMergeComplete complete)
    {
        var error = await transaction.OpenAsync();
        if (error != FsError.None)
            return error;
        (error, var fsRoot) = await transaction.Trees.ReplaceSubtreeAsync(
            transaction.Super.FsRoot, complete.Start, complete.Root, CancellationToken.None);
        transaction.Super.FsRoot = fsRoot;
        if (error != FsError.None)
            return transaction.FailTrees(error);
        error = await transaction.GiveListAsync(complete.MetaAvail);
        if (error == FsError.None)
            error = await transaction.GiveListAsync(complete.MetaFreed);
        complete.MetaAvail = default;
        complete.MetaFreed = default;
        return error == FsError.None
            ? await transaction.ForceAsync(LeaderTree.LogMerge, CompleteKey(complete.Seq), complete)
            : error;
    }

    private static async ValueTask<FsError> EndOneAsync(
        LeaderTransaction transaction, ulong inputSeq, LogMergeComplete complete)
    {
        var error = await transaction.RemoveAsync(LeaderTree.LogMerge, CompleteKey(complete.Seq));
        if (error != FsError.None || (complete.Flags.Value & LogMergeComplete.FlagRemain) == 0)
            return error;

        // What stopped the worker may be a parent too full or too empty to go on with.
        (error, var fsRoot) = await transaction.Trees.RebalanceAsync(
            transaction.Super.FsRoot, complete.Start, CancellationToken.None);
        transaction.Super.FsRoot = fsRoot;
        return error == FsError.None
            ? await AddRangeAsync(transaction, inputSeq, complete.Remain, complete.End)
            : transaction.FailTrees(error);
    }

    // Everything is merged: inputs that readers would still look at go all at once.
    private static async ValueTask<(FsError Error, Step Step)> FinishAsync(
        LeaderTransaction transaction, LogMergeStatus status)
    {
        var inputs = Inputs(transaction, status.Seq);
        bool isFresh = transaction.RemainingBlocks >= LeaderCommit.HoldBlocks - StepBlocks;
        if (!isFresh && transaction.RemainingBlocks < inputs.Count + StepBlocks)
            return (FsError.None, Step.Restart);
        var error = await transaction.OpenAsync();
        foreach (var log in inputs)
        {
            if (error == FsError.None && !log.ItemRoot.IsEmpty)
            {
                ulong seq = transaction.NextSeq();
                error = await transaction.ForceAsync(
                    LeaderTree.LogMerge,
                    LogFreeing.KeyOf(seq),
                    new LogMergeFreeing { Root = log.ItemRoot, Seq = seq });
            }

            if (error == FsError.None && !log.BloomRef.IsNone && transaction.Allocator.FreeRoomBlocks < 1)
                error = FsError.NoSpace;
            if (error != FsError.None)
                return (error, Step.Done);
            if (!log.BloomRef.IsNone)
                transaction.Writer.Free(log.BloomRef, transaction.Allocator);
            transaction.Super.InodeCount = transaction.Super.InodeCount + (ulong)log.InodeCountDelta.Value;
            error = await transaction.RemoveLogTreesAsync(log.Rid, log.Nr);
        }

        if (error == FsError.None)
            error = await transaction.RemoveAsync(LeaderTree.LogMerge, StatusKey);
        return (error, Step.Again);
    }

    private static List<LogTrees> Inputs(LeaderTransaction transaction, ulong inputSeq)
    {
        var inputs = new List<LogTrees>();
        foreach (var log in transaction.Logs.Values)
        {
            if (log.IsFinalized && log.FinalizeSeq < inputSeq)
                inputs.Add(log);
        }

        return inputs;
    }

    private static async ValueTask<(FsError Error, List<LogMergeComplete> Completes)> ReadCompletesAsync(
        LeaderTransaction transaction)
    {
        var completes = new List<LogMergeComplete>();
        using var cursor = transaction.CursorOf(LeaderTree.LogMerge);
        var status = await cursor.SeekAsync(CompleteKey(0), CancellationToken.None);
        while (status == BtreeStatus.Found && cursor.Key.Zone == KeyZone.MergeComplete)
        {
            if (cursor.Value.Length != Disk.SizeOf<LogMergeComplete>())
                return (transaction.FailItem(CorruptionSite.LogMergeComplete, cursor), completes);
            completes.Add(Disk.Ref<LogMergeComplete>(cursor.Value));
            status = await cursor.MoveNextAsync(CancellationToken.None);
        }

        return (transaction.ErrorOf(cursor, status), completes);
    }

    // The range with the least start at or after a key: all of them are looked at.
    private static async ValueTask<(FsError Error, bool IsFound, LogMergeRange Range)> FindRangeAsync(
        LeaderTransaction transaction, ItemKey from)
    {
        var best = default(LogMergeRange);
        bool isFound = false;
        using var cursor = transaction.CursorOf(LeaderTree.LogMerge);
        var status = await cursor.SeekAsync(RangeKey(ItemKey.Min), CancellationToken.None);
        while (status == BtreeStatus.Found && cursor.Key.Zone == KeyZone.MergeRange)
        {
            if (cursor.Value.Length != Disk.SizeOf<LogMergeRange>())
                return (transaction.FailItem(CorruptionSite.LogMergeRange, cursor), false, best);
            var range = Disk.Ref<LogMergeRange>(cursor.Value);
            if (range.Start >= from && (!isFound || range.Start < best.Start))
            {
                best = range;
                isFound = true;
            }

            status = await cursor.MoveNextAsync(CancellationToken.None);
        }

        return (transaction.ErrorOf(cursor, status), isFound, best);
    }

    // The least key of any input in a range.
    private static async ValueTask<(FsError Error, bool IsFound, ItemKey Key)> FindItemAsync(
        LeaderTransaction transaction, ulong inputSeq, LogMergeRange range)
    {
        var least = range.End;
        bool isFound = false;
        using var cursor = new BtreeCursor(transaction.Cache);
        foreach (var log in Inputs(transaction, inputSeq))
        {
            cursor.SetRoot(log.ItemRoot);
            var status = await cursor.SeekAsync(range.Start, CancellationToken.None);
            if (status == BtreeStatus.Corrupt)
                return (transaction.ErrorOf(cursor, status), false, default);
            if (status == BtreeStatus.Found && cursor.Key <= least)
            {
                least = cursor.Key;
                isFound = true;
            }
        }

        return (FsError.None, isFound, least);
    }

    // Ranges that differ in the zone of their starts only would take each other's place; then the start moves up to the
    // first item there is. A range without items needs not be merged.
    private static async ValueTask<FsError> AddRangeAsync(
        LeaderTransaction transaction, ulong inputSeq, ItemKey start, ItemKey end)
    {
        var range = new LogMergeRange { Start = start, End = end };
        if (await IsTakenAsync(transaction, range.Start))
        {
            var (error, isFound, first) = await FindItemAsync(transaction, inputSeq, range);
            if (error != FsError.None || !isFound)
                return error;
            range.Start = first;
            if (await IsTakenAsync(transaction, range.Start))
                return FsError.Exists;
        }

        return await transaction.ForceAsync(LeaderTree.LogMerge, RangeKey(range.Start), range);
    }

    private static async ValueTask<bool> IsTakenAsync(LeaderTransaction transaction, ItemKey start)
    {
        var (error, _) = await transaction.ReadAsync<LogMergeRange>(LeaderTree.LogMerge, RangeKey(start));
        return error != FsError.NotFound;
    }

    private enum Step
    {
        // Look at the items again.
        Again,

        // The same, after a commit.
        Restart,

        // Answer.
        Done,
    }
}
