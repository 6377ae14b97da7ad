using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Chooses which free data extents a mount gets (cluster §4.4.4, §4.4.5).</summary>
/// <remarks>
/// With the option data_alloc_zone_blocks, mounts are kept apart: extents come first from zones that only this mount
/// has, then from zones nobody has, then from anywhere, the largest first.
/// </remarks>
internal static class DataPlacement
{
    /// <summary>Data blocks below which a mount gets more: 1 GiB.</summary>
    public const ulong RefillBelow = 262144;

    /// <summary>Data blocks that a mount then has: 4 GiB.</summary>
    public const ulong Target = 1048576;

    /// <summary>Zone size in blocks that the options ask for, 0: none.</summary>
    public static ulong ZoneBlocksOf(in VolumeOptions options) =>
        (options.SetBits & (1UL << VolumeOptions.DataAllocZoneBlocks)) == 0
            ? 0
            : options.Values[VolumeOptions.DataAllocZoneBlocks];

    /// <summary>Moves free extents to a log tree, as far as the budget goes.</summary>
    /// <returns>None and the log tree, which the caller stores; NoSpace; or a read error.</returns>
    public static async ValueTask<(FsError Error, LogTrees Log)> FillAsync(
        LeaderTransaction transaction, LogTrees log, int budgetBlocks)
    {
        ulong zoneBlocks = ZoneBlocksOf(transaction.Super.VolumeOptions);
        int floor = transaction.RemainingBlocks - budgetBlocks;
        var error = FsError.None;
        if (zoneBlocks != 0)
        {
            var (exclusive, vacant) = ClassOf(transaction, log.Rid, zoneBlocks);
            (error, log) = await FillFromAsync(transaction, log, exclusive, zoneBlocks, floor);
            if (error == FsError.None)
                (error, log) = await FillFromAsync(transaction, log, vacant, zoneBlocks, floor);
        }

        while (error == FsError.None && Wants(transaction, log, floor))
        {
            (error, var from, var taken) = await transaction.Extents.TakeAsync(
                transaction.Super.DataAlloc, Target - log.DataAvail.TotalLen, CancellationToken.None);
            transaction.Super.DataAlloc = from;
            if (taken.Count == 0)
                break;
            if (error == FsError.None)
            {
                (error, log.DataAvail) = await transaction.Extents.InsertAsync(
                    log.DataAvail, taken, CancellationToken.None);
            }
        }

        return (error, log);
    }

    /// <summary>Records the zones that a log tree's free extents lie in.</summary>
    /// <returns>None and the log tree; or a read error.</returns>
    public static async ValueTask<(FsError Error, LogTrees Log)> NoteZonesAsync(
        LeaderTransaction transaction, LogTrees log)
    {
        ulong zoneBlocks = ZoneBlocksOf(transaction.Super.VolumeOptions);
        log.DataAllocZoneBlocks = zoneBlocks;
        log.DataAllocZones = default;
        if (zoneBlocks == 0)
            return (FsError.None, log);
        for (ulong blkno = FormatConstants.FirstDataBlkno; ;)
        {
            var (error, extent) = await transaction.Extents.NextAsync(log.DataAvail, blkno, CancellationToken.None);
            if (error != FsError.None || extent.Count == 0)
                return (error, log);
            ulong last = (extent.End - 1) / zoneBlocks;
            for (ulong zone = Math.Max(blkno, extent.Start) / zoneBlocks;
                zone <= last && zone < FormatConstants.DataZones;
                zone++)
            {
                SetBit(ref log.DataAllocZones, zone);
            }

            // The rest of this zone is known.
            blkno = Math.Max(extent.End, (last + 1) * zoneBlocks);
        }
    }

    private static bool Wants(LeaderTransaction transaction, in LogTrees log, int floor) =>
        log.DataAvail.TotalLen < Target && transaction.Super.DataAlloc.TotalLen != 0
        && transaction.RemainingBlocks > floor;

    private static async ValueTask<(FsError Error, LogTrees Log)> FillFromAsync(
        LeaderTransaction transaction, LogTrees log, bool[] zones, ulong zoneBlocks, int floor)
    {
        var error = FsError.None;
        for (int zone = 0; zone < zones.Length && error == FsError.None; zone++)
        {
            ulong start = Math.Max((ulong)zone * zoneBlocks, FormatConstants.FirstDataBlkno);
            ulong end = ((ulong)zone + 1) * zoneBlocks;
            while (zones[zone] && error == FsError.None && Wants(transaction, log, floor))
            {
                (error, var from, var taken) = await transaction.Extents.TakeWithinAsync(
                    transaction.Super.DataAlloc, start, end, Target - log.DataAvail.TotalLen, CancellationToken.None);
                transaction.Super.DataAlloc = from;
                if (taken.Count == 0)
                    break;
                if (error == FsError.None)
                {
                    (error, log.DataAvail) = await transaction.Extents.InsertAsync(
                        log.DataAvail, taken, CancellationToken.None);
                }
            }
        }

        return (error, log);
    }

    // Items record the zone size of their time; ranges of blocks translate between sizes.
    private static (bool[] Exclusive, bool[] Vacant) ClassOf(
        LeaderTransaction transaction, ulong rid, ulong zoneBlocks)
    {
        ulong total = transaction.Super.TotalDataBlocks;
        int count = (int)Math.Min((total + zoneBlocks - 1) / zoneBlocks, FormatConstants.DataZones);
        var ours = new bool[count];
        var others = new bool[count];
        foreach (var log in transaction.Logs.Values)
        {
            ulong size = log.DataAllocZoneBlocks;
            for (ulong zone = 0; size != 0 && zone < FormatConstants.DataZones; zone++)
            {
                if (!HasBit(log.DataAllocZones, zone))
                    continue;
                ulong last = Math.Min((((zone + 1) * size) - 1) / zoneBlocks, (ulong)count - 1);
                for (ulong i = zone * size / zoneBlocks; i <= last; i++)
                    (log.Rid == rid ? ours : others)[i] = true;
            }
        }

        var exclusive = new bool[count];
        var vacant = new bool[count];
        for (int i = 0; i < count; i++)
        {
            exclusive[i] = ours[i] && !others[i];
            vacant[i] = !ours[i] && !others[i];
        }

        return (exclusive, vacant);
    }

    private static bool HasBit(in ZoneBitmap zones, ulong zone) =>
        (zones[(int)(zone / 8)] & (1 << (int)(zone % 8))) != 0;

    private static void SetBit(ref ZoneBitmap zones, ulong zone) =>
        zones[(int)(zone / 8)] |= (byte)(1 << (int)(zone % 8));
}
