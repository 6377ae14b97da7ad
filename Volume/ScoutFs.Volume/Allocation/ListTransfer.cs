using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Allocation;

/// <summary>
/// Moves metadata blocks between lists and trees of free extents: what a leader does when it hands blocks out and takes
/// them back (format §8.4, §8.5).
/// </summary>
/// <remarks>
/// None of the lists may be the ones that the transaction's own allocator uses. As with
/// <see cref="ExtentAllocator"/>, an error other than NoSpace can come in the middle of a change: the transaction must
/// be abandoned then. Not thread safe.
/// </remarks>
public sealed class ListTransfer
{
    // Blocks that stay in reserve while a list is filled or drained: its own block and what else the caller stores.
    private const int SpareBlocks = 64;

    private readonly BlockCache _cache;
    private readonly BlockWriter _writer;
    private readonly IBlockAllocator _allocator;
    private readonly ExtentAllocator _extents;
    private readonly List<ulong> _entries = [];

    /// <summary>Creates the transfers of one transaction.</summary>
    public ListTransfer(
        BlockCache cache, BlockWriter writer, IBlockAllocator allocator, ExtentAllocator extents)
    {
        _cache = cache;
        _writer = writer;
        _allocator = allocator;
        _extents = extents;
    }

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Fills the first block of a list from a tree of free extents.</summary>
    /// <param name="list">The list.</param>
    /// <param name="from">The tree.</param>
    /// <param name="target">Entries that the first block shall have, at most 8185.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None, also when the tree or the transaction's blocks ran out before the target; else a read
    /// error.</returns>
    public async ValueTask<(FsError Error, AllocListHead List, AllocRoot From)> FillAsync(
        AllocListHead list, AllocRoot from, int target, CancellationToken cancellationToken)
    {
        Invariant.Require(target <= FormatConstants.ListBlockEntries);
        if (list.FirstNr >= (uint)target || !HasRoomFor(from))
            return (FsError.None, list, from);
        _entries.Clear();
        ulong want = (ulong)target - list.FirstNr;
        while ((ulong)_entries.Count < want && HasRoomFor(from))
        {
            (var error, from, var taken) = await _extents.TakeAsync(
                from, want - (ulong)_entries.Count, cancellationToken);
            if (error != FsError.None)
                return (Fail(error), list, from);
            if (taken.Count == 0)
                break;
            for (ulong blkno = taken.Start; blkno < taken.End; blkno++)
                _entries.Add(blkno);
        }

        if (_entries.Count == 0)
            return (FsError.None, list, from);
        if (list.Ref.IsNone)
        {
            _ = _writer.Create(ref list.Ref, BlockMagic.AllocList, _allocator);
        }
        else
        {
            (var error, list.Ref, _) = await MakeDirtyAsync(list, cancellationToken);
            if (error != FsError.None)
                return (error, list, from);
        }

        AddEntries(ref list);
        return (FsError.None, list, from);
    }

    /// <summary>Gives a list blocks of the transaction's own: for when there are no others.</summary>
    /// <param name="list">The list.</param>
    /// <param name="count">Blocks; fewer when the list has no room. Nothing happens below 1.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None; or a read error.</returns>
    public async ValueTask<(FsError Error, AllocListHead List)> ShareAsync(
        AllocListHead list, int count, CancellationToken cancellationToken)
    {
        count = Math.Min(count, FormatConstants.ListBlockEntries - (int)list.FirstNr.Value);
        if (count < 1 || !HasRoom(count + SpareBlocks))
            return (FsError.None, list);
        if (list.Ref.IsNone)
        {
            _ = _writer.Create(ref list.Ref, BlockMagic.AllocList, _allocator);
        }
        else
        {
            (var error, list.Ref, _) = await MakeDirtyAsync(list, cancellationToken);
            if (error != FsError.None)
                return (error, list);
        }

        _entries.Clear();
        for (int i = 0; i < count; i++)
            _entries.Add(_allocator.Allocate());
        AddEntries(ref list);
        return (FsError.None, list);
    }

    /// <summary>Links a whole list in front of another; every block of it moves.</summary>
    /// <returns>None and the joined list; NoSpace when its blocks do not fit into the transaction; or a read
    /// error.</returns>
    public async ValueTask<(FsError Error, AllocListHead Onto)> SpliceAsync(
        AllocListHead given, AllocListHead onto, CancellationToken cancellationToken)
    {
        if (given.Ref.IsNone)
            return (FsError.None, onto);
        var first = default(BlockRef);
        var previous = default(BlockRef);
        uint count = given.FirstNr;
        for (var blockRef = given.Ref; !blockRef.IsNone;)
        {
            if (!HasRoom(1))
                return (FsError.NoSpace, onto);
            var (error, moved, next) = await MakeDirtyAsync(
                new AllocListHead { Ref = blockRef, FirstNr = count }, cancellationToken, isHead: previous.IsNone);
            if (error != FsError.None)
                return (error, onto);
            if (previous.IsNone)
                first = moved;
            else
                SetNext(previous, moved);
            previous = moved;
            blockRef = next;
        }

        SetNext(previous, onto.Ref);
        onto.Ref = first;
        onto.FirstNr = given.FirstNr;
        onto.TotalNr = onto.TotalNr + given.TotalNr;
        return (FsError.None, onto);
    }

    /// <summary>Moves entries of a list into a tree of free extents, runs of them as one extent.</summary>
    /// <param name="list">The list.</param>
    /// <param name="into">The tree.</param>
    /// <param name="budgetBlocks">Blocks of the transaction that may be used up.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None, also when the budget ended before the list; else a read error.</returns>
    public async ValueTask<(FsError Error, AllocListHead List, AllocRoot Into)> DrainAsync(
        AllocListHead list, AllocRoot into, int budgetBlocks, CancellationToken cancellationToken)
    {
        int floorAvail = _allocator.AvailableBlocks - budgetBlocks;
        int floorFree = _allocator.FreeRoomBlocks - budgetBlocks;
        bool HasBudget(in AllocRoot root) => HasRoomFor(root)
            && _allocator.AvailableBlocks >= floorAvail && _allocator.FreeRoomBlocks >= floorFree;
        while (!list.Ref.IsNone && HasBudget(into))
        {
            var (error, next) = await ReadEntriesAsync(list, cancellationToken);
            if (error != FsError.None)
                return (error, list, into);
            int done = 0;
            while (done < _entries.Count && HasBudget(into))
            {
                int end = done + 1;
                while (end < _entries.Count && _entries[end] == _entries[end - 1] + 1)
                    end++;
                (error, into) = await _extents.InsertAsync(
                    into, new FreeExtent(_entries[done], (ulong)(end - done)), cancellationToken);
                if (error != FsError.None)
                    return (Fail(error), list, into);
                done = end;
            }

            if (done == 0)
                break;
            list.TotalNr = list.TotalNr - (ulong)done;
            if (done == _entries.Count)
            {
                _writer.Free(list.Ref, _allocator);
                list.Ref = next;
                (error, list.FirstNr) = await CountAsync(next, cancellationToken);
                if (error != FsError.None)
                    return (error, list, into);
                continue;
            }

            (error, list.Ref, _) = await MakeDirtyAsync(list, cancellationToken);
            if (error != FsError.None)
                return (error, list, into);
            KeepEntries(ref list, done);
            break;
        }

        return (FsError.None, list, into);
    }

    private bool HasRoomFor(in AllocRoot root) => HasRoom(ExtentAllocator.WorstBlocks(root) + SpareBlocks);

    private bool HasRoom(int blocks) => _allocator.AvailableBlocks >= blocks
        && _allocator.FreeRoomBlocks >= blocks && _writer.RoomBlocks >= blocks;

    // Sorted, so that runs become extents and the tree is changed from left to right.
    private async ValueTask<(FsError Error, BlockRef Next)> ReadEntriesAsync(
        AllocListHead list, CancellationToken cancellationToken)
    {
        var (error, lease) = await LeaseAsync(list, isHead: true, cancellationToken);
        if (error != FsError.None)
            return (error, default);
        _entries.Clear();
        var block = Disk.Ref<AllocListBlock>(lease.Bytes);
        var entries = Disk.Slice<Le64>(
            lease.Bytes, Disk.SizeOf<AllocListBlock>(), FormatConstants.ListBlockEntries);
        foreach (ulong blkno in entries.Slice((int)block.Start.Value, (int)block.Nr.Value))
            _entries.Add(blkno);
        lease.Dispose();
        _entries.Sort();
        return (FsError.None, block.Next);
    }

    private async ValueTask<(FsError Error, Le32 Count)> CountAsync(
        BlockRef blockRef, CancellationToken cancellationToken)
    {
        if (blockRef.IsNone)
            return (FsError.None, 0);
        var (error, lease) = await LeaseAsync(
            new AllocListHead { Ref = blockRef }, isHead: false, cancellationToken);
        if (error != FsError.None)
            return (error, 0);
        var count = Disk.Ref<AllocListBlock>(lease.Bytes).Nr;
        lease.Dispose();
        return (FsError.None, count);
    }

    private void AddEntries(ref AllocListHead list)
    {
        bool isDirty = _writer.TryGet(list.Ref, out var bytes);
        Invariant.Require(isDirty);
        ref var block = ref Disk.Ref<AllocListBlock>(bytes);
        foreach (ulong blkno in _entries)
            ListAllocator.Add(ref block, ListAllocator.Entries(bytes), blkno);
        list.FirstNr = block.Nr;
        list.TotalNr = list.TotalNr + (ulong)_entries.Count;
    }

    private void KeepEntries(ref AllocListHead list, int from)
    {
        bool isDirty = _writer.TryGet(list.Ref, out var bytes);
        Invariant.Require(isDirty);
        ref var block = ref Disk.Ref<AllocListBlock>(bytes);
        var entries = ListAllocator.Entries(bytes);
        for (int i = from; i < _entries.Count; i++)
            entries[i - from] = _entries[i];
        block.Start = 0;
        block.Nr = (uint)(_entries.Count - from);
        list.FirstNr = block.Nr;
    }

    private void SetNext(in BlockRef blockRef, in BlockRef next)
    {
        bool isDirty = _writer.TryGet(blockRef, out var bytes);
        Invariant.Require(isDirty);
        Disk.Ref<AllocListBlock>(bytes).Next = next;
    }

    private async ValueTask<(FsError Error, BlockRef Ref, BlockRef Next)> MakeDirtyAsync(
        AllocListHead list, CancellationToken cancellationToken, bool isHead = true)
    {
        var (error, lease) = await LeaseAsync(list, isHead, cancellationToken);
        if (error != FsError.None)
            return (error, default, default);
        var next = Disk.Ref<AllocListBlock>(lease.Bytes).Next;
        var blockRef = list.Ref;
        if (!_writer.TryGet(blockRef, out _))
            _ = _writer.Copy(ref blockRef, BlockMagic.AllocList, lease.Bytes, _allocator);
        lease.Dispose();
        return (FsError.None, blockRef, next);
    }

    private async ValueTask<(FsError Error, BlockLease Lease)> LeaseAsync(
        AllocListHead list, bool isHead, CancellationToken cancellationToken)
    {
        BlockLease lease;
        while (!_writer.TryLease(list.Ref, out lease) && !_cache.TryGet(list.Ref, BlockMagic.AllocList, out lease))
        {
            var result = await _cache.LoadAsync(list.Ref, BlockMagic.AllocList, cancellationToken);
            Fault = result.Corruption;
            if (result.Error != FsError.None)
                return (result.Error, default);
        }

        Fault = Verify(lease.Bytes, list, isHead);
        if (!Fault.IsFound)
            return (FsError.None, lease);
        lease.Dispose();
        return (FsError.Corrupt, default);
    }

    private static Corruption Verify(ReadOnlySpan<byte> bytes, in AllocListHead list, bool isHead)
    {
        ref readonly var block = ref Disk.Ref<AllocListBlock>(bytes);
        ulong end = (ulong)block.Start.Value + block.Nr.Value;
        if (end > FormatConstants.ListBlockEntries)
        {
            return new Corruption(
                CorruptionSite.TransferListBounds, list.Ref.Blkno, FormatConstants.ListBlockEntries, end);
        }

        return isHead && block.Nr != list.FirstNr
            ? new Corruption(CorruptionSite.TransferListCount, list.Ref.Blkno, list.FirstNr, block.Nr)
            : default;
    }

    private FsError Fail(FsError error)
    {
        Fault = _extents.Fault;
        return error;
    }
}
