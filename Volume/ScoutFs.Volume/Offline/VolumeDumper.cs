using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Offline;

/// <summary>What of a volume is dumped.</summary>
public sealed record DumpOptions
{
    /// <summary>Leave out what is large: items of fs_root and of log trees, list entries, srch entries.</summary>
    public bool SkipsLarge { get; init; }

    /// <summary>Also show where items and values lie in their blocks, how they are linked, and leaf hashes.</summary>
    public bool ShowsLayout { get; init; }

    /// <summary>Only structures whose name starts with this, or null for all.</summary>
    public string? Tree { get; init; }

    /// <summary>Only items of this zone, or null for all.</summary>
    public byte? Zone { get; init; }

    /// <summary>Only items that belong to this inode, or null for all.</summary>
    public ulong? Ino { get; init; }

    /// <summary>Only items are asked for, not the structures that hold them.</summary>
    internal bool SelectsItems => Zone is not null || Ino is not null;
}

/// <summary>Passes every structure of a volume's metadata on as records, as it is on the device.</summary>
/// <remarks>
/// Trees are walked one by one, not merged: each version of an item is shown where it is. What is damaged is passed on
/// as a record of kind "problem", and the dump goes on with what can be read. Streams; memory does not depend on the
/// volume.
/// </remarks>
public sealed class VolumeDumper : IFindingSink, IDisposable
{
    private static readonly StructPlan SuperPlan = StructPlan.Of<SuperBlock>();
    private static readonly StructPlan QuorumPlan = StructPlan.Of<QuorumBlock>();
    private static readonly StructPlan SrchLeafPlan = StructPlan.Of<SrchLeafHeader>();
    private static readonly StructPlan BloomPlan = StructPlan.Of<BloomBlockHeader>();
    private static readonly StructPlan ListPlan = StructPlan.Of<AllocListBlock>();
    private static readonly StructPlan BtreePlan = StructPlan.Of<BtreeBlockHeader>();

    private readonly IBlockDevice _meta;
    private readonly DumpOptions _options;
    private readonly Action<DumpRecord> _onRecord;
    private readonly DumpRecord _record = new();
    private readonly ItemDecoder _decoder = new();
    private readonly IProgress<CheckProgress>? _progress;
    private readonly List<LogTrees> _logs = [];
    private readonly List<(string Name, BtreeRoot Root, CheckedTreeWalk.Options Options)> _mergeTrees = [];
    private readonly List<(string Name, SrchFile File)> _srchFiles = [];
    private readonly List<(string Name, AllocListHead Head)> _lists = [];
    private CheckContext? _context;

    private VolumeDumper(
        IBlockDevice meta, DumpOptions options, Action<DumpRecord> onRecord, IProgress<CheckProgress>? progress)
    {
        _meta = meta;
        _options = options;
        _onRecord = onRecord;
        _progress = progress;
    }

    /// <summary>Dumps a volume.</summary>
    /// <param name="meta">Metadata device.</param>
    /// <param name="options">What to dump.</param>
    /// <param name="onRecord">
    /// Takes each record; valid during the call only. Must not throw, as blocks are held: cancel instead.
    /// </param>
    /// <param name="progress">Told now and then how far it is.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <exception cref="VolumeException">There is no super block.</exception>
    public static async ValueTask DumpAsync(
        IBlockDevice meta,
        DumpOptions options,
        Action<DumpRecord> onRecord,
        IProgress<CheckProgress>? progress,
        CancellationToken cancellationToken)
    {
        using var dumper = new VolumeDumper(meta, options, onRecord, progress);
        await dumper.RunAsync(cancellationToken);
    }

    private CheckContext Context => _context!;

    /// <inheritdoc/>
    public void Dispose() => _context?.Dispose();

    /// <inheritdoc/>
    void IFindingSink.Report(
        string invariant, string structure, string where, string what, FindingSeverity severity)
    {
        if (severity == FindingSeverity.Error)
            ReportProblem(invariant, structure, where, what);
    }

    private void ReportProblem(string invariant, string structure, string where, string what)
    {
        _record.Start("problem", structure);
        _record.Add("invariant", invariant);
        _record.Add("where", where);
        _record.Add("what", what);
        _onRecord(_record);
    }

    private async ValueTask RunAsync(CancellationToken cancellationToken)
    {
        using var pool = new BlockPool(1);
        var buffer = pool.TryRent()!;
        try
        {
            var super = await DumpSuperAsync(buffer.Memory, cancellationToken);

            // A data device's super block leads nowhere.
            if ((super.Flags & SuperBlock.FlagMeta) == 0)
                return;
            await DumpQuorumAsync(super.Header.Fsid, buffer.Memory, cancellationToken);

            // Whatever the super block says: no block lies past the end of the device, and memory goes by this number.
            super.TotalMetaBlocks = Math.Min(
                super.TotalMetaBlocks, (ulong)(_meta.SizeBytes / FormatConstants.LargeBlockBytes));
            _context = new CheckContext(
                _meta, super, this, new CheckOptions(), new MetaAccounting(super.TotalMetaBlocks), 1, _progress);
            _context.Enter("reading metadata");
            await DumpTreesAsync(super, cancellationToken);
        }
        finally
        {
            pool.Return(buffer);
        }
    }

    // What looks like a super block is shown and followed, whatever else is wrong with it.
    private async ValueTask<SuperBlock> DumpSuperAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        string? problem = null;
        try
        {
            _ = await OfflineVolume.ReadSuperAsync(_meta, isMeta: true, buffer, cancellationToken);
        }
        catch (VolumeException exception) when (exception.Fault.Site != CorruptionSite.SmallBlockMagic
            && exception.Error is FsError.Corrupt or FsError.Unsupported or FsError.Invalid)
        {
            problem = exception.Message;
        }

        if (Wants("super") && !_options.SelectsItems)
            Emit("super", "super", SuperPlan, buffer.Span[..Disk.SizeOf<SuperBlock>()]);
        if (problem is not null)
            ReportProblem("I1", "super", "block 16", problem);
        return Disk.Ref<SuperBlock>(buffer.Span);
    }

    private async ValueTask DumpQuorumAsync(ulong fsid, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!Wants("quorum") || _options.SelectsItems)
            return;
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"quorum[{slot}]");
            ulong blkno = FormatConstants.QuorumBlkno + (ulong)slot;
            string where = string.Create(CultureInfo.InvariantCulture, $"block {blkno}");
            var error = await SmallBlocks.ReadAsync(_meta, blkno, buffer, cancellationToken);
            if (error != FsError.None)
            {
                ReportProblem("I8", name, where, FsErrorTable.TextOf(error));
                continue;
            }

            var fault = SmallBlocks.Verify(
                buffer.Span[..FormatConstants.SmallBlockBytes], BlockMagic.Quorum, blkno, fsid);
            Emit("quorum", name, QuorumPlan, buffer.Span[..Disk.SizeOf<QuorumBlock>()]);
            if (fault.IsFound)
                ReportProblem("I8", name, where, fault.Describe());
        }
    }

    private async ValueTask DumpTreesAsync(SuperBlock super, CancellationToken cancellationToken)
    {
        await DumpTreeAsync("logs_root", super.LogsRoot, isLarge: false, cancellationToken);
        await DumpTreeAsync("log_merge", super.LogMerge, isLarge: false, cancellationToken);
        await DumpTreeAsync("mounted_clients", super.MountedClients, isLarge: false, cancellationToken);
        await DumpTreeAsync("srch_root", super.SrchRoot, isLarge: false, cancellationToken);
        for (int i = 0; i < 2; i++)
        {
            string index = string.Create(CultureInfo.InvariantCulture, $"[{i}]");
            await DumpTreeAsync("meta_alloc" + index, super.MetaAlloc[i].Root, isLarge: true, cancellationToken);
            _lists.Add(("server_meta_avail" + index, super.ServerMetaAvail[i]));
            _lists.Add(("server_meta_freed" + index, super.ServerMetaFreed[i]));
        }

        await DumpTreeAsync("data_alloc", super.DataAlloc.Root, isLarge: true, cancellationToken);
        await DumpTreeAsync("fs_root", super.FsRoot, isLarge: true, cancellationToken);
        foreach (var log in _logs)
        {
            string name = LogTreesCheck.NameOf(log);
            await DumpBloomAsync(name + " bloom", log.BloomRef, cancellationToken);
            await DumpTreeAsync(name + " item_root", log.ItemRoot, isLarge: true, cancellationToken);
            await DumpTreeAsync(name + " data_avail", log.DataAvail.Root, isLarge: true, cancellationToken);
            await DumpTreeAsync(name + " data_freed", log.DataFreed.Root, isLarge: true, cancellationToken);
        }

        // What these trees share with fs_root has been shown there.
        foreach (var (name, root, options) in _mergeTrees)
            await DumpTreeAsync(name, root, isLarge: true, cancellationToken, options);
        foreach (var (name, head) in _lists)
            await DumpListAsync(name, head, cancellationToken);
        foreach (var (name, file) in _srchFiles)
        {
            if (file.Height > 0 && Wants(name))
                await DumpSrchAsync(name, file.Ref, Math.Min(file.Height - 1, 7), cancellationToken);
        }
    }

    private bool Wants(string structure) =>
        _options.Tree is null || structure.StartsWith(_options.Tree, StringComparison.Ordinal);

    private void Emit(string kind, string structure, StructPlan plan, ReadOnlySpan<byte> bytes)
    {
        _record.Start(kind, structure);
        plan.Read(bytes, _record);
        _onRecord(_record);
    }

    private async ValueTask DumpTreeAsync(
        string name,
        BtreeRoot root,
        bool isLarge,
        CancellationToken cancellationToken,
        CheckedTreeWalk.Options options = default)
    {
        // The small trees name what else there is, so they are read even when they are not shown.
        bool isShown = Wants(name);
        if (isShown && !_options.SelectsItems)
        {
            _record.Start("tree", name);
            _record.Add("blkno", root.Ref.Blkno);
            _record.Add("seq", root.Ref.Seq.Value.ToString("x16", CultureInfo.InvariantCulture));
            _record.Add("height", root.Height);
            _onRecord(_record);
        }

        if (isLarge && (!isShown || _options.SkipsLarge))
            return;
        using var walk = new CheckedTreeWalk(Context, name, root, options)
        {
            OnBlock = (block, level, order) => OnBlock(name, block, level, order, isShown, remembers: !isLarge),
        };
        await walk.ForEachAsync(static _ => { }, cancellationToken);
    }

    // Only the small trees may name further structures: a damaged large one could name them without end.
    private void OnBlock(
        string name,
        ReadOnlySpan<byte> block,
        int level,
        ReadOnlySpan<ushort> order,
        bool isShown,
        bool remembers)
    {
        ref readonly var header = ref Disk.Ref<BtreeBlockHeader>(block);
        if (isShown && !_options.SelectsItems)
        {
            _record.Start("block", name);
            BtreePlan.Read(block[..Disk.SizeOf<BtreeBlockHeader>()], _record);
            if (_options.ShowsLayout && level == 0)
                _record.Add("leaf_hash", LeafHashText(block));
            _onRecord(_record);
        }

        foreach (ushort offset in order)
        {
            ref readonly var item = ref Disk.Ref<BtreeItem>(block, offset);
            if (level > 0)
            {
                if (isShown && !_options.SelectsItems)
                    EmitReference(name, header.Header.Blkno, offset, item, Disk.Ref<BlockRef>(block, item.ValOff));
                continue;
            }

            var value = item.ValLen == 0 ? default : block.Slice(item.ValOff, item.ValLen);
            if (remembers)
                Remember(item.Key, value);
            if (isShown && Selects(item.Key))
                EmitItem(name, header.Header.Blkno, offset, item, value);
        }
    }

    private void EmitReference(string name, ulong blkno, int offset, in BtreeItem item, in BlockRef child)
    {
        _record.Start("reference", name);
        _record.Add("block", blkno);
        _record.Add("key", item.Key.ToString());
        _record.Add("child.blkno", child.Blkno);
        _record.Add("child.seq", child.Seq);
        AddLayout(offset, item);
        _onRecord(_record);
    }

    private void EmitItem(string name, ulong blkno, int offset, in BtreeItem item, ReadOnlySpan<byte> value)
    {
        _record.Start("item", name);
        _record.Add("block", blkno);
        _record.Add("key", item.Key.ToString());
        _record.Add("type", ItemKinds.NameOf(item.Key.Zone, item.Key.Type));
        _record.Add("seq", item.Seq);
        if ((item.Flags & BtreeItem.FlagDeletion) != 0)
            _record.Add("deletion", 1UL);
        ItemDecoder.DecodeKey(item.Key, _record);
        AddLayout(offset, item);
        _record.Below("value");
        _decoder.Decode(item.Key, value, _record);
        _onRecord(_record);
    }

    private void AddLayout(int offset, in BtreeItem item)
    {
        if (!_options.ShowsLayout)
            return;
        _record.Add("offset", (ulong)offset);
        _record.Add("parent", item.Node.Parent);
        _record.Add("left", item.Node.Left);
        _record.Add("right", item.Node.Right);
        _record.Add("avl_height", (ulong)item.Node.Height);
        _record.Add("val_off", item.ValOff);
        _record.Add("val_len", item.ValLen);
    }

    // Used buckets as bucket:offset.
    private static string LeafHashText(ReadOnlySpan<byte> block)
    {
        var text = new StringBuilder();
        var buckets = Disk.Slice<Le16>(
            block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        for (int i = 0; i < buckets.Length; i++)
        {
            if (buckets[i] == 0)
                continue;
            if (text.Length > 0)
                _ = text.Append(' ');
            _ = text.Append(CultureInfo.InvariantCulture, $"{i}:{buckets[i].Value}");
        }

        return text.ToString();
    }

    private bool Selects(in ItemKey key) =>
        (_options.Zone is not { } zone || key.Zone == zone) && (_options.Ino is not { } ino || IsOf(key, ino));

    private static bool IsOf(in ItemKey key, ulong ino) => key.Zone switch
    {
        KeyZone.Fs => key.First == ino,
        KeyZone.InodeIndex => key.Third == ino,
        KeyZone.Orphan => key.Second == ino,
        _ => false,
    };

    // Items that own further structures.
    private void Remember(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if (key.Zone == KeyZone.LogTrees && value.Length == Disk.SizeOf<LogTrees>())
        {
            var log = Disk.Ref<LogTrees>(value);
            string name = LogTreesCheck.NameOf(log);
            _logs.Add(log);
            _lists.Add((name + " meta_avail", log.MetaAvail));
            _lists.Add((name + " meta_freed", log.MetaFreed));
            _srchFiles.Add((name + " srch_file", log.SrchFile));
        }
        else if (key.Zone == KeyZone.Srch && value.Length == Disk.SizeOf<SrchFile>())
        {
            var file = Disk.Ref<SrchFile>(value);
            _srchFiles.Add((string.Create(CultureInfo.InvariantCulture, $"srch file {file.Ref.Blkno.Value}"), file));
        }
        else if (key.Zone == KeyZone.Srch && value.Length == Disk.SizeOf<SrchCompact>())
        {
            var compaction = Disk.Ref<SrchCompact>(value);
            AddLists($"srch compaction {compaction.Id.Value}", compaction.MetaAvail, compaction.MetaFreed);
        }
        else if (key.Zone == KeyZone.MergeRequest && value.Length == Disk.SizeOf<LogMergeRequest>())
        {
            var request = Disk.Ref<LogMergeRequest>(value);
            AddLists($"merge request {request.Seq.Value}", request.MetaAvail, request.MetaFreed);
        }
        else if (key.Zone == KeyZone.MergeComplete && value.Length == Disk.SizeOf<LogMergeComplete>())
        {
            var completion = Disk.Ref<LogMergeComplete>(value);
            AddLists($"merge completion {completion.Seq.Value}", completion.MetaAvail, completion.MetaFreed);
            if (!completion.IsSpliced)
            {
                AddMergeTree(
                    $"merge completion {completion.Seq.Value} root",
                    completion.Root,
                    new CheckedTreeWalk.Options(IsSubtree: true, IsShared: true));
            }
        }
        else if (key.Zone == KeyZone.MergeFreeing && value.Length == Disk.SizeOf<LogMergeFreeing>())
        {
            var freeing = Disk.Ref<LogMergeFreeing>(value);
            AddMergeTree(
                $"merge freeing {freeing.Seq.Value} root",
                freeing.Root,
                new CheckedTreeWalk.Options(SkipBefore: freeing.Key));
        }
    }

    private void AddMergeTree(FormattableString name, in BtreeRoot root, CheckedTreeWalk.Options options) =>
        _mergeTrees.Add((name.ToString(CultureInfo.InvariantCulture), root, options));

    private void AddLists(FormattableString name, in AllocListHead avail, in AllocListHead freed)
    {
        string text = name.ToString(CultureInfo.InvariantCulture);
        _lists.Add((text + " meta_avail", avail));
        _lists.Add((text + " meta_freed", freed));
    }

    private async ValueTask DumpBloomAsync(string name, BlockRef blockRef, CancellationToken cancellationToken)
    {
        if (blockRef.IsNone || !Wants(name) || _options.SelectsItems)
            return;
        var lease = await Context.ReadAsync(blockRef, BlockMagic.Bloom, name, cancellationToken);
        if (lease.IsHeld)
            Emit("bloom", name, BloomPlan, lease.Bytes[..Disk.SizeOf<BloomBlockHeader>()]);
        lease.Dispose();
    }

    private async ValueTask DumpListAsync(string name, AllocListHead head, CancellationToken cancellationToken)
    {
        if (!Wants(name) || _options.SelectsItems)
            return;
        for (var blockRef = head.Ref; !blockRef.IsNone;)
        {
            bool isInside = blockRef.Blkno < Context.Accounting.TotalBlocks;
            if (isInside && !Context.Accounting.Claim(blockRef.Blkno, name))
            {
                ReportProblem("I51", name, CheckContext.At(blockRef), "The list comes back to a block.");
                return;
            }

            var lease = await Context.ReadAsync(blockRef, BlockMagic.AllocList, name, cancellationToken);
            if (!lease.IsHeld)
                return;
            blockRef = EmitListBlock(name, lease);
            lease.Dispose();
        }
    }

    private BlockRef EmitListBlock(string name, BlockLease lease)
    {
        ref readonly var list = ref Disk.Ref<AllocListBlock>(lease.Bytes);
        _record.Start("list_block", name);
        ListPlan.Read(lease.Bytes[..Disk.SizeOf<AllocListBlock>()], _record);
        ulong end = (ulong)list.Start.Value + list.Nr.Value;
        if (!_options.SkipsLarge && end <= FormatConstants.ListBlockEntries)
        {
            var entries = Disk.Slice<Le64>(
                lease.Bytes, Disk.SizeOf<AllocListBlock>(), FormatConstants.ListBlockEntries);
            _record.Add("entries", RangesText.Of(entries.Slice((int)list.Start.Value, (int)list.Nr.Value)));
        }

        _onRecord(_record);
        return list.Next;
    }

    private async ValueTask DumpSrchAsync(
        string name, BlockRef blockRef, int level, CancellationToken cancellationToken)
    {
        var magic = level == 0 ? BlockMagic.SrchLeaf : BlockMagic.SrchParent;
        bool isInside = blockRef.Blkno < Context.Accounting.TotalBlocks;
        if (isInside && !Context.Accounting.Claim(blockRef.Blkno, name))
            return;
        var lease = await Context.ReadAsync(blockRef, magic, name, cancellationToken);
        if (!lease.IsHeld)
            return;
        BlockRef[] children = [];
        if (level == 0)
        {
            EmitSrchLeaf(name, lease);
        }
        else
        {
            children = Disk.Slice<BlockRef>(lease.Bytes, Disk.SizeOf<BlockHeader>(), FormatConstants.SrchParentRefs)
                .ToArray();
        }

        lease.Dispose();
        foreach (var child in children)
        {
            if (!child.IsNone)
                await DumpSrchAsync(name, child, level - 1, cancellationToken);
        }
    }

    private void EmitSrchLeaf(string name, BlockLease lease)
    {
        if (!_options.SelectsItems)
            Emit("srch_leaf", name, SrchLeafPlan, lease.Bytes[..Disk.SizeOf<SrchLeafHeader>()]);
        if (_options.SkipsLarge || _options.Zone is not null)
            return;
        ref readonly var header = ref Disk.Ref<SrchLeafHeader>(lease.Bytes);
        uint count = header.EntryNr;
        var encoded = lease.Bytes[Disk.SizeOf<SrchLeafHeader>()..];
        var entry = default(SrchEntry);
        for (uint i = 0; i < count; i++)
        {
            var previous = entry;
            int bytes = SrchEntryCodec.Decode(encoded, previous, out entry);
            if (bytes == 0)
            {
                ReportProblem(
                    "I72",
                    name,
                    string.Create(CultureInfo.InvariantCulture, $"block {header.Header.Blkno.Value}, entry {i}"),
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"The block says that it has {count} entries, but ends inside of one."));
                return;
            }

            encoded = encoded[bytes..];
            if (_options.Ino is { } ino && entry.Ino != ino)
                continue;
            _record.Start("srch_entry", name);
            _record.Add("hash", entry.Hash.Value.ToString("x16", CultureInfo.InvariantCulture));
            _record.Add("ino", entry.Ino);
            _record.Add("id", entry.Id);
            _onRecord(_record);
        }
    }
}
