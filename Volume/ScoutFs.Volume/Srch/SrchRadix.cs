using System;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Srch;

/// <summary>The radix tree of blocks that a srch file is (format §12.1). Pure, any thread, no allocation.</summary>
internal static class SrchRadix
{
    /// <summary>Greatest height: more blocks than that have no number.</summary>
    public const int MaxHeight = 7;

    /// <summary>Height a file needs so that it can have a logical block.</summary>
    public static int HeightFor(ulong block)
    {
        if (block == 0)
            return 1;
        int height = 2;
        while (SpanOf(height) <= block)
            height++;
        return height;
    }

    /// <summary>Logical blocks below one block of the given height, saturating.</summary>
    public static ulong SpanOf(int height)
    {
        ulong span = 1;
        for (int i = 1; i < height; i++)
        {
            span = span > ulong.MaxValue / FormatConstants.SrchParentRefs
                ? ulong.MaxValue
                : span * FormatConstants.SrchParentRefs;
        }

        return span;
    }

    /// <summary>Index of the reference that leads from a parent at a level (1 and up) to a logical block.</summary>
    public static int IndexAt(ulong block, int level) =>
        (int)(block / SpanOf(level) % FormatConstants.SrchParentRefs);

    /// <summary>Magic of the blocks at a level.</summary>
    public static BlockMagic MagicAt(int level) => level == 0 ? BlockMagic.SrchLeaf : BlockMagic.SrchParent;

    /// <summary>References of a parent.</summary>
    public static Span<BlockRef> Refs(Span<byte> parent) =>
        Disk.Slice<BlockRef>(parent, Disk.SizeOf<BlockHeader>(), FormatConstants.SrchParentRefs);

    /// <summary>References of a parent.</summary>
    public static ReadOnlySpan<BlockRef> Refs(ReadOnlySpan<byte> parent) =>
        Disk.Slice<BlockRef>(parent, Disk.SizeOf<BlockHeader>(), FormatConstants.SrchParentRefs);

    /// <summary>The encoded bytes of a leaf, and all that may follow them.</summary>
    public static Span<byte> Encoded(Span<byte> leaf) => leaf[Disk.SizeOf<SrchLeafHeader>()..];

    /// <summary>The encoded bytes of a leaf, and all that may follow them.</summary>
    public static ReadOnlySpan<byte> Encoded(ReadOnlySpan<byte> leaf) => leaf[Disk.SizeOf<SrchLeafHeader>()..];

    /// <summary>Whether height, root and number of blocks fit together (I70).</summary>
    public static bool IsShapeGood(in SrchFile file)
    {
        if (file.Height == 0)
            return file.Ref.IsNone && file.Blocks == 0;
        return file.Height <= MaxHeight
            && !file.Ref.IsNone
            && file.Blocks > 0
            && file.Height >= HeightFor(file.Blocks - 1);
    }

    /// <summary>Leases a block on the way to, or at, a logical block.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="writer">Transaction whose dirty blocks are part of the file, or null.</param>
    /// <param name="file">A file of good shape.</param>
    /// <param name="block">Logical block, below <see cref="SrchFile.Blocks"/>.</param>
    /// <param name="level">Level of the wanted block, 0: the leaf.</param>
    /// <param name="lease">The block, with Found.</param>
    /// <param name="needed">Block to load, with NeedBlock.</param>
    /// <param name="neededMagic">Its type.</param>
    /// <returns>Found, NeedBlock, or Corrupt when a reference is missing.</returns>
    public static BtreeStatus TryLease(
        BlockCache cache,
        BlockWriter? writer,
        in SrchFile file,
        ulong block,
        int level,
        out BlockLease lease,
        out BlockRef needed,
        out BlockMagic neededMagic)
    {
        needed = file.Ref;
        for (int at = file.Height - 1; ; at--)
        {
            neededMagic = MagicAt(at);
            lease = default;
            bool isHeld = (writer is not null && writer.TryLease(needed, out lease))
                || cache.TryGet(needed, neededMagic, out lease);
            if (!isHeld)
                return BtreeStatus.NeedBlock;
            if (at == level)
                return BtreeStatus.Found;
            needed = Refs(lease.Bytes)[IndexAt(block, at)];
            lease.Dispose();
            if (needed.IsNone)
                return BtreeStatus.Corrupt;
        }
    }
}
