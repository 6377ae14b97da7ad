using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Leader;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>A volume in memory, its leader and mounts that talk to it directly.</summary>
internal sealed class LeaderWorld : IAsyncDisposable, ILeaderPeers
{
    private readonly Prng _prng;
    private readonly List<TestMount> _mounts = [];
    private LeaderServer? _leader;
    private ulong _term;

    private LeaderWorld(IBlockDevice meta, IBlockDevice data, ulong seed)
    {
        Meta = meta;
        Data = data;
        _prng = new Prng(seed);
    }

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
    /// <param name="deviceBlocks">64 KiB blocks of the device, when larger.</param>
    /// <param name="wrap">Puts something in front of the metadata device.</param>
    public static async Task<LeaderWorld> CreateAsync(
        ulong metaBlocks = 200_000,
        ulong dataBlocks = 3_000_000,
        ulong seed = 1,
        int members = 1,
        ulong deviceBlocks = 0,
        Func<IBlockDevice, IBlockDevice>? wrap = null)
    {
        long metaBytes = (long)metaBlocks * FormatConstants.LargeBlockBytes;
        long deviceBytes = Math.Max(metaBytes, (long)deviceBlocks * FormatConstants.LargeBlockBytes);
        long dataBytes = (long)dataBlocks * FormatConstants.SmallBlockBytes;
        var meta = new MemoryBlockDevice("meta", deviceBytes);
        var data = new MemoryBlockDevice("data", Math.Max(dataBytes, deviceBytes));
        var request = new FormatRequest
        {
            Slots = [.. Enumerable.Range(0, members).Select(nr => new QuorumSlot(nr, 0x7f000001, (ushort)(4000 + nr)))],
            MetaLimitBytes = (ulong)metaBytes,
            DataLimitBytes = (ulong)dataBytes,
            AllowSmall = true,
        };
        var plan = FormatPlan.Create(
            request, (ulong)deviceBytes, (ulong)data.SizeBytes, new Prng(seed), DateTimeOffset.UnixEpoch);
        await Formatter.FormatAsync(meta, data, plan, CancellationToken.None);
        var world = new LeaderWorld(wrap is null ? meta : wrap(meta), data, seed);
        await world.RestartAsync();
        return world;
    }

    /// <summary>Another leader on the same devices; the old one, if any, stops wherever it is.</summary>
    public async Task RestartAsync(bool locksRecovered = true)
    {
        if (_leader is not null)
            await _leader.DisposeAsync();
        _term++;
        var (error, leader, fault) = await LeaderServer.StartAsync(
            Meta,
            Data,
            _term,
            _prng.Fork($"leader {_term}"),
            this,
            Options,
            TimeProvider.System,
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
        if (_leader is not null)
            await _leader.DisposeAsync();
    }
}
