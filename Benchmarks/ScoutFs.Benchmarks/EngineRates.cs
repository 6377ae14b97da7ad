using System;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;

namespace ScoutFs.Benchmarks;

/// <summary>How many operations the engine does in a second, over a leader and devices in memory.</summary>
/// <remarks>One caller, so that a figure is about one core, commits and the leader's work included.</remarks>
internal static class EngineRates
{
    /// <summary>First argument that chooses this program.</summary>
    public const string Verb = "engine";

    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Runs: <c>engine [FILES [FILES-PER-DIRECTORY]]</c>.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        int files = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 200_000;
        int perDirectory = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 10_000;
        var (meta, data) = await TestNode.FormatAsync(1_000_000, 30_000_000);
        var node = await TestNode.StartAsync(meta, data);
        var fs = node.Fs;
        var names = new byte[files][];
        var directories = new ulong[((files - 1) / perDirectory) + 1];
        for (int i = 0; i < files; i++)
            names[i] = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"file-{i:d9}"));
        for (int i = 0; i < directories.Length; i++)
        {
            (_, directories[i], _) = await fs.CreateAsync(
                FormatConstants.RootIno, names[i], FileMode.Directory | 0x1ed, 0, default, default, None);
        }

        var inos = new ulong[files];
        // The JIT's work is not the engine's.
        await WarmUpAsync(fs);
        await MeasureAsync("create", files, async i =>
        {
            (_, inos[i], _) = await fs.CreateAsync(
                directories[i / perDirectory], names[i], FileMode.Regular | 0x1a4, 0, default, default, None);
        });
        await MeasureAsync("sync", 1, async _ => await fs.SyncAsync(None));
        await MeasureAsync("lookup", files, async i => await fs.LookupAsync(
            directories[i / perDirectory], names[i], None));
        await MeasureAsync("lookup again", files, async i => await fs.LookupAsync(
            directories[i / perDirectory], names[i], None));
        await MeasureAsync("getattr", files, async i => await fs.GetAttributesAsync(inos[i], None));
        byte[] block = new byte[4096];
        await MeasureAsync("write 4 KiB", files, async i =>
            await fs.WriteAsync(inos[i], 0, block, false, false, None));
        await MeasureAsync("unlink", files, async i => await fs.UnlinkAsync(
            directories[i / perDirectory], names[i], false, None));
        await MeasureAsync("unmount", 1, async _ => await node.UnmountAsync());
        return 0;
    }

    private static async Task WarmUpAsync(FileSystem fs)
    {
        const int Warm = 20_000;
        byte[] block = new byte[4096];
        for (int i = 0; i < Warm; i++)
        {
            byte[] name = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"warm-{i:d9}"));
            var (_, ino, _) = await fs.CreateAsync(
                FormatConstants.RootIno, name, FileMode.Regular | 0x1a4, 0, default, default, None);
            _ = await fs.LookupAsync(FormatConstants.RootIno, name, None);
            _ = await fs.GetAttributesAsync(ino, None);
            _ = await fs.WriteAsync(ino, 0, block, false, false, None);
            _ = await fs.UnlinkAsync(FormatConstants.RootIno, name, false, None);
        }

        _ = await fs.SyncAsync(None);
    }

    private static async Task MeasureAsync(string what, int count, Func<int, Task> operation)
    {
        long bytes = GC.GetTotalAllocatedBytes(precise: false);
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < count; i++)
            await operation(i);
        double seconds = watch.Elapsed.TotalSeconds;
        double cpuSeconds = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalSeconds;
        bytes = GC.GetTotalAllocatedBytes(precise: false) - bytes;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what,-14} {count,9} in {seconds,7:f3} s ({cpuSeconds,6:f2} s of processors): "
            + $"{count / seconds,11:n0}/s, {bytes / count,7:n0} B allocated each"));
    }
}
