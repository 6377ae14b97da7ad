using System;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using static ScoutFs.Benchmarks.Figures;

namespace ScoutFs.Benchmarks;

/// <summary>
/// <c>disk DIR [ROUNDS]</c>: commits against the device's own flushes, and writing files against writing the data
/// device, all in turn in every round.
/// </summary>
/// <remarks>The volume lies in image files in DIR, of which ROUNDS + 4 GiB are written.</remarks>
internal static class EngineOnDisk
{
    /// <summary>First argument that chooses this program.</summary>
    public const string Verb = "disk";

    private const int CommitsPerRound = 50;
    private const int CallBytes = 1 << 20;
    private const long FileBytes = 1L << 30;
    private const long DataBytes = 16L << 30;
    private const int DeepWrites = 4;

    // As much as the engine's buffers: one buffer over and over would be written from the processor's cache.
    private const int BufferBytes = 64 << 20;
    private static readonly Memory<byte> Source = Filled(BufferBytes);

    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Runs it.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Length == 0)
        {
            await Console.Error.WriteLineAsync($"usage: {Verb} DIR [ROUNDS]");
            return 64;
        }

        int rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 5;
        if (rounds is < 1 or > 5)
            throw new ArgumentOutOfRangeException(nameof(args), "ROUNDS is 1..5.");
        await using var volume = await ImageVolume.CreateAsync(args[0], 8L << 30, DataBytes);
        var flushes = new double[rounds * CommitsPerRound];
        var commits = new double[flushes.Length];
        var raw = new double[rounds];
        var deep = new double[rounds];
        var files = new double[rounds];

        // Neither side is to be the one that makes the image file grow.
        for (long offset = CallBytes; offset < (rounds + 2) * FileBytes; offset += FileBytes)
            _ = await WriteDeviceAsync(volume.Data, offset, 1);
        _ = await WriteDeviceAsync(volume.Data, DataBytes / 2, 1);
        _ = await WriteFileAsync(volume, "warm");
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < CommitsPerRound; i++)
            {
                int at = (round * CommitsPerRound) + i;
                flushes[at] = await FlushAsync(volume.Meta);
                commits[at] = await CommitAsync(volume, at);
            }

            raw[round] = await WriteDeviceAsync(volume.Data, DataBytes / 2, 1);
            files[round] = await WriteFileAsync(volume, string.Create(CultureInfo.InvariantCulture, $"f{round}"));
            deep[round] = await WriteDeviceAsync(volume.Data, DataBytes / 2, DeepWrites);
        }

        Print($"commit of one new file: {Median(commits) * 1e3:f2} ms");
        Print($"write of 64 KiB and flush of the device: {Median(flushes) * 1e3:f2} ms");
        Print($"ratio {Median(commits) / Median(flushes):f2}");
        Print($"write of {FileBytes >> 20} MiB in calls of 1 MiB, with the commit: {Rate(files)}");
        Print($"write of the device, one at a time: {Rate(raw)}, {DeepWrites} under way: {Rate(deep)}");
        Print($"ratio to the faster: {Math.Min(Median(raw), Median(deep)) / Median(files):f2}");
        return 0;
    }

    // What a commit cannot beat: one block and one flush.
    private static async Task<double> FlushAsync(RawBlockDevice device)
    {
        var buffer = AlignedBuffer.Create(FormatConstants.LargeBlockBytes);
        long last = device.SizeBytes - FormatConstants.LargeBlockBytes;
        var watch = Stopwatch.StartNew();
        Invariant.Require(await device.WriteAsync(last, buffer, None) == FsError.None);
        Invariant.Require(await device.FlushAsync(None) == FsError.None);
        return watch.Elapsed.TotalSeconds;
    }

    private static async Task<double> CommitAsync(ImageVolume volume, int number)
    {
        byte[] name = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"commit-{number}"));
        var watch = Stopwatch.StartNew();
        var (error, _, _) = await volume.Node.Fs.CreateAsync(
            FormatConstants.RootIno, name, FileMode.Regular | 0x1a4, 0, default, default, None);
        Invariant.Require(error == FsError.None);
        Invariant.Require(await volume.Node.Fs.SyncAsync(None) == FsError.None);
        return watch.Elapsed.TotalSeconds;
    }

    // Measured in the upper half of the device, which the volume's files do not reach here.
    private static async Task<double> WriteDeviceAsync(RawBlockDevice device, long start, int writesUnderWay)
    {
        var writes = Enumerable.Repeat(Task.FromResult(FsError.None), writesUnderWay).ToArray();
        var watch = Stopwatch.StartNew();
        int next = 0;
        for (long offset = start; offset < start + FileBytes; offset += CallBytes)
        {
            Invariant.Require(await writes[next] == FsError.None);
            writes[next] = device.WriteAsync(offset, SourceOf(offset), None).AsTask();
            next = (next + 1) % writesUnderWay;
        }

        foreach (var write in writes)
            Invariant.Require(await write == FsError.None);
        Invariant.Require(await device.FlushAsync(None) == FsError.None);
        return watch.Elapsed.TotalSeconds;
    }

    private static async Task<double> WriteFileAsync(ImageVolume volume, string name)
    {
        var fs = volume.Node.Fs;
        var watch = Stopwatch.StartNew();
        var (error, ino, _) = await fs.CreateAsync(
            FormatConstants.RootIno, Encoding.ASCII.GetBytes(name), FileMode.Regular | 0x1a4, 0, default, default,
            None);
        Invariant.Require(error == FsError.None);
        for (long offset = 0; offset < FileBytes; offset += CallBytes)
        {
            (error, int written) = await fs.WriteAsync(ino, (ulong)offset, SourceOf(offset), false, false, None);
            Invariant.Require(error == FsError.None && written == CallBytes);
        }

        Invariant.Require(await fs.SyncAsync(None) == FsError.None);
        return watch.Elapsed.TotalSeconds;
    }

    private static ReadOnlyMemory<byte> SourceOf(long offset) =>
        Source.Slice((int)(offset % BufferBytes), CallBytes);

    private static Memory<byte> Filled(int bytes)
    {
        var buffer = AlignedBuffer.Create(bytes);
        new Prng(1).Fill(buffer.Span);
        return buffer;
    }

    private static string Rate(double[] seconds) => string.Create(
        CultureInfo.InvariantCulture,
        $"{FileBytes / 1e6 / Median(seconds):f0} MB/s ({FileBytes / 1e6 / seconds.Max():f0} .. "
        + $"{FileBytes / 1e6 / seconds.Min():f0})");
}
