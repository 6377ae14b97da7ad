using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Blocks;

/// <summary>A fixed number of 64 KiB native blocks, aligned to 4096 bytes, made once and rented many times.</summary>
/// <remarks>
/// Contents of a rented block are whatever its last user left: renting does not zero. The pool never grows; an empty
/// pool answers null and the caller decides (evict, or report <see cref="FsError.NoBuffers"/>). Thread safe. Native
/// memory, so that the garbage-collected heap stays small. Returning a block twice is an invariant violation.
/// </remarks>
public sealed unsafe class BlockPool : IDisposable
{
    /// <summary>Size of every block in bytes.</summary>
    public const int BlockBytes = 65536;

    private const int AlignmentBytes = 4096;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly Stack<PooledBlock> _free;
    private byte* _slab;

    /// <summary>Allocates the pool.</summary>
    /// <param name="capacityBlocks">Number of blocks, at least 1; reserves 64 KiB of address space each.</param>
    public BlockPool(int capacityBlocks)
    {
        Invariant.Require(capacityBlocks > 0);
        CapacityBlocks = capacityBlocks;
        _slab = (byte*)NativeMemory.AlignedAlloc(checked((nuint)capacityBlocks * BlockBytes), AlignmentBytes);
        _free = new Stack<PooledBlock>(capacityBlocks);
        for (int i = capacityBlocks - 1; i >= 0; i--)
            _free.Push(new PooledBlock(_slab + ((nint)i * BlockBytes)));
    }

    /// <summary>Frees the slab when the owner forgot to.</summary>
    ~BlockPool() => FreeSlab();

    /// <summary>Blocks in the pool, rented or not.</summary>
    public int CapacityBlocks { get; }

    /// <summary>Blocks rented now; a test fixture asserts that it returns to zero.</summary>
    public int RentedBlocks
    {
        get
        {
            lock (_latch)
                return CapacityBlocks - _free.Count;
        }
    }

    /// <summary>Takes a block with undefined contents, or null when all are rented.</summary>
    public PooledBlock? TryRent()
    {
        lock (_latch)
        {
            if (!_free.TryPop(out var block))
                return null;
            block.IsRented = true;
            return block;
        }
    }

    /// <summary>Gives a block back; its memory must not be touched afterwards.</summary>
    public void Return(PooledBlock block)
    {
        lock (_latch)
        {
            Invariant.Require(block.IsRented);
            block.IsRented = false;
            _free.Push(block);
        }
    }

    /// <summary>Frees the memory. Every block must have been returned.</summary>
    public void Dispose()
    {
        Invariant.Require(RentedBlocks == 0);
        FreeSlab();
        GC.SuppressFinalize(this);
    }

    private void FreeSlab()
    {
        NativeMemory.AlignedFree(_slab);
        _slab = null;
    }
}

/// <summary>One 64 KiB block of a <see cref="BlockPool"/>.</summary>
public sealed unsafe class PooledBlock : MemoryManager<byte>
{
    private readonly byte* _address;

    /// <summary>Wraps one block of the pool's slab, which outlives it.</summary>
    internal PooledBlock(byte* address) => _address = address;

    /// <summary>Guarded by the pool's latch.</summary>
    internal bool IsRented { get; set; }

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => new(_address, BlockPool.BlockBytes);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new(_address + elementIndex);

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
