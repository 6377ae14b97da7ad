using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>First 32 bytes of every metadata block, small and large (format §3).</summary>
[OnDisk(32)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BlockHeader
{
    /// <summary>CRC-32C register (no final inversion) over the block from byte 4 to its end.</summary>
    [At(0)]
    public Le32 Crc;

    /// <summary>Block type, one of <see cref="BlockMagic"/>.</summary>
    [At(4)]
    public Le32 Magic;

    /// <summary>The volume's random id, the same in every block.</summary>
    [At(8)]
    public Le64 Fsid;

    /// <summary>Version of this block: random for large blocks, equals the reference's seq; 1 from mkfs.</summary>
    [At(16)]
    public Le64 Seq;

    /// <summary>Own location in the block's own unit (4 KiB or 64 KiB).</summary>
    [At(24)]
    public Le64 Blkno;
}

/// <summary>Reference to one large metadata block (format §3). All zero: no block.</summary>
/// <remarks>Both fields must equal the header of the block that was read; a mismatch is stale or corrupt.</remarks>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BlockRef
{
    /// <summary>Block number, unit 64 KiB. 0 means no block.</summary>
    [At(0)]
    public Le64 Blkno;

    /// <summary>Seq stamped into the header when the block was dirtied.</summary>
    [At(8)]
    public Le64 Seq;

    /// <summary>Creates a reference.</summary>
    public BlockRef(ulong blkno, ulong seq)
    {
        Blkno = blkno;
        Seq = seq;
    }

    /// <summary>True when it refers to no block.</summary>
    public readonly bool IsNone => Blkno.Value == 0;

    /// <summary>True when both references name the same version of the same block.</summary>
    public readonly bool SameAs(in BlockRef other) => Blkno == other.Blkno && Seq == other.Seq;

    /// <inheritdoc/>
    public override readonly string ToString() => $"blkno {Blkno.Value} seq {Seq.Value:x16}";
}

/// <summary>Root of a btree (format §7.1). Height 0: empty, reference zero.</summary>
[OnDisk(24)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BtreeRoot
{
    /// <summary>The root block.</summary>
    [At(0)]
    public BlockRef Ref;

    /// <summary>Levels of the tree, 0..20; the root block has level Height - 1, leaves have level 0.</summary>
    [At(16)]
    public byte Height;

    /// <summary>Zero.</summary>
    [At(17)]
    public Pad7 Pad;

    /// <summary>True when the tree has no block.</summary>
    public readonly bool IsEmpty => Height == 0;
}

/// <summary>Seconds and nanoseconds since 1970 (format §10.1).</summary>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Timespec
{
    /// <summary>Seconds since 1970-01-01 UTC, signed.</summary>
    [At(0)]
    public LeI64 Sec;

    /// <summary>Nanoseconds, 0..999 999 999.</summary>
    [At(8)]
    public Le32 Nsec;

    /// <summary>Zero.</summary>
    [At(12)]
    public Le32 Pad;
}

/// <summary>Three zero bytes.</summary>
[InlineArray(3)]
public struct Pad3
{
    private byte _element0;
}

/// <summary>Five zero bytes.</summary>
[InlineArray(5)]
public struct Pad5
{
    private byte _element0;
}

/// <summary>Six zero bytes.</summary>
[InlineArray(6)]
public struct Pad6
{
    private byte _element0;
}

/// <summary>Seven zero bytes.</summary>
[InlineArray(7)]
public struct Pad7
{
    private byte _element0;
}
