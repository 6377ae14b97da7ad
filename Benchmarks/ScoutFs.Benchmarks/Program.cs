using System.Linq;
using System.Threading.Tasks;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Perfolizer.Horology;

namespace ScoutFs.Benchmarks;

/// <summary>Runs the benchmarks named on the command line; Benchmarks/README.md says how.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        switch (args.FirstOrDefault())
        {
            case EndToEnd.Verb: return await EndToEnd.RunAsync(args[1..]);
            case EngineRates.Verb: return await EngineRates.RunAsync(args[1..]);
            case EngineCurve.Verb: return await EngineCurve.RunAsync(args[1..]);
            case EngineOnDisk.Verb: return await EngineOnDisk.RunAsync(args[1..]);
        }

        bool allRan = true;
        foreach (var summary in BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, MakeConfig()))
            allRan &= !summary.HasCriticalValidationErrors;
        return allRan ? 0 : 1;
    }

    /// <summary>Short iterations, allocations shown: what every benchmark here needs.</summary>
    /// <remarks>Each benchmark runs in a process of its own; Benchmarks/README.md says why it stays so.</remarks>
    private static ManualConfig MakeConfig() => ManualConfig.Create(DefaultConfig.Instance)
        .AddJob(Job.Default
            .WithIterationTime(TimeInterval.FromMilliseconds(250))
            .WithWarmupCount(4)
            .WithMaxIterationCount(20)
            .AsDefault())
        .AddDiagnoser(MemoryDiagnoser.Default)
        .WithSummaryStyle(SummaryStyle.Default.WithRatioStyle(RatioStyle.Value));
}
