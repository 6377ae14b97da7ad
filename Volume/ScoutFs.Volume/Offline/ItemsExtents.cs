using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Data extents: valid, disjoint, in regular files only, inside the device, counts as the inode says (I96). Passes the
/// blocks on to whoever accounts for the device.
/// </summary>
internal sealed class ItemsExtents
{
    private const ulong MaxLastBlock = (1UL << 52) - 1;
    private const byte KnownFlags = DataExtentItem.FlagOffline | DataExtentItem.FlagUnwritten;

    private readonly ItemsFindings _findings;
    private readonly IExtentSink? _sink;
    private readonly ItemsGroup _group;
    private readonly ulong _totalBlocks;

    private ulong _extents;
    private bool _isFaulty;
    private ulong _onlineBlocks;
    private ulong _offlineBlocks;

    // The extent before: the first block after it, and what it maps to.
    private bool _hasNeighbour;
    private ulong _end;
    private ulong _mappedEnd;
    private byte _flags;

    /// <summary>Creates it for one pass.</summary>
    /// <param name="super">Knows the size of the data device.</param>
    /// <param name="findings">Takes findings.</param>
    /// <param name="sink">Takes extents on the device, or null.</param>
    /// <param name="group">The current inode.</param>
    public ItemsExtents(in SuperBlock super, ItemsFindings findings, IExtentSink? sink, ItemsGroup group)
    {
        _findings = findings;
        _sink = sink;
        _group = group;
        _totalBlocks = super.TotalDataBlocks;
    }

    /// <summary>The inode has extents.</summary>
    public bool HasExtents => _extents > 0;

    /// <summary>Starts with another inode.</summary>
    public void Begin()
    {
        _extents = 0;
        _hasNeighbour = false;
        _isFaulty = false;
        _onlineBlocks = 0;
        _offlineBlocks = 0;
    }

    /// <summary>An extent.</summary>
    public void OnExtent(in ItemKey key, ReadOnlySpan<byte> value)
    {
        _extents++;
        ulong last = key.Second;
        ulong count = key.Third;
        if (value.Length != Disk.SizeOf<DataExtentItem>())
        {
            Report(key, $"The extent's value has {value.Length} bytes, expected 16.");
            return;
        }

        // The last block number is small enough for last + 1 not to wrap.
        if (count == 0 || last > MaxLastBlock || count > last + 1 || key.Fourth != 0)
        {
            Report(key, $"The key says {count} blocks up to block {last}, which no file can have.");
            return;
        }

        ref readonly var extent = ref Disk.Ref<DataExtentItem>(value);
        ulong first = last - count + 1;
        ulong blkno = extent.Blkno;
        byte flags = extent.Flags;
        CheckValue(key, extent);
        if (_hasNeighbour)
            CheckNeighbour(key, first, blkno, flags);
        _hasNeighbour = true;
        _end = last + 1;
        _flags = flags;
        _mappedEnd = blkno == 0 ? 0 : blkno + count;
        if (blkno != 0 && (flags & DataExtentItem.FlagUnwritten) == 0)
            _onlineBlocks += count;
        else if ((flags & DataExtentItem.FlagOffline) != 0)
            _offlineBlocks += count;
        if (blkno == 0)
            return;
        if (blkno < FormatConstants.FirstDataBlkno || blkno >= _totalBlocks || count > _totalBlocks - blkno)
            ReportOutside(key, blkno, count);
        else
            _sink?.OnDataExtent(key.First, first, blkno, count);
    }

    /// <summary>All items of the inode have passed by.</summary>
    public void End()
    {
        if (!_group.IsReadable || _findings.HasFault(_group.Ino, InodeBlame.TypeUnclear))
            return;
        if (_extents > 0 && _group.TypeBits != FileMode.Regular)
        {
            SuspectType();
            return;
        }

        // The extents of an unlinked inode are freed before it is deleted, without its counts being kept.
        bool areCountsKept = _group.Inode.Nlink != 0;
        if (areCountsKept && !_isFaulty
            && (_group.Inode.OnlineBlocks != _onlineBlocks || _group.Inode.OfflineBlocks != _offlineBlocks))
        {
            SuspectCounts();
        }
    }

    // The four forms that are stored (format §10.6).
    private static bool IsForm(ulong blkno, byte flags) => blkno == 0
        ? flags == DataExtentItem.FlagOffline
        : flags is 0 or DataExtentItem.FlagUnwritten or KnownFlags;

    private void CheckValue(in ItemKey key, in DataExtentItem extent)
    {
        if ((extent.Flags & ~KnownFlags) != 0 || !IsForm(extent.Blkno, extent.Flags))
            ReportForm(key, extent.Blkno, extent.Flags);
        ref readonly var pad = ref extent.Pad;
        if ((pad[0] | pad[1] | pad[2] | pad[3] | pad[4] | pad[5] | pad[6]) != 0)
            ReportPad(key);
    }

    // Extents come in the order of their last blocks.
    private void CheckNeighbour(in ItemKey key, ulong first, ulong blkno, byte flags)
    {
        if (first < _end)
            ReportOverlap(key, first);
        else if (first == _end && flags == _flags && blkno == _mappedEnd)
            ReportUnmerged(key, first);
    }

    private void Report(in ItemKey key, string what)
    {
        _isFaulty = true;
        _findings.Report("I96", _group.Structure, key.ToString(), what);
    }

    private void ReportForm(in ItemKey key, ulong blkno, byte flags) => Report(
        key,
        $"The extent has blkno {blkno} and flags 0x{flags:x}, expected a blkno and flags 0, 2 or 3, or no blkno and "
        + "flags 1.");

    private void ReportPad(in ItemKey key) => Report(key, "The unused bytes of the extent are not zero.");

    private void ReportOverlap(in ItemKey key, ulong first) =>
        Report(key, $"The extent starts at block {first}, but the one before reaches to block {_end - 1}.");

    private void ReportUnmerged(in ItemKey key, ulong first) => _findings.Report(
        "I96",
        _group.Structure,
        key.ToString(),
        $"The extent at block {first} continues the one before and should have been merged with it.",
        FindingSeverity.Warning);

    private void ReportOutside(in ItemKey key, ulong blkno, ulong count)
    {
        // Nothing else is wrong with the extent.
        _findings.Report(
            "I96",
            _group.Structure,
            key.ToString(),
            $"The extent has {count} blocks from {blkno}, but file contents are in blocks "
            + $"{FormatConstants.FirstDataBlkno} to {_totalBlocks - 1} of the data device.");
    }

    private void SuspectType()
    {
        string type = ItemsGroup.NameOfType(ItemsGroup.TypeOf(_group.TypeBits));
        _findings.Suspect(
            "I96",
            _group.Structure,
            "data extents",
            $"The inode is a {type}, but has {_extents} data extents, which only regular files have.");
    }

    private void SuspectCounts() => _findings.Suspect(
        "I96",
        _group.Structure,
        "online_blocks, offline_blocks",
        $"The inode says {_group.Inode.OnlineBlocks} online and {_group.Inode.OfflineBlocks} offline blocks, but its "
        + $"extents have {_onlineBlocks} and {_offlineBlocks}.");
}
