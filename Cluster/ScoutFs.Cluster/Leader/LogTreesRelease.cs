using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Takes back what a log tree owns, and closes it for good (cluster §4.6.2, §9.2).</summary>
internal static class LogTreesRelease
{
    /// <summary>Metadata blocks that moving data extents may use before a commit (cluster §4.4).</summary>
    public const int DataBudgetBlocks = 250;

    /// <summary>Moves a srch file that has grown to a size, or any, into the tree of srch files.</summary>
    /// <param name="transaction">The transaction.</param>
    /// <param name="log">The log tree; the caller stores it.</param>
    /// <param name="minBlocks">Blocks that the file must have, at least 1.</param>
    /// <returns>None and the log tree; NoSpace; or a read error.</returns>
    public static async ValueTask<(FsError Error, LogTrees Log)> RotateSrchAsync(
        LeaderTransaction transaction, LogTrees log, ulong minBlocks)
    {
        var file = log.SrchFile;
        if (file.Blocks < minBlocks || file.Ref.IsNone)
            return (FsError.None, log);
        var key = new ItemKey(KeyZone.Srch, 0, KeyType.SrchLog, file.Ref.Blkno);
        var error = await transaction.ForceAsync(LeaderTree.Srch, key, file);
        log.SrchFile = default;
        return (error, log);
    }

    /// <summary>
    /// Empties the last log tree of a mount and finalises it, over as many commits as needed. It loses its allocators
    /// in the commit that finalises it, or before, never after.
    /// </summary>
    /// <param name="transaction">The transaction; restarted when the work is long.</param>
    /// <param name="rid">The mount.</param>
    /// <param name="isGone">The mount is gone: its zones are free again.</param>
    /// <returns>None, also when there is nothing to finalise; NoSpace; or a read error.</returns>
    public static async ValueTask<FsError> FinalizeAsync(LeaderTransaction transaction, ulong rid, bool isGone)
    {
        while (transaction.TryLastLogTrees(rid, out var log) && !log.IsFinalized)
        {
            (var error, log) = await EmptyAsync(transaction, log);
            bool isEmpty = log.DataAvail.TotalLen == 0 && log.DataFreed.TotalLen == 0;
            if (error == FsError.None && isEmpty)
            {
                log.CommitTransSeq = log.GetTransSeq;
                log.Flags = log.Flags | LogTrees.FlagFinalized;
                log.FinalizeSeq = transaction.NextSeq();
                if (isGone)
                {
                    log.DataAllocZones = default;
                    log.DataAllocZoneBlocks = 0;
                }
            }

            if (error == FsError.None)
                error = await transaction.StoreLogTreesAsync(log);
            if (error == FsError.None && !isEmpty)
                error = await transaction.RestartAsync();
            if (error != FsError.None)
                return error;
        }

        return FsError.None;
    }

    private static async ValueTask<(FsError Error, LogTrees Log)> EmptyAsync(
        LeaderTransaction transaction, LogTrees log)
    {
        (var error, log) = await RotateSrchAsync(transaction, log, minBlocks: 1);
        if (error == FsError.None)
            error = await transaction.GiveListAsync(log.MetaFreed);
        log.MetaFreed = default;
        if (error == FsError.None)
            error = await transaction.GiveListAsync(log.MetaAvail);
        log.MetaAvail = default;
        if (error == FsError.None)
            (error, log.DataAvail) = await transaction.GiveDataAsync(log.DataAvail, DataBudgetBlocks);
        if (error == FsError.None && log.DataAvail.TotalLen == 0)
            (error, log.DataFreed) = await transaction.GiveDataAsync(log.DataFreed, DataBudgetBlocks);
        return (error, log);
    }
}
