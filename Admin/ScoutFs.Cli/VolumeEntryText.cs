using System;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary>Inodes and paths as the commands of the group print them.</summary>
internal static class VolumeEntryText
{
    /// <summary>Mode as <c>ls -l</c> has it, with a last character for contents that are archived elsewhere.</summary>
    /// <returns>"-rw-r--r-- ", "-rw-r--r--o" (offline), "-rw-r--r--p" (partly offline).</returns>
    public static string Mode(in InodeItem inode)
    {
        uint mode = inode.Mode;
        Span<char> text = stackalloc char[11];
        text[0] = (mode & FileMode.TypeMask) switch
        {
            FileMode.Regular => '-',
            FileMode.Directory => 'd',
            FileMode.Symlink => 'l',
            FileMode.Fifo => 'p',
            FileMode.Socket => 's',
            FileMode.CharDevice => 'c',
            FileMode.BlockDevice => 'b',
            _ => '?',
        };
        for (int bit = 0; bit < 9; bit++)
            text[1 + bit] = (mode & (0x100u >> bit)) != 0 ? "rwxrwxrwx"[bit] : '-';
        Mark(text, 3, (mode & 0x800) != 0, 's', 'S');
        Mark(text, 6, (mode & 0x400) != 0, 's', 'S');
        Mark(text, 9, (mode & 0x200) != 0, 't', 'T');
        text[10] = Offline(inode);
        return new string(text);
    }

    /// <summary>A time in UTC with seconds, or seconds since 1970 where no calendar reaches.</summary>
    public static string Time(in Timespec time) => Calendar(time) is { } date
        ? date.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)
        : FormattableString.Invariant($"@{time.Sec.Value}");

    /// <summary>A time in UTC with nanoseconds.</summary>
    public static string FullTime(in Timespec time) => FormattableString.Invariant(
        $"{Time(time)}.{time.Nsec.Value:d9}{(Calendar(time) is null ? string.Empty : " UTC")}");

    /// <summary>A path as text: for a terminal printable, for a pipe the bytes themselves.</summary>
    public static void WritePath(CliConsole console, ReadOnlySpan<byte> path)
    {
        if (console.IsOutputTerminal)
        {
            console.Output.Write(NameText.Printable(path));
            return;
        }

        console.Output.Flush();
        console.OutputBytes.Write(path);
    }

    /// <summary>The members that every listing in JSON has.</summary>
    public static void WriteMembers(JsonLine line, ReadOnlySpan<byte> path, ulong ino, in InodeItem inode)
    {
        line.Member("path", path);
        line.Member("ino", ino);
        line.Member("type", ManifestWriter.TypeName(inode));
        line.Member("mode", "0o" + Convert.ToString((int)(inode.Mode & FileMode.PermissionMask), 8));
        line.Member("uid", inode.Uid.Value);
        line.Member("gid", inode.Gid.Value);
        line.Member("size", inode.Size.Value);
        line.Member("nlink", inode.Nlink.Value);
        line.Member("mtime", ManifestWriter.Nanoseconds(inode.Mtime).ToString(null, CultureInfo.InvariantCulture));
        line.Member("online_blocks", inode.OnlineBlocks.Value);
        line.Member("offline_blocks", inode.OfflineBlocks.Value);
    }

    /// <summary>Prints one line of JSON.</summary>
    public static void Print(CliConsole console, JsonLine line)
    {
        line.EndLine();
        console.Output.Flush();
        console.OutputBytes.Write(line.Written.Span);
        line.Clear();
    }

    /// <summary>The target of a symbolic link, null for other inodes.</summary>
    public static async ValueTask<byte[]?> ReadTargetAsync(
        VolumeReader reader, ulong ino, InodeItem inode, CancellationToken cancellationToken) =>
        (inode.Mode & FileMode.TypeMask) == FileMode.Symlink
            ? await reader.ReadSymlinkAsync(ino, inode, cancellationToken)
            : null;

    private static char Offline(in InodeItem inode)
    {
        if (inode.OfflineBlocks.Value == 0)
            return ' ';
        return inode.OnlineBlocks.Value == 0 ? 'o' : 'p';
    }

    private static void Mark(Span<char> text, int at, bool isSet, char withExecute, char without)
    {
        if (isSet)
            text[at] = text[at] == 'x' ? withExecute : without;
    }

    // The calendar of .NET knows the years 1 to 9999.
    private static DateTimeOffset? Calendar(in Timespec time) =>
        time.Sec.Value is >= -62135596800 and <= 253402300799
            ? DateTimeOffset.FromUnixTimeSeconds(time.Sec.Value)
            : null;
}
