using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Keeps the last blocks of a transaction from its holders: the commit itself needs some.</summary>
/// <param name="inner">The transaction's lists.</param>
/// <remarks>Without it a holder that overran its budget could leave a volume on which no commit succeeds.</remarks>
internal sealed class ReservingAllocator(IBlockAllocator inner) : IBlockAllocator
{
    /// <summary>Blocks that are kept back, in either list.</summary>
    public int ReserveBlocks { get; set; }

    /// <inheritdoc/>
    public int AvailableBlocks => inner.AvailableBlocks - ReserveBlocks;

    /// <inheritdoc/>
    public int FreeRoomBlocks => inner.FreeRoomBlocks - ReserveBlocks;

    /// <inheritdoc/>
    public ulong Allocate()
    {
        Invariant.Require(AvailableBlocks > 0);
        return inner.Allocate();
    }

    /// <inheritdoc/>
    public void Free(ulong blkno)
    {
        Invariant.Require(FreeRoomBlocks > 0);
        inner.Free(blkno);
    }
}
