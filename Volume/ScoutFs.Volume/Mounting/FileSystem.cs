using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Mounting;

/// <summary>The filesystem as its users call it: one call an operation (engine §§6–8).</summary>
/// <remarks>
/// <para>Inodes are named by number, names are bytes. Access rights are the caller's to check. Any thread may call, any
/// number at a time. Every call may end with Isolated or Cancelled besides what it lists; a cancelled call has
/// changed nothing.</para>
/// <para>What a call has changed is visible to every later call on any node, and durable after the next
/// <see cref="SyncAsync"/>. Changes become durable in transactions, all or nothing.</para>
/// </remarks>
public sealed partial class FileSystem : IDisposable
{
    private const int BounceBlocks = 128;

    private readonly Mount _mount;
    private readonly OperationRunner _runner;
    private readonly IBlockDevice _dataDevice;
    private readonly TimeProvider _time;
    private readonly Stack<List<DeviceRead>> _readLists = new();
    private readonly BlockPool _bounce = new(BounceBlocks);

    /// <summary>Creates the surface of a mount.</summary>
    internal FileSystem(Mount mount, IBlockDevice dataDevice, TimeProvider time)
    {
        _mount = mount;
        _runner = mount.Runner;
        _dataDevice = dataDevice;
        _time = time;
    }

    /// <summary>Format version of the volume, 1 or 2.</summary>
    public ulong FormatVersion => _runner.Volume.FormatVersion;

    /// <summary>The time now, as stored.</summary>
    public Timespec Now
    {
        get
        {
            long ticks = _time.GetUtcNow().UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
            long seconds = Math.DivRem(ticks, TimeSpan.TicksPerSecond, out long rest);
            return new Timespec { Sec = seconds, Nsec = (uint)(rest * 100) };
        }
    }

    /// <summary>Reads an inode.</summary>
    /// <returns>None, NotFound, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, InodeItem Item)> GetAttributesAsync(
        ulong ino, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(new GetInodeOperation(ino), cancellationToken);
        return (error, done.Item);
    }

    /// <summary>Looks a name up.</summary>
    /// <returns>None, NotFound, NotDirectory, NameTooLong, Invalid, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, ulong Ino, InodeItem Item)> LookupAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(new LookupOperation(directory, name), cancellationToken);
        return (error, done.Ino, done.Item);
    }

    /// <summary>Lists entries of a directory from a position on; "." and ".." are the caller's.</summary>
    /// <returns>None, NotFound, NotDirectory, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, bool IsEnd)> ListAsync(
        ulong directory,
        ulong fromPos,
        List<ListedEntry> entries,
        int limit,
        CancellationToken cancellationToken)
    {
        entries.Clear();
        var (error, done) = await _runner.RunAsync(
            new ListOperation(directory, fromPos, entries, limit), cancellationToken);
        return (error, done.IsEnd);
    }

    /// <summary>Reads a symlink's target.</summary>
    /// <returns>None, NotFound, Invalid, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, byte[] Target)> ReadSymlinkAsync(
        ulong ino, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(new ReadSymlinkOperation(ino), cancellationToken);
        return (error, error == FsError.None ? done.Target : []);
    }

    /// <summary>Creates a file, directory, symlink, fifo, socket or device; an empty name makes an unnamed
    /// file.</summary>
    /// <param name="directory">Directory.</param>
    /// <param name="name">Name.</param>
    /// <param name="mode">Type and permissions, before the umask.</param>
    /// <param name="rdev">Device number of a device.</param>
    /// <param name="target">Target of a symlink.</param>
    /// <param name="creator">Who creates.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None; Exists, NotFound, NotDirectory, NameTooLong, Invalid, TooManyLinks, QuotaExceeded,
    /// NoSpace…</returns>
    public async ValueTask<(FsError Error, ulong Ino, InodeItem Item)> CreateAsync(
        ulong directory,
        ReadOnlyMemory<byte> name,
        uint mode,
        uint rdev,
        ReadOnlyMemory<byte> target,
        Creator creator,
        CancellationToken cancellationToken)
    {
        bool isDirectory = (mode & FileMode.TypeMask) == FileMode.Directory;
        var numbers = isDirectory ? _mount.DirectoryNumbers : _mount.FileNumbers;
        var (error, done) = await _runner.RunAsync(
            new CreateOperation(directory, name, mode, rdev, target, creator, numbers), cancellationToken);
        return (error, done.Ino, done.Item);
    }

    /// <summary>Gives an inode another name.</summary>
    /// <param name="ino">The inode.</param>
    /// <param name="directory">Directory of the name.</param>
    /// <param name="name">Name.</param>
    /// <param name="isUnnamed">The caller holds an unnamed file open that is to get its first name.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    public async ValueTask<(FsError Error, InodeItem Item)> LinkAsync(
        ulong ino,
        ulong directory,
        ReadOnlyMemory<byte> name,
        bool isUnnamed,
        CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(
            new LinkOperation(ino, directory, name, isUnnamed, Now), cancellationToken);
        return (error, done.Item);
    }

    /// <summary>Removes a name of a file, or an empty directory.</summary>
    public async ValueTask<FsError> UnlinkAsync(
        ulong directory, ReadOnlyMemory<byte> name, bool isRmdir, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(
            new UnlinkOperation(directory, name, isRmdir, Now), cancellationToken);
        if (error == FsError.None && done.LinksLeft == 0)
            _mount.Deletion.Start(done.Ino);
        return error;
    }

    /// <summary>Sets attributes other than the size.</summary>
    public async ValueTask<(FsError Error, InodeItem Item)> SetAttributesAsync(
        ulong ino, AttributeChanges changes, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(
            new SetAttributesOperation(ino, changes, Now), cancellationToken);
        return (error, done.Item);
    }

    /// <summary>Sets a file's size.</summary>
    public ValueTask<(FsError Error, InodeItem Item)> TruncateAsync(
        ulong ino, ulong size, CancellationToken cancellationToken) =>
        TruncateOperation.RunAsync(_runner, _mount.Data, ino, size, Now, cancellationToken);

    /// <summary>Writes to a file; the bytes are in memory until the next commit.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte; ignored for an append.</param>
    /// <param name="bytes">The bytes; not used after the call.</param>
    /// <param name="isAppend">Write at the end.</param>
    /// <param name="clearsSetId">Whether set-id bits go.</param>
    /// <param name="cancellationToken">Ends a wait; what was written stays.</param>
    /// <returns>Bytes written with None; else the error, and nothing of the last megabyte was written.</returns>
    public ValueTask<(FsError Error, int Written)> WriteAsync(
        ulong ino,
        ulong offset,
        ReadOnlyMemory<byte> bytes,
        bool isAppend,
        bool clearsSetId,
        CancellationToken cancellationToken) =>
        WritePiecesAsync(ino, offset, bytes, isAppend, clearsSetId, null, cancellationToken);

    /// <summary>Reads from a file; waits for staging where contents are offline.</summary>
    /// <returns>Bytes read with None, less than asked for at the end of the file; else the error.</returns>
    public async ValueTask<(FsError Error, int Read)> ReadAsync(
        ulong ino, ulong offset, Memory<byte> target, CancellationToken cancellationToken)
    {
        List<DeviceRead>? reads;
        lock (_readLists)
        {
            if (!_readLists.TryPop(out reads))
                reads = [];
        }

        var (error, done) = await _runner.RunAsync(
            new ReadOperation(ino, offset, target, reads, _mount.Data), cancellationToken);
        if (error == FsError.None && reads.Count > 0)
        {
            foreach (var read in reads)
            {
                if (error == FsError.None)
                    error = await ReadDeviceAsync(read, target, cancellationToken);
            }

            lock (_mount.Gate)
                _mount.Data.EndRead(ino);
        }

        lock (_readLists)
            _readLists.Push(reads);
        return (error, error == FsError.None ? done.Bytes : 0);
    }

    /// <summary>Allocates the blocks that a range lacks; contents do not change.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes; 0 does nothing.</param>
    /// <param name="keepsSize">The size stays.</param>
    /// <param name="cancellationToken">Ends a wait; what was allocated stays.</param>
    /// <returns>None; Invalid for a range that wraps, FileTooLarge; NotPermitted, QuotaExceeded, NoSpace…</returns>
    public async ValueTask<FsError> FallocateAsync(
        ulong ino, ulong offset, ulong length, bool keepsSize, CancellationToken cancellationToken)
    {
        if (length == 0)
            return FsError.None;
        ulong next = offset / FormatConstants.SmallBlockBytes;
        while (true)
        {
            var (error, done) = await _runner.RunAsync(
                new FallocateOperation(ino, offset, length, next, keepsSize, _mount.Data), cancellationToken);
            if (error != FsError.None || done.IsDone)
                return error;
            next = done.NextBlock;
        }
    }

    /// <summary>Finds the next data or hole from a byte on.</summary>
    /// <returns>None; PastEnd when there is none; NotFound, Invalid, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, ulong Offset)> SeekAsync(
        ulong ino, ulong offset, bool isHole, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(new SeekOperation(ino, offset, isHole), cancellationToken);
        return (error, done.Found);
    }

    /// <summary>Reads an xattr.</summary>
    /// <returns>None, NotFound, NoXattr, Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, byte[] Value)> GetXattrAsync(
        ulong ino, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(new GetXattrOperation(ino, name), cancellationToken);
        return (error, error == FsError.None ? done.Value : []);
    }

    /// <summary>Lists xattrs, hidden ones too.</summary>
    public async ValueTask<(FsError Error, List<ListedXattr> Names)> ListXattrsAsync(
        ulong ino, CancellationToken cancellationToken)
    {
        var names = new List<ListedXattr>();
        var (error, _) = await _runner.RunAsync(new ListXattrsOperation(ino, names), cancellationToken);
        return (error, names);
    }

    /// <summary>Sets an xattr, or removes it when the value is null.</summary>
    public async ValueTask<FsError> SetXattrAsync(
        ulong ino, ReadOnlyMemory<byte> name, byte[]? value, XattrMode mode, CancellationToken cancellationToken)
    {
        var (error, _) = await _runner.RunAsync(
            new SetXattrOperation(ino, name, value, mode, Now), cancellationToken);
        return error;
    }

    /// <summary>Makes everything that was changed before the call durable.</summary>
    public ValueTask<FsError> SyncAsync(CancellationToken cancellationToken) =>
        _mount.Transaction.SyncAsync(cancellationToken);

    /// <summary>Notes that an inode is in use: it is not deleted until <see cref="Close"/>.</summary>
    public void Open(ulong ino) => _mount.OpenInodes.Open(ino);

    /// <summary>Ends uses of an inode; one without links is deleted after the last.</summary>
    public void Close(ulong ino, bool hasNoLinks, int uses = 1)
    {
        if (_mount.OpenInodes.Close(ino, uses, out bool isUnlinked) && (hasNoLinks || isUnlinked))
            _mount.Deletion.Start(ino);
    }

    /// <inheritdoc/>
    public void Dispose() => _bounce.Dispose();

    // As much at a time as a transaction takes; staged when a version is given.
    private async ValueTask<(FsError Error, int Written)> WritePiecesAsync(
        ulong ino,
        ulong offset,
        ReadOnlyMemory<byte> bytes,
        bool isAppend,
        bool clearsSetId,
        ulong? stagedVersion,
        CancellationToken cancellationToken)
    {
        int written = 0;
        while (written < bytes.Length)
        {
            var piece = bytes.Slice(written, Math.Min(WriteOperation.MaxBytes, bytes.Length - written));
            var (error, _) = await _runner.RunAsync(
                new WriteOperation(
                    ino, offset + (ulong)written, piece, isAppend, clearsSetId, Now, _mount.Data, stagedVersion),
                cancellationToken);
            if (error != FsError.None)
                return written > 0 ? (FsError.None, written) : (error, 0);
            written += piece.Length;
        }

        return (FsError.None, written);
    }

    // Whole blocks are read into aligned memory and copied from there.
    private async ValueTask<FsError> ReadDeviceAsync(
        DeviceRead read, Memory<byte> target, CancellationToken cancellationToken)
    {
        int done = 0;
        while (done < read.Bytes)
        {
            long from = read.DeviceOffset + done;
            int skip = (int)(from % FormatConstants.SmallBlockBytes);
            int length = Math.Min(read.Bytes - done, BlockPool.BlockBytes - skip);
            int whole = (skip + length + FormatConstants.SmallBlockBytes - 1)
                / FormatConstants.SmallBlockBytes * FormatConstants.SmallBlockBytes;
            var bounce = _bounce.TryRent();
            if (bounce is null)
            {
                await Task.Yield();
                continue;
            }

            var error = await _dataDevice.ReadAsync(from - skip, bounce.Memory[..whole], cancellationToken);
            if (error == FsError.None)
                bounce.Memory.Slice(skip, length).CopyTo(target[(read.TargetOffset + done)..]);
            _bounce.Return(bounce);
            if (error != FsError.None)
                return error;
            done += length;
        }

        return FsError.None;
    }
}
