using System;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>
/// Small volumes made here that have, in the smallest space, structures that volumes as mounts leave them lack: merges
/// and compactions under way, deep trees of few items, format version 1.
/// </summary>
/// <remarks>
/// They break no invariant of the format document (§18) and give no warning either, so that whatever is reported about
/// a changed copy comes from the change. Immutable: edit a copy (<see cref="Edit"/>).
/// </remarks>
public sealed partial class SampleVolume
{
    /// <summary>A mount with an open transaction.</summary>
    public const ulong RidA = 0xa1a2_a3a4_a5a6_a7a8;

    /// <summary>A mount between two transactions.</summary>
    public const ulong RidB = 0xb1b2_b3b4_b5b6_b7b8;

    /// <summary>A mount that has left; its log is finalized, but no input of the running merge.</summary>
    public const ulong RidC = 0x0c1c_2c3c_4c5c_6c7c;

    private static readonly Lazy<SampleVolume> LazyBusy = new(() => new BusyVolume().Make());
    private static readonly Lazy<SampleVolume> LazyPlain = new(MakePlain);
    private static readonly Lazy<SampleVolume> LazyTiny = new(MakeTiny);

    private readonly VolumeEditorDevice _meta;
    private readonly VolumeEditorDevice _data;

    private SampleVolume(string name, SampleVolumeBuilder builder, Dictionary<string, ulong> inos)
    {
        Name = name;
        _meta = builder.Meta;
        _data = builder.Data;
        Inos = inos;
    }

    /// <summary>
    /// Version 2, mounted by two mounts, with everything at once: height 3, five log trees, a log merge with a range, a
    /// request, completions before and after splicing and a tree being freed, srch compactions in all three states.
    /// </summary>
    public static SampleVolume Busy => LazyBusy.Value;

    /// <summary>Version 1, cleanly unmounted, one finalized log, leaves as full as they get.</summary>
    public static SampleVolume Plain => LazyPlain.Value;

    /// <summary>Version 2, a handful of inodes in fs_root and one open log: quick to read, for fuzzing.</summary>
    public static SampleVolume Tiny => LazyTiny.Value;

    /// <summary>Name for messages.</summary>
    public string Name { get; }

    /// <summary>Inode numbers by path, "archive/offline.bin".</summary>
    public IReadOnlyDictionary<string, ulong> Inos { get; }

    /// <summary>A copy to change.</summary>
    public VolumeEditor Edit() => new(_meta.Fork(), _data.Fork());

    private static SampleVolume MakePlain()
    {
        var builder = new SampleVolumeBuilder(1, 2048, 65536, seed: 2);
        var tree = new SampleVolumeTree(1);
        var inos = new Dictionary<string, ulong>();
        tree.WriteTo(tree.Merged, 5);
        ulong dir = inos["files"] = tree.Create(FormatConstants.RootIno, "files", FileMode.Directory | 0x1ed);
        for (int i = 0; i < 700; i++)
        {
            string name = $"file-{i:d4}";
            inos["files/" + name] = tree.Create(dir, name, FileMode.Regular | 0x1a4);
        }

        ulong contents = inos["files/file-0000"];
        tree.SetExtents(contents, 5 * 4096, (0, 5, builder.AllocateData(5), 0));
        _ = tree.SetXattr(contents, "user.comment", "version one"u8);
        _ = tree.SetXattr(contents, "scoutfs.totl.used.1.2.3", "5"u8);
        _ = tree.SetXattr(contents, "scoutfs.srch.marked", default);
        inos["link"] = tree.CreateSymlink(FormatConstants.RootIno, "link", "files/file-0000");
        var log = new SampleVolumeLayer();
        tree.WriteTo(log, 10);
        tree.Change(contents, inode => inode.Item.Mode = FileMode.Regular | 0x180);
        tree.Destroy(tree.Unlink(dir, "file-0699"));
        ref var super = ref builder.Super;
        builder.SetSlot(0, 0x7f000001, 12345);
        super.FsRoot = builder.WriteTree(tree.Merged.Items.Values)!.Root;
        super.InodeCount = (ulong)tree.Merged.InodeCountDelta;
        super.NextIno = tree.NextIno + 100;
        super.Seq = 20;
        super.LogsRoot = builder.WriteTree([Item(Finalized(builder, RidC, 1, log, 12, 12, 15))])!.Root;
        var file = builder.WriteSrch(tree.SrchEntries);
        super.SrchRoot = builder.WriteTree([
            Item(new ItemKey(KeyZone.Srch, 0, KeyType.SrchLog, file.Ref.Blkno), file)])!.Root;
        super.ServerMetaAvail[0] = builder.WriteList(1000);
        builder.Finish(perLeaf: 64);
        return new SampleVolume("sample-plain", builder, inos);
    }

    private static SampleVolume MakeTiny()
    {
        var builder = new SampleVolumeBuilder(2, 256, 1024, seed: 3);
        var tree = new SampleVolumeTree(2);
        var inos = new Dictionary<string, ulong>();
        tree.WriteTo(tree.Merged, 5);
        ulong dir = inos["dir"] = tree.Create(FormatConstants.RootIno, "dir", FileMode.Directory | 0x1ed);
        ulong file = inos["dir/file"] = tree.Create(dir, "file", FileMode.Regular | 0x1a4);
        tree.SetExtents(file, 3 * 4096, (0, 2, builder.AllocateData(2), 0), (2, 1, 0, DataExtentItem.FlagOffline));
        _ = tree.SetXattr(file, "user.comment", new byte[2000]);
        _ = tree.SetXattr(file, "scoutfs.totl.used.1.2.3", "5"u8);
        _ = tree.SetXattr(file, "scoutfs.srch.marked", default);
        inos["link"] = tree.CreateSymlink(FormatConstants.RootIno, "link", "dir/file");
        tree.AddQuotaRule(new QuotaRuleItem { Limit = 100 });
        var logged = new SampleVolumeLayer();
        tree.WriteTo(logged, 10);
        ulong other = inos["dir/other"] = tree.Create(dir, "other", FileMode.Regular | 0x1a4);
        _ = tree.SetXattr(other, "scoutfs.srch.marked", default);
        tree.Rename(FormatConstants.RootIno, "link", dir, "link");

        ref var super = ref builder.Super;
        builder.SetSlot(0, 0x7f000001, 12345);
        super.FsRoot = builder.WriteTree(tree.Merged.Items.Values, perLeaf: 20)!.Root;
        super.InodeCount = (ulong)tree.Merged.InodeCountDelta;
        super.NextIno = tree.NextIno + 100;
        super.Seq = 20;
        var log = Open(builder, RidA, 1, logged, perLeaf: 100);
        log.MetaAvail = builder.WriteList(5);
        log.MetaFreed = builder.WriteList(2, 3);
        log.DataAvail = builder.WriteExtents([(builder.AllocateData(20), 20)]);
        log.SrchFile = builder.WriteSrch(tree.SrchEntries);
        log.GetTransSeq = 11;
        log.CommitTransSeq = 10;
        log.MaxItemSeq = 10;
        super.LogsRoot = builder.WriteTree([Item(log)])!.Root;
        super.ServerMetaAvail[0] = builder.WriteList(20);
        builder.Finish(perLeaf: 64);
        return new SampleVolume("sample-tiny", builder, inos);
    }

    private static VolumeEditorItem Item<T>(ItemKey key, T value)
        where T : unmanaged
        => new(key, 0, 0, Disk.Bytes(in value).ToArray());

    private static VolumeEditorItem Item(LogTrees log) => Item(Keys.LogTrees(log.Rid, log.Nr), log);

    private static LogTrees Finalized(
        SampleVolumeBuilder builder,
        ulong rid,
        ulong nr,
        SampleVolumeLayer layer,
        ulong transSeq,
        ulong maxItemSeq,
        ulong finalizeSeq,
        int perLeaf = int.MaxValue)
    {
        var log = Open(builder, rid, nr, layer, perLeaf);
        log.GetTransSeq = transSeq;
        log.CommitTransSeq = transSeq;
        log.MaxItemSeq = maxItemSeq;
        log.FinalizeSeq = finalizeSeq;
        log.Flags = LogTrees.FlagFinalized;
        return log;
    }

    private static LogTrees Open(
        SampleVolumeBuilder builder, ulong rid, ulong nr, SampleVolumeLayer layer, int perLeaf) => new()
        {
            Rid = rid,
            Nr = nr,
            ItemRoot = builder.WriteTree(layer.Items.Values, perLeaf, perParent: 6)!.Root,
            BloomRef = builder.WriteBloom(layer.Items.Values),
            InodeCountDelta = layer.InodeCountDelta,
        };

    private static List<SrchEntry> SortedFile(IEnumerable<SrchEntry> entries)
    {
        // Compaction drops even numbers of equal entries.
        List<SrchEntry> odd = [.. entries.GroupBy(entry => entry).Where(g => g.Count() % 2 == 1).Select(g => g.Key)];
        odd.Sort((left, right) => SrchEntry.Compare(left, right));
        return odd;
    }
}
