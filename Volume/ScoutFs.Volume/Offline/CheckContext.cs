using System;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>What all structural checks of one pass share: the volume, the findings, the accounting.</summary>
/// <remarks>One pass at a time, one caller. A pass that only names owners or collects items has a silent
/// sink.</remarks>
internal sealed class CheckContext : IDisposable
{
    private readonly IProgress<CheckProgress>? _progress;
    private string _phase = string.Empty;
    private long _nextProgressBlocks;

    /// <summary>Creates a pass over a volume; <paramref name="sources"/> trees are merged in it.</summary>
    public CheckContext(
        IBlockDevice meta,
        SuperBlock super,
        IFindingSink findings,
        CheckOptions options,
        MetaAccounting accounting,
        int sources,
        IProgress<CheckProgress>? progress)
    {
        Meta = meta;
        Super = super;
        Findings = findings;
        Accounting = accounting;
        _progress = progress;

        // Every tree of the item pass holds a path of blocks and a bloom block, and reads ahead.
        long fromBudget = options.CacheBytes / FormatConstants.LargeBlockBytes;
        int capacity = (int)Math.Max(fromBudget, (6L * sources) + 64);
        Cache = new BlockCache(
            meta, capacity, super.Header.Fsid, super.TotalMetaBlocks, static (_, _) => default);
    }

    /// <summary>Metadata device.</summary>
    public IBlockDevice Meta { get; }

    /// <summary>The metadata device's super block.</summary>
    public SuperBlock Super { get; }

    /// <summary>Where findings go.</summary>
    public IFindingSink Findings { get; }

    /// <summary>Which metadata blocks have been seen in use or free.</summary>
    public MetaAccounting Accounting { get; }

    /// <summary>Cache without shape verification: the checks look at shapes themselves.</summary>
    public BlockCache Cache { get; }

    /// <summary>Items of an item tree could not be read.</summary>
    public bool ItemsLost { get; set; }

    /// <summary>Srch entries could not be read.</summary>
    public bool SrchEntriesLost { get; set; }

    /// <summary>Blocks below something unreadable are not known: what is in no place may be there.</summary>
    public bool MetaBlocksLost { get; set; }

    /// <summary>Free or used data extents could not be read.</summary>
    public bool DataBlocksLost { get; set; }

    /// <summary>A block did not match its reference; if the volume changed meanwhile, that is why.</summary>
    public bool SawMismatch { get; private set; }

    /// <summary>Items seen, for progress.</summary>
    public long Items { get; set; }

    /// <summary>
    /// A context for looking at something again: reports nothing, accounts elsewhere, has its own small cache.
    /// </summary>
    public CheckContext Quietly() => new(
        Meta,
        Super,
        SilentFindings.Instance,
        new CheckOptions { CacheBytes = 4 << 20 },
        new MetaAccounting(Accounting.TotalBlocks),
        sources: 1,
        progress: null);

    /// <summary>Names what is being done.</summary>
    public void Enter(string phase)
    {
        _phase = phase;
        ReportProgress();
    }

    /// <summary>Reports progress now and then; called for each block.</summary>
    public void Tick(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (Cache.BlocksRead >= _nextProgressBlocks)
            ReportProgress();
    }

    /// <summary>Leases a referenced block that is good in itself, or reports I10 to I12.</summary>
    /// <returns>A default lease when the block is not usable.</returns>
    public async ValueTask<BlockLease> ReadAsync(
        BlockRef blockRef, BlockMagic magic, string structure, CancellationToken cancellationToken)
    {
        Tick(cancellationToken);
        BlockLease lease;
        while (!Cache.TryGet(blockRef, magic, out lease))
        {
            var result = await Cache.LoadAsync(blockRef, magic, cancellationToken);
            if (result.Error == FsError.None)
                continue;
            ReportUnusable(result, blockRef, structure);
            return default;
        }

        return lease;
    }

    /// <summary>Reports why a block cannot be used.</summary>
    public void ReportUnusable(in BlockReadResult result, in BlockRef blockRef, string structure)
    {
        if (result.Error == FsError.Cancelled)
            throw new OperationCanceledException();
        if (result.Error == FsError.NoBuffers)
        {
            throw new VolumeException(
                FsError.NoBuffers, "The block cache is too small to check this volume; give it a greater budget.");
        }

        SawMismatch = true;
        var fault = result.Corruption;
        string invariant = fault.Site switch
        {
            CorruptionSite.BlockMagic => "I11",
            CorruptionSite.BlockFsid or CorruptionSite.BlockBlkno or CorruptionSite.BlockSeq => "I12",
            _ => "I10",
        };
        string what = fault.Site switch
        {
            CorruptionSite.BlockOutsideDevice =>
                $"The reference leads to block {fault.Actual}, outside of the volume's {fault.Expected} blocks.",
            CorruptionSite.BlockUnreadable => "The device cannot read the block.",
            CorruptionSite.BlockCrc =>
                $"The checksum is {Hex(fault.Actual, 8)}, computed from the contents {Hex(fault.Expected, 8)}.",
            CorruptionSite.BlockMagic =>
                $"The magic is {Hex(fault.Actual, 8)}, expected {Hex(fault.Expected, 8)} "
                + $"({(BlockMagic)fault.Expected}).",
            CorruptionSite.BlockFsid =>
                $"The block belongs to another volume: fsid {Hex(fault.Actual, 16)}, expected "
                + $"{Hex(fault.Expected, 16)}.",
            CorruptionSite.BlockBlkno => $"The header says block {fault.Actual}, it was read at {fault.Expected}.",
            _ => $"The header's seq is {Hex(fault.Actual, 16)}, the reference's {Hex(fault.Expected, 16)}.",
        };
        Findings.Report(invariant, structure, At(blockRef), what);
    }

    /// <summary>"block 17", for the place of a finding.</summary>
    public static string At(in BlockRef blockRef) =>
        string.Create(CultureInfo.InvariantCulture, $"block {blockRef.Blkno.Value}");

    /// <inheritdoc/>
    public void Dispose() => Cache.Dispose();

    private static string Hex(ulong value, int digits) =>
        "0x" + value.ToString("x" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private void ReportProgress()
    {
        _nextProgressBlocks = Cache.BlocksRead + 256;
        long findings = Findings is CheckReport report ? report.ErrorCount + report.WarningCount : 0;
        _progress?.Report(new CheckProgress(_phase, Cache.BlocksRead, EstimateBlocks(), Items, findings));
    }

    // Everything that is not free in the two trees of metadata extents.
    private long EstimateBlocks()
    {
        ulong free = Super.MetaAlloc[0].TotalLen + Super.MetaAlloc[1].TotalLen
            + Super.ServerMetaAvail[0].TotalNr + Super.ServerMetaAvail[1].TotalNr;
        return free < Super.TotalMetaBlocks ? (long)(Super.TotalMetaBlocks - free) : 0;
    }
}

/// <summary>Swallows findings: for passes that repeat what has been reported.</summary>
internal sealed class SilentFindings : IFindingSink
{
    /// <summary>The one instance; it has no state.</summary>
    public static readonly SilentFindings Instance = new();

    /// <inheritdoc/>
    public void Report(
        string invariant,
        string structure,
        string where,
        string what,
        FindingSeverity severity = FindingSeverity.Error)
    {
    }
}
