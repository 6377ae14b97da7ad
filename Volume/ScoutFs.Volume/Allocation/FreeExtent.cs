using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Allocation;

/// <summary>A run of free blocks; the unit is that of the allocator's device (64 KiB or 4 KiB).</summary>
/// <param name="Start">First blkno.</param>
/// <param name="Count">Blocks; 0 means no extent.</param>
public readonly record struct FreeExtent(ulong Start, ulong Count)
{
    /// <summary>First blkno after the run.</summary>
    public ulong End => Start + Count;

    /// <summary>The extent of a zone 36 key.</summary>
    public static FreeExtent FromLocationKey(in ItemKey key) => new(key.First - key.Second + 1, key.Second);

    /// <summary>The extent of a zone 40 key.</summary>
    public static FreeExtent FromSizeKey(in ItemKey key) => new(key.Second - key.Third + 1, key.Third);
}
