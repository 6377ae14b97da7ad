using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Leader;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>A volume in memory, its leader and mounts that talk to it directly.</summary>
internal sealed class LeaderWorld : IAsyncDisposable, ILeaderPeers
{
    private readonly SimDisk? _metaDisk;
    private readonly SimDisk? _dataDisk;
    private readonly Prng _prng;
    private readonly TimeProvider _time;
    private readonly List<TestMount> _mounts = [];
    private LeaderServer? _leader;
    private ulong _term;

    private LeaderWorld(SimDisk metaDisk, SimDisk dataDisk, TimeProvider time, ulong seed)
        : this(metaDisk.Open("leader"), dataDisk.Open("leader"), time, seed)
    {
        _metaDisk = metaDisk;
        _dataDisk = dataDisk;
    }

    private LeaderWorld(IBlockDevice meta, IBlockDevice data, TimeProvider time, ulong seed)
    {
        Meta = meta;
        Data = data;
        _time = time;
        _prng = new Prng(seed);
    }

    public SimDisk MetaDisk => _metaDisk!;

    public SimDisk DataDisk => _dataDisk!;

    public SimFaults Faults => MetaDisk.Faults;

    public IBlockDevice Meta { get; }

    public IBlockDevice Data { get; }

    public Prng Prng => _prng;

    public LeaderServer Leader => _leader!;

    public LeaderOptions Options { get; set; } = new() { CacheBlocks = 256, LogMergeWait = TimeSpan.Zero };

    /// <summary>What the leader asked of others, in order: "locks 1f", "map 1f", "sync 1f".</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Runs when a mount is asked to commit.</summary>
    public Action<ulong>? OnSync { get; set; }

    /// <summary>A new volume and its first leader.</summary>
    /// <param name="metaBlocks">64 KiB blocks; below 6 GiB a volume counts as low.</param>
    /// <param name="dataBlocks">4 KiB blocks.</param>
    /// <param name="seed">Seed of everything.</param>
    /// <param name="members">Quorum slots.</param>
    /// <param name="growBlocks">64 KiB blocks that both devices have beyond the volume.</param>
    /// <param name="scheduler">World in which devices take time; null: they complete at once.</param>
    public static async Task<LeaderWorld> CreateAsync(
        ulong metaBlocks = 200_000,
        ulong dataBlocks = 3_000_000,
        ulong seed = 1,
        int members = 1,
        ulong growBlocks = 0,
        SimScheduler? scheduler = null)
    {
        long metaBytes = (long)metaBlocks * FormatConstants.LargeBlockBytes;
        long dataBytes = (long)dataBlocks * FormatConstants.SmallBlockBytes;
        long growBytes = (long)growBlocks * FormatConstants.LargeBlockBytes;
        var faults = new SimFaults(seed);
        SimLatency? latency = scheduler is null ? null : SimLatency.Usual;
        var meta = new SimDisk("meta", metaBytes + growBytes, faults, scheduler, latency, seed);
        var data = new SimDisk("data", dataBytes + growBytes, faults, scheduler, latency, seed);
        var request = new FormatRequest
        {
            Slots = [.. Enumerable.Range(0, members).Select(nr => new QuorumSlot(nr, 0x7f000001, (ushort)(4000 + nr)))],
            MetaLimitBytes = (ulong)metaBytes,
            DataLimitBytes = (ulong)dataBytes,
            AllowSmall = true,
        };
        var plan = FormatPlan.Create(
            request, (ulong)meta.SizeBytes, (ulong)data.SizeBytes, new Prng(seed), DateTimeOffset.UnixEpoch);
        TimeProvider time = scheduler is null ? TimeProvider.System : new SimTime(scheduler);
        var world = new LeaderWorld(meta, data, time, seed);
        await Formatter.FormatAsync(world.Meta, world.Data, plan, CancellationToken.None);
        await world.RestartAsync();
        return world;
    }

    /// <summary>A world without a leader yet, around disks that another world left.</summary>
    public static LeaderWorld Around(SimDisk meta, SimDisk data, ulong seed) =>
        new(meta, data, TimeProvider.System, seed);

    /// <summary>A world without a leader yet, around a volume that somebody else wrote.</summary>
    public static LeaderWorld Around(IBlockDevice meta, IBlockDevice data, ulong seed) =>
        new(meta, data, TimeProvider.System, seed);

    /// <summary>Another leader on the same devices; the old one, if any, stops wherever it is.</summary>
    public async Task RestartAsync(bool locksRecovered = true)
    {
        await StopAsync();
        _term++;
        var (error, leader, fault) = await LeaderServer.StartAsync(
            Meta,
            Data,
            _term,
            _prng.Fork($"leader {_term}"),
            this,
            Options,
            _time,
            CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
        _leader = leader!;
        foreach (ulong rid in _leader.Recovery.PendingRids)
        {
            Assert.That(_leader.TryRecognise(rid), Is.True);
            if (locksRecovered)
                _leader.OnLocksRecovered(rid);
        }
    }

    /// <summary>A mount that has greeted the leader.</summary>
    public async Task<TestMount> MountAsync(ulong rid, bool isMember = false)
    {
        var mount = new TestMount(Meta, Leader.Super, rid, _prng.Fork($"mount {rid}"));
        _mounts.Add(mount);
        await mount.GreetAsync(Leader, isMember);
        return mount;
    }

    /// <summary>The last log trees item of a mount as committed.</summary>
    public LogTrees LastLog(ulong rid) =>
        LeaderState.LastOfEach(Leader.Commit.Stable.Logs).Single(log => log.Rid == rid);

    /// <summary>Checks every invariant of the volume: no error, every block in one place.</summary>
    public async Task CheckAsync()
    {
        var report = await VolumeChecker.CheckAsync(
            Meta, Data, new CheckOptions { CacheBytes = 16 << 20 }, progress: null, CancellationToken.None);
        Assert.That(report.Findings.Where(finding => finding.Severity == FindingSeverity.Error), Is.Empty);
        Assert.That(report.ErrorCount, Is.Zero);
        Assert.That(report.NotChecked, Is.Empty);
    }

    /// <inheritdoc/>
    public void DropLocks(ulong rid) => Calls.Add($"locks {rid:x}");

    /// <inheritdoc/>
    public void DropOpenMap(ulong rid) => Calls.Add($"map {rid:x}");

    /// <inheritdoc/>
    public void SendSyncLogTrees(ulong rid)
    {
        Calls.Add($"sync {rid:x}");
        OnSync?.Invoke(rid);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var mount in _mounts)
            mount.Dispose();
        await StopAsync();
    }

    /// <summary>Stops the leader, if there is one.</summary>
    public async Task StopAsync()
    {
        if (_leader is null)
            return;
        await _leader.StopAsync();
        _leader.Dispose();
        _leader = null;
    }
}
