using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing.Model;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Nodes;

/// <summary>How callers on threads work.</summary>
public sealed record ThreadsOptions
{
    /// <summary>Operations of a run, all callers together.</summary>
    public int CountOperations { get; init; } = 20_000;

    /// <summary>Callers at a time, each in a directory of its own.</summary>
    public int CountCallers { get; init; } = 4;

    /// <summary>The work is done in this many mounts, one after the other.</summary>
    public int CountMounts { get; init; } = 20;

    /// <summary>Called after each mount with the operations done so far.</summary>
    public Action<long> OnUnmounted { get; init; } = static _ => { };
}

/// <summary>Works on mounts from several threads, compares every answer with a model, and checks volumes.</summary>
/// <remarks>
/// What is drawn follows from the seed; how the threads meet does not. Everything else about concurrency is tried in
/// simulated worlds, where a failure repeats; this one is for what only threads can do to each other.
/// </remarks>
public sealed class ThreadsMachine(ThreadsOptions options)
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Runs one seed.</summary>
    public CrashResult Run(ulong seed)
    {
        long done = 0;
        string? failure = null;
        try
        {
#pragma warning disable VSTHRD002 // The work is on threads of the pool: none of it needs this one.
            Task.Run(() => WorkAsync(seed, count => done = count)).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            failure = exception.ToString();
        }

        return new CrashResult { Seed = seed, CountOperations = done, Failure = failure };
    }

    private static async Task<ModelCaller> MakeCallerAsync(FileSystem fs, int number, Prng prng)
    {
        byte[] name = ModelText.ToBytes(string.Create(CultureInfo.InvariantCulture, $"home{number}"));
        var (error, home, _) = await fs.CreateAsync(
            FormatConstants.RootIno, name, FileMode.Directory | 0x1c0, 0, default, new Creator(0, 0, fs.Now), None);
        if (error != FsError.None)
            throw new VolumeException(error, $"The directory of caller {number} cannot be made: {error}.");
        return await ModelCaller.StartAsync(
            fs, home, prng.Fork($"caller{number}"), number % 2 == 0 ? WorkloadProfile.Usual : WorkloadProfile.Crash);
    }

    private static async Task CheckAsync(IBlockDevice meta, IBlockDevice data)
    {
        var report = await VolumeChecker.CheckAsync(meta, data, new CheckOptions(), progress: null, None);
        if (report.Result != CheckResult.Clean)
            throw new VolumeException(FsError.Corrupt, $"The checker found: {string.Join("; ", report.Findings)}");
    }

    private static async Task CallAsync(ModelCaller[] callers, TestNode node, int countOperations)
    {
        try
        {
            await Task.WhenAll(callers.Select(caller => Task.Run(
                () => caller.RunAsync(countOperations, static () => Task.CompletedTask))));
        }
        catch (InvalidOperationException exception) when (node.IsolationReason.Length > 0)
        {
            throw new InvalidOperationException($"The mount was isolated: {node.IsolationReason}", exception);
        }
    }

    private async Task WorkAsync(ulong seed, Action<long> onDone)
    {
        var time = new StandingTime();
        var prng = new Prng(seed);
        var (meta, data) = await TestNode.FormatAsync();
        var node = await TestNode.StartAsync(meta, data, prng.NextUInt64(), time: time);
        var callers = new ModelCaller[options.CountCallers];
        for (int i = 0; i < callers.Length; i++)
            callers[i] = await MakeCallerAsync(node.Fs, i, prng);

        int part = options.CountOperations / callers.Length / options.CountMounts;
        for (int mount = 1; ; mount++)
        {
            await CallAsync(callers, node, part);
            foreach (var caller in callers)
            {
                await caller.CompareAsync();
                await caller.CloseAllAsync();
            }

            await node.UnmountAsync();
            await CheckAsync(meta, data);
            long done = callers.Sum(static caller => caller.Done);
            onDone(done);
            options.OnUnmounted(done);
            if (mount == options.CountMounts)
                return;
            time.GoOn();
            node = await TestNode.StartAsync(meta, data, prng.NextUInt64(), time: time);
            foreach (var caller in callers)
                caller.Driver.Fs = node.Fs;
        }
    }

    // Stands still, so that the model knows the time of an operation; timers are real.
    private sealed class StandingTime : TimeProvider
    {
        private long _ticks = DateTimeOffset.UnixEpoch.AddYears(60).UtcTicks;

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

        public void GoOn() => Interlocked.Add(ref _ticks, 12_345_678);
    }
}
