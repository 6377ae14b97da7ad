using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Forest;

/// <summary>How an item version from a source takes part in sums of totals (format §9.5).</summary>
public enum ForestLayer
{
    /// <summary>fs_root.</summary>
    Merged,

    /// <summary>A finalized log tree that is an input of the running (or next) merge.</summary>
    MergeInput,

    /// <summary>Any other log tree.</summary>
    Log,
}

/// <summary>One tree of the forest.</summary>
/// <param name="Layer">Its part in sums.</param>
/// <param name="Root">Its items.</param>
/// <param name="BloomRef">Its bloom block; none for fs_root, which is always read.</param>
/// <param name="Rid">Mount that wrote it, 0 for fs_root.</param>
/// <param name="Nr">Number within the mount, 0 for fs_root.</param>
public readonly record struct ForestSource(
    ForestLayer Layer, BtreeRoot Root, BlockRef BloomRef, ulong Rid, ulong Nr);

/// <summary>The roots of one committed state of a volume: fs_root and every log tree of the same super block.</summary>
/// <remarks>Immutable. What is read through it is consistent as long as no block turns out to be stale.</remarks>
public sealed class ForestRoots
{
    /// <summary>
    /// Trees that a forest may have. Each costs a reader two blocks of cache, so this bounds memory to 2 GiB; a healthy
    /// volume has one to three trees a mount.
    /// </summary>
    public const int MaxSources = 16384;

    private ForestRoots(BtreeRoot fsRoot, BtreeRoot logsRoot, List<LogTrees> logs, List<ForestSource> sources)
    {
        FsRoot = fsRoot;
        LogsRoot = logsRoot;
        Logs = logs;
        Sources = sources;
    }

    /// <summary>Root of merged items.</summary>
    public BtreeRoot FsRoot { get; }

    /// <summary>Root of log trees items.</summary>
    public BtreeRoot LogsRoot { get; }

    /// <summary>All log trees items in key order.</summary>
    public IReadOnlyList<LogTrees> Logs { get; }

    /// <summary>fs_root first, then every log tree that has items.</summary>
    public IReadOnlyList<ForestSource> Sources { get; }

    /// <summary>Reads logs_root and the merge status (format §9.5, §13.2).</summary>
    /// <returns>The roots with None, else what was wrong.</returns>
    public static async ValueTask<(ForestRoots? Roots, FsError Error, Corruption Fault)> LoadAsync(
        BlockCache cache,
        BtreeRoot fsRoot,
        BtreeRoot logsRoot,
        BtreeRoot logMerge,
        CancellationToken cancellationToken)
    {
        using var cursor = new BtreeCursor(cache);
        ulong inputsBefore = ulong.MaxValue;
        cursor.SetRoot(logMerge);
        var status = await cursor.SeekAsync(new ItemKey(KeyZone.MergeStatus, 0, 0), cancellationToken);
        if (status == BtreeStatus.Found && cursor.Key.Zone == KeyZone.MergeStatus)
        {
            if (cursor.Value.Length != Disk.SizeOf<LogMergeStatus>())
                return (null, FsError.Corrupt, ValueLength(cursor, Disk.SizeOf<LogMergeStatus>()));
            inputsBefore = Disk.Ref<LogMergeStatus>(cursor.Value).Seq;
        }

        if (status == BtreeStatus.Corrupt)
            return (null, cursor.Error, cursor.Fault);

        var logs = new List<LogTrees>();
        var sources = new List<ForestSource> { new(ForestLayer.Merged, fsRoot, default, 0, 0) };
        cursor.SetRoot(logsRoot);
        for (status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
            status == BtreeStatus.Found;
            status = await cursor.MoveNextAsync(cancellationToken))
        {
            if (cursor.Value.Length != Disk.SizeOf<LogTrees>())
                return (null, FsError.Corrupt, ValueLength(cursor, Disk.SizeOf<LogTrees>()));
            var log = Disk.Ref<LogTrees>(cursor.Value);
            if (cursor.Key != Keys.LogTrees(log.Rid, log.Nr))
            {
                var fault = new Corruption(CorruptionSite.LogTreesKey, cursor.LeafBlkno, cursor.Key.First, log.Rid);
                return (null, FsError.Corrupt, fault);
            }

            if (logs.Count >= MaxSources)
                return (null, FsError.NoBuffers, default);
            logs.Add(log);
            if (log.ItemRoot.IsEmpty)
                continue;
            bool isInput = log.IsFinalized && log.FinalizeSeq < inputsBefore;
            var layer = isInput ? ForestLayer.MergeInput : ForestLayer.Log;
            sources.Add(new ForestSource(layer, log.ItemRoot, log.BloomRef, log.Rid, log.Nr));
        }

        return status == BtreeStatus.Corrupt
            ? (null, cursor.Error, cursor.Fault)
            : (new ForestRoots(fsRoot, logsRoot, logs, sources), FsError.None, default);
    }

    private static Corruption ValueLength(BtreeCursor cursor, int expectedBytes) => new(
        CorruptionSite.ItemValueLength, cursor.LeafBlkno, (ulong)expectedBytes, (ulong)cursor.Value.Length);
}
