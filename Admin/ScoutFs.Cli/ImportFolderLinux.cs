using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary>Directories of Linux: everything is opened relative to an open directory, links never followed.</summary>
internal sealed class ImportFolderLinux : ImportFolder
{
    private static readonly byte[] Self = [(byte)'.', 0];

    private readonly SafeFileHandle _handle;
    private readonly string _path;

    private ImportFolderLinux(SafeFileHandle handle, string shownPath)
    {
        _handle = handle;
        _path = shownPath;
    }

    /// <inheritdoc/>
    public override string ShownPath => _path;

    /// <summary>See <see cref="ImportFolder.Open"/>.</summary>
    public static ImportFolder OpenTop(string path, out byte[]? fileName)
    {
        fileName = null;
        using var top = Path(path, 0x200000 | ExportNative.OpenCloseOnExec);
        if (top.IsInvalid)
            throw Failure("open", path);
        var status = StatusOf(top, [0], ImportNative.AtEmptyPath, path);
        if ((status.Mode & FileMode.TypeMask) == FileMode.Directory)
            return new ImportFolderLinux(OpenOrThrow(path), path.Length > 1 ? path.TrimEnd('/') : path);

        // Of a link, the file that it leads to.
        string full = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName
            ?? System.IO.Path.GetFullPath(path);
        fileName = Encoding.UTF8.GetBytes(System.IO.Path.GetFileName(full));
        string parent = System.IO.Path.GetDirectoryName(full) ?? "/";
        return new ImportFolderLinux(OpenOrThrow(parent), parent.TrimEnd('/'));
    }

    /// <summary>Identity of what a path leads to, links followed; null when it cannot be told.</summary>
    public static ImportId? TryIdentify(string path)
    {
        using var handle = Path(path, 0x200000 | ExportNative.OpenCloseOnExec);
        if (handle.IsInvalid
            || ImportNative.GetStatus(
                handle, [0], ImportNative.AtEmptyPath, ImportNative.BasicStatus, out var status) != 0)
        {
            return null;
        }

        return NodeOf(status).Id;
    }

    /// <inheritdoc/>
    public override ImportNode Describe() => NodeOf(StatusOf(_handle, [0], ImportNative.AtEmptyPath, _path));

    /// <inheritdoc/>
    public override List<byte[]> ListNames()
    {
        var names = new List<byte[]>();
        int fd = ExportNative.OpenAt(
            _handle, Self, ExportNative.OpenDirectory | ExportNative.OpenCloseOnExec, 0);
        nint stream = fd < 0 ? 0 : ImportNative.OpenStream(fd);
        if (stream == 0)
            throw Failure("list", _path);
        try
        {
            while (true)
            {
                nint entry = ImportNative.ReadStream(stream);
                if (entry == 0)
                    break;
                byte[] name = NameAt(entry + ImportNative.EntryNameOffset);
                if (!name.AsSpan().SequenceEqual("."u8) && !name.AsSpan().SequenceEqual(".."u8))
                    names.Add(name);
            }

            if (Marshal.GetLastPInvokeError() != 0)
                throw Failure("list", _path);
            return names;
        }
        finally
        {
            _ = ImportNative.CloseStream(stream);
        }
    }

    /// <inheritdoc/>
    public override ImportNode Describe(byte[] name) =>
        NodeOf(StatusOf(_handle, Terminated(name), ExportNative.AtNoFollow, PathOf(name)));

    /// <inheritdoc/>
    public override ImportFolder OpenFolder(byte[] name) =>
        new ImportFolderLinux(OpenAt(name, ExportNative.OpenDirectory), PathOf(name));

    /// <inheritdoc/>
    public override ImportFile OpenFile(byte[] name) =>
        new OpenFileLinux(OpenAt(name, ImportNative.OpenNonBlocking), PathOf(name));

    /// <inheritdoc/>
    public override byte[] ReadLink(byte[] name)
    {
        byte[] target = new byte[FormatConstants.MaxSymlinkBytes + 1];
        nint length = ImportNative.ReadLinkAt(_handle, Terminated(name), target, target.Length);
        if (length < 0)
            throw Failure("read symbolic link", PathOf(name));
        return target[..(int)length];
    }

    /// <inheritdoc/>
    public override List<ImportXattr> ReadXattrs() => Xattrs(_handle, null, _path);

    /// <inheritdoc/>
    public override List<ImportXattr> ReadXattrs(byte[] name)
    {
        byte[] folder = Encoding.ASCII.GetBytes(
            FormattableString.Invariant($"/proc/self/fd/{_handle.DangerousGetHandle()}/"));
        return Xattrs(_handle, [.. folder, .. name, 0], PathOf(name));
    }

    /// <inheritdoc/>
    protected override void Close() => _handle.Dispose();

    private static byte[] Terminated(byte[] name) => [.. name, 0];

    private static SafeFileHandle Path(string path, int flags) => new(
        ExportNative.OpenAt(ExportNative.AtWorkingDirectory, [.. Encoding.UTF8.GetBytes(path), 0], flags, 0),
        ownsHandle: true);

    private static SafeFileHandle OpenOrThrow(string path)
    {
        var handle = Path(path, ExportNative.OpenDirectory | ExportNative.OpenCloseOnExec);
        return handle.IsInvalid ? throw Failure("open directory", path) : handle;
    }

    private static ImportException Failure(string verb, string path)
    {
        int number = Marshal.GetLastPInvokeError();
        return new ImportException(
            CliErrors.ErrorOfNumber(number), $"Cannot {verb} {path}: {Marshal.GetPInvokeErrorMessage(number)}.");
    }

    private static byte[] NameAt(nint address)
    {
        int length = 0;
        while (Marshal.ReadByte(address, length) != 0)
            length++;
        byte[] name = new byte[length];
        Marshal.Copy(address, name, 0, length);
        return name;
    }

    private static ImportNative.Status StatusOf(SafeFileHandle handle, byte[] path, int flags, string shown)
    {
        int result = ImportNative.GetStatus(handle, path, flags, ImportNative.BasicStatus, out var status);
        return result == 0 ? status : throw Failure("look at", shown);
    }

    private static ImportNode NodeOf(in ImportNative.Status status) => new(
        status.Mode,
        status.Uid,
        status.Gid,
        status.Nlink,
        (status.OwnMajor << 20) | (status.OwnMinor & 0xfffff),
        status.Size,
        status.Blocks * 512 < status.Size,
        status.Atime.ToTimespec(),
        status.Mtime.ToTimespec(),
        new ImportId(((ulong)status.FsMajor << 32) | status.FsMinor, status.Ino));

    private static List<ImportXattr> Xattrs(SafeFileHandle node, byte[]? linkPath, string shown)
    {
        var found = new List<ImportXattr>();
        byte[] list = [];
        nint length;
        do
        {
            length = linkPath is null
                ? ImportNative.ListXattrs(node, list, list.Length)
                : ImportNative.ListLinkXattrs(linkPath, list, list.Length);
            if (length > 0 && list.Length == 0)
                (list, length) = (new byte[Math.Max(1024, (int)length * 2)], -1);
            else if (length < 0 && Marshal.GetLastPInvokeError() == ImportNative.ErrorRange)
                list = new byte[list.Length * 2];
            else if (length < 0 && Marshal.GetLastPInvokeError() == ImportNative.ErrorNotSupported)
                return found;
            else if (length < 0)
                throw Failure("list the extended attributes of", shown);
        }
        while (length < 0);
        var names = list.AsSpan(0, (int)length);
        foreach (var range in names.Split((byte)0))
        {
            if (names[range].Length == 0)
                continue;
            byte[] name = names[range].ToArray();
            byte[] buffer = new byte[FormatConstants.MaxXattrValueBytes + 1];
            nint size = linkPath is null
                ? ImportNative.GetXattr(node, Terminated(name), buffer, buffer.Length)
                : ImportNative.GetLinkXattr(linkPath, Terminated(name), buffer, buffer.Length);
            if (size >= 0)
                found.Add(new ImportXattr(name, buffer[..(int)size], string.Empty));
            else if (Marshal.GetLastPInvokeError() != ImportNative.ErrorNoData)
                found.Add(new ImportXattr(name, null, Marshal.GetLastPInvokeErrorMessage()));
        }

        return found;
    }

    private string PathOf(byte[] name) => $"{(_path == "/" ? string.Empty : _path)}/{NameText.Printable(name)}";

    private SafeFileHandle OpenAt(byte[] name, int flags)
    {
        flags |= ExportNative.OpenNoFollow | ExportNative.OpenCloseOnExec;
        byte[] path = Terminated(name);
        int fd = ExportNative.OpenAt(_handle, path, flags | ImportNative.OpenNoAccessTime, 0);
        if (fd < 0 && Marshal.GetLastPInvokeError() == ExportNative.ErrorNotPermitted)
            fd = ExportNative.OpenAt(_handle, path, flags, 0);
        return fd < 0 ? throw Failure("open", PathOf(name)) : new SafeFileHandle(fd, ownsHandle: true);
    }

    /// <summary>A file of Linux.</summary>
    private sealed class OpenFileLinux(SafeFileHandle handle, string path) : ImportFile
    {
        public override ImportNode Describe() =>
            NodeOf(StatusOf(handle, [0], ImportNative.AtEmptyPath, path));

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
            long start = ImportNative.Seek(handle, (long)fromBytes, ImportNative.SeekData);
            if (start < 0)
                return Marshal.GetLastPInvokeError() != ImportNative.ErrorNoAddress;
            startBytes = (ulong)start;
            long end = ImportNative.Seek(handle, start, ImportNative.SeekHole);
            if (end >= 0)
                endBytes = Math.Min((ulong)end, sizeBytes);
            return startBytes < endBytes;
        }

        public override List<ImportXattr> ReadXattrs() => Xattrs(handle, null, path);

        protected override void Dispose(bool isDisposing)
        {
            if (isDisposing)
                handle.Dispose();
        }
    }
}
