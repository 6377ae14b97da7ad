using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Offline;

/// <summary>Checks srch files, compactions and the root they hang on (format §12; I70 to I78).</summary>
internal sealed class SrchFileCheck
{
    private readonly CheckContext _context;
    private readonly AllocatorCheck _allocators;
    private readonly ISrchEntrySink _sink;

    // Root blkno of every srch file item; a file has at least one block, so this is bounded by them and small: files
    // are compacted four to one.
    private readonly HashSet<ulong> _files = [];

    /// <summary>Creates the check of one pass; entries go to the sink.</summary>
    public SrchFileCheck(CheckContext context, AllocatorCheck allocators, ISrchEntrySink sink)
    {
        _context = context;
        _allocators = allocators;
        _sink = sink;
    }

    /// <summary>Checks the srch root with all files and compactions.</summary>
    public async ValueTask CheckRootAsync(BtreeRoot root, CancellationToken cancellationToken)
    {
        const string Structure = "srch_root";
        var files = new List<(SrchFile File, bool IsSorted)>();
        var compactions = new List<(SrchCompact Compaction, bool IsBusy)>();
        using (var walk = new CheckedTreeWalk(_context, Structure, root))
        {
            await walk.ForEachAsync(at => Collect(at, files, compactions), cancellationToken);
            if (!walk.IsComplete)
                _context.SrchEntriesLost = true;
        }

        foreach (var (file, isSorted) in files)
        {
            string kind = isSorted ? "sorted file" : "log file";
            string structure = string.Create(CultureInfo.InvariantCulture, $"srch {kind} {file.Ref.Blkno.Value}");
            await CheckFileAsync(file, structure, isSorted, hasEntries: true, cancellationToken);
        }

        foreach (var (compaction, isBusy) in compactions)
            await CheckCompactionAsync(compaction, isBusy, cancellationToken);
    }

    /// <summary>Checks one srch file and passes its entries on.</summary>
    /// <param name="file">The file.</param>
    /// <param name="structure">Its name.</param>
    /// <param name="isSorted">Its entries ascend over the whole file.</param>
    /// <param name="hasEntries">Its entries count as entries of the volume.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    public async ValueTask CheckFileAsync(
        SrchFile file, string structure, bool isSorted, bool hasEntries, CancellationToken cancellationToken)
    {
        if (!CheckShape(file, structure))
        {
            LoseBlocks(hasEntries);
            return;
        }

        if (file.Height == 0)
            return;
        var entries = new EntryStream(_context.Findings, hasEntries ? _sink : null, structure, file.Blocks, isSorted);
        ulong leaves = await WalkAsync(
            file, structure, file.Ref, file.Height - 1, 0, entries, hasEntries, default, cancellationToken);
        if (leaves == file.Blocks && !entries.IsDamaged)
            entries.Finish(file);
    }

    private static ulong Span(int level)
    {
        ulong span = 1;
        for (int i = 0; i < level; i++)
            span = span > ulong.MaxValue / FormatConstants.SrchParentRefs
                ? ulong.MaxValue
                : span * FormatConstants.SrchParentRefs;
        return span;
    }

    private void Collect(
        CheckedTreeWalk at,
        List<(SrchFile File, bool IsSorted)> files,
        List<(SrchCompact Compaction, bool IsBusy)> compactions)
    {
        at.ReportDeletion();
        var key = at.Item.Key;
        bool isFile = key.Type is KeyType.SrchLog or KeyType.SrchSorted;
        bool isCompaction = key.Type is KeyType.SrchPending or KeyType.SrchBusy;
        string where = string.Create(CultureInfo.InvariantCulture, $"item {key}");
        if (key.Zone != KeyZone.Srch || (!isFile && !isCompaction))
        {
            _context.Findings.Report("I39", at.Structure, where, "Items of this key do not belong here.");
            return;
        }

        int expected = isFile ? Disk.SizeOf<SrchFile>() : Disk.SizeOf<SrchCompact>();
        if (at.Value.Length != expected)
        {
            _context.Findings.Report(
                "I76",
                at.Structure,
                where,
                $"The value has {at.Value.Length} bytes, not {expected}.");
            LoseBlocks(isFile);
            return;
        }

        if (isFile)
        {
            var file = Disk.Ref<SrchFile>(at.Value);
            bool isSorted = key.Type == KeyType.SrchSorted;
            bool matches = isSorted
                ? key.Second == file.Blocks && key.Third == file.Ref.Blkno
                : key.Second == file.Ref.Blkno && key.Third == 0;
            if (!matches || key.First != 0 || key.Fourth != 0)
                _context.Findings.Report("I77", at.Structure, where, "The key does not match the file it holds.");
            files.Add((file, isSorted));
            _ = _files.Add(file.Ref.Blkno);
        }
        else
        {
            var compaction = Disk.Ref<SrchCompact>(at.Value);
            bool isBusy = key.Type == KeyType.SrchBusy;
            bool matches = isBusy
                ? key.Third == compaction.Id
                : key.Second == compaction.Id && key.Third == 0;
            if (!matches || key.First != 0 || key.Fourth != 0)
                _context.Findings.Report("I77", at.Structure, where, "The key does not match the compaction it holds.");
            compactions.Add((compaction, isBusy));
        }
    }

    private async ValueTask CheckCompactionAsync(
        SrchCompact compaction, bool isBusy, CancellationToken cancellationToken)
    {
        string structure = string.Create(
            CultureInfo.InvariantCulture,
            $"srch compaction {compaction.Id.Value} ({(isBusy ? "busy" : "pending")})");
        await _allocators.CheckListAsync(compaction.MetaAvail, structure + " meta_avail", false, cancellationToken);
        await _allocators.CheckListAsync(compaction.MetaFreed, structure + " meta_freed", false, cancellationToken);
        const byte Phases = SrchCompact.FlagLog | SrchCompact.FlagSorted | SrchCompact.FlagDelete;
        bool hasOnePhase = (compaction.Flags & Phases) is SrchCompact.FlagLog or SrchCompact.FlagSorted
            or SrchCompact.FlagDelete;
        if (compaction.Nr is < 2 or > FormatConstants.SrchCompactInputs || !hasOnePhase
            || (compaction.Flags & ~Phases) != 0)
        {
            _context.Findings.Report(
                "I77",
                structure,
                string.Empty,
                $"nr {compaction.Nr} or flags 0x{compaction.Flags:x} are not possible.");
            LoseBlocks(hasEntries: false);
            return;
        }

        bool isDelete = (compaction.Flags & SrchCompact.FlagDelete) != 0;
        for (int i = 0; i < compaction.Nr; i++)
        {
            var input = compaction.Inputs[i];
            bool isFile = _files.Contains(input.File.Ref.Blkno);
            string inputName = string.Create(CultureInfo.InvariantCulture, $"{structure} input {i}");
            if (isDelete == isFile && !_context.SrchEntriesLost)
            {
                _context.Findings.Report(
                    "I78",
                    inputName,
                    string.Empty,
                    isDelete
                        ? "It is being deleted, but is still a file of the srch root."
                        : "It is no file of the srch root.");
            }

            if (isDelete && !isFile)
                await CheckDeletedAsync(input, inputName, cancellationToken);
        }

        if (!isDelete)
        {
            await CheckFileAsync(
                compaction.Out, structure + " output", isSorted: true, hasEntries: false, cancellationToken);
        }
    }

    // What is left of an input whose blocks are being freed (format §12.2).
    private async ValueTask CheckDeletedAsync(
        SrchCompactInput input, string structure, CancellationToken cancellationToken)
    {
        if (input.Pos > input.File.Height)
            return;
        if (!CheckShape(input.File, structure) || input.File.Height == 0)
        {
            LoseBlocks(hasEntries: false);
            return;
        }

        var freed = new Freed(Math.Max(1, (int)input.Pos.Value), input.Blk);
        var entries = new EntryStream(_context.Findings, null, structure, input.File.Blocks, isSorted: false);
        _ = await WalkAsync(
            input.File,
            structure,
            input.File.Ref,
            input.File.Height - 1,
            0,
            entries,
            hasEntries: false,
            freed,
            cancellationToken);
    }

    private bool CheckShape(in SrchFile file, string structure)
    {
        int needed = 1;
        for (; needed < 8 && file.Blocks > Span(needed - 1); needed++)
        {
        }

        bool isGood = file.Height == 0
            ? file.Ref.IsNone && file.Blocks == 0
            : !file.Ref.IsNone && file.Blocks > 0 && file.Height == needed;
        if (!isGood)
        {
            _context.Findings.Report(
                "I70",
                structure,
                "file",
                $"Height {file.Height}, {file.Blocks.Value} blocks and root block {file.Ref.Blkno.Value} do not go "
                + "together.");
        }

        return isGood;
    }

    private void LoseBlocks(bool hasEntries)
    {
        _context.MetaBlocksLost = true;
        if (hasEntries)
            _context.SrchEntriesLost = true;
    }

    // Returns the number of leaves that were read. Recursion is as deep as the file is high, at most 7.
    private async ValueTask<ulong> WalkAsync(
        SrchFile file,
        string structure,
        BlockRef blockRef,
        int level,
        ulong firstBlock,
        EntryStream entries,
        bool hasEntries,
        Freed freed,
        CancellationToken cancellationToken)
    {
        if (freed.IsFreed(level, firstBlock))
            return 0;
        var magic = level == 0 ? BlockMagic.SrchLeaf : BlockMagic.SrchParent;
        bool isInside = blockRef.Blkno >= FormatConstants.FirstMetaBlkno
            && blockRef.Blkno < _context.Accounting.TotalBlocks;
        if (isInside)
            _ = _context.Accounting.Claim(blockRef.Blkno, structure);
        bool isNew = !isInside || _context.Accounting.TryEnter(blockRef.Blkno);
        var lease = isNew ? await _context.ReadAsync(blockRef, magic, structure, cancellationToken) : default;
        if (!lease.IsHeld)
        {
            LoseBlocks(hasEntries);
            entries.IsDamaged = true;
            return 0;
        }

        if (level == 0)
        {
            entries.OnLeaf(lease.Bytes, firstBlock);
            lease.Dispose();
            return 1;
        }

        var children = ReadReferences(lease.Bytes);
        lease.Dispose();
        ulong span = Span(level - 1);
        ulong leaves = 0;
        for (int i = 0; i < children.Length; i++)
        {
            ulong block = firstBlock + ((ulong)i * span);
            if (children[i].IsNone)
            {
                if (block >= file.Blocks || freed.IsFreed(level - 1, block))
                    continue;
                _context.Findings.Report(
                    "I71", structure, CheckContext.At(blockRef), $"There is no reference for logical block {block}.");
                entries.IsDamaged = true;
                if (hasEntries)
                    _context.SrchEntriesLost = true;
                break;
            }

            if (block >= file.Blocks)
            {
                _context.Findings.Report(
                    "I71",
                    structure,
                    CheckContext.At(blockRef),
                    $"There is a reference for logical block {block}, the file has {file.Blocks.Value} blocks.");
                LoseBlocks(hasEntries: false);
                break;
            }

            for (int ahead = i + 1; level == 1 && ahead < Math.Min(children.Length, i + 8); ahead++)
                _context.Cache.Prefetch(children[ahead], BlockMagic.SrchLeaf);
            leaves += await WalkAsync(
                file, structure, children[i], level - 1, block, entries, hasEntries, freed, cancellationToken);
        }

        return leaves;
    }

    private static BlockRef[] ReadReferences(ReadOnlySpan<byte> block) =>
        Disk.Slice<BlockRef>(block, Disk.SizeOf<BlockHeader>(), FormatConstants.SrchParentRefs).ToArray();

    // How far deletion has come: level counts from 1 for the parents of leaves (format §12.2). Default: nothing freed.
    private readonly record struct Freed(int Pos, ulong Blk)
    {
        public bool IsFreed(int level, ulong firstBlock) =>
            Pos > 0 && (level + 1 < Pos || (level + 1 == Pos && firstBlock < Blk));
    }

    // Checks the leaves of one file in order.
    private sealed class EntryStream
    {
        private readonly IFindingSink _findings;
        private readonly ISrchEntrySink? _sink;
        private readonly string _structure;
        private readonly ulong _blocks;
        private readonly bool _isSorted;
        private readonly byte[] _encoded = new byte[SrchEntryCodec.MaxBytes];
        private SrchEntry _last;
        private SrchEntry _least;
        private SrchEntry _greatest;
        private ulong _total;

        public EntryStream(
            IFindingSink findings, ISrchEntrySink? sink, string structure, ulong blocks, bool isSorted)
        {
            _findings = findings;
            _sink = sink;
            _structure = structure;
            _blocks = blocks;
            _isSorted = isSorted;
        }

        /// <summary>Totals cannot be judged.</summary>
        public bool IsDamaged { get; set; }

        public void OnLeaf(ReadOnlySpan<byte> block, ulong logicalBlock)
        {
            ref readonly var header = ref Disk.Ref<SrchLeafHeader>(block);
            string where = string.Create(
                CultureInfo.InvariantCulture, $"logical block {logicalBlock}, block {header.Header.Blkno.Value}");
            var encoded = block[Disk.SizeOf<SrchLeafHeader>()..];
            var previous = default(SrchEntry);
            var least = default(SrchEntry);
            var greatest = default(SrchEntry);
            int at = 0;
            bool isMinimal = true;
            bool isOrdered = true;
            for (uint i = 0; i < header.EntryNr; i++)
            {
                var before = previous;
                int bytes = at > FormatConstants.SrchLastEntryStart
                    ? 0
                    : SrchEntryCodec.Decode(encoded[at..], before, out previous);
                if (bytes == 0)
                {
                    Fail("I72", where, $"Entry {i} of {header.EntryNr.Value} starts at byte {at} and does not decode.");
                    return;
                }

                isMinimal &= SrchEntryCodec.Encode(_encoded, before, previous) >= bytes;
                at += bytes;
                isOrdered &= _total == 0 || SrchEntry.Compare(_last, previous) <= 0;
                least = i == 0 || SrchEntry.Compare(previous, least) < 0 ? previous : least;
                greatest = i == 0 || SrchEntry.Compare(previous, greatest) > 0 ? previous : greatest;
                _last = previous;
                _least = _total == 0 || SrchEntry.Compare(previous, _least) < 0 ? previous : _least;
                _greatest = _total == 0 || SrchEntry.Compare(previous, _greatest) > 0 ? previous : _greatest;
                _total++;
                _sink?.OnSrchEntry(previous);
            }

            if (at != header.EntryBytes)
                Fail("I72", where, $"entry_bytes is {header.EntryBytes.Value}, the entries take {at} bytes.");
            if (!isMinimal)
                _findings.Report(
                    "I72",
                    _structure,
                    where,
                    "Entries take more bytes than needed.",
                    FindingSeverity.Warning);
            if (_isSorted && !isOrdered)
                _findings.Report("I73", _structure, where, "The entries of a sorted file do not ascend.");
            CheckBounds(header, where, least, greatest, previous);
        }

        public void Finish(in SrchFile file)
        {
            if (_total != file.Entries)
            {
                _findings.Report(
                    "I75",
                    _structure,
                    "file",
                    $"The file counts {file.Entries.Value} entries, its blocks have {_total}.");
            }

            if (_total > 0 && (file.First != _least || file.Last != _greatest))
            {
                _findings.Report(
                    "I75",
                    _structure,
                    "file",
                    $"The file's bounds are {file.First} to {file.Last}, its entries go from {_least} to {_greatest}.",
                    FindingSeverity.Warning);
            }
        }

        private void CheckBounds(
            in SrchLeafHeader header, string where, in SrchEntry least, in SrchEntry greatest, in SrchEntry tail)
        {
            if (header.EntryNr == 0)
            {
                if (_blocks > 1)
                    _findings.Report("I74", _structure, where, "The block has no entries.", FindingSeverity.Warning);
                return;
            }

            if (header.Tail != tail)
                _findings.Report("I74", _structure, where, $"The tail is {header.Tail}, the last entry {tail}.");
            if (header.First != least || header.Last != greatest)
            {
                _findings.Report(
                    "I74",
                    _structure,
                    where,
                    $"The block's bounds are {header.First} to {header.Last}, its entries go from {least} to "
                    + $"{greatest}.");
            }
        }

        private void Fail(string invariant, string where, string what)
        {
            IsDamaged = true;
            _findings.Report(invariant, _structure, where, what);
        }
    }
}
