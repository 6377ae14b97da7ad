using System;
using System.Threading;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Blocks;

/// <summary>A slot of the <see cref="BlockCache"/>.</summary>
internal sealed class CachedBlock
{
    /// <summary>The slot's memory; constant after construction.</summary>
    public readonly PooledBlock Block;

    /// <summary>Leases out. Raised under the cache's latch, lowered without it, hence interlocked.</summary>
    public int LeaseCount;

    /// <summary>Guarded by the cache's latch. 0: the slot is free.</summary>
    public ulong Blkno;

    /// <summary>Guarded by the cache's latch. Seq of the header.</summary>
    public ulong Seq;

    /// <summary>Guarded by the cache's latch.</summary>
    public BlockMagic Magic;

    /// <summary>Guarded by the cache's latch. Second chance of the clock.</summary>
    public bool IsAccessed;

    /// <summary>Guarded by the cache's latch. Contents are being read: nobody else may look or evict.</summary>
    public bool IsLoading;

    /// <summary>Makes a frame of a cache, still without contents.</summary>
    public CachedBlock(PooledBlock block) => Block = block;
}

/// <summary>Keeps one verified block of the cache in place; dispose exactly once.</summary>
/// <remarks>A value, so that holding a block allocates nothing. A default lease is empty and may be disposed.</remarks>
public struct BlockLease : IDisposable
{
    private CachedBlock? _block;

    /// <summary>Takes over one reference that the cache has counted already.</summary>
    internal BlockLease(CachedBlock block) => _block = block;

    /// <summary>True while a block is held.</summary>
    public readonly bool IsHeld => _block is not null;

    /// <summary>The block's 65536 bytes; valid until disposed. Empty for a default lease.</summary>
    public readonly ReadOnlySpan<byte> Bytes => _block is null ? default : _block.Block.GetSpan();

    /// <summary>Lets the cache reuse the block.</summary>
    public void Dispose()
    {
        if (_block is null)
            return;
        _ = Interlocked.Decrement(ref _block.LeaseCount);
        _block = null;
    }
}
