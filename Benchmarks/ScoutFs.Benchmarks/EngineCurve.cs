using System;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>
/// <c>curve DIR [FILES [FILES-PER-DIRECTORY]]</c>: what an operation costs, and what memory the engine takes, in a
/// volume of 10³ files, 10⁴, and so on.
/// </summary>
/// <remarks>The volume lies in image files in DIR. Costs are processor time of the whole process, commits, leader and
/// background work included. A fixed piece of work beside each row says how fast the machine was just then.</remarks>
internal static class EngineCurve
{
    /// <summary>First argument that chooses this program.</summary>
    public const string Verb = "curve";

    // Operations whose cost a row is about: cached ones go over the same names again and again.
    private const int MaxSample = 100_000;
    private const int CachedNames = 500;
    private const int CachedPasses = 200;
    private const int RandomLookups = 5000;

    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Runs it.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Length == 0)
        {
            await Console.Error.WriteLineAsync($"usage: {Verb} DIR [FILES [FILES-PER-DIRECTORY]]");
            return 64;
        }

        int files = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 1_000_000;
        int perDirectory = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : files;
        await using var volume = await ImageVolume.CreateAsync(args[0], 64L << 30, 16L << 30);
        var fs = volume.Node.Fs;
        var run = new Run(fs, perDirectory);
        await run.CreateAsync(0, 1000);
        Console.WriteLine(
            "    files  create µs  lookup ns  getattr ns  random lookup µs   memory MiB  (heap)  reference ms");
        int done = 1000;
        for (int size = 1000; size <= files; size *= 10)
        {
            int sample = Math.Min(MaxSample, size / 2);
            if (size > done)
            {
                await run.CreateAsync(done, size - sample);
                done = size - sample;
            }

            double reference = Reference();
            double create = size == 1000 ? double.NaN : await CostAsync(sample, () => run.CreateAsync(done, size));
            done = size;
            await run.LookupAsync(done - CachedNames, done, 1);
            double lookup = await CostAsync(
                CachedNames * CachedPasses, () => run.LookupAsync(done - CachedNames, done, CachedPasses));
            double getattr = await CostAsync(
                CachedNames * CachedPasses, () => run.GetAttributesAsync(done - CachedNames, done, CachedPasses));
            double random = await CostAsync(RandomLookups, () => run.RandomLookupsAsync(done, RandomLookups));
            using var process = Process.GetCurrentProcess();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{size,9} {create * 1e6,10:f2} {lookup * 1e9,10:f0} {getattr * 1e9,11:f0} {random * 1e6,17:f1} "
                + $"{process.PeakWorkingSet64 >> 20,12} {GC.GetTotalMemory(false) >> 20,7} {reference * 1e3,13:f1}"));
        }

        return 0;
    }

    private static async Task<double> CostAsync(int count, Func<Task> work)
    {
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        await work();
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds / count;
    }

    private static double Reference()
    {
        byte[] block = new byte[1 << 16];
        uint sum = 0;
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        for (int i = 0; i < 20_000; i++)
        {
            block[i] = (byte)sum;
            sum ^= Crc32C.Compute(block);
        }

        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
    }

    private sealed class Run(FileSystem fs, int perDirectory)
    {
        private readonly byte[] _name = new byte[14];
        private readonly Prng _prng = new(1);
        private ulong[] _directories = [];
        private ulong _ino;

        public async Task CreateAsync(int from, int to)
        {
            for (int i = from; i < to; i++)
            {
                if (i % perDirectory == 0)
                {
                    Array.Resize(ref _directories, _directories.Length + 1);
                    (var failed, _directories[^1], _) = await fs.CreateAsync(
                        FormatConstants.RootIno, NameOf(i), FileMode.Directory | 0x1ed, 0, default, default, None);
                    Invariant.Require(failed == FsError.None);
                }

                (var error, _ino, _) = await fs.CreateAsync(
                    _directories[^1], NameOf(i), FileMode.Regular | 0x1a4, 0, default, default, None);
                Invariant.Require(error == FsError.None);
            }
        }

        public async Task LookupAsync(int from, int to, int passes)
        {
            for (int pass = 0; pass < passes; pass++)
            {
                for (int i = from; i < to; i++)
                    await LookupAsync(i);
            }
        }

        public async Task GetAttributesAsync(int from, int to, int passes)
        {
            for (int pass = 0; pass < passes; pass++)
            {
                for (int i = from; i < to; i++)
                    _ = await fs.GetAttributesAsync(_ino - (ulong)(to - 1 - i), None);
            }
        }

        public async Task RandomLookupsAsync(int files, int count)
        {
            for (int i = 0; i < count; i++)
                await LookupAsync(_prng.NextInt32(files));
        }

        private async ValueTask LookupAsync(int i)
        {
            var (error, _, _) = await fs.LookupAsync(_directories[i / perDirectory], NameOf(i), None);
            Invariant.Require(error == FsError.None);
        }

        private ReadOnlyMemory<byte> NameOf(int i)
        {
            bool isWritten = Encoding.ASCII.TryGetBytes("file-", _name, out int prefix)
                && i.TryFormat(_name.AsSpan(prefix), out _, "d9", CultureInfo.InvariantCulture);
            Invariant.Require(isWritten);
            return _name;
        }
    }
}
