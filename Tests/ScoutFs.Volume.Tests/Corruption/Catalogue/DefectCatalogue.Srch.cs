using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I70 to I79: srch files and compactions.</content>
internal static partial class DefectCatalogue
{
    private const string PastTheEnd = "what lies past the end of a file need not be followed";
    private const string OtherEntries = "the entries that are there are not those that were written";

    private static IEnumerable<PlantedDefect> SrchFiles =>
    [
        Error("I70", "height and ref", "block without a height", v => EditEmptySrch(v, (ref SrchFile file) =>
            file.Ref = new BlockRef(FreeBlock(v), 3))),
        Error("I70", "height and ref", "height without a block", v => EditEmptySrch(v, (ref SrchFile file) =>
                file.Height = 1))
            .ButReference("volcheck.py looks at files with a block only"),
        Error("I70", "height and blocks", "no height", v => EditEmptySrch(v, (ref SrchFile file) => file.Blocks = 3))
            .ButReference("volcheck.py looks at files with a block only"),
        Error("I70", "height and blocks", "one leaf", v => EditMountedSrch(v, (ref SrchFile file) => file.Blocks = 2))
            .ButReference("volcheck.py says that a leaf is missing (I71)"),
        Error("I71", "dense", "block missing at the end", v => EditFreeLog(v, (ref SrchFile file) =>
            file.Blocks = file.Blocks + 1)),
        Error("I71", "dense", "hole", v => v.EditLarge(FreeStandingLog(v).Ref.Blkno, block =>
            {
                var references = VolumeEditor.References(block);
                references[100] = references[1];
                references[1] = default;
            }))
            .With("I60", PastTheEnd),
        Error("I71", "dense", "block past the end", v => EditFreeLog(v, (ref SrchFile file) =>
                file.Blocks = file.Blocks - 1)).With("I75", PastTheEnd).With("I79", PastTheEnd),
        Error("I72", "entry_bytes", v => v.EditLarge(MountedSrch(v).Ref.Blkno, (ref SrchLeafHeader leaf) =>
            leaf.EntryBytes = leaf.EntryBytes + 1)),
        Error("I72", "entry_nr", "too great", v => v.EditLarge(MountedSrch(v).Ref.Blkno, (ref SrchLeafHeader leaf) =>
                leaf.EntryNr = leaf.EntryNr + 1)).With("I79", OtherEntries),
        Error("I72", "entry_nr", "too small", v => v.EditLarge(MountedSrch(v).Ref.Blkno, (ref SrchLeafHeader leaf) =>
                leaf.EntryNr = leaf.EntryNr - 1))
            .With("I74", OtherEntries).With("I79", OtherEntries),
        Error("I72", "within limits", "more entries than fit", v => v.EditLarge(
                MountedSrch(v).Ref.Blkno, (ref SrchLeafHeader leaf) => leaf.EntryNr = uint.MaxValue)),
        Error("I72", "within limits", "entry too far behind", FillMountedSrch),
        Warning("I72", "minimal encoding", v => v.EditLarge(MountedSrch(v).Ref.Blkno, PadFirstEntry)),
        Error("I73", "ascending", "within a block", v => v.EditSrchLeaf(
            v.SrchLeaves(FreeStandingSorted(v))[0], entries => entries.Reverse(0, 2))),
        Error("I73", "ascending", "across blocks", v => v.EditLarge(FreeStandingSorted(v).Ref.Blkno, block =>
        {
            var references = VolumeEditor.References(block);
            (references[0], references[1]) = (references[1], references[0]);
        })),
        Error("I74", "first", v => v.EditLarge(MountedSrch(v).Ref.Blkno, (ref SrchLeafHeader leaf) =>
            leaf.First.Id = leaf.First.Id + 1)),
        Error("I74", "last", v => v.EditLarge(MountedSrch(v).Ref.Blkno, (ref SrchLeafHeader leaf) =>
            leaf.Last.Ino = 1)),
        Error("I74", "tail", v => v.EditLarge(v.SrchLeaves(FreeStandingSorted(v))[0], (ref SrchLeafHeader leaf) =>
            leaf.Tail = default)),
        Error("I75", "entry totals", v => EditMountedSrch(v, (ref SrchFile file) => file.Entries = file.Entries + 1)),
        Warning("I75", "file bounds", "first", v => EditMountedSrch(v, (ref SrchFile file) => file.First = default)),
        Warning("I75", "file bounds", "last", v => EditFreeLog(v, (ref SrchFile file) =>
            file.Last.Hash = ulong.MaxValue)),
        Error("I76", "value sizes", "log file", v => v.Insert(
            v.Super.SrchRoot, SrchItem(new ItemKey(KeyZone.Srch, 0, KeyType.SrchLog, 3), 80))),
        Error("I76", "value sizes", "sorted file", v => v.Insert(
            v.Super.SrchRoot, SrchItem(new ItemKey(KeyZone.Srch, 0, KeyType.SrchSorted, 1, 3), 96))),
        Error("I76", "value sizes", "compaction", v => v.Insert(
            v.Super.SrchRoot, SrchItem(new ItemKey(KeyZone.Srch, 0, KeyType.SrchPending, 3), 0))),
        Error("I77", "keys", "log file", v => v.Replace(v.Super.SrchRoot, FreeStandingLogItem(v).Key, item =>
            item with { Key = With(item.Key, second: item.Key.Second + 1) })),
        Error("I77", "keys", "blocks of a sorted file", v => v.Replace(
            v.Super.SrchRoot, FreeStandingSortedItem(v).Key, item =>
                item with { Key = With(item.Key, second: item.Key.Second + 1) })),
        Error("I77", "keys", "block of a sorted file", v => v.Replace(
            v.Super.SrchRoot, FreeStandingSortedItem(v).Key, item =>
                item with { Key = With(item.Key, third: item.Key.Third + 1) })),
        Error("I77", "keys", "pending compaction", v => v.Replace(
            v.Super.SrchRoot, SrchItems(v, KeyType.SrchPending).First().Key, item =>
                item with { Key = With(item.Key, second: item.Key.Second + 1) })),
        Error("I77", "keys", "busy compaction", v => v.Replace(
            v.Super.SrchRoot, SrchItems(v, KeyType.SrchBusy).First().Key, item =>
                item with { Key = With(item.Key, third: item.Key.Third + 1) })),
        Error("I78", "inputs are files", v => EditCompaction(v, KeyType.SrchPending, (ref SrchCompact compaction) =>
            compaction.Inputs[3].File.Ref.Blkno = FreeBlock(v))),
        Error("I78", "inputs are no files any more", v => EditDeleting(v, (ref SrchCompact compaction) =>
            compaction.Inputs[2].File = v.Items(v.Super.SrchRoot)
                .Where(item => item.Key.Type == KeyType.SrchLog)
                .Select(item => Overlay<SrchFile>(item.Value)).First(file => file.Height == 1))),
        Error("I79", "entries are those of xattrs", "entry missing", v =>
        {
            v.EditSrchLeaf(MountedSrch(v).Ref.Blkno, entries => entries.RemoveAt(entries.Count - 1));
            FixMountedSrch(v);
        }),
        Error("I79", "entries are those of xattrs", "entry twice", v =>
        {
            v.EditSrchLeaf(MountedSrch(v).Ref.Blkno, entries => entries.Add(entries[0]));
            FixMountedSrch(v);
        }),
        Error("I79", "entries are those of xattrs", "no such xattr", v =>
        {
            v.EditSrchLeaf(MountedSrch(v).Ref.Blkno, entries => entries.Add(new SrchEntry(5, Ino("docs"), 0)));
            FixMountedSrch(v);
        }),
        Error("I79", "entries are those of xattrs", "xattr missing", v => v.RemoveLive(v.LiveItems().First(item =>
            IsXattrOf(item, "xattrs/s15") && NameOf(item) == "scoutfs.srch.color").Key)),
    ];

    private static VolumeEditorItem SrchItem(ItemKey key, int bytes) => new(key, 0, 0, new byte[bytes]);

    private static void EditMountedSrch(VolumeEditor v, VolumeEdit<SrchFile> edit) =>
        v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) => edit(ref log.SrchFile));

    private static void EditEmptySrch(VolumeEditor v, VolumeEdit<SrchFile> edit) =>
        v.EditLog(SampleVolume.RidB, 2, (ref LogTrees log) => edit(ref log.SrchFile));

    private static void EditFreeLog(VolumeEditor v, VolumeEdit<SrchFile> edit) =>
        v.EditValue(v.Super.SrchRoot, FreeStandingLogItem(v).Key, edit);

    private static void EditCompaction(VolumeEditor v, byte type, VolumeEdit<SrchCompact> edit) =>
        v.EditValue(v.Super.SrchRoot, SrchItems(v, type).First().Key, edit);

    private static void EditDeleting(VolumeEditor v, VolumeEdit<SrchCompact> edit) => v.EditValue(
        v.Super.SrchRoot,
        SrchItems(v, KeyType.SrchBusy)
            .First(item => Overlay<SrchCompact>(item.Value).Flags == SrchCompact.FlagDelete).Key,
        edit);

    /// <summary>Makes a mount's srch file agree with its changed leaf.</summary>
    private static void FixMountedSrch(VolumeEditor v)
    {
        var leaf = Overlay<SrchLeafHeader>(v.ReadLarge(MountedSrch(v).Ref.Blkno));
        EditMountedSrch(v, (ref SrchFile file) =>
        {
            file.Entries = leaf.EntryNr.Value;
            file.First = leaf.First;
            file.Last = leaf.Last;
        });
    }

    /// <summary>Adds copies of an entry, two bytes each, until the last starts too far behind for a decoder.</summary>
    private static void FillMountedSrch(VolumeEditor v)
    {
        int used = (int)Overlay<SrchLeafHeader>(v.ReadLarge(MountedSrch(v).Ref.Blkno)).EntryBytes.Value;
        int copies = ((FormatConstants.SrchLastEntryStart - used) / 2) + 2;

        // An even number of copies changes nothing else.
        copies += copies % 2;
        v.EditSrchLeaf(MountedSrch(v).Ref.Blkno, entries => entries.AddRange(Enumerable.Repeat(entries[^1], copies)));
        FixMountedSrch(v);
    }

    /// <summary>Encodes the first entry's inode number with a zero byte too much.</summary>
    private static void PadFirstEntry(byte[] block)
    {
        ref var leaf = ref BlockSurgery.Of<SrchLeafHeader>(block);
        var entry = block[SampleVolumeSrch.EntriesOffset..];
        int lengths = BinaryPrimitives.ReadUInt16LittleEndian(entry);
        int at = 2 + (lengths & 15) + ((lengths >> 4) & 15);
        BinaryPrimitives.WriteUInt16LittleEndian(entry, (ushort)(lengths + 0x10));
        entry[..at].CopyTo(block, SampleVolumeSrch.EntriesOffset);
        block[SampleVolumeSrch.EntriesOffset + at] = 0;
        entry[at..^1].CopyTo(block, SampleVolumeSrch.EntriesOffset + at + 1);
        leaf.EntryBytes = leaf.EntryBytes + 1;
    }
}
