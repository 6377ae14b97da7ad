using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Items;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Quota;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Mounting;

/// <summary>What a mount stands on.</summary>
/// <param name="MetaDevice">Metadata device.</param>
/// <param name="DataDevice">Data device.</param>
/// <param name="Leader">Way to the leader.</param>
/// <param name="LockTransport">Way to the leader's lock service.</param>
/// <param name="Time">Clock.</param>
/// <param name="Prng">Randomness of the mount.</param>
public sealed record MountParts(
    IBlockDevice MetaDevice,
    IBlockDevice DataDevice,
    ILeader Leader,
    ILockTransport LockTransport,
    TimeProvider Time,
    Prng Prng);

/// <summary>One instance of the filesystem on a node: puts the engine's parts together (engine §11).</summary>
/// <remarks>
/// <para>All engine state is guarded by one gate. Operations are attempts under the gate (<see cref="IOperation"/>);
/// <see cref="FileSystem"/> is their surface.</para>
/// <para>Background work is a few async loops that end with the mount: the commit interval and the orphan scanner.
/// A broken invariant isolates the mount: nothing more is written, and the last committed state stands.</para>
/// </remarks>
public sealed class Mount : ILockInvalidation, IAsyncDisposable
{
    private readonly MountParts _parts;
    private readonly MountOptions _options;
    private readonly Lock _gate = new();
    private readonly BlockCache _cache;
    private readonly ItemCache _items = new();
    private readonly DataBuffers _buffers;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _loops = [];
    private bool _isUnmounted;

    /// <summary>Puts a mount together; nothing is read or sent yet.</summary>
    /// <param name="parts">What it stands on.</param>
    /// <param name="super">A verified super block of the volume.</param>
    /// <param name="options">Valid options.</param>
    public Mount(MountParts parts, in SuperBlock super, MountOptions options)
    {
        _parts = parts;
        _options = options;
        var facts = new VolumeFacts(super.Header.Fsid, super.FormatVersion);
        int blocks = (int)(options.BlockCacheBytes / FormatConstants.LargeBlockBytes);
        _cache = new BlockCache(parts.MetaDevice, blocks, facts.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
        Runner = new OperationRunner(facts, _gate, _items, _cache, parts.Leader, options.ItemCacheBytes);
        Locks = new LockClient(_gate, parts.LockTransport, this, options.LockIdleCount);
        _buffers = new DataBuffers(_gate, parts.DataDevice, options.DataBufferBytes);
        Transaction = new Transaction(
            _gate, _items, _cache, parts.MetaDevice, parts.Leader, _buffers, parts.Time, parts.Prng.Fork("blocks"));
        Runner.Locks = Locks;
        Runner.Transaction = Transaction;
        Transaction.OnIsolated = OnIsolated;
        Data = new DataPort(Runner, _buffers, options.Policy);
        Weak = new WeakReader(parts.MetaDevice, _cache, parts.Time);
        Quota = new QuotaCheck(_gate, Weak, parts.Time);
        Runner.Quota = Quota;
        DirectoryNumbers = new InodeNumbers(_gate, parts.Leader, options.InoAllocPerLock);
        FileNumbers = new InodeNumbers(_gate, parts.Leader, options.InoAllocPerLock);
        OpenInodes = new OpenInodes(_gate);
        Deletion = new InodeDeletion(this, parts.Leader);
        FileSystem = new FileSystem(this, parts.DataDevice, parts.Time);
    }

    /// <summary>The filesystem's operations.</summary>
    public FileSystem FileSystem { get; }

    /// <summary>Locks of the mount; also where the session delivers lock messages, under <see cref="Gate"/>.</summary>
    public LockClient Locks { get; }

    /// <summary>The mount's gate.</summary>
    public Lock Gate => _gate;

    /// <summary>The mount's transaction.</summary>
    public Transaction Transaction { get; }

    /// <summary>Inodes that are in use here.</summary>
    public OpenInodes OpenInodes { get; }

    /// <summary>Deletion of inodes without links.</summary>
    public InodeDeletion Deletion { get; }

    /// <summary>Cache of metadata blocks.</summary>
    public BlockCache Cache => _cache;

    /// <summary>Called when the mount is isolated.</summary>
    public Action<string>? Isolated { get; set; }

    /// <summary>Runs operations.</summary>
    internal OperationRunner Runner { get; }

    /// <summary>The data side.</summary>
    internal DataPort Data { get; }

    /// <summary>Reads without locks.</summary>
    internal WeakReader Weak { get; }

    /// <summary>Quota rules.</summary>
    internal QuotaCheck Quota { get; }

    /// <summary>Numbers for directories.</summary>
    internal InodeNumbers DirectoryNumbers { get; }

    /// <summary>Numbers for everything else.</summary>
    internal InodeNumbers FileNumbers { get; }

    /// <summary>The way to the leader.</summary>
    internal ILeader Leader => _parts.Leader;

    /// <summary>Opens the first transaction, reads the root inode and starts the background loops.</summary>
    /// <returns>None; Cancelled, Isolated, NoSpace, Corrupt when there is no root inode, Io.</returns>
    public async ValueTask<FsError> StartAsync(CancellationToken cancellationToken)
    {
        var error = await Transaction.OpenAsync(cancellationToken);
        if (error != FsError.None)
            return error;
        var (rootError, _) = await FileSystem.GetAttributesAsync(FormatConstants.RootIno, cancellationToken);
        if (rootError != FsError.None)
            return rootError == FsError.NotFound ? FsError.Corrupt : rootError;
        _loops.Add(CommitLoopAsync());
        _loops.Add(OrphanLoopAsync());
        var work = new LeaderWork(
            _parts.MetaDevice, _cache, _parts.Leader, _parts.Time, _parts.Prng.Fork("work"),
            _options.SrchCompactDelay);
        AddLoop(work.MergeAsync);
        AddLoop(work.CompactAsync);
        return FsError.None;
    }

    /// <summary>Adds background work of the node that ends with the mount, before its last commit.</summary>
    /// <param name="loop">Ends soon after its token is cancelled.</param>
    public void AddLoop(Func<CancellationToken, Task> loop) => _loops.Add(loop(_stop.Token));

    /// <summary>The leader wants this mount's transaction to end soon.</summary>
    public void OnSyncLogTrees()
    {
        if (!_isUnmounted)
            _ = Transaction.CommitAsync(CancellationToken.None).AsTask();
    }

    /// <summary>Which inodes of a group are in use here.</summary>
    public void ReadOpenInodes(ulong group, Span<byte> bits) => OpenInodes.Read(group, bits);

    /// <summary>Ends background work and commits; the caller then sends the farewell (engine §11.5).</summary>
    /// <returns>None, or Isolated when the last changes could not be committed.</returns>
    public async ValueTask<FsError> UnmountAsync()
    {
        if (_isUnmounted)
            return FsError.None;
        CancelLoops();
        await Task.WhenAll(_loops);
        var error = await Transaction.CommitAsync(CancellationToken.None);
        if (error == FsError.None)
            error = await Deletion.DrainAsync();
        lock (_gate)
            Locks.ShutDown();
        if (error == FsError.None)
            error = await Transaction.CommitAsync(CancellationToken.None);
        _isUnmounted = true;
        return error;
    }

    /// <summary>Cuts the mount off at once; nothing more is written (engine §11.6).</summary>
    public void Isolate(string reason) => Transaction.Isolate(reason);

    /// <inheritdoc/>
    public async ValueTask InvalidateAsync(ClusterLock clusterLock, LockMode from, LockMode to)
    {
        bool mustCommit;
        lock (_gate)
            mustCommit = from != LockMode.Read && clusterLock.DirtyTransSeq == Transaction.TransSeq;
        if (mustCommit)
            _ = await Transaction.SyncAsync(CancellationToken.None);
        if (from == LockMode.Write && to == LockMode.Read)
            return;
        lock (_gate)
        {
            if (Transaction.IsIsolated)
                return;
            var range = clusterLock.Range;
            _items.Invalidate(range.Start, range.End);

            // Whoever gets the lock next may be staging what operations here wait for.
            if (range.Start.Zone == KeyZone.Fs)
                Data.Waiters.Wake(range.Start.First, range.End.First);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_isUnmounted)
        {
            Isolate("The mount was closed without being unmounted.");
            CancelLoops();
            await Task.WhenAll(_loops);
        }

        await Deletion.StopAsync();
        await Transaction.StopAsync();
        Transaction.Dispose();
        Data.Dispose();
        Weak.Dispose();
        FileSystem.Dispose();
        _cache.Dispose();
        _stop.Dispose();
    }

    // Here and now: the asynchronous way would go to a thread of the pool.
    private void CancelLoops()
    {
#pragma warning disable VSTHRD103, CA1849 // See above; nothing blocks.
        _stop.Cancel();
#pragma warning restore VSTHRD103, CA1849
    }

    private void OnIsolated()
    {
        lock (_gate)
        {
            Locks.Isolate();
            Data.Waiters.FailAll(FsError.Isolated);
        }

        Isolated?.Invoke(Transaction.IsolationReason);
    }

    // Also without changes: leaders and agents wait for old transactions to end (engine §5.3).
    private async Task CommitLoopAsync()
    {
        while (await DelayAsync(_options.CommitInterval))
            _ = await Transaction.CommitAsync(CancellationToken.None);
    }

    private async Task OrphanLoopAsync()
    {
        var prng = _parts.Prng.Fork("orphans");
        while (true)
        {
            // ± 20 %, so that mounts do not march in step.
            double factor = 0.8 + (prng.NextInt32(401) / 1000.0);
            if (!await DelayAsync(_options.OrphanScanDelay * factor))
                return;
            await Deletion.ScanOrphansAsync(_cache, _stop.Token);
        }
    }

    private async Task<bool> DelayAsync(TimeSpan delay)
    {
        try
        {
            await Task.Delay(delay, _parts.Time, _stop.Token);
            return !Transaction.IsIsolated;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
