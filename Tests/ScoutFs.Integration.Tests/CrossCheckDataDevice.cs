using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests;

/// <summary>Takes the data device of a golden volume without file contents: checkers look at its start only.</summary>
internal sealed class CrossCheckDataDevice : IBlockDevice
{
    private const long KeptBytes = 1 << 20;

    private readonly VolumeEditorDevice _kept;

    /// <summary>Creates the device.</summary>
    public CrossCheckDataDevice(string name, long sizeBytes) => _kept = new VolumeEditorDevice(name, sizeBytes);

    /// <inheritdoc/>
    public string Name => _kept.Name;

    /// <inheritdoc/>
    public long SizeBytes => _kept.SizeBytes;

    /// <inheritdoc/>
    public bool IsWritable => true;

    /// <summary>What was kept.</summary>
    public VolumeEditorDevice Kept => _kept;

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken) =>
        _kept.ReadAsync(offsetBytes, buffer, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        _kept.ReadAsync(offsetBytes, buffers, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) =>
        offsetBytes < KeptBytes ? _kept.WriteAsync(offsetBytes, buffer, cancellationToken) : new(FsError.None);

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken) =>
        offsetBytes < KeptBytes ? _kept.WriteAsync(offsetBytes, buffers, cancellationToken) : new(FsError.None);

    /// <inheritdoc/>
    public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken) => new(FsError.None);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
