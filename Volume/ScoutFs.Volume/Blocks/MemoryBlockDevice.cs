using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Blocks;

/// <summary>A sparse device in memory: chunks that were never written read as zeros and take no memory.</summary>
/// <remarks>Completes synchronously. Thread safe through one latch; made for tests, samples and benchmarks.</remarks>
public sealed class MemoryBlockDevice : IBlockDevice, IAllocatedRanges
{
    private const int ChunkBytes = 65536;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly Dictionary<long, byte[]> _chunks = [];

    /// <summary>Creates an all-zero device.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="sizeBytes">A multiple of 4096.</param>
    public MemoryBlockDevice(string name, long sizeBytes)
    {
        Invariant.Require(sizeBytes >= 0 && sizeBytes % 4096 == 0);
        Name = name;
        SizeBytes = sizeBytes;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long SizeBytes { get; }

    /// <inheritdoc/>
    public bool IsWritable => true;

    /// <summary>Number of 64 KiB chunks that hold something.</summary>
    public int AllocatedChunks
    {
        get
        {
            lock (_latch)
                return _chunks.Count;
        }
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (Check(offsetBytes, buffer.Length, buffer.Length, cancellationToken) is var error and not FsError.None)
            return new(error);
        Transfer(offsetBytes, buffer.Span);
        return new(FsError.None);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        long total = 0;
        int lengthBits = 0;
        for (int i = 0; i < buffers.Count; i++)
        {
            total += buffers[i].Length;
            lengthBits |= buffers[i].Length;
        }

        if (Check(offsetBytes, total, lengthBits, cancellationToken) is var error and not FsError.None)
            return new(error);
        for (int i = 0; i < buffers.Count; i++)
        {
            Transfer(offsetBytes, buffers[i].Span);
            offsetBytes += buffers[i].Length;
        }

        return new(FsError.None);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        if (Check(offsetBytes, buffer.Length, buffer.Length, cancellationToken) is var error and not FsError.None)
            return new(error);
        Store(offsetBytes, buffer.Span);
        return new(FsError.None);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        long total = 0;
        int lengthBits = 0;
        for (int i = 0; i < buffers.Count; i++)
        {
            total += buffers[i].Length;
            lengthBits |= buffers[i].Length;
        }

        if (Check(offsetBytes, total, lengthBits, cancellationToken) is var error and not FsError.None)
            return new(error);
        for (int i = 0; i < buffers.Count; i++)
        {
            Store(offsetBytes, buffers[i].Span);
            offsetBytes += buffers[i].Length;
        }

        return new(FsError.None);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken) => new(FsError.None);

    /// <inheritdoc/>
    public bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes)
    {
        lock (_latch)
        {
            long chunks = (SizeBytes + ChunkBytes - 1) / ChunkBytes;
            for (long chunk = fromBytes / ChunkBytes; chunk < chunks; chunk++)
            {
                if (!_chunks.ContainsKey(chunk))
                    continue;
                startBytes = Math.Max(fromBytes, chunk * ChunkBytes);
                endBytes = Math.Min(SizeBytes, (chunk + 1) * ChunkBytes);
                return true;
            }
        }

        startBytes = endBytes = SizeBytes;
        return false;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The lengths of all buffers are ORed, so that one that is not aligned shows.</summary>
    private FsError Check(long offsetBytes, long totalBytes, int lengthBits, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return FsError.Cancelled;
        if (offsetBytes % 4096 != 0 || lengthBits % 4096 != 0)
            return FsError.Misaligned;
        return offsetBytes < 0 || totalBytes > SizeBytes - offsetBytes ? FsError.OutOfRange : FsError.None;
    }

    private void Transfer(long offsetBytes, Span<byte> into)
    {
        lock (_latch)
        {
            while (into.Length > 0)
            {
                int within = (int)(offsetBytes % ChunkBytes);
                int part = Math.Min(into.Length, ChunkBytes - within);
                if (_chunks.TryGetValue(offsetBytes / ChunkBytes, out var chunk))
                    chunk.AsSpan(within, part).CopyTo(into);
                else
                    into[..part].Clear();
                offsetBytes += part;
                into = into[part..];
            }
        }
    }

    private void Store(long offsetBytes, ReadOnlySpan<byte> from)
    {
        lock (_latch)
        {
            while (from.Length > 0)
            {
                int within = (int)(offsetBytes % ChunkBytes);
                int part = Math.Min(from.Length, ChunkBytes - within);
                if (!_chunks.TryGetValue(offsetBytes / ChunkBytes, out var chunk))
                    _chunks.Add(offsetBytes / ChunkBytes, chunk = new byte[ChunkBytes]);
                from[..part].CopyTo(chunk.AsSpan(within));
                offsetBytes += part;
                from = from[part..];
            }
        }
    }
}
