using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Checks trees of free extents and lists of blocks (format §8; I41 to I53) and accounts for what is in them.
/// </summary>
internal sealed class AllocatorCheck
{
    // Records of a differing pair of indexes that are named.
    private const int MaxIndexDifferences = 1 << 16;

    private readonly CheckContext _context;
    private readonly Action<ulong, ulong, string>? _onDataExtent;
    private readonly Prng _prng;

    /// <summary>Creates the check.</summary>
    /// <param name="context">The pass.</param>
    /// <param name="prng">Keys of fingerprints.</param>
    /// <param name="onDataExtent">Takes start, count and structure of free data extents.</param>
    public AllocatorCheck(CheckContext context, Prng prng, Action<ulong, ulong, string>? onDataExtent)
    {
        _context = context;
        _prng = prng;
        _onDataExtent = onDataExtent;
    }

    /// <summary>Checks one tree of free extents.</summary>
    /// <param name="root">Its root.</param>
    /// <param name="structure">Its name.</param>
    /// <param name="isData">Extents are of the data device.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    public async ValueTask CheckTreeAsync(
        AllocRoot root, string structure, bool isData, CancellationToken cancellationToken)
    {
        CheckFlags(root.Flags, structure);
        var extents = new ExtentStream(this, structure, isData);
        using var walk = new CheckedTreeWalk(_context, structure, root.Root);
        await walk.ForEachAsync(extents.OnItem, cancellationToken);
        if (!walk.IsComplete)
        {
            if (isData)
                _context.DataBlocksLost = true;
            else
                _context.MetaBlocksLost = true;
            return;
        }

        if (!extents.IndexesAgree)
            await NameIndexDifferencesAsync(root, structure, cancellationToken);
        else if (extents.TotalLen != root.TotalLen)
        {
            _context.Findings.Report(
                "I43",
                structure,
                "total_len",
                $"total_len is {root.TotalLen.Value}, the extents sum up to {extents.TotalLen}.");
        }
    }

    /// <summary>Checks one list and gives its blocks and entries their place.</summary>
    /// <param name="head">Its head.</param>
    /// <param name="structure">Its name.</param>
    /// <param name="entriesMayBeShared">Entries are blocks still referred to elsewhere (format §14.3).</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    public async ValueTask CheckListAsync(
        AllocListHead head, string structure, bool entriesMayBeShared, CancellationToken cancellationToken)
    {
        CheckFlags(head.Flags, structure);
        if (head.Ref.IsNone)
        {
            if (head.TotalNr != 0 || head.FirstNr != 0 || head.Ref.Seq != 0)
                _context.Findings.Report("I50", structure, "head", "The list has no block, but its head is not zero.");
            return;
        }

        ulong total = 0;
        bool isFirst = true;
        bool isComplete = true;
        for (var blockRef = head.Ref; !blockRef.IsNone;)
        {
            if (IsInside(blockRef.Blkno))
            {
                // A block that is also free somewhere is the accounting's finding (I60), and read all the same; only a
                // second walk into it is not, which ends loops.
                _ = _context.Accounting.Claim(blockRef.Blkno, structure);
                if (!_context.Accounting.TryEnter(blockRef.Blkno))
                {
                    _context.Findings.Report(
                        "I51",
                        structure,
                        CheckContext.At(blockRef),
                        "The list comes to a block that it, or another structure, has used before.");
                    _context.MetaBlocksLost = true;
                    isComplete = false;
                    break;
                }
            }

            var lease = await _context.ReadAsync(blockRef, BlockMagic.AllocList, structure, cancellationToken);
            if (!lease.IsHeld)
            {
                isComplete = false;
                _context.MetaBlocksLost = true;
                break;
            }

            isComplete = CheckListBlock(
                lease.Bytes,
                blockRef,
                structure,
                entriesMayBeShared,
                out uint nr,
                out var next);
            lease.Dispose();
            if (!isComplete)
            {
                _context.MetaBlocksLost = true;
                break;
            }

            if (isFirst && nr != head.FirstNr)
            {
                _context.Findings.Report(
                    "I52",
                    structure,
                    "first_nr",
                    $"first_nr is {head.FirstNr.Value}, the first block has {nr} entries.");
            }

            isFirst = false;
            total += nr;
            blockRef = next;
        }

        if (isComplete && total != head.TotalNr)
        {
            _context.Findings.Report(
                "I52", structure, "total_nr", $"total_nr is {head.TotalNr.Value}, the blocks have {total} entries.");
        }
    }

    private bool IsInside(ulong blkno) =>
        blkno >= FormatConstants.FirstMetaBlkno && blkno < _context.Accounting.TotalBlocks;

    private bool CheckListBlock(
        ReadOnlySpan<byte> block,
        in BlockRef blockRef,
        string structure,
        bool entriesMayBeShared,
        out uint nr,
        out BlockRef next)
    {
        ref readonly var list = ref Disk.Ref<AllocListBlock>(block);
        next = list.Next;
        nr = list.Nr;
        if ((ulong)list.Start.Value + nr > FormatConstants.ListBlockEntries)
        {
            _context.Findings.Report(
                "I51",
                structure,
                CheckContext.At(blockRef),
                $"start {list.Start.Value} and nr {nr} exceed the array of {FormatConstants.ListBlockEntries} "
                + "entries.");
            return false;
        }

        int outside = 0;
        foreach (ulong blkno in Disk.Slice<Le64>(block, Disk.SizeOf<AllocListBlock>(), FormatConstants.ListBlockEntries)
            .Slice((int)list.Start.Value, (int)nr))
        {
            if (!IsInside(blkno))
            {
                if (outside++ == 0)
                {
                    _context.Findings.Report(
                        "I53", structure, CheckContext.At(blockRef), $"Entry {blkno} lies outside of the volume.");
                }
            }
            else if (entriesMayBeShared)
            {
                _context.Accounting.AllowShared(blkno);
                _ = _context.Accounting.Claim(blkno, structure);
            }
            else
            {
                _ = _context.Accounting.Claim(blkno, structure);
            }
        }

        // An entry that names no block leaves the one it should name without a place.
        if (outside > 0)
            _context.MetaBlocksLost = true;
        return true;
    }

    private void CheckFlags(uint flags, string structure)
    {
        if ((flags & ~AllocRoot.FlagLow) != 0)
            _context.Findings.Report("I46", structure, "flags", $"Unknown flags 0x{flags & ~AllocRoot.FlagLow:x}.");
    }

    private async ValueTask NameIndexDifferencesAsync(
        AllocRoot root, string structure, CancellationToken cancellationToken)
    {
        // Rare, and bounded: extents that are in one index only stay in the set.
        var differences = new Dictionary<FreeExtent, bool>();
        bool isPartial = false;
        using var quiet = _context.Quietly();
        using var walk = new CheckedTreeWalk(quiet, structure, root.Root);
        await walk.ForEachAsync(Collect, cancellationToken);
        int named = 0;
        foreach (var (extent, isByLocation) in differences)
        {
            if (++named > 100)
                break;
            string index = isByLocation ? "by location" : "by size";
            string other = isByLocation ? "by size" : "by location";
            _context.Findings.Report(
                "I42",
                structure,
                $"extent {extent.Start},{extent.Count}",
                $"The extent is in the index {index}, but not in the index {other}.");
        }

        if (isPartial)
            _context.Findings.Report(
                "I42",
                structure,
                string.Empty,
                "The indexes differ in too many extents to name them.");

        void Collect(CheckedTreeWalk at)
        {
            ref readonly var key = ref at.Item.Key;
            if (key.Zone is not (KeyZone.FreeByLocation or KeyZone.FreeBySize))
                return;
            bool isByLocation = key.Zone == KeyZone.FreeByLocation;
            var extent = isByLocation ? FreeExtent.FromLocationKey(key) : FreeExtent.FromSizeKey(key);
            if (differences.Remove(extent))
                return;
            if (differences.Count < MaxIndexDifferences)
                differences.Add(extent, isByLocation);
            else
                isPartial = true;
        }
    }

    // Consumes the items of one tree: zone 36 ascending by location, then zone 40.
    private sealed class ExtentStream
    {
        private readonly AllocatorCheck _check;
        private readonly string _structure;
        private readonly bool _isData;
        private readonly ulong _first;
        private readonly ulong _end;
        private readonly KeyedDigest _digest;
        private readonly MultisetFingerprint _indexes = new();
        private ulong _previousEnd;

        public ExtentStream(AllocatorCheck check, string structure, bool isData)
        {
            _check = check;
            _structure = structure;
            _isData = isData;
            var super = check._context.Super;
            _first = isData ? FormatConstants.FirstDataBlkno : FormatConstants.FirstMetaBlkno;
            _end = isData ? super.TotalDataBlocks : super.TotalMetaBlocks;
            _digest = new KeyedDigest(check._prng);
        }

        public ulong TotalLen { get; private set; }

        public bool IndexesAgree => _indexes.IsZero;

        public void OnItem(CheckedTreeWalk walk)
        {
            ref readonly var item = ref walk.Item;
            ref readonly var key = ref item.Key;
            bool isByLocation = key.Zone == KeyZone.FreeByLocation;
            bool hasOddFields = isByLocation
                ? key.Type != 0 || key.Third != 0 || key.Fourth != 0
                : key.Type != 0 || key.Fourth != 0;
            if (!isByLocation && key.Zone != KeyZone.FreeBySize)
            {
                Report("I41", walk, $"Key {key} is of no free extent.");
                return;
            }

            if (hasOddFields)
                Report("I41", walk, $"Key {key} has unused fields that are not zero.");
            if (item.ValLen != 0 || item.Flags != 0)
                Report("I41", walk, $"The item of key {key} has a value or flags.");
            var extent = isByLocation ? FreeExtent.FromLocationKey(key) : FreeExtent.FromSizeKey(key);
            ulong digest = _digest.Of(extent.Start, extent.Count);
            if (isByLocation)
            {
                _indexes.Add(MultisetFingerprint.BucketOf(digest), digest);
                OnLocation(walk, extent);
            }
            else
            {
                _indexes.Subtract(MultisetFingerprint.BucketOf(digest), digest);
                OnSize(walk, key, extent);
            }
        }

        private void OnLocation(CheckedTreeWalk walk, FreeExtent extent)
        {
            TotalLen += extent.Count;
            bool isInside =
                extent.Count > 0 && extent.Start >= _first && extent.End > extent.Start && extent.End <= _end;
            if (!isInside)
            {
                Report(
                    "I44",
                    walk,
                    $"Extent {extent.Start},{extent.Count} is empty or outside of {_first}..{_end - 1}.");
                Lose();
                return;
            }

            if (extent.Start < _previousEnd)
            {
                Report("I44", walk, $"Extent {extent.Start},{extent.Count} overlaps the one before it.");
                Lose();
                return;
            }

            if (_previousEnd != 0 && extent.Start == _previousEnd)
            {
                _check._context.Findings.Report(
                    "I45",
                    _structure,
                    At(walk),
                    $"Extent {extent.Start},{extent.Count} adjoins the one before it.",
                    FindingSeverity.Warning);
            }

            _previousEnd = extent.End;
            if (_isData)
                _check._onDataExtent?.Invoke(extent.Start, extent.Count, _structure);
            else
                _check._context.Accounting.ClaimRange(extent.Start, extent.Count, _structure);
        }

        private void OnSize(CheckedTreeWalk walk, in ItemKey key, FreeExtent extent)
        {
            ulong order = ulong.MaxValue - key.First;
            if (order != Keys.FreeOrder(extent.Count))
            {
                Report(
                    "I42",
                    walk,
                    $"Extent {extent.Start},{extent.Count} has order {order}, expected "
                    + $"{Keys.FreeOrder(extent.Count)}.");
            }
        }

        // Which blocks the extent should have been is not known: what is in no place may be there.
        private void Lose()
        {
            if (_isData)
                _check._context.DataBlocksLost = true;
            else
                _check._context.MetaBlocksLost = true;
        }

        private void Report(string invariant, CheckedTreeWalk walk, string what) =>
            _check._context.Findings.Report(invariant, _structure, At(walk), what);

        private static string At(CheckedTreeWalk walk) => CheckContext.At(new BlockRef(walk.Blkno, 0));
    }
}
