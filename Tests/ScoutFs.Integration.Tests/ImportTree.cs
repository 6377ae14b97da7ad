using System;
using System.Collections.Generic;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ScoutFs.Cli;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Integration.Tests;

/// <summary>Trees on this machine with everything a tree can have, and what they look like.</summary>
internal static class ImportTree
{
    /// <summary>Makes a tree through the target of exports, which golden volumes prove.</summary>
    /// <param name="path">Where; must not exist.</param>
    public static void Make(string path)
    {
        using var target = ExportTarget.Open(path);
        long seconds = 1_600_000_000;
        target.EnterDirectory([], isTop: true);
        foreach (int size in (int[])[0, 1, 4095, 4096, 4097, 100_000, (3 << 20) + 17])
            MakeFile($"size-{size}", size, (0, size));
        MakeFile("sparse", 10 << 20, (0, 5), (5 << 20, 4096), ((7 << 20) + 1, 100));
        MakeFile("all-hole", 1 << 20);
        target.CreateFile("name-\xff\x80"u8, 3);
        target.Write("abc"u8, 0);
        Close(FileMode.Regular | 0x1a4);
        target.CreateFile("with-xattrs"u8, 0);
        _ = target.SetOwner(Attributes(0));
        _ = target.TrySetXattr(
            "security.capability"u8, Convert.FromHexString("0100000200140000000000000000000000000000"));
        _ = target.TrySetXattr("user.text"u8, "value"u8);
        _ = target.TrySetXattr("user.empty"u8, []);
        _ = target.TrySetXattr("user.long"u8, new byte[3000]);
        _ = target.TrySetXattr("trusted.secret"u8, "root"u8);
        _ = target.TrySetXattr(
            "system.posix_acl_access"u8,
            Convert.FromHexString(
                "02000000" + "01000600ffffffff" + "0200040001000000" + "04000400ffffffff" + "10000400ffffffff"
                + "20000400ffffffff"));
        Close(FileMode.Regular | 0x1a4, hasOwner: true);
        target.CreateSymlink("dangling"u8, "no/where"u8, false);
        Close(FileMode.Symlink | 0x1ff);
        target.CreateSymlink("absolute"u8, "/etc/passwd"u8, false);
        Close(FileMode.Symlink | 0x1ff);
        MakeSpecial("fifo", FileMode.Fifo, 0);
        MakeSpecial("socket", FileMode.Socket, 0);
        MakeSpecial("null", FileMode.CharDevice, (1 << 20) | 3);
        MakeSpecial("disk", FileMode.BlockDevice, (259 << 20) | 70_000);
        target.EnterDirectory("directory"u8, isTop: false);
        target.CloseNode();
        for (int i = 0; i < 300; i++)
            MakeFile($"file-{i}", i, (0, i));
        target.EnterDirectory("below"u8, isTop: false);
        target.CloseNode();
        _ = target.TryLink("/size-4097"u8, "another-name"u8);
        _ = target.TryLink("/directory/file-7"u8, "seven"u8);
        _ = target.TryLink("/fifo"u8, "fifo-2"u8);
        _ = target.TryLink("/dangling"u8, "dangling-2"u8);
        LeaveDirectory(0x1c0);
        LeaveDirectory(0x5fd);
        target.EnterDirectory("empty"u8, isTop: false);
        target.CloseNode();
        LeaveDirectory(0x16d);
        LeaveDirectory(0x1ed);

        void MakeFile(string name, int size, params (int Offset, int Length)[] runs)
        {
            target.CreateFile(Encoding.UTF8.GetBytes(name), (ulong)size);
            foreach (var (offset, length) in runs)
            {
                byte[] bytes = new byte[length];
                new Random(length).NextBytes(bytes);
                target.Write(bytes, (ulong)offset);
            }

            Close(FileMode.Regular | (size % 2 == 0 ? 0x1a4U : 0xde8U));
        }

        void MakeSpecial(string name, uint type, uint rdev)
        {
            if (target.TryCreateSpecial(Encoding.UTF8.GetBytes(name), new InodeItem { Mode = type, Rdev = rdev }))
                Close(type | 0x1a0);
        }

        void LeaveDirectory(uint mode)
        {
            target.TakeDirectory();
            var attributes = Attributes(FileMode.Directory | mode);
            _ = target.SetOwner(attributes);
            _ = target.SetAttributes(attributes);
            target.LeaveDirectory();
        }

        void Close(uint mode, bool hasOwner = false)
        {
            var attributes = Attributes(mode);
            if (!hasOwner)
                _ = target.SetOwner(attributes);
            _ = target.SetAttributes(attributes);
            target.CloseNode();
        }

        InodeItem Attributes(uint mode) => new()
        {
            Mode = mode,
            Uid = 1234,
            Gid = 4321,
            Atime = new Timespec { Sec = seconds + 1000, Nsec = 5 },
            Mtime = new Timespec { Sec = seconds++ % 7 == 0 ? -100 : seconds, Nsec = 123_456_789 },
        };
    }

    /// <summary>A line for each path: attributes, hash of contents, extended attributes, first of its names.</summary>
    public static SortedDictionary<string, string> Describe(string path)
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var names = new Dictionary<ImportId, string>();
        var top = ImportFolder.Open(path, out _);
        lines.Add("/", Line(top.Describe(), "", top.ReadXattrs()));
        Add(top, "");
        top.Release();
        return lines;

        void Add(ImportFolder folder, string at)
        {
            var ordered = folder.ListNames();
            ordered.Sort((one, other) => one.AsSpan().SequenceCompareTo(other));
            foreach (byte[] name in ordered)
            {
                string shown = $"{at}/{NameText.Printable(name)}";
                var node = folder.Describe(name);
                string more = "";
                if (node.Type == FileMode.Directory)
                {
                    var below = folder.OpenFolder(name);
                    lines.Add(shown, Line(node, "", below.ReadXattrs()));
                    Add(below, shown);
                    below.Release();
                    continue;
                }

                if (!names.TryAdd(node.Id, shown))
                    more = $" = {names[node.Id]}";
                if (node.Type == FileMode.Symlink)
                    more += $" -> {NameText.Printable(folder.ReadLink(name))}";
                using var file = node.Type == FileMode.Regular ? folder.OpenFile(name) : null;
                if (file is not null)
                {
                    byte[] bytes = new byte[node.SizeBytes];
                    _ = file.Read(bytes, 0);
                    more += $" {Convert.ToHexStringLower(SHA256.HashData(bytes))}";
                }

                lines.Add(shown, Line(node, more, file is null ? folder.ReadXattrs(name) : file.ReadXattrs()));
            }
        }
    }

    private static string Line(ImportNode node, string more, List<ImportXattr> xattrs)
    {
        var text = new StringBuilder();
        bool isDirectory = node.Type == FileMode.Directory;
        _ = text.Append(
            CultureInfo.InvariantCulture,
            $"{Convert.ToString((int)node.Mode, 8)} {node.Uid}:{node.Gid} {node.Rdev:x} ");
        _ = text.Append(
            CultureInfo.InvariantCulture,
            $"{(isDirectory ? 0 : node.SizeBytes)} {(isDirectory ? 0 : node.Nlink)} ");
        _ = text.Append(CultureInfo.InvariantCulture, $"{node.Mtime.Sec.Value}.{node.Mtime.Nsec.Value:d9}{more}");
        xattrs.Sort((one, other) => one.Name.AsSpan().SequenceCompareTo(other.Name));
        foreach (var xattr in xattrs)
            _ = text.Append($" {NameText.Printable(xattr.Name)}={Convert.ToHexStringLower(xattr.Value ?? [])}");
        return text.ToString();
    }
}
