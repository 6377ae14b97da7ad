using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>What was written to several devices, in order, to be cut off anywhere and replayed.</summary>
/// <remarks>
/// Fault model: a crash loses any of the writes that its device had not flushed; every single write is there as a whole
/// or not at all.
/// </remarks>
internal sealed class WriteLog
{
    private readonly List<Entry> _entries = [];

    /// <summary>Writes and flushes so far.</summary>
    public int Count => _entries.Count;

    /// <summary>Wraps a device, whose writes are then recorded and passed on.</summary>
    /// <param name="inner">The device.</param>
    /// <param name="role">Names it in <see cref="ReplayAsync"/>.</param>
    public IBlockDevice Record(IBlockDevice inner, int role) => new RecordedDevice(this, inner, role);

    /// <summary>Applies what a crash before entry <paramref name="cut"/> leaves.</summary>
    /// <param name="cut">0..Count.</param>
    /// <param name="devices">Copies of the devices before anything was written, by role.</param>
    /// <param name="isLost">Says of each write that was not flushed whether it is lost.</param>
    public async Task ReplayAsync(int cut, IReadOnlyList<IBlockDevice> devices, Func<bool> isLost)
    {
        for (int i = 0; i < cut; i++)
        {
            var entry = _entries[i];
            if (entry.Bytes is null)
                continue;
            bool isFlushed = _entries.FindIndex(i, cut - i, e => e.Bytes is null && e.Role == entry.Role) >= 0;
            if (isFlushed || !isLost())
                _ = await devices[entry.Role].WriteAsync(entry.OffsetBytes, entry.Bytes, CancellationToken.None);
        }
    }

    private sealed record Entry(int Role, long OffsetBytes, byte[]? Bytes);

    private sealed class RecordedDevice(WriteLog log, IBlockDevice inner, int role) : IBlockDevice
    {
        public string Name => inner.Name;

        public long SizeBytes => inner.SizeBytes;

        public bool IsWritable => true;

        public ValueTask<FsError> ReadAsync(
            long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken) =>
            inner.ReadAsync(offsetBytes, buffer, cancellationToken);

        public ValueTask<FsError> ReadAsync(
            long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
            inner.ReadAsync(offsetBytes, buffers, cancellationToken);

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
        {
            log._entries.Add(new Entry(role, offsetBytes, buffer.ToArray()));
            return inner.WriteAsync(offsetBytes, buffer, cancellationToken);
        }

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken) =>
            throw new NotSupportedException("Nothing under test writes vectors.");

        public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken)
        {
            log._entries.Add(new Entry(role, 0, null));
            return inner.FlushAsync(cancellationToken);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
