using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Counts what is free in the last committed state (cluster §5, STATFS; format §14.5).</summary>
internal static class FreeCounts
{
    /// <summary>Sums free blocks and inodes over everything that holds some.</summary>
    /// <remarks>Runs while no commit does, so that no block it reads can be written anew under it (DEV-14).</remarks>
    /// <returns>None and the counts; or a device's or damage's error.</returns>
    public static ValueTask<(FsError Error, WireStatFs Counts)> SumAsync(
        LeaderCommit commit, CancellationToken cancellationToken) =>
        commit.InspectAsync<WireStatFs>(() => SumAsync(commit), cancellationToken);

    private static async ValueTask<(FsError Error, WireStatFs Counts)> SumAsync(LeaderCommit commit)
    {
        var state = commit.Stable;
        var counts = SumRoots(state);
        using var cursor = new BtreeCursor(commit.Cache);
        cursor.SetRoot(state.Super.SrchRoot);
        var error = await AddListsAsync(
            cursor, new ItemKey(KeyZone.Srch, 0, KeyType.SrchPending), counts);
        if (error.Error != FsError.None)
            return error;
        cursor.SetRoot(state.Super.LogMerge);
        return await AddListsAsync(cursor, new ItemKey(KeyZone.MergeRequest, 0, 0), error.Counts);
    }

    private static WireStatFs SumRoots(LeaderState state)
    {
        var super = state.Super;
        ulong meta = 0;
        for (int i = 0; i < 2; i++)
        {
            meta += super.MetaAlloc[i].TotalLen + super.ServerMetaAvail[i].TotalNr + super.ServerMetaFreed[i].TotalNr;
        }

        ulong data = super.DataAlloc.TotalLen;
        ulong inodes = super.InodeCount;
        foreach (var log in state.Logs.Values)
        {
            meta += log.MetaAvail.TotalNr + log.MetaFreed.TotalNr;
            data += log.DataAvail.TotalLen + log.DataFreed.TotalLen;
            inodes += (ulong)log.InodeCountDelta.Value;
        }

        return new WireStatFs
        {
            Uuid = super.Uuid,
            FreeMetaBlocks = meta,
            TotalMetaBlocks = super.TotalMetaBlocks,
            FreeDataBlocks = data,
            TotalDataBlocks = super.TotalDataBlocks,
            InodeCount = inodes,
        };
    }

    // Values of srch compactions, merge requests and completions begin with their two lists.
    private static async ValueTask<(FsError Error, WireStatFs Counts)> AddListsAsync(
        BtreeCursor cursor, ItemKey from, WireStatFs counts)
    {
        var status = await cursor.SeekAsync(from, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None))
        {
            bool hasLists = cursor.Key.Zone is KeyZone.MergeRequest or KeyZone.MergeComplete
                || (cursor.Key.Zone == KeyZone.Srch && cursor.Key.Type is KeyType.SrchPending or KeyType.SrchBusy);
            int headBytes = Disk.SizeOf<AllocListHead>();
            if (!hasLists || cursor.Value.Length < 2 * headBytes)
                continue;
            ulong free = Disk.Ref<AllocListHead>(cursor.Value).TotalNr
                + Disk.Ref<AllocListHead>(cursor.Value, headBytes).TotalNr;
            counts.FreeMetaBlocks = counts.FreeMetaBlocks + free;
        }

        return (status == BtreeStatus.Corrupt ? cursor.Error : FsError.None, counts);
    }
}
