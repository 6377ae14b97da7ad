using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Turns changes of the leader's trees into durable states: one super block after the other (cluster
/// §4.3).</summary>
/// <remarks>
/// <para><b>Serialisation.</b> Whoever reads or changes the leader's trees holds it: one at a time, in order of
/// arrival. A holder that has changed something waits, after letting go, for the commit. The commit runs when nobody
/// else waits to get in, or when there is no room for another holder; so holders that come together share one.</para>
/// <para><b>Abort.</b> An error after a change takes back everything since the last commit: the dirty blocks are
/// forgotten and the tables of the last state return. Whoever shared the commit gets the error, too; requests are made
/// to be repeated (cluster §3.1 N3). So no change needs to be undone step by step.</para>
/// <para><b>Failed writes.</b> A super block whose write failed may be on the device or not. Its blocks must not change
/// any more: the commit stays as it is (frozen) and the next holder writes all of it again before anything else.</para>
/// <para>Order of writes: blocks, flush, super block, flush (DEV-17). Only then is the state published.</para>
/// </remarks>
internal sealed class LeaderCommit : IDisposable
{
    /// <summary>Blocks that a holder may allocate or free before it must commit (cluster §0, HOLD_BUDGET).</summary>
    public const int HoldBlocks = 500;

    private const int RefillBelow = 4092;

    // Enough for the changes of trees that refill and drain the idle lists; they stop early when it is not.
    private const int CommitReserve = 200;

    // Draining moves a few tree blocks; short lists can wait while there is plenty.
    private const uint DrainFrom = 1024;
    private const int DrainBlocks = 250;

    // Of a small volume an eighth must do: whoever then runs out of blocks is refused and taken back.
    private const int LeastRoom = 300;

    // Freed blocks pass through the idle list, then the freed tree, then change sides with the avail tree.
    private const int RoomCommits = 4;

    // Constant after construction.
    private readonly IBlockDevice _meta;
    private readonly BlockPool _superPool = new(1);
    private readonly PooledBlock _superBlock;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly Queue<TaskCompletionSource<FsError>> _waiting = [];
    private readonly List<TaskCompletionSource<FsError>> _applied = [];
    private bool _isHeld;
    private bool _isStopped;

    // Completed once, by whoever finds an invariant broken.
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Owned by the holder.
    private SuperBlock _super;
    private ListAllocator? _allocator;
    private ReservingAllocator? _reserving;
    private ExtentAllocator? _extents;
    private ListTransfer? _lists;
    private BtreeWriter? _trees;
    private int _active;
    private int _metaAvail;
    private int _availAtOpen;
    private int _roomAtOpen;
    private bool _isFrozen;

    // Interlocked.
    private ulong _seq;

    // Written by the holder, read by anybody.
    private volatile LeaderState _stable;

    /// <summary>Creates the machine over a state that was read from the device.</summary>
    public LeaderCommit(
        IBlockDevice meta, BlockCache cache, BlockWriter writer, LeaderState state, ulong seq)
    {
        _meta = meta;
        Cache = cache;
        Writer = writer;
        _superBlock = _superPool.TryRent()!;
        _stable = state;
        _super = state.Super;
        Logs = state.Logs;
        Clients = state.Clients;
        _seq = seq;
        _active = state.Super.ServerMetaAvail[1].TotalNr > state.Super.ServerMetaAvail[0].TotalNr ? 1 : 0;
        _metaAvail = state.Super.MetaAlloc[1].TotalLen > state.Super.MetaAlloc[0].TotalLen ? 1 : 0;
    }

    /// <summary>Cache of the metadata device.</summary>
    public BlockCache Cache { get; }

    /// <summary>Dirty blocks of the state in the making.</summary>
    public BlockWriter Writer { get; }

    /// <summary>Completes when a bug was found: the leader must be stopped, it answers Isolated already.</summary>
    public Task Broken => _broken.Task;

    /// <summary>The last committed state; any thread may ask.</summary>
    public LeaderState Stable => _stable;

    /// <summary>What was wrong, after the last error that came from damage.</summary>
    public Corruption Fault { get; set; }

    /// <summary>The last seq that was given out; any thread may ask.</summary>
    public ulong Seq => Volatile.Read(ref _seq);

    /// <summary>Log trees items of the state in the making; the holder's.</summary>
    public ImmutableSortedDictionary<LogTreesKey, LogTrees> Logs { get; set; }

    /// <summary>Mounted clients of the state in the making; the holder's.</summary>
    public ImmutableSortedDictionary<ulong, MountedClient> Clients { get; set; }

    /// <summary>Super block of the state in the making; the holder's.</summary>
    public ref SuperBlock Super => ref _super;

    /// <summary>Index of the server's lists that are not in use by this transaction; the holder's.</summary>
    public int OtherLists => 1 - _active;

    /// <summary>Index of the tree that metadata blocks are taken from; the holder's.</summary>
    public int MetaAvail => _metaAvail;

    /// <summary>Index of the tree that freed metadata blocks go to; the holder's.</summary>
    public int MetaFreed => 1 - _metaAvail;

    /// <summary>Large blocks that must stay free for everybody to be able to finish (cluster §4.3).</summary>
    public ulong ReservedBlocks =>
        (2 * (ulong)FormatConstants.ListBlockEntries) + ((ulong)Math.Max(1, Clients.Count) * 18311);

    /// <summary>Something changed since the last commit; the holder's.</summary>
    public bool IsDirty => _allocator is not null;

    /// <summary>Gives out the next seq; any thread may ask.</summary>
    public ulong NextSeq() => Interlocked.Increment(ref _seq);

    /// <summary>Makes sure that later seqs are greater than one that somebody holds; any thread may ask.</summary>
    public void RaiseSeq(ulong seq)
    {
        for (ulong old = Seq; old < seq;)
        {
            ulong seen = Interlocked.CompareExchange(ref _seq, seq, old);
            if (seen == old)
                return;
            old = seen;
        }
    }

    /// <summary>Runs a holder and waits for the commit of what it changed.</summary>
    /// <param name="body">The holder; its error takes back what it changed.</param>
    /// <param name="cancellationToken">Honoured while it waits to get in.</param>
    /// <returns>What the body returned once that is durable; or why it is not.</returns>
    public async ValueTask<(FsError Error, T Result)> RunAsync<T>(
        Func<LeaderTransaction, ValueTask<(FsError Error, T Result)>> body, CancellationToken cancellationToken)
        where T : unmanaged
    {
        var transaction = new LeaderTransaction(this);
        try
        {
            var error = await EnterAsync(transaction, cancellationToken);
            if (error != FsError.None)
                return (error, default);
            (error, var result) = await body(transaction);
            error = await LeaveAsync(transaction, error);
            return (error, error == FsError.None ? result : default);
        }
        catch
        {
            Break();
            throw;
        }
    }

    /// <summary>Runs a holder that has nothing to return.</summary>
    public async ValueTask<FsError> RunAsync(
        Func<LeaderTransaction, ValueTask<FsError>> body, CancellationToken cancellationToken)
    {
        var (error, _) = await RunAsync<byte>(
            async transaction => (await body(transaction), 0), cancellationToken);
        return error;
    }

    /// <summary>Looks at the trees and tables; nothing is changed, so that no commit is waited for.</summary>
    public async ValueTask<(FsError Error, T Result)> InspectAsync<T>(
        Func<ValueTask<(FsError Error, T Result)>> body, CancellationToken cancellationToken)
        where T : unmanaged
    {
        var error = await AcquireAsync(cancellationToken);
        if (error != FsError.None)
            return (error, default);
        try
        {
            var result = await body();
            await ReleaseAsync();
            return result;
        }
        catch
        {
            Break();
            throw;
        }
    }

    /// <summary>Lets a transaction in, with room for <see cref="HoldBlocks"/>.</summary>
    public async ValueTask<FsError> EnterAsync(LeaderTransaction transaction, CancellationToken cancellationToken)
    {
        var error = await AcquireAsync(cancellationToken);
        if (error != FsError.None)
            return error;
        if (_isFrozen)
            error = await CommitAsync(isStarved: false);
        if (error == FsError.None)
            error = await MakeRoomAsync();
        if (error != FsError.None)
        {
            await ReleaseAsync();
            return error;
        }

        transaction.OnEntered(UsedBlocks());
        return FsError.None;
    }

    /// <summary>Lets a transaction go; waits for the commit of what it changed.</summary>
    public async ValueTask<FsError> LeaveAsync(LeaderTransaction transaction, FsError error)
    {
        if (!transaction.IsInside)
            return error;
        bool hasChanged = transaction.HasChanged;
        transaction.OnLeft();
        if (error != FsError.None || !IsDirty)
        {
            if (error != FsError.None && hasChanged)
                Abort(error);
            await ReleaseAsync();
            return error;
        }

        var applied = NewTicket();
        lock (_latch)
            _applied.Add(applied);
        await ReleaseAsync();
        return await applied.Task;
    }

    /// <summary>Makes the trees changeable: opens this transaction's lists.</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> OpenAsync()
    {
        if (_allocator is not null)
            return FsError.None;
        var (error, allocator, fault) = await ListAllocator.OpenAsync(
            Cache,
            Writer,
            _super.ServerMetaAvail[_active],
            _super.ServerMetaFreed[_active],
            CancellationToken.None);
        if (allocator is null)
        {
            Fault = fault;
            return error;
        }

        _allocator = allocator;
        _reserving = new ReservingAllocator(allocator) { ReserveBlocks = CommitReserve };
        _extents = new ExtentAllocator(Cache, Writer, _reserving);
        _lists = new ListTransfer(Cache, Writer, _reserving, _extents);
        _trees = new BtreeWriter(Cache, Writer, _reserving);
        _availAtOpen = allocator.AvailableBlocks;
        _roomAtOpen = allocator.FreeRoomBlocks;
        return FsError.None;
    }

    /// <summary>Blocks allocated or freed since the lists were opened, whichever is more; the holder's.</summary>
    public int UsedBlocks() => _allocator is null
        ? 0
        : Math.Max(_availAtOpen - _allocator.AvailableBlocks, _roomAtOpen - _allocator.FreeRoomBlocks);

    /// <summary>The tools of the open transaction; the holder's, after <see cref="OpenAsync"/>.</summary>
    public (IBlockAllocator Blocks, ExtentAllocator Extents, ListTransfer Lists, BtreeWriter Trees) Tools()
    {
        Invariant.Require(_allocator is not null);
        return (_reserving!, _extents!, _lists!, _trees!);
    }

    /// <summary>Ends everything: whoever waits gets Isolated, uncommitted changes are dropped (cluster §4.2).</summary>
    /// <remarks>Once; nobody gets in any more.</remarks>
    public async ValueTask StopAsync()
    {
        TaskCompletionSource<FsError>? ticket = null;
        lock (_latch)
        {
            _isStopped = true;
            DismissWaiting();
            if (_isHeld)
            {
                ticket = NewTicket();
                _waiting.Enqueue(ticket);
            }

            _isHeld = true;
        }

        if (ticket is not null)
            _ = await ticket.Task;
        lock (_latch)
            DismissApplied(FsError.Isolated);
        if (_broken.Task.IsCompleted)
            return;
        CloseTransaction();
        Writer.Forget();
    }

    /// <summary>Frees the memory, after <see cref="StopAsync"/>; after a bug that is left to the collector.</summary>
    public void Dispose()
    {
        if (_broken.Task.IsCompleted)
            return;
        Writer.Dispose();
        Cache.Dispose();
        _superPool.Return(_superBlock);
        _superPool.Dispose();
    }

    // Continuations run later: whoever completes a ticket is in the middle of letting go.
    private static TaskCompletionSource<FsError> NewTicket() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ValueTask<FsError> AcquireAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource<FsError> ticket;
        lock (_latch)
        {
            if (_isStopped)
                return new(FsError.Isolated);
            if (!_isHeld)
            {
                _isHeld = true;
                return new(FsError.None);
            }

            ticket = NewTicket();
            _waiting.Enqueue(ticket);
        }

        return WaitAsync(ticket, cancellationToken);
    }

    private static async ValueTask<FsError> WaitAsync(
        TaskCompletionSource<FsError> ticket, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static state => ((TaskCompletionSource<FsError>)state!).TrySetResult(FsError.Cancelled), ticket);
        return await ticket.Task;
    }

    // Commits when it is time to, then lets the next one in.
    private async ValueTask ReleaseAsync()
    {
        while (true)
        {
            lock (_latch)
            {
                bool mayEnter = _applied.Count == 0 || HasRoom();
                while (mayEnter && _waiting.TryDequeue(out var next))
                {
                    if (next.TrySetResult(FsError.None))
                        return;
                }

                if (_isStopped)
                    DismissApplied(FsError.Isolated);
                if (_applied.Count == 0)
                {
                    if (_waiting.Count > 0)
                        continue;
                    _isHeld = false;
                    return;
                }
            }

            _ = await CommitAsync(isStarved: false);
        }
    }

    // An invariant broke: nothing of what is in memory can be trusted, and nothing may be written any more.
    private void Break()
    {
        lock (_latch)
        {
            _isStopped = true;
            DismissWaiting();
            DismissApplied(FsError.Isolated);
            _isHeld = false;
        }

        _ = _broken.TrySetResult();
    }

    private void DismissWaiting()
    {
        while (_waiting.TryDequeue(out var ticket))
            _ = ticket.TrySetResult(FsError.Isolated);
    }

    private void DismissApplied(FsError error)
    {
        foreach (var ticket in _applied)
            _ = ticket.TrySetResult(error);
        _applied.Clear();
    }

    // For one more holder, and for the commit after it.
    private bool HasRoom()
    {
        int blocks = (int)Math.Clamp(_super.TotalMetaBlocks / 8, LeastRoom, 2 * HoldBlocks);
        int avail = _allocator?.AvailableBlocks ?? (int)_super.ServerMetaAvail[_active].FirstNr.Value - 2;
        int room = _allocator?.FreeRoomBlocks ?? RoomOf(_super.ServerMetaFreed[_active]);
        return avail >= blocks && room >= blocks && Writer.RoomBlocks >= blocks;
    }

    // A head that is nearly full gets a fresh one in front of it (cluster §4.3, freed room).
    private static int RoomOf(in AllocListHead freed)
    {
        int room = FormatConstants.ListBlockEntries - (int)freed.FirstNr.Value;
        bool isRotated = freed.Ref.IsNone || room < ListAllocator.RotateBelowRoom;
        return (isRotated ? FormatConstants.ListBlockEntries : room) - 2;
    }

    // Commits until a holder fits: each commit refills one list from what an earlier one freed.
    private async ValueTask<FsError> MakeRoomAsync()
    {
        for (int round = 0; round < RoomCommits; round++)
        {
            if (HasRoom())
                return FsError.None;
            if (!IsDirty)
            {
                UseFullerLists();
                if (HasRoom())
                    return FsError.None;
                var opened = await OpenAsync();
                if (opened != FsError.None)
                    return opened;
            }

            var error = await CommitAsync(isStarved: true);
            if (error != FsError.None)
                return error;
        }

        return HasRoom() ? FsError.None : FsError.NoSpace;
    }

    // Which pair is in use is nowhere on disk; a start would choose the fuller one as well.
    private void UseFullerLists()
    {
        if (_super.ServerMetaAvail[1 - _active].FirstNr > _super.ServerMetaAvail[_active].FirstNr)
            _active = 1 - _active;
    }

    // The holder's. Everybody in _applied gets the result.
    private async ValueTask<FsError> CommitAsync(bool isStarved)
    {
        var error = FsError.None;
        if (!_isFrozen && IsDirty)
        {
            error = await PrepareAsync(isStarved);
            if (error != FsError.None)
            {
                Abort(error);
                return error;
            }

            _isFrozen = true;
        }

        if (_isFrozen)
        {
            error = await WriteOutAsync();
            if (error == FsError.None)
                Publish();
        }

        lock (_latch)
            DismissApplied(error);
        return error;
    }

    // Last changes: the idle lists are made ready for the next transaction, with this one's blocks.
    private async ValueTask<FsError> PrepareAsync(bool isStarved)
    {
        int other = OtherLists;
        _reserving!.ReserveBlocks = 0;
        bool isScarce = isStarved || _super.MetaAlloc[MetaAvail].TotalLen <= ReservedBlocks;
        if (_super.ServerMetaAvail[other].FirstNr < RefillBelow)
        {
            var (error, list, from) = await _lists!.FillAsync(
                _super.ServerMetaAvail[other],
                _super.MetaAlloc[MetaAvail],
                FormatConstants.ListBlockEntries,
                CancellationToken.None);
            if (error != FsError.None)
                return FailLists(error);
            _super.ServerMetaAvail[other] = list;
            _super.MetaAlloc[MetaAvail] = from;
        }

        if (isScarce)
        {
            // A list that only shrinks would be used up, with what it freed never drained.
            int surplus = (_allocator!.AvailableBlocks - (int)_super.ServerMetaAvail[other].FirstNr.Value) / 2;
            var (error, list) = await _lists!.ShareAsync(
                _super.ServerMetaAvail[other], surplus, CancellationToken.None);
            if (error != FsError.None)
                return FailLists(error);
            _super.ServerMetaAvail[other] = list;
        }

        if (isScarce || _super.ServerMetaFreed[other].TotalNr >= DrainFrom)
        {
            var (error, list, into) = await _lists!.DrainAsync(
                _super.ServerMetaFreed[other], _super.MetaAlloc[MetaFreed], DrainBlocks, CancellationToken.None);
            if (error != FsError.None)
                return FailLists(error);
            _super.ServerMetaFreed[other] = list;
            _super.MetaAlloc[MetaFreed] = into;
        }

        _super.ServerMetaAvail[_active] = _allocator!.Avail;
        _super.ServerMetaFreed[_active] = _allocator.Freed;
        _super.Seq = Seq;
        _super.Header.Seq = _super.Header.Seq + 1;
        return FsError.None;
    }

    private FsError FailLists(FsError error)
    {
        Fault = _lists!.Fault;
        return error;
    }

    private async ValueTask<FsError> WriteOutAsync()
    {
        var error = await Writer.WriteAllAsync(CancellationToken.None);
        if (error == FsError.None)
            error = await _meta.FlushAsync(CancellationToken.None);
        if (error != FsError.None)
            return error;
        var block = _superBlock.Memory[..FormatConstants.SmallBlockBytes];
        block.Span.Clear();
        Disk.Ref<SuperBlock>(block.Span) = _super;
        error = await SmallBlocks.WriteAsync(_meta, FormatConstants.SuperBlkno, block, CancellationToken.None);
        return error == FsError.None ? await _meta.FlushAsync(CancellationToken.None) : error;
    }

    private void Publish()
    {
        CloseTransaction();
        Writer.MoveTo(Cache);
        _isFrozen = false;
        _stable = new LeaderState(_super, Logs, Clients);
        _active = 1 - _active;
        ulong avail = _super.MetaAlloc[MetaAvail].TotalLen;
        if (avail < 2 * ReservedBlocks && _super.MetaAlloc[MetaFreed].TotalLen > avail)
            _metaAvail = MetaFreed;
    }

    private void Abort(FsError error)
    {
        CloseTransaction();
        Writer.Forget();
        _super = _stable.Super;
        Logs = _stable.Logs;
        Clients = _stable.Clients;
        lock (_latch)
            DismissApplied(error);
    }

    private void CloseTransaction()
    {
        _trees?.Dispose();
        _extents?.Dispose();
        _trees = null;
        _extents = null;
        _lists = null;
        _reserving = null;
        _allocator = null;
    }
}
