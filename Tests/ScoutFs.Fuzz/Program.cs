using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;
using SharpFuzz;

namespace ScoutFs.Fuzz;

/// <summary>Feeds hostile input to the parsers: files, mutations of good input, or a fuzzing engine's ideas.</summary>
internal static class Program
{
    private const string Usage = """
        fuzz list                           names of targets
        fuzz TARGET FILE...                 run a target on files (a crash that was found, a corpus)
        fuzz mutate TARGET [ROUNDS [SEED]]  run a target on mutations of its seeds; SCOUTFS_SEED sets the seed, too
        fuzz corpus FOLDER                  write the seeds of all targets to FOLDER/TARGET/
        fuzz TARGET                         be the target of libFuzzer or AFL (instrument ScoutFs.Volume.dll first)
        """;

    private static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case ["list"]:
                foreach (var target in FuzzTargets.All)
                    Console.WriteLine($"{target.Name,-14} {target.What}");
                return 0;
            case ["corpus", var folder]:
                await WriteCorpusAsync(folder);
                return 0;
            case ["mutate", var name, .. var rest] when FuzzTargets.Find(name) is { } target:
                return await MutateAsync(target, rest);
            case [var name] when FuzzTargets.Find(name) is { } target:
                Serve(target);
                return 0;
            case [var name, .. var files] when FuzzTargets.Find(name) is { } target:
                foreach (string file in files)
                    await target.Run(await File.ReadAllBytesAsync(file));
                return 0;
            default:
                await Console.Error.WriteLineAsync(Usage);
                return 2;
        }
    }

    private static async Task WriteCorpusAsync(string folder)
    {
        foreach (var target in FuzzTargets.All)
        {
            string path = Path.Combine(folder, target.Name);
            _ = Directory.CreateDirectory(path);
            var seeds = await target.Seeds();
            for (int i = 0; i < seeds.Count; i++)
            {
                string name = i.ToString("d3", CultureInfo.InvariantCulture);
                await File.WriteAllBytesAsync(Path.Combine(path, name), seeds[i]);
            }
        }
    }

    private static async Task<int> MutateAsync(FuzzTarget target, string[] args)
    {
        int rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 10_000;
        string? given = args.Length > 1 ? args[1] : Environment.GetEnvironmentVariable("SCOUTFS_SEED");
        ulong seed = given is null ? (ulong)Stopwatch.GetTimestamp() : ulong.Parse(given, CultureInfo.InvariantCulture);
        Console.WriteLine($"{target.Name}: {rounds} rounds, SCOUTFS_SEED={seed}");
        byte[]? failure = await MutateAsync(target, await target.Seeds(), rounds, seed, Console.Error);
        if (failure is null)
            return 0;
        string path = $"{target.Name}-{Fnv1a.Hash64(failure):x16}";
        await File.WriteAllBytesAsync(path, failure);
        await Console.Error.WriteLineAsync($"The input is in {path}.");
        return 1;
    }

    /// <summary>Runs a target on its seeds and on mutations of them.</summary>
    /// <returns>The input that broke it, or null.</returns>
    internal static async Task<byte[]?> MutateAsync(
        FuzzTarget target, IReadOnlyList<byte[]> seeds, int rounds, ulong seed, TextWriter report)
    {
        var mutator = new FuzzMutator(new Prng(seed).Fork(target.Name));
        for (int round = 0; round < seeds.Count + rounds; round++)
        {
            byte[] input = round < seeds.Count ? seeds[round] : mutator.Next(seeds);
            try
            {
                await target.Run(input);
            }
            catch (Exception exception)
            {
                await report.WriteLineAsync($"{target.Name}, SCOUTFS_SEED={seed}, round {round}: {exception}");
                return input;
            }
        }

        return null;
    }

    private static void Serve(FuzzTarget target)
    {
        if (Environment.GetEnvironmentVariable("__LIBFUZZER_SHM_ID") is not null)
        {
            Fuzzer.LibFuzzer.Run(input => Wait(target.Run(input.ToArray())));
            return;
        }

        Fuzzer.OutOfProcess.Run((Stream input) =>
        {
            using var copy = new MemoryStream();
            input.CopyTo(copy);
            Wait(target.Run(copy.ToArray()));
        });
    }

    private static void Wait(Task task)
    {
#pragma warning disable VSTHRD002 // The engines call synchronously; there is no context that could deadlock.
        task.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }
}
