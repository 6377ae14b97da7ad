using System.Collections.Generic;
using System.Numerics;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Hands out compactions of srch files, and takes what comes back (cluster §10, format §12.2).</summary>
/// <remarks>
/// All state is in items of the srch tree: a compaction is pending, or busy with one mount. Four log files, or four
/// sorted files of a size class, become one.
/// </remarks>
internal sealed class SrchCoordinator : ILeaderJobs
{
    private const byte KindFlags = SrchCompact.FlagLog | SrchCompact.FlagSorted | SrchCompact.FlagDelete;

    private readonly LeaderCommit _commit;

    /// <summary>Creates the coordinator.</summary>
    public SrchCoordinator(LeaderCommit commit) => _commit = commit;

    /// <summary>Gives a mount a compaction; the one it has already when it asks again (DEV-13).</summary>
    /// <returns>None and the compaction, whose Nr is 0 when there is nothing to do; Isolated when the mount is not
    /// mounted any more; NoSpace; Cancelled; or a device's or damage's error.</returns>
    public ValueTask<(FsError Error, SrchCompact Compact)> GetAsync(
        ulong rid, CancellationToken cancellationToken) =>
        _commit.RunAsync<SrchCompact>(transaction => GetAsync(transaction, rid), cancellationToken);

    /// <summary>Takes a result, whole or in part.</summary>
    /// <returns>None; NotFound when the mount has no such compaction; Invalid for a result that is none of it; NoSpace;
    /// Cancelled; or a device's or damage's error.</returns>
    public ValueTask<FsError> CommitAsync(ulong rid, SrchCompact compact, CancellationToken cancellationToken) =>
        _commit.RunAsync(transaction => CommitAsync(transaction, rid, compact), cancellationToken);

    /// <summary>Makes what a gone mount was busy with pending again, as it was stored (DEV-12).</summary>
    /// <inheritdoc/>
    public async ValueTask<FsError> ReclaimAsync(LeaderTransaction transaction, ulong rid)
    {
        while (true)
        {
            var (error, busy) = await FindAsync(transaction, KeyType.SrchBusy, rid);
            if (error != FsError.None)
                return error == FsError.NotFound ? FsError.None : error;
            error = await transaction.RemoveAsync(LeaderTree.Srch, BusyKey(rid, busy.Id));
            if (error == FsError.None)
                error = await transaction.ForceAsync(LeaderTree.Srch, PendingKey(busy.Id), busy);
            if (error != FsError.None)
                return error;
        }
    }

    private static ItemKey BusyKey(ulong rid, ulong id) => new(KeyZone.Srch, 0, KeyType.SrchBusy, rid, id);

    private static ItemKey PendingKey(ulong id) => new(KeyZone.Srch, 0, KeyType.SrchPending, id);

    private static ItemKey FileKey(in SrchFile file, bool isSorted) => isSorted
        ? new(KeyZone.Srch, 0, KeyType.SrchSorted, file.Blocks, file.Ref.Blkno)
        : new(KeyZone.Srch, 0, KeyType.SrchLog, file.Ref.Blkno);

    private static int TierOf(in SrchFile file) => (64 - BitOperations.LeadingZeroCount(file.Blocks.Value)) / 2;

    // The first compaction of a type, of one mount when it is busy.
    private static async ValueTask<(FsError Error, SrchCompact Compact)> FindAsync(
        LeaderTransaction transaction, byte type, ulong rid)
    {
        bool isBusy = type == KeyType.SrchBusy;
        var from = isBusy ? BusyKey(rid, 0) : PendingKey(0);
        var (error, key, compact) = await transaction.ReadNextAsync<SrchCompact>(LeaderTree.Srch, from);
        if (error != FsError.None)
            return (error, default);
        if (key.Zone != KeyZone.Srch || key.Type != type || (isBusy && key.Second != rid))
            return (FsError.NotFound, default);
        ulong id = isBusy ? key.Third : key.Second;
        return (compact.Nr > 0 && compact.Id == id ? FsError.None : FsError.Corrupt, compact);
    }

    private static async ValueTask<(FsError Error, SrchCompact Compact)> GetAsync(
        LeaderTransaction transaction, ulong rid)
    {
        if (!transaction.Clients.ContainsKey(rid))
            return (FsError.Isolated, default);
        var (error, compact) = await FindAsync(transaction, KeyType.SrchBusy, rid);
        if (error != FsError.NotFound)
            return (error, compact);
        (error, compact) = await FindAsync(transaction, KeyType.SrchPending, rid);
        if (error == FsError.None)
            error = await transaction.RemoveAsync(LeaderTree.Srch, PendingKey(compact.Id));
        else if (error == FsError.NotFound)
            (error, compact) = await ChooseAsync(transaction);
        if (error != FsError.None || compact.Nr == 0)
            return (error, default);

        (error, compact.MetaAvail) = await transaction.FillListAsync(
            compact.MetaAvail, LogTreesService.MetaRefillBelow, LogTreesService.MetaTarget);
        if (error == FsError.None)
            error = await transaction.GiveListAsync(compact.MetaFreed);
        compact.MetaFreed = default;
        if (error == FsError.None)
            error = await transaction.ForceAsync(LeaderTree.Srch, BusyKey(rid, compact.Id), compact);
        return (error, compact);
    }

    // Files that nobody is busy with: four logs, or four sorted ones next to each other in one size class.
    private static async ValueTask<(FsError Error, SrchCompact Compact)> ChooseAsync(LeaderTransaction transaction)
    {
        var (error, busy) = await ReadBusyInputsAsync(transaction);
        var files = new List<SrchFile>();
        if (error == FsError.None)
            error = await ChooseAsync(transaction, KeyType.SrchLog, busy, files);
        bool isSorted = files.Count < FormatConstants.SrchCompactInputs;
        if (error == FsError.None && isSorted)
            error = await ChooseAsync(transaction, KeyType.SrchSorted, busy, files);
        if (error != FsError.None || files.Count < FormatConstants.SrchCompactInputs)
            return (error, default);

        var compact = new SrchCompact
        {
            Id = files[0].Ref.Blkno,
            Nr = FormatConstants.SrchCompactInputs,
            Flags = isSorted ? SrchCompact.FlagSorted : SrchCompact.FlagLog,
        };
        for (int i = 0; i < files.Count; i++)
            compact.Inputs[i].File = files[i];
        return (FsError.None, compact);
    }

    private static async ValueTask<FsError> ChooseAsync(
        LeaderTransaction transaction, byte type, HashSet<ulong> busy, List<SrchFile> files)
    {
        files.Clear();
        using var cursor = transaction.CursorOf(LeaderTree.Srch);
        var status = await cursor.SeekAsync(new ItemKey(KeyZone.Srch, 0, type), CancellationToken.None);
        while (status == BtreeStatus.Found
            && cursor.Key.Type == type
            && files.Count < FormatConstants.SrchCompactInputs)
        {
            if (cursor.Value.Length != Disk.SizeOf<SrchFile>())
                return transaction.FailItem(CorruptionSite.SrchCoordinatorFile, cursor);
            var file = Disk.Ref<SrchFile>(cursor.Value);
            if (!busy.Contains(file.Ref.Blkno))
            {
                if (type == KeyType.SrchSorted && files.Count > 0 && TierOf(files[^1]) != TierOf(file))
                    files.Clear();
                files.Add(file);
            }

            status = await cursor.MoveNextAsync(CancellationToken.None);
        }

        return transaction.ErrorOf(cursor, status);
    }

    private static async ValueTask<(FsError Error, HashSet<ulong> Blknos)> ReadBusyInputsAsync(
        LeaderTransaction transaction)
    {
        var blknos = new HashSet<ulong>();
        using var cursor = transaction.CursorOf(LeaderTree.Srch);
        var status = await cursor.SeekAsync(PendingKey(0), CancellationToken.None);
        while (status == BtreeStatus.Found)
        {
            if (cursor.Value.Length != Disk.SizeOf<SrchCompact>())
                return (transaction.FailItem(CorruptionSite.SrchCoordinatorCompact, cursor), blknos);
            ref readonly var compact = ref Disk.Ref<SrchCompact>(cursor.Value);
            for (int i = 0; i < compact.Nr && i < FormatConstants.SrchCompactInputs; i++)
                _ = blknos.Add(compact.Inputs[i].File.Ref.Blkno);
            status = await cursor.MoveNextAsync(CancellationToken.None);
        }

        return (transaction.ErrorOf(cursor, status), blknos);
    }

    private static async ValueTask<FsError> CommitAsync(LeaderTransaction transaction, ulong rid, SrchCompact result)
    {
        if (!transaction.Clients.ContainsKey(rid))
            return FsError.Isolated;
        var (error, stored) = await transaction.ReadAsync<SrchCompact>(LeaderTree.Srch, BusyKey(rid, result.Id));
        if (error != FsError.None)
            return error;
        bool isFailed = (result.Flags & SrchCompact.FlagError) != 0;
        if (!isFailed && !IsOf(stored, result))
            return FsError.Invalid;
        error = await transaction.RemoveAsync(LeaderTree.Srch, BusyKey(rid, stored.Id));
        if (error != FsError.None)
            return error;
        if (isFailed)
            return await transaction.ForceAsync(LeaderTree.Srch, PendingKey(stored.Id), stored);

        bool isDone = (result.Flags & SrchCompact.FlagDone) != 0;
        result.Flags = (byte)(result.Flags & KindFlags);
        if (isDone && result.Flags == SrchCompact.FlagDelete)
        {
            error = await transaction.GiveListAsync(result.MetaAvail);
            return error == FsError.None ? await transaction.GiveListAsync(result.MetaFreed) : error;
        }

        if (isDone)
            (error, result) = await ReplaceInputsAsync(transaction, result);
        return error == FsError.None
            ? await transaction.ForceAsync(LeaderTree.Srch, PendingKey(result.Id), result)
            : error;
    }

    // The same compaction in the same phase, of the same inputs.
    private static bool IsOf(in SrchCompact stored, in SrchCompact result)
    {
        bool isSame = stored.Nr == result.Nr && (stored.Flags & KindFlags) == (result.Flags & KindFlags);
        for (int i = 0; i < stored.Nr && i < FormatConstants.SrchCompactInputs; i++)
            isSame &= stored.Inputs[i].File.Ref.SameAs(result.Inputs[i].File.Ref);
        return isSame;
    }

    // The output takes the place of the inputs, whose blocks are the next phase.
    private static async ValueTask<(FsError Error, SrchCompact Compact)> ReplaceInputsAsync(
        LeaderTransaction transaction, SrchCompact compact)
    {
        bool isSorted = compact.Flags == SrchCompact.FlagSorted;
        var error = FsError.None;
        for (int i = 0; error == FsError.None && i < compact.Nr; i++)
        {
            error = await transaction.RemoveAsync(LeaderTree.Srch, FileKey(compact.Inputs[i].File, isSorted));
            compact.Inputs[i].Blk = 0;
            compact.Inputs[i].Pos = 0;
        }

        if (error == FsError.None && compact.Out.Blocks > 0)
            error = await transaction.ForceAsync(LeaderTree.Srch, FileKey(compact.Out, isSorted: true), compact.Out);
        compact.Flags = SrchCompact.FlagDelete;
        return (error, compact);
    }
}
