using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>
/// <c>end-to-end DIR</c>: generates volumes as image files in a directory and measures <c>scoutfs check</c> and
/// <c>scoutfs volume export</c> on them as a user runs them, in processes of their own.
/// </summary>
/// <remarks>
/// Prints medians of three runs, and for export the ratio to reading the data device from start to end with the same
/// device code, in the same run. Needs about 6 GiB in the directory; what it makes there it removes.
/// </remarks>
internal static class EndToEnd
{
    /// <summary>First argument that chooses this instead of BenchmarkDotNet.</summary>
    public const string Verb = "end-to-end";

    private const int Runs = 3;
    private const ulong Directories = 1428;
    private const ulong FilesPerDirectory = 1000;
    private const ulong LargeFiles = 4;
    private const ulong BlocksPerLargeFile = 131072;

    /// <summary>Runs everything.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        string program = Path.Combine(FindRoot(), "artifacts", "bin", "ScoutFs.Cli", "release", "scoutfs");
        if (args.Length != 1 || !File.Exists(program))
        {
            await Console.Error.WriteLineAsync(
                $"usage: {Verb} DIR, after building the solution in Release (there must be {program})");
            return 64;
        }

        string directory = Directory.CreateDirectory(Path.Combine(args[0], "scoutfs-end-to-end")).FullName;
        try
        {
            await MeasureCheckAsync(program, directory);
            await MeasureExportAsync(program, directory);
            return 0;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task MeasureCheckAsync(string program, string directory)
    {
        string meta = Path.Combine(directory, "check-meta.img");
        string data = Path.Combine(directory, "check-data.img");
        await GenerateAsync(meta, data, Directories, FilesPerDirectory, 1, fill: false);
        var times = new double[Runs];
        for (int i = 0; i < Runs; i++)
            times[i] = await RunProgramAsync(program, "check", meta, data);
        double items = GeneratedVolume.ItemCount(Directories, FilesPerDirectory);
        double seconds = Median(times);
        Print($"check: {items:F0} items in {seconds:F2} s, {items / seconds / 1e6:F2} M items/s");
        File.Delete(meta);
        File.Delete(data);
    }

    private static async Task MeasureExportAsync(string program, string directory)
    {
        string meta = Path.Combine(directory, "export-meta.img");
        string data = Path.Combine(directory, "export-data.img");
        string to = Path.Combine(directory, "out");
        await GenerateAsync(meta, data, 1, LargeFiles, BlocksPerLargeFile, fill: true);
        var exports = new double[Runs];
        var reads = new double[Runs];
        for (int i = 0; i < Runs; i++)
        {
            reads[i] = await ReadAllAsync(data);
            exports[i] = await RunProgramAsync(program, "volume", "export", meta, data, "/", to);
            Directory.Delete(to, recursive: true);
        }

        double bytes = LargeFiles * BlocksPerLargeFile * 4096.0;
        Print($"export: {bytes / Median(exports) / 1e6:F0} MB/s");
        double ratio = Median(reads) / Median(exports);
        Print($"  reading the device: {bytes / Median(reads) / 1e6:F0} MB/s, ratio {ratio:F2}");
    }

    private static async Task GenerateAsync(
        string meta, string data, ulong directories, ulong files, ulong blocksPerFile, bool fill)
    {
        await using var metaDevice = Create(meta, GeneratedVolume.MetaBytes(directories, files));
        await using var dataDevice = Create(data, GeneratedVolume.DataBytes(directories, files, blocksPerFile));
        if (fill)
            await FillAsync(dataDevice);
        await GeneratedVolume.BuildAsync(metaDevice, dataDevice, directories, files, blocksPerFile);
        _ = await metaDevice.FlushAsync(CancellationToken.None);
        _ = await dataDevice.FlushAsync(CancellationToken.None);
    }

    private static async Task FillAsync(RawBlockDevice device)
    {
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        new Prng(1).Fill(block.GetSpan());
        for (long offset = 0; offset + BlockPool.BlockBytes <= device.SizeBytes; offset += BlockPool.BlockBytes)
            _ = await device.WriteAsync(offset, block.Memory, CancellationToken.None);
        pool.Return(block);
    }

    private static async Task<double> ReadAllAsync(string path)
    {
        var opened = BlockDevices.Open(path, DeviceOpenOptions.ForReading);
        await using var device = opened.Device ?? throw new IOException(opened.Message);
        using var pool = new BlockPool(16);
        var buffers = Enumerable.Range(0, 16).Select(_ => pool.TryRent()!).ToArray();
        var memories = buffers.Select(buffer => buffer.Memory).ToArray();
        var watch = Stopwatch.StartNew();
        const long PieceBytes = 16L * BlockPool.BlockBytes;
        for (long offset = 0; offset + PieceBytes <= device.SizeBytes; offset += PieceBytes)
            _ = await device.ReadAsync(offset, memories, CancellationToken.None);
        double seconds = watch.Elapsed.TotalSeconds;
        foreach (var buffer in buffers)
            pool.Return(buffer);
        return seconds;
    }

    private static RawBlockDevice Create(string path, long sizeBytes)
    {
        var options = DeviceOpenOptions.ForWriting with { CreateSizeBytes = sizeBytes };
        var opened = BlockDevices.Open(path, options);
        return opened.Device ?? throw new IOException(opened.Message);
    }

    private static async Task<double> RunProgramAsync(string program, params string[] arguments)
    {
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        _ = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        double seconds = watch.Elapsed.TotalSeconds;
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', arguments)} ended with {process.ExitCode}.");
        return seconds;
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    private static void Print(FormattableString line) =>
        Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "ScoutFs.Windows.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? AppContext.BaseDirectory;
    }
}
