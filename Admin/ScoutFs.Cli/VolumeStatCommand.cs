using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>volume stat</c>: tells everything the volume holds about one inode.</summary>
internal static class VolumeStatCommand
{
    private const int ShownPaths = 20;
    private const int ShownXattrs = 100;
    private const int ShownExtents = 100;
    private const int ShownValueBytes = 64;
    private const int PageExtents = 1024;
    private const int FlushBytes = 65536;

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand(
            "stat", "Shows everything about one inode: attributes, times, paths, extended attributes, extents.")
        {
            Examples =
            {
                new("volume stat meta.img data.img /some/file", "By path; a symbolic link itself is shown"),
                new("volume stat --ino 1042 meta.img data.img", "By inode number, also of unlinked files"),
                new("volume stat --json meta.img data.img /some/file", "As one JSON object, nothing shortened"),
            },
            Notes =
            {
                "Extents are given in blocks of 4096 bytes: place in the file, place on the data device, length.",
            },
        };
        var operands = new VolumeOperands(command, "The path.");
        var isAll = new Option<bool>("--all", "-a")
        {
            Description = "Show all paths, attributes and extents, and whole values; normally lists are cut short.",
        };
        var isJson = CliJson.Option("Print one JSON object.");
        command.Add(isAll);
        command.Add(isJson);
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            await using var session = await operands.OpenAsync(parse, console, cancellationToken);
            var found = await operands.FindAsync(parse, session, followsLast: false, cancellationToken);
            if (parse.GetValue(isJson))
                await PrintJsonAsync(session, console, found, cancellationToken);
            else
                await PrintAsync(session, console, found, parse.GetValue(isAll), cancellationToken);
            return 0;
        });
        return command;
    }

    private static async Task PrintAsync(
        VolumeSession session,
        CliConsole console,
        ResolvedPath found,
        bool isAll,
        CancellationToken cancellationToken)
    {
        var (ino, inode) = (found.Ino, found.Inode);
        byte[]? target = await VolumeEntryText.ReadTargetAsync(session.Reader, ino, inode, cancellationToken);
        PrintAttributes(console, found, target);
        int wanted = isAll ? int.MaxValue : ShownPaths + 1;
        var paths = await session.Resolver.FindPathsAsync(ino, wanted, cancellationToken);
        console.Print(paths.Count == 0 ? "Paths: none, the inode is unlinked" : "Paths:");
        for (int i = 0; i < paths.Count && (isAll || i < ShownPaths); i++)
            console.Print("  " + NameText.Printable(paths[i]));
        if (!isAll && paths.Count > ShownPaths)
            console.Print("  … (--all shows the rest)");
        await PrintXattrsAsync(session, console, ino, isAll, cancellationToken);
        await PrintExtentsAsync(session, console, ino, isAll, cancellationToken);
    }

    private static void PrintAttributes(CliConsole console, in ResolvedPath found, byte[]? target)
    {
        var inode = found.Inode;
        uint permissions = inode.Mode & FileMode.PermissionMask;
        string mode = VolumeEntryText.Mode(inode)[..10];
        Line("Inode", $"{found.Ino}");
        Line("Type", ManifestWriter.TypeName(inode));
        if (target is not null)
            Line("Target", NameText.Printable(target));
        Line("Mode", $"{Convert.ToString((int)permissions, 8).PadLeft(4, '0')} ({mode})");
        Line("Owner", $"uid {inode.Uid}, gid {inode.Gid}, project {inode.Proj}");
        Line("Links", $"{inode.Nlink}");
        Line("Size", $"{inode.Size}");
        Line("Blocks", $"{inode.OnlineBlocks} online, {inode.OfflineBlocks} offline (4096 bytes each)");
        if ((inode.Mode & FileMode.TypeMask) is FileMode.CharDevice or FileMode.BlockDevice)
            Line("Device", $"major {inode.Rdev >> 20}, minor {inode.Rdev & 0xfffff}");
        Line("Flags", Flags(inode));
        Line("Access", VolumeEntryText.FullTime(inode.Atime));
        Line("Modify", VolumeEntryText.FullTime(inode.Mtime));
        Line("Change", VolumeEntryText.FullTime(inode.Ctime));
        Line("Create", VolumeEntryText.FullTime(inode.Crtime));
        Line("Sequence", $"meta {inode.MetaSeq}, data {inode.DataSeq}");
        Line("Version", $"data {inode.DataVersion}, inode {inode.Version}");
        Line("Next", $"readdir position {inode.NextReaddirPos}, xattr id {inode.NextXattrId}");

        void Line(string name, string text) => console.Print($"{name + ":",-10} {text}");
    }

    private static string Flags(in InodeItem inode)
    {
        var names = new List<string>();
        if ((inode.Flags & InodeItem.FlagTruncate) != 0)
            names.Add("truncate (extents past the size are still to be freed)");
        if ((inode.Flags & InodeItem.FlagRetention) != 0)
            names.Add("retention (contents and most attributes cannot be changed)");
        uint unknown = inode.Flags & ~(InodeItem.FlagTruncate | InodeItem.FlagRetention);
        if (unknown != 0)
            names.Add(FormattableString.Invariant($"unknown 0x{unknown:x}"));
        return names.Count == 0 ? "none" : string.Join(", ", names);
    }

    private static async Task PrintXattrsAsync(
        VolumeSession session, CliConsole console, ulong ino, bool isAll, CancellationToken cancellationToken)
    {
        var entries = await session.Reader.ListXattrsAsync(ino, cancellationToken);
        if (entries.Count == 0)
            return;
        console.Print("Extended attributes:");
        for (int i = 0; i < entries.Count; i++)
        {
            if (!isAll && i == ShownXattrs)
            {
                console.Print($"  … and {entries.Count - i} more (--all shows them)");
                break;
            }

            byte[] value = await session.Reader.ReadXattrAsync(ino, entries[i], cancellationToken) ?? [];
            int shown = isAll ? value.Length : Math.Min(value.Length, ShownValueBytes);
            string text = NameText.Printable(value.AsSpan(0, shown));
            if (text != NameText.Decode(value.AsSpan(0, shown)))
                text = "0x" + Convert.ToHexStringLower(value.AsSpan(0, shown));
            string more = shown < value.Length ? $"… ({value.Length} bytes)" : string.Empty;
            string tags = entries[i].Tags == XattrTags.None
                ? string.Empty
                : $" [{entries[i].Tags.ToString().ToLowerInvariant()}]";
            console.Print($"  {NameText.Printable(entries[i].Name)}{tags} = {text}{more}");
        }
    }

    private static async Task PrintExtentsAsync(
        VolumeSession session, CliConsole console, ulong ino, bool isAll, CancellationToken cancellationToken)
    {
        var page = new List<FileExtent>();
        ulong from = 0;
        long shown = 0;
        bool hasMore = true;
        while (hasMore)
        {
            hasMore = await session.Reader.ReadExtentsAsync(ino, from, page, PageExtents, cancellationToken);
            foreach (var extent in page)
            {
                if (shown == 0)
                    console.Print($"Extents:\n  {"file block",16} {"device block",16} {"blocks",16}  flags");
                if (!isAll && shown == ShownExtents)
                {
                    console.Print("  … (--all shows the rest)");
                    return;
                }

                console.Print(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {extent.LogicalBlock,16} {Physical(extent),16} {extent.CountBlocks,16}  "
                    + $"{ExtentFlags(extent)}"));
                shown++;
                from = extent.EndBlock;
            }
        }
    }

    private static string Physical(in FileExtent extent) =>
        extent.PhysicalBlock == 0 ? "-" : extent.PhysicalBlock.ToString(CultureInfo.InvariantCulture);

    private static string ExtentFlags(in FileExtent extent) => (extent.IsOffline, extent.IsUnwritten) switch
    {
        (false, false) => "written",
        (false, true) => "unwritten",
        (true, false) => "offline",
        (true, true) => "offline,unwritten",
    };

    private static async Task PrintJsonAsync(
        VolumeSession session, CliConsole console, ResolvedPath found, CancellationToken cancellationToken)
    {
        var line = new JsonLine();
        line.BeginObject();
        await WriteJsonMembersAsync(session, line, found, cancellationToken);
        await WriteJsonXattrsAsync(session, console, line, found.Ino, cancellationToken);
        line.Name("extents");
        line.BeginArray();
        var page = new List<FileExtent>();
        ulong from = 0;
        bool hasMore = true;
        while (hasMore)
        {
            hasMore = await session.Reader.ReadExtentsAsync(found.Ino, from, page, PageExtents, cancellationToken);
            foreach (var extent in page)
            {
                line.BeginObject();
                line.Member("logical", extent.LogicalBlock);
                line.Member("physical", extent.PhysicalBlock);
                line.Member("length", extent.CountBlocks);
                line.Member("offline", extent.IsOffline);
                line.Member("unwritten", extent.IsUnwritten);
                line.EndObject();
                from = extent.EndBlock;
            }

            await FlushAsync(console, line, cancellationToken);
        }

        line.EndArray();
        line.EndObject();
        VolumeEntryText.Print(console, line);
    }

    private static async Task WriteJsonMembersAsync(
        VolumeSession session, JsonLine line, ResolvedPath found, CancellationToken cancellationToken)
    {
        var inode = found.Inode;
        VolumeEntryText.WriteMembers(line, found.Path, found.Ino, inode);
        line.Member("atime", Nanoseconds(inode.Atime));
        line.Member("ctime", Nanoseconds(inode.Ctime));
        line.Member("crtime", Nanoseconds(inode.Crtime));
        line.Member("meta_seq", inode.MetaSeq.Value);
        line.Member("data_seq", inode.DataSeq.Value);
        line.Member("data_version", inode.DataVersion.Value);
        line.Member("version", inode.Version.Value);
        line.Member("next_readdir_pos", inode.NextReaddirPos.Value);
        line.Member("next_xattr_id", inode.NextXattrId.Value);
        line.Member("flags", inode.Flags.Value);
        line.Member("truncate", (inode.Flags & InodeItem.FlagTruncate) != 0);
        line.Member("retention", (inode.Flags & InodeItem.FlagRetention) != 0);
        line.Member("project_id", inode.Proj.Value);
        line.Name("rdev");
        line.BeginArray();
        line.Number(inode.Rdev >> 20);
        line.Number(inode.Rdev & 0xfffff);
        line.EndArray();
        byte[]? target = await VolumeEntryText.ReadTargetAsync(
            session.Reader, found.Ino, inode, cancellationToken);
        if (target is not null)
            line.Member("target", target);
        line.Name("paths");
        line.BeginArray();
        foreach (byte[] path in await session.Resolver.FindPathsAsync(found.Ino, int.MaxValue, cancellationToken))
            line.Text(path);
        line.EndArray();
    }

    private static async Task WriteJsonXattrsAsync(
        VolumeSession session, CliConsole console, JsonLine line, ulong ino, CancellationToken cancellationToken)
    {
        line.Name("xattrs");
        line.BeginArray();
        foreach (var entry in await session.Reader.ListXattrsAsync(ino, cancellationToken))
        {
            line.BeginObject();
            line.Member("name", entry.Name);
            line.Member("id", entry.Id);
            line.Member("tags", entry.Tags == XattrTags.None ? string.Empty : entry.Tags.ToString().ToLowerInvariant());
            byte[] value = await session.Reader.ReadXattrAsync(ino, entry, cancellationToken) ?? [];
            line.Member("hex", Convert.ToHexStringLower(value));
            line.EndObject();
            await FlushAsync(console, line, cancellationToken);
        }

        line.EndArray();
    }

    private static string Nanoseconds(in Timespec time) =>
        ManifestWriter.Nanoseconds(time).ToString(null, CultureInfo.InvariantCulture);

    // A file in millions of pieces makes a long object; it is not held in memory.
    private static async ValueTask FlushAsync(CliConsole console, JsonLine line, CancellationToken cancellationToken)
    {
        if (line.WrittenBytes < FlushBytes)
            return;
        await console.OutputBytes.WriteAsync(line.Written, cancellationToken);
        line.Clear();
    }
}
