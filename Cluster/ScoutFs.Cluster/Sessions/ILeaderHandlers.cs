using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>What a leader does for mounts, other than locks and the open map. Port of the sessions.</summary>
/// <remarks>
/// <para>Requests of one mount come one after the other but are not waited for: they run side by side (cluster §3.1
/// N5). Each may come a second time from a mount whose earlier leader did it (N3). Answers that reveal or depend on
/// changed state come after the commit (cluster §4.3). An exception ends in <see cref="OnFault"/>.</para>
/// <para>What they do and return: <see cref="Volume.Transactions.ILeader"/>, with the mount's rid in front.</para>
/// </remarks>
public interface ILeaderHandlers
{
    /// <summary>The next core seq. May be called with latches held by any thread; waits for nothing.</summary>
    ulong NextSeq();

    /// <summary>Later seqs are greater than this one. Called like <see cref="NextSeq"/>.</summary>
    void RaiseSeq(ulong seq);

    /// <summary>A mount greets: makes it a mounted client, or verifies that it is one (cluster §3.6, DEV-10).</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="greeting">Its greeting; volume and version have been checked. ServerTerm 0: it has met no leader
    /// yet, so its item is inserted and committed; an item that exists already is success. Otherwise the item must
    /// exist, unless the farewell flag is set.</param>
    /// <param name="peer">Where it is, as the connection knows.</param>
    /// <param name="cancellationToken">The leader stops.</param>
    /// <returns>None; Isolated when the item is gone, which tells the mount that it has been fenced; errors of commits.
    /// </returns>
    ValueTask<FsError> GreetAsync(
        ulong rid, WireGreeting greeting, InetAddress peer, CancellationToken cancellationToken);

    /// <summary>A mount leaves; the answer may take as long as cluster §3.7 says.</summary>
    /// <returns>None, after the reclaim; also when there is no such mounted client.</returns>
    ValueTask<FsError> FarewellAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>Opens the mount's next transaction. Called only once all locks are known (DEV-11).</summary>
    ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>Commits the mount's open transaction.</summary>
    ValueTask<FsError> CommitLogTreesAsync(ulong rid, LogTrees logTrees, CancellationToken cancellationToken);

    /// <summary>Gives inode numbers.</summary>
    ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong rid, ulong count, CancellationToken cancellationToken);

    /// <summary>The roots of the last commit.</summary>
    ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>The seq up to which every transaction is committed.</summary>
    ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>Gives a srch compaction; Nr is 0 when there is nothing to do.</summary>
    ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(
        ulong rid, CancellationToken cancellationToken);

    /// <summary>Takes a srch compaction back.</summary>
    ValueTask<FsError> CommitSrchCompactAsync(
        ulong rid, SrchCompact compact, CancellationToken cancellationToken);

    /// <summary>Gives a log merge request.</summary>
    ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(
        ulong rid, CancellationToken cancellationToken);

    /// <summary>Takes a log merge request back.</summary>
    ValueTask<FsError> CommitLogMergeAsync(
        ulong rid, LogMergeComplete complete, CancellationToken cancellationToken);

    /// <summary>The volume's options.</summary>
    ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(
        ulong rid, CancellationToken cancellationToken);

    /// <summary>Sets options.</summary>
    ValueTask<FsError> SetVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken);

    /// <summary>Clears options.</summary>
    ValueTask<FsError> ClearVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken);

    /// <summary>Grows the volume.</summary>
    ValueTask<FsError> ResizeDevicesAsync(ulong rid, WireResize resize, CancellationToken cancellationToken);

    /// <summary>Counts of the last commit.</summary>
    ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(ulong rid, CancellationToken cancellationToken);

    /// <summary>A mount's locks are known, or gone with it: farewells are to be looked at (cluster §3.7).</summary>
    /// <remarks>Called without latches.</remarks>
    void OnLocksRecovered(ulong rid, bool isLast);

    /// <summary>A mount's connection is gone; without another one in time it must be fenced (cluster §3.6).</summary>
    /// <remarks>Called without latches. Not called after its farewell was answered.</remarks>
    void OnDisconnected(ulong rid);

    /// <summary>A request ended in an exception, which nobody else sees: the leader must stop (cluster §4.2).</summary>
    void OnFault(Exception exception);
}
