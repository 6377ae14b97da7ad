using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Checks a whole volume against the invariants of the format document (§18), reading only.</summary>
/// <remarks>
/// <para>One pass reads every metadata block once: first the small trees, then fs_root and all log trees merged, then
/// what allocators and srch files hold. Only when something does not add up do further passes collect what to
/// name.</para>
/// <para>Memory: the block cache, one bit a metadata block, about 1 MiB of fingerprints, and 400 KiB a log tree; it
/// does not depend on the number of inodes or items.</para>
/// <para>What cannot be judged because something else is unreadable is said in <see cref="CheckReport.NotChecked"/>
/// and not reported as damage of its own. One use an instance; one caller.</para>
/// </remarks>
public sealed class VolumeChecker : ICheckPasses
{
    private readonly IBlockDevice _meta;
    private readonly IBlockDevice? _data;
    private readonly CheckOptions _options;
    private readonly IProgress<CheckProgress>? _progress;
    private readonly CheckReport _report;
    private readonly Prng _prng;
    private SuperBlock _super;
    private IReadOnlyList<LogTrees> _logs = [];
    private ulong _inputsBefore;

    private VolumeChecker(
        IBlockDevice meta, IBlockDevice? data, CheckOptions options, IProgress<CheckProgress>? progress)
    {
        _meta = meta;
        _data = data;
        _options = options;
        _progress = progress;
        _report = new CheckReport(options.MaxFindingsPerInvariant);
        _prng = new Prng(options.Seed);
    }

    /// <summary>Checks a volume.</summary>
    /// <param name="meta">Metadata device.</param>
    /// <param name="data">Data device; null leaves out what is on it (I1 to I4 of its super block).</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Hears now and then how far it is, on the caller's context.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <returns>The report; its result is CouldNotCheck when the volume changed meanwhile.</returns>
    /// <exception cref="VolumeException">A device cannot be read, or is no volume at all.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async ValueTask<CheckReport> CheckAsync(
        IBlockDevice meta,
        IBlockDevice? data,
        CheckOptions options,
        IProgress<CheckProgress>? progress,
        CancellationToken cancellationToken)
    {
        var checker = new VolumeChecker(meta, data, options, progress);
        await checker.RunAsync(cancellationToken);
        return checker._report;
    }

    /// <inheritdoc/>
    async ValueTask ICheckPasses.PassItemsAsync(IItemSink sink, CancellationToken cancellationToken)
    {
        using var context = NewContext(SilentFindings.Instance, new MetaAccounting(_super.TotalMetaBlocks));
        context.Enter("naming differences between items");
        using var pass = new ItemPass(context, _logs, _inputsBefore, sink);
        _ = await pass.RunAsync(cancellationToken);
    }

    /// <inheritdoc/>
    async ValueTask ICheckPasses.PassSrchEntriesAsync(ISrchEntrySink sink, CancellationToken cancellationToken)
    {
        using var context = NewContext(SilentFindings.Instance, new MetaAccounting(_super.TotalMetaBlocks));
        context.Enter("naming differences between srch entries");
        await CheckSrchAsync(context, new AllocatorCheck(context, _prng.Fork("srch"), null), sink, cancellationToken);
    }

    private async ValueTask RunAsync(CancellationToken cancellationToken)
    {
        using var pool = new BlockPool(1);
        var buffer = pool.TryRent()!;
        try
        {
            if (!await CheckSmallBlocksAsync(buffer.Memory, cancellationToken))
                return;
            await CheckStructuresAsync(cancellationToken);
            await NoteChangeAsync(buffer.Memory, cancellationToken);
        }
        finally
        {
            pool.Return(buffer);
        }
    }

    private async ValueTask<bool> CheckSmallBlocksAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        _progress?.Report(new CheckProgress("super and quorum blocks", 0, 0, 0, 0));
        var super = await SuperCheck.CheckMetaAsync(_meta, buffer, _report, cancellationToken);
        if (super is not { } good)
        {
            _report.AddNotChecked("Everything behind the metadata super block: it is damaged and has no copy.");
            return false;
        }

        _super = good;
        if (_data is not null)
            await SuperCheck.CheckDataAsync(_meta, _data, good, buffer, _report, cancellationToken);
        else
            _report.AddNotChecked("The data device: it was not given.");
        await SuperCheck.CheckQuorumAsync(_meta, good, buffer, _report, cancellationToken);
        if (await OfflineVolume.IsInUseAsync(_meta, good, buffer, cancellationToken))
        {
            _report.AddNote(
                "The volume is mounted or was not unmounted cleanly; the state of its last commit was checked. A mount "
                + "recovers it.");
        }

        return true;
    }

    private async ValueTask CheckStructuresAsync(CancellationToken cancellationToken)
    {
        // Totals beyond the device are reported (I4); what is checked are blocks that can exist.
        ulong totalMeta = Math.Min(
            _super.TotalMetaBlocks, (ulong)(_meta.SizeBytes / FormatConstants.LargeBlockBytes));
        _super.TotalMetaBlocks = totalMeta;
        var accounting = new MetaAccounting(totalMeta);
        var coverage = new CoverageFingerprint(_prng.Fork("coverage"), 0, _super.TotalDataBlocks);
        coverage.Add(0, FormatConstants.FirstDataBlkno);
        using var context = NewContext(_report, accounting);
        var items = new FsItemsCheck(_super, _report, new CoverageSink(coverage), _prng.Fork("items"));
        await WalkAllAsync(
            context, items, items, (start, count, _) => coverage.Add(start, count), isFirst: true, cancellationToken);

        context.Enter("comparing items");
        ulong expected = _super.InodeCount;
        foreach (var log in _logs)
            expected += (ulong)log.InodeCountDelta.Value;
        await items.FinishAsync(
            this, new CheckScope(!context.ItemsLost, !context.SrchEntriesLost, expected), cancellationToken);
        context.Enter("accounting for blocks");
        await AccountMetaAsync(context, cancellationToken);
        await AccountDataAsync(context, coverage, cancellationToken);
        NoteLosses(context);
        _report.SetStatistic("metadata blocks read", context.Cache.BlocksRead);
        _report.SetStatistic("items", context.Items);
        _report.SetStatistic("log trees", _logs.Count);
    }

    // Everything that has blocks, in an order that is the same in every pass.
    private async ValueTask WalkAllAsync(
        CheckContext context,
        IItemSink items,
        ISrchEntrySink srchEntries,
        Action<ulong, ulong, string> onFreeData,
        bool isFirst,
        CancellationToken cancellationToken)
    {
        context.Accounting.ClaimRange(0, FormatConstants.FirstMetaBlkno, "super and quorum blocks");
        context.Enter("log trees");
        var logs = new LogTreesCheck(context);
        await logs.CheckItemsAsync(cancellationToken);
        var merge = new LogMergeCheck(context);
        await merge.CheckItemsAsync(cancellationToken);
        await LogMergeCheck.CheckClientsAsync(context, cancellationToken);
        if (isFirst)
        {
            _logs = logs.Logs;
            _inputsBefore = merge.InputsBefore;
        }

        foreach (var log in logs.Logs)
            await logs.CheckBloomAsync(log, cancellationToken);
        context.Enter("items");
        using (var pass = new ItemPass(context, logs.Logs, merge.InputsBefore, items))
        {
            if (!await pass.RunAsync(cancellationToken))
            {
                context.ItemsLost = true;
                context.DataBlocksLost = true;
            }

            if (isFirst)
                CountKinds(pass.CountByKind);
        }

        context.Enter("allocators");
        var allocators = new AllocatorCheck(context, _prng.Fork("allocators"), onFreeData);
        await CheckAllocatorsAsync(allocators, logs.Logs, cancellationToken);
        await merge.CheckOwnedAsync(allocators, cancellationToken);
        context.Enter("srch files");
        await CheckSrchAsync(context, allocators, srchEntries, cancellationToken);
    }

    private async ValueTask CheckAllocatorsAsync(
        AllocatorCheck allocators, IReadOnlyList<LogTrees> logs, CancellationToken cancellationToken)
    {
        for (int i = 0; i < 2; i++)
        {
            string index = i.ToString(CultureInfo.InvariantCulture);
            await allocators.CheckTreeAsync(
                _super.MetaAlloc[i], $"meta_alloc[{index}]", isData: false, cancellationToken);
            await allocators.CheckListAsync(
                _super.ServerMetaAvail[i], $"server_meta_avail[{index}]", false, cancellationToken);
            await allocators.CheckListAsync(
                _super.ServerMetaFreed[i], $"server_meta_freed[{index}]", false, cancellationToken);
        }

        await allocators.CheckTreeAsync(_super.DataAlloc, "data_alloc", isData: true, cancellationToken);
        foreach (var log in logs)
        {
            string name = LogTreesCheck.NameOf(log);
            await allocators.CheckListAsync(log.MetaAvail, name + " meta_avail", false, cancellationToken);
            await allocators.CheckListAsync(log.MetaFreed, name + " meta_freed", false, cancellationToken);
            await allocators.CheckTreeAsync(log.DataAvail, name + " data_avail", isData: true, cancellationToken);
            await allocators.CheckTreeAsync(log.DataFreed, name + " data_freed", isData: true, cancellationToken);
        }
    }

    private async ValueTask CheckSrchAsync(
        CheckContext context, AllocatorCheck allocators, ISrchEntrySink sink, CancellationToken cancellationToken)
    {
        var srch = new SrchFileCheck(context, allocators, sink);
        foreach (var log in _logs)
        {
            await srch.CheckFileAsync(
                log.SrchFile, LogTreesCheck.NameOf(log) + " srch_file", false, hasEntries: true, cancellationToken);
        }

        await srch.CheckRootAsync(_super.SrchRoot, cancellationToken);
    }

    private async ValueTask AccountMetaAsync(CheckContext context, CancellationToken cancellationToken)
    {
        var accounting = context.Accounting;
        if (accounting.Doubles.Count > 0)
        {
            var watch = MetaAccounting.Watch(accounting.TotalBlocks, accounting.Doubles);
            using var second = NewContext(SilentFindings.Instance, watch);
            await WalkAllAsync(
                second, IgnoreItems.Instance, IgnoreItems.Instance, static (_, _, _) => { }, false, cancellationToken);
            foreach (ulong blkno in accounting.Doubles)
            {
                _report.Report(
                    "I60",
                    "metadata device",
                    string.Create(CultureInfo.InvariantCulture, $"block {blkno}"),
                    $"The block has more than one place: {string.Join(", ", watch.Places[blkno])}.");
            }
        }

        if (accounting.DoublesNotKept > 0)
        {
            _report.Report(
                "I60",
                "metadata device",
                string.Empty,
                $"{accounting.DoublesNotKept} more blocks have more than one place.");
        }

        if (!context.MetaBlocksLost)
            await LeakCheck.RunAsync(context, cancellationToken);
    }

    private async ValueTask AccountDataAsync(
        CheckContext context, CoverageFingerprint coverage, CancellationToken cancellationToken)
    {
        if (coverage.IsExact || context.DataBlocksLost)
            return;
        var profile = new CoverageProfile(coverage);
        await CollectDataAsync(profile.Add, cancellationToken);
        var faults = profile.Faults();
        var owners = new DataOwners(faults);
        await NameDataAsync(owners, cancellationToken);
        owners.Report(_report);
        if (profile.IsPartial)
            _report.AddNotChecked("Part of the data device's accounting: more is wrong than can be listed at once.");
    }

    private async ValueTask CollectDataAsync(Action<ulong, ulong> add, CancellationToken cancellationToken)
    {
        add(0, FormatConstants.FirstDataBlkno);
        await PassDataAsync((start, count, _) => add(start, count), cancellationToken);
    }

    private async ValueTask NameDataAsync(DataOwners owners, CancellationToken cancellationToken)
    {
        owners.Add(0, FormatConstants.FirstDataBlkno, "the reserved start of the device");
        await PassDataAsync(owners.Add, cancellationToken);
    }

    private async ValueTask PassDataAsync(Action<ulong, ulong, string> onExtent, CancellationToken cancellationToken)
    {
        using var context = NewContext(SilentFindings.Instance, new MetaAccounting(_super.TotalMetaBlocks));
        context.Enter("naming data blocks");
        var files = new FsItemsCheck(
            _super, SilentFindings.Instance, new NamedExtentSink(onExtent), _prng.Fork("naming"));
        await WalkAllAsync(context, files, IgnoreItems.Instance, onExtent, isFirst: false, cancellationToken);
    }

    // A mounted volume goes on changing: blocks that were reused meanwhile look like damage.
    private async ValueTask NoteChangeAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_report.ErrorCount == 0)
            return;
        var error = await SmallBlocks.ReadAsync(_meta, FormatConstants.SuperBlkno, buffer, cancellationToken);
        if (error != FsError.None || Disk.Ref<SuperBlock>(buffer.Span).Header.Seq == _super.Header.Seq)
            return;
        _report.VolumeChanged = true;
        _report.AddNote(
            "The volume changed while it was checked, so that findings do not count. Unmount it everywhere.");
    }

    private void NoteLosses(CheckContext context)
    {
        if (context.ItemsLost)
        {
            _report.AddNotChecked(
                "How items refer to each other: items in unreadable blocks are not known.");
        }

        if (context.SrchEntriesLost)
            _report.AddNotChecked("Whether srch entries agree with attributes: some entries could not be read.");
        if (context.MetaBlocksLost)
            _report.AddNotChecked(
                "Whether metadata blocks are lost: not every place that could hold them was readable.");
        if (context.DataBlocksLost)
            _report.AddNotChecked("Whether each data block is in one place: not every place was readable.");
    }

    private void CountKinds(long[] counts)
    {
        for (int i = 0; i < counts.Length; i++)
        {
            if (counts[i] != 0)
                _report.SetStatistic($"items of {ItemKinds.NameOf((byte)(i / 256), (byte)(i % 256))}", counts[i]);
        }
    }

    private CheckContext NewContext(IFindingSink findings, MetaAccounting accounting) =>
        new(_meta, _super, findings, _options, accounting, _logs.Count + 1, _progress);

    private sealed class CoverageSink(CoverageFingerprint coverage) : IExtentSink
    {
        public void OnDataExtent(ulong ino, ulong firstBlock, ulong blkno, ulong count) => coverage.Add(blkno, count);
    }

    private sealed class NamedExtentSink(Action<ulong, ulong, string> onExtent) : IExtentSink
    {
        private ulong _lastIno;
        private string _lastName = string.Empty;

        public void OnDataExtent(ulong ino, ulong firstBlock, ulong blkno, ulong count)
        {
            if (ino != _lastIno || _lastName.Length == 0)
            {
                _lastIno = ino;
                _lastName = string.Create(CultureInfo.InvariantCulture, $"inode {ino}");
            }

            onExtent(blkno, count, _lastName);
        }
    }

    private sealed class IgnoreItems : IItemSink, ISrchEntrySink
    {
        public static readonly IgnoreItems Instance = new();

        public void OnItem(in ItemKey key, ulong seq, ReadOnlySpan<byte> value)
        {
        }

        public void OnSrchEntry(in SrchEntry entry)
        {
        }
    }
}
