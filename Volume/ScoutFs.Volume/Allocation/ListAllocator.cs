using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Allocation;

/// <summary>Metadata blocks of one transaction: from an avail list, given back to a freed list (engine §3.2).</summary>
/// <remarks>
/// <para>List blocks are metadata themselves and move when they are written. The circle is broken once a transaction,
/// in <see cref="OpenAsync"/>: the first two entries of the avail list become the new places of the two head blocks.
/// From then on allocating and freeing only touch these two dirty blocks, never wait and never fail.</para>
/// <para>Only the first block of the avail list is consumed; entries never move from freed to avail here. Not thread
/// safe: one transaction owns it.</para>
/// </remarks>
public sealed class ListAllocator : IBlockAllocator
{
    /// <summary>Free slots of a freed list's head below which a new head is linked in front of it.</summary>
    public const int RotateBelowRoom = FormatConstants.ListBlockEntries / 4;

    private readonly BlockCache _cache;
    private readonly BlockWriter _writer;
    private AllocListHead _avail;
    private AllocListHead _freed;

    private ListAllocator(BlockCache cache, BlockWriter writer, in AllocListHead avail, in AllocListHead freed)
    {
        _cache = cache;
        _writer = writer;
        _avail = avail;
        _freed = freed;
    }

    /// <summary>The avail list as of now; part of what the transaction commits.</summary>
    public AllocListHead Avail => _avail;

    /// <summary>The freed list as of now; part of what the transaction commits.</summary>
    public AllocListHead Freed => _freed;

    /// <inheritdoc/>
    public int AvailableBlocks => (int)_avail.FirstNr.Value;

    /// <inheritdoc/>
    public int FreeRoomBlocks => FormatConstants.ListBlockEntries - (int)_freed.FirstNr.Value;

    /// <summary>Makes both head blocks dirty, so that blocks can be allocated and freed.</summary>
    /// <returns>
    /// None; NoSpace when the avail list has fewer than two entries; Corrupt, Stale, Io, NoBuffers or Cancelled.
    /// </returns>
    public static async ValueTask<(FsError Error, ListAllocator? Allocator, Corruption Fault)> OpenAsync(
        BlockCache cache,
        BlockWriter writer,
        AllocListHead avail,
        AllocListHead freed,
        CancellationToken cancellationToken)
    {
        if (avail.Ref.IsNone || avail.FirstNr < 2 || writer.RoomBlocks < 2)
            return (FsError.NoSpace, null, default);
        var (error, availBlock, fault) = await LeaseAsync(cache, avail, cancellationToken);
        if (error != FsError.None)
            return (error, null, fault);
        var freedBlock = default(BlockLease);
        if (!freed.Ref.IsNone)
            (error, freedBlock, fault) = await LeaseAsync(cache, freed, cancellationToken);
        ListAllocator? allocator = null;
        if (error == FsError.None)
        {
            allocator = new ListAllocator(cache, writer, avail, freed);
            allocator.MoveHeads(availBlock.Bytes, freedBlock.Bytes);
        }

        availBlock.Dispose();
        freedBlock.Dispose();
        return (error, allocator, fault);
    }

    /// <inheritdoc/>
    public ulong Allocate()
    {
        Invariant.Require(_avail.FirstNr > 0);
        var block = DirtyBlock(_avail.Ref);
        ref var list = ref Disk.Ref<AllocListBlock>(block);
        ulong blkno = Entries(block)[(int)list.Start.Value];
        RemoveFirst(ref list, 1);
        _avail.FirstNr = list.Nr;
        _avail.TotalNr = _avail.TotalNr - 1;
        return blkno;
    }

    /// <inheritdoc/>
    public void Free(ulong blkno)
    {
        Invariant.Require(blkno >= FormatConstants.FirstMetaBlkno && blkno < _cache.TotalMetaBlocks);
        var block = DirtyBlock(_freed.Ref);
        ref var list = ref Disk.Ref<AllocListBlock>(block);
        Add(ref list, Entries(block), blkno);
        _freed.FirstNr = list.Nr;
        _freed.TotalNr = _freed.TotalNr + 1;
    }

    /// <summary>
    /// Adds an entry to a list block that has room, behind the last or before the first (format §8.2).
    /// </summary>
    internal static void Add(ref AllocListBlock list, Span<Le64> entries, ulong blkno)
    {
        uint end = list.Start + list.Nr;
        if (end < FormatConstants.ListBlockEntries)
        {
            entries[(int)end] = blkno;
        }
        else
        {
            Invariant.Require(list.Start > 0);
            list.Start = list.Start - 1;
            entries[(int)list.Start.Value] = blkno;
        }

        list.Nr = list.Nr + 1;
    }

    /// <summary>Removes entries from the front of a list block (format §8.2).</summary>
    internal static void RemoveFirst(ref AllocListBlock list, uint count)
    {
        Invariant.Require(list.Nr >= count);
        list.Nr = list.Nr - count;
        list.Start = list.Nr == 0 ? 0 : list.Start + count;
    }

    /// <summary>The entry array of a list block.</summary>
    internal static Span<Le64> Entries(Span<byte> block) =>
        Disk.Slice<Le64>(block, Disk.SizeOf<AllocListBlock>(), FormatConstants.ListBlockEntries);

    private static async ValueTask<(FsError Error, BlockLease Lease, Corruption Fault)> LeaseAsync(
        BlockCache cache, AllocListHead head, CancellationToken cancellationToken)
    {
        BlockLease lease;
        while (!cache.TryGet(head.Ref, BlockMagic.AllocList, out lease))
        {
            var result = await cache.LoadAsync(head.Ref, BlockMagic.AllocList, cancellationToken);
            if (result.Error != FsError.None)
                return (result.Error, default, result.Corruption);
        }

        var fault = Verify(lease.Bytes, head);
        if (!fault.IsFound)
            return (FsError.None, lease, default);
        lease.Dispose();
        return (FsError.Corrupt, default, fault);
    }

    private static Corruption Verify(ReadOnlySpan<byte> block, in AllocListHead head)
    {
        ref readonly var list = ref Disk.Ref<AllocListBlock>(block);
        ulong end = (ulong)list.Start.Value + list.Nr.Value;
        if (end > FormatConstants.ListBlockEntries)
        {
            return new Corruption(
                CorruptionSite.ListHeadBounds, head.Ref.Blkno, FormatConstants.ListBlockEntries, end);
        }

        return list.Nr != head.FirstNr
            ? new Corruption(CorruptionSite.ListHeadCount, head.Ref.Blkno, head.FirstNr, list.Nr)
            : default;
    }

    // Both heads get the places named by the first two avail entries.
    private void MoveHeads(ReadOnlySpan<byte> oldAvail, ReadOnlySpan<byte> oldFreed)
    {
        var places = new HeadPlaces(oldAvail);
        var avail = _writer.Copy(ref _avail.Ref, BlockMagic.AllocList, oldAvail, places);
        ref var availList = ref Disk.Ref<AllocListBlock>(avail);
        RemoveFirst(ref availList, 2);

        // Ascending places make contiguous writes.
        Entries(avail).Slice((int)availList.Start.Value, (int)availList.Nr.Value)
            .Sort(static (left, right) => left.Value.CompareTo(right.Value));
        _avail.FirstNr = availList.Nr;
        _avail.TotalNr = _avail.TotalNr - 2;

        bool hasRoom = !_freed.Ref.IsNone
            && FormatConstants.ListBlockEntries - (int)_freed.FirstNr.Value >= RotateBelowRoom;
        if (hasRoom)
        {
            _ = _writer.Copy(ref _freed.Ref, BlockMagic.AllocList, oldFreed, places);
        }
        else
        {
            var next = _freed.Ref;
            var freed = _writer.Create(ref _freed.Ref, BlockMagic.AllocList, places);
            Disk.Ref<AllocListBlock>(freed).Next = next;
            _freed.FirstNr = 0;
        }

        foreach (ulong blkno in places.Freed)
            Free(blkno);
    }

    private Span<byte> DirtyBlock(in BlockRef blockRef)
    {
        bool isDirty = _writer.TryGet(blockRef, out var block);
        Invariant.Require(isDirty);
        return block;
    }

    // Gives the first two entries of the avail list and remembers what the moves freed.
    private sealed class HeadPlaces : IBlockAllocator
    {
        private readonly ulong[] _places = new ulong[2];
        private readonly ulong[] _freed = new ulong[2];
        private int _taken;
        private int _freedCount;

        public HeadPlaces(ReadOnlySpan<byte> avail)
        {
            ref readonly var list = ref Disk.Ref<AllocListBlock>(avail);
            var entries = Disk.Slice<Le64>(avail, Disk.SizeOf<AllocListBlock>(), FormatConstants.ListBlockEntries);
            _places[0] = entries[(int)list.Start.Value];
            _places[1] = entries[(int)list.Start.Value + 1];
        }

        public int AvailableBlocks => _places.Length - _taken;

        public int FreeRoomBlocks => _freed.Length - _freedCount;

        public ReadOnlySpan<ulong> Freed => _freed.AsSpan(0, _freedCount);

        public ulong Allocate() => _places[_taken++];

        public void Free(ulong blkno) => _freed[_freedCount++] = blkno;
    }
}
