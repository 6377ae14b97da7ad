using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Start of a btree block; the item array follows at byte 48 (format §7.1).</summary>
[OnDisk(48)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BtreeBlockHeader
{
    /// <summary>Byte offset of the leaf hash, which is also the end of a leaf's value area.</summary>
    public const int LeafHashOffset = 62512;

    /// <summary>Buckets of the leaf hash, 2 bytes each.</summary>
    public const int LeafHashBuckets = 1512;

    /// <summary>AVL node offsets count from this byte of the block (format §7.3).</summary>
    public const int NodeBase = 32;

    /// <summary>Block header, magic <see cref="BlockMagic.Btree"/>.</summary>
    [At(0)]
    public BlockHeader Header;

    /// <summary>Node offset of the AVL tree's root, 0: no items.</summary>
    [At(32)]
    public Le16 ItemRoot;

    /// <summary>Items in the array.</summary>
    [At(34)]
    public Le16 NrItems;

    /// <summary>Sum over items of 56 + value length rounded up to 8.</summary>
    [At(36)]
    public Le16 TotalItemBytes;

    /// <summary>Contiguous free bytes right after the item array.</summary>
    [At(38)]
    public Le16 MidFreeLen;

    /// <summary>0: leaf.</summary>
    [At(40)]
    public byte Level;

    /// <summary>Zero.</summary>
    [At(41)]
    public Pad7 Pad;
}

/// <summary>Links of an item in its block's AVL tree, as node offsets; 0: none (format §7.3).</summary>
[OnDisk(8)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct AvlNode
{
    /// <summary>Parent node, 0 in the root.</summary>
    [At(0)]
    public Le16 Parent;

    /// <summary>Subtree of smaller keys.</summary>
    [At(2)]
    public Le16 Left;

    /// <summary>Subtree of greater keys.</summary>
    [At(4)]
    public Le16 Right;

    /// <summary>1 in a leaf node.</summary>
    [At(6)]
    public byte Height;

    /// <summary>Zero.</summary>
    [At(7)]
    public byte Pad;
}

/// <summary>One item of a btree block (format §7.1).</summary>
[OnDisk(56)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BtreeItem
{
    /// <summary>Bit of <see cref="Flags"/>: the key does not exist in this version (format §7.7).</summary>
    public const byte FlagDeletion = 1;

    /// <summary>Links in key order.</summary>
    [At(0)]
    public AvlNode Node;

    /// <summary>Key, unique in its tree.</summary>
    [At(8)]
    public ItemKey Key;

    /// <summary>Version of the item; meaningful in fs_root and log item trees only (format §7.7).</summary>
    [At(40)]
    public Le64 Seq;

    /// <summary>Byte offset of the value in the block, multiple of 8; 0 without a value.</summary>
    [At(48)]
    public Le16 ValOff;

    /// <summary>Length of the value in bytes, 0..896.</summary>
    [At(50)]
    public Le16 ValLen;

    /// <summary>Bit 0: <see cref="FlagDeletion"/>.</summary>
    [At(52)]
    public byte Flags;

    /// <summary>Zero.</summary>
    [At(53)]
    public Pad3 Pad;
}
