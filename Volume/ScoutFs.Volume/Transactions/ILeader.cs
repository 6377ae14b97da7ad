using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>What a mount asks of its leader. Port of this layer, implemented by Cluster (cluster §5).</summary>
/// <remarks>
/// <para>A call waits until some leader has answered: a lost leader is waited for, its successor gets the request
/// again. Answers that reveal or depend on changed state come after the leader's commit. Calls end early only with
/// Cancelled, which leaves open whether the leader acted, or Isolated, after which nothing is sent any more.</para>
/// <para>Any thread may call, any number at a time, except that <see cref="GetLogTreesAsync"/> and
/// <see cref="CommitLogTreesAsync"/> are made by the one transaction in turn.</para>
/// </remarks>
public interface ILeader
{
    /// <summary>Opens the next transaction: ownership of the log trees' allocators passes to the mount.</summary>
    /// <returns>None; NoSpace, Io, Cancelled or Isolated.</returns>
    ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(CancellationToken cancellationToken);

    /// <summary>Commits the open transaction. Everything it refers to must be durable before.</summary>
    /// <returns>None; Io for a wrong rid or seq; NotFound; NoSpace; Cancelled or Isolated.</returns>
    ValueTask<FsError> CommitLogTreesAsync(LogTrees logTrees, CancellationToken cancellationToken);

    /// <summary>Takes up to <paramref name="count"/> inode numbers; fewer may come, 0 when none are left.</summary>
    ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong count, CancellationToken cancellationToken);

    /// <summary>The roots of the last commit.</summary>
    ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(CancellationToken cancellationToken);

    /// <summary>The seq up to which every transaction is committed (cluster §6.3).</summary>
    ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(CancellationToken cancellationToken);

    /// <summary>Takes a srch compaction; its Nr is 0 when there is nothing to do.</summary>
    ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(CancellationToken cancellationToken);

    /// <summary>Returns a srch compaction, with flag Done or Error as it went.</summary>
    ValueTask<FsError> CommitSrchCompactAsync(SrchCompact compact, CancellationToken cancellationToken);

    /// <summary>Takes a log merge request; NotFound when there is nothing to do.</summary>
    ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(CancellationToken cancellationToken);

    /// <summary>Returns a log merge request.</summary>
    ValueTask<FsError> CommitLogMergeAsync(LogMergeComplete complete, CancellationToken cancellationToken);

    /// <summary>Which inodes of a group other mounts have in use.</summary>
    ValueTask<(FsError Error, WireOpenInoMap Map)> OpenInoMapAsync(ulong group, CancellationToken cancellationToken);

    /// <summary>The volume's options.</summary>
    ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(CancellationToken cancellationToken);

    /// <summary>Sets the options whose bits are set.</summary>
    /// <returns>None; Invalid for an unknown option or a value out of range.</returns>
    ValueTask<FsError> SetVolumeOptionsAsync(VolumeOptions options, CancellationToken cancellationToken);

    /// <summary>Clears the options whose bits are set.</summary>
    ValueTask<FsError> ClearVolumeOptionsAsync(VolumeOptions options, CancellationToken cancellationToken);

    /// <summary>Grows the volume.</summary>
    /// <returns>None; Invalid when smaller than now, or beyond the device.</returns>
    ValueTask<FsError> ResizeDevicesAsync(WireResize resize, CancellationToken cancellationToken);

    /// <summary>Free and total counts of the last commit.</summary>
    ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(CancellationToken cancellationToken);
}
