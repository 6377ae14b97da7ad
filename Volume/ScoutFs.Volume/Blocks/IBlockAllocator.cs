namespace ScoutFs.Volume.Blocks;

/// <summary>Gives out and takes back large metadata blocks of one transaction; never waits.</summary>
/// <remarks>
/// Port of this layer, implemented by Allocation. A block freed in a transaction is not given out again in the same
/// transaction (format §8.3). Not thread safe: one writer owns it.
/// </remarks>
public interface IBlockAllocator
{
    /// <summary>Blocks that <see cref="Allocate"/> can give now.</summary>
    int AvailableBlocks { get; }

    /// <summary>Blocks that <see cref="Free"/> can take now.</summary>
    int FreeRoomBlocks { get; }

    /// <summary>Takes a block; <see cref="AvailableBlocks"/> must not be 0.</summary>
    ulong Allocate();

    /// <summary>Gives a block back; <see cref="FreeRoomBlocks"/> must not be 0.</summary>
    void Free(ulong blkno);
}
