using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>A run of blocks of a file (format §10.6). What no extent covers is sparse and reads as zeros.</summary>
/// <param name="LogicalBlock">First block in the file, unit 4 KiB, at most 2^52 - 1.</param>
/// <param name="PhysicalBlock">First block on the data device, unit 4 KiB; 0: none.</param>
/// <param name="CountBlocks">Blocks, at least 1.</param>
/// <param name="Flags">Bits <see cref="DataExtentItem.FlagOffline"/>, <see cref="DataExtentItem.FlagUnwritten"/>.
/// </param>
public readonly record struct FileExtent(ulong LogicalBlock, ulong PhysicalBlock, ulong CountBlocks, byte Flags)
{
    /// <summary>Last block of a file that can exist: byte offsets have 64 bits (format §10.6).</summary>
    public const ulong MaxBlock = (1UL << 52) - 1;

    /// <summary>First block after the extent.</summary>
    public ulong EndBlock => LogicalBlock + CountBlocks;

    /// <summary>Contents are archived elsewhere.</summary>
    public bool IsOffline => (Flags & DataExtentItem.FlagOffline) != 0;

    /// <summary>Allocated but never written: reads as zeros (or is offline).</summary>
    public bool IsUnwritten => (Flags & DataExtentItem.FlagUnwritten) != 0;

    /// <summary>Contents are on the data device.</summary>
    public bool IsWritten => Flags == 0 && PhysicalBlock != 0;

    /// <summary>Checks an extent against the format and the device.</summary>
    /// <param name="totalDataBlocks">Blocks of the data device.</param>
    public bool IsValid(ulong totalDataBlocks)
    {
        // A written extent has a place, an offline one has either no place or is preallocated as well.
        bool isKind = PhysicalBlock == 0
            ? Flags == DataExtentItem.FlagOffline
            : Flags is 0 or DataExtentItem.FlagUnwritten
                or (DataExtentItem.FlagOffline | DataExtentItem.FlagUnwritten);
        bool isPlace = PhysicalBlock == 0
            || (PhysicalBlock >= FormatConstants.FirstDataBlkno && PhysicalBlock < totalDataBlocks
                && CountBlocks <= totalDataBlocks - PhysicalBlock);
        return isKind && isPlace && CountBlocks >= 1 && LogicalBlock <= MaxBlock
            && CountBlocks <= MaxBlock + 1 - LogicalBlock;
    }
}
