using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Mounting;

/// <summary>Free blocks that somebody holds (archive §9.10).</summary>
/// <param name="Id">0: the leader. Else the mount that they are lent to, or the srch compaction.</param>
/// <param name="Blocks">Blocks, of 64 KiB for metadata, else of 4 KiB.</param>
/// <param name="IsMeta">They are of the metadata device.</param>
/// <param name="IsAvailable">They may be used as they are; else they were freed and wait for a commit.</param>
public readonly record struct AllocatorDetail(ulong Id, ulong Blocks, bool IsMeta, bool IsAvailable);

/// <summary>Lists every allocator of one committed state.</summary>
internal static class AllocatorDetails
{
    /// <summary>Lists the allocators that a super block refers to.</summary>
    /// <returns>None; Stale when they have changed since; Corrupt, Io, NoBuffers, Cancelled.</returns>
    public static async ValueTask<FsError> ReadAsync(
        BlockCache cache, SuperBlock super, List<AllocatorDetail> details, CancellationToken cancellationToken)
    {
        details.Clear();
        for (int i = 0; i < 2; i++)
        {
            details.Add(new AllocatorDetail(0, super.MetaAlloc[i].TotalLen, true, true));
            details.Add(new AllocatorDetail(0, super.ServerMetaAvail[i].TotalNr, true, true));
            details.Add(new AllocatorDetail(0, super.ServerMetaFreed[i].TotalNr, true, false));
        }

        details.Add(new AllocatorDetail(0, super.DataAlloc.TotalLen, false, true));
        using var cursor = new BtreeCursor(cache);
        foreach (var root in new[] { super.LogsRoot, super.SrchRoot, super.LogMerge })
        {
            cursor.SetRoot(root);
            var status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
            for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(cancellationToken))
            {
                if (!TryAdd(cursor, details))
                    return FsError.Corrupt;
            }

            if (status == BtreeStatus.Corrupt)
                return cursor.Error;
        }

        return FsError.None;
    }

    private static bool TryAdd(BtreeCursor cursor, List<AllocatorDetail> details)
    {
        var value = cursor.Value;
        switch (cursor.Key.Zone)
        {
            case KeyZone.LogTrees when value.Length == Disk.SizeOf<LogTrees>():
                ref readonly var log = ref Disk.Ref<LogTrees>(value);
                AddLists(details, log.Rid, log.MetaAvail, log.MetaFreed);
                details.Add(new AllocatorDetail(log.Rid, log.DataAvail.TotalLen, false, true));
                details.Add(new AllocatorDetail(log.Rid, log.DataFreed.TotalLen, false, false));
                return true;
            case KeyZone.Srch when cursor.Key.Type is KeyType.SrchPending or KeyType.SrchBusy
                && value.Length == Disk.SizeOf<SrchCompact>():
                ref readonly var compact = ref Disk.Ref<SrchCompact>(value);
                AddLists(details, compact.Id, compact.MetaAvail, compact.MetaFreed);
                return true;
            case KeyZone.MergeRequest when value.Length == Disk.SizeOf<LogMergeRequest>():
                ref readonly var request = ref Disk.Ref<LogMergeRequest>(value);
                AddLists(details, request.Rid, request.MetaAvail, request.MetaFreed);
                return true;
            case KeyZone.MergeComplete when value.Length == Disk.SizeOf<LogMergeComplete>():
                ref readonly var complete = ref Disk.Ref<LogMergeComplete>(value);
                AddLists(details, complete.Rid, complete.MetaAvail, complete.MetaFreed);
                return true;
            default:
                return cursor.Key.Zone is not (KeyZone.LogTrees or KeyZone.MergeRequest or KeyZone.MergeComplete);
        }
    }

    private static void AddLists(
        List<AllocatorDetail> details, ulong id, in AllocListHead avail, in AllocListHead freed)
    {
        details.Add(new AllocatorDetail(id, avail.TotalNr, true, true));
        details.Add(new AllocatorDetail(id, freed.TotalNr, true, false));
    }
}
