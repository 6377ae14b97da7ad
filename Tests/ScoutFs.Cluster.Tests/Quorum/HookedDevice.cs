using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Quorum;

/// <summary>Passes everything on, but lets a test act before a write, fail it, and count.</summary>
internal sealed class HookedDevice(IBlockDevice device) : IBlockDevice
{
    /// <summary>Called with the number of the write, from 0; its outcome, if not None, is the write's.</summary>
    public Func<int, ValueTask<FsError>>? BeforeWrite { get; set; }

    public int CountWrites { get; private set; }

    public int CountFlushes { get; private set; }

    public string Name => device.Name;

    public long SizeBytes => device.SizeBytes;

    public bool IsWritable => true;

    public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken) =>
        device.ReadAsync(offsetBytes, buffer, cancellationToken);

    public ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        device.ReadAsync(offsetBytes, buffers, cancellationToken);

    public async ValueTask<FsError> WriteAsync(
        long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        int write = CountWrites++;
        var error = BeforeWrite is null ? FsError.None : await BeforeWrite(write);
        return error == FsError.None ? await device.WriteAsync(offsetBytes, buffer, cancellationToken) : error;
    }

    public async ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        int write = CountWrites++;
        var error = BeforeWrite is null ? FsError.None : await BeforeWrite(write);
        return error == FsError.None ? await device.WriteAsync(offsetBytes, buffers, cancellationToken) : error;
    }

    public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken)
    {
        CountFlushes++;
        return device.FlushAsync(cancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
