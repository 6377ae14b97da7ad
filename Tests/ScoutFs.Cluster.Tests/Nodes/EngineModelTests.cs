using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Nodes;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Random operations on the engine, judged by the model after each; remounts and checks in between.</summary>
/// <remarks>Runs in a simulated world, so that a seed that fails fails again.</remarks>
internal sealed class EngineModelTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly MountOptions TinyCaches = new()
    {
        ItemCacheBytes = 1 << 20,
        BlockCacheBytes = 4 << 20,
        DataBufferBytes = 4 << 20,
    };

    private static IEnumerable<TestCaseData> Profiles =>
    [
        Case("Usual", WorkloadProfile.Usual, 6000),
        Case("BigDirectories", WorkloadProfile.BigDirectories, 6000),
        Case("DeepTrees", WorkloadProfile.DeepTrees, 4000),
        Case("Contents", WorkloadProfile.Contents, 1500),
        Case("Xattrs", WorkloadProfile.Xattrs, 2500),
        Case("Crash", WorkloadProfile.Crash, 4000),
    ];

    [TestCaseSource(nameof(Profiles))]
    public void RandomOperations_OneCaller_AreAsTheModelSays(WorkloadProfile profile, int operations)
    {
        var world = new World(Seed(profile.ToString()), new MountOptions());
        world.Run(() => OneCallerAsync(world, profile, operations));
    }

    [TestCaseSource(nameof(Profiles))]
    public void RandomOperations_TinyCachesAndSlowDisks_AreAsTheModelSays(WorkloadProfile profile, int operations)
    {
        var world = new World(Seed(profile.ToString()) + 1, TinyCaches, SimLatency.Usual);
        world.Run(() => OneCallerAsync(world, profile, operations / 2));
    }

    private static TestCaseData Case(string name, WorkloadProfile profile, int operations) =>
        new TestCaseData(profile, operations).SetArgDisplayNames(name);

    private static ulong Seed(string text) => NameHash.Compute(System.Text.Encoding.UTF8.GetBytes(text));

    private static async Task OneCallerAsync(World world, WorkloadProfile profile, int operations)
    {
        await world.FormatAsync();
        await world.MountAsync();
        var caller = await ModelCaller.StartAsync(
            world.Node.Fs, FormatConstants.RootIno, world.Prng.Fork("caller"), profile);
        var clock = Stopwatch.StartNew();
        const int Rounds = 4;
        for (int round = 0; round < Rounds; round++)
        {
            await caller.RunAsync(operations / Rounds, world.PauseAsync);
            await caller.CompareAsync();
            await caller.CloseAllAsync();
            await world.UnmountAsync();
            caller.Compare(await world.ReadAsync());
            await world.MountAsync();
            caller.Driver.Fs = world.Node.Fs;
            await caller.CompareAsync();
        }

        await world.UnmountAsync();
        await TestContext.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{caller.Done} operations, {caller.Done / clock.Elapsed.TotalSeconds:f0}/s, trace {world.TraceHash:x16}"));
    }

    private sealed class World
    {
        private readonly SimScheduler _scheduler;
        private readonly SimTime _time;
        private readonly SimDisk _meta;
        private readonly SimDisk _data;
        private readonly MountOptions _options;
        private ulong _mounts;

        public World(
            ulong seed,
            MountOptions options,
            SimLatency? latency = null,
            ulong metaBlocks = 200_000,
            ulong dataBlocks = 3_000_000)
        {
            Prng = new Prng(seed);
            _scheduler = new SimScheduler(Prng.Fork("order")) { MaxSteps = 3_000_000 };
            _time = new SimTime(_scheduler);
            var faults = new SimFaults(seed);
            _meta = new SimDisk(
                "meta", (long)metaBlocks * FormatConstants.LargeBlockBytes, faults, _scheduler, latency, seed);
            _data = new SimDisk(
                "data", (long)dataBlocks * FormatConstants.SmallBlockBytes, faults, _scheduler, latency, seed);
            _options = options;
        }

        public Prng Prng { get; }

        public DirectNode Node { get; private set; } = null!;

        public ulong TraceHash => _scheduler.TraceHash;

        public void Run(Func<Task> main) => _scheduler.Run(main);

        public async Task FormatAsync() => await DirectNode.FormatAsync(Open(_meta), Open(_data));

        public async Task MountAsync() => Node = await DirectNode.StartAsync(
            Open(_meta), Open(_data), Prng.NextUInt64() + ++_mounts, _options, _time);

        // Time goes on, others get their turn.
        public async Task PauseAsync() =>
            await Task.Delay(TimeSpan.FromTicks((long)Prng.NextUInt64(1_000_000)), _time);

        /// <summary>Unmounts cleanly; nothing may be wrong with the volume, nothing leaked.</summary>
        public async Task UnmountAsync()
        {
            await Node.UnmountAsync();
            var report = await VolumeChecker.CheckAsync(Open(_meta), Open(_data), new CheckOptions(), null, None);
            Assert.That(report.Findings.Select(static finding => finding.ToString()), Is.Empty);
        }

        public async Task<ModelState> ReadAsync()
        {
            using var volume = await OfflineVolume.OpenAsync(
                Open(_meta), Open(_data), OfflineVolume.DefaultCacheBytes, None);
            return await VolumeState.LoadAsync(volume, None);
        }

        private static SimDiskView Open(SimDisk disk) => disk.Open("node");
    }
}
