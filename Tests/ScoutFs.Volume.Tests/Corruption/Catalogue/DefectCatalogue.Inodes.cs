using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I91: inodes; I97, I98, I102: what follows from them; I100: symlinks.</content>
internal static partial class DefectCatalogue
{
    private const string LeftByLinux = "volcheck.py says error; but Linux is known to leave such items behind";

    private static IEnumerable<PlantedDefect> Inodes =>
    [
        Error("I91", "size", "between the versions", v => v.ReplaceLive(
                Keys.Inode(Ino("special/fifo")), value => value[..164])),
        Error("I91", "size", "no value", v => v.ReplaceLive(Keys.Inode(Ino("special/fifo")), _ => [])),
        Error("I91", "size", "version 2 in version 1", v => v.ReplaceLive(
                Keys.Inode(SampleVolume.Plain.Inos["files/file-0300"]), value => [.. value, .. new byte[8]]))
            .On(DefectOrigin.Plain),
        Error("I91", "flags", v => v.EditInode(Ino("many/f005"), (ref InodeItem inode) => inode.Flags = 4)),
        Error("I91", "flags", "version 2 in version 1", v => v.EditInode(
                SampleVolume.Plain.Inos["files/file-0300"],
                (ref InodeItem inode) => inode.Flags = InodeItem.FlagRetention))
            .On(DefectOrigin.Plain)
            .ButReference("volcheck.py does not look at the version"),
        Error("I97", "by meta_seq", "missing", v => v.RemoveLive(
            Keys.MetaSeqIndex(v.Inode(Ino("many/f005")).MetaSeq, Ino("many/f005")))),
        Error("I97", "by meta_seq", "another seq", v => v.EditInode(Ino("special/fifo"), (ref InodeItem inode) =>
            inode.MetaSeq = inode.MetaSeq + 1)),
        Error("I97", "by meta_seq", "old one left", v => v.Insert(
            FsRoot(v), VolumeEditorItem.Of(Keys.MetaSeqIndex(3, Ino("many/f005")), 30))),
        Error("I97", "by data_seq", "missing", v => v.RemoveLive(
            Keys.DataSeqIndex(v.Inode(Ino("many/f005")).DataSeq, Ino("many/f005")))),
        Error("I97", "by data_seq", "not a file", v => v.Insert(
            FsRoot(v), VolumeEditorItem.Of(Keys.DataSeqIndex(20, Ino("special/fifo")), 30))),
        Error("I97", "by data_seq", "no inode", v => v.Insert(
                FsRoot(v), VolumeEditorItem.Of(Keys.DataSeqIndex(20, Missing), 30))),
        Error("I97", "no value", v => v.ReplaceLive(
            Keys.MetaSeqIndex(v.Inode(Ino("many/f005")).MetaSeq, Ino("many/f005")), _ => new byte[1])),
        Error("I98", "orphan item missing", v => v.RemoveLive(Keys.Orphan(Ino("orphan")))),
        Error("I98", "orphan item missing", "log", v => v.RemoveLive(Keys.Orphan(Ino("unnamed")))),
        Warning("I98", "orphan item of a linked inode", v => v.Insert(
                FsRoot(v), VolumeEditorItem.Of(Keys.Orphan(Ino("many/f005")), 30)))
            .ButReference(LeftByLinux),
        Error("I98", "orphan item without an inode", v => v.Insert(
                FsRoot(v), VolumeEditorItem.Of(Keys.Orphan(Missing), 30))),
        Error("I98", "no value", v => v.ReplaceLive(Keys.Orphan(Ino("orphan")), _ => new byte[8])),
        Error("I100", "parts", "last missing", v => v.RemoveLive(Keys.Symlink(Ino("links/long"), 2))),
        Error("I100", "parts", "first missing", v => v.RemoveLive(Keys.Symlink(Ino("links/long"), 0))),
        Error("I100", "parts", "all missing", v => v.RemoveLive(Keys.Symlink(Ino("links/short"), 0))),
        Error("I100", "parts", "one too many", v => v.Insert(
            FsRoot(v), new VolumeEditorItem(Keys.Symlink(Ino("links/long"), 3), 30, 0, [0]))),
        Error("I100", "parts", "not full", v =>
        {
            v.ReplaceLive(Keys.Symlink(Ino("links/long"), 0), value => value[..^1]);
            v.EditInode(Ino("links/long"), (ref InodeItem inode) => inode.Size = inode.Size - 1);
        }).ButReference("volcheck.py looks at the length of all parts together"),
        Error("I100", "size", "too great", v => v.EditInode(Ino("links/short"), (ref InodeItem inode) =>
            inode.Size = inode.Size + 1)),
        Error("I100", "size", "zero", v => v.EditInode(Ino("links/short"), (ref InodeItem inode) => inode.Size = 0)),
        Error("I100", "size", "greater than allowed", v =>
        {
            v.ReplaceLive(Keys.Symlink(Ino("links/longest"), 4), value => [.. value[..^1], .. "yz"u8, 0]);
            v.EditInode(Ino("links/longest"), (ref InodeItem inode) => inode.Size = 4098);
        }),
        Error("I100", "final NUL", "missing", v => v.ReplaceLive(Keys.Symlink(Ino("links/short"), 0), value =>
            [.. value[..^1], (byte)'!'])),
        Error("I100", "single NUL", v => v.ReplaceLive(Keys.Symlink(Ino("links/long"), 1), value =>
            [.. value[..100], 0, .. value[101..]])),
        Error("I100", "only symlinks have targets", v => v.Insert(
            FsRoot(v), new VolumeEditorItem(Keys.Symlink(Ino("many/f005"), 0), 30, 0, [.. "target"u8, 0]))),
        Error("I102", "number of inodes", "super block", v => v.EditSuper((ref SuperBlock s) =>
            s.InodeCount = s.InodeCount + 1)),
        Error("I102", "number of inodes", "log", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.InodeCountDelta = log.InodeCountDelta - 1)),
        Error("I102", "number of inodes", "version 1", v => v.EditSuper((ref SuperBlock s) =>
            s.InodeCount = 0)).On(DefectOrigin.Plain),
    ];

    private static IEnumerable<PlantedDefect> Extents =>
    [
        Error("I96", "valid", "no block, no flags", v => EditExtent(v, "archive/offline.bin", 0, (
            ref DataExtentItem extent) => extent.Flags = 0)),
        Error("I96", "valid", "no block, unwritten", v => EditExtent(v, "archive/staging.bin", 2, (
                ref DataExtentItem extent) => extent.Flags = DataExtentItem.FlagUnwritten)),
        Error("I96", "valid", "block, offline alone", v => EditExtent(v, "archive/staging.bin", 1, (
                ref DataExtentItem extent) => extent.Flags = DataExtentItem.FlagOffline)),
        Error("I96", "valid", "unknown flag", v => EditExtent(v, "archive/pieces.bin", 3, (
            ref DataExtentItem extent) => extent.Flags = 4)),
        Either("I96", "valid", "pad", v => EditExtent(v, "archive/pieces.bin", 3, (
            ref DataExtentItem extent) => extent.Pad[6] = 1)),
        Error("I96", "valid", "value too short", v => v.ReplaceLive(
                ExtentKey(v, "archive/offline.bin", 0), value => value[..12])),
        Error("I96", "valid", "no length", v => v.Insert(FsRoot(v), new VolumeEditorItem(
            Keys.DataExtent(Ino("archive/offline.bin"), 300_000, 0), 30, 0, BytesOf(Offline)))),
        Error("I96", "valid", "begins before the file", v => v.Insert(FsRoot(v), new VolumeEditorItem(
            Keys.DataExtent(Ino("docs/empty.txt"), 3, 9), 30, 0, BytesOf(Offline)))),
        Error("I96", "valid", "last block", v =>
            {
                v.Insert(FsRoot(v), new VolumeEditorItem(
                    Keys.DataExtent(Ino("docs/empty.txt"), 1UL << 52, 1), 30, 0, BytesOf(Offline)));
                v.EditInode(Ino("docs/empty.txt"), (ref InodeItem inode) => inode.OfflineBlocks = 1);
            })
            .ButReference(NoOther),
        Error("I96", "disjoint", v =>
        {
            v.Insert(FsRoot(v), new VolumeEditorItem(
                Keys.DataExtent(Ino("archive/offline.bin"), 262150, 10), 30, 0, BytesOf(Offline)));
            v.EditInode(Ino("archive/offline.bin"), (ref InodeItem inode) =>
                inode.OfflineBlocks = inode.OfflineBlocks + 10);
        }),
        Error("I96", "disjoint", "one inside another", v =>
        {
            v.Insert(FsRoot(v), new VolumeEditorItem(
                Keys.DataExtent(Ino("archive/offline.bin"), 5, 1), 30, 0, BytesOf(Offline)));
            v.EditInode(Ino("archive/offline.bin"), (ref InodeItem inode) =>
                inode.OfflineBlocks = inode.OfflineBlocks + 1);
        }),
        Error("I96", "only in regular files", "directory", v =>
        {
            v.Insert(FsRoot(v), new VolumeEditorItem(
                Keys.DataExtent(Ino("special"), 5, 1), 30, 0, BytesOf(Offline)));
            v.EditInode(Ino("special"), (ref InodeItem inode) => inode.OfflineBlocks = 1);
        }),
        Error("I96", "only in regular files", "symlink", v =>
        {
            v.Insert(FsRoot(v), new VolumeEditorItem(
                Keys.DataExtent(Ino("links/short"), 5, 1), 30, 0, BytesOf(Offline)));
            v.EditInode(Ino("links/short"), (ref InodeItem inode) => inode.OfflineBlocks = 1);
        }),
        Error("I96", "inside the device", "past the end", v => AddUnwritten(v, v.Super.TotalDataBlocks + 5, 2)),
        Error("I96", "inside the device", "across the end", v => AddUnwritten(v, v.Super.TotalDataBlocks - 1, 2)),
        Error("I96", "inside the device", "reserved", v => AddUnwritten(v, 16, 1)),
        Error("I96", "inside the device", "overflow", v => AddUnwritten(v, ulong.MaxValue, 3)),
        Error("I96", "counts", "online", v => v.EditInode(Ino("archive/partly.bin"), (ref InodeItem inode) =>
            inode.OnlineBlocks = inode.OnlineBlocks - 1)),
        Error("I96", "counts", "offline", v => v.EditInode(Ino("archive/partly.bin"), (ref InodeItem inode) =>
            inode.OfflineBlocks = 0)),
        Error("I96", "counts", "no extents", v => v.EditInode(Ino("docs/empty.txt"), (ref InodeItem inode) =>
            inode.OnlineBlocks = 1)),
        Error("I96", "counts", "extent missing", v => v.RemoveLive(ExtentKey(v, "archive/partly.bin", 1))),
        Warning("I96", "unmerged", "offline", v => SplitExtent(v, "archive/offline.bin")),
        Warning("I96", "unmerged", "written", v => SplitExtent(v, "docs/readme.txt")),
    ];

    private static DataExtentItem Offline => new() { Flags = DataExtentItem.FlagOffline };

    private static ItemKey ExtentKey(VolumeEditor v, string path, int index) =>
        v.LiveItems().Where(item => IsExtentOf(item, path)).ElementAt(index).Key;

    private static void EditExtent(VolumeEditor v, string path, int index, VolumeEdit<DataExtentItem> edit) =>
        v.EditLive(ExtentKey(v, path, index), edit);

    /// <summary>Preallocates blocks somewhere for an empty file; they count neither as online nor as offline.</summary>
    private static void AddUnwritten(VolumeEditor v, ulong blkno, ulong count) => v.Insert(
        FsRoot(v),
        new VolumeEditorItem(
            Keys.DataExtent(Ino("docs/empty.txt"), count - 1, count),
            30,
            0,
            BytesOf(new DataExtentItem { Blkno = blkno, Flags = DataExtentItem.FlagUnwritten })));

    private static void SplitExtent(VolumeEditor v, string path)
    {
        var key = ExtentKey(v, path, 0);
        var old = v.FindLive(key)!;
        var root = v.TreeOf(key);
        var rest = Overlay<DataExtentItem>(old.Value);
        if (rest.Blkno != 0)
            rest.Blkno = rest.Blkno + 1;
        v.Remove(root, key);
        v.Insert(root, old with { Key = Keys.DataExtent(key.First, key.Second - key.Third + 1, 1) });
        v.Insert(root, old with { Key = With(key, third: key.Third - 1), Value = BytesOf(rest) });
    }
}
