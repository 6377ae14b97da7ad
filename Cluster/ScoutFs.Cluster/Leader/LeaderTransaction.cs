using System;
using System.Collections.Immutable;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>One holder's access to the state in the making: roots, trees, lists and tables.</summary>
/// <remarks>
/// <para>Valid inside the body given to <see cref="LeaderCommit.RunAsync(System.Func{LeaderTransaction,
/// ValueTask{FsError}}, CancellationToken)"/>. Nothing else touches the state meanwhile, and everything the body did is
/// in the same commit, unless it calls <see cref="RestartAsync"/> or <see cref="PauseAsync"/> in between: after these
/// every item must be read again.</para>
/// <para>An error may simply be returned: the whole transaction is then taken back.</para>
/// <para>Budget: a body may use <see cref="LeaderCommit.HoldBlocks"/> blocks. Long work looks at
/// <see cref="RemainingBlocks"/> and restarts.</para>
/// </remarks>
internal sealed class LeaderTransaction
{
    private readonly LeaderCommit _commit;
    private int _usedBefore;

    /// <summary>Creates a transaction that is not inside yet.</summary>
    public LeaderTransaction(LeaderCommit commit) => _commit = commit;

    /// <summary>It holds the state.</summary>
    public bool IsInside { get; private set; }

    /// <summary>It has changed something since it got in.</summary>
    public bool HasChanged { get; private set; }

    /// <summary>Cache of the metadata device.</summary>
    public BlockCache Cache => _commit.Cache;

    /// <summary>The dirty blocks.</summary>
    public BlockWriter Writer => _commit.Writer;

    /// <summary>The super block in the making. To change it alone, call <see cref="OpenAsync"/> first.</summary>
    public ref SuperBlock Super => ref _commit.Super;

    /// <summary>Log trees items.</summary>
    public ImmutableSortedDictionary<LogTreesKey, LogTrees> Logs => _commit.Logs;

    /// <summary>Mounted clients by rid.</summary>
    public ImmutableSortedDictionary<ulong, MountedClient> Clients => _commit.Clients;

    /// <summary>Large blocks that must stay free (cluster §4.3).</summary>
    public ulong ReservedBlocks => _commit.ReservedBlocks;

    /// <summary>Blocks that this holder may still allocate or free before it must restart.</summary>
    public int RemainingBlocks => LeaderCommit.HoldBlocks - (_commit.UsedBlocks() - _usedBefore);

    /// <summary>Free metadata extents that blocks are taken from.</summary>
    public ref AllocRoot MetaAvail => ref _commit.Super.MetaAlloc[_commit.MetaAvail];

    /// <summary>Allocator of blocks; after <see cref="OpenAsync"/>.</summary>
    public IBlockAllocator Allocator => _commit.Tools().Blocks;

    /// <summary>Changes trees of free extents; after <see cref="OpenAsync"/>.</summary>
    public ExtentAllocator Extents => _commit.Tools().Extents;

    /// <summary>Changes trees whose roots lie elsewhere; after <see cref="OpenAsync"/>.</summary>
    public BtreeWriter Trees => _commit.Tools().Trees;

    /// <summary>The last seq that was given out.</summary>
    public ulong Seq => _commit.Seq;

    /// <summary>Gives out the next seq.</summary>
    public ulong NextSeq() => _commit.NextSeq();

    /// <summary>Prepares for changes; the calls that change something do it themselves.</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public ValueTask<FsError> OpenAsync()
    {
        Invariant.Require(IsInside);
        HasChanged = true;
        return _commit.OpenAsync();
    }

    /// <summary>Commits what was changed so far and gets in again: every item must be read again.</summary>
    /// <returns>None; else nothing may be done any more but return the error.</returns>
    public async ValueTask<FsError> RestartAsync()
    {
        var error = await _commit.LeaveAsync(this, FsError.None);
        return error == FsError.None ? await _commit.EnterAsync(this, CancellationToken.None) : error;
    }

    /// <summary>As <see cref="RestartAsync"/>, with a wait in which others get in.</summary>
    public async ValueTask<FsError> PauseAsync(TimeSpan delay, TimeProvider time, CancellationToken cancellationToken)
    {
        var error = await _commit.LeaveAsync(this, FsError.None);
        if (error != FsError.None)
            return error;
        if (cancellationToken.IsCancellationRequested)
            return FsError.Cancelled;
        await Task.Delay(delay, time, CancellationToken.None);
        return await _commit.EnterAsync(this, cancellationToken);
    }

    /// <summary>The root of a tree, to read.</summary>
    public ref BtreeRoot RootOf(LeaderTree tree)
    {
        switch (tree)
        {
            case LeaderTree.Fs:
                return ref Super.FsRoot;
            case LeaderTree.Logs:
                return ref Super.LogsRoot;
            case LeaderTree.LogMerge:
                return ref Super.LogMerge;
            case LeaderTree.MountedClients:
                return ref Super.MountedClients;
            default:
                return ref Super.SrchRoot;
        }
    }

    /// <summary>A cursor over a tree, dirty blocks included; dispose it before the tree is changed.</summary>
    public BtreeCursor CursorOf(LeaderTree tree)
    {
        var cursor = new BtreeCursor(Cache, Writer);
        cursor.SetRoot(RootOf(tree));
        return cursor;
    }

    /// <summary>The error that a cursor stopped with; what was wrong is noted.</summary>
    /// <returns>None when it found an item or the end.</returns>
    public FsError ErrorOf(BtreeCursor cursor, BtreeStatus status)
    {
        if (status != BtreeStatus.Corrupt)
            return FsError.None;
        _commit.Fault = cursor.Fault;
        return cursor.Error;
    }

    /// <summary>Notes that a cursor's item is not what it must be.</summary>
    /// <returns>Corrupt.</returns>
    public FsError FailItem(CorruptionSite site, BtreeCursor cursor)
    {
        _commit.Fault = new Corruption(site, cursor.LeafBlkno);
        return FsError.Corrupt;
    }

    /// <summary>Notes what was wrong when <see cref="Trees"/> returned an error.</summary>
    /// <returns>The error.</returns>
    public FsError FailTrees(FsError error)
    {
        _commit.Fault = Trees.Fault;
        return error;
    }

    /// <summary>Reads an item of fixed size.</summary>
    /// <returns>None and the value; NotFound; Corrupt, also when it has another size; or a read error.</returns>
    public async ValueTask<(FsError Error, T Value)> ReadAsync<T>(LeaderTree tree, ItemKey key)
        where T : unmanaged
    {
        var (error, found, length, value) = await SeekAsync<T>(tree, key);
        if (error == FsError.None && found != key)
            return (FsError.NotFound, default);
        return error == FsError.None && length != Disk.SizeOf<T>() ? (FailItem(key), default) : (error, value);
    }

    /// <summary>Reads the first item at or after a key; look at its key before its value.</summary>
    /// <returns>None, its key and its value, which is zero when it has another size; NotFound at the end of the tree;
    /// or a read error.</returns>
    public async ValueTask<(FsError Error, ItemKey Key, T Value)> ReadNextAsync<T>(LeaderTree tree, ItemKey from)
        where T : unmanaged
    {
        var (error, key, _, value) = await SeekAsync<T>(tree, from);
        return (error, key, value);
    }

    /// <summary>Adds or replaces an item.</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public ValueTask<FsError> ForceAsync<T>(LeaderTree tree, ItemKey key, T value)
        where T : unmanaged => ForceBytesAsync(tree, key, Disk.Bytes(in value).ToArray());

    /// <summary>Removes an item.</summary>
    /// <returns>None; NotFound; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> RemoveAsync(LeaderTree tree, ItemKey key)
    {
        var error = await OpenAsync();
        if (error != FsError.None)
            return error;
        (error, var root) = await Trees.RemoveAsync(RootOf(tree), key, CancellationToken.None);
        _commit.Fault = Trees.Fault;
        RootOf(tree) = root;
        return error;
    }

    /// <summary>Stores a log trees item, in the tree and the table.</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> StoreLogTreesAsync(LogTrees log)
    {
        Invariant.Require(log.Nr != 0);
        var error = await ForceAsync(LeaderTree.Logs, Keys.LogTrees(log.Rid, log.Nr), log);
        if (error == FsError.None)
            _commit.Logs = _commit.Logs.SetItem(new LogTreesKey(log.Rid, log.Nr), log);
        return error;
    }

    /// <summary>Removes a log trees item from tree and table; what it owns is the caller's to give away.</summary>
    /// <returns>None; NotFound; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> RemoveLogTreesAsync(ulong rid, ulong nr)
    {
        var error = await RemoveAsync(LeaderTree.Logs, Keys.LogTrees(rid, nr));
        if (error == FsError.None)
            _commit.Logs = _commit.Logs.Remove(new LogTreesKey(rid, nr));
        return error;
    }

    /// <summary>Stores a mounted client, in the tree and the table.</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> StoreClientAsync(ulong rid, MountedClient client)
    {
        var error = await ForceAsync(LeaderTree.MountedClients, Keys.MountedClient(rid), client);
        if (error == FsError.None)
            _commit.Clients = _commit.Clients.SetItem(rid, client);
        return error;
    }

    /// <summary>Removes a mounted client from tree and table; no error when there is none.</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> RemoveClientAsync(ulong rid)
    {
        if (!Clients.ContainsKey(rid))
            return FsError.None;
        var error = await RemoveAsync(LeaderTree.MountedClients, Keys.MountedClient(rid));
        if (error == FsError.None)
            _commit.Clients = _commit.Clients.Remove(rid);
        return error;
    }

    /// <summary>The last log tree of a mount: the only one of it that may be open.</summary>
    public bool TryLastLogTrees(ulong rid, out LogTrees log)
    {
        log = default;
        foreach (var (key, value) in Logs)
        {
            if (key.Rid == rid)
                log = value;
            else if (key.Rid > rid)
                break;
        }

        return log.Nr != 0;
    }

    /// <summary>Fills a list that is handed out, when it has become short (cluster §4.4).</summary>
    /// <param name="list">The list.</param>
    /// <param name="refillBelow">Entries of its first block below which it is filled.</param>
    /// <param name="target">Entries that its first block then gets, at most 8185; fewer when blocks are scarce: half of
    /// what is there always stays for the leader, without which nobody could give anything back.</param>
    /// <returns>None and the list; NoSpace; or a read error.</returns>
    public async ValueTask<(FsError Error, AllocListHead List)> FillListAsync(
        AllocListHead list, int refillBelow, int target)
    {
        if (list.FirstNr >= (uint)refillBelow)
            return (FsError.None, list);
        var error = await OpenAsync();
        if (error != FsError.None)
            return (error, list);
        target = (int)Math.Min((ulong)target, list.FirstNr + (MetaAvail.TotalLen / 2));
        (error, list, var from) = await _commit.Tools().Lists.FillAsync(
            list, MetaAvail, target, CancellationToken.None);
        _commit.Fault = _commit.Tools().Lists.Fault;
        MetaAvail = from;
        return (error, list);
    }

    /// <summary>Takes a list back: its blocks become free once this commit is durable (format §8.4).</summary>
    /// <returns>None; NoSpace; or a read error.</returns>
    public async ValueTask<FsError> GiveListAsync(AllocListHead list)
    {
        if (list.Ref.IsNone)
            return FsError.None;
        var error = await OpenAsync();
        if (error != FsError.None)
            return error;
        list.Flags = 0;
        (error, var onto) = await _commit.Tools().Lists.SpliceAsync(
            list, Super.ServerMetaFreed[_commit.OtherLists], CancellationToken.None);
        _commit.Fault = _commit.Tools().Lists.Fault;
        Super.ServerMetaFreed[_commit.OtherLists] = onto;
        return error;
    }

    /// <summary>Moves all extents of a tree to the volume's free data, as far as a budget of blocks goes.</summary>
    /// <returns>None and what is left of the tree; NoSpace; or a read error.</returns>
    public async ValueTask<(FsError Error, AllocRoot Left)> GiveDataAsync(AllocRoot root, int budgetBlocks)
    {
        var error = root.TotalLen == 0 ? FsError.None : await OpenAsync();
        int floor = RemainingBlocks - budgetBlocks;
        while (error == FsError.None && root.TotalLen != 0 && RemainingBlocks > floor)
        {
            (error, root, var taken) = await Extents.TakeAsync(root, ulong.MaxValue, CancellationToken.None);
            if (error == FsError.None && taken.Count == 0)
                error = FsError.Corrupt;
            if (error == FsError.None)
            {
                (error, var into) = await Extents.InsertAsync(Super.DataAlloc, taken, CancellationToken.None);
                Super.DataAlloc = into;
            }

            _commit.Fault = Extents.Fault;
        }

        return (error, root.TotalLen == 0 ? default : root);
    }

    /// <summary>Called by the commit machine when the holder got in.</summary>
    internal void OnEntered(int usedBlocks)
    {
        IsInside = true;
        HasChanged = false;
        _usedBefore = usedBlocks;
    }

    /// <summary>Called by the commit machine when the holder let go.</summary>
    internal void OnLeft() => IsInside = false;

    private async ValueTask<(FsError Error, ItemKey Key, int Length, T Value)> SeekAsync<T>(
        LeaderTree tree, ItemKey from)
        where T : unmanaged
    {
        using var cursor = CursorOf(tree);
        var status = await cursor.SeekAsync(from, CancellationToken.None);
        if (ErrorOf(cursor, status) is var error and not FsError.None)
            return (error, default, 0, default);
        if (status != BtreeStatus.Found)
            return (FsError.NotFound, default, 0, default);
        int length = cursor.Value.Length;
        return (FsError.None, cursor.Key, length, length == Disk.SizeOf<T>() ? Disk.Ref<T>(cursor.Value) : default);
    }

    private FsError FailItem(in ItemKey key)
    {
        _commit.Fault = new Corruption(CorruptionSite.LeaderItem, 0, 0, key.First);
        return FsError.Corrupt;
    }

    private async ValueTask<FsError> ForceBytesAsync(LeaderTree tree, ItemKey key, byte[] value)
    {
        var error = await OpenAsync();
        if (error != FsError.None)
            return error;
        (error, var root) = await Trees.ForceAsync(RootOf(tree), key, 0, 0, value, CancellationToken.None);
        _commit.Fault = Trees.Fault;
        RootOf(tree) = root;
        return error;
    }
}
