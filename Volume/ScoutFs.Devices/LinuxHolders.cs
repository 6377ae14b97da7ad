using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace ScoutFs.Devices;

/// <summary>Finds out who uses a device, from what the kernel shows in /proc and /sys.</summary>
/// <remarks>
/// For messages, once the kernel has decided that a device is in use. But a loop device on top of an image file, and
/// write protection, are decided here.
/// </remarks>
internal static class LinuxHolders
{
    private const string Unknown = "another program has opened it exclusively";

    /// <summary>True when the kernel has the block device marked read-only.</summary>
    public static bool IsReadOnly(LinuxNative.FileStatus status) =>
        FirstLine($"/sys/dev/block/{status.OwnNumber}/ro") == "1";

    /// <summary>"it is mounted at …", "it is part of …", for a sentence.</summary>
    public static string OfBlockDevice(LinuxNative.FileStatus status)
    {
        string own = OfNumber(status.OwnNumber, "it") ?? "";
        if (own.Length > 0)
            return own;

        // A disk is held by its partitions too.
        foreach (string folder in Folders($"/sys/dev/block/{status.OwnNumber}"))
        {
            bool isPartition = File.Exists(Path.Combine(folder, "partition"));
            if (!isPartition || FirstLine(Path.Combine(folder, "dev")) is not { } dev)
                continue;
            if (OfNumber(dev, $"its partition {Path.GetFileName(folder)}") is { } holder)
                return holder;
        }

        return Unknown;
    }

    /// <summary>Who holds the lock on a file.</summary>
    public static string OfFile(LinuxNative.FileStatus status)
    {
        // 1: FLOCK  ADVISORY  WRITE 1234 08:02:131 0 EOF
        string place = $"{status.FsNumberHex}:{status.Ino}";
        foreach (string line in Lines("/proc/locks"))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > 5 && fields[1] == "FLOCK" && fields[5] == place)
            {
                string name = FirstLine($"/proc/{fields[4]}/comm") is { } comm ? $" ({comm})" : "";
                return $"process {fields[4]}{name} has opened it exclusively";
            }
        }

        return Unknown;
    }

    /// <summary>The loop device that is set up on a file, for a sentence, or null.</summary>
    public static string? LoopDeviceOf(string path)
    {
        string full = Path.GetFullPath(path);
        foreach (string folder in Folders("/sys/block"))
        {
            if (FirstLine(Path.Combine(folder, "loop", "backing_file")) == full)
                return $"it is set up as /dev/{Path.GetFileName(folder)}";
        }

        return null;
    }

    private static string? OfNumber(string number, string subject)
    {
        // 36 35 98:0 /root /mount\040point rw,noatime - ext4 /dev/sdb1 rw
        foreach (string line in Lines("/proc/self/mountinfo"))
        {
            string[] fields = line.Split(' ');
            if (fields.Length > 4 && fields[2] == number)
                return $"{subject} is mounted at {Unescape(fields[4])}";
        }

        if (Folders($"/sys/dev/block/{number}/holders") is [var holder, ..])
        {
            string mapped = FirstLine(Path.Combine(holder, "dm", "name")) is { } name ? $" ({name})" : "";
            return $"{subject} is part of /dev/{Path.GetFileName(holder)}{mapped}";
        }

        string kernelName = Path.GetFileName(LinkTarget($"/sys/dev/block/{number}") ?? "");
        bool isSwap = kernelName.Length > 0 && Lines("/proc/swaps").Any(
            line => line.StartsWith($"/dev/{kernelName} ", StringComparison.Ordinal)
                || line.StartsWith($"/dev/{kernelName}\t", StringComparison.Ordinal));
        return isSwap ? $"{subject} is used for swapping" : null;
    }

    /// <summary>Mount points have blanks, tabs, line feeds and backslashes as three octal digits.</summary>
    private static string Unescape(string text)
    {
        var plain = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length)
            {
                plain.Append((char)(((text[i + 1] - '0') << 6) | ((text[i + 2] - '0') << 3) | (text[i + 3] - '0')));
                i += 3;
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        return plain.ToString();
    }

    private static string? LinkTarget(string path) => Try(() => new DirectoryInfo(path).LinkTarget, null);

    private static IReadOnlyList<string> Folders(string path) =>
        Try<IReadOnlyList<string>>(() => Directory.GetDirectories(path), []);

    private static IReadOnlyList<string> Lines(string path) =>
        Try<IReadOnlyList<string>>(() => File.ReadAllLines(path), []);

    private static string? FirstLine(string path) =>
        Lines(path) is [var line, ..] ? line.Trim() : null;

    /// <summary>Files there come and go with what they describe.</summary>
    private static T Try<T>(Func<T> read, T otherwise)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return otherwise;
        }
    }
}
