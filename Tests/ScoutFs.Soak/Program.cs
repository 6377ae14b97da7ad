using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Nodes;
using ScoutFs.Testing.Simulation;

namespace ScoutFs.Soak;

/// <summary>Runs simulations for as long as one likes: seed after seed, all processors.</summary>
internal static class Program
{
    private const string Help = """
        soak [MACHINE] [--seeds FIRST[-LAST]] [--ops N] [--crashes N] [--threads N]

          MACHINE      crash    cut the power at every write (the default)
                       slow     the same on slow disks whose operations fail now and then
                       merge    the same while log merges, srch compactions and orphan scans run
                       recover  the same at every write of recoveries
                       full     the same on volumes that are full again and again: even seeds of data,
                                odd ones of metadata
                       errors   let each device operation fail in turn: once, for a while, for good;
                                every other seed on slow disks
                       model    compare every answer with the model, four callers, no crashes
                       threads  the same with callers on threads, twenty mounts: does not repeat
          --seeds      seeds to run; one repeats a single run; default 1-
          --ops        operations of a run; of each caller for `model`
          --crashes    stop after this many crashes
          --threads    runs at a time; default: processors

        Ends with 1 as soon as a seed fails, and prints how to repeat it.
        """;

    private static int Main(string[] args)
    {
        if (Arguments.Parse(args) is not { } arguments)
        {
            Console.Error.WriteLine(Help);
            return 2;
        }

        return Soak(arguments);
    }

    private static int Soak(Arguments arguments)
    {
        var watch = Stopwatch.StartNew();
        var gate = new Lock();
        ulong next = arguments.First;
        long crashes = 0;
        long operations = 0;
        long rollbacks = 0;
        long refusals = 0;
        long runs = 0;
        var failures = new List<CrashResult>();
        var last = TimeSpan.Zero;

        var threads = new Thread[arguments.Threads];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work);
            threads[i].Start();
        }

        foreach (var thread in threads)
            thread.Join();
        Report();
        foreach (var failure in failures)
        {
            Console.Error.WriteLine($"Seed {failure.Seed} failed: {failure.Failure}");
            Console.Error.WriteLine(
                $"Again: dotnet run build.cs soak {arguments.Machine} --seeds {failure.Seed} "
                + $"--ops {arguments.CountOps}");
        }

        return failures.Count == 0 ? 0 : 1;

        void Work()
        {
            var run = arguments.CreateMachine();
            while (true)
            {
                ulong seed;
                lock (gate)
                {
                    if (failures.Count > 0 || next > arguments.Last || crashes >= arguments.Crashes)
                        return;
                    seed = next++;
                }

                var result = run(seed);
                lock (gate)
                {
                    runs++;
                    crashes += result.CountCrashes;
                    operations += result.CountOperations;
                    rollbacks += result.CountRollbacks;
                    refusals += result.CountNoSpace;
                    if (result.Failure is not null)
                        failures.Add(result);
                    if (watch.Elapsed - last > TimeSpan.FromSeconds(5))
                        Report();
                }
            }
        }

        void Report()
        {
            last = watch.Elapsed;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{last.TotalSeconds:f0} s: {runs} runs up to seed {next - 1}, {operations} operations, "
                + $"{crashes} crashes ({crashes / Math.Max(last.TotalMinutes, 0.001):f0} a minute), "
                + $"{rollbacks} lost unsynced work, {refusals} operations without space, {failures.Count} failures"));
        }
    }

    private sealed record Arguments
    {
        public string Machine { get; private init; } = "crash";

        public ulong First { get; private init; } = 1;

        public ulong Last { get; private init; } = ulong.MaxValue - 1;

        public int? Ops { get; private init; }

        public int CountOps => Ops ?? Machine switch
        {
            "threads" => 20_000,
            "errors" => 30,
            _ => 150,
        };

        public long Crashes { get; private init; } = long.MaxValue;

        public int Threads { get; private init; } = Environment.ProcessorCount;

        public static Arguments? Parse(string[] args)
        {
            var parsed = new Arguments();
            for (int i = 0; i < args.Length; i++)
            {
                if (args[i] is "crash" or "slow" or "merge" or "recover" or "full" or "errors" or "model" or "threads")
                    parsed = parsed with { Machine = args[i] };
                else if (i + 1 == args.Length || parsed.With(args[i], args[++i]) is not { } changed)
                    return null;
                else
                    parsed = changed;
            }

            return parsed;
        }

        public Func<ulong, CrashResult> CreateMachine()
        {
            var subject = new VolumeSubject();
            var crash = new CrashOptions { CountOperations = CountOps };
            switch (Machine)
            {
                case "slow":
                    crash = crash with { Latency = SimLatency.Usual, FailPerMillion = 10_000 };
                    return new CrashMachine(subject, crash).Run;
                case "merge":
                    return new CrashMachine(VolumeSubject.Busy, crash with { PausePerMille = 200 }).Run;
                case "recover":
                    crash = crash with { PausePerMille = 200, CutPerMille = 30, CutAgainPerMille = 1000 };
                    return new CrashMachine(VolumeSubject.Busy, crash).Run;
                case "full":
                    crash = crash with { Profile = WorkloadProfile.Filling, IsFilling = true };
                    var data = new CrashMachine(VolumeSubject.SmallData, crash);
                    var meta = new CrashMachine(VolumeSubject.SmallMeta, crash with { ComesBack = false });
                    return seed => (seed % 2 == 0 ? data : meta).Run(seed);
                case "errors":
                    var error = new ErrorOptions { CountOperations = CountOps };
                    var fast = new ErrorMachine(subject, error);
                    var slow = new ErrorMachine(subject, error with { Latency = SimLatency.Usual });
                    return seed => (seed % 2 == 0 ? slow : fast).Run(seed);
                case "model":
                    var model = new ModelOptions
                    {
                        CountOperations = CountOps,
                        CountCallers = 4,
                        Latency = SimLatency.Usual,
                    };
                    return new ModelMachine(subject, model).Run;
                case "threads":
                    var watch = Stopwatch.StartNew();
                    var threads = new ThreadsOptions
                    {
                        CountOperations = CountOps,
                        OnUnmounted = done => Console.WriteLine(string.Create(
                            CultureInfo.InvariantCulture,
                            $"{watch.Elapsed.TotalSeconds:f0} s: {done} operations of this run, checked clean")),
                    };
                    return new ThreadsMachine(threads).Run;
                default:
                    return new CrashMachine(subject, crash).Run;
            }
        }

        private Arguments? With(string option, string value)
        {
            string[] range = value.Split('-');
            bool isNumber = ulong.TryParse(range[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong number);
            if (!isNumber)
                return null;
            switch (option)
            {
                case "--ops":
                    return this with { Ops = (int)number };
                case "--crashes":
                    return this with { Crashes = (long)number };
                case "--threads":
                    return this with { Threads = (int)number };
                case "--seeds" when range.Length == 1:
                    return this with { First = number, Last = number };
                case "--seeds" when range[1].Length == 0:
                    return this with { First = number };
                case "--seeds" when ulong.TryParse(range[1], out ulong last):
                    return this with { First = number, Last = last };
                default:
                    return null;
            }
        }
    }
}
