using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;

namespace ScoutFs.Benchmarks;

/// <summary>Hands out one block after the other and keeps no account.</summary>
internal sealed class CountingAllocator : IBlockAllocator
{
    /// <summary>The next one.</summary>
    public ulong Next { get; set; } = FormatConstants.FirstMetaBlkno;

    /// <inheritdoc/>
    public int AvailableBlocks => int.MaxValue;

    /// <inheritdoc/>
    public int FreeRoomBlocks => int.MaxValue;

    /// <inheritdoc/>
    public ulong Allocate() => Next++;

    /// <inheritdoc/>
    public void Free(ulong blkno)
    {
    }
}
