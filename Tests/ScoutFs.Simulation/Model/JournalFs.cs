using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Simulation.Model;

/// <summary>How a <see cref="JournalFs"/> is broken, so that a test can see whether that is found.</summary>
public enum JournalDefect
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>A sync does not flush.</summary>
    NoFlush,

    /// <summary>A flush that fails counts as done.</summary>
    IgnoresErrors,

    /// <summary>Batches that are torn are believed.</summary>
    NoCrc,

    /// <summary>Hard links are not written down.</summary>
    NoLinks,

    /// <summary>A rename is written down as two halves, in batches of their own.</summary>
    HalfRenames,

    /// <summary>The mode of new files is wrong.</summary>
    WrongMode,
}

/// <summary>A file system of a hundred lines that survives crashes: the model, and a journal.</summary>
/// <remarks>
/// A batch is {length, crc, crc of the batch before, operations as text}, padded to 4096 bytes. Batches are written
/// without a flush every few operations; a sync writes and flushes. Shows that the crash machine works, both ways.
/// </remarks>
internal sealed class JournalFs : IFsUnderTest
{
    private const int HeaderBytes = 12;
    private const int BatchOperations = 4;

    private readonly SimDiskView _view;
    private readonly SimTime _time;
    private readonly JournalDefect _defect;
    private readonly ModelFs _fs;
    private readonly StringBuilder _batch = new();
    private int _countInBatch;
    private long _endBytes;
    private uint _lastCrc;

    private JournalFs(CrashWorld world, JournalDefect defect, ModelFs fs)
    {
        _view = world.Meta.Open("journal");
        _time = world.Time;
        _defect = defect;
        _fs = fs;
    }

    public ModelState State => _fs.State;

    public string IsolationReason => string.Empty;

    public static async Task<JournalFs> MountAsync(CrashWorld world, JournalDefect defect)
    {
        var journal = new JournalFs(world, defect, new ModelFs(new ModelTime(1, 0)));
        await journal.ReplayAsync();
        _ = journal._fs.CloseAll();
        return journal;
    }

    public async Task<FsAnswer> ApplyAsync(FsOp op)
    {
        if (op is SyncOp)
            return new FsAnswer { Error = await WriteBatchAsync(flushes: _defect != JournalDefect.NoFlush) };
        long ticks = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks;
        var now = new ModelTime(ticks / TimeSpan.TicksPerSecond, (uint)(ticks % TimeSpan.TicksPerSecond * 100));
        if (_defect == JournalDefect.WrongMode && op is MakeOp made)
            op = made with { Mode = made.Mode ^ 1 };
        var answer = _fs.Apply(op, now);
        if (answer.Faults.IsEmpty && !op.IsQuery)
            await LogAsync(op, now);
        foreach (var error in answer.Faults.Errors)
            return new FsAnswer { Error = error };
        return new FsAnswer { Error = FsError.None, Bytes = answer.Bytes, Names = answer.Names, Inode = answer.Inode };
    }

    public async Task UnmountAsync() => _ = await WriteBatchAsync(flushes: true);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task LogAsync(FsOp op, ModelTime now)
    {
        if (_defect == JournalDefect.NoLinks && op is LinkOp)
            return;
        if (_defect == JournalDefect.HalfRenames && op is RenameOp rename)
        {
            Append(new RemoveOp(rename.NewParent, rename.NewName, IsRmdir: false), now);
            _ = await WriteBatchAsync(flushes: true);
        }

        Append(op, now);
        if (_countInBatch >= BatchOperations)
            _ = await WriteBatchAsync(flushes: false);
    }

    private void Append(FsOp op, ModelTime now)
    {
        _ = _batch.Append(now.Seconds).Append(' ').Append(now.Nanoseconds).Append(' ')
            .Append(WorkloadShrinker.ToText([op])).Append('\n');
        _countInBatch++;
    }

    private async Task<FsError> WriteBatchAsync(bool flushes)
    {
        byte[] text = Encoding.UTF8.GetBytes(_batch.ToString());
        _ = _batch.Clear();
        _countInBatch = 0;
        if (text.Length > 0)
        {
            int bytes = (HeaderBytes + text.Length + SimPage.SizeBytes - 1) / SimPage.SizeBytes * SimPage.SizeBytes;
            var buffer = AlignedBuffer.Create(bytes);
            text.CopyTo(buffer.Span[HeaderBytes..]);
            BinaryPrimitives.WriteInt32LittleEndian(buffer.Span, text.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.Span[8..], _lastCrc);
            _lastCrc = Crc32C.Compute(buffer.Span[8..]);
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.Span[4..], _lastCrc);
            while (await _view.WriteAsync(_endBytes, buffer, CancellationToken.None) != FsError.None)
                await Task.Delay(TimeSpan.FromSeconds(2), _time);
            _endBytes += bytes;
        }

        while (flushes && await _view.FlushAsync(CancellationToken.None) != FsError.None
            && _defect != JournalDefect.IgnoresErrors)
        {
            await Task.Delay(TimeSpan.FromSeconds(2), _time);
        }

        return FsError.None;
    }

    private async Task ReplayAsync()
    {
        while (true)
        {
            var header = AlignedBuffer.Create(SimPage.SizeBytes);
            await ReadAsync(header);
            int length = BinaryPrimitives.ReadInt32LittleEndian(header.Span);
            if (length <= 0 || length > 1 << 24)
                return;
            int bytes = (HeaderBytes + length + SimPage.SizeBytes - 1) / SimPage.SizeBytes * SimPage.SizeBytes;
            var batch = AlignedBuffer.Create(bytes);
            await ReadAsync(batch);
            uint crc = BinaryPrimitives.ReadUInt32LittleEndian(batch.Span[4..]);
            bool isWhole = crc == Crc32C.Compute(batch.Span[8..])
                && BinaryPrimitives.ReadUInt32LittleEndian(batch.Span[8..]) == _lastCrc;
            if (!isWhole && _defect != JournalDefect.NoCrc)
                return;
            Replay(Encoding.UTF8.GetString(batch.Span.Slice(HeaderBytes, length)));
            _lastCrc = crc;
            _endBytes += bytes;
        }
    }

    private async Task ReadAsync(Memory<byte> buffer)
    {
        var error = await _view.ReadAsync(_endBytes, buffer, CancellationToken.None);
        if (error != FsError.None)
            throw new VolumeException(error, "The journal cannot be read.");
    }

    private void Replay(string text)
    {
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(' ', 3);
            var now = new ModelTime(long.Parse(parts[0], null), uint.Parse(parts[1], null));
            foreach (var op in WorkloadShrinker.FromText(parts[2]))
            {
                if (_fs.Knows(op))
                    _ = _fs.Apply(op, now);
            }
        }
    }
}

/// <summary>Lets the crash machine work on a <see cref="JournalFs"/>.</summary>
internal sealed class JournalSubject(JournalDefect defect) : ICrashSubject
{
    public long MetaBytes => 1L << 30;

    public long DataBytes => 1L << 20;

    public long? WholeMetaPage => null;

    public Task FormatAsync(CrashWorld world) => Task.CompletedTask;

    public async Task<ModelState> ReadAsync(CrashWorld world) => (await JournalFs.MountAsync(world, defect)).State;

    public Task<ulong> CountFreeAsync(CrashWorld world) => Task.FromResult(0UL);

    public async Task<IFsUnderTest> MountAsync(CrashWorld world) => await JournalFs.MountAsync(world, defect);

    public Task<string?> CheckAsync(CrashWorld world) => Task.FromResult<string?>(null);
}
