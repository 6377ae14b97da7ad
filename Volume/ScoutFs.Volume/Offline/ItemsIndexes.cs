using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Items that say again what inodes and xattrs say: inode index (I97), orphans (I98), index of xattrs (I95), totals
/// (I90). Checks their form and passes on what they claim.
/// </summary>
internal sealed class ItemsIndexes
{
    private readonly ItemsFindings _findings;
    private readonly ItemsCrossReferences _cross;
    private readonly ulong _formatVersion;

    /// <summary>Creates it for one pass.</summary>
    public ItemsIndexes(in SuperBlock super, ItemsFindings findings, ItemsCrossReferences cross)
    {
        _findings = findings;
        _cross = cross;
        _formatVersion = super.FormatVersion;
    }

    /// <summary>An item of the inode index.</summary>
    public void OnInodeIndex(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if ((key.First | key.Fourth) != 0 || value.Length != 0)
            ReportForm("I97", "inode index", key, value.Length);
        _cross.IndexItem(key.Type, key.Second, key.Third);
    }

    /// <summary>An orphan item.</summary>
    public void OnOrphan(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if ((key.First | key.Third | key.Fourth) != 0 || value.Length != 0)
            ReportForm("I98", "orphans", key, value.Length);
        _cross.OrphanItem(key.Second);
    }

    /// <summary>An item of the index of xattrs.</summary>
    public void OnXattrIndex(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if (value.Length != 0)
            ReportForm("I95", "xattr index", key, value.Length);
        else if (_formatVersion < 2)
            ReportVersion(key);
        byte major = (byte)(key.First >> 56);
        ulong minor = (key.First << 8) | (key.Second >> 56);
        ulong ino = (key.Second << 8) | (key.Third >> 56);
        ulong id = (key.Third << 8) | key.Fourth;
        _cross.XattrIndexItem(major, minor, ino, id);
    }

    /// <summary>A total.</summary>
    public void OnTotal(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if (key.Fourth != 0 || value.Length != Disk.SizeOf<XattrTotalItem>())
            ReportTotalForm(key, value.Length);
        if (value.Length < Disk.SizeOf<XattrTotalItem>())
            return;
        ref readonly var total = ref Disk.Ref<XattrTotalItem>(value);
        _cross.TotalItem(key.First, key.Second, key.Third, total.Total, total.Count);
    }

    private void ReportForm(string invariant, string structure, in ItemKey key, int bytes) => _findings.Report(
        invariant,
        structure,
        key.ToString(),
        $"The key has parts that must be 0 and are not, or the item has a value ({bytes} bytes), expected none.");

    private void ReportVersion(in ItemKey key) => _findings.Report(
        "I95", "xattr index", key.ToString(), "Format version 1 has no index of xattrs, expected no such item.");

    private void ReportTotalForm(in ItemKey key, int bytes) => _findings.Report(
        "I90",
        "xattr totals",
        key.ToString(),
        $"The value has {bytes} bytes, expected 16, or the last part of the key is not 0.");
}
