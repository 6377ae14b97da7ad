using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <content>Opening on Linux.</content>
public sealed partial class RawBlockDevice
{
    private static DeviceOpenResult OpenOnLinux(string path, DeviceOpenOptions options)
    {
        // Looked at before it is opened: opening a named pipe would wait for its other end.
        if (!LinuxNative.TryGetStatus(path, out var status))
            return LinuxFailure(path, options, status, Marshal.GetLastPInvokeError());
        if (!status.IsFile && !status.IsBlockDevice)
        {
            return DeviceOpenResult.Failed(
                FsError.Unsupported,
                $"{path} is {status.KindText}. Name a block device or an image file.");
        }

        if (status.IsBlockDevice && options.Access == DeviceAccess.ReadWrite && LinuxHolders.IsReadOnly(status))
        {
            return DeviceOpenResult.Failed(
                FsError.ReadOnly, $"{path} is write protected. Remove the protection, or open it for reading only.");
        }

        var handle = OpenHandleOnLinux(path, options, status, out string? note);
        if (handle.IsInvalid)
            return LinuxFailure(path, options, status, Marshal.GetLastPInvokeError());
        var result = WrapOnLinux(path, options, handle, note);
        if (!result.IsOpen)
            handle.Dispose();
        return result;
    }

    private static SafeFileHandle OpenHandleOnLinux(
        string path, DeviceOpenOptions options, LinuxNative.FileStatus status, out string? note)
    {
        note = null;
        int flags = LinuxNative.OpenCloseOnExec;
        flags |= options.Access == DeviceAccess.ReadWrite ? LinuxNative.OpenReadWrite : LinuxNative.OpenReadOnly;
        if (options.Exclusive && status.IsBlockDevice)
            flags |= LinuxNative.OpenExclusive;
        var handle = LinuxNative.Open(path, flags | LinuxNative.OpenDirect);
        if (handle.IsInvalid && Marshal.GetLastPInvokeError() == LinuxNative.Einval)
        {
            handle = LinuxNative.Open(path, flags);
            note = $"The filesystem of {path} does not support unbuffered access; the page cache is used.";
        }

        return handle;
    }

    private static DeviceOpenResult WrapOnLinux(
        string path, DeviceOpenOptions options, SafeFileHandle handle, string? note)
    {
        // Once more, of what was opened: the name may have been given to something else meanwhile.
        if (!LinuxNative.TryGetStatus(handle, out var status))
            return LinuxFailure(path, options, status, Marshal.GetLastPInvokeError());
        long sizeBytes = status.SizeBytes;
        long sectorBytes = note is null ? status.DirectAlignmentBytes : 0;
        if (status.IsBlockDevice)
        {
            if (!LinuxNative.TryControl(handle, LinuxNative.GetSizeBytes, out sizeBytes)
                || !LinuxNative.TryControl(handle, LinuxNative.GetSectorBytes, out sectorBytes))
                return LinuxFailure(path, options, status, Marshal.GetLastPInvokeError());
        }

        if (sectorBytes > Alignment)
            return SectorsTooLarge(path, sectorBytes);
        if (sizeBytes < Alignment)
            return TooSmall(path, sizeBytes);
        if (options.Exclusive && status.IsFile)
        {
            // A loop device on top of the file is another writer that takes no lock.
            if (LinuxHolders.LoopDeviceOf(path) is { } holder)
                return Busy(path, holder);
            if (!LinuxNative.TryLock(handle, LinuxNative.LockExclusiveNow))
                return LinuxFailure(path, options, status, Marshal.GetLastPInvokeError());
        }

        return DeviceOpenResult.Of(
            new RawBlockDevice(
                path,
                handle,
                RoundDown(sizeBytes),
                options.Access == DeviceAccess.ReadWrite,
                isImage: status.IsFile,
                note));
    }

    private static DeviceOpenResult LinuxFailure(
        string path, DeviceOpenOptions options, LinuxNative.FileStatus status, int errorNumber)
    {
        string text = Marshal.GetPInvokeErrorMessage(errorNumber);
        string purpose = options.Access == DeviceAccess.ReadWrite ? "reading and writing" : "reading";
        switch (errorNumber)
        {
            case LinuxNative.Enoent or LinuxNative.Enotdir:
                return DeviceOpenResult.Failed(
                    FsError.DeviceNotFound, $"There is no device or file {path}. Check the path.");
            case LinuxNative.Enxio or LinuxNative.Enodev or LinuxNative.Enomedium:
                return DeviceOpenResult.Failed(
                    FsError.DeviceNotFound,
                    $"There is no device behind {path} ({text}). Check that it is connected and set up.");
            case LinuxNative.Eacces or LinuxNative.Eperm:
                return DeviceOpenResult.Failed(
                    FsError.AccessDenied,
                    $"{path} may not be opened for {purpose} ({text}). Run this program as root, or change the "
                    + "permissions.");
            case LinuxNative.Ebusy or LinuxNative.Ewouldblock or LinuxNative.Etxtbsy:
                return Busy(
                    path, status.IsBlockDevice ? LinuxHolders.OfBlockDevice(status) : LinuxHolders.OfFile(status));
            case LinuxNative.Erofs:
                return DeviceOpenResult.Failed(
                    FsError.ReadOnly,
                    $"{path} cannot be opened for writing ({text}). Open it for reading only, or copy it elsewhere.");
            default:
                return DeviceOpenResult.Failed(
                    FsError.Io,
                    $"{path} cannot be opened for {purpose} ({text}). The kernel log may say more.");
        }
    }

    private static DeviceOpenResult Busy(string path, string holder) => DeviceOpenResult.Failed(
        FsError.DeviceBusy, $"{path} is in use: {holder}. End that use first, or name another device.");

    /// <summary>Null: the filesystem does not know.</summary>
    private bool? FindAllocatedOnLinux(long fromBytes, ref long startBytes, ref long endBytes)
    {
        startBytes = LinuxNative.Seek(_handle, fromBytes, LinuxNative.SeekData);
        if (startBytes < 0)
            return Marshal.GetLastPInvokeError() == LinuxNative.Enxio ? false : null;
        endBytes = LinuxNative.Seek(_handle, startBytes, LinuxNative.SeekHole);
        return endBytes < 0 ? null : true;
    }
}
