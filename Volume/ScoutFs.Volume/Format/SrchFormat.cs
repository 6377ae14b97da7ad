using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Says that an inode may have an xattr tagged srch (format §12). Order: hash, ino, id.</summary>
[OnDisk(24)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SrchEntry : IEquatable<SrchEntry>
{
    /// <summary>FNV-1a-64 of the xattr's full name.</summary>
    [At(0)]
    public Le64 Hash;

    /// <summary>Inode number.</summary>
    [At(8)]
    public Le64 Ino;

    /// <summary>Id of the xattr.</summary>
    [At(16)]
    public Le64 Id;

    /// <summary>Creates an entry.</summary>
    public SrchEntry(ulong hash, ulong ino, ulong id)
    {
        Hash = hash;
        Ino = ino;
        Id = id;
    }

    /// <summary>Compares by hash, ino, id, each unsigned.</summary>
    public static int Compare(in SrchEntry left, in SrchEntry right)
    {
        if (left.Hash != right.Hash)
            return left.Hash.Value < right.Hash.Value ? -1 : 1;
        if (left.Ino != right.Ino)
            return left.Ino.Value < right.Ino.Value ? -1 : 1;
        return left.Id.Value.CompareTo(right.Id.Value);
    }

    /// <inheritdoc/>
    public readonly bool Equals(SrchEntry other) => Compare(this, other) == 0;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is SrchEntry other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(Hash.Value, Ino.Value, Id.Value);

    /// <summary>True when all three fields are equal.</summary>
    public static bool operator ==(in SrchEntry left, in SrchEntry right) => Compare(left, right) == 0;

    /// <summary>True when a field differs.</summary>
    public static bool operator !=(in SrchEntry left, in SrchEntry right) => Compare(left, right) != 0;

    /// <inheritdoc/>
    public override readonly string ToString() => $"{Hash.Value:x16}.{Ino.Value}.{Id.Value}";
}

/// <summary>A file of srch entries: a radix tree of blocks (format §12.1).</summary>
[OnDisk(88)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SrchFile
{
    /// <summary>Least entry; a hint, see format §12.1.</summary>
    [At(0)]
    public SrchEntry First;

    /// <summary>Greatest entry; a hint.</summary>
    [At(24)]
    public SrchEntry Last;

    /// <summary>Root block: a leaf at height 1, else a parent.</summary>
    [At(48)]
    public BlockRef Ref;

    /// <summary>Leaves, dense from logical block 0.</summary>
    [At(64)]
    public Le64 Blocks;

    /// <summary>Entries in all leaves.</summary>
    [At(72)]
    public Le64 Entries;

    /// <summary>0: no blocks, 1: the root is the only leaf.</summary>
    [At(80)]
    public byte Height;

    /// <summary>Zero.</summary>
    [At(81)]
    public Pad7 Pad;
}

/// <summary>Start of a srch leaf; encoded entries follow at byte 112 (format §12.1).</summary>
[OnDisk(112)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SrchLeafHeader
{
    /// <summary>Block header, magic <see cref="BlockMagic.SrchLeaf"/>.</summary>
    [At(0)]
    public BlockHeader Header;

    /// <summary>Least entry of the block.</summary>
    [At(32)]
    public SrchEntry First;

    /// <summary>Greatest entry of the block.</summary>
    [At(56)]
    public SrchEntry Last;

    /// <summary>The last encoded entry.</summary>
    [At(80)]
    public SrchEntry Tail;

    /// <summary>Entries in the block.</summary>
    [At(104)]
    public Le32 EntryNr;

    /// <summary>Used bytes of the encoding.</summary>
    [At(108)]
    public Le32 EntryBytes;
}

/// <summary>One input of a srch compaction (format §12.2).</summary>
[OnDisk(104)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SrchCompactInput
{
    /// <summary>The input file.</summary>
    [At(0)]
    public SrchFile File;

    /// <summary>SORTED: next input block. DELETE: first logical block not freed at level <see cref="Pos"/>.</summary>
    [At(88)]
    public Le64 Blk;

    /// <summary>SORTED: byte offset in the block. DELETE: level whose references are being freed, 0 means 1.</summary>
    [At(96)]
    public Le64 Pos;
}

/// <summary>The inputs of a srch compaction.</summary>
[InlineArray(FormatConstants.SrchCompactInputs)]
public struct SrchCompactInputArray
{
    private SrchCompactInput _element0;
}

/// <summary>A pending or busy srch compaction (format §12.2).</summary>
[OnDisk(584)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SrchCompact
{
    /// <summary>Flag: inputs are log files, being sorted.</summary>
    public const byte FlagLog = 1;

    /// <summary>Flag: inputs are sorted files, being merged.</summary>
    public const byte FlagSorted = 2;

    /// <summary>Flag: done, the inputs' blocks are being freed.</summary>
    public const byte FlagDelete = 4;

    /// <summary>Flag, only in messages: the phase is complete.</summary>
    public const byte FlagDone = 0x10;

    /// <summary>Flag, only in messages: the worker failed.</summary>
    public const byte FlagError = 0x20;

    /// <summary>Blocks to allocate from.</summary>
    [At(0)]
    public AllocListHead MetaAvail;

    /// <summary>Blocks freed.</summary>
    [At(32)]
    public AllocListHead MetaFreed;

    /// <summary>Blkno of the first input's root.</summary>
    [At(64)]
    public Le64 Id;

    /// <summary>Inputs, 4; readers accept 2..4.</summary>
    [At(72)]
    public byte Nr;

    /// <summary>Exactly one of LOG, SORTED and DELETE on disk.</summary>
    [At(73)]
    public byte Flags;

    /// <summary>Zero.</summary>
    [At(74)]
    public Pad6 Pad;

    /// <summary>File being written; DELETE: a copy of what was inserted.</summary>
    [At(80)]
    public SrchFile Out;

    /// <summary>Inputs.</summary>
    [At(168)]
    public SrchCompactInputArray Inputs;
}
