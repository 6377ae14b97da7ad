using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Nodes;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Random operations on the engine, judged by the model after each; remounts and checks in between.</summary>
/// <remarks>Runs in a simulated world, so that a seed that fails fails again.</remarks>
internal sealed class EngineModelTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    // Counts as low before long (cluster §4.3).
    private const ulong SmallMetaBlocks = 80_000;

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
        var world = new SimNode(Seed(profile.ToString()), new MountOptions());
        world.Run(() => OneCallerAsync(world, profile, operations));
    }

    [TestCaseSource(nameof(Profiles))]
    public void RandomOperations_TinyCachesAndSlowDisks_AreAsTheModelSays(WorkloadProfile profile, int operations)
    {
        var world = new SimNode(Seed(profile.ToString()) + 1, TinyCaches, SimLatency.Usual);
        world.Run(() => OneCallerAsync(world, profile, operations / 2));
    }

    [TestCase(1UL)]
    [TestCase(2UL)]
    [TestCase(3UL)]
    public void RandomOperations_SeveralCallers_AreAsEachModelSays(ulong seed)
    {
        var world = new SimNode(seed, TinyCaches, SimLatency.Usual);
        world.Run(() => SeveralCallersAsync(world, callers: 4, operations: 1000));
    }

    [Test]
    public void RandomOperations_FullDataDevice_RefuseCleanlyUntilSpaceComesBack()
    {
        var profile = WorkloadProfile.Contents with
        {
            MaxInodes = 200,
            NamesPerDirectory = 100,
            Make = 150,
            Write = 800,
        };
        var world = new SimNode(11, new MountOptions(), SimLatency.Usual, dataBlocks: 8192);
        world.Run(() => FullAsync(world, profile, 2500, comesBack: true));
    }

    [Test]
    public void RandomOperations_SmallMetadataDevice_RefuseCleanlyAndRemove()
    {
        var world = new SimNode(12, new MountOptions(), metaBlocks: SmallMetaBlocks);
        var profile = WorkloadProfile.Xattrs with { MaxInodes = 2000, Make = 300 };
        world.Run(() => FullAsync(world, profile, 3000, comesBack: false));
    }

    private static TestCaseData Case(string name, WorkloadProfile profile, int operations) =>
        new TestCaseData(profile, operations).SetArgDisplayNames(name);

    private static ulong Seed(string text) => NameHash.Compute(System.Text.Encoding.UTF8.GetBytes(text));

    private static async Task OneCallerAsync(SimNode world, WorkloadProfile profile, int operations)
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

    private static async Task SeveralCallersAsync(SimNode world, int callers, int operations)
    {
        await world.FormatAsync();
        await world.MountAsync();
        var all = new List<ModelCaller>();
        var profiles = new[] { WorkloadProfile.Usual, WorkloadProfile.Crash, WorkloadProfile.DeepTrees };
        for (int i = 0; i < callers; i++)
        {
            ulong home = await world.CreateAsync($"home{i}", FileMode.Directory | 0x1c0);
            all.Add(await ModelCaller.StartAsync(
                world.Node.Fs, home, world.Prng.Fork($"caller{i}"), profiles[i % profiles.Length]));
        }

        ulong shared = await world.CreateAsync("shared", FileMode.Directory | 0x1c0);
        for (int round = 0; round < 3; round++)
        {
            var running = all.ConvertAll(caller => caller.RunAsync(operations / 3, world.PauseAsync));
            for (int i = 0; i < callers; i++)
            {
                var rival = new SharedDirectoryCaller(world.Node.Fs, shared, world.Prng.Fork($"rival{round}.{i}"));
                running.Add(rival.RunAsync(operations / 3, world.PauseAsync));
            }

            await Task.WhenAll(running);
            await SharedDirectoryCaller.CheckAsync(world.Node.Fs, shared);
            foreach (var caller in all)
            {
                await caller.CompareAsync();
                await caller.CloseAllAsync();
            }

            Assert.That(await world.Node.Mount.Deletion.DrainAsync(), Is.EqualTo(FsError.None));
            Assert.That(world.Node.Mount.Locks.CountUsers(), Is.Zero);
            await world.UnmountAsync();
            await world.MountAsync();
            foreach (var caller in all)
                caller.Driver.Fs = world.Node.Fs;
        }

        await world.UnmountAsync();
    }

    private static async Task FullAsync(
        SimNode world, WorkloadProfile profile, int operations, bool comesBack)
    {
        await world.FormatAsync();
        await world.MountAsync();
        var caller = await ModelCaller.StartAsync(
            world.Node.Fs, FormatConstants.RootIno, world.Prng.Fork("caller"), profile);
        caller.MayBeFull = true;
        await caller.RunAsync(operations, world.PauseAsync);
        await TestContext.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"{caller.Refused} of {caller.Done} operations refused"));
        Assert.That(caller.Refused, Is.Positive);
        await caller.CompareAsync();
        await caller.CloseAllAsync();
        await world.UnmountAsync();
        caller.Compare(await world.ReadAsync());
        await world.MountAsync();
        caller.Driver.Fs = world.Node.Fs;
        long refused = caller.Refused;
        await caller.RemoveAllAsync();
        Assert.That(caller.Refused, Is.EqualTo(refused), "removing was refused");
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await world.Node.Mount.Deletion.DrainAsync(), Is.EqualTo(FsError.None));
            Assert.That(await world.Node.Fs.SyncAsync(None), Is.EqualTo(FsError.None));
        }

        // Metadata blocks come back when log trees are merged, which this node does not do.
        caller.MayBeFull = !comesBack;
        await caller.RunAsync(200, world.PauseAsync);
        await caller.CloseAllAsync();
        await world.UnmountAsync();
        caller.Compare(await world.ReadAsync());
    }
}
