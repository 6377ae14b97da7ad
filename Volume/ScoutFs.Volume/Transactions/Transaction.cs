using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Items;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>What <see cref="Transaction.TryHold"/> answers.</summary>
public enum HoldResult
{
    /// <summary>Changes may be made until the gate is left.</summary>
    Held,

    /// <summary>After a commit.</summary>
    Again,

    /// <summary>The volume has no room for changes that take space.</summary>
    NoSpace,
}

/// <summary>The one open transaction of a mount (engine §5).</summary>
/// <remarks>
/// <para>It collects the dirty items of the item cache, srch entries, data extents taken and freed, and file data.
/// Changes are made by attempts under the gate (<see cref="TryHold"/>), so a commit never meets a half done one. All
/// that it waits for is a fetch of free data extents under way.</para>
/// <para>Until the commit nothing but the free data extents touches metadata blocks: the commit itself sorts the dirty
/// items into the mount's log tree. So all copy-on-write happens in one place, one after the other.</para>
/// <para><b>Thread rule.</b> Members are called with the gate held unless they say otherwise. The commit runs alone:
/// while it does, no attempt changes anything.</para>
/// </remarks>
public sealed partial class Transaction : IDisposable
{
    // Blocks that a commit needs besides those that grow with what is dirty: bloom, srch tail and parents, the two
    // trees of data extents, allocator heads, paths.
    private const int BaseBlocks = 96;

    // Reasons for a commit before the interval: keeps memory and the commit's length bounded.
    private const int MaxDirtyItems = 256 * 1024;
    private const long MaxDirtyBytes = 48 << 20;

    // Scattered items dirty a leaf of 64 KiB a page: memory of the writer that stays with the process.
    private const int MaxDirtyPages = 512;
    private const int WriterBlocks = 8192;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2);

    private readonly Lock _gate;
    private readonly ItemCache _items;
    private readonly BlockCache _cache;
    private readonly IBlockDevice _metaDevice;
    private readonly ILeader _leader;
    private readonly IDataWriteback _dataWriteback;
    private readonly TimeProvider _time;
    private readonly BlockWriter _writer;
    private readonly List<SrchEntry> _srchEntries = [];
    private readonly List<FreeExtent> _freedData = [];
    private readonly DataSpace _dataSpace;

    // What the leader handed out, and what the commit will hand back.
    private LogTrees _log;
    private ListAllocator? _allocator;
    private Task<FsError>? _running;
    private Task<FsError>? _taking;

    /// <summary>Creates a transaction that is not open yet.</summary>
    public Transaction(
        Lock gate,
        ItemCache items,
        BlockCache cache,
        IBlockDevice metaDevice,
        ILeader leader,
        IDataWriteback dataWriteback,
        TimeProvider time,
        Prng prng)
    {
        _gate = gate;
        _items = items;
        _cache = cache;
        _metaDevice = metaDevice;
        _leader = leader;
        _dataWriteback = dataWriteback;
        _time = time;
        _writer = new BlockWriter(metaDevice, WriterBlocks, cache.Fsid, prng);
        _dataSpace = new DataSpace(this);
    }

    /// <summary>Seq of the open transaction; 0 before the first.</summary>
    public ulong TransSeq { get; private set; }

    /// <summary>The mount's id; 0 before the first transaction.</summary>
    public ulong Rid => _log.Rid;

    /// <summary>Grows with every commit whose items have become clean; reads from before may be outdated.</summary>
    public ulong CommitStamp { get; private set; }

    /// <summary>Commits that have ended, for statistics.</summary>
    public long CommitCount { get; private set; }

    /// <summary>A commit runs: nothing may be changed.</summary>
    public bool IsCommitting { get; private set; }

    /// <summary>The mount was cut off, or found itself broken: nothing is changed or committed any more.</summary>
    public bool IsIsolated { get; private set; }

    /// <summary>Why it was isolated, for messages.</summary>
    public string IsolationReason { get; private set; } = "";

    /// <summary>Free data blocks to allocate from.</summary>
    public DataSpace DataSpace => _dataSpace;

    /// <summary>Called once, without the gate, when the mount is isolated.</summary>
    public Action? OnIsolated { get; set; }

    /// <summary>Opens the first transaction; without the gate.</summary>
    public async ValueTask<FsError> OpenAsync(CancellationToken cancellationToken)
    {
        var (error, log) = await _leader.GetLogTreesAsync(cancellationToken);
        if (error != FsError.None)
            return error;
        lock (_gate)
            Begin(log);
        return FsError.None;
    }

    /// <summary>Whether an attempt may change something now (engine §5.2).</summary>
    public HoldResult TryHold(bool isAllocating)
    {
        if (IsCommitting || TransSeq == 0 || IsIsolated)
            return HoldResult.Again;
        bool isLow = (_log.MetaAvail.Flags.Value & AllocRoot.FlagLow) != 0;
        if (isAllocating && isLow)
            return HoldResult.NoSpace;
        int needed = NeededBlocks();
        bool isFull = _items.DirtyCount > MaxDirtyItems || _items.DirtyBytes > MaxDirtyBytes
            || _items.DirtyPages > MaxDirtyPages || needed > AvailableBlocks()
            || needed > FreeRoomBlocks() || needed > _writer.RoomBlocks;
        if (!isFull)
            return HoldResult.Held;
        return IsClean ? HoldResult.NoSpace : HoldResult.Again;
    }

    /// <summary>Notes an entry for the srch log; entries toggle, so a removal is noted the same way.</summary>
    public void AddSrchEntry(in SrchEntry entry) => _srchEntries.Add(entry);

    /// <summary>Notes data blocks that no extent refers to any more.</summary>
    public void FreeData(in FreeExtent extent)
    {
        if (_freedData.Count > 0 && _freedData[^1].End == extent.Start)
            _freedData[^1] = _freedData[^1] with { Count = _freedData[^1].Count + extent.Count };
        else
            _freedData.Add(extent);
    }

    /// <summary>Counts a created or deleted inode.</summary>
    public void AddInodes(long delta) => _log.InodeCountDelta = _log.InodeCountDelta.Value + delta;

    /// <summary>Cuts the mount off: every operation and commit ends with Isolated. With or without the gate.</summary>
    public void Isolate(string reason)
    {
        lock (_gate)
        {
            if (IsIsolated)
                return;
            IsIsolated = true;
            IsolationReason = reason;
        }

        OnIsolated?.Invoke();
    }

    /// <summary>Waits for a commit or allocation under way; without the gate.</summary>
    public async ValueTask StopAsync()
    {
        while (true)
        {
            Task? running;
            lock (_gate)
                running = _running ?? _taking;
            if (running is null)
                return;
            await running;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    // True when a commit would not make more room.
    private bool IsClean => _items.DirtyCount == 0 && _allocator is null && _freedData.Count == 0
        && _srchEntries.Count == 0;

    private int AvailableBlocks() => _allocator?.AvailableBlocks ?? (int)_log.MetaAvail.FirstNr.Value;

    // A freed head that is nearly full is rotated when the allocator opens (engine §3.2).
    private int FreeRoomBlocks()
    {
        if (_allocator is not null)
            return _allocator.FreeRoomBlocks;
        int room = FormatConstants.ListBlockEntries - (int)_log.MetaFreed.FirstNr.Value;
        return room < ListAllocator.RotateBelowRoom ? FormatConstants.ListBlockEntries - 2 : room;
    }

    private int NeededBlocks() => IsClean
        ? BaseBlocks / 4
        : BaseBlocks + (3 * _items.DirtyPages) + (2 * (_freedData.Count + _dataSpace.ExtentCount))
            + (_srchEntries.Count / 2048);

    private void Begin(in LogTrees log)
    {
        _log = log;
        TransSeq = log.GetTransSeq;
        _allocator = null;
        _dataSpace.Begin();
    }
}
