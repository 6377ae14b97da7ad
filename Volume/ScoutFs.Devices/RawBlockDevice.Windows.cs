using System;
using System.Buffers.Binary;
using System.IO;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <content>Opening on Windows.</content>
public sealed partial class RawBlockDevice
{
    private const int MaxShortPath = 248;

    [SupportedOSPlatform("windows")]
    private static DeviceOpenResult OpenOnWindows(string path, DeviceOpenOptions options)
    {
        bool isDevicePath = path.StartsWith(@"\\.\", StringComparison.Ordinal)
            || path.StartsWith(@"\\?\", StringComparison.Ordinal);
        if (!isDevicePath && Directory.Exists(path))
        {
            string volume = path.Length is 2 or 3 && path[1] == ':' ? $@" (the volume itself is \\.\{path[..2]})" : "";
            return DeviceOpenResult.Failed(
                FsError.Unsupported,
                $@"{path} is a directory. Name a disk (\\.\PhysicalDrive1), a volume or an image file{volume}.");
        }

        uint access = WindowsNative.GenericRead;
        if (options.Access == DeviceAccess.ReadWrite)
            access |= WindowsNative.GenericWrite;
        var handle = WindowsNative.Open(
            isDevicePath ? path : LongPath(path),
            access,
            options.Exclusive ? 0 : WindowsNative.ShareReadWrite,
            WindowsNative.FlagNoBuffering | WindowsNative.FlagWriteThrough | WindowsNative.FlagOverlapped);
        if (handle.IsInvalid)
            return WindowsFailure(path, options, Marshal.GetLastPInvokeError());
        var result = WrapOnWindows(path, options, handle, isImage: !isDevicePath);
        if (!result.IsOpen)
            handle.Dispose();
        return result;
    }

    [SupportedOSPlatform("windows")]
    private static DeviceOpenResult WrapOnWindows(
        string path, DeviceOpenOptions options, SafeFileHandle handle, bool isImage)
    {
        if (!WindowsNative.IsDisk(handle))
        {
            return DeviceOpenResult.Failed(
                FsError.Unsupported,
                $@"{path} is no disk. Name a disk (\\.\PhysicalDrive1), a volume (\\.\E:) or an image file.");
        }

        long sectorBytes = SectorBytesOnWindows(handle);
        if (sectorBytes > Alignment)
            return SectorsTooLarge(path, sectorBytes);
        if (!TryGetSizeOnWindows(handle, out long sizeBytes))
            return WindowsFailure(path, options, Marshal.GetLastPInvokeError());
        if (sizeBytes < Alignment)
            return TooSmall(path, sizeBytes);
        return DeviceOpenResult.Of(
            new RawBlockDevice(
                path,
                handle,
                RoundDown(sizeBytes),
                options.Access == DeviceAccess.ReadWrite,
                isImage,
                note: null));
    }

    [SupportedOSPlatform("windows")]
    private static bool TryGetSizeOnWindows(SafeFileHandle handle, out long sizeBytes)
    {
        Span<byte> length = stackalloc byte[sizeof(long)];
        if (WindowsNative.TryControl(handle, WindowsNative.DiskGetLength, [], length, out int got)
            && got == length.Length)
        {
            sizeBytes = BinaryPrimitives.ReadInt64LittleEndian(length);
            return true;
        }

        return WindowsNative.TryGetFileSize(handle, out sizeBytes);
    }

    /// <summary>Logical sector size, or 0 where it is not told: files, and Wine.</summary>
    [SupportedOSPlatform("windows")]
    private static long SectorBytesOnWindows(SafeFileHandle handle)
    {
        // STORAGE_PROPERTY_QUERY { PropertyId = StorageAccessAlignmentProperty, QueryType = standard, 1 byte, padding }
        ReadOnlySpan<byte> query = [6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

        // STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR: version, size, cache line, its offset, logical at 16, physical at 20.
        Span<byte> answer = stackalloc byte[28];
        bool isKnown = WindowsNative.TryControl(
            handle, WindowsNative.StorageQueryProperty, query, answer, out int got);
        return isKnown && got >= 20 ? BinaryPrimitives.ReadUInt32LittleEndian(answer[16..]) : 0;
    }

    private static string LongPath(string path)
    {
        string full = Path.GetFullPath(path);
        if (full.Length < MaxShortPath)
            return full;
        return full.StartsWith(@"\\", StringComparison.Ordinal) ? @"\\?\UNC" + full[1..] : @"\\?\" + full;
    }

    [SupportedOSPlatform("windows")]
    private static DeviceOpenResult WindowsFailure(string path, DeviceOpenOptions options, int errorNumber)
    {
        string text = Marshal.GetPInvokeErrorMessage(errorNumber).Trim().TrimEnd('.');
        string purpose = options.Access == DeviceAccess.ReadWrite ? "reading and writing" : "reading";
        return errorNumber switch
        {
            WindowsNative.ErrorFileNotFound or WindowsNative.ErrorPathNotFound or WindowsNative.ErrorInvalidDrive
                or WindowsNative.ErrorBadNetPath or WindowsNative.ErrorBadNetName or WindowsNative.ErrorInvalidName =>
                DeviceOpenResult.Failed(
                    FsError.DeviceNotFound, $"There is no device or file {path} ({text}). Check the path."),
            WindowsNative.ErrorNotReady => DeviceOpenResult.Failed(
                FsError.DeviceNotFound,
                $"There is no device behind {path} ({text}). Check that it is connected and online."),
            WindowsNative.ErrorAccessDenied or WindowsNative.ErrorPrivilegeNotHeld => DeviceOpenResult.Failed(
                FsError.AccessDenied,
                $"{path} may not be opened for {purpose} ({text}). Run this program as administrator, or change the "
                + "permissions."),
            WindowsNative.ErrorSharingViolation or WindowsNative.ErrorLockViolation or WindowsNative.ErrorBusy =>
                DeviceOpenResult.Failed(
                    FsError.DeviceBusy,
                    $"{path} is in use: another program has opened it ({text}). End that use first, or name another "
                    + "device."),
            WindowsNative.ErrorWriteProtect => DeviceOpenResult.Failed(
                FsError.ReadOnly, $"{path} is write protected ({text}). Open it for reading only."),
            _ => DeviceOpenResult.Failed(
                FsError.Io,
                $"{path} cannot be opened for {purpose} ({text}, error {errorNumber}). The system event log may say "
                + "more."),
        };
    }

    /// <summary>Null: the filesystem does not know.</summary>
    [SupportedOSPlatform("windows")]
    private bool? FindAllocatedOnWindows(long fromBytes, ref long startBytes, ref long endBytes)
    {
        // FILE_ALLOCATED_RANGE_BUFFER { offset, length }, asked for and answered. Room for one answer is enough.
        Span<byte> range = stackalloc byte[16];
        Span<byte> answer = stackalloc byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(range, fromBytes);
        BinaryPrimitives.WriteInt64LittleEndian(range[8..], SizeBytes - fromBytes);
        bool isKnown = WindowsNative.TryControl(
            _handle, WindowsNative.QueryAllocatedRanges, range, answer, out int got);
        if (!isKnown && Marshal.GetLastPInvokeError() != WindowsNative.ErrorMoreData)
            return null;
        if (isKnown && got == 0)
            return false;
        startBytes = BinaryPrimitives.ReadInt64LittleEndian(answer);
        endBytes = startBytes + BinaryPrimitives.ReadInt64LittleEndian(answer[8..]);
        return true;
    }
}
