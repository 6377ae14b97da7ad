using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I41 to I53: allocators; I60 to I63: every block in one place.</content>
internal static partial class DefectCatalogue
{
    private static IEnumerable<PlantedDefect> Allocators =>
    [
        Error("I41", "zones", v => v.Insert(Freed(v).Root, VolumeEditorItem.Of(new ItemKey(44, 0, 0)))),
        Error("I41", "unused key fields", "by location", v => v.Replace(
            Freed(v).Root, FirstFreed(v).Key, item => item with { Key = With(item.Key, third: 1) })),
        Error("I41", "unused key fields", "by size", v => v.Replace(
            Freed(v).Root, FirstFreedBySize(v).Key, item => item with { Key = With(item.Key, fourth: 1) })),
        Error("I41", "no value", v => v.ReplaceValue(Freed(v).Root, FirstFreed(v).Key, _ => new byte[8])),
        Error("I41", "no value", "free metadata extent", v => v.ReplaceValue(
            v.Super.MetaAlloc[1].Root, v.Items(v.Super.MetaAlloc[1].Root).First().Key, _ => new byte[1])),
        Error("I42", "order", v => v.Replace(Freed(v).Root, FirstFreedBySize(v).Key, item =>
            item with { Key = With(item.Key, first: item.Key.First - 1) })),
        Error("I42", "same extents", "missing by size", v => v.Remove(Freed(v).Root, FirstFreedBySize(v).Key)),
        Error("I42", "same extents", "only by size", v => v.Insert(
            Freed(v).Root, VolumeEditorItem.Of(Keys.FreeBySize(500_000, 5)))),
        Error("I42", "same extents", "another length", v => v.Replace(
            Freed(v).Root, FirstFreedBySize(v).Key, item => item with { Key = With(item.Key, third: 2) })),
        Error("I42", "same extents", "missing by location", v => v.Remove(Freed(v).Root, FirstFreed(v).Key))
            .With("I62", "the blocks may be taken from either index"),
        Error("I43", "total_len", "freed data", v => v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) =>
            log.DataFreed.TotalLen = log.DataFreed.TotalLen + 1)),
        Error("I43", "total_len", "metadata", v => v.EditSuper((ref SuperBlock s) =>
            s.MetaAlloc[1].TotalLen = s.MetaAlloc[1].TotalLen - 1)),
        Error("I43", "total_len", "empty tree", v => v.EditLog(SampleVolume.RidB, 2, (ref LogTrees log) =>
            log.DataFreed.TotalLen = 10)),
        Error("I44", "inside the device", "past the end", v => AddFreed(v, v.Super.TotalDataBlocks + 10, 5)),
        Error("I44", "inside the device", "across the end", v => AddFreed(v, v.Super.TotalDataBlocks - 2, 5)),
        Error("I44", "inside the device", "reserved", v => AddFreed(v, 10, 5)),
        Error("I44", "inside the device", "reserved metadata", v =>
            {
                v.EditSuper((ref SuperBlock s) => s.MetaAlloc[0].TotalLen = s.MetaAlloc[0].TotalLen + 1);
                AddExtent(v, v.Super.MetaAlloc[0].Root, 1, 1);
            }),
        Error("I44", "length", v => AddFreed(v, 500_000, 0)),
        Error("I44", "length", "huge", v => AddFreed(v, 0, ulong.MaxValue)),
        Error("I44", "no overlap", v =>
            {
                var (start, _) = ExtentOf(FirstFreed(v).Key);
                AddFreed(v, start + 1, 1);
            }),
        Warning("I45", "adjacent extents", "data", v => Split(v, Freed(v).Root, FirstFreed(v).Key)),
        Warning("I45", "adjacent extents", "metadata", v => Split(
            v,
            v.Super.MetaAlloc[1].Root,
            v.Items(v.Super.MetaAlloc[1].Root).First(item => item.Key.Second > 1).Key)),
        Error("I46", "flags", "extents", v => v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) =>
            log.DataAvail.Flags = 2)),
        Error("I46", "flags", "list", v => v.EditSuper((ref SuperBlock s) => s.ServerMetaFreed[0].Flags = 4)),
        Error("I50", "empty list is zero", "seq", v => v.EditSuper((ref SuperBlock s) =>
            s.ServerMetaFreed[1].Ref.Seq = 9)),
        Error("I50", "empty list is zero", "first_nr", v => v.EditSuper((ref SuperBlock s) =>
                s.ServerMetaFreed[1].FirstNr = 3)),
        Error("I50", "empty list is zero", "total_nr", v => v.EditSuper((ref SuperBlock s) =>
                s.ServerMetaFreed[1].TotalNr = 3)),
        Error("I51", "start and nr", v => v.EditLarge(EmptyTail(v), (ref AllocListBlock list) => list.Start = 8186)),
        Error("I51", "start and nr", "overflow", v => v.EditLarge(EmptyTail(v), (ref AllocListBlock list) =>
            {
                list.Start = uint.MaxValue;
                list.Nr = 2;
            })),
        Error("I51", "no cycles", v => v.EditLarge(EmptyTail(v), (ref AllocListBlock list) =>
                list.Next = v.Log(SampleVolume.RidA, 2).MetaFreed.Ref))
            .With("I60", "the list has the block twice"),
        Error("I51", "no cycles", "one block", v => v.EditLarge(EmptyTail(v), (ref AllocListBlock list) =>
                list.Next = new BlockRef(list.Header.Blkno, list.Header.Seq)))
            .With("I60", "the list has the block twice"),
        Error("I52", "first_nr", v => v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) =>
            log.MetaAvail.FirstNr = log.MetaAvail.FirstNr + 1)),
        Error("I52", "total_nr", v => v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) =>
            log.MetaAvail.TotalNr = log.MetaAvail.TotalNr - 1)),
        Error("I52", "total_nr", "server", v => v.EditSuper((ref SuperBlock s) =>
            s.ServerMetaAvail[0].TotalNr = ulong.MaxValue)),
        Error("I53", "entries inside the device", "past the end", v => AddEntry(v, v.Super.TotalMetaBlocks)),
        Error("I53", "entries inside the device", "none", v => AddEntry(v, 0)),
        Error("I53", "entries inside the device", "reserved", v => AddEntry(v, 1)),
    ];

    private static IEnumerable<PlantedDefect> Accounting =>
    [
        Error("I60", "in two places", "list and bloom block", v => AddEntry(v, BloomOf(v))),
        Error("I60", "in two places", "list twice", v => AddEntry(v, v.ListEntries(v.Super.ServerMetaFreed[0])[0])),
        Error("I60", "in two places", "list and its own block", v =>
            AddEntry(v, v.Super.ServerMetaFreed[0].Ref.Blkno)),
        Error("I60", "in two places", "list and leaf", v => AddEntry(v, LeafOf(v, "many/f040"))),
        Error("I60", "in two places", "list and srch leaf", v => AddEntry(v, v.SrchLeaves(FreeStandingSorted(v))[2])),
        Error("I60", "in two places", "list and free extent", v => AddEntry(v, FreeBlock(v))),
        Error("I60", "in two places", "two heads of one list", v => v.EditSuper((ref SuperBlock s) =>
                s.ServerMetaFreed[1] = s.ServerMetaFreed[0]))
            .With("I51", "seen from the second head the list leads to where one has been already"),
        Error("I60", "in two places", "extent over a block in use", v => Resize(v, ExtentBeforeUsed(v), 1)),
        Error("I60", "in two places", "what is freed already", v => v.EditValue(
            v.Super.LogMerge, FreeingKey, (ref LogMergeFreeing freeing) => freeing.Key = default)),
        Error("I60", "in two places", "freed leaf of a compaction's input", v => EditDeleting(v, (
            ref SrchCompact compaction) => compaction.Inputs[1].Blk = 1)),
        Error("I60", "in two places", "compaction's output of another file", v => EditCompaction(
            v, KeyType.SrchPending, (ref SrchCompact compaction) => compaction.Out = FreeStandingLog(v))),
        Error("I60", "in no place", "extent too short", v => Resize(v, ExtentBeforeUsed(v), -1)),
        Error("I60", "in no place", "entry dropped", v => v.EditLarge(
            v.Super.ServerMetaFreed[0].Ref.Blkno, (ref AllocListBlock list) =>
            {
                list.Nr = list.Nr - 1;
                v.EditSuper((ref SuperBlock s) =>
                {
                    s.ServerMetaFreed[0].FirstNr = s.ServerMetaFreed[0].FirstNr - 1;
                    s.ServerMetaFreed[0].TotalNr = s.ServerMetaFreed[0].TotalNr - 1;
                });
            })),
        Error("I60", "in no place", "freeing too far on", v => v.EditValue(
            v.Super.LogMerge, FreeingKey, (ref LogMergeFreeing freeing) =>
                freeing.Key = v.ItemsOf(FreeingRoot(v))[3].Key.Next())),
        Error("I60", "in no place", "leaked leaf", v => Leak(v, level: 0)),
        Error("I60", "in no place", "leaked level 1 block with a bad checksum", v =>
            DamageLarge(v, Leak(v, level: 1), 3)),
        Warning("I63", "leaked level 1 block", v => Leak(v, level: 1)),
        Error("I62", "in two places", "two files", v => v.EditLive(
            v.LiveItems().First(item => IsExtentOf(item, "archive/sparse.bin")).Key,
            (ref DataExtentItem extent) => extent.Blkno = BlknoOf(v, "archive/partly.bin"))),
        Error("I62", "in two places", "file and free extent", v => AddFreed(v, BlknoOf(v, "archive/partly.bin"), 2)),
        Error("I62", "in two places", "free extents of two owners", v => AddFreed(
            v, ExtentOf(v.Items(v.Log(SampleVolume.RidB, 2).DataAvail.Root).First().Key).Start, 3)),
        Error("I62", "in no place", "extent too short", v =>
        {
            var root = v.Super.DataAlloc.Root;
            var (start, count) = ExtentOf(v.Items(root).First(item => item.Key.Second > 1).Key);
            RemoveExtent(v, root, start, count);
            AddExtent(v, root, start, count - 1);
            v.EditSuper((ref SuperBlock s) => s.DataAlloc.TotalLen = s.DataAlloc.TotalLen - 1);
        }),
        Error("I62", "in no place", "no file", v =>
        {
            // The last extent of an orphan, whose counts may lag behind.
            v.RemoveLive(Keys.DataExtent(Ino("orphan"), 1, 2));
        }),
    ];

    private static AllocRoot Freed(VolumeEditor v) => v.Log(SampleVolume.RidA, 2).DataFreed;

    private static VolumeEditorItem FirstFreed(VolumeEditor v) => v.Items(Freed(v).Root).First();

    private static VolumeEditorItem FirstFreedBySize(VolumeEditor v) =>
        v.Items(Freed(v).Root).First(item => item.Key.Zone == KeyZone.FreeBySize);

    private static (ulong Start, ulong Count) ExtentOf(ItemKey byLocation) =>
        (byLocation.First - byLocation.Second + 1, byLocation.Second);

    private static ItemKey With(
        ItemKey key, ulong? first = null, ulong? second = null, ulong? third = null, byte? fourth = null) => new(
            key.Zone, first ?? key.First, key.Type, second ?? key.Second, third ?? key.Third, fourth ?? key.Fourth);

    private static void AddExtent(VolumeEditor v, BtreeRoot root, ulong start, ulong count)
    {
        v.Insert(root, VolumeEditorItem.Of(Keys.FreeByLocation(start + count - 1, count)));
        v.Insert(root, VolumeEditorItem.Of(Keys.FreeBySize(start + count - 1, count)));
    }

    private static void RemoveExtent(VolumeEditor v, BtreeRoot root, ulong start, ulong count)
    {
        v.Remove(root, Keys.FreeByLocation(start + count - 1, count));
        v.Remove(root, Keys.FreeBySize(start + count - 1, count));
    }

    /// <summary>Adds an extent to the data that a mount has freed.</summary>
    private static void AddFreed(VolumeEditor v, ulong start, ulong count)
    {
        AddExtent(v, Freed(v).Root, start, count);
        v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) => log.DataFreed.TotalLen = log.DataFreed.TotalLen + count);
    }

    private static void Split(VolumeEditor v, BtreeRoot root, ItemKey byLocation)
    {
        var (start, count) = ExtentOf(byLocation);
        AddExtent(v, root, start, 1);
        RemoveExtent(v, root, start, count);
        AddExtent(v, root, start + 1, count - 1);
    }

    /// <summary>A free metadata extent of two blocks and more with a block in use behind it.</summary>
    private static ItemKey ExtentBeforeUsed(VolumeEditor v) => v.Items(v.Super.MetaAlloc[0].Root).First(item =>
        item.Key.Zone == KeyZone.FreeByLocation && item.Key.Second > 1
        && item.Key.First + 1 < v.Super.TotalMetaBlocks).Key;

    private static void Resize(VolumeEditor v, ItemKey byLocation, long by)
    {
        var root = v.Super.MetaAlloc[0].Root;
        var (start, count) = ExtentOf(byLocation);
        RemoveExtent(v, root, start, count);
        AddExtent(v, root, start, count + (ulong)by);
        v.EditSuper((ref SuperBlock s) => s.MetaAlloc[0].TotalLen = s.MetaAlloc[0].TotalLen + (ulong)by);
    }

    /// <summary>Adds an entry to the server's freed list.</summary>
    private static void AddEntry(VolumeEditor v, ulong blkno)
    {
        v.EditLarge(v.Super.ServerMetaFreed[0].Ref.Blkno, block =>
        {
            ref var list = ref BlockSurgery.Of<AllocListBlock>(block);
            BlockSurgery.Of<Le64>(block, 56 + (8 * (int)(list.Start + list.Nr))) = blkno;
            list.Nr = list.Nr + 1;
        });
        v.EditSuper((ref SuperBlock s) =>
        {
            s.ServerMetaFreed[0].FirstNr = s.ServerMetaFreed[0].FirstNr + 1;
            s.ServerMetaFreed[0].TotalNr = s.ServerMetaFreed[0].TotalNr + 1;
        });
    }

    /// <summary>The last block of a list, which has no entries.</summary>
    private static ulong EmptyTail(VolumeEditor v) => v.ListBlocks(v.Log(SampleVolume.RidA, 2).MetaFreed)[^1];

    /// <summary>Takes a free block out of the allocator and leaves a copy of a btree block in it.</summary>
    private static ulong Leak(VolumeEditor v, int level)
    {
        var key = ExtentBeforeUsed(v);
        Resize(v, key, -1);
        byte[] block = v.ReadLarge(v.BlocksAt(FsRoot(v), level)[1]);
        BlockSurgery.Header(block).Header.Blkno = key.First;
        v.WriteLarge(key.First, block);
        return key.First;
    }

    private static bool IsExtentOf(VolumeEditorItem item, string path) =>
        item.Key.Zone == KeyZone.Fs && item.Key.First == Ino(path) && item.Key.Type == KeyType.DataExtent;

    private static ulong BlknoOf(VolumeEditor v, string path) =>
        Overlay<DataExtentItem>(v.LiveItems().First(item => IsExtentOf(item, path)).Value).Blkno;
}
