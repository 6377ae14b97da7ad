using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Contents of one regular file, read front to back in large pieces.</summary>
/// <remarks>
/// <para>Two steps, so that several reads can be under way: <see cref="LocateAsync"/> looks into the metadata and says
/// where the next stored bytes lie, skipping holes of any size; <see cref="ReadPieceAsync"/> fetches them. Locating
/// follows the rules of the <see cref="VolumeReader"/> (one caller at a time); reading pieces does not touch it and any
/// number may run at once.</para>
/// <para>Sparse and unwritten ranges are zeros. Extents past the end of the file are preallocation and ignored.</para>
/// </remarks>
public sealed class FileContents
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;
    private const int PageExtents = 512;

    private readonly VolumeReader _reader;
    private readonly IBlockDevice _device;
    private readonly ulong _ino;

    // Extents from some block on; _index is the first that ends after _block, the last block asked for.
    private readonly List<FileExtent> _page = [];
    private bool _hasMore = true;
    private int _index;
    private ulong _block;

    /// <summary>Prepares to read a file.</summary>
    /// <param name="reader">Reader of a volume whose data device is open.</param>
    /// <param name="ino">Inode number of a regular file.</param>
    /// <param name="inode">Its inode.</param>
    /// <exception cref="VolumeException">The data device is not open.</exception>
    public FileContents(VolumeReader reader, ulong ino, in InodeItem inode)
    {
        _reader = reader;
        _ino = ino;
        _device = reader.Volume.DataDevice ?? throw new VolumeException(
            FsError.Invalid, $"The contents of inode {ino} are on the data device, which was not given.");
        SizeBytes = inode.Size;
    }

    /// <summary>Size of the file in bytes.</summary>
    public ulong SizeBytes { get; }

    private ulong EndBlock => (SizeBytes / BlockBytes) + (SizeBytes % BlockBytes == 0 ? 0UL : 1);

    /// <summary>Finds the first bytes at or after an offset that are stored or offline.</summary>
    /// <param name="piece">Receives what was found.</param>
    /// <param name="offsetBytes">A multiple of 4096.</param>
    /// <param name="maxBytes">Longest piece wanted, a multiple of 4096; offline pieces may be longer.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>False when there is nothing but zeros up to the end of the file.</returns>
    /// <exception cref="VolumeException">The extents are damaged or cannot be read.</exception>
    public async ValueTask<bool> LocateAsync(
        FilePiece piece, ulong offsetBytes, int maxBytes, CancellationToken cancellationToken)
    {
        Invariant.Require(offsetBytes % BlockBytes == 0);
        Invariant.Require(maxBytes > 0 && maxBytes % BlockBytes == 0);
        ulong block = offsetBytes / BlockBytes;
        if (await NextStoredAsync(block, cancellationToken) is not { } extent)
        {
            piece.Begin(offsetBytes, 0, isOffline: false);
            return false;
        }

        ulong first = Math.Max(block, extent.LogicalBlock);
        if (extent.IsOffline)
        {
            ulong end = Math.Min(extent.EndBlock, EndBlock);
            piece.Begin(first * BlockBytes, LengthOf(first, end), isOffline: true);
            return true;
        }

        piece.Begin(first * BlockBytes, 0, isOffline: false);
        ulong limit = Math.Min(first + ((ulong)maxBytes / BlockBytes), EndBlock);
        block = first;
        while (true)
        {
            ulong end = Math.Min(extent.EndBlock, limit);
            ulong physical = extent.PhysicalBlock + (block - extent.LogicalBlock);
            piece.Add(
                new FileRun(
                    (int)((block - first) * BlockBytes), (long)physical * BlockBytes, (int)(end - block) * BlockBytes),
                LengthOf(first, end));
            if (end == limit || await NextStoredAsync(end, cancellationToken) is not { } next)
                return true;
            if (next.IsOffline || next.LogicalBlock >= limit)
                return true;
            block = Math.Max(end, next.LogicalBlock);
            extent = next;
        }
    }

    /// <summary>Finds the next range that is not a hole, however many extents it is made of.</summary>
    /// <param name="offsetBytes">A multiple of 4096.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>
    /// Start and end in bytes, the end not past the file's; offline and unwritten ranges count. Null when only a hole
    /// is left.
    /// </returns>
    /// <exception cref="VolumeException">The extents are damaged or cannot be read.</exception>
    public async ValueTask<(ulong StartBytes, ulong EndBytes)?> NextSegmentAsync(
        ulong offsetBytes, CancellationToken cancellationToken)
    {
        ulong block = offsetBytes / BlockBytes;
        if (await NextExtentAsync(block, withUnwritten: true, cancellationToken) is not { } extent)
            return null;
        ulong first = Math.Max(block, extent.LogicalBlock);
        ulong end = extent.EndBlock;
        while (await NextExtentAsync(end, withUnwritten: true, cancellationToken) is { } next
            && next.LogicalBlock <= end)
        {
            end = next.EndBlock;
        }

        end = Math.Min(end, EndBlock);
        return (first * BlockBytes, (first * BlockBytes) + LengthOf(first, end));
    }

    /// <summary>Fetches a piece.</summary>
    /// <param name="piece">Located before, not offline.</param>
    /// <param name="buffer">
    /// At least <see cref="FilePiece.BufferBytes"/>, from <see cref="AlignedBuffer"/> or aligned otherwise. Receives
    /// the bytes of the piece and zeros up to a whole block.
    /// </param>
    /// <param name="cancellationToken">Honoured before transfers start.</param>
    /// <exception cref="VolumeException">It is offline, or the device cannot read it.</exception>
    public async ValueTask ReadPieceAsync(FilePiece piece, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (piece.IsOffline)
            throw OfflineFailure(piece.OffsetBytes, piece.EndBytes);
        int filled = 0;
        foreach (var run in piece.Runs)
        {
            buffer.Span[filled..run.BufferOffsetBytes].Clear();
            filled = run.BufferOffsetBytes + run.LengthBytes;
        }

        if (piece.Runs.Count == 1)
            Require(await ReadRunAsync(piece.Runs[0], buffer, cancellationToken), piece.Runs[0]);
        else
            await ReadRunsAsync(piece.Runs, buffer, cancellationToken);
        buffer.Span[(int)piece.LengthBytes..filled].Clear();
    }

    /// <summary>Reads any range, holes as zeros.</summary>
    /// <param name="offsetBytes">A multiple of 4096.</param>
    /// <param name="buffer">Aligned, a multiple of 4096 long; filled up to a whole block.</param>
    /// <param name="cancellationToken">Honoured between transfers.</param>
    /// <returns>Bytes of the file that were read; less than the buffer's length at the end of the file.</returns>
    /// <exception cref="VolumeException">Part of the range is offline, damaged or cannot be read.</exception>
    public async ValueTask<int> ReadAsync(
        ulong offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (offsetBytes >= SizeBytes)
            return 0;
        int wanted = (int)Math.Min((ulong)buffer.Length, SizeBytes - offsetBytes);
        ulong end = offsetBytes + (ulong)wanted;
        var piece = new FilePiece();
        int filled = 0;
        while (filled < wanted)
        {
            ulong at = offsetBytes + (ulong)filled;
            bool isFound = await LocateAsync(piece, at, buffer.Length - filled, cancellationToken);
            if (!isFound || piece.OffsetBytes >= end)
            {
                buffer.Span[filled..].Clear();
                break;
            }

            if (piece.IsOffline)
                throw OfflineFailure(piece.OffsetBytes, piece.EndBytes);
            int hole = (int)(piece.OffsetBytes - at);
            buffer.Span.Slice(filled, hole).Clear();
            filled += hole;

            // The piece may be longer than what is left after the hole.
            if (piece.BufferBytes > buffer.Length - filled)
                _ = await LocateAsync(piece, piece.OffsetBytes, buffer.Length - filled, cancellationToken);
            await ReadPieceAsync(piece, buffer[filled..], cancellationToken);
            filled += piece.BufferBytes;
        }

        return wanted;
    }

    // Bytes from a block to the end of another, or of the file.
    private ulong LengthOf(ulong firstBlock, ulong endBlock) =>
        endBlock == EndBlock ? SizeBytes - (firstBlock * BlockBytes) : (endBlock - firstBlock) * BlockBytes;

    private ValueTask<FileExtent?> NextStoredAsync(ulong block, CancellationToken cancellationToken) =>
        NextExtentAsync(block, withUnwritten: false, cancellationToken);

    // The first extent that ends after a block and is not all past the end of the file.
    private async ValueTask<FileExtent?> NextExtentAsync(
        ulong block, bool withUnwritten, CancellationToken cancellationToken)
    {
        if (block < _block)
        {
            _page.Clear();
            _index = 0;
            _hasMore = true;
        }

        _block = block;
        while (block < EndBlock)
        {
            while (_index < _page.Count && _page[_index].EndBlock <= block)
                _index++;
            for (int i = _index; i < _page.Count; i++)
            {
                var extent = _page[i];
                bool isPreallocation = extent.IsUnwritten && !extent.IsOffline;
                if (withUnwritten || !isPreallocation)
                    return extent.LogicalBlock < EndBlock ? extent : null;
            }

            if (!_hasMore)
                return null;
            ulong from = _page.Count == 0 ? block : Math.Max(block, _page[^1].EndBlock);
            _block = from;
            _index = 0;
            _hasMore = await _reader.ReadExtentsAsync(_ino, from, _page, PageExtents, cancellationToken);
        }

        return null;
    }

    private async ValueTask ReadRunsAsync(
        IReadOnlyList<FileRun> runs, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        // All at once: a fragmented file is read as fast as the device answers. A piece has at most as many runs as
        // blocks.
        var reads = new Task<FsError>[runs.Count];
        for (int i = 0; i < reads.Length; i++)
            reads[i] = ReadRunAsync(runs[i], buffer, cancellationToken).AsTask();
        for (int i = 0; i < reads.Length; i++)
            _ = await reads[i];
        for (int i = 0; i < reads.Length; i++)
            Require(await reads[i], runs[i]);
    }

    private ValueTask<FsError> ReadRunAsync(FileRun run, Memory<byte> buffer, CancellationToken cancellationToken) =>
        _device.ReadAsync(
            run.DeviceOffsetBytes, buffer.Slice(run.BufferOffsetBytes, run.LengthBytes), cancellationToken);

    private void Require(FsError error, in FileRun run)
    {
        if (error == FsError.None)
            return;
        if (error == FsError.Cancelled)
            throw new OperationCanceledException();
        throw new VolumeException(
            error,
            $"Cannot read {run.LengthBytes} bytes at byte {run.DeviceOffsetBytes} of data device {_device.Name}, "
            + $"contents of inode {_ino}: {FsErrorTable.TextOf(error)}.");
    }

    private VolumeException OfflineFailure(ulong startBytes, ulong endBytes) => new(
        FsError.Offline,
        $"Bytes {startBytes} to {endBytes} of inode {_ino} are offline: their contents are archived elsewhere and must "
        + "be staged on a mounted volume first.");
}
