using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Root of a tree of free extents (format §8.1). All zero: empty.</summary>
[OnDisk(40)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct AllocRoot
{
    /// <summary>Bit of <see cref="Flags"/>: the server is low on blocks (format §8.5).</summary>
    public const uint FlagLow = 1;

    /// <summary>Sum of the lengths of all extents, in blocks of the allocator's device.</summary>
    [At(0)]
    public Le64 TotalLen;

    /// <summary>Bit 0: <see cref="FlagLow"/>.</summary>
    [At(8)]
    public Le32 Flags;

    /// <summary>Zero.</summary>
    [At(12)]
    public Le32 Pad;

    /// <summary>Tree with two items an extent, zones 36 and 40.</summary>
    [At(16)]
    public BtreeRoot Root;
}

/// <summary>Head of a list of large blknos (format §8.2). All zero: empty.</summary>
[OnDisk(32)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct AllocListHead
{
    /// <summary>First list block.</summary>
    [At(0)]
    public BlockRef Ref;

    /// <summary>Entries in all list blocks.</summary>
    [At(16)]
    public Le64 TotalNr;

    /// <summary>Entries in the first list block.</summary>
    [At(24)]
    public Le32 FirstNr;

    /// <summary>Bit 0: <see cref="AllocRoot.FlagLow"/>.</summary>
    [At(28)]
    public Le32 Flags;
}

/// <summary>Start of a list block; an array of <see cref="FormatConstants.ListBlockEntries"/> blknos follows.</summary>
/// <remarks>Valid are the entries Start..Start+Nr-1; anything else in the array is undefined (format §8.2).</remarks>
[OnDisk(56)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct AllocListBlock
{
    /// <summary>Block header, magic <see cref="BlockMagic.AllocList"/>.</summary>
    [At(0)]
    public BlockHeader Header;

    /// <summary>Next block of the list.</summary>
    [At(32)]
    public BlockRef Next;

    /// <summary>Index of the first valid entry.</summary>
    [At(48)]
    public Le32 Start;

    /// <summary>Number of valid entries; Start + Nr is at most 8185.</summary>
    [At(52)]
    public Le32 Nr;
}
