using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Blocks;

/// <summary>The disk seam: a range of bytes that is read and written in 4096 byte units.</summary>
/// <remarks>
/// <para>Thread rules: every method may be called from any thread, any number at a time. Overlapping writes in flight
/// are the caller's bug. Completion order is arbitrary.</para>
/// <para>Alignment: offset, every buffer's length and every buffer's address are multiples of
/// <see cref="AlignmentBytes"/>, else <see cref="FsError.Misaligned"/> and nothing is transferred.</para>
/// <para>Bounds: a request past <see cref="SizeBytes"/> gives <see cref="FsError.OutOfRange"/> and transfers
/// nothing. There are no short transfers.</para>
/// <para>Durability: a completed write is durable only after a later <see cref="FlushAsync"/> has completed.</para>
/// <para>Cancellation is honoured before the transfer starts, never during it.</para>
/// </remarks>
public interface IBlockDevice : IAsyncDisposable
{
    /// <summary>The name the user gave, for messages.</summary>
    string Name { get; }

    /// <summary>Usable size in bytes, constant while open, a multiple of <see cref="AlignmentBytes"/>.</summary>
    long SizeBytes { get; }

    /// <summary>Unit of transfers in bytes; always 4096, devices with larger sectors are refused at open.</summary>
    int AlignmentBytes => 4096;

    /// <summary>False: writes and flushes give <see cref="FsError.ReadOnly"/>.</summary>
    bool IsWritable { get; }

    /// <summary>Reads buffer.Length bytes at an offset.</summary>
    /// <returns>None, Io, OutOfRange, Misaligned or Cancelled.</returns>
    ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Reads one contiguous range into several buffers, in order.</summary>
    /// <returns>None, Io, OutOfRange, Misaligned or Cancelled.</returns>
    ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken);

    /// <summary>Writes buffer.Length bytes at an offset.</summary>
    /// <returns>None, Io, OutOfRange, Misaligned, ReadOnly or Cancelled.</returns>
    ValueTask<FsError> WriteAsync(long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Writes several buffers, in order, as one contiguous range.</summary>
    /// <returns>None, Io, OutOfRange, Misaligned, ReadOnly or Cancelled.</returns>
    ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken);

    /// <summary>Makes every write that completed before the call durable.</summary>
    /// <returns>None, Io or ReadOnly.</returns>
    ValueTask<FsError> FlushAsync(CancellationToken cancellationToken);
}
