using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Simulation;

/// <summary>One node's access to a <see cref="SimDisk"/>; the fault model is there.</summary>
public sealed class SimDiskView : IBlockDevice, IAllocatedRanges
{
    private readonly SimDisk _disk;
    private readonly int _epoch;
    private bool _isKilled;

    internal SimDiskView(SimDisk disk, string node)
    {
        _disk = disk;
        _epoch = disk.Epoch;
        Name = $"{node}:{disk.Name}";
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long SizeBytes => _disk.SizeBytes;

    /// <inheritdoc/>
    public bool IsWritable => !_disk.IsReadOnly;

    /// <summary>Operations never complete: the power went, or the node died.</summary>
    public bool IsDead => _isKilled || _epoch != _disk.Epoch;

    /// <summary>What everything completes with after a fence.</summary>
    internal FsError Error { get; private set; }

    /// <summary>Cuts the node off from the disk: from now on every operation gives an error and does nothing.</summary>
    /// <param name="error">What the node sees, <see cref="FsError.Io"/> where a disk refuses.</param>
    public void Fence(FsError error = FsError.Isolated)
    {
        Invariant.Require(error != FsError.None);
        _disk.OnViewLost(this);
        Error = error;
    }

    /// <summary>The node dies: from now on no operation completes or does anything.</summary>
    public void Kill()
    {
        _disk.OnViewLost(this);
        _isKilled = true;
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken) =>
        ReadAsync(offsetBytes, [buffer], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        long total = 0;
        long bits = offsetBytes;
        for (int i = 0; i < buffers.Count; i++)
        {
            total += buffers[i].Length;
            bits |= AlignmentBitsOf(buffers[i].Span);
        }

        if (IsDead)
            return NeverAsync();
        if (Check(offsetBytes, total, bits, cancellationToken) is var error and not FsError.None)
            return new(error);
        return _disk.ReadAsync(this, offsetBytes, buffers);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) =>
        WriteAsync(offsetBytes, [buffer], cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        long total = 0;
        long bits = offsetBytes;
        for (int i = 0; i < buffers.Count; i++)
        {
            total += buffers[i].Length;
            bits |= AlignmentBitsOf(buffers[i].Span);
        }

        if (IsDead)
            return NeverAsync();
        if (Check(offsetBytes, total, bits, cancellationToken) is var error and not FsError.None)
            return new(error);
        return _disk.IsReadOnly ? new(FsError.ReadOnly) : _disk.WriteAsync(this, offsetBytes, buffers);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken)
    {
        if (IsDead)
            return NeverAsync();
        if (Error != FsError.None)
            return new(Error);
        return _disk.IsReadOnly ? new(FsError.ReadOnly) : _disk.FlushAsync(this);
    }

    /// <inheritdoc/>
    public bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes) =>
        _disk.TryFindAllocated(fromBytes, out startBytes, out endBytes);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Waits for ever, as a program does that is no more.</summary>
    internal static ValueTask<FsError> NeverAsync() => new(new TaskCompletionSource<FsError>().Task);

    // Real devices transfer to and from aligned memory only.
    private static unsafe long AlignmentBitsOf(ReadOnlySpan<byte> buffer) =>
        (uint)buffer.Length | (long)Unsafe.AsPointer(ref MemoryMarshal.GetReference(buffer));

    private FsError Check(long offsetBytes, long totalBytes, long bits, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return FsError.Cancelled;
        if (bits % SimPage.SizeBytes != 0)
            return FsError.Misaligned;
        if (offsetBytes < 0 || totalBytes > SizeBytes - offsetBytes)
            return FsError.OutOfRange;
        return Error;
    }
}
