using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Blocks;

/// <summary>
/// The dirty metadata blocks of one transaction, merge, compaction or server commit: copy on write (engine §1.3).
/// </summary>
/// <remarks>
/// <para>Invariants: 1. a block that a committed root refers to is never written: making it dirty moves it to a fresh
/// blkno with a fresh random seq and a fresh buffer; 2. within one writer a block moves once; 3. the caller has made
/// the parent dirty before the child and stores the child's new reference in it.</para>
/// <para>Nothing here waits or fails: callers check <see cref="RoomBlocks"/> and their allocator first. Not thread
/// safe: one owner, except that readers may lease blocks of the cache at any time.</para>
/// </remarks>
public sealed class BlockWriter : IDisposable
{
    // Constant after construction.
    private readonly IBlockDevice _device;
    private readonly BlockPool _pool;
    private readonly ulong _fsid;
    private readonly Prng _prng;

    // Owned by the writer's one caller.
    private readonly Dictionary<ulong, CachedBlock> _dirty;
    private readonly List<ulong> _order = [];
    private readonly List<ReadOnlyMemory<byte>> _vector = [];

    /// <summary>Creates a writer.</summary>
    /// <param name="device">Metadata device, writable.</param>
    /// <param name="capacityBlocks">Dirty blocks it can hold at a time.</param>
    /// <param name="fsid">The volume's fsid.</param>
    /// <param name="prng">Source of block seqs.</param>
    public BlockWriter(IBlockDevice device, int capacityBlocks, ulong fsid, Prng prng)
    {
        _device = device;
        _pool = new BlockPool(capacityBlocks);
        _fsid = fsid;
        _prng = prng;
        _dirty = new Dictionary<ulong, CachedBlock>(capacityBlocks);
    }

    /// <summary>Blocks that can still be made dirty.</summary>
    public int RoomBlocks => _pool.CapacityBlocks - _dirty.Count;

    /// <summary>Blocks that are dirty now.</summary>
    public int DirtyBlocks => _dirty.Count;

    /// <summary>The contents of a block that is dirty in this writer.</summary>
    public bool TryGet(scoped in BlockRef blockRef, out Span<byte> block)
    {
        if (_dirty.TryGetValue(blockRef.Blkno, out var dirty))
        {
            block = dirty.Block.GetSpan();
            Invariant.Require(Disk.Ref<BlockHeader>(block).Seq == blockRef.Seq);
            return true;
        }

        block = default;
        return false;
    }

    /// <summary>Leases a block that is dirty in this writer, to read it; it must not be changed meanwhile.</summary>
    public bool TryLease(in BlockRef blockRef, out BlockLease lease)
    {
        if (_dirty.TryGetValue(blockRef.Blkno, out var dirty))
        {
            Invariant.Require(Disk.Ref<BlockHeader>(dirty.Block.GetSpan()).Seq == blockRef.Seq);
            _ = Interlocked.Increment(ref dirty.LeaseCount);
            lease = new BlockLease(dirty);
            return true;
        }

        lease = default;
        return false;
    }

    /// <summary>Makes a new block of zeros with a stamped header; sets the reference.</summary>
    public Span<byte> Create(scoped ref BlockRef blockRef, BlockMagic magic, IBlockAllocator allocator)
    {
        var block = Take(allocator, out ulong blkno);
        block.Clear();
        Stamp(block, ref blockRef, magic, blkno);
        return block;
    }

    /// <summary>
    /// Makes a committed block dirty: copies it to a fresh place, frees the old one, updates the reference.
    /// </summary>
    public Span<byte> Copy(
        scoped ref BlockRef blockRef, BlockMagic magic, scoped ReadOnlySpan<byte> contents, IBlockAllocator allocator)
    {
        Invariant.Require(!_dirty.ContainsKey(blockRef.Blkno));
        ulong old = blockRef.Blkno;
        var block = Take(allocator, out ulong blkno);
        contents.CopyTo(block);
        Stamp(block, ref blockRef, magic, blkno);
        allocator.Free(old);
        return block;
    }

    /// <summary>Frees a block, dirty or committed; it must not be referred to any more.</summary>
    public void Free(in BlockRef blockRef, IBlockAllocator allocator)
    {
        if (_dirty.Remove(blockRef.Blkno, out var dirty))
            Return(dirty);
        allocator.Free(blockRef.Blkno);
    }

    /// <summary>Writes every dirty block with its final checksum; adjoining blocks go out as one vector.</summary>
    /// <returns>None: every block is on the device, though not flushed, and stays dirty until <see cref="Forget"/>;
    /// else Io or ReadOnly, and writing may be repeated.</returns>
    public async ValueTask<FsError> WriteAllAsync(CancellationToken cancellationToken)
    {
        _order.Clear();
        _order.AddRange(_dirty.Keys);
        _order.Sort();
        for (int i = 0; i < _order.Count;)
        {
            _vector.Clear();
            ulong first = _order[i];
            for (; i < _order.Count && _order[i] == first + (ulong)_vector.Count && _vector.Count < 16; i++)
                _vector.Add(Seal(_dirty[_order[i]]));
            var error = await _device.WriteAsync(
                (long)(first * FormatConstants.LargeBlockBytes), _vector, cancellationToken);
            if (error != FsError.None)
                return error;
        }

        return FsError.None;
    }

    /// <summary>Hands all dirty blocks, which have been written, to a cache for reading, and forgets them.</summary>
    public void MoveTo(BlockCache cache)
    {
        foreach (var dirty in _dirty.Values)
            cache.Adopt(dirty.Block.GetSpan());
        Forget();
    }

    /// <summary>Forgets all dirty blocks: after they were written and committed, or to abandon the work.</summary>
    public void Forget()
    {
        foreach (var dirty in _dirty.Values)
            Return(dirty);
        _dirty.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        _pool.Dispose();
    }

    private static ReadOnlyMemory<byte> Seal(CachedBlock dirty)
    {
        var block = dirty.Block.GetSpan();
        Disk.Ref<BlockHeader>(block).Crc = Crc32C.Compute(block[4..]);
        return dirty.Block.Memory;
    }

    private void Return(CachedBlock dirty)
    {
        Invariant.Require(Volatile.Read(ref dirty.LeaseCount) == 0);
        _pool.Return(dirty.Block);
    }

    private Span<byte> Take(IBlockAllocator allocator, out ulong blkno)
    {
        var pooled = _pool.TryRent();
        Invariant.Require(pooled is not null);
        blkno = allocator.Allocate();
        _dirty.Add(blkno, new CachedBlock(pooled));
        return pooled.GetSpan();
    }

    private void Stamp(Span<byte> block, scoped ref BlockRef blockRef, BlockMagic magic, ulong blkno)
    {
        ref var header = ref Disk.Ref<BlockHeader>(block);
        header.Magic = (uint)magic;
        header.Fsid = _fsid;
        header.Blkno = blkno;
        header.Seq = _prng.NextUInt64();
        blockRef = new BlockRef(blkno, header.Seq);
    }
}
