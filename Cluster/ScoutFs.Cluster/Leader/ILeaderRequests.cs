using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>What a leader does for mounts that are greeted, other than locks and the open map.</summary>
/// <remarks>
/// <para>Requests of one mount come one after the other but are not waited for: they run side by side (cluster §3.1
/// N5). Each may come a second time from a mount whose earlier leader did it (N3). Answers that reveal or depend on
/// changed state come after the commit (cluster §4.3). An exception stops the leader.</para>
/// <para>What they do and return: <see cref="Volume.Transactions.ILeader"/>, with the mount's rid in front.</para>
/// </remarks>
public interface ILeaderRequests
{
    /// <summary>A mount wants to leave; completes when it may, with everything it owned taken back (cluster
    /// §3.7).</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="cancellationToken">Its connection ended: the farewell will come again elsewhere.</param>
    /// <returns>None; Cancelled; or Isolated when the leader stops.</returns>
    ValueTask<FsError> FarewellAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>Opens a mount's next transaction (cluster §5.1); waits until every lock is known (DEV-11).</summary>
    /// <returns>None and the log trees; Isolated, Cancelled, NoSpace, or a device's or damage's error.</returns>
    ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>Commits a mount's open transaction (cluster §5.2).</summary>
    /// <returns>None, also when it is committed already; Io for a wrong rid or seq; NotFound; Isolated, Cancelled,
    /// NoSpace, or a device's or damage's error.</returns>
    ValueTask<FsError> CommitLogTreesAsync(ulong rid, LogTrees logTrees, CancellationToken cancellationToken);

    /// <summary>Takes up to <paramref name="count"/> inode numbers; fewer may come, 0 when none are left.</summary>
    ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong rid, ulong count, CancellationToken cancellationToken);

    /// <summary>The roots of the last commit; never waits.</summary>
    ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>The seq up to which every transaction is committed (cluster §6.3).</summary>
    ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>Gives a mount a srch compaction, Nr 0 when there is nothing to do; what it has when it asks
    /// again.</summary>
    /// <returns>None; Isolated, Cancelled, NoSpace, or a device's or damage's error.</returns>
    ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(
        ulong rid, CancellationToken cancellationToken);

    /// <summary>Takes the result of a srch compaction, with flag Done or Error as it went.</summary>
    /// <returns>None; NotFound when the mount has no such compaction; Invalid; Isolated, Cancelled, NoSpace, or a
    /// device's or damage's error.</returns>
    ValueTask<FsError> CommitSrchCompactAsync(
        ulong rid, SrchCompact compact, CancellationToken cancellationToken);

    /// <summary>Gives a mount a part of the log merge; the one it has already when it asks again.</summary>
    /// <returns>None; NotFound when there is nothing to do; Isolated, Cancelled, NoSpace, or a device's or damage's
    /// error.</returns>
    ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(
        ulong rid, CancellationToken cancellationToken);

    /// <summary>Takes the result of a part of the log merge.</summary>
    /// <returns>None; NotFound when there is no such part, which is no harm; Invalid; Isolated, Cancelled, NoSpace, or
    /// a device's or damage's error.</returns>
    ValueTask<FsError> CommitLogMergeAsync(
        ulong rid, LogMergeComplete complete, CancellationToken cancellationToken);

    /// <summary>The volume's options as of the last commit; never waits.</summary>
    ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(
        ulong rid, CancellationToken cancellationToken);

    /// <summary>Sets the options whose bits are set.</summary>
    /// <returns>None; Invalid; Isolated, Cancelled, NoSpace, or a device's error.</returns>
    ValueTask<FsError> SetVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken);

    /// <summary>Clears the options whose bits are set.</summary>
    /// <returns>None; Invalid; Isolated, Cancelled, NoSpace, or a device's error.</returns>
    ValueTask<FsError> ClearVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken);

    /// <summary>Grows the volume.</summary>
    /// <returns>None; Invalid; Isolated, Cancelled, NoSpace, or a device's error.</returns>
    ValueTask<FsError> ResizeDevicesAsync(ulong rid, WireResize resize, CancellationToken cancellationToken);

    /// <summary>Free and total counts of the last commit.</summary>
    ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(ulong rid, CancellationToken cancellationToken);
}
