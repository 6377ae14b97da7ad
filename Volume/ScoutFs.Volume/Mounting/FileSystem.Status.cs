using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Mounting;

/// <summary>What agents ask of a mount and its volume (archive §9.10).</summary>
/// <param name="Fsid">The volume.</param>
/// <param name="Rid">The mount.</param>
/// <param name="CommittedSeq">The seq up to which everything is durable.</param>
/// <param name="TotalMetaBlocks">Blocks of 64 KiB.</param>
/// <param name="TotalDataBlocks">Blocks of 4 KiB.</param>
/// <param name="ReservedMetaBlocks">Blocks of 64 KiB that changes which take space leave free.</param>
public readonly record struct VolumeStatus(
    ulong Fsid,
    ulong Rid,
    ulong CommittedSeq,
    ulong TotalMetaBlocks,
    ulong TotalDataBlocks,
    ulong ReservedMetaBlocks);

/// <content>Space, and where files lie.</content>
public sealed partial class FileSystem
{
    // With one client: (2 * 8185) + (2 * 8185 + 1028 + 913) (engine §3.4); only the leader knows of others.
    private const ulong ReservedMetaBlocks = 34_681;

    /// <summary>Free and total counts.</summary>
    public ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(CancellationToken cancellationToken) =>
        _mount.Leader.StatFsAsync(cancellationToken);

    /// <summary>Totals of the volume, and how far it is durable (archive §9.10).</summary>
    /// <returns>None and the status; Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, VolumeStatus Status)> GetStatusAsync(CancellationToken cancellationToken)
    {
        var (error, committed) = await GetCommittedSeqAsync(cancellationToken);
        if (error != FsError.None)
            return (error, default);
        (error, var super) = await _mount.Weak.ReadSuperAsync(cancellationToken);
        if (error != FsError.None)
            return (error, default);
        ulong rid;
        lock (_mount.Gate)
            rid = _mount.Transaction.Rid;
        return (FsError.None, new VolumeStatus(
            _runner.Volume.Fsid, rid, committed, super.TotalMetaBlocks, super.TotalDataBlocks, ReservedMetaBlocks));
    }

    /// <summary>Lists whoever holds free blocks, as of the last commit (archive §9.10).</summary>
    /// <param name="details">Receives an entry for every allocator; emptied first.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, Corrupt, Io.</returns>
    public async ValueTask<FsError> ListAllocatorsAsync(
        List<AllocatorDetail> details, CancellationToken cancellationToken)
    {
        var stale = default(StaleCheck);
        while (true)
        {
            var (error, super) = await _mount.Weak.ReadSuperAsync(cancellationToken);
            if (error == FsError.None)
                error = await AllocatorDetails.ReadAsync(_mount.Cache, super, details, cancellationToken);
            if (error != FsError.Stale)
                return error;

            if (stale.IsDamage(super.LogsRoot.Ref, super.SrchRoot.Ref))
                return FsError.Corrupt;
        }
    }

    /// <summary>Lists a file's extents in a range, whole ones (engine §8.8).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="extents">Receives extents, in units of 4 KiB; emptied first.</param>
    /// <param name="limit">Extents at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, and whether the last one listed is the file's last; Invalid, IsDirectory, NotFound, Corrupt,
    /// Io.</returns>
    public async ValueTask<(FsError Error, bool IsLast)> ListExtentsAsync(
        ulong ino,
        ulong offset,
        ulong length,
        List<DataExtent> extents,
        int limit,
        CancellationToken cancellationToken)
    {
        extents.Clear();
        if (length == 0)
            return (FsError.Invalid, false);
        ulong last = offset + Math.Min(length - 1, ulong.MaxValue - offset);
        var (error, done) = await _runner.RunAsync(
            new ListExtentsOperation(ino, BlockOf(offset), BlockOf(last) + 1, extents, limit), cancellationToken);
        return (error, done.IsLast);
    }

    /// <summary>Takes an inode into use by its number, until <see cref="Close"/> (engine §6.9).</summary>
    /// <returns>None and the inode; NotFound, also for one that has no link any more; Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, InodeItem Item)> OpenByHandleAsync(
        ulong ino, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(
            new OpenByHandleOperation(ino, _mount.OpenInodes), cancellationToken);
        return (error, done.Item);
    }
}
