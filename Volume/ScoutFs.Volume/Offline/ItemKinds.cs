using System.Globalization;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>Names of item kinds for people (format §6.2).</summary>
public static class ItemKinds
{
    /// <summary>Name of the items of a zone and type, "zone.type" for unknown ones.</summary>
    public static string NameOf(byte zone, byte type) => (zone, type) switch
    {
        (KeyZone.InodeIndex, KeyType.MetaSeq) => "meta_seq index",
        (KeyZone.InodeIndex, KeyType.DataSeq) => "data_seq index",
        (KeyZone.Orphan, _) => "orphan",
        (KeyZone.Quota, _) => "quota rule",
        (KeyZone.XattrTotal, _) => "xattr total",
        (KeyZone.XattrIndex, _) => "xattr index",
        (KeyZone.Fs, KeyType.Inode) => "inode",
        (KeyZone.Fs, KeyType.Xattr) => "xattr part",
        (KeyZone.Fs, KeyType.Dirent) => "dirent",
        (KeyZone.Fs, KeyType.Readdir) => "readdir",
        (KeyZone.Fs, KeyType.LinkBackref) => "link backref",
        (KeyZone.Fs, KeyType.Symlink) => "symlink part",
        (KeyZone.Fs, KeyType.DataExtent) => "data extent",
        (KeyZone.LogTrees, _) => "log trees",
        (KeyZone.MountedClient, _) => "mounted client",
        (KeyZone.Srch, KeyType.SrchLog) => "srch log file",
        (KeyZone.Srch, KeyType.SrchSorted) => "srch sorted file",
        (KeyZone.Srch, KeyType.SrchPending) => "pending srch compaction",
        (KeyZone.Srch, KeyType.SrchBusy) => "busy srch compaction",
        (KeyZone.FreeByLocation, _) => "free extent by location",
        (KeyZone.FreeBySize, _) => "free extent by size",
        (KeyZone.MergeStatus, _) => "merge status",
        (KeyZone.MergeRange, _) => "merge range",
        (KeyZone.MergeRequest, _) => "merge request",
        (KeyZone.MergeComplete, _) => "merge completion",
        (KeyZone.MergeFreeing, _) => "merge freeing",
        _ => string.Create(CultureInfo.InvariantCulture, $"{zone}.{type}"),
    };
}
