using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I92 to I94: directory entries and what they make of inodes.</content>
internal static partial class DefectCatalogue
{
    private static IEnumerable<PlantedDefect> Links =>
    [
        Error("I92", "value", "no name", v => v.ReplaceLive(DirentKey(v, "many", "f005"), value => value[..32])),
        Error("I92", "value", "too short", v => v.ReplaceLive(ReaddirKey(v, "many", "f005"), value => value[..20])),
        Error("I92", "value", "name too long", v => v.ReplaceLive(
                BackrefKey(v, "many", "f005"), value => [.. value, .. new byte[253]])),
        Either("I92", "pad", v => EditEntry(v, "many", "f005", value => value[30] = 1)),
        Error("I93", "hash", v => EditEntry(v, "many", "f005", value => value[35] = (byte)'?')),
        Error("I93", "key", "pos of the dirent", v => Rekey(v, DirentKey(v, "many", "f005"), key =>
            With(key, third: 5000))),
        Error("I93", "key", "hash of the dirent", v => Rekey(v, DirentKey(v, "many", "f005"), key =>
            With(key, second: key.Second + 1))),
        Error("I93", "key", "pos of the readdir item", v => Rekey(v, ReaddirKey(v, "many", "f005"), key =>
            With(key, second: 5000))),
        Error("I93", "key", "dir of the back reference", v => Rekey(v, BackrefKey(v, "many", "f005"), key =>
            With(key, second: Ino("docs")))),
        Error("I93", "key", "unused field", v => Rekey(v, ReaddirKey(v, "many", "f005"), key =>
            With(key, third: 1))),
        Error("I93", "three items", "dirent missing", v => v.RemoveLive(DirentKey(v, "many", "f005"))),
        Error("I93", "three items", "readdir item missing", v => v.RemoveLive(ReaddirKey(v, "many", "f005"))),
        Error("I93", "three items", "back reference missing", v => v.RemoveLive(BackrefKey(v, "many", "f005"))),
        Error("I93", "three items", "only a back reference", v => v.Insert(FsRoot(v), new VolumeEditorItem(
            Keys.LinkBackref(Ino("many/f005"), Ino("docs"), 90),
            30,
            0,
            EntryValue(Ino("many/f005"), "more", 90, 4)))),
        Error("I93", "three items", "types differ", v => v.EditLive(
            ReaddirKey(v, "many", "f005"), (ref DirentHeader entry) => entry.Type = (byte)DirentType.Fifo)),
        Error("I93", "three items", "targets differ", v => v.EditLive(
                ReaddirKey(v, "many", "f005"), (ref DirentHeader entry) => entry.Ino = Ino("many/f006"))),
        Error("I93", "three items", "names differ", v => v.ReplaceLive(ReaddirKey(v, "many", "f005"), value =>
            {
                byte[] name = Encoding.UTF8.GetBytes("f999");
                BlockSurgery.Of<DirentHeader>(value).Hash = NameHash.Compute(name);
                return [.. value[..32], .. name];
            })),
        Error("I93", "names unique", v => EditEntry(v, "many", "f005", value => SetName(value, "f006"))),
        Error("I93", "type is the inode's", v => EditEntry(v, "many", "f005", value =>
            value[24] = (byte)DirentType.Symlink)),
        Error("I93", "type is the inode's", "none that exists", v => EditEntry(v, "many", "f005", value =>
            value[24] = (byte)DirentType.Whiteout)),
        Error("I93", "pos at least 2", v => EditEntry(v, "many", "f005", value =>
            BlockSurgery.Of<DirentHeader>(value).Pos = 1)),
        Error("I94", "entry's inode exists", v => EditEntry(v, "special", "fifo", value =>
            BlockSurgery.Of<DirentHeader>(value).Ino = Missing)),
        Error("I94", "entry's directory exists", v =>
            {
                AddEntry(v, Missing, "stray", 5, Ino("special/fifo"), DirentType.Fifo);
                v.EditInode(Ino("special/fifo"), (ref InodeItem inode) => inode.Nlink = 2);
            }),
        Error("I94", "entry's directory is one", v =>
            {
                AddEntry(v, Ino("special/socket"), "stray", 2, Ino("special/fifo"), DirentType.Fifo);
                v.EditInode(Ino("special/fifo"), (ref InodeItem inode) => inode.Nlink = 2);
                v.EditInode(Ino("special/socket"), (ref InodeItem inode) => inode.NextReaddirPos = 3);
            }),
        Error("I94", "attached item's inode exists", "xattr", v => v.Insert(FsRoot(v), new VolumeEditorItem(
            Keys.Xattr(Missing, Crc32C.Compute("user.x"u8), 0, 0), 30, 0, [0, 0, 6, 0, 0, 0, 0, 0, .. "user.x"u8]))),
        Error("I94", "attached item's inode exists", "extent", v => v.Insert(FsRoot(v), new VolumeEditorItem(
            Keys.DataExtent(Missing, 5, 2), 30, 0, BytesOf(new DataExtentItem { Flags = 1 })))),
        Error("I94", "attached item's inode exists", "symlink", v => v.Insert(FsRoot(v), new VolumeEditorItem(
                Keys.Symlink(Missing, 0), 30, 0, [.. "target"u8, 0])))
            .ButReference("volcheck.py reports symlink parts without a symlink as I100"),
        Error("I94", "nlink", "file", v => v.EditInode(Ino("many/f005"), (ref InodeItem inode) => inode.Nlink = 2)),
        Error("I94", "nlink", "file with two names", v => v.EditInode(Ino("docs/readme.txt"), (
            ref InodeItem inode) => inode.Nlink = 1)),
        Error("I94", "nlink", "directory", v => v.EditInode(Ino("docs/inner"), (ref InodeItem inode) =>
            inode.Nlink = 2)),
        Error("I94", "nlink", "root", v => v.EditInode(1, (ref InodeItem inode) => inode.Nlink = inode.Nlink + 1)),
        Error("I94", "nlink", "version 1", v => v.EditInode(SampleVolume.Plain.Inos["files/file-0300"], (
            ref InodeItem inode) => inode.Nlink = 77)).On(DefectOrigin.Plain),
        Error("I94", "directory size", v => v.EditInode(Ino("special"), (ref InodeItem inode) =>
            inode.Size = inode.Size + 1)),
        Error("I94", "directory size", "empty", v => v.EditInode(Ino("docs/inner/empty"), (ref InodeItem inode) =>
            inode.Size = 4096)),
        Error("I94", "next_readdir_pos", v => v.EditInode(Ino("special"), (ref InodeItem inode) =>
            inode.NextReaddirPos = inode.NextReaddirPos - 1)),
        Error("I94", "root exists", v => v.RemoveLive(Keys.Inode(1))),
        Error("I94", "next_ino", v => v.EditSuper((ref SuperBlock s) => s.NextIno = Ino("far/kept"))),
    ];

    /// <summary>An inode number that was handed out and does not exist.</summary>
    private static ulong Missing => 1900;

    private static VolumeEditorItem EntryOf(VolumeEditor v, string dir, string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        return v.LiveItems().First(item =>
            item.Key.Zone == KeyZone.Fs && item.Key.First == Ino(dir) && item.Key.Type == KeyType.Dirent
            && item.Value.AsSpan(32).SequenceEqual(bytes));
    }

    private static ItemKey DirentKey(VolumeEditor v, string dir, string name) => EntryOf(v, dir, name).Key;

    private static ItemKey ReaddirKey(VolumeEditor v, string dir, string name) =>
        Keys.Readdir(Ino(dir), DirentKey(v, dir, name).Third);

    private static ItemKey BackrefKey(VolumeEditor v, string dir, string name)
    {
        var entry = EntryOf(v, dir, name);
        return Keys.LinkBackref(Overlay<DirentHeader>(entry.Value).Ino, Ino(dir), entry.Key.Third);
    }

    private static void Rekey(VolumeEditor v, ItemKey key, Func<ItemKey, ItemKey> change) =>
        v.Replace(v.TreeOf(key), key, item => item with { Key = change(key) });

    /// <summary>Changes all three items of an entry alike, and their keys with them.</summary>
    private static void EditEntry(VolumeEditor v, string dir, string name, Action<byte[]> change)
    {
        var entry = EntryOf(v, dir, name);
        ItemKey[] old = [entry.Key, ReaddirKey(v, dir, name), BackrefKey(v, dir, name)];
        foreach (var key in old)
            v.RemoveLive(key);
        byte[] value = (byte[])entry.Value.Clone();
        change(value);
        InsertEntry(v, Ino(dir), value, entry.Seq);
    }

    private static void InsertEntry(VolumeEditor v, ulong dir, byte[] value, ulong seq)
    {
        var header = Overlay<DirentHeader>(value);
        ItemKey[] keys =
        [
            Keys.Dirent(dir, header.Hash, header.Pos),
            Keys.Readdir(dir, header.Pos),
            Keys.LinkBackref(header.Ino, dir, header.Pos),
        ];
        foreach (var key in keys)
            v.Insert(FsRoot(v), new VolumeEditorItem(key, seq, 0, value));
    }

    private static void AddEntry(VolumeEditor v, ulong dir, string name, ulong pos, ulong ino, DirentType type) =>
        InsertEntry(v, dir, EntryValue(ino, name, pos, (byte)type), 30);

    private static byte[] EntryValue(ulong ino, string name, ulong pos, byte type)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        var header = new DirentHeader { Ino = ino, Hash = NameHash.Compute(bytes), Pos = pos, Type = type };
        return [.. BytesOf(header), .. bytes];
    }

    private static void SetName(byte[] value, string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        bytes.CopyTo(value, 32);
        BlockSurgery.Of<DirentHeader>(value).Hash = NameHash.Compute(bytes);
    }
}
