using System;
using System.Buffers;
using System.IO;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Sizes of the two devices of a packed volume.</summary>
/// <param name="MetaBytes">Size of the metadata device, a positive multiple of 4096.</param>
/// <param name="DataBytes">Size of the data device, a positive multiple of 4096.</param>
public readonly record struct PackedVolumeSizes(long MetaBytes, long DataBytes);

/// <summary>Both devices of a volume in one compressed file, blocks of zeros left out.</summary>
/// <remarks>
/// <para>Layout, integers little-endian:</para>
/// <code>
/// file    := header body sha256
/// header  := "SCOUTPAK" version:u32=1 zero:u32 metaBytes:u64 dataBytes:u64      32 bytes
/// body    := Brotli of: device device                                           metadata first
/// device  := (block:u64 count:u32 byte[count * 4096])* zero:u64 zero:u32        count 1..16, unit 4096 bytes
/// sha256  := of header and compressed body
/// </code>
/// <para>Extents ascend and do not overlap, so that the work of unpacking is bounded by the sizes in the header; memory
/// is one block of 64 KiB, two small buffers and Brotli's window (16 MiB). The digest is known to be right only at the
/// end: until <see cref="UnpackAsync"/> returns, what is on the devices is not to be trusted.</para>
/// <para>Failures of the streams themselves come through as <see cref="IOException"/>, cancellation as
/// <see cref="OperationCanceledException"/>.</para>
/// </remarks>
public static class PackedVolume
{
    /// <summary>Bytes of the header, which <see cref="ReadHeaderAsync"/> takes from the stream.</summary>
    public const int HeaderBytes = 32;

    private const ulong Magic = 0x4b415054_554f4353; // "SCOUTPAK"
    private const uint Version = 1;
    private const int ExtentHeaderBytes = 12;
    private const int StreamBufferBytes = 65536;
    private const int UnitBytes = FormatConstants.SmallBlockBytes;
    private const int MaxExtentUnits = BlockPool.BlockBytes / UnitBytes;
    private const long ProgressBytes = 64L << 20;

    /// <summary>Reads two devices and writes their packed form. The stream is flushed, not closed.</summary>
    /// <param name="meta">Metadata device; holes are skipped if it is an <see cref="IAllocatedRanges"/>.</param>
    /// <param name="data">Data device; likewise.</param>
    /// <param name="to">Where to write; need not be seekable.</param>
    /// <param name="progress">Told the bytes of both devices that are done, about every 64 MiB.</param>
    /// <param name="cancellationToken">Stops between transfers.</param>
    /// <exception cref="VolumeException">A device cannot be read.</exception>
    public static async ValueTask PackAsync(
        IBlockDevice meta, IBlockDevice data, Stream to, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        if (meta.SizeBytes == 0 || data.SizeBytes == 0)
        {
            string empty = meta.SizeBytes == 0 ? meta.Name : data.Name;
            throw new VolumeException(FsError.TooSmall, $"{empty} is empty and cannot be part of a packed volume.");
        }

        using var pool = new BlockPool(1);
        using var packer = new Packer(to, progress, cancellationToken);
        var block = pool.TryRent()!;
        try
        {
            await packer.WriteHeaderAsync(new PackedVolumeSizes(meta.SizeBytes, data.SizeBytes));
            await packer.WriteDeviceAsync(meta, block.Memory);
            await packer.WriteDeviceAsync(data, block.Memory);
            await packer.FinishAsync();
        }
        finally
        {
            pool.Return(block);
        }
    }

    /// <summary>Reads the header, from which the caller learns the sizes of the devices to unpack to.</summary>
    /// <param name="from">A packed volume, at its beginning; is left behind the header.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    /// <exception cref="VolumeException">It is no packed volume, or one of a later version.</exception>
    public static async ValueTask<PackedVolumeSizes> ReadHeaderAsync(Stream from, CancellationToken cancellationToken)
    {
        var header = new byte[HeaderBytes];
        int got = await from.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, cancellationToken);
        return ParseHeader(header.AsSpan(0, got));
    }

    /// <summary>Writes the blocks of a packed volume to two devices and flushes them.</summary>
    /// <param name="from">The packed volume, behind its header; is read to its end.</param>
    /// <param name="sizes">What <see cref="ReadHeaderAsync"/> returned.</param>
    /// <param name="meta">Receives the metadata device. Must read as zeros: blocks of zeros are not written.</param>
    /// <param name="data">Receives the data device; likewise.</param>
    /// <param name="progress">Told the bytes of both devices that are done, about every 64 MiB.</param>
    /// <param name="cancellationToken">Stops between transfers.</param>
    /// <exception cref="VolumeException">The file is damaged, a device too small or cannot be written.</exception>
    public static async ValueTask UnpackAsync(
        Stream from,
        PackedVolumeSizes sizes,
        IBlockDevice meta,
        IBlockDevice data,
        IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        RequireRoom(meta, sizes.MetaBytes);
        RequireRoom(data, sizes.DataBytes);
        using var pool = new BlockPool(1);
        using var unpacker = new Unpacker(from, sizes, progress, cancellationToken);
        var block = pool.TryRent()!;
        try
        {
            await unpacker.ReadDeviceAsync(meta, sizes.MetaBytes, block.Memory);
            await unpacker.ReadDeviceAsync(data, sizes.DataBytes, block.Memory);
            await unpacker.FinishAsync();
        }
        finally
        {
            pool.Return(block);
        }

        await FlushAsync(meta, cancellationToken);
        await FlushAsync(data, cancellationToken);
    }

    private static PackedVolumeSizes ParseHeader(ReadOnlySpan<byte> header)
    {
        if (header.Length < sizeof(ulong) || Disk.Ref<Le64>(header) != Magic)
        {
            throw new VolumeException(
                FsError.Invalid, "This is no packed volume: it does not begin with SCOUTPAK. Check the path.");
        }

        if (header.Length < HeaderBytes)
            throw Truncated();
        uint version = Disk.Ref<Le32>(header, 8);
        if (version != Version)
        {
            throw new VolumeException(
                FsError.Unsupported,
                $"The packed volume has version {version}; this program knows version {Version}. "
                + "Use a newer program.");
        }

        ulong metaBytes = Disk.Ref<Le64>(header, 16);
        ulong dataBytes = Disk.Ref<Le64>(header, 24);
        if (Disk.Ref<Le32>(header, 12) != 0 || !IsSize(metaBytes) || !IsSize(dataBytes))
            throw Damaged("its header makes no sense");
        return new PackedVolumeSizes((long)metaBytes, (long)dataBytes);
    }

    // Below 2^62, the sum of both stays in range.
    private static bool IsSize(ulong bytes) => bytes is > 0 and < 1UL << 62 && bytes % UnitBytes == 0;

    private static byte[] FormatHeader(PackedVolumeSizes sizes)
    {
        var header = new byte[HeaderBytes];
        Disk.Ref<Le64>(header.AsSpan()) = Magic;
        Disk.Ref<Le32>(header.AsSpan(), 8) = Version;
        Disk.Ref<Le64>(header.AsSpan(), 16) = (ulong)sizes.MetaBytes;
        Disk.Ref<Le64>(header.AsSpan(), 24) = (ulong)sizes.DataBytes;
        return header;
    }

    private static void RequireRoom(IBlockDevice device, long sizeBytes)
    {
        if (device.SizeBytes < sizeBytes)
        {
            throw new VolumeException(
                FsError.TooSmall,
                $"{device.Name} has {device.SizeBytes} bytes, the packed volume needs {sizeBytes}. "
                + "Choose a larger device.");
        }
    }

    private static async ValueTask FlushAsync(IBlockDevice device, CancellationToken cancellationToken) =>
        Require(await device.FlushAsync(cancellationToken), device, 0, "flush", cancellationToken);

    private static void Require(
        FsError error, IBlockDevice device, long offsetBytes, string verb, CancellationToken cancellationToken)
    {
        if (error == FsError.None)
            return;
        cancellationToken.ThrowIfCancellationRequested();
        throw new VolumeException(
            error, $"Cannot {verb} {device.Name} at byte {offsetBytes}: {FsErrorTable.TextOf(error)}.");
    }

    private static VolumeException Truncated() =>
        new(FsError.Corrupt, "The packed volume is cut off. Copy it again from its source.");

    private static VolumeException Damaged(string how) =>
        new(FsError.Corrupt, $"The packed volume is damaged: {how}. Copy it again from its source.");

    /// <summary>Reports progress at intervals.</summary>
    private struct Meter(IProgress<long>? progress)
    {
        private long _nextBytes = ProgressBytes;

        /// <summary>Bytes of the devices that are finished as a whole.</summary>
        public long FinishedBytes { get; private set; }

        public void At(long deviceBytes)
        {
            long bytes = FinishedBytes + deviceBytes;
            if (bytes < _nextBytes)
                return;
            progress?.Report(bytes);
            _nextBytes = bytes + ProgressBytes;
        }

        public void Finish(long deviceBytes)
        {
            FinishedBytes += deviceBytes;
            progress?.Report(FinishedBytes);
            _nextBytes = FinishedBytes + ProgressBytes;
        }
    }

    /// <summary>The writing side: compresses, hashes what comes out, writes it.</summary>
    private sealed class Packer(Stream to, IProgress<long>? progress, CancellationToken cancellationToken) : IDisposable
    {
        // Quality 11 gains 3 to 23 % for a twentieth of the speed. Window 24 is the greatest of standard Brotli.
        private const int Quality = 9;
        private const int WindowBits = 24;

        private readonly byte[] _output = new byte[StreamBufferBytes];
        private readonly byte[] _extent = new byte[ExtentHeaderBytes];
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private BrotliEncoder _encoder = new(Quality, WindowBits);
        private Meter _meter = new(progress);

        public void Dispose()
        {
            _encoder.Dispose();
            _hash.Dispose();
        }

        public ValueTask WriteHeaderAsync(PackedVolumeSizes sizes) => WriteAsync(FormatHeader(sizes));

        public async ValueTask WriteDeviceAsync(IBlockDevice device, Memory<byte> block)
        {
            var ranges = device as IAllocatedRanges;
            long endBytes = 0;
            for (long atBytes = 0; atBytes < device.SizeBytes;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (atBytes >= endBytes)
                {
                    endBytes = device.SizeBytes;
                    if (ranges is not null && !ranges.TryFindAllocated(atBytes, out atBytes, out endBytes))
                        break;
                }

                var chunk = block[..(int)Math.Min(block.Length, endBytes - atBytes)];
                var error = await device.ReadAsync(atBytes, chunk, cancellationToken);
                Require(error, device, atBytes, "read", cancellationToken);
                await WriteExtentsAsync(atBytes / UnitBytes, chunk);
                atBytes += chunk.Length;
                _meter.At(atBytes);
            }

            await WriteExtentHeaderAsync(0, 0);
            _meter.Finish(device.SizeBytes);
        }

        public async ValueTask FinishAsync()
        {
            await CompressAsync(ReadOnlyMemory<byte>.Empty, isFinal: true);
            await to.WriteAsync(_hash.GetHashAndReset(), cancellationToken);
            await to.FlushAsync(cancellationToken);
        }

        /// <summary>Writes the runs of units that are not zero.</summary>
        private async ValueTask WriteExtentsAsync(long firstUnit, ReadOnlyMemory<byte> chunk)
        {
            int units = chunk.Length / UnitBytes;
            for (int unit = 0; unit < units;)
            {
                int end = unit;
                while (end < units && chunk.Span.Slice(end * UnitBytes, UnitBytes).ContainsAnyExcept((byte)0))
                    end++;
                if (end > unit)
                {
                    await WriteExtentHeaderAsync((ulong)(firstUnit + unit), (uint)(end - unit));
                    await CompressAsync(chunk[(unit * UnitBytes)..(end * UnitBytes)], isFinal: false);
                }

                unit = end + 1;
            }
        }

        private ValueTask WriteExtentHeaderAsync(ulong unit, uint count)
        {
            Disk.Ref<Le64>(_extent.AsSpan()) = unit;
            Disk.Ref<Le32>(_extent.AsSpan(), sizeof(ulong)) = count;
            return CompressAsync(_extent, isFinal: false);
        }

        private async ValueTask CompressAsync(ReadOnlyMemory<byte> bytes, bool isFinal)
        {
            while (true)
            {
                var status = _encoder.Compress(bytes.Span, _output, out int consumed, out int written, isFinal);
                Invariant.Require(status is OperationStatus.Done or OperationStatus.DestinationTooSmall);
                bytes = bytes[consumed..];
                if (written > 0)
                    await WriteAsync(_output.AsMemory(0, written));
                if (status == OperationStatus.Done && bytes.IsEmpty)
                    return;
            }
        }

        private ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
        {
            _hash.AppendData(bytes.Span);
            return to.WriteAsync(bytes, cancellationToken);
        }
    }

    /// <summary>The reading side; trusts nothing it reads.</summary>
    private sealed class Unpacker : IDisposable
    {
        private readonly Stream _from;
        private readonly CancellationToken _cancellationToken;
        private readonly byte[] _input = new byte[StreamBufferBytes];
        private readonly byte[] _extent = new byte[ExtentHeaderBytes];
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private BrotliDecoder _decoder;
        private Meter _meter;

        // Bytes of _input that were read and not decoded yet.
        private ReadOnlyMemory<byte> _pending;
        private bool _isDone;

        public Unpacker(
            Stream from, PackedVolumeSizes sizes, IProgress<long>? progress, CancellationToken cancellationToken)
        {
            _from = from;
            _cancellationToken = cancellationToken;
            _meter = new Meter(progress);
            _hash.AppendData(FormatHeader(sizes));
        }

        public void Dispose()
        {
            _decoder.Dispose();
            _hash.Dispose();
        }

        public async ValueTask ReadDeviceAsync(IBlockDevice device, long sizeBytes, Memory<byte> block)
        {
            ulong sizeUnits = (ulong)(sizeBytes / UnitBytes);
            ulong nextUnit = 0;
            while (true)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                await DecodeAsync(_extent);
                ulong unit = Disk.Ref<Le64>(_extent.AsSpan()).Value;
                uint count = Disk.Ref<Le32>(_extent.AsSpan(), sizeof(ulong)).Value;
                if (unit == 0 && count == 0)
                    break;
                if (count is 0 or > MaxExtentUnits || unit < nextUnit || unit >= sizeUnits || count > sizeUnits - unit)
                    throw Damaged($"an extent of {count} blocks at block {unit} is out of place");
                nextUnit = unit + count;
                var bytes = block[..((int)count * UnitBytes)];
                await DecodeAsync(bytes);
                long offsetBytes = (long)unit * UnitBytes;
                var error = await device.WriteAsync(offsetBytes, bytes, _cancellationToken);
                Require(error, device, offsetBytes, "write", _cancellationToken);
                _meter.At(offsetBytes + bytes.Length);
            }

            _meter.Finish(sizeBytes);
        }

        /// <summary>Checks that nothing is left but the right digest.</summary>
        public async ValueTask FinishAsync()
        {
            var extra = new byte[1];
            if (!_isDone && await DecodeSomeAsync(extra) > 0)
                throw Damaged("there is more in it than two devices");
            var digest = new byte[SHA256.HashSizeInBytes];
            var rest = _pending[..Math.Min(_pending.Length, digest.Length)];
            rest.CopyTo(digest);
            int got = rest.Length + await _from.ReadAtLeastAsync(
                digest.AsMemory(rest.Length), digest.Length - rest.Length, throwOnEndOfStream: false,
                _cancellationToken);
            if (got < digest.Length)
                throw Truncated();
            if (!CryptographicOperations.FixedTimeEquals(digest, _hash.GetHashAndReset()))
                throw Damaged("its SHA-256 digest is wrong");
            if (_pending.Length > rest.Length || await _from.ReadAsync(extra, _cancellationToken) > 0)
                throw Damaged("something follows its end");
        }

        private async ValueTask DecodeAsync(Memory<byte> into)
        {
            while (!into.IsEmpty)
            {
                int written = _isDone ? 0 : await DecodeSomeAsync(into);
                if (written == 0)
                    throw Damaged("its contents end early");
                into = into[written..];
            }
        }

        /// <summary>Decodes at least one byte, or none at the end of the Brotli stream.</summary>
        private async ValueTask<int> DecodeSomeAsync(Memory<byte> into)
        {
            while (true)
            {
                var status = _decoder.Decompress(_pending.Span, into.Span, out int consumed, out int written);
                _hash.AppendData(_pending.Span[..consumed]);
                _pending = _pending[consumed..];
                _isDone = status == OperationStatus.Done;
                if (status == OperationStatus.InvalidData)
                    throw Damaged("it cannot be decompressed");
                if (written > 0 || _isDone)
                    return written;
                if (status == OperationStatus.NeedMoreData)
                    await FillAsync();
            }
        }

        private async ValueTask FillAsync()
        {
            // The decoder keeps what it cannot use yet, so that nothing is pending when it asks for more.
            Invariant.Require(_pending.IsEmpty);
            int got = await _from.ReadAsync(_input, _cancellationToken);
            if (got == 0)
                throw Truncated();
            _pending = _input.AsMemory(0, got);
        }
    }
}
