using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Recovery;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>The elected leader of a volume: owner of the super block and of everything it roots (cluster §4).</summary>
/// <remarks>
/// <para>One instance a term. Start it after every earlier leader is fenced, stop it before the end of the term is
/// recorded. Requests mean what <c>ILeader</c> of the engine says, with the mount's rid in front; every one may be made
/// again by a mount that did not hear the answer, here or at a successor (cluster §5).</para>
/// <para>Any thread may call, any number of requests at a time; changes are made one after the other and committed
/// together (<see cref="LeaderCommit"/>). Isolated as an answer means that this leader stops, or that the mount is none
/// any more: nothing was promised, and the session must end.</para>
/// </remarks>
public sealed class LeaderServer : ILeaderRequests, IDisposable
{
    // Constant after construction.
    private readonly IBlockDevice _meta;
    private readonly IBlockDevice _data;
    private readonly LeaderCommit _commit;
    private readonly LogMergeStart _mergeStart;
    private readonly LogTreesService _logTrees;
    private readonly MountedClients _clients;
    private readonly LogFreeing _logFreeing;
    private readonly LogMergeCoordinator _logMerge;
    private readonly SrchCoordinator _srch;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private LeaderServer(
        IBlockDevice meta,
        IBlockDevice data,
        ulong term,
        LeaderCommit commit,
        ILeaderPeers peers,
        LeaderOptions options,
        TimeProvider time)
    {
        _meta = meta;
        _data = data;
        Term = term;
        _commit = commit;
        Recovery = new RecoveryTracker(commit.Stable.Clients.Keys);
        _mergeStart = new LogMergeStart(peers, options, time);
        _logTrees = new LogTreesService(commit, _mergeStart);
        _clients = new MountedClients(commit, peers, Recovery, options, time);
        _logFreeing = new LogFreeing(commit, options, time);
        _logMerge = new LogMergeCoordinator(commit, _logFreeing);
        _srch = new SrchCoordinator(commit);
        _clients.AddJobs(_srch);
        _clients.AddJobs(_logMerge);
    }

    /// <summary>The term it was elected for.</summary>
    public ulong Term { get; }

    /// <summary>Which mounts of the previous leader are still missing.</summary>
    public RecoveryTracker Recovery { get; }

    /// <summary>Completes when a bug was found in the middle of something: the leader answers Isolated to everybody and
    /// must be stopped.</summary>
    public Task Broken => _commit.Broken;

    /// <summary>What was wrong, after the last error that came from damage.</summary>
    public Corruption Fault => _commit.Fault;

    /// <summary>The super block of the last commit.</summary>
    public SuperBlock Super => _commit.Stable.Super;

    /// <summary>Transactions over the leader's trees, for the coordinators beside it.</summary>
    internal LeaderCommit Commit => _commit;

    /// <summary>When log merges start.</summary>
    internal LogMergeStart MergeStart => _mergeStart;

    /// <summary>Frees what merges leave behind.</summary>
    internal LogFreeing LogFreeing => _logFreeing;

    /// <summary>Reads the volume and takes over (cluster §4.1, steps 3 to 6).</summary>
    /// <param name="meta">Metadata device; stays the caller's.</param>
    /// <param name="data">Data device; only its size is looked at.</param>
    /// <param name="term">The term it was elected for.</param>
    /// <param name="prng">Source of block seqs.</param>
    /// <param name="peers">Sessions and lock server.</param>
    /// <param name="options">Limits and waits.</param>
    /// <param name="time">Time for waits.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None and the leader; or why the volume cannot be led, with the damage.</returns>
    public static async ValueTask<(FsError Error, LeaderServer? Leader, Corruption Fault)> StartAsync(
        IBlockDevice meta,
        IBlockDevice data,
        ulong term,
        Prng prng,
        ILeaderPeers peers,
        LeaderOptions options,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var (error, super, fault) = await ReadSuperAsync(meta, cancellationToken);
        if (error != FsError.None)
            return (error, null, fault);
        if (super.TotalMetaBlocks > (ulong)meta.SizeBytes / FormatConstants.LargeBlockBytes
            || super.TotalDataBlocks > (ulong)data.SizeBytes / FormatConstants.SmallBlockBytes)
        {
            return (FsError.TooSmall, null, default);
        }

        var cache = new BlockCache(
            meta, options.CacheBlocks, super.Header.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
        (error, var state, ulong seq, fault) = await LoadAsync(cache, super, cancellationToken);
        if (state is null)
        {
            cache.Dispose();
            return (error, null, fault);
        }

        var writer = new BlockWriter(meta, options.DirtyBlocks, super.Header.Fsid, prng.Fork("leader blocks"));
        var commit = new LeaderCommit(meta, cache, writer, state, seq);
        var leader = new LeaderServer(meta, data, term, commit, peers, options, time);
        leader._logFreeing.Start();
        return (FsError.None, leader, default);
    }

    /// <summary>Stops: uncommitted changes are dropped, whoever waits gets Isolated (cluster §4.2).</summary>
    /// <remarks>Nothing is written any more once it has completed. Once.</remarks>
    public async ValueTask StopAsync()
    {
        Invariant.Require(_stopped.TrySetResult());
        _clients.Stop();
        await _commit.StopAsync();
    }

    /// <summary>Frees the memory of a leader that has stopped.</summary>
    public void Dispose() => _commit.Dispose();

    /// <summary>Gives out a seq: for a write grant of the lock server (cluster §6).</summary>
    public ulong NextSeq() => _commit.NextSeq();

    /// <summary>Makes later seqs greater than one that an earlier leader gave to a mount (cluster §6.1).</summary>
    public void RaiseSeq(ulong seq) => _commit.RaiseSeq(seq);

    /// <summary>First contact of a mount with any leader: it is recorded, durably, before this answers.</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="address">Where it comes from.</param>
    /// <param name="isMember">It is a quorum member.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>None, also when it is recorded already; Invalid for a rid that cannot be; NoSpace; or a device's
    /// error.</returns>
    public ValueTask<FsError> GreetAsync(
        ulong rid, InetAddress address, bool isMember, CancellationToken cancellationToken) =>
        _clients.GreetAsync(rid, address, isMember, cancellationToken);

    /// <summary>A mount that another leader, or this one, has met before.</summary>
    /// <returns>False: it was fenced and reclaimed; refuse it, unless it only wants to hear that (DEV-10).</returns>
    public bool TryRecognise(ulong rid)
    {
        if (!_commit.Stable.Clients.ContainsKey(rid))
            return false;
        _ = Recovery.OnGreeted(rid);
        return true;
    }

    /// <summary>A mount has sent all its locks: farewells that waited for that may go on.</summary>
    public void OnLocksRecovered(ulong rid)
    {
        Recovery.OnLocksRecovered(rid);
        _clients.Evaluate();
    }

    /// <inheritdoc/>
    public ValueTask<FsError> FarewellAsync(ulong rid, CancellationToken cancellationToken) =>
        _clients.LeaveAsync(rid, cancellationToken);

    /// <summary>Takes back everything of a mount that can provably write no more (cluster §4.6); idempotent.</summary>
    /// <returns>None once it is durable; NoSpace, Isolated, or a device's or damage's error.</returns>
    public ValueTask<FsError> ReclaimAsync(ulong rid) => _clients.ReclaimAsync(rid);

    /// <inheritdoc/>
    public async ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(
        ulong rid, CancellationToken cancellationToken)
    {
        var error = await WaitForLocksAsync(cancellationToken);
        return error == FsError.None ? await _logTrees.GetAsync(rid, cancellationToken) : (error, default);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> CommitLogTreesAsync(
        ulong rid, LogTrees logTrees, CancellationToken cancellationToken) =>
        _logTrees.CommitAsync(rid, logTrees, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong rid, ulong count, CancellationToken cancellationToken) =>
        InodeNumbers.AllocateAsync(_commit, count, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(ulong rid, CancellationToken cancellationToken)
    {
        var super = _commit.Stable.Super;
        var roots = new WireRoots { FsRoot = super.FsRoot, LogsRoot = super.LogsRoot, SrchRoot = super.SrchRoot };
        return new((FsError.None, roots));
    }

    /// <inheritdoc/>
    public ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(ulong rid, CancellationToken cancellationToken) =>
        _logTrees.GetLastSeqAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(
        ulong rid, CancellationToken cancellationToken) => new((FsError.None, _commit.Stable.Super.VolumeOptions));

    /// <inheritdoc/>
    public ValueTask<FsError> SetVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken) =>
        VolumeOptionsService.SetAsync(_commit, options, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ClearVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken) =>
        VolumeOptionsService.ClearAsync(_commit, options, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(
        ulong rid, CancellationToken cancellationToken) => _logMerge.GetAsync(rid, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitLogMergeAsync(
        ulong rid, LogMergeComplete complete, CancellationToken cancellationToken) =>
        _logMerge.CommitAsync(rid, complete, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(
        ulong rid, CancellationToken cancellationToken) => _srch.GetAsync(rid, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitSrchCompactAsync(
        ulong rid, SrchCompact compact, CancellationToken cancellationToken) =>
        _srch.CommitAsync(rid, compact, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ResizeDevicesAsync(
        ulong rid, WireResize resize, CancellationToken cancellationToken) =>
        DeviceSizes.GrowAsync(_commit, _meta, _data, resize, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(
        ulong rid, CancellationToken cancellationToken) => FreeCounts.SumAsync(_commit, cancellationToken);

    /// <summary>Adds a coordinator whose items of a mount are reclaimed; before the leader serves.</summary>
    internal void AddJobs(ILeaderJobs jobs) => _clients.AddJobs(jobs);

    private static async ValueTask<(FsError Error, SuperBlock Super, Corruption Fault)> ReadSuperAsync(
        IBlockDevice meta, CancellationToken cancellationToken)
    {
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        try
        {
            var error = await SmallBlocks.ReadAsync(
                meta, FormatConstants.SuperBlkno, block.Memory, cancellationToken);
            if (error != FsError.None)
                return (error, default, default);
            var bytes = block.GetSpan()[..FormatConstants.SmallBlockBytes];
            var fault = SmallBlocks.Verify(bytes, BlockMagic.Super, FormatConstants.SuperBlkno, 0);
            return (fault.IsFound ? FsError.Corrupt : FsError.None, Disk.Ref<SuperBlock>(bytes), fault);
        }
        finally
        {
            pool.Return(block);
        }
    }

    private static async ValueTask<(FsError Error, LeaderState? State, ulong Seq, Corruption Fault)> LoadAsync(
        BlockCache cache, SuperBlock super, CancellationToken cancellationToken)
    {
        var logs = LeaderState.NewTable<LogTreesKey, LogTrees>().ToBuilder();
        var clients = LeaderState.NewTable<ulong, MountedClient>().ToBuilder();
        ulong seq = super.Seq;
        using var cursor = new BtreeCursor(cache);
        cursor.SetRoot(super.LogsRoot);
        var status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(cancellationToken))
        {
            if (cursor.Value.Length != Disk.SizeOf<LogTrees>())
                return Refuse(cursor);
            var log = Disk.Ref<LogTrees>(cursor.Value);
            if (cursor.Key != Keys.LogTrees(log.Rid, log.Nr) || log.Nr == 0)
                return Refuse(cursor);
            logs.Add(new LogTreesKey(log.Rid, log.Nr), log);
            seq = Math.Max(seq, log.MaxItemSeq);
        }

        if (status == BtreeStatus.Corrupt)
            return (cursor.Error, null, 0, cursor.Fault);
        cursor.SetRoot(super.MountedClients);
        status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(cancellationToken))
        {
            if (cursor.Value.Length != Disk.SizeOf<MountedClient>()
                || cursor.Key != Keys.MountedClient(cursor.Key.First))
            {
                return Refuse(cursor);
            }

            clients.Add(cursor.Key.First, Disk.Ref<MountedClient>(cursor.Value));
        }

        return status == BtreeStatus.Corrupt
            ? (cursor.Error, null, 0, cursor.Fault)
            : (FsError.None, new LeaderState(super, logs.ToImmutable(), clients.ToImmutable()), seq, default);
    }

    private static (FsError Error, LeaderState? State, ulong Seq, Corruption Fault) Refuse(BtreeCursor cursor) => (
        FsError.Corrupt, null, 0, new Corruption(CorruptionSite.LeaderItemKey, cursor.LeafBlkno, 0, cursor.Key.First));

    private async ValueTask<FsError> WaitForLocksAsync(CancellationToken cancellationToken)
    {
        if (Recovery.LocksRecovered.IsCompleted)
            return FsError.None;
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = cancellationToken.UnsafeRegister(
            static state => ((TaskCompletionSource)state!).TrySetResult(), cancelled);
        var first = await Task.WhenAny(Recovery.LocksRecovered, _stopped.Task, cancelled.Task);
        if (first == _stopped.Task)
            return FsError.Isolated;
        return first == cancelled.Task ? FsError.Cancelled : FsError.None;
    }
}
