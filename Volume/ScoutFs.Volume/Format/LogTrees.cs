using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Bitmap of 1024 data zones: zone n is bit n%8 of byte n/8.</summary>
[InlineArray(FormatConstants.DataZones / 8)]
public struct ZoneBitmap
{
    private byte _element0;
}

/// <summary>Log trees item: what a mount owns (format §9.1).</summary>
/// <remarks>Key (rid, nr) in logs_root. Each mount has one open item; older finalized ones may remain.</remarks>
[OnDisk(472)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LogTrees
{
    /// <summary>Bit of <see cref="Flags"/>: nothing more will be written to this tree.</summary>
    public const ulong FlagFinalized = 1;

    /// <summary>Metadata blocks for the mount's transaction.</summary>
    [At(0)]
    public AllocListHead MetaAvail;

    /// <summary>Metadata blocks the mount stopped referencing.</summary>
    [At(32)]
    public AllocListHead MetaFreed;

    /// <summary>Tree of logged file system items.</summary>
    [At(64)]
    public BtreeRoot ItemRoot;

    /// <summary>Bloom block of the item tree.</summary>
    [At(88)]
    public BlockRef BloomRef;

    /// <summary>Data extents the mount may allocate from.</summary>
    [At(104)]
    public AllocRoot DataAvail;

    /// <summary>Data extents freed by committed transactions.</summary>
    [At(144)]
    public AllocRoot DataFreed;

    /// <summary>Unsorted srch entries.</summary>
    [At(184)]
    public SrchFile SrchFile;

    /// <summary>Zone size used for <see cref="DataAllocZones"/>, in 4 KiB blocks, or 0.</summary>
    [At(272)]
    public Le64 DataAllocZoneBlocks;

    /// <summary>Zones that intersect <see cref="DataAvail"/>.</summary>
    [At(280)]
    public ZoneBitmap DataAllocZones;

    /// <summary>Inodes created minus deleted in the item tree.</summary>
    [At(408)]
    public LeI64 InodeCountDelta;

    /// <summary>Seq of the last opened transaction.</summary>
    [At(416)]
    public Le64 GetTransSeq;

    /// <summary>Seq of the last committed transaction; less than the above while one is open.</summary>
    [At(424)]
    public Le64 CommitTransSeq;

    /// <summary>Greatest item seq written in the last transaction with dirty items.</summary>
    [At(432)]
    public Le64 MaxItemSeq;

    /// <summary>Seq at which the tree was finalized, else 0.</summary>
    [At(440)]
    public Le64 FinalizeSeq;

    /// <summary>Mount's id, as in the key.</summary>
    [At(448)]
    public Le64 Rid;

    /// <summary>Number of the tree within its mount, as in the key, from 1.</summary>
    [At(456)]
    public Le64 Nr;

    /// <summary>Bit 0: <see cref="FlagFinalized"/>.</summary>
    [At(464)]
    public Le64 Flags;

    /// <summary>True when nothing more will be written to this tree.</summary>
    public readonly bool IsFinalized => (Flags.Value & FlagFinalized) != 0;
}

/// <summary>Start of a bloom block; the bitmap follows at byte 40 (format §9.3).</summary>
[OnDisk(40)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BloomBlockHeader
{
    /// <summary>Block header, magic <see cref="BlockMagic.Bloom"/>.</summary>
    [At(0)]
    public BlockHeader Header;

    /// <summary>Number of set bits.</summary>
    [At(32)]
    public Le64 TotalSet;
}

/// <summary>One mounted client (format §13.1), key (28, rid).</summary>
[OnDisk(40)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MountedClient
{
    /// <summary>Bit of <see cref="Flags"/>: the mount is a quorum member.</summary>
    public const byte FlagQuorum = 1;

    /// <summary>Client's source address as the server saw it.</summary>
    [At(0)]
    public InetAddress Address;

    /// <summary>Bit 0: <see cref="FlagQuorum"/>.</summary>
    [At(32)]
    public byte Flags;

    /// <summary>Linux may leave garbage here.</summary>
    [At(33)]
    public Pad7 Pad;
}
