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
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using static ScoutFs.Benchmarks.Figures;

namespace ScoutFs.Benchmarks;

/// <summary>
/// <c>end-to-end DIR</c>: generates volumes as image files in a directory and measures <c>scoutfs check</c> and
/// <c>scoutfs volume export</c> on them as a user runs them, in processes of their own.
/// </summary>
/// <remarks>
/// <para>An export is compared with what it cannot beat, all in turn in every round: reading the same bytes of the data
/// device front to back, and writing as many bytes into new files of the destination. Medians and the whole spread are
/// printed. <c>--destination</c> puts the copies on another file system, so that reading and writing do not share a
/// disk.</para>
/// <para>Needs about 5 GiB in the directory, 2 GiB of them in the destination if that is given; what it makes there it
/// removes.</para>
/// </remarks>
internal static class EndToEnd
{
    /// <summary>First argument that chooses this instead of BenchmarkDotNet.</summary>
    public const string Verb = "end-to-end";

    private const string Usage = "DIR [--destination DIR2] [--rounds N] [--only check|export]";
    private const string OwnDirectory = "scoutfs-end-to-end";
    private const ulong Directories = 1428;
    private const ulong FilesPerDirectory = 1000;
    private const ulong LargeFiles = 4;
    private const ulong BlocksPerLargeFile = 131072;
    private const double LargeBytes = LargeFiles * BlocksPerLargeFile * 4096.0;
    private const int PieceBytes = 2 << 20;
    private const int DeepReads = 4;

    /// <summary>Runs everything.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        string program = Path.Combine(FindRoot(), "artifacts", "bin", "ScoutFs.Cli", "release", "scoutfs");
        var options = ParseOptions(args);
        if (options is null || !File.Exists(program))
        {
            await Console.Error.WriteLineAsync(
                $"usage: {Verb} {Usage}\nafter building the solution in Release (there must be {program})");
            return 64;
        }

        string source = Directory.CreateDirectory(Path.Combine(options.Source, OwnDirectory)).FullName;
        string destination = Path.Combine(options.Destination ?? options.Source, OwnDirectory);
        _ = Directory.CreateDirectory(destination);
        try
        {
            if (options.Only != "export")
                await MeasureCheckAsync(program, source, options.Rounds);
            if (options.Only != "check")
                await MeasureExportAsync(program, source, destination, options.Rounds);
            return 0;
        }
        finally
        {
            Directory.Delete(source, recursive: true);
            if (Directory.Exists(destination))
                Directory.Delete(destination, recursive: true);
        }
    }

    private static Options? ParseOptions(string[] args)
    {
        if (args.Length % 2 == 0)
            return null;
        var options = new Options(args[0], null, 5, null);
        for (int i = 1; i < args.Length; i += 2)
        {
            switch (args[i])
            {
                case "--destination":
                    options = options with { Destination = args[i + 1] };
                    break;
                case "--rounds" when int.TryParse(args[i + 1], CultureInfo.InvariantCulture, out int rounds)
                    && rounds > 0:
                    options = options with { Rounds = rounds };
                    break;
                case "--only" when args[i + 1] is "check" or "export":
                    options = options with { Only = args[i + 1] };
                    break;
                default:
                    return null;
            }
        }

        return options;
    }

    private static async Task MeasureCheckAsync(string program, string directory, int rounds)
    {
        string meta = Path.Combine(directory, "check-meta.img");
        string data = Path.Combine(directory, "check-data.img");
        await GenerateAsync(meta, data, Directories, FilesPerDirectory, 1, fill: false);
        var wall = new double[rounds];
        var user = new double[rounds];
        for (int i = 0; i < rounds; i++)
            (wall[i], user[i]) = await RunProgramAsync(program, "check", meta, data);
        double items = GeneratedVolume.ItemCount(Directories, FilesPerDirectory);
        Print($"check: {items:F0} items, medians of {rounds} rounds, lowest and highest");
        PrintRates("  wall clock", "M items/s", items / 1e6, wall);
        PrintRates("  per second of user time", "M items/s", items / 1e6, user);
        File.Delete(meta);
        File.Delete(data);
    }

    private static async Task MeasureExportAsync(string program, string directory, string destination, int rounds)
    {
        string meta = Path.Combine(directory, "export-meta.img");
        string data = Path.Combine(directory, "export-data.img");
        string to = Path.Combine(destination, "out");
        await GenerateAsync(meta, data, 1, LargeFiles, BlocksPerLargeFile, fill: true);
        var exports = new double[rounds];
        var users = new double[rounds];
        var single = new double[rounds];
        var deep = new double[rounds];
        var writes = new double[rounds];
        for (int i = 0; i < rounds; i++)
        {
            single[i] = await ReadDeviceAsync(data, 1);
            (exports[i], users[i]) = await RunProgramAsync(program, "volume", "export", meta, data, "/", to);
            Directory.Delete(to, recursive: true);
            deep[i] = await ReadDeviceAsync(data, DeepReads);
            writes[i] = WriteFiles(to);
            Directory.Delete(to, recursive: true);
        }

        Print(
            $"export: {LargeBytes / 1e6:F0} MB in {LargeFiles} files, medians of {rounds} rounds, lowest and highest");
        PrintRates("  export", "MB/s", LargeBytes / 1e6, exports);
        PrintRates("  reading the device, one read at a time", "MB/s", LargeBytes / 1e6, single);
        PrintRates($"  reading the device, {DeepReads} reads under way", "MB/s", LargeBytes / 1e6, deep);
        PrintRates("  writing to the destination", "MB/s", LargeBytes / 1e6, writes);
        Print($"  processor time of an export: {Median(users):F2} s in user mode of {Median(exports):F2} s");
        double reading = Math.Min(Median(single), Median(deep));
        double limit = Math.Max(reading, Median(writes));
        string limiting = limit == reading ? "the device" : "the destination";
        Print($"  export / faster way to read: {reading / Median(exports):F2}");
        Print($"  export / slower of reading and writing, which is {limiting}: {limit / Median(exports):F2}");
    }

    private static async Task GenerateAsync(
        string meta, string data, ulong directories, ulong files, ulong blocksPerFile, bool fill)
    {
        await using var metaDevice = ImageVolume.CreateDevice(meta, GeneratedVolume.MetaBytes(directories, files));
        await using var dataDevice = ImageVolume.CreateDevice(
            data, GeneratedVolume.DataBytes(directories, files, blocksPerFile));
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

    // The bytes an export reads, with the same device code, front to back. Several reads under way go round robin.
    private static async Task<double> ReadDeviceAsync(string path, int readsUnderWay)
    {
        var opened = BlockDevices.Open(path, DeviceOpenOptions.ForReading);
        await using var device = opened.Device ?? throw new IOException(opened.Message);
        var buffers = Enumerable.Range(0, readsUnderWay).Select(_ => AlignedBuffer.Create(PieceBytes)).ToArray();
        var reads = Enumerable.Repeat(Task.FromResult(FsError.None), readsUnderWay).ToArray();
        var watch = Stopwatch.StartNew();
        int next = 0;
        for (long offset = 0; offset < (long)LargeBytes; offset += PieceBytes)
        {
            Invariant.Require(await reads[next] == FsError.None);
            reads[next] = device.ReadAsync(offset, buffers[next], CancellationToken.None).AsTask();
            next = (next + 1) % readsUnderWay;
        }

        foreach (var read in reads)
            Invariant.Require(await read == FsError.None);
        return watch.Elapsed.TotalSeconds;
    }

    // As an export writes: new files of the same sizes in pieces of the same size, left to the system to keep.
    private static double WriteFiles(string directory)
    {
        var buffer = AlignedBuffer.Create(PieceBytes);
        new Prng(1).Fill(buffer.Span);
        var watch = Stopwatch.StartNew();
        _ = Directory.CreateDirectory(directory);
        for (ulong i = 0; i < LargeFiles; i++)
        {
            using var file = File.OpenHandle(
                Path.Combine(directory, $"{i}"), System.IO.FileMode.CreateNew, FileAccess.Write);
            for (long offset = 0; offset < (long)BlocksPerLargeFile * 4096; offset += PieceBytes)
                RandomAccess.Write(file, buffer.Span, offset);
        }

        return watch.Elapsed.TotalSeconds;
    }

    private static async Task<(double Wall, double User)> RunProgramAsync(string program, params string[] arguments)
    {
        double before = UserSecondsOfChildren();
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        _ = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        double seconds = watch.Elapsed.TotalSeconds;
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', arguments)} ended with {process.ExitCode}.");
        double user = OperatingSystem.IsLinux()
            ? UserSecondsOfChildren() - before
            : process.UserProcessorTime.TotalSeconds;
        return (seconds, user);
    }

    // Linux forgets what a process has used when it has ended, but adds it up for the parent.
    private static double UserSecondsOfChildren()
    {
        const int FieldAfterName = 13;
        const double TicksPerSecond = 100;
        if (!OperatingSystem.IsLinux())
            return 0;
        string status = File.ReadAllText("/proc/self/stat");
        string[] fields = status[(status.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[FieldAfterName], CultureInfo.InvariantCulture) / TicksPerSecond;
    }

    private static void PrintRates(string what, string unit, double amount, double[] seconds)
    {
        double lowest = amount / seconds.Max();
        double highest = amount / seconds.Min();
        Print($"{what}: {amount / Median(seconds):G4} ({lowest:G4} .. {highest:G4}) {unit}");
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "ScoutFs.Windows.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? AppContext.BaseDirectory;
    }

    private sealed record Options(string Source, string? Destination, int Rounds, string? Only);
}
