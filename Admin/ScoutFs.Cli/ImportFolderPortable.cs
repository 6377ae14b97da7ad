using System;
using System.Collections.Generic;
using System.IO;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary>Directories through .NET alone, as on Windows: contents, times, relative links.</summary>
/// <remarks>
/// Owner is root; permissions are 0755 of directories, 0644 of files and 0444 of read-only ones. What an export has put
/// into names for characters that Windows does not allow becomes these characters again.
/// </remarks>
internal sealed class ImportFolderPortable : ImportFolder
{
    private const uint DirectoryMode = FileMode.Directory | 0x1ed; // 0755
    private const uint FileModeWritable = FileMode.Regular | 0x1a4; // 0644
    private const uint FileModeReadOnly = FileMode.Regular | 0x124; // 0444
    private const uint LinkMode = FileMode.Symlink | 0x1ff; // 0777

    private readonly string _path;

    private ImportFolderPortable(string path) => _path = path;

    /// <inheritdoc/>
    public override string ShownPath => _path;

    /// <summary>See <see cref="ImportFolder.Open"/>.</summary>
    public static ImportFolder OpenTop(string path, out byte[]? fileName)
    {
        fileName = null;
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            return new ImportFolderPortable(full);
        if (!File.Exists(full))
            throw new ImportException(FsError.NotFound, $"There is no file or directory {path}.");
        fileName = ToVolume(Path.GetFileName(full), full);
        return new ImportFolderPortable(Path.GetDirectoryName(full)!);
    }

    /// <inheritdoc/>
    public override ImportNode Describe() => Guard(_path, () => NodeOf(new DirectoryInfo(_path)));

    /// <inheritdoc/>
    public override List<byte[]> ListNames() => Guard(_path, () =>
    {
        var names = new List<byte[]>();
        foreach (var entry in new DirectoryInfo(_path).EnumerateFileSystemInfos())
            names.Add(ToVolume(entry.Name, entry.FullName));
        return names;
    });

    /// <inheritdoc/>
    public override ImportNode Describe(byte[] name)
    {
        string path = PathOf(name);
        return Guard(path, () =>
        {
            FileSystemInfo entry = new FileInfo(path);
            if (!entry.Exists)
                entry = new DirectoryInfo(path);
            return entry.Exists
                ? NodeOf(entry)
                : throw new ImportException(FsError.NotFound, $"{path} went away while it was imported.");
        });
    }

    /// <inheritdoc/>
    public override ImportFolder OpenFolder(byte[] name) => new ImportFolderPortable(PathOf(name));

    /// <inheritdoc/>
    public override ImportFile OpenFile(byte[] name)
    {
        string path = PathOf(name);
        return Guard(path, () => new OpenFilePortable(
            path,
            File.OpenHandle(path, System.IO.FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete)));
    }

    /// <inheritdoc/>
    public override byte[] ReadLink(byte[] name)
    {
        string path = PathOf(name);
        string target = Guard(path, () => new FileInfo(path).LinkTarget) ?? string.Empty;
        if (target.Length == 0 || Path.IsPathRooted(target))
        {
            throw new ImportException(
                FsError.Unsupported,
                $"{path} leads to {target}, a place of this machine that a volume has no path for. Make it a relative "
                + "link, or leave it out.");
        }

        if (Path.DirectorySeparatorChar == '\\')
            target = target.Replace('\\', '/');
        return ToVolume(target, path);
    }

    /// <inheritdoc/>
    public override List<ImportXattr> ReadXattrs() => [];

    /// <inheritdoc/>
    public override List<ImportXattr> ReadXattrs(byte[] name) => [];

    /// <inheritdoc/>
    protected override void Close()
    {
        // Nothing is open.
    }

    private static byte[] ToVolume(string name, string path) => ExportNames.TryFromWindows(name, out byte[] bytes)
        ? bytes
        : throw new ImportException(FsError.Invalid, $"The name of {path} is no text that a volume can store.");

    private static ImportNode NodeOf(FileSystemInfo entry)
    {
        bool isLink = entry.LinkTarget is not null;
        uint mode = isLink ? LinkMode
            : entry is DirectoryInfo ? DirectoryMode
            : (entry.Attributes & FileAttributes.ReadOnly) != 0 ? FileModeReadOnly
            : FileModeWritable;
        ulong size = !isLink && entry is FileInfo file ? (ulong)file.Length : 0;
        return new ImportNode(
            mode, 0, 0, 1, 0, size, false, TimeOf(entry.LastAccessTimeUtc), TimeOf(entry.LastWriteTimeUtc), default);
    }

    private static Timespec TimeOf(DateTime time)
    {
        long seconds = Math.DivRem(time.Ticks - DateTime.UnixEpoch.Ticks, TimeSpan.TicksPerSecond, out long rest);
        if (rest < 0)
            (seconds, rest) = (seconds - 1, rest + TimeSpan.TicksPerSecond);
        return new Timespec { Sec = seconds, Nsec = (uint)(rest * 100) };
    }

    private static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is not ImportException
            && exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ImportException(
                CliErrors.ErrorOf(exception), $"Cannot read {path}: {CliErrors.MessageOf(exception)}");
        }
    }

    private string PathOf(byte[] name) => Path.Combine(_path, ExportNames.ToWindows(name));

    /// <summary>A file.</summary>
    private sealed class OpenFilePortable(string path, SafeFileHandle handle) : ImportFile
    {
        public override ImportNode Describe() => Guard(path, () => NodeOf(new FileInfo(path)));

        public override int Read(Span<byte> target, ulong offsetBytes)
        {
            int done = 0;
            try
            {
                while (done < target.Length)
                {
                    int got = RandomAccess.Read(handle, target[done..], (long)offsetBytes + done);
                    if (got == 0)
                        break;
                    done += got;
                }

                return done;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new ImportException(
                    CliErrors.ErrorOf(exception), $"Cannot read {path} at byte {offsetBytes}: {exception.Message}");
            }
        }

        public override bool FindData(ulong fromBytes, ulong sizeBytes, out ulong startBytes, out ulong endBytes)
        {
            (startBytes, endBytes) = (fromBytes, sizeBytes);
            return fromBytes < sizeBytes;
        }

        public override List<ImportXattr> ReadXattrs() => [];

        protected override void Dispose(bool isDisposing)
        {
            if (isDisposing)
                handle.Dispose();
        }
    }
}
