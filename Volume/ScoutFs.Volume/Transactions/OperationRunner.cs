using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Items;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>Runs operations: attempts under the gate, waits between them without it.</summary>
/// <remarks>Any number of operations may run at a time, from any threads. An operation whose attempt succeeds at once
/// allocates nothing and completes synchronously.</remarks>
public sealed class OperationRunner
{
    // Pages of the item cache looked at after an operation, more than one can add.
    private const int ShrinkSteps = 16;

    private readonly BlockCache _cache;
    private readonly ILeader _leader;
    private readonly Stack<OperationContext> _contexts = new();
    private readonly Stack<(LeafReader Reader, ItemBatch Batch)> _readers = new();

    // Guarded by Gate: roots, and the state of the mount that they are known to include.
    private WireRoots _roots;
    private ulong _rootsGrantStamp;
    private ulong _rootsCommitStamp;
    private bool _hasRoots;

    /// <summary>Creates a runner; <see cref="Transaction"/> and <see cref="Locks"/> are set before the first
    /// operation.</summary>
    /// <param name="volume">The mounted volume.</param>
    /// <param name="gate">The mount's gate.</param>
    /// <param name="items">The item cache.</param>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="leader">The leader.</param>
    /// <param name="itemBytes">Memory for clean items, in bytes.</param>
    public OperationRunner(
        VolumeFacts volume, Lock gate, ItemCache items, BlockCache cache, ILeader leader, long itemBytes)
    {
        Volume = volume;
        Gate = gate;
        Items = items;
        _cache = cache;
        _leader = leader;
        ItemBytes = itemBytes;
    }

    /// <summary>The mounted volume.</summary>
    public VolumeFacts Volume { get; }

    /// <summary>The mount's gate: guards all state of the engine; never held across a wait.</summary>
    public Lock Gate { get; }

    /// <summary>The item cache.</summary>
    public ItemCache Items { get; }

    /// <summary>The mount's locks.</summary>
    public LockClient Locks { get; set; } = null!;

    /// <summary>The mount's transaction.</summary>
    public Transaction Transaction { get; set; } = null!;

    /// <summary>Quota rules of the volume; null where none are enforced.</summary>
    public IQuotaCheck? Quota { get; set; }

    /// <summary>Memory for clean items, in bytes.</summary>
    public long ItemBytes { get; }

    /// <summary>Runs an operation.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <param name="borrowed">A lock that the caller uses for writing, and goes on to use.</param>
    /// <returns>The operation's own error, or that of a wait which failed, and the operation.</returns>
    public ValueTask<(FsError Error, T Operation)> RunAsync<T>(
        T operation, CancellationToken cancellationToken, ClusterLock? borrowed = null)
        where T : struct, IOperation
    {
        OperationContext context;
        lock (Gate)
        {
            if (!_contexts.TryPop(out context!))
                context = new OperationContext(this);
            context.Begin(borrowed);
            if (!Transaction.IsIsolated && operation.Attempt(context))
            {
                context.Finish();
                _contexts.Push(context);
                Items.Shrink(ItemBytes, ShrinkSteps);
                return new((operation.Error, operation));
            }

            context.Pause();
        }

        return RunSlowAsync(operation, context, cancellationToken);
    }

    private async ValueTask<(FsError Error, T Operation)> RunSlowAsync<T>(
        T operation, OperationContext context, CancellationToken cancellationToken)
        where T : struct, IOperation
    {
        while (true)
        {
            var error = Transaction.IsIsolated ? FsError.Isolated : await context.ResolveAsync(cancellationToken);
            lock (Gate)
            {
                context.Resume();
                if (error == FsError.None && Transaction.IsIsolated)
                    error = FsError.Isolated;
                bool isDone = error != FsError.None || operation.Attempt(context);
                if (isDone)
                {
                    context.Finish();
                    _contexts.Push(context);
                    Items.Shrink(ItemBytes, ShrinkSteps);
                    return (error != FsError.None ? error : operation.Error, operation);
                }

                context.Pause();
            }
        }
    }

    /// <summary>Reads the forest around a key into the item cache; called without the gate.</summary>
    /// <param name="clusterLock">A used lock that covers the key, for reading.</param>
    /// <param name="key">Key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    internal async ValueTask<FsError> FillAsync(
        ClusterLock clusterLock, ItemKey key, CancellationToken cancellationToken)
    {
        (LeafReader Reader, ItemBatch Batch) tools;
        lock (Gate)
        {
            if (!_readers.TryPop(out tools))
                tools = (new LeafReader(_cache), new ItemBatch());
        }

        var error = await FillWithAsync(tools.Reader, tools.Batch, clusterLock, key, cancellationToken);
        lock (Gate)
            _readers.Push(tools);
        return error;
    }

    private async ValueTask<FsError> FillWithAsync(
        LeafReader reader, ItemBatch batch, ClusterLock clusterLock, ItemKey key, CancellationToken cancellationToken)
    {
        var stale = default(StaleCheck);
        while (true)
        {
            ulong commitStamp;
            lock (Gate)
                commitStamp = Transaction.CommitStamp;
            var (error, roots) = await RootsAsync(clusterLock.GrantStamp, cancellationToken);
            if (error != FsError.None)
                return error;
            (error, var start, var end) = await reader.ReadAsync(
                roots, clusterLock.Range, key, batch, cancellationToken);
            if (error == FsError.Stale)
            {
                if (stale.IsDamage(roots.FsRoot.Ref, roots.LogsRoot.Ref))
                    return FsError.Corrupt;
                lock (Gate)
                    _hasRoots = false;
                continue;
            }

            if (error != FsError.None)
                return error;
            lock (Gate)
            {
                if (Transaction.IsIsolated)
                    return FsError.Isolated;

                // A commit that ended meanwhile may have made items clean and dropped them (engine §4.3 step 6).
                if (Transaction.CommitStamp != commitStamp)
                    continue;
                Items.Shrink(ItemBytes, ShrinkSteps);
                Items.Fill(start, end, batch);
                return FsError.None;
            }
        }
    }

    /// <summary>Committed roots that include this mount's commits and are not older than a grant.</summary>
    internal async ValueTask<(FsError Error, WireRoots Roots)> RootsAsync(
        ulong grantStamp, CancellationToken cancellationToken)
    {
        ulong grants;
        ulong commits;
        lock (Gate)
        {
            if (_hasRoots && _rootsGrantStamp >= grantStamp && _rootsCommitStamp == Transaction.CommitStamp)
                return (FsError.None, _roots);
            grants = Locks.GrantStamp;
            commits = Transaction.CommitStamp;
        }

        var (error, roots) = await _leader.GetRootsAsync(cancellationToken);
        if (error != FsError.None)
            return (error, default);
        lock (Gate)
        {
            _roots = roots;
            _rootsGrantStamp = grants;
            _rootsCommitStamp = commits;
            _hasRoots = true;
        }

        return (FsError.None, roots);
    }
}
