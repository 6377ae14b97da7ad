using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I10 to I12: blocks that do not match what refers to them.</content>
internal static partial class DefectCatalogue
{
    private static IEnumerable<PlantedDefect> Blocks =>
    [
        Error("I10", "checksum", "mounted clients", v => DamageLarge(v, v.Super.MountedClients.Ref.Blkno, 30000)),
        Error("I10", "checksum", "leaf of fs_root", v => DamageLarge(v, LeafOf(v, "many/f040"), 40000)),
        Error("I10", "checksum", "parent in fs_root", v => DamageLarge(v, ParentOf(v, "many/f040"), 200)),
        Error("I10", "checksum", "root of fs_root", v => DamageLarge(v, v.Super.FsRoot.Ref.Blkno, 65535)),
        Error("I10", "checksum", "log tree", v => DamageLarge(v, v.Log(SampleVolume.RidC, 1).ItemRoot.Ref.Blkno, 100)),
        Error("I10", "checksum", "logs_root", v => DamageLarge(v, v.Super.LogsRoot.Ref.Blkno, 0)),
        Error("I10", "checksum", "log_merge", v => DamageLarge(v, v.Super.LogMerge.Ref.Blkno, 0)),
        Error("I10", "checksum", "srch_root", v => DamageLarge(v, v.Super.SrchRoot.Ref.Blkno, 0)),
        Error("I10", "checksum", "freed data extents", v =>
                DamageLarge(v, v.Log(SampleVolume.RidA, 2).DataFreed.Root.Ref.Blkno, 5000)),
        Error("I10", "checksum", "free metadata extents", v => DamageLarge(v, v.Super.MetaAlloc[0].Root.Ref.Blkno, 90)),
        Error("I10", "checksum", "list block", v => DamageLarge(v, v.Super.ServerMetaFreed[0].Ref.Blkno, 65000)),
        Error("I10", "checksum", "bloom block", v => DamageLarge(v, BloomOf(v), 50)),
        Error("I10", "checksum", "srch leaf", v => DamageLarge(v, MountedSrch(v).Ref.Blkno, 60000)),
        Error("I10", "checksum", "srch parent", v => DamageLarge(v, FreeStandingSorted(v).Ref.Blkno, 60000)),
        Error("I10", "inside the device", "past the end", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
                log.BloomRef.Blkno = v.Super.TotalMetaBlocks))
            .With("I60", "nothing refers to the bloom block any more"),
        Error("I10", "inside the device", "reserved block", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
                log.BloomRef.Blkno = 1))
            .With("I60", "nothing refers to the bloom block any more"),
        Error("I10", "inside the device", "far out", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
                log.BloomRef.Blkno = ulong.MaxValue))
            .With("I60", "nothing refers to the bloom block any more"),
        Error("I10", "inside the device", "list", v => v.EditLarge(
            v.ListBlocks(v.Super.ServerMetaAvail[1])[^1],
            (ref AllocListBlock list) => list.Next = new BlockRef(1UL << 40, 5))),
        Error("I11", "magic", "bloom block", v => v.EditLarge(BloomOf(v), (ref BlockHeader header) =>
            header.Magic = (uint)BlockMagic.SrchLeaf)),
        Error("I11", "magic", "mounted clients", v => v.EditLarge(
            v.Super.MountedClients.Ref.Blkno, (ref BlockHeader header) => header.Magic = 0)),
        Error("I11", "magic", "list block", v => v.EditLarge(
                v.Super.ServerMetaFreed[0].Ref.Blkno,
                (ref BlockHeader header) => header.Magic = (uint)BlockMagic.Btree)),
        Error("I11", "magic", "srch parent", v => v.EditLarge(
                FreeStandingSorted(v).Ref.Blkno, (ref BlockHeader header) => header.Magic = (uint)BlockMagic.SrchLeaf)),
        Error("I12", "fsid", v => v.EditLarge(
            v.Super.MountedClients.Ref.Blkno, (ref BlockHeader header) => header.Fsid = header.Fsid ^ 1)),
        Error("I12", "blkno", v => v.EditLarge(
            v.Super.MountedClients.Ref.Blkno, (ref BlockHeader header) => header.Blkno = header.Blkno + 1)),
        Error("I12", "seq", v => v.EditLarge(
            v.Super.MountedClients.Ref.Blkno, (ref BlockHeader header) => header.Seq = header.Seq + 1)),
        Error("I12", "seq", "bloom block", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.BloomRef.Seq = 1)),
        Error("I12", "seq", "leaf of fs_root", v => v.EditLarge(
            LeafOf(v, "many/f040"), (ref BlockHeader header) => header.Seq = 77)),
        Error("I12", "fsid", "srch leaf", v => v.EditLarge(
                v.SrchLeaves(FreeStandingSorted(v))[1], (ref BlockHeader header) => header.Fsid = 0)),
    ];

    private static void DamageLarge(VolumeEditor v, ulong blkno, int offset) =>
        v.EditLarge(blkno, block => block[offset] ^= 0x10, isChecksumRenewed: false);

    private static ulong LeafOf(VolumeEditor v, string path) => v.Path(FsRoot(v), Keys.Inode(Ino(path)))[^1];

    private static ulong ParentOf(VolumeEditor v, string path) => v.Path(FsRoot(v), Keys.Inode(Ino(path)))[^2];

    private static ulong BloomOf(VolumeEditor v) => v.Log(SampleVolume.RidC, 1).BloomRef.Blkno;

    private static IEnumerable<VolumeEditorItem> SrchItems(VolumeEditor v, byte type) =>
        v.Items(v.Super.SrchRoot).Where(item => item.Key.Type == type);

    /// <summary>Item of a log file that no compaction works on.</summary>
    private static VolumeEditorItem FreeStandingLogItem(VolumeEditor v)
    {
        var pending = Overlay<SrchCompact>(SrchItems(v, KeyType.SrchPending).First().Value);
        return SrchItems(v, KeyType.SrchLog).First(item => !IsInput(pending, item));
    }

    /// <summary>Item of a sorted file with several leaves that no compaction works on or has written.</summary>
    private static VolumeEditorItem FreeStandingSortedItem(VolumeEditor v)
    {
        var busy = SrchItems(v, KeyType.SrchBusy).Select(item => Overlay<SrchCompact>(item.Value)).ToList();
        return SrchItems(v, KeyType.SrchSorted).First(item =>
            Overlay<SrchFile>(item.Value) is { Height: 2 } file
            && busy.TrueForAll(compaction =>
                !IsInput(compaction, item) && !compaction.Out.Ref.SameAs(file.Ref)));
    }

    /// <summary>Srch file of a mount: one leaf.</summary>
    private static SrchFile MountedSrch(VolumeEditor v) => v.Log(SampleVolume.RidA, 2).SrchFile;

    private static SrchFile FreeStandingLog(VolumeEditor v) => Overlay<SrchFile>(FreeStandingLogItem(v).Value);

    private static SrchFile FreeStandingSorted(VolumeEditor v) => Overlay<SrchFile>(FreeStandingSortedItem(v).Value);

    private static bool IsInput(SrchCompact compaction, VolumeEditorItem file)
    {
        for (int i = 0; i < compaction.Nr; i++)
        {
            if (compaction.Inputs[i].File.Ref.SameAs(Overlay<SrchFile>(file.Value).Ref))
                return true;
        }

        return false;
    }
}
