using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>
/// A sparse device in memory that can be forked: a fork shares all chunks with its origin until one of the two writes,
/// so that hundreds of slightly different volumes cost little more than one.
/// </summary>
/// <remarks>
/// Reads and writes complete synchronously; <see cref="Read"/> and <see cref="Write"/> do the same without tasks and
/// without alignment. Thread safe through one latch a device; chunks that are shared are never written.
/// </remarks>
public sealed class VolumeEditorDevice : IBlockDevice, IAllocatedRanges
{
    /// <summary>Unit of sharing and of sparseness in bytes; a large metadata block.</summary>
    public const int ChunkBytes = 65536;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly Dictionary<long, byte[]> _chunks;
    private readonly HashSet<long> _ownChunks = [];

    /// <summary>Creates an all-zero device.</summary>
    public VolumeEditorDevice(string name, long sizeBytes)
        : this(name, sizeBytes, [])
    {
    }

    private VolumeEditorDevice(string name, long sizeBytes, Dictionary<long, byte[]> chunks)
    {
        Invariant.Require(sizeBytes >= 0 && sizeBytes % 4096 == 0);
        Name = name;
        SizeBytes = sizeBytes;
        _chunks = chunks;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long SizeBytes { get; }

    /// <inheritdoc/>
    public bool IsWritable => true;

    /// <summary>Copies a device that knows its holes; chunks of zeros take no memory in the copy.</summary>
    public static async Task<VolumeEditorDevice> CopyAsync<TDevice>(TDevice from, CancellationToken cancellationToken)
        where TDevice : IBlockDevice, IAllocatedRanges
    {
        var device = new VolumeEditorDevice(from.Name, from.SizeBytes);
        var buffer = new byte[ChunkBytes];
        long at = 0;
        while (from.TryFindAllocated(at, out long start, out long end))
        {
            for (at = start; at < end;)
            {
                int length = (int)Math.Min(ChunkBytes - (at % ChunkBytes), end - at);
                var error = await from.ReadAsync(at, buffer.AsMemory(0, length), cancellationToken);
                Invariant.Require(error == FsError.None);
                if (buffer.AsSpan(0, length).ContainsAnyExcept((byte)0))
                    device.Write(at, buffer.AsSpan(0, length));
                at += length;
            }
        }

        return device;
    }

    /// <summary>Makes a device with the same contents that shares memory with this one.</summary>
    /// <param name="sizeBytes">Size of the new device, to cut it off; -1: the same.</param>
    public VolumeEditorDevice Fork(long sizeBytes = -1)
    {
        lock (_latch)
        {
            // From now on every chunk is shared, so this device must copy before it writes, too.
            _ownChunks.Clear();
            return new VolumeEditorDevice(
                Name, sizeBytes < 0 ? SizeBytes : sizeBytes, new Dictionary<long, byte[]>(_chunks));
        }
    }

    /// <summary>Offsets in bytes of the chunks that hold something, in ascending order.</summary>
    public IReadOnlyList<long> AllocatedOffsets() => Offsets(_chunks.Keys);

    /// <summary>Offsets in bytes of the chunks written since the device was made or forked, ascending.</summary>
    public IReadOnlyList<long> ChangedOffsets() => Offsets(_ownChunks);

    /// <inheritdoc/>
    public bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes)
    {
        lock (_latch)
        {
            long first = fromBytes / ChunkBytes;
            if (!_chunks.ContainsKey(first))
                first = _chunks.Keys.Where(chunk => chunk > first).DefaultIfEmpty(-1).Min();
            startBytes = Math.Max(fromBytes, first * ChunkBytes);
            endBytes = Math.Min(SizeBytes, (first + 1) * ChunkBytes);
            return first >= 0 && startBytes < endBytes;
        }
    }

    /// <summary>Reads any range inside the device.</summary>
    public void Read(long offsetBytes, Span<byte> into)
    {
        Invariant.Require(offsetBytes >= 0 && into.Length <= SizeBytes - offsetBytes);
        lock (_latch)
        {
            while (into.Length > 0)
            {
                int within = (int)(offsetBytes % ChunkBytes);
                int part = Math.Min(into.Length, ChunkBytes - within);
                if (_chunks.TryGetValue(offsetBytes / ChunkBytes, out byte[]? chunk))
                    chunk.AsSpan(within, part).CopyTo(into);
                else
                    into[..part].Clear();
                offsetBytes += part;
                into = into[part..];
            }
        }
    }

    /// <summary>Writes any range inside the device.</summary>
    public void Write(long offsetBytes, ReadOnlySpan<byte> from)
    {
        Invariant.Require(offsetBytes >= 0 && from.Length <= SizeBytes - offsetBytes);
        lock (_latch)
        {
            while (from.Length > 0)
            {
                int within = (int)(offsetBytes % ChunkBytes);
                int part = Math.Min(from.Length, ChunkBytes - within);
                from[..part].CopyTo(OwnChunk(offsetBytes / ChunkBytes).AsSpan(within));
                offsetBytes += part;
                from = from[part..];
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var error = Check(offsetBytes, buffer.Length, cancellationToken);
        if (error == FsError.None)
            Read(offsetBytes, buffer.Span);
        return new(error);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        long total = 0;
        foreach (var buffer in buffers)
            total += buffer.Length;
        var error = Check(offsetBytes, total, cancellationToken);
        if (error != FsError.None)
            return new(error);
        foreach (var buffer in buffers)
        {
            Read(offsetBytes, buffer.Span);
            offsetBytes += buffer.Length;
        }

        return new(FsError.None);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        var error = Check(offsetBytes, buffer.Length, cancellationToken);
        if (error == FsError.None)
            Write(offsetBytes, buffer.Span);
        return new(error);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        long total = 0;
        foreach (var buffer in buffers)
            total += buffer.Length;
        var error = Check(offsetBytes, total, cancellationToken);
        if (error != FsError.None)
            return new(error);
        foreach (var buffer in buffers)
        {
            Write(offsetBytes, buffer.Span);
            offsetBytes += buffer.Length;
        }

        return new(FsError.None);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken) => new(FsError.None);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private FsError Check(long offsetBytes, long lengthBytes, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return FsError.Cancelled;
        if (offsetBytes % 4096 != 0 || lengthBytes % 4096 != 0)
            return FsError.Misaligned;
        return offsetBytes < 0 || lengthBytes > SizeBytes - offsetBytes ? FsError.OutOfRange : FsError.None;
    }

    private List<long> Offsets(IEnumerable<long> chunks)
    {
        lock (_latch)
        {
            List<long> offsets = [.. chunks];
            for (int i = 0; i < offsets.Count; i++)
                offsets[i] *= ChunkBytes;
            offsets.Sort();
            return offsets;
        }
    }

    // Under _latch.
    private byte[] OwnChunk(long index)
    {
        bool exists = _chunks.TryGetValue(index, out byte[]? chunk);
        if (exists && _ownChunks.Contains(index))
            return chunk!;
        chunk = exists ? (byte[])chunk!.Clone() : new byte[ChunkBytes];
        _chunks[index] = chunk;
        _ = _ownChunks.Add(index);
        return chunk;
    }
}
