using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <content>Data extents (format §10.6).</content>
public sealed partial class VolumeReader
{
    /// <summary>Reads extents of a file in ascending order.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="firstBlock">First block wanted, unit 4 KiB; the first extent may start before it.</param>
    /// <param name="page">Receives the extents; cleared first.</param>
    /// <param name="maxExtents">Extents wanted, at least 1.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>True when the page is full: go on at the end of its last extent. False: that was the end.</returns>
    /// <exception cref="VolumeException">An extent breaks the format or overlaps, or cannot be read.</exception>
    public async ValueTask<bool> ReadExtentsAsync(
        ulong ino,
        ulong firstBlock,
        List<FileExtent> page,
        int maxExtents,
        CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            page.Clear();
            ulong previousEnd = 0;
            var status = await _cursor.SeekAsync(
                Keys.DataExtent(ino, firstBlock, 1),
                Keys.DataExtent(ino, ulong.MaxValue, ulong.MaxValue),
                cancellationToken);
            while (status == BtreeStatus.Found)
            {
                var extent = ReadExtent(ino, previousEnd);
                previousEnd = extent.EndBlock;
                page.Add(extent);
                if (page.Count == maxExtents)
                    return true;
                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
                return false;
            await RecoverAsync(attempt, "read the extents of", "inode", ino, cancellationToken);
        }
    }

    private FileExtent ReadExtent(ulong ino, ulong previousEnd)
    {
        var key = _cursor.Key;
        var value = _cursor.Value;
        if (value.Length != Disk.SizeOf<DataExtentItem>())
        {
            throw Damage(
                new Corruption(
                    CorruptionSite.ItemValueLength,
                    _cursor.LeafBlkno,
                    (ulong)Disk.SizeOf<DataExtentItem>(),
                    (ulong)value.Length),
                $"read an extent of inode {ino}");
        }

        ref readonly var item = ref Disk.Ref<DataExtentItem>(value);
        ulong last = key.Second;
        ulong count = key.Third;
        var extent = new FileExtent(last - count + 1, item.Blkno, count, item.Flags);
        bool isGood = extent.IsValid(_volume.Super.TotalDataBlocks) && extent.LogicalBlock >= previousEnd;
        return isGood
            ? extent
            : throw Damage(
                new Corruption(CorruptionSite.ExtentShape, _cursor.LeafBlkno, previousEnd, last),
                $"read an extent of inode {ino}");
    }
}
