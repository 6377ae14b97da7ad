using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Items;
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
        (error, _) = await ChangeOfflineAsync(
            OfflineChange.DropPastEnd, ino, DataPort.BlocksOf(size), ulong.MaxValue, dataVersion, cancellationToken);
        return error;
    }

    /// <summary>Makes offline blocks holes (archive §9.15).</summary>
    /// <returns>None; Overflow for a range that is not of whole blocks; Invalid, Stale, NotPermitted…</returns>
    public async ValueTask<FsError> PunchOfflineAsync(
        ulong ino, ulong offset, ulong length, ulong dataVersion, CancellationToken cancellationToken)
    {
        if (length == 0)
            return FsError.None;
        if (!IsBlockRange(offset, length))
            return FsError.Overflow;
        var (error, _) = await ChangeOfflineAsync(
            OfflineChange.Punch, ino, BlockOf(offset), BlockOf(offset) + BlockOf(length), dataVersion,
            cancellationToken);
        return error;
    }

    /// <summary>Moves blocks of one file into a hole, or offline blocks, of another (archive §9.13).</summary>
    /// <remarks>Goes in transactions of bounded size: after an error, what was moved before stays moved. Whoever calls
    /// may write to both files.</remarks>
    /// <param name="move">What to move.</param>
    /// <param name="cancellationToken">Ends a wait; what was moved stays.</param>
    /// <returns>
    /// None; Overflow for a range that ends too far; Invalid for one that is not of whole blocks, or lies in one file,
    /// or where the target has blocks already; Stale, NotPermitted, Offline, IsDirectory, FileTooLarge, NotFound,
    /// NoSpace, Corrupt, Io.
    /// </returns>
    public async ValueTask<FsError> MoveBlocksAsync(BlockMove move, CancellationToken cancellationToken)
    {
        if (move.Length == 0)
            return FsError.None;
        if (Wraps(move.FromOffset, move.Length) || Wraps(move.ToOffset, move.Length))
            return FsError.Overflow;
        if (move.FromIno == move.ToIno)
            return FsError.Invalid;
        for (ulong doneBlocks = 0; ;)
        {
            var (error, done) = await _runner.RunAsync(
                new MoveBlocksOperation(move, doneBlocks, Now, _mount.Data), cancellationToken);
            if (error != FsError.None || done.IsDone)
                return error;
            doneBlocks = done.DoneBlocks;
        }
    }

    /// <summary>Brings contents back from the archive (archive §9.6).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte, a multiple of 4096.</param>
    /// <param name="bytes">Whole blocks, except at the end of the file.</param>
    /// <param name="dataVersion">Version that the contents are of.</param>
    /// <param name="cancellationToken">Ends a wait; what was staged stays.</param>
    /// <returns>Bytes staged with None; Invalid, Stale for another version, NotFound, NoSpace, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, int Staged)> StageAsync(
        ulong ino,
        ulong offset,
        ReadOnlyMemory<byte> bytes,
        ulong dataVersion,
        CancellationToken cancellationToken)
    {
        if (offset % FormatConstants.SmallBlockBytes != 0 || (ulong)bytes.Length > ulong.MaxValue - offset)
            return (FsError.Invalid, 0);
        if (bytes.IsEmpty)
            return (FsError.None, 0);

        // Each piece is checked where it is written; the whole range before the first.
        if (bytes.Length > WriteOperation.MaxBytes)
        {
            var (error, inode) = await GetAttributesAsync(ino, cancellationToken);
            if (error == FsError.None)
                error = WriteOperation.CheckStage(inode, offset, offset + (ulong)bytes.Length, dataVersion);
            if (error != FsError.None)
                return (error, 0);
        }

        return await WritePiecesAsync(ino, offset, bytes, false, false, dataVersion, cancellationToken);
    }

    /// <summary>Reads archive attributes by their names in a mask (archive §9.7).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="fields">What is asked for.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None and the inode, which has them all; Invalid for unknown fields; Unsupported for fields that the
    /// volume's format version lacks; NotFound, Corrupt, Io.</returns>
    public ValueTask<(FsError Error, InodeItem Item)> GetFieldsAsync(
        ulong ino, AttributeFields fields, CancellationToken cancellationToken)
    {
        if ((fields & ~AttributeFields.All) != 0)
            return new((FsError.Invalid, default));
        if ((fields & AttributeFields.SinceVersion2) != 0 && FormatVersion < 2)
            return new((FsError.Unsupported, default));
        return fields == 0 ? new((FsError.None, default)) : GetAttributesAsync(ino, cancellationToken);
    }

    /// <summary>Sets archive attributes (archive §9.7); nothing to set changes nothing.</summary>
    /// <returns>None and the inode; NotFound, Invalid, NotPermitted under retention, Unsupported, NoSpace, Corrupt,
    /// Io.</returns>
    public async ValueTask<(FsError Error, InodeItem Item)> RestoreAsync(
        ulong ino, ArchiveAttributes changes, CancellationToken cancellationToken)
    {
        if (changes == default)
            return await GetAttributesAsync(ino, cancellationToken);
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

    /// <summary>Lists quota rules in storage order (archive §9.14).</summary>
    /// <param name="from">First place; all zero at the beginning.</param>
    /// <param name="rules">Receives rules; emptied first. None: there are no more.</param>
    /// <param name="limit">Rules at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, and the place to go on from; Unsupported on a volume of format version 1; Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, QuotaRulePosition Next)> ListQuotaRulesAsync(
        QuotaRulePosition from, List<QuotaRuleItem> rules, int limit, CancellationToken cancellationToken)
    {
        rules.Clear();
        var (error, done) = await _runner.RunAsync(new ListRulesOperation(from, rules, limit), cancellationToken);
        return (error, done.Next);
    }

    /// <summary>Operations of this mount that wait for staging, behind a place, in order (archive §9.8).</summary>
    /// <remarks>All that wait for one block of a file come as one.</remarks>
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

    /// <summary>Ends operations that wait for a range of a file with an error, as agents ask for it
    /// (archive §9.8).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte; the range is widened to blocks.</param>
    /// <param name="length">Bytes; 0 ends nothing.</param>
    /// <param name="ops">Which of them.</param>
    /// <param name="error">What they end with.</param>
    /// <returns>None and how many there were; Invalid; Stale for an inode that is not known here.</returns>
    public (FsError Error, int Count) FailWaitingRange(
        ulong ino, ulong offset, ulong length, DataWaitOp ops, FsError error)
    {
        if (length == 0)
            return (FsError.None, 0);
        const DataWaitOp all = DataWaitOp.Read | DataWaitOp.Write | DataWaitOp.ChangeSize;
        if ((ops & ~all) != 0 || error == FsError.None || Wraps(offset, length))
            return (FsError.Invalid, 0);
        lock (_mount.Gate)
        {
            int count = _mount.Data.Waiters.Fail(ino, BlockOf(offset), BlockOf(offset + length - 1), ops, error);
            if (count > 0 || _mount.Data.Waiters.IsAwaited(ino))
                return (FsError.None, count);
            bool isKnown = _runner.Items.Find(Keys.Inode(ino), out var value) == ItemLookup.Found;
            if (!isKnown)
                return (_mount.OpenInodes.IsOpen(ino) ? FsError.None : FsError.Stale, 0);
            bool isRegular = InodeAccess.TryParse(value, out var item) && InodeAccess.IsRegular(item);
            return (isRegular ? FsError.None : FsError.Invalid, 0);
        }
    }

    private static bool Wraps(ulong offset, ulong length) => length - 1 > ulong.MaxValue - offset;

    private static bool IsBlockRange(ulong offset, ulong length) => !Wraps(offset, length)
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
