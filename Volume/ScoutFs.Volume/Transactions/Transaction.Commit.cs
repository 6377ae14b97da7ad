using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Items;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Transactions;

/// <summary>The commit (engine §5.4), step by step.</summary>
/// <remarks>
/// <para>1. Hold writers off and let a fetch of data extents finish. 2. Sort dirty items, srch entries and free extents
/// into the log's blocks. 3. Write file data and these blocks. 4. Flush both devices. 5. The leader's commit: from its
/// super block write on, the transaction exists. 6. Items become clean. 7. Open the next transaction.</para>
/// <para>Step 2 happens once: it is remembered in the blocks and the log record, so that repeating 3 to 5 after an
/// error never adds a delta twice. 7 alone is repeated when it alone failed. An error in step 2 cannot be repaired:
/// it isolates the mount, and its last committed transaction stands.</para>
/// </remarks>
public sealed partial class Transaction
{
    private readonly DirtyItems _dirty = new();
    private BtreeWriter? _trees;
    private ExtentAllocator? _extents;

    // Of the running or the last commit: completed once it cannot be lost any more.
    private TaskCompletionSource<FsError> _durable = new();

    /// <summary>Commits what was changed before the call; with or without the gate, await without it.</summary>
    /// <returns>None; Isolated; Cancelled when only the wait was given up.</returns>
    public async ValueTask<FsError> CommitAsync(CancellationToken cancellationToken)
    {
        Task<FsError> running;
        lock (_gate)
        {
            if (IsIsolated)
                return FsError.Isolated;
            if (TransSeq == 0)
                return FsError.None;

            // Nothing was changed since a running one started.
            _running ??= RunCommitAsync();
            running = _running;
        }

        return await running.OrCancelledAsync(cancellationToken);
    }

    /// <summary>Makes what was changed before the call durable; with or without the gate, await without it.</summary>
    /// <remarks>Ends sooner than <see cref="CommitAsync"/>: the next transaction need not be open.</remarks>
    /// <returns>None; Isolated; Cancelled when only the wait was given up.</returns>
    public async ValueTask<FsError> SyncAsync(CancellationToken cancellationToken)
    {
        Task<FsError> durable;
        lock (_gate)
        {
            if (IsIsolated)
                return FsError.Isolated;
            if (TransSeq == 0)
                return FsError.None;
            _running ??= RunCommitAsync();
            durable = _durable.Task;
        }

        return await durable.OrCancelledAsync(cancellationToken);
    }

    /// <summary>Fills <see cref="DataSpace"/> from the data_avail tree; without the gate.</summary>
    internal async ValueTask<FsError> TakeDataAsync(CancellationToken cancellationToken)
    {
        Task<FsError>? running;
        lock (_gate)
        {
            running = _running;
            if (running is null)
            {
                if (IsIsolated)
                    return FsError.Isolated;
                if (_dataSpace.FreeBlocks >= DataSpace.EnoughBlocks)
                    return FsError.None;

                // One at a time, and never beside a commit, which waits for it.
                running = _taking ??= TakeOnceAsync();
            }
        }

        var error = await running.OrCancelledAsync(cancellationToken);
        return error == FsError.WouldBlock ? await CommitAsync(cancellationToken) : error;
    }

    private async Task<FsError> TakeOnceAsync()
    {
        await Task.Yield();
        try
        {
            return await TakePieceAsync();
        }
        finally
        {
            lock (_gate)
                _taking = null;
        }
    }

    // NoSpace; WouldBlock: a commit would bring more.
    private async ValueTask<FsError> TakePieceAsync()
    {
        var avail = _log.DataAvail;

        // A commit brings more unless the leader has no more, and what this mount freed comes back with it.
        bool isLow = (avail.Flags.Value & AllocRoot.FlagLow) != 0
            && _freedData.Count == 0 && _log.DataFreed.TotalLen == 0UL;
        if (avail.TotalLen == 0UL)
            return isLow ? FsError.NoSpace : FsError.WouldBlock;
        var error = await OpenAllocatorAsync();
        if (error != FsError.None)
            return error;
        (error, avail, var taken) = await _extents!.TakeAsync(
            avail, DataSpace.PieceBlocks, CancellationToken.None);
        lock (_gate)
        {
            if (error == FsError.NoSpace)
                return FsError.WouldBlock;
            if (error == FsError.None && taken.Count > 0)
            {
                _log.DataAvail = avail;
                _dataSpace.Add(taken);
                return FsError.None;
            }
        }

        if (error == FsError.None)
            return isLow ? FsError.NoSpace : FsError.WouldBlock;
        Isolate($"Free data extents of this mount cannot be read: {FsErrorTable.TextOf(error)}; {_extents.Fault}.");
        return FsError.Isolated;
    }

    private async ValueTask<FsError> OpenAllocatorAsync()
    {
        if (_allocator is not null)
            return FsError.None;
        var (error, allocator, fault) = await ListAllocator.OpenAsync(
            _cache, _writer, _log.MetaAvail, _log.MetaFreed, CancellationToken.None);
        if (error == FsError.NoSpace)
            return error;
        if (allocator is null)
        {
            Isolate($"Metadata block lists of this mount cannot be read: {FsErrorTable.TextOf(error)}; {fault}.");
            return FsError.Isolated;
        }

        lock (_gate)
        {
            _allocator = allocator;
            _trees = new BtreeWriter(_cache, _writer, allocator);
            _extents = new ExtentAllocator(_cache, _writer, allocator);
        }

        return FsError.None;
    }

    private async Task<FsError> RunCommitAsync()
    {
        IsCommitting = true;
        _durable = new TaskCompletionSource<FsError>(TaskCreationOptions.RunContinuationsAsynchronously);
        var taking = _taking;
        await Task.Yield();
        FsError error;
        try
        {
            if (taking is not null)
                _ = await taking;
            error = await CommitStepsAsync();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Isolate("A commit met a broken invariant: " + exception);
            error = FsError.Isolated;
        }

        lock (_gate)
        {
            IsCommitting = false;
            _running = null;
            CommitCount++;

            // Before somebody starts the next one, whose source this must not be.
            _ = _durable.TrySetResult(error);
        }

        return error;
    }

    private async ValueTask<FsError> CommitStepsAsync()
    {
        if (IsIsolated)
            return FsError.Isolated;
        bool hasBlocks = !IsClean;
        if (hasBlocks)
        {
            var error = await SortIntoBlocksAsync();
            if (error != FsError.None)
                return error;
        }

        while (!IsIsolated)
        {
            var error = await _dataWriteback.FlushAsync(CancellationToken.None);
            if (error == FsError.None && hasBlocks)
                error = await _writer.WriteAllAsync(CancellationToken.None);
            if (error == FsError.None && hasBlocks)
                error = await _metaDevice.FlushAsync(CancellationToken.None);
            if (error == FsError.None)
                error = await _leader.CommitLogTreesAsync(_log, CancellationToken.None);
            if (error == FsError.None)
                break;
            if (!await DelayRetryAsync(error))
                return FsError.Isolated;
        }

        lock (_gate)
        {
            _items.CommitDone();
            _srchEntries.Clear();
            _freedData.Clear();
            _writer.MoveTo(_cache);
            CommitStamp++;
        }

        _ = _durable.TrySetResult(FsError.None);
        while (!IsIsolated)
        {
            var (error, log) = await _leader.GetLogTreesAsync(CancellationToken.None);
            if (error == FsError.None)
            {
                lock (_gate)
                    Begin(log);
                return FsError.None;
            }

            if (!await DelayRetryAsync(error))
                return FsError.Isolated;
        }

        return FsError.Isolated;
    }

    private async ValueTask<bool> DelayRetryAsync(FsError error)
    {
        if (error == FsError.Isolated)
        {
            Isolate("The leader or a device has cut this mount off.");
            return false;
        }

        await Task.Delay(RetryDelay, _time);
        return !IsIsolated;
    }

    // Nothing else touches the writer, the allocator and the log record while this runs.
    private async ValueTask<FsError> SortIntoBlocksAsync()
    {
        var error = await OpenAllocatorAsync();
        if (error == FsError.None)
            error = await WriteItemsAsync();
        if (error == FsError.None && _srchEntries.Count > 0)
            error = await WriteSrchEntriesAsync();
        if (error == FsError.None)
            error = await ReturnDataAsync();
        if (error == FsError.Isolated)
            return error;
        if (error != FsError.None)
        {
            Isolate(
                $"A commit could not be prepared: {FsErrorTable.TextOf(error)}; {_trees?.Fault}{_extents?.Fault}. "
                + "The last committed state stands; mount again.");
            return FsError.Isolated;
        }

        lock (_gate)
        {
            _log.MetaAvail = _allocator!.Avail;
            _log.MetaFreed = _allocator.Freed;
        }

        return FsError.None;
    }

    private async ValueTask<FsError> WriteItemsAsync()
    {
        lock (_gate)
            _items.CopyDirty(_dirty);
        if (_dirty.Count == 0)
            return FsError.None;
        var error = await WriteBloomAsync();
        if (error != FsError.None)
            return error;
        (error, _log.ItemRoot) = await _trees!.ForceManyAsync(_log.ItemRoot, _dirty, CancellationToken.None);
        _log.MaxItemSeq = _dirty.MaxSeq;
        return error;
    }

    // Sets the bits of every lock range with dirty items (engine §4.3).
    private async ValueTask<FsError> WriteBloomAsync()
    {
        var lease = default(Blocks.BlockLease);
        if (!_log.BloomRef.IsNone)
        {
            while (!_cache.TryGet(_log.BloomRef, BlockMagic.Bloom, out lease))
            {
                var result = await _cache.LoadAsync(_log.BloomRef, BlockMagic.Bloom, CancellationToken.None);
                if (result.Error != FsError.None)
                    return result.Error;
            }
        }

        using (lease)
            SetBloomBits(lease.Bytes);
        return FsError.None;
    }

    private void SetBloomBits(ReadOnlySpan<byte> present)
    {
        Span<byte> dirty = default;
        var range = default(LockRange);
        for (int i = 0; i < _dirty.Count; i++)
        {
            if (i > 0 && range.Contains(_dirty.Key(i)))
                continue;
            range = LockRange.Covering(_dirty.Key(i));
            var probe = new BloomProbe(range.Start);
            if (dirty.IsEmpty && !present.IsEmpty && probe.MayBeIn(present))
                continue;
            if (dirty.IsEmpty)
            {
                dirty = present.IsEmpty
                    ? _writer.Create(ref _log.BloomRef, BlockMagic.Bloom, _allocator!)
                    : _writer.Copy(ref _log.BloomRef, BlockMagic.Bloom, present, _allocator!);
            }

            probe.AddTo(dirty);
        }
    }

    private async ValueTask<FsError> ReturnDataAsync()
    {
        foreach (var extent in _dataSpace.Free)
        {
            (var error, _log.DataAvail) = await _extents!.InsertAsync(_log.DataAvail, extent, CancellationToken.None);
            if (error != FsError.None)
                return error;
        }

        foreach (var extent in _freedData)
        {
            (var error, _log.DataFreed) = await _extents!.InsertAsync(_log.DataFreed, extent, CancellationToken.None);
            if (error != FsError.None)
                return error;
        }

        return FsError.None;
    }

    private async ValueTask<FsError> WriteSrchEntriesAsync()
    {
        var log = new SrchLog(_cache, _writer, _allocator!, _log.SrchFile);
        foreach (var entry in _srchEntries)
        {
            if (log.PreparedEntries == 0)
            {
                var error = await log.PrepareAsync(1, CancellationToken.None);
                if (error != FsError.None)
                    return error;
            }

            log.Append(entry);
        }

        _log.SrchFile = log.File;
        return FsError.None;
    }
}
