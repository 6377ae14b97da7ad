using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary>Writes a copy on Linux: names are bytes, and everything is made relative to open directories.</summary>
/// <remarks>
/// One directory is open at a time besides the top's parent, so that neither depth nor the length of paths is limited;
/// the way back leads over "..". Links are never followed, as every open of a directory says so.
/// </remarks>
internal sealed class ExportTargetLinux : ExportTarget
{
    private static readonly byte[] Up = [(byte)'.', (byte)'.', 0];

    private readonly SafeFileHandle _base;
    private readonly byte[] _topName;
    private readonly bool _isRoot = ExportNative.EffectiveUser() == 0;
    private SafeFileHandle _directory;
    private SafeFileHandle? _node;
    private byte[]? _nodeName;
    private bool _hasOwner;

    /// <summary>Opens the parent of the destination.</summary>
    public ExportTargetLinux(string destination)
    {
        Destination = destination;
        string full = Path.GetFullPath(Path.TrimEndingDirectorySeparator(destination));
        string? parent = Path.GetDirectoryName(full);
        if (parent is null)
            throw ExistsFailure();
        _topName = Terminated(Encoding.UTF8.GetBytes(Path.GetFileName(full)));
        int flags = ExportNative.OpenDirectory | ExportNative.OpenCloseOnExec;
        int fd = ExportNative.OpenAt(
            ExportNative.AtWorkingDirectory, Terminated(Encoding.UTF8.GetBytes(parent)), flags, 0);
        if (fd < 0)
            throw Failure($"open directory {parent}", isFatal: true);
        _base = new SafeFileHandle(fd, ownsHandle: true);
        _directory = _base;
    }

    /// <inheritdoc/>
    public override string Destination { get; }

    /// <inheritdoc/>
    public override void EnterDirectory(ReadOnlySpan<byte> name, bool isTop)
    {
        byte[] path = NameIn(name);
        if (ExportNative.MakeDirectoryAt(_directory, path, 0x1c0) != 0)
        {
            bool isThere = isTop && Marshal.GetLastPInvokeError() == ExportNative.ErrorExists;
            if (!isThere)
                throw Failure($"make directory {Shown(path)}");
            if (!Directory.Exists(Destination) || Directory.EnumerateFileSystemEntries(Destination).Any())
                throw ExistsFailure();
        }

        SetDirectory(Open(path));
        TakeDirectory();
    }

    /// <inheritdoc/>
    public override void TakeDirectory()
    {
        _node = _directory;
        _nodeName = null;
    }

    /// <inheritdoc/>
    public override void LeaveDirectory()
    {
        CloseNode();
        SetDirectory(Open(Up));
    }

    /// <inheritdoc/>
    public override void CreateFile(ReadOnlySpan<byte> name, ulong sizeBytes)
    {
        byte[] path = NameIn(name);
        int flags = ExportNative.OpenWriteOnly | ExportNative.OpenCreate | ExportNative.OpenExclusive
            | ExportNative.OpenNoFollow | ExportNative.OpenCloseOnExec;
        int fd = ExportNative.OpenAt(_directory, path, flags, 0x180);
        if (fd < 0)
            throw CreateFailure(path, "make file");
        _node = new SafeFileHandle(fd, ownsHandle: true);
        _nodeName = path;
        SetLength(sizeBytes);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> bytes, ulong offsetBytes)
    {
        try
        {
            RandomAccess.Write(_node!, bytes, (long)offsetBytes);
        }
        catch (IOException exception)
        {
            throw new ExportException(
                $"Cannot write to {Shown(_nodeName!)} below {Destination}: {exception.Message}",
                CliErrors.ErrorOf(exception),
                isFatal: true);
        }
    }

    /// <inheritdoc/>
    public override void CreateSymlink(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, bool isToDirectory)
    {
        byte[] path = NameIn(name);
        if (ExportNative.MakeSymlinkAt(Terminated(target), _directory, path) != 0)
            throw CreateFailure(path, "make symbolic link");
        _nodeName = path;
    }

    /// <inheritdoc/>
    public override bool TryCreateSpecial(ReadOnlySpan<byte> name, in InodeItem inode)
    {
        byte[] path = NameIn(name);
        ulong major = inode.Rdev >> 20;
        ulong minor = inode.Rdev & 0xfffff;

        // The C library's form of a device number.
        ulong device = ((major & 0xfffff000) << 32) | ((major & 0xfff) << 8) | ((minor & 0xffffff00) << 12)
            | (minor & 0xff);
        uint mode = (inode.Mode & FileMode.TypeMask) | 0x180;
        if (ExportNative.MakeNodeAt(_directory, path, mode, device) != 0)
        {
            if (Marshal.GetLastPInvokeError() == ExportNative.ErrorNotPermitted)
                return false;
            throw CreateFailure(path, "make device node, fifo or socket");
        }

        _nodeName = path;
        return true;
    }

    /// <inheritdoc/>
    public override bool TryLink(ReadOnlySpan<byte> firstPath, ReadOnlySpan<byte> name)
    {
        byte[] first = Terminated([.. _topName.AsSpan(0, _topName.Length - 1), .. firstPath]);
        return ExportNative.LinkAt(_base, first, _directory, NameIn(name), 0) == 0;
    }

    /// <inheritdoc/>
    public override string? SetOwner(in InodeItem inode)
    {
        _hasOwner = _isRoot && (_node is not null
            ? ExportNative.ChangeOwner(_node, inode.Uid, inode.Gid)
            : ExportNative.ChangeOwnerAt(_directory, _nodeName!, inode.Uid, inode.Gid, ExportNative.AtNoFollow)) == 0;
        return _isRoot && !_hasOwner ? "owner: " + LastError() : null;
    }

    /// <inheritdoc/>
    public override string? TrySetXattr(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        byte[] bytes = value.ToArray();
        int result = _node is not null
            ? ExportNative.SetXattr(_node, Terminated(name), bytes, (nuint)bytes.Length, 0)
            : ExportNative.SetLinkXattr(PathInHand(), Terminated(name), bytes, (nuint)bytes.Length, 0);
        if (result == 0)
            return null;
        return Marshal.GetLastPInvokeError() is ExportNative.ErrorNoSpace or ExportNative.ErrorTooBig
            ? "the file system of the copy limits how large they are in one file (ext4: 4 KiB); copy to one with a "
                + "higher limit, such as xfs, or keep the output of --manifest beside the copy"
            : LastError();
    }

    /// <inheritdoc/>
    public override string? SetAttributes(in InodeItem inode)
    {
        string? fault = null;
        uint mode = inode.Mode & FileMode.PermissionMask;

        // Set-id bits mean the owner: without that they must not be given to someone else's file.
        if (!_hasOwner && (mode & 0xc00) != 0)
        {
            mode &= ~0xc00u;
            fault ??= "set-id bits: the owner was not copied";
        }

        bool isLink = (inode.Mode & FileMode.TypeMask) == FileMode.Symlink;
        if (!isLink && (_node is not null
            ? ExportNative.ChangeMode(_node, mode)
            : ExportNative.ChangeModeAt(_directory, _nodeName!, mode, 0)) != 0)
        {
            fault ??= "mode: " + LastError();
        }

        ExportNative.NativeTime[] times = [Time(inode.Atime), Time(inode.Mtime)];
        int result = _node is not null
            ? ExportNative.SetTimes(_node, times)
            : ExportNative.SetTimesAt(_directory, _nodeName!, times, ExportNative.AtNoFollow);
        return result == 0 ? fault : fault ?? "times: " + LastError();
    }

    /// <inheritdoc/>
    public override void CloseNode()
    {
        if (_node is not null && _node != _directory)
            _node.Dispose();
        _node = null;
        _nodeName = null;
    }

    /// <inheritdoc/>
    public override void AbandonNode()
    {
        if (_nodeName is not null)
            _ = ExportNative.UnlinkAt(_directory, _nodeName, 0);
        CloseNode();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool isDisposing)
    {
        if (!isDisposing)
            return;
        CloseNode();
        _directory.Dispose();
        _base.Dispose();
    }

    private static byte[] Terminated(ReadOnlySpan<byte> name) => [.. name, 0];

    private static string LastError() => Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());

    private static string Shown(byte[] path) => NameText.Printable(path.AsSpan(0, path.Length - 1));

    private static ExportNative.NativeTime Time(in Timespec time) => new()
    {
        Seconds = time.Sec,

        // Greater numbers have meanings of their own here.
        Nanoseconds = Math.Min(time.Nsec.Value, 999_999_999),
    };

    // At the top the copy has the name that the user wants.
    private byte[] NameIn(ReadOnlySpan<byte> name) => _directory == _base ? _topName : Terminated(name);

    private void SetLength(ulong sizeBytes)
    {
        try
        {
            // Beyond what .NET can say, which no file system of Linux holds either: the call below would fail as well.
            RandomAccess.SetLength(_node!, (long)Math.Min(sizeBytes, long.MaxValue));
        }
        catch (ArgumentException)
        {
            throw TooLargeFailure(Shown(_nodeName!), sizeBytes);
        }
        catch (IOException exception)
        {
            var error = CliErrors.ErrorOf(exception);
            throw new ExportException(
                $"Cannot make {Shown(_nodeName!)} {sizeBytes} bytes large: {exception.Message}",
                error,
                isFatal: error is FsError.NoSpace or FsError.Io);
        }
    }

    private SafeFileHandle Open(byte[] path)
    {
        int flags = ExportNative.OpenDirectory | ExportNative.OpenNoFollow | ExportNative.OpenCloseOnExec;
        int fd = ExportNative.OpenAt(_directory, path, flags, 0);
        return fd >= 0
            ? new SafeFileHandle(fd, ownsHandle: true)
            : throw Failure($"open directory {Shown(path)}", isFatal: true);
    }

    private void SetDirectory(SafeFileHandle directory)
    {
        if (_directory != _base)
            _directory.Dispose();
        _directory = directory;
    }

    private ExportException CreateFailure(byte[] path, string doing)
    {
        bool isTop = _directory == _base && Marshal.GetLastPInvokeError() == ExportNative.ErrorExists;
        return isTop ? ExistsFailure() : Failure($"{doing} {Shown(path)}");
    }

    private ExportException Failure(string doing, bool isFatal = false)
    {
        int number = Marshal.GetLastPInvokeError();
        bool isEverywhere = number is ExportNative.ErrorNoSpace or ExportNative.ErrorQuota
            or ExportNative.ErrorReadOnly or ExportNative.ErrorIo;
        return new ExportException(
            $"Cannot {doing} for the copy {Destination}: {Marshal.GetPInvokeErrorMessage(number)}.",
            CliErrors.ErrorOfNumber(number),
            isFatal || isEverywhere);
    }

    // Extended attributes of links are set by path; the open directory has one.
    private byte[] PathInHand() => Terminated(
        [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{_directory.DangerousGetHandle()}/"),
        .. _nodeName.AsSpan(0, _nodeName!.Length - 1)]);
}
