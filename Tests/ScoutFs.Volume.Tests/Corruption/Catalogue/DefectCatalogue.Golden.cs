using System;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>
/// Defects in volumes that Linux has written: whatever makes these differ from samples made here (blocks with holes,
/// links as left by many insertions and removals, everything in log trees) must not get in the way.
/// </content>
internal static partial class DefectCatalogue
{
    private static IEnumerable<PlantedDefect> Golden =>
    [
        .. GoldenEmpty.Select(defect => defect.On(DefectOrigin.GoldenEmpty)),
        .. GoldenBasic.Select(defect => defect.On(DefectOrigin.GoldenBasic)),
        .. GoldenArchive.Select(defect => defect.On(DefectOrigin.GoldenArchive)),
    ];

    private static IEnumerable<PlantedDefect> GoldenEmpty =>
    [
        Error("I1", "checksum", "metadata device", v => Damage(v.Meta, 16, 1400)),
        Error("I8", "blkno", v => v.EditQuorum(14, (ref QuorumBlock q) => q.Header.Blkno = 1)),
        Error("I24", "ascending", v => v.EditLarge(2, b =>
        {
            var items = v.ItemsOf(2);
            items.Reverse();
            BlockSurgery.WriteInOrder(b, items);
        })),
        Error("I33", "each item found", v => v.EditLarge(2, b => BlockSurgery.Buckets(b).Clear())),
        Error("I43", "total_len", v => v.EditSuper((ref SuperBlock s) => s.DataAlloc.TotalLen = 1)),
        Error("I52", "total_nr", v => v.EditSuper((ref SuperBlock s) => s.ServerMetaAvail[0].TotalNr = 1025)),
        Error("I53", "entries inside the device", v => v.EditLarge(3, b =>
                BlockSurgery.Of<Le64>(b, 56 + (8 * 7)) = 1UL << 20)),
        Error("I60", "in two places", v => v.EditLarge(3, b => BlockSurgery.Of<Le64>(b, 56 + (8 * 7)) = 4)),
        Error("I94", "nlink", v => v.EditInode(1, (ref InodeItem inode) => inode.Nlink = 3)),
        Error("I97", "by meta_seq", v => v.EditInode(1, (ref InodeItem inode) => inode.MetaSeq = 1)),
        Error("I102", "number of inodes", v => v.EditSuper((ref SuperBlock s) => s.InodeCount = 2)),
    ];

    private static IEnumerable<PlantedDefect> GoldenBasic =>
    [
        Error("I10", "checksum", "leaf of a log", v =>
            DamageLarge(v, v.BlocksAt(BiggestLog(v).ItemRoot, 0)[3], 50000)),
        Error("I23", "balanced", v => v.EditLarge(v.BlocksAt(BiggestLog(v).ItemRoot, 0)[3], Chain)),
        Error("I30", "total_item_bytes", v => v.EditLarge(
            v.BlocksAt(BiggestLog(v).ItemRoot, 0)[3], (ref BtreeBlockHeader b) => b.TotalItemBytes = 8)),
        Error("I33", "each item found", v => v.EditLarge(v.BlocksAt(BiggestLog(v).ItemRoot, 0)[3], b =>
            BlockSurgery.Buckets(b)[BlockSurgery.BucketOf(b, 40)] = 0)),
        Error("I70", "height and blocks", v => v.EditLog(BiggestLog(v).Rid, BiggestLog(v).Nr, (ref LogTrees log) =>
                log.SrchFile.Blocks = 1))
            .ButReference("volcheck.py looks at files with a block only"),
        Error("I88", "total_set", v => v.EditLarge(BiggestLog(v).BloomRef.Blkno, (ref BloomBlockHeader bloom) =>
            bloom.TotalSet = 0)),
        Error("I89", "bits set", v => v.EditLarge(BiggestLog(v).BloomRef.Blkno, b => b.AsSpan(32).Clear())),
        Error("I62", "in two places", v => v.EditLive(
            OfType(v, KeyType.DataExtent).First(HasBlocks).Key,
            (ref DataExtentItem extent) => extent.Blkno = Overlay<DataExtentItem>(
                OfType(v, KeyType.DataExtent).Last(HasBlocks).Value).Blkno)),
        Error("I93", "three items", "dirent missing", v => v.RemoveLive(OfType(v, KeyType.Dirent).ElementAt(50).Key)),
        Error("I93", "three items", "readdir item missing", v =>
                v.RemoveLive(OfType(v, KeyType.Readdir).ElementAt(50).Key)),
        Error("I93", "three items", "back reference missing", v =>
                v.RemoveLive(OfType(v, KeyType.LinkBackref).ElementAt(50).Key)),
        Error("I94", "nlink", v => v.EditInode(InodeOf(v, FileMode.Regular), (ref InodeItem inode) =>
            inode.Nlink = 500)),
        Error("I94", "directory size", v => v.EditInode(InodeOf(v, FileMode.Directory), (ref InodeItem inode) =>
            inode.Size = 1)),
        Error("I96", "counts", v => v.EditInode(InodeOf(v, FileMode.Regular), (ref InodeItem inode) =>
            inode.OnlineBlocks = inode.OnlineBlocks + 1)),
        Error("I97", "by data_seq", v => v.RemoveLive(v.LiveItems().First(item =>
            item.Key.Zone == KeyZone.InodeIndex && item.Key.Type == KeyType.DataSeq).Key)),
        Warning("I98", "orphan item of a linked inode", v => v.Insert(
                FsRoot(v), VolumeEditorItem.Of(Keys.Orphan(InodeOf(v, FileMode.Regular)), 1)))
            .ButReference(LeftByLinux),
        Error("I100", "parts", v => v.RemoveLive(OfType(v, KeyType.Symlink).Last(item => item.Key.Second != 0).Key)),
        Error("I101", "dense", v => v.RemoveLive(OfType(v, KeyType.Xattr).Last(item => item.Key.Fourth != 0).Key)),
        Error("I102", "number of inodes", v => v.EditLog(BiggestLog(v).Rid, BiggestLog(v).Nr, (ref LogTrees log) =>
            log.InodeCountDelta = -1)),
    ];

    private static IEnumerable<PlantedDefect> GoldenArchive =>
    [
        Error("I75", "entry totals", v => v.EditValue(
            v.Super.SrchRoot, v.Items(v.Super.SrchRoot).First().Key, (ref SrchFile file) =>
                file.Entries = file.Entries + 1)),
        Error("I77", "keys", v => v.Replace(v.Super.SrchRoot, v.Items(v.Super.SrchRoot).First().Key, item =>
                item with { Key = With(item.Key, second: item.Key.Second + 1) })),
        Error("I79", "entries are those of xattrs", v => v.RemoveLive(
            OfType(v, KeyType.Xattr).First(item => item.Key.Fourth == 0 && IsTagged(item, "srch")).Key)),
        Error("I90", "totals", v => v.EditLive(
            v.LiveItems().First(item => item.Key.Zone == KeyZone.XattrTotal).Key,
            (ref XattrTotalItem total) => total.Count = total.Count + 1)),
        Error("I91", "flags", v => v.EditInode(InodeOf(v, FileMode.Regular), (ref InodeItem inode) =>
            inode.Flags = inode.Flags | 8)),
        Error("I95", "index items", v => v.RemoveLive(
            v.LiveItems().First(item => item.Key.Zone == KeyZone.XattrIndex).Key)),
        Warning("I96", "unmerged", v =>
        {
            var item = OfType(v, KeyType.DataExtent).First(extent =>
                extent.Key.Third > 1 && Overlay<DataExtentItem>(extent.Value).Blkno == 0);
            var root = v.TreeOf(item.Key);
            v.Remove(root, item.Key);
            v.Insert(root, item with
            {
                Key = Keys.DataExtent(item.Key.First, item.Key.Second - item.Key.Third + 1, 1),
            });
            v.Insert(root, item with { Key = With(item.Key, third: item.Key.Third - 1) });
        }),
        Error("I99", "hash", v => v.EditLive(RuleKey(v), (ref QuotaRuleItem rule) => rule.Prio ^= 1)),
    ];

    private static LogTrees BiggestLog(VolumeEditor v) => v.Logs.MaxBy(log => v.BlocksAt(log.ItemRoot, 0).Count);

    private static IEnumerable<VolumeEditorItem> OfType(VolumeEditor v, byte type) =>
        v.LiveItems().Where(item => item.Key.Zone == KeyZone.Fs && item.Key.Type == type);

    private static ulong InodeOf(VolumeEditor v, uint type) => OfType(v, KeyType.Inode)
        .Where(item => item.Key.First != FormatConstants.RootIno)
        .First(item => (v.Inode(item.Key.First).Mode & FileMode.TypeMask) == type && v.Inode(item.Key.First).Nlink > 0)
        .Key.First;

    private static bool HasBlocks(VolumeEditorItem extent) => Overlay<DataExtentItem>(extent.Value).Blkno != 0;

    private static bool IsTagged(VolumeEditorItem xattr, string tag) =>
        NameOf(xattr) is var name && name.StartsWith("scoutfs.", StringComparison.Ordinal)
        && name.Contains($".{tag}.", StringComparison.Ordinal);

    /// <summary>Makes a chain of a block whose items are in no order, by writing it anew first.</summary>
    private static void Chain(byte[] block)
    {
        var view = new BtreeBlock(block);
        List<VolumeEditorItem> items = [];
        for (int offset = view.First(); offset != 0; offset = view.Next(offset))
        {
            ref readonly var item = ref view.Item(offset);
            items.Add(new VolumeEditorItem(item.Key, item.Seq, item.Flags, view.Value(item).ToArray()));
        }

        BlockSurgery.WriteInOrder(block, items);
        BlockSurgery.Chain(block);
    }
}
