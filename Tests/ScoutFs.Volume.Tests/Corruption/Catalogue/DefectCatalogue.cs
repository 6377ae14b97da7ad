using System;
using System.Collections.Generic;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Planting;

/// <summary>
/// The planted defects: at least one for every clause of every invariant that a single change can break. They are
/// written from the format document alone, without a look at how the checker works.
/// </summary>
/// <remarks>
/// <para>Each changes what the invariant is about and nothing else. Where a change would break a second invariant, it
/// is made up for in the same edit (a byte count adjusted, a hash bucket filled again); where that is impossible the
/// entry names the companion.</para>
/// <para>§18 has numbers up to I102 but uses only 77 of them; many state several things at once. Clauses that no change
/// of a volume can break alone, or at all:</para>
/// <list type="bullet">
/// <item>I37 between fs_root and a log: which version counts is left open, so the versions must differ in something
/// that nothing else depends on; planted that way.</item>
/// <item>I39 in the allocators' trees is I41; in log trees it needs bloom bits as well (I89).</item>
/// <item>I60 for a block that is unreachable because its parent is damaged: that is the parent's finding.</item>
/// <item>I99, two rules of equal hash without a gap in their collision numbers: needs two rules with one FNV-1a-64
/// hash.</item>
/// </list>
/// </remarks>
internal static partial class DefectCatalogue
{
    /// <summary>Every entry.</summary>
    public static IEnumerable<PlantedDefect> All =>
    [
        .. Supers, .. Blocks, .. TreeBlocks, .. TreeItems, .. Allocators, .. Accounting, .. SrchFiles, .. ServerTrees,
        .. Logs, .. Links, .. Inodes, .. Extents, .. Attributes, .. Golden,
    ];

    private static PlantedDefect Error(string invariant, string clause, Action<VolumeEditor> plant) =>
        new(invariant, clause, FindingSeverity.Error, plant);

    private static PlantedDefect Error(string invariant, string clause, string variant, Action<VolumeEditor> plant) =>
        new(invariant, clause, FindingSeverity.Error, plant) { Variant = variant };

    private static PlantedDefect Warning(string invariant, string clause, Action<VolumeEditor> plant) =>
        new(invariant, clause, FindingSeverity.Warning, plant);

    private static PlantedDefect Warning(
        string invariant, string clause, string variant, Action<VolumeEditor> plant) =>
        new(invariant, clause, FindingSeverity.Warning, plant) { Variant = variant };

    /// <summary>The format document does not say how bad it is.</summary>
    private static PlantedDefect Either(string invariant, string clause, Action<VolumeEditor> plant) =>
        new(invariant, clause, null, plant);

    private static PlantedDefect Either(string invariant, string clause, string variant, Action<VolumeEditor> plant) =>
        new(invariant, clause, null, plant) { Variant = variant };

    private static ulong Ino(string path) => SampleVolume.Busy.Inos[path];

    private static BtreeRoot FsRoot(VolumeEditor v) => v.Super.FsRoot;

    /// <summary>A block that is free, and stays it.</summary>
    private static ulong FreeBlock(VolumeEditor v) => v.Super.TotalMetaBlocks - 5;

    private static byte[] BytesOf<T>(T value)
        where T : unmanaged
        => Disk.Bytes(in value).ToArray();

    private static T Overlay<T>(byte[] value)
        where T : unmanaged
        => Disk.Ref<T>(value.AsSpan());
}
