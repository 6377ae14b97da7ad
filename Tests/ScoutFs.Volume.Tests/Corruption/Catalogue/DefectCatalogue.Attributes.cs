using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I90, I95, I101: xattrs, their totals and index; I99: quota rules.</content>
internal static partial class DefectCatalogue
{
    private static IEnumerable<PlantedDefect> Attributes =>
    [
        Error("I90", "totals", "total", v => v.EditValue(
            FsRoot(v), Keys.XattrTotal(10, 0, 1), (ref XattrTotalItem total) => total.Total = total.Total + 1)),
        Error("I90", "totals", "count", v => v.EditValue(
            FsRoot(v), Keys.XattrTotal(30, 2, 3), (ref XattrTotalItem total) => total.Count = 2)),
        Error("I90", "totals", "delta in a log", v => v.EditValue(
            v.Log(SampleVolume.RidA, 2).ItemRoot,
            Keys.XattrTotal(10, 0, 1),
            (ref XattrTotalItem total) => total.Total = total.Total - 1)),
        Error("I90", "totals", "input of the merge", v => v.EditValue(
            v.Log(SampleVolume.RidB, 1).ItemRoot,
            Keys.XattrTotal(60, 0, 1),
            (ref XattrTotalItem total) => total.Total = total.Total + 1)),
        Error("I90", "totals", "merged, yet counted again", v => v.EditItem(
            FsRoot(v), Keys.XattrTotal(10, 0, 1), (ref BtreeItem item, Span<byte> _) => item.Seq = 100)),
        Error("I90", "totals", "missing", v => v.RemoveLive(Keys.XattrTotal(30, 2, 3))),
        Error("I90", "totals", "no such xattr", v => v.Insert(FsRoot(v), new VolumeEditorItem(
            Keys.XattrTotal(30, 2, 4), 30, 0, BytesOf(new XattrTotalItem { Total = 1, Count = 1 })))),
        Error("I90", "totals", "xattr changed", v => v.ReplaceLive(
            XattrKey(v, "xattrs/s10", "scoutfs.totl.usage.10.0.1"), value => [.. value[..^1], (byte)'9'])),
        Error("I90", "totals", "xattr missing", v => v.RemoveLive(
            XattrKey(v, "xattrs/s10", "scoutfs.totl.usage.10.0.1"))),
        Error("I90", "totals", "value is no number", v => v.ReplaceLive(
            XattrKey(v, "xattrs/s10", "scoutfs.totl.usage.10.0.1"), value => [.. value[..^1], (byte)'x'])),
        Error("I90", "size", v => v.ReplaceValue(FsRoot(v), Keys.XattrTotal(30, 2, 3), value => value[..8])),
        Error("I95", "index items", "missing", v => v.RemoveLive(IndexKey(v, major: 7))),
        Warning("I95", "index items", "no such xattr", v => v.Insert(
                FsRoot(v), VolumeEditorItem.Of(Keys.XattrIndex(7, 99, Ino("docs/empty.txt"), 0), 30)))
            .ButReference(LeftByLinux),
        Error("I95", "index items", "another inode", v => Rekey(v, IndexKey(v, major: 255), key =>
            Keys.XattrIndex(255, 0xffff_ffff_ffff, Ino("xattrs/plain"), 3))),
        Warning("I95", "index items", "xattr missing", v => v.RemoveLive(
                XattrKey(v, "xattrs/tagged", "scoutfs.indx.size.7.65536")))
            .ButReference(LeftByLinux),
        Error("I95", "no value", v => v.ReplaceLive(IndexKey(v, major: 7), _ => new byte[3])),
        Error("I99", "size", "too short", v => v.ReplaceLive(RuleKey(v), value => value[..40])),
        Error("I99", "size", "too long", v => v.ReplaceLive(RuleKey(v), value => [.. value, 0])),
        Error("I99", "hash", v => v.EditLive(RuleKey(v), (ref QuotaRuleItem rule) => rule.Limit = rule.Limit + 1)),
        Error("I101", "dense", "last part missing", v => v.RemoveLive(
            XattrKey(v, "xattrs/plain", "user.two-parts") with { Fourth = 1 })),
        Error("I101", "dense", "part in the middle missing", v => v.RemoveLive(
            XattrKey(v, "xattrs/plain", "user.large") with { Fourth = 40 })),
        Error("I101", "dense", "first part missing", v => v.RemoveLive(
            XattrKey(v, "xattrs/plain", "user.two-parts"))),
        Error("I101", "dense", "part too many", v =>
        {
            var key = XattrKey(v, "xattrs/plain", "user.one-part");
            v.Insert(v.TreeOf(key), new VolumeEditorItem(key with { Fourth = 1 }, 20, 0, [1]));
        }),
        Error("I101", "sizes", "last part too long", v => v.ReplaceLive(
            XattrKey(v, "xattrs/plain", "user.short"), value => [.. value, 1])),
        Error("I101", "sizes", "part in the middle too short", v => v.ReplaceLive(
            XattrKey(v, "xattrs/plain", "user.large") with { Fourth = 40 }, value => value[..^1])),
        Error("I101", "sizes", "value length of the header", v => v.EditLive(
            XattrKey(v, "xattrs/plain", "user.short"), (ref XattrHeader header) => header.ValLen = 500)),
        Error("I101", "sizes", "no name", v => v.EditLive(
            XattrKey(v, "xattrs/plain", "user.empty"), (ref XattrHeader header) => header.NameLen = 0)),
        Error("I101", "sizes", "no header", v => v.ReplaceLive(
            XattrKey(v, "xattrs/plain", "user.empty"), value => value[..7])),
        Either("I101", "pad", v => v.EditLive(
            XattrKey(v, "xattrs/plain", "user.short"), (ref XattrHeader header) => header.Pad[4] = 1)),
        Error("I101", "name hash", v => v.ReplaceLive(XattrKey(v, "xattrs/plain", "user.short"), value =>
        {
            value[8 + 5] = (byte)'S';
            return value;
        })),
        Error("I101", "id", v => v.EditInode(Ino("xattrs/plain"), (ref InodeItem inode) =>
            inode.NextXattrId = inode.NextXattrId - 1)),
    ];

    private static bool IsXattrOf(VolumeEditorItem item, string path) =>
        item.Key.Zone == KeyZone.Fs && item.Key.First == Ino(path) && item.Key.Type == KeyType.Xattr
        && item.Key.Fourth == 0;

    private static string NameOf(VolumeEditorItem xattr) => Encoding.UTF8.GetString(xattr.Value, 8, xattr.Value[2]);

    private static ItemKey XattrKey(VolumeEditor v, string path, string name) =>
        v.LiveItems().First(item => IsXattrOf(item, path) && NameOf(item) == name).Key;

    private static ItemKey IndexKey(VolumeEditor v, byte major) => v.LiveItems().First(item =>
        item.Key.Zone == KeyZone.XattrIndex && item.Key.First.Value >> 56 == major).Key;

    private static ItemKey RuleKey(VolumeEditor v) =>
        v.LiveItems().First(item => item.Key.Zone == KeyZone.Quota).Key;
}
