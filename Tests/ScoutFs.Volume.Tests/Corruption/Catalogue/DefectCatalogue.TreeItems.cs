using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I36 to I39: what items trees may hold.</content>
internal static partial class DefectCatalogue
{
    private const string OtherNumber = "volcheck.py reports it under the number of the tree's items";

    private static IEnumerable<PlantedDefect> TreeItems =>
    [
        Error("I36", "deletion in fs_root", v => v.Replace(FsRoot(v), HiddenIndexKey, item => item with
        {
            Flags = BtreeItem.FlagDeletion,
        })),
        Error("I36", "flags in another tree", v => v.Replace(
                v.Super.MountedClients, Keys.MountedClient(SampleVolume.RidA), item => item with
                {
                    Flags = BtreeItem.FlagDeletion,
                }))
            .With("I38", "the item has a value")
            .ButReference(NoOther),
        Warning("I37", "values of equal seq", v =>
        {
            // The version in fs_root becomes a copy of the log's, but for a time that nothing else depends on.
            var key = Keys.Inode(Ino("many/f010"));
            var logged = v.Find(v.Log(SampleVolume.RidA, 1).ItemRoot, key)!;
            v.Replace(FsRoot(v), key, item =>
            {
                byte[] value = (byte[])logged.Value.Clone();
                BlockSurgery.Of<InodeItem>(value).Atime.Nsec = 1;
                return item with { Seq = logged.Seq, Value = value };
            });
        }),
        Error("I38", "deletion with a value", v =>
        {
            var root = v.Log(SampleVolume.RidA, 1).ItemRoot;
            v.ReplaceValue(root, v.Items(root).First(item => item.IsDeletion).Key, _ => new byte[8]);
        }),
        Error("I39", "zone", "lock name in fs_root", v => v.Insert(
            FsRoot(v), VolumeEditorItem.Of(new ItemKey(KeyZone.Lock, 0, 4), 30))),
        Error("I39", "zone", "log trees in fs_root", v => v.Insert(
            FsRoot(v), VolumeEditorItem.Of(Keys.LogTrees(5, 1), 30))),
        Error("I39", "zone", "unused number in fs_root", v => v.Insert(
            FsRoot(v), VolumeEditorItem.Of(new ItemKey(6, 0, 0), 30))),
        Error("I39", "type", "file system item", v => v.Insert(
            FsRoot(v), VolumeEditorItem.Of(new ItemKey(KeyZone.Fs, Ino("special/fifo"), 32), 30))),
        Error("I39", "type", "index item", v => v.Insert(
                FsRoot(v), VolumeEditorItem.Of(new ItemKey(KeyZone.InodeIndex, 0, 12, 20, Ino("special/fifo")), 30)))
            .ButReference("volcheck.py sees a stray index item (I97)"),
        Error("I39", "zone", "logs_root", v => v.Insert(
                v.Super.LogsRoot, VolumeEditorItem.Of(Keys.MountedClient(5))))
            .ButReference(OtherNumber),
        Error("I39", "zone", "mounted clients", v => v.Insert(
                v.Super.MountedClients, VolumeEditorItem.Of(Keys.LogTrees(5, 1))))
            .ButReference(OtherNumber),
        Error("I39", "type", "srch_root", v => v.Insert(
                v.Super.SrchRoot, VolumeEditorItem.Of(new ItemKey(KeyZone.Srch, 0, 20, 5))))
            .ButReference(OtherNumber),
        Error("I39", "zone", "log_merge", v => v.Insert(
                v.Super.LogMerge, VolumeEditorItem.Of(new ItemKey(64, 0, 0))))
            .ButReference(OtherNumber),
    ];

    /// <summary>An index item without a value in fs_root that a newer deletion in a log hides.</summary>
    private static ItemKey HiddenIndexKey => Keys.MetaSeqIndex(20, Ino("many/f020"));
}
