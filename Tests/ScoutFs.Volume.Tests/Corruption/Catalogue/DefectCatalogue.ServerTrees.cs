using System.Collections.Generic;
using ScoutFs.Testing;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I80 to I83: mounted clients and the log merge; I84 to I89: log trees.</content>
internal static partial class DefectCatalogue
{
    private static ItemKey StatusKey => new(KeyZone.MergeStatus, 0, 0);

    private static ItemKey RequestKey => new(KeyZone.MergeRequest, SampleVolume.RidA, 0, 530);

    private static IEnumerable<PlantedDefect> ServerTrees =>
    [
        Error("I80", "size", "too short", v => v.ReplaceValue(
            v.Super.MountedClients, Keys.MountedClient(SampleVolume.RidA), value => value[..32])),
        Error("I80", "size", "too long", v => v.Insert(
            v.Super.MountedClients, new VolumeEditorItem(Keys.MountedClient(77), 0, 0, new byte[48]))),
        Error("I80", "flags", v => v.EditValue(
            v.Super.MountedClients, Keys.MountedClient(SampleVolume.RidB), (ref MountedClient c) => c.Flags = 2)),
        Error("I81", "size", "range", v => v.Insert(
            v.Super.LogMerge, SrchItem(new ItemKey(KeyZone.MergeRange, 3, 4), 56))),
        Error("I81", "size", "request", v => v.Insert(
                v.Super.LogMerge, SrchItem(new ItemKey(KeyZone.MergeRequest, SampleVolume.RidB, 0, 540), 200))),
        Error("I81", "size", "completion", v => v.Insert(
            v.Super.LogMerge, SrchItem(new ItemKey(KeyZone.MergeComplete, 540, 0), 216))),
        Error("I81", "size", "freeing", v => v.Insert(
            v.Super.LogMerge, SrchItem(new ItemKey(KeyZone.MergeFreeing, 301, 0), 0))),
        Error("I81", "size", "status", v => v.ReplaceValue(v.Super.LogMerge, StatusKey, value => value[..48]))
            .With("I83", "without its status the merge is not one"),
        Error("I82", "keys", "range", v => v.EditValue(
            v.Super.LogMerge, RangeKey(v), (ref LogMergeRange range) => range.Start.Third = 9)),
        Error("I82", "keys", "request's rid", v => v.EditValue(
            v.Super.LogMerge, RequestKey, (ref LogMergeRequest request) => request.Rid = SampleVolume.RidB)),
        Error("I82", "keys", "request's seq", v => v.EditValue(
            v.Super.LogMerge, RequestKey, (ref LogMergeRequest request) => request.Seq = 531)),
        Error("I82", "keys", "completion", v => v.EditValue(
                v.Super.LogMerge,
                new ItemKey(KeyZone.MergeComplete, 510, 0),
                (ref LogMergeComplete completion) => completion.Seq = 511))
            .ButReference(NoOther),
        Error("I82", "keys", "freeing", v => v.EditValue(
                v.Super.LogMerge, FreeingKey, (ref LogMergeFreeing freeing) => freeing.Seq = 301))
            .ButReference(NoOther),
        Error("I83", "requests", "too many", v => EditStatus(v, (ref LogMergeStatus s) => s.NrRequests = 0)),
        Error("I83", "requests", "too few", v => EditStatus(v, (ref LogMergeStatus s) => s.NrRequests = 2)),
        Error("I83", "completions", v => EditStatus(v, (ref LogMergeStatus s) => s.NrComplete = 1)),
        Error("I83", "no status", v => v.Remove(v.Super.LogMerge, StatusKey)),
    ];

    private static IEnumerable<PlantedDefect> Logs =>
    [
        Error("I84", "size", v => v.Insert(
            v.Super.LogsRoot, new VolumeEditorItem(Keys.LogTrees(5, 1), 0, 0, new byte[464]))),
        Error("I84", "key", "nr", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) => log.Nr = 2)),
        Error("I84", "key", "rid", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) => log.Rid = 5)),
        Error("I84", "key", "unused field", v => v.Replace(
            v.Super.LogsRoot, Keys.LogTrees(SampleVolume.RidC, 1), item => item with
            {
                Key = With(item.Key, third: 1),
            })),
        Error("I85", "flags", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) => log.Flags = 3)),
        Error("I85", "commit after get", v => v.EditLog(SampleVolume.RidB, 2, (ref LogTrees log) =>
            log.CommitTransSeq = log.GetTransSeq + 1)),
        Error("I85", "finalized without a seq", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.FinalizeSeq = 0)),
        Error("I85", "seq without being finalized", v => v.EditLog(SampleVolume.RidB, 2, (ref LogTrees log) =>
            log.FinalizeSeq = 900)),
        Error("I85", "finalized with an open transaction", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.CommitTransSeq = log.GetTransSeq - 1)),
        Error("I85", "only the last is open", v => v.EditLog(SampleVolume.RidA, 1, (ref LogTrees log) =>
        {
            log.Flags = 0;
            log.FinalizeSeq = 0;
        })),
        Error("I86", "item seq", "fs_root", v => v.EditItem(
            FsRoot(v), Keys.Inode(Ino("links/short")), (ref BtreeItem item, System.Span<byte> _) => item.Seq = 1001)),
        Error("I86", "item seq", "log", v =>
        {
            v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) => log.MaxItemSeq = 990);
            v.EditItem(
                v.Log(SampleVolume.RidC, 1).ItemRoot,
                Keys.Inode(Ino("left/file")),
                (ref BtreeItem item, System.Span<byte> _) => item.Seq = ulong.MaxValue);
        }),
        Error("I86", "transaction", v => v.EditLog(SampleVolume.RidB, 2, (ref LogTrees log) =>
            log.GetTransSeq = 1001)),
        Error("I86", "finalize_seq", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.FinalizeSeq = 1001)),
        Error("I86", "max_item_seq", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.MaxItemSeq = 1001)),
        Either("I86", "max_item_seq and items", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
            log.MaxItemSeq = 599)),
        Error("I86", "meta_seq", v => SetMetaSeq(v, "special/fifo", 1001)),
        Error("I86", "data_seq", v =>
        {
            ulong ino = Ino("docs/empty.txt");
            v.RemoveLive(Keys.DataSeqIndex(v.Inode(ino).DataSeq, ino));
            v.Insert(FsRoot(v), VolumeEditorItem.Of(Keys.DataSeqIndex(1001, ino), 30));
            v.EditInode(ino, (ref InodeItem inode) => inode.DataSeq = 1001);
        }),
        Error("I86", "freeing", v => v.Replace(v.Super.LogMerge, FreeingKey, item =>
            {
                BlockSurgery.Of<LogMergeFreeing>(item.Value).Seq = 1001;
                return item with { Key = new ItemKey(KeyZone.MergeFreeing, 1001, 0) };
            }))
            .ButReference(NoOther),
        Error("I87", "empty lists", v => MoveToFinalized(v, "freed blocks")),
        Error("I87", "empty extents", v => MoveToFinalized(v, "freed data")),
        Error("I87", "no srch file", v => MoveToFinalized(v, "srch file")),
        Error("I88", "total_set", "too great", v => v.EditLarge(BloomOf(v), (ref BloomBlockHeader bloom) =>
            bloom.TotalSet = bloom.TotalSet + 1)),
        Error("I88", "total_set", "bit too much", v => v.EditLarge(BloomOf(v), block =>
            block[System.Array.IndexOf(block, (byte)0, 40)] = 1)),
        Error("I89", "bits set", v => v.EditLarge(BloomOf(v), block =>
        {
            var (first, _, _) = new BloomProbe(Keys.LockStart(Keys.Inode(Ino("left")))).Bits;
            block[40 + (first / 8)] &= (byte)~(1 << (int)(first % 8));
            ref var bloom = ref BlockSurgery.Of<BloomBlockHeader>(block);
            bloom.TotalSet = bloom.TotalSet - 1;
        })),
        Error("I89", "no bloom block", v => v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
                log.BloomRef = default))
            .With("I60", "nothing refers to the bloom block any more"),
    ];

    private static ItemKey RangeKey(VolumeEditor v)
    {
        foreach (var item in v.Items(v.Super.LogMerge))
        {
            if (item.Key.Zone == KeyZone.MergeRange)
                return item.Key;
        }

        throw new System.InvalidOperationException("The sample has no merge range.");
    }

    private static void EditStatus(VolumeEditor v, VolumeEdit<LogMergeStatus> edit) =>
        v.EditValue(v.Super.LogMerge, StatusKey, edit);

    /// <summary>Gives what another owner has to the log of a mount that has left, so that no block is lost.</summary>
    private static void MoveToFinalized(VolumeEditor v, string what)
    {
        var owner = v.Log(SampleVolume.RidA, 2);
        var super = v.Super;
        v.EditLog(SampleVolume.RidC, 1, (ref LogTrees log) =>
        {
            switch (what)
            {
                case "freed blocks":
                    log.MetaFreed = super.ServerMetaFreed[0];
                    break;
                case "freed data":
                    log.DataFreed = owner.DataFreed;
                    break;
                default:
                    log.SrchFile = owner.SrchFile;
                    break;
            }
        });
        if (what == "freed blocks")
        {
            v.EditSuper((ref SuperBlock s) => s.ServerMetaFreed[0] = default);
            return;
        }

        v.EditLog(SampleVolume.RidA, 2, (ref LogTrees log) =>
        {
            if (what == "freed data")
                log.DataFreed = default;
            else
                log.SrchFile = default;
        });
    }

    private static void SetMetaSeq(VolumeEditor v, string path, ulong seq)
    {
        ulong ino = Ino(path);
        v.RemoveLive(Keys.MetaSeqIndex(v.Inode(ino).MetaSeq, ino));
        v.Insert(FsRoot(v), VolumeEditorItem.Of(Keys.MetaSeqIndex(seq, ino), 30));
        v.EditInode(ino, (ref InodeItem inode) => inode.MetaSeq = seq);
    }
}
