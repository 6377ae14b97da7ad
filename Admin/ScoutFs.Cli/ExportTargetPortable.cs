using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary>Writes a copy with what .NET offers everywhere; made for Windows.</summary>
/// <remarks>
/// Copied are contents, holes, times, symbolic and hard links (where Windows allows them). There is no place for mode,
/// owner, extended attributes, fifos, sockets and device nodes. Paths are absolute with the prefix that switches off
/// Windows' own rules for names and lengths.
/// </remarks>
internal sealed class ExportTargetPortable : ExportTarget
{
    private const uint SetSparse = 0x900c4;

    private readonly string _top;
    private readonly Stack<string> _directories = new();
    private SafeFileHandle? _file;
    private string? _node;
    private bool _isDirectory;

    /// <summary>Finds the parent of the destination.</summary>
    public ExportTargetPortable(string destination)
    {
        Destination = destination;
        string full = Path.GetFullPath(Path.TrimEndingDirectorySeparator(destination));
        string? parent = Path.GetDirectoryName(full);
        if (parent is null)
            throw ExistsFailure();
        if (!Directory.Exists(parent))
        {
            throw new ExportException(
                $"There is no directory {parent} to put the copy into.", FsError.NotFound, isFatal: true);
        }

        bool isPlain = OperatingSystem.IsWindows() && !full.StartsWith(@"\\", StringComparison.Ordinal);
        _top = isPlain ? @"\\?\" + full : full;
    }

    /// <inheritdoc/>
    public override string Destination { get; }

    /// <inheritdoc/>
    public override bool AsksForLinkKind => OperatingSystem.IsWindows();

    /// <inheritdoc/>
    public override void EnterDirectory(ReadOnlySpan<byte> name, bool isTop)
    {
        string path = PathOf(name);
        if (IsThere(path))
        {
            bool isEmpty = isTop && Directory.Exists(path) && !Directory.EnumerateFileSystemEntries(path).Any();
            if (!isEmpty)
                throw isTop ? ExistsFailure() : TwiceFailure(path);
        }

        Try(path, () => _ = Directory.CreateDirectory(path));
        _directories.Push(path);
        TakeDirectory();
    }

    /// <inheritdoc/>
    public override void TakeDirectory()
    {
        _node = _directories.Peek();
        _isDirectory = true;
    }

    /// <inheritdoc/>
    public override void LeaveDirectory()
    {
        CloseNode();
        _ = _directories.Pop();
    }

    /// <inheritdoc/>
    public override void CreateFile(ReadOnlySpan<byte> name, ulong sizeBytes)
    {
        string path = NewPath(name);
        Try(path, () => _file = File.OpenHandle(path, System.IO.FileMode.CreateNew, FileAccess.Write));
        _node = path;
        if (OperatingSystem.IsWindows())
            _ = ExportNative.ControlFile(_file!, SetSparse, 0, 0, 0, 0, out _, 0);
        try
        {
            RandomAccess.SetLength(_file!, (long)Math.Min(sizeBytes, long.MaxValue));
        }
        catch (ArgumentException)
        {
            throw TooLargeFailure(path, sizeBytes);
        }
        catch (IOException exception)
        {
            throw new ExportException(
                $"Cannot make {path} {sizeBytes} bytes large: {exception.Message}", CliErrors.ErrorOf(exception));
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> bytes, ulong offsetBytes)
    {
        try
        {
            RandomAccess.Write(_file!, bytes, (long)offsetBytes);
        }
        catch (IOException exception)
        {
            throw new ExportException(
                $"Cannot write to {_node}: {exception.Message}", CliErrors.ErrorOf(exception), isFatal: true);
        }
    }

    /// <inheritdoc/>
    public override void CreateSymlink(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, bool isToDirectory)
    {
        string path = NewPath(name);
        string? text = OperatingSystem.IsWindows() ? ExportNames.TargetToWindows(target) : NameText.Decode(target);
        if (text is null)
        {
            throw new ExportException(
                $"{path}: a link to {NameText.Printable(target)} leads nowhere on Windows.", FsError.Unsupported);
        }

        Try(path, () => _ = isToDirectory
            ? Directory.CreateSymbolicLink(path, text)
            : File.CreateSymbolicLink(path, text));
        _node = path;
    }

    /// <inheritdoc/>
    public override bool TryCreateSpecial(ReadOnlySpan<byte> name, in InodeItem inode) => false;

    /// <inheritdoc/>
    public override bool TryLink(ReadOnlySpan<byte> firstPath, ReadOnlySpan<byte> name)
    {
        if (!OperatingSystem.IsWindows())
            return false;
        string first = _top;
        foreach (var range in firstPath.Split((byte)'/'))
        {
            if (!firstPath[range].IsEmpty)
                first += '\\' + ExportNames.ToWindows(firstPath[range]);
        }

        return ExportNative.CreateHardLink(NewPath(name), first, 0);
    }

    /// <inheritdoc/>
    public override string? TrySetXattr(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        "there are none on this system";

    /// <inheritdoc/>
    public override string? SetAttributes(in InodeItem inode)
    {
        // Links keep the time of their making: .NET would change what they lead to.
        if ((inode.Mode & FileMode.TypeMask) == FileMode.Symlink)
            return null;
        try
        {
            var (atime, mtime, crtime) = (Time(inode.Atime), Time(inode.Mtime), Time(inode.Crtime));
            if (atime is null || mtime is null || crtime is null)
                return "times: outside of the calendar of this system";
            if (_isDirectory)
            {
                Directory.SetCreationTimeUtc(_node!, crtime.Value);
                Directory.SetLastAccessTimeUtc(_node!, atime.Value);
                Directory.SetLastWriteTimeUtc(_node!, mtime.Value);
            }
            else
            {
                File.SetCreationTimeUtc(_file!, crtime.Value);
                File.SetLastAccessTimeUtc(_file!, atime.Value);
                File.SetLastWriteTimeUtc(_file!, mtime.Value);
            }

            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "times: " + exception.Message;
        }
    }

    /// <inheritdoc/>
    public override void CloseNode()
    {
        _file?.Dispose();
        _file = null;
        _node = null;
        _isDirectory = false;
    }

    /// <inheritdoc/>
    public override void AbandonNode()
    {
        string? path = _isDirectory ? null : _node;
        CloseNode();
        if (path is not null)
            File.Delete(path);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool isDisposing)
    {
        if (isDisposing)
            CloseNode();
    }

    private static bool IsThere(string path) => new FileInfo(path) is { Exists: true } or { LinkTarget: not null }
        || Directory.Exists(path);

    // Windows counts 100 ns since 1601 and cannot store the first of them.
    private static DateTime? Time(in Timespec time) => time.Sec.Value is > -11644473600 and < 253402300799
        ? DateTime.UnixEpoch.AddSeconds(time.Sec).AddTicks(Math.Min(time.Nsec.Value, 999_999_999) / 100)
        : null;

    private static void Try(string path, Action act)
    {
        try
        {
            act();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException
            or ArgumentException or NotSupportedException)
        {
            throw new ExportException(
                $"Cannot make {path}: {CliErrors.MessageOf(exception)}", CliErrors.ErrorOf(exception));
        }
    }

    private static ExportException TwiceFailure(string path) => new(
        $"{path} was made already: another name of the directory differs only in what does not count here (case, say).",
        FsError.Exists);

    private string PathOf(ReadOnlySpan<byte> name)
    {
        if (_directories.Count == 0)
            return _top;
        return OperatingSystem.IsWindows()
            ? _directories.Peek() + '\\' + ExportNames.ToWindows(name)
            : _directories.Peek() + '/' + NameText.Decode(name);
    }

    private string NewPath(ReadOnlySpan<byte> name)
    {
        string path = PathOf(name);
        if (!IsThere(path))
            return path;
        throw _directories.Count == 0 ? ExistsFailure() : TwiceFailure(path);
    }
}
