using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>An address of a quorum slot or client (format §4). Family 0: none.</summary>
/// <remarks>
/// Only IPv4 is used. The bytes after the IPv4 form may hold anything in volumes made by Linux; they are kept when a
/// super block is rewritten.
/// </remarks>
[OnDisk(32)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct InetAddress
{
    /// <summary>No address.</summary>
    public const ushort FamilyNone = 0;

    /// <summary>IPv4.</summary>
    public const ushort FamilyIPv4 = 1;

    /// <summary>IPv6, reserved and unsupported.</summary>
    public const ushort FamilyIPv6 = 2;

    /// <summary>0 none, 1 IPv4, 2 IPv6 (reserved).</summary>
    [At(0)]
    public Le16 Family;

    /// <summary>TCP and UDP port, at least 1.</summary>
    [At(2)]
    public Le16 Port;

    /// <summary>The IPv4 address as an integer: 127.0.0.1 is 0x7f000001.</summary>
    [At(4)]
    public Le32 Addr;

    /// <summary>Zero for IPv4, but see remarks.</summary>
    [At(8)]
    public InetRest Rest;
}

/// <summary>Rest of an address union.</summary>
[InlineArray(24)]
public struct InetRest
{
    private byte _element0;
}

/// <summary>All slots of a quorum configuration.</summary>
[InlineArray(FormatConstants.QuorumSlots)]
public struct InetAddressArray
{
    private InetAddress _element0;
}

/// <summary>Configured quorum members (format §4).</summary>
[OnDisk(488)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct QuorumConfig
{
    /// <summary>1 at mkfs, one more at each change.</summary>
    [At(0)]
    public Le64 Version;

    /// <summary>15 slots; slot n's quorum block is small blkno 17 + n.</summary>
    [At(8)]
    public InetAddressArray Slots;
}

/// <summary>64 option values.</summary>
[InlineArray(FormatConstants.VolumeOptions)]
public struct VolumeOptionValues
{
    private Le64 _element0;
}

/// <summary>Options that every mount of the volume follows (format §4).</summary>
[OnDisk(520)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct VolumeOptions
{
    /// <summary>Number of the option data_alloc_zone_blocks, the only one that exists.</summary>
    public const int DataAllocZoneBlocks = 0;

    /// <summary>Bit n set: option n is set.</summary>
    [At(0)]
    public Le64 SetBits;

    /// <summary>Values; zero where the bit is clear.</summary>
    [At(8)]
    public VolumeOptionValues Values;
}

/// <summary>A pair of allocator roots.</summary>
[InlineArray(2)]
public struct AllocRootPair
{
    private AllocRoot _element0;
}

/// <summary>A pair of list heads.</summary>
[InlineArray(2)]
public struct AllocListPair
{
    private AllocListHead _element0;
}

/// <summary>16 bytes of a uuid in RFC 4122 order.</summary>
[InlineArray(16)]
public struct UuidBytes
{
    private byte _element0;
}

/// <summary>Super block: the first 1488 bytes of small block 16 of both devices, then zeros (format §4).</summary>
/// <remarks>
/// The only mutable fixed location besides the quorum blocks. The server writes the metadata device's copy at each
/// commit; the data device's copy stays as mkfs (or an offline tool) wrote it and serves identification only.
/// </remarks>
[OnDisk(1488)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SuperBlock
{
    /// <summary>Bit of <see cref="Flags"/>: this is the metadata device's super block.</summary>
    public const ulong FlagMeta = 1;

    /// <summary>Block header, magic <see cref="BlockMagic.Super"/>; its seq counts super writes.</summary>
    [At(0)]
    public BlockHeader Header;

    /// <summary>Unused, 0.</summary>
    [At(32)]
    public Le64 Id;

    /// <summary>Format version, 1 or 2.</summary>
    [At(40)]
    public Le64 FormatVersion;

    /// <summary>Bit 0: <see cref="FlagMeta"/>.</summary>
    [At(48)]
    public Le64 Flags;

    /// <summary>The volume's uuid, bytes in RFC 4122 order.</summary>
    [At(56)]
    public UuidBytes Uuid;

    /// <summary>Greatest sequence number issued by the server at the last commit.</summary>
    [At(72)]
    public Le64 Seq;

    /// <summary>Next inode number that the server will hand out.</summary>
    [At(80)]
    public Le64 NextIno;

    /// <summary>Inodes in fs_root; the deltas of all log trees items complete it.</summary>
    [At(88)]
    public Le64 InodeCount;

    /// <summary>Size of the metadata device in blocks of 64 KiB, counted from block 0.</summary>
    [At(96)]
    public Le64 TotalMetaBlocks;

    /// <summary>Size of the data device in blocks of 4 KiB, counted from block 0.</summary>
    [At(104)]
    public Le64 TotalDataBlocks;

    /// <summary>Quorum members.</summary>
    [At(112)]
    public QuorumConfig QuorumConfig;

    /// <summary>Free metadata extents, unit 64 KiB: one tree serves allocation, the other takes freed ones.</summary>
    [At(600)]
    public AllocRootPair MetaAlloc;

    /// <summary>Free data extents, unit 4 KiB.</summary>
    [At(680)]
    public AllocRoot DataAlloc;

    /// <summary>Blocks the server may use in a transaction, double buffered (format §8.4).</summary>
    [At(720)]
    public AllocListPair ServerMetaAvail;

    /// <summary>Blocks freed by server transactions, double buffered (format §8.4).</summary>
    [At(784)]
    public AllocListPair ServerMetaFreed;

    /// <summary>Merged file system items.</summary>
    [At(848)]
    public BtreeRoot FsRoot;

    /// <summary>Log trees items of all mounts.</summary>
    [At(872)]
    public BtreeRoot LogsRoot;

    /// <summary>State of a running log merge.</summary>
    [At(896)]
    public BtreeRoot LogMerge;

    /// <summary>One item a mounted client.</summary>
    [At(920)]
    public BtreeRoot MountedClients;

    /// <summary>Srch files and compactions.</summary>
    [At(944)]
    public BtreeRoot SrchRoot;

    /// <summary>Volume options.</summary>
    [At(968)]
    public VolumeOptions VolumeOptions;
}
