using System;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Nodes;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>A volume on simulated disks, mounted in a simulated world.</summary>
internal sealed class SimNode
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SimScheduler _scheduler;
    private readonly SimTime _time;
    private readonly SimDisk _meta;
    private readonly SimDisk _data;
    private readonly MountOptions _options;
    private ulong _mounts;

    public SimNode(
        ulong seed,
        MountOptions options,
        SimLatency? latency = null,
        ulong metaBlocks = 200_000,
        ulong dataBlocks = 3_000_000)
    {
        Prng = new Prng(seed);
        _scheduler = new SimScheduler(Prng.Fork("order")) { MaxSteps = 3_000_000 };
        _time = new SimTime(_scheduler);
        Faults = new SimFaults(seed);
        _meta = new SimDisk(
            "meta", (long)metaBlocks * FormatConstants.LargeBlockBytes, Faults, _scheduler, latency, seed);
        _data = new SimDisk(
            "data", (long)dataBlocks * FormatConstants.SmallBlockBytes, Faults, _scheduler, latency, seed);
        _options = options;
    }

    public Prng Prng { get; }

    /// <summary>Faults of both disks.</summary>
    public SimFaults Faults { get; }

    public TestNode Node { get; private set; } = null!;

    public ulong TraceHash => _scheduler.TraceHash;

    public void Run(Func<Task> main) => _scheduler.Run(main);

    public async Task FormatAsync() => await TestNode.FormatAsync(Open(_meta), Open(_data));

    public async Task MountAsync() => Node = await TestNode.StartAsync(
        Open(_meta), Open(_data), Prng.NextUInt64() + ++_mounts, _options, _time);

    /// <summary>Makes a file or directory in the root.</summary>
    public async Task<ulong> CreateAsync(string name, uint mode)
    {
        var (error, ino, _) = await Node.Fs.CreateAsync(
            FormatConstants.RootIno, ModelText.ToBytes(name), mode, 0, default, new Creator(0, 0, Node.Fs.Now), None);
        Assert.That(error, Is.EqualTo(FsError.None), name);
        return ino;
    }

    // Time goes on, others get their turn.
    public async Task PauseAsync() =>
        await Task.Delay(TimeSpan.FromTicks((long)Prng.NextUInt64(1_000_000)), _time);

    /// <summary>Lets some time pass.</summary>
    public async Task WaitAsync(TimeSpan time) => await Task.Delay(time, _time);

    /// <summary>Unmounts cleanly; nothing may be wrong with the volume, nothing leaked.</summary>
    public async Task UnmountAsync()
    {
        await Node.UnmountAsync();
        await MountedFixture.CheckAsync(Open(_meta), Open(_data));
    }

    /// <summary>Stops a node that was cut off; what it had committed must be sound.</summary>
    public async Task AbandonAsync()
    {
        await Node.DisposeAsync();
        await MountAsync();
        await UnmountAsync();
    }

    public async Task<ModelState> ReadAsync()
    {
        using var volume = await OfflineVolume.OpenAsync(
            Open(_meta), Open(_data), OfflineVolume.DefaultCacheBytes, None);
        return await VolumeState.LoadAsync(volume, None);
    }

    private static SimDiskView Open(SimDisk disk) => disk.Open("node");
}
