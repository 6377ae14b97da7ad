using System;
using System.Threading.Tasks;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>How the model is compared with a file system that never crashes.</summary>
public sealed record ModelOptions
{
    /// <summary>Operations of each caller.</summary>
    public int CountOperations { get; init; } = 1000;

    /// <summary>Callers at a time, each in a directory of its own.</summary>
    public int CountCallers { get; init; } = 1;

    /// <summary>What the work is like.</summary>
    public WorkloadProfile Profile { get; init; } = WorkloadProfile.Usual;

    /// <summary>The work is done in this many mounts, one after the other.</summary>
    public int CountMounts { get; init; } = 2;

    /// <summary>Speed of disks; null: they answer at once.</summary>
    public SimLatency? Latency { get; init; }
}

/// <summary>Works on a file system from several callers and compares every answer, then all that is left.</summary>
/// <remarks>Everything follows from the seed.</remarks>
public sealed class ModelMachine
{
    private const ulong IdsOfCaller = 1UL << 40;

    private readonly ICrashSubject _subject;
    private readonly ModelOptions _options;
    private EmptyVolume? _empty;

    /// <summary>Creates a machine for many runs.</summary>
    public ModelMachine(ICrashSubject subject, ModelOptions options)
    {
        _subject = subject;
        _options = options;
    }

    /// <summary>Runs one seed.</summary>
    public CrashResult Run(ulong seed)
    {
        _empty ??= new EmptyVolume(_subject);
        var world = _empty.Open(seed, _options.Latency);
        long done = 0;
        string? failure;
        try
        {
            failure = world.Scheduler.Run(async () =>
            {
                (string? difference, done) = await WorkAsync(world, new Prng(seed));
                return difference;
            });
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            failure = exception.ToString();
        }

        return new CrashResult
        {
            Seed = seed,
            CountOperations = done,
            TraceHash = world.Scheduler.TraceHash,
            Failure = failure,
        };
    }

    private async Task<(string? Failure, long Done)> WorkAsync(CrashWorld world, Prng prng)
    {
        var model = new ModelFs(_empty!.State);
        var target = await _subject.MountAsync(world);
        var runner = new FsRunner(target, model, () => world.Now);
        var workloads = new Workload[_options.CountCallers];
        for (int i = 0; i < workloads.Length; i++)
        {
            ulong home = ((ulong)i + 1) * IdsOfCaller;
            var make = new MakeOp(ModelState.RootId, $"caller{i}", home, 0x41ed, 0, 0);
            if (await runner.StepAsync(make) is { } failure)
                return (failure, runner.Done);
            workloads[i] = new Workload(prng.Fork($"work {i}"), _options.Profile, home, home + 1);
        }

        for (int mount = 0; mount < _options.CountMounts; mount++)
        {
            var callers = new Task<string?>[workloads.Length];
            for (int i = 0; i < callers.Length; i++)
                callers[i] = CallAsync(world, runner, model, workloads[i], prng.Fork($"pauses {i} {mount}"));
            foreach (var caller in callers)
            {
                if (await caller is { } failure)
                    return (failure, runner.Done);
            }

            if (mount + 1 < _options.CountMounts && await runner.StepAsync(new RemountOp()) is { } remount)
                return (remount, runner.Done);
        }

        await target.UnmountAsync();
        await target.DisposeAsync();
        _ = model.CloseAll();
        if (await _subject.CheckAsync(world) is { } damage)
            return (damage, runner.Done);
        var found = await _subject.ReadAsync(world);
        return (ModelComparison.Compare(model.State, found, ModelComparisonOptions.Exact).Difference, runner.Done);
    }

    private async Task<string?> CallAsync(
        CrashWorld world, FsRunner runner, ModelFs model, Workload workload, Prng pauses)
    {
        for (int i = 0; i < _options.CountOperations / _options.CountMounts; i++)
        {
            if (pauses.NextInt32(100) == 0)
                await Task.Delay(TimeSpan.FromMilliseconds(pauses.NextInt32(6000)), world.Time);
            if (await runner.StepAsync(workload.Next(model.State)) is { } difference)
                return difference;
        }

        return null;
    }
}
