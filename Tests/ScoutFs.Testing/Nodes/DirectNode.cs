using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Leader;
using ScoutFs.Cluster.Locks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Testing.Nodes;

/// <summary>A mount and its leader in one process, without sessions between them: for tests of the engine.</summary>
public sealed class DirectNode : ILeader, ILockTransport, ILockServerPort, ILeaderPeers, IAsyncDisposable
{
    private readonly ulong _rid;
    private readonly Lock _lockServerLatch = new();
    private readonly Queue<Action> _deliveries = new();
    private readonly LockServer _lockServer;
    private LeaderServer _leader = null!;
    private bool _isDelivering;
    private ulong _nextId;

    private DirectNode(ulong rid)
    {
        _rid = rid;
        _lockServer = new LockServer(this);
    }

    /// <summary>The mount.</summary>
    public Mount Mount { get; private set; } = null!;

    /// <summary>Its operations.</summary>
    public FileSystem Fs => Mount.FileSystem;

    /// <summary>The leader.</summary>
    public LeaderServer Leader => _leader;

    /// <summary>Makes an empty volume in memory.</summary>
    /// <param name="metaBlocks">64 KiB blocks; less than 6 GiB count as low.</param>
    /// <param name="dataBlocks">4 KiB blocks.</param>
    public static async Task<(IBlockDevice Meta, IBlockDevice Data)> FormatAsync(
        ulong metaBlocks = 200_000, ulong dataBlocks = 3_000_000)
    {
        var meta = new MemoryBlockDevice("meta", (long)metaBlocks * FormatConstants.LargeBlockBytes);
        var data = new MemoryBlockDevice("data", (long)dataBlocks * FormatConstants.SmallBlockBytes);
        await FormatAsync(meta, data);
        return (meta, data);
    }

    /// <summary>Makes an empty volume.</summary>
    public static async Task FormatAsync(IBlockDevice meta, IBlockDevice data)
    {
        var request = new FormatRequest
        {
            Slots = [new QuorumSlot(0, 0x7f000001, 4000)],
            AllowSmall = true,
        };
        var plan = FormatPlan.Create(
            request, (ulong)meta.SizeBytes, (ulong)data.SizeBytes, new Prng(1), DateTimeOffset.UnixEpoch);
        await Formatter.FormatAsync(meta, data, plan, CancellationToken.None);
    }

    /// <summary>Starts leader and mount; mounts that are on record are taken back first.</summary>
    public static async Task<DirectNode> StartAsync(
        IBlockDevice meta,
        IBlockDevice data,
        ulong seed = 1,
        MountOptions? options = null,
        TimeProvider? time = null)
    {
        var prng = new Prng(seed);
        var node = new DirectNode(prng.NextUInt64() | 1);
        time ??= TimeProvider.System;
        var (error, leader, fault) = await LeaderServer.StartAsync(
            meta, data, seed, prng.Fork("leader"), node, new LeaderOptions(), time, CancellationToken.None);
        if (leader is null)
            throw new InvalidOperationException($"leader: {error} {fault}");
        node._leader = leader;
        foreach (ulong rid in leader.Recovery.PendingRids.ToArray())
            Require(await leader.ReclaimAsync(rid), "reclaim");
        Require(await leader.GreetAsync(node._rid, default, isMember: true, CancellationToken.None), "greet");
        var parts = new MountParts(meta, data, node, node, time, prng.Fork("mount"));
        node.Mount = new Mount(parts, leader.Super, options ?? new MountOptions());
        Require(await node.Mount.StartAsync(CancellationToken.None), "mount");
        return node;
    }

    /// <summary>Unmounts cleanly and stops.</summary>
    public async Task UnmountAsync()
    {
        Require(await Mount.UnmountAsync(), "unmount: " + Mount.Transaction.IsolationReason);
        Require(await _leader.FarewellAsync(_rid, CancellationToken.None), "farewell");
        await DisposeAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Mount.DisposeAsync();
        await _leader.StopAsync();
        _leader.Dispose();
    }

    /// <inheritdoc/>
    public ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(CancellationToken cancellationToken) =>
        _leader.GetLogTreesAsync(_rid, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitLogTreesAsync(LogTrees logTrees, CancellationToken cancellationToken) =>
        _leader.CommitLogTreesAsync(_rid, logTrees, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong count, CancellationToken cancellationToken) =>
        _leader.AllocateInodesAsync(_rid, count, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(CancellationToken cancellationToken) =>
        new(_leader.GetRoots(_rid));

    /// <inheritdoc/>
    public ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(CancellationToken cancellationToken) =>
        _leader.GetLastSeqAsync(_rid, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(CancellationToken cancellationToken) =>
        _leader.GetSrchCompactAsync(_rid, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitSrchCompactAsync(SrchCompact compact, CancellationToken cancellationToken) =>
        _leader.CommitSrchCompactAsync(_rid, compact, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(CancellationToken cancellationToken) =>
        _leader.GetLogMergeAsync(_rid, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitLogMergeAsync(LogMergeComplete complete, CancellationToken cancellationToken) =>
        _leader.CommitLogMergeAsync(_rid, complete, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireOpenInoMap Map)> OpenInoMapAsync(
        ulong group, CancellationToken cancellationToken) => new((FsError.None, default));

    /// <inheritdoc/>
    public ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(
        CancellationToken cancellationToken) => new(_leader.GetVolumeOptions(_rid));

    /// <inheritdoc/>
    public ValueTask<FsError> SetVolumeOptionsAsync(VolumeOptions options, CancellationToken cancellationToken) =>
        _leader.SetVolumeOptionsAsync(_rid, options, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ClearVolumeOptionsAsync(VolumeOptions options, CancellationToken cancellationToken) =>
        _leader.ClearVolumeOptionsAsync(_rid, options, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ResizeDevicesAsync(WireResize resize, CancellationToken cancellationToken) =>
        _leader.ResizeDevicesAsync(_rid, resize, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(CancellationToken cancellationToken) =>
        _leader.StatFsAsync(_rid, cancellationToken);

    /// <inheritdoc/>
    public void Request(in WireLock request)
    {
        lock (_lockServerLatch)
            _ = _lockServer.OnRequest(_rid, ++_nextId, request);
    }

    /// <inheritdoc/>
    public void AnswerInvalidation(ulong requestId, in WireLock answer)
    {
        lock (_lockServerLatch)
            _ = _lockServer.OnInvalidationAnswer(_rid, answer);
    }

    /// <inheritdoc/>
    public void AnswerRecovery(ulong requestId, ReadOnlySpan<WireLock> locks)
    {
    }

    /// <inheritdoc/>
    public ulong NextSeq() => _leader.NextSeq();

    /// <inheritdoc/>
    public void RaiseSeq(ulong seq) => _leader.RaiseSeq(seq);

    /// <inheritdoc/>
    public void SendGrant(ulong rid, ulong requestId, in WireLock grant)
    {
        var message = grant;
        Deliver(() => Mount.Locks.OnGrant(message));
    }

    /// <inheritdoc/>
    public void SendInvalidation(ulong rid, in WireLock request)
    {
        var message = request;
        Deliver(() => Mount.Locks.OnInvalidate(0, message));
    }

    /// <inheritdoc/>
    public void SendRecoverRequest(ulong rid, in ItemKey from)
    {
    }

    /// <inheritdoc/>
    public void RecoveryEnded(ulong rid, bool isLast)
    {
    }

    /// <inheritdoc/>
    public void DropLocks(ulong rid)
    {
        lock (_lockServerLatch)
            _lockServer.Reclaim(rid);
    }

    /// <inheritdoc/>
    public void DropOpenMap(ulong rid)
    {
    }

    /// <inheritdoc/>
    public void SendSyncLogTrees(ulong rid)
    {
    }

    private static void Require(FsError error, string what)
    {
        if (error != FsError.None)
            throw new InvalidOperationException($"{what}: {error}");
    }

    // One after the other, outside the caller's locks.
    private void Deliver(Action delivery)
    {
        lock (_deliveries)
        {
            _deliveries.Enqueue(delivery);
            if (_isDelivering)
                return;
            _isDelivering = true;
        }

        _ = PumpAsync();
    }

    private async Task PumpAsync()
    {
        await Task.Yield();
        while (true)
        {
            Action? delivery;
            lock (_deliveries)
            {
                if (!_deliveries.TryDequeue(out delivery))
                {
                    _isDelivering = false;
                    return;
                }
            }

            lock (Mount.Gate)
                delivery();
        }
    }
}
