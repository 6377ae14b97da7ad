using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Quota;

namespace ScoutFs.Volume.Mounting;

/// <content>What archive agents do to files, and quota rules (archive §§9–10).</content>
public sealed partial class FileSystem
{
    /// <summary>Frees blocks whose contents the archive has (archive §9.5).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096; 0 does nothing.</param>
    /// <param name="dataVersion">Version that the archive has.</param>
    /// <param name="cancellationToken">Ends a wait; what was released stays so.</param>
    /// <returns>None; Invalid, Stale for another version, NotFound, NoSpace, Corrupt, Io.</returns>
    public async ValueTask<FsError> ReleaseAsync(
        ulong ino, ulong offset, ulong length, ulong dataVersion, CancellationToken cancellationToken)
    {
        if (length == 0)
            return FsError.None;
        if (!IsBlockRange(offset, length))
            return FsError.Invalid;
        var (error, isFullyOffline) = await ChangeOfflineAsync(
            OfflineChange.Release, ino, BlockOf(offset), BlockOf(offset) + BlockOf(length), dataVersion,
            cancellationToken);
        if (error != FsError.None || !isFullyOffline)
            return error;

        // Space past the end of a file that has nothing online any more is of no use.
        (error, var inode) = await GetAttributesAsync(ino, cancellationToken);
        ulong size = inode.Size;
        if (error != FsError.None || inode.OnlineBlocks != 0UL || size == 0)
            return error;
        ulong pastEnd = (size + FormatConstants.SmallBlockBytes - 1) / FormatConstants.SmallBlockBytes;
        (error, _) = await ChangeOfflineAsync(
            OfflineChange.DropPastEnd, ino, pastEnd, ulong.MaxValue, dataVersion, cancellationToken);
        return error;
    }

    /// <summary>Makes offline blocks holes (archive §9.15).</summary>
    /// <returns>None; OutOfRange for a range that is not of whole blocks; Invalid, Stale, NotPermitted…</returns>
    public async ValueTask<FsError> PunchOfflineAsync(
        ulong ino, ulong offset, ulong length, ulong dataVersion, CancellationToken cancellationToken)
    {
        if (length == 0)
            return FsError.None;
        if (!IsBlockRange(offset, length))
            return FsError.OutOfRange;
        var (error, _) = await ChangeOfflineAsync(
            OfflineChange.Punch, ino, BlockOf(offset), BlockOf(offset) + BlockOf(length), dataVersion,
            cancellationToken);
        return error;
    }

    /// <summary>Brings contents back from the archive (archive §9.6).</summary>
    /// <returns>Bytes staged with None; Invalid, Stale for another version, NotFound, NoSpace, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, int Staged)> StageAsync(
        ulong ino,
        ulong offset,
        ReadOnlyMemory<byte> bytes,
        ulong dataVersion,
        CancellationToken cancellationToken)
    {
        int staged = 0;
        while (staged < bytes.Length)
        {
            var piece = bytes.Slice(staged, Math.Min(WriteOperation.MaxBytes, bytes.Length - staged));
            var (error, done) = await _runner.RunAsync(
                new WriteOperation(
                    ino, offset + (ulong)staged, piece, false, false, Now, _mount.Data, dataVersion),
                cancellationToken);
            if (error != FsError.None)
                return staged > 0 ? (FsError.None, staged) : (error, 0);
            staged += piece.Length;
        }

        return (FsError.None, staged);
    }

    /// <summary>Sets archive attributes (archive §9.7).</summary>
    public async ValueTask<(FsError Error, InodeItem Item)> RestoreAsync(
        ulong ino, ArchiveAttributes changes, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(new RestoreOperation(ino, changes), cancellationToken);
        return (error, done.Item);
    }

    /// <summary>Adds a quota rule, or deletes one (archive §9.14).</summary>
    /// <returns>None; Exists, NotFound, Invalid, Unsupported on a volume of format version 1, NoSpace.</returns>
    public async ValueTask<FsError> ChangeQuotaRuleAsync(
        QuotaRuleItem rule, bool isAdded, CancellationToken cancellationToken)
    {
        var (error, _) = await _runner.RunAsync(
            new ChangeRuleOperation(rule, isAdded, _mount.Quota), cancellationToken);
        return error;
    }

    /// <summary>Operations of this mount that wait for staging, behind a place, in order (archive §9.8).</summary>
    public List<DataWaiting> ListWaiting(ulong afterIno, ulong afterBlock, int limit)
    {
        lock (_mount.Gate)
            return _mount.Data.Waiters.List(afterIno, afterBlock, limit);
    }

    /// <summary>Ends waiting operations with an error (archive §9.8).</summary>
    /// <returns>How many there were.</returns>
    public int FailWaiting(ulong ino, ulong firstBlock, ulong lastBlock, DataWaitOp ops, FsError error)
    {
        Invariant.Require(error != FsError.None);
        lock (_mount.Gate)
            return _mount.Data.Waiters.Fail(ino, firstBlock, lastBlock, ops, error);
    }

    private static bool IsBlockRange(ulong offset, ulong length) => length - 1 <= ulong.MaxValue - offset
        && offset % FormatConstants.SmallBlockBytes == 0 && length % FormatConstants.SmallBlockBytes == 0;

    private static ulong BlockOf(ulong offset) => offset / FormatConstants.SmallBlockBytes;

    private async ValueTask<(FsError Error, bool IsFullyOffline)> ChangeOfflineAsync(
        OfflineChange change,
        ulong ino,
        ulong fromBlock,
        ulong endBlock,
        ulong dataVersion,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            var (error, done) = await _runner.RunAsync(
                new ReleaseOperation(change, ino, dataVersion, fromBlock, endBlock, _mount.Data), cancellationToken);
            if (error != FsError.None || done.IsDone)
                return (error, done.IsFullyOffline);
            fromBlock = done.NextBlock;
        }
    }
}
