using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Tests.Srch;

/// <summary>Writes and reads whole srch files.</summary>
internal static class SrchFiles
{
    /// <summary>Writes a committed file.</summary>
    public static async Task<SrchFile> WriteAsync(MetaWorld world, IReadOnlyList<SrchEntry> entries)
    {
        if (entries.Count == 0)
            return default;
        var log = new SrchLog(world.Cache, world.Writer, world, default);
        Assert.That(await log.PrepareAsync(entries.Count, CancellationToken.None), Is.EqualTo(FsError.None));
        foreach (var entry in entries)
            log.Append(entry);
        await world.CommitAsync();
        return log.File;
    }

    /// <summary>Reads a committed file.</summary>
    public static async Task<List<SrchEntry>> ReadAsync(MetaWorld world, SrchFile file)
    {
        var entries = new List<SrchEntry>();
        using var cursor = new SrchFileCursor(world.Cache, readAheadBlocks: 2);
        cursor.SetFile(file);
        var status = await cursor.MoveNextAsync(CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None))
            entries.Add(cursor.Entry);
        Assert.That(status, Is.EqualTo(BtreeStatus.End), $"{cursor.Fault}");
        return entries;
    }

    /// <summary>Reference of a leaf of a file of height 2.</summary>
    public static async Task<BlockRef> LeafAsync(MetaWorld world, SrchFile file, int leaf)
    {
        Assert.That(file.Height, Is.EqualTo(2));
        var parent = await world.ReadAsync(file.Ref, BlockMagic.SrchParent);
        return Disk.Ref<BlockRef>(parent, 32 + (16 * leaf));
    }
}
