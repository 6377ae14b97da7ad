using System;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Threading;
using Microsoft.Win32.SafeHandles;

namespace ScoutFs.Devices;

/// <summary>The calls of Windows that .NET does not offer.</summary>
[SupportedOSPlatform("windows")]
internal static unsafe partial class WindowsNative
{
    public const int ErrorFileNotFound = 2;
    public const int ErrorPathNotFound = 3;
    public const int ErrorAccessDenied = 5;
    public const int ErrorInvalidDrive = 15;
    public const int ErrorWriteProtect = 19;
    public const int ErrorNotReady = 21;
    public const int ErrorSharingViolation = 32;
    public const int ErrorLockViolation = 33;
    public const int ErrorBadNetPath = 53;
    public const int ErrorBadNetName = 67;
    public const int ErrorInvalidName = 123;
    public const int ErrorBusy = 170;
    public const int ErrorMoreData = 234;
    public const int ErrorPrivilegeNotHeld = 1314;

    public const uint GenericRead = 0x80000000;
    public const uint GenericWrite = 0x40000000;
    public const uint ShareReadWrite = 1 | 2;
    public const uint OpenExisting = 3;
    public const uint FlagWriteThrough = 0x80000000;
    public const uint FlagOverlapped = 0x40000000;
    public const uint FlagNoBuffering = 0x20000000;

    public const uint DiskGetLength = 0x7405c; // IOCTL_DISK_GET_LENGTH_INFO
    public const uint StorageQueryProperty = 0x2d1400; // IOCTL_STORAGE_QUERY_PROPERTY
    public const uint QueryAllocatedRanges = 0x940cf; // FSCTL_QUERY_ALLOCATED_RANGES
    private const uint SetSparseCode = 0x900c4; // FSCTL_SET_SPARSE

    private const int ErrorIoPending = 997;
    private const uint FileTypeDisk = 1;

    /// <summary>Opens a path. The handle is invalid on failure: see the error number.</summary>
    public static SafeFileHandle Open(string path, uint access, uint share, uint flags) =>
        CreateFile(path, access, share, 0, OpenExisting, flags, 0);

    /// <summary>True for disks, volumes and files; false for consoles, pipes, serial ports.</summary>
    public static bool IsDisk(SafeFileHandle handle) => GetFileType(handle) == FileTypeDisk;

    /// <summary>Size of a file. False: it has none, as a disk.</summary>
    public static bool TryGetFileSize(SafeFileHandle handle, out long sizeBytes) =>
        GetFileSize(handle, out sizeBytes);

    /// <summary>Makes a file give back holes. Filesystems without sparse files write zeros instead.</summary>
    public static void SetSparse(SafeFileHandle handle) =>
        _ = TryControl(handle, SetSparseCode, [], [], out _);

    /// <summary>Sends a control code, waits for the answer.</summary>
    /// <param name="handle">Overlapped or not.</param>
    /// <param name="code">Which.</param>
    /// <param name="input">Its argument.</param>
    /// <param name="output">Receives the answer.</param>
    /// <param name="outputBytes">Bytes of the answer.</param>
    /// <returns>False: see the error number.</returns>
    public static bool TryControl(
        SafeFileHandle handle, uint code, ReadOnlySpan<byte> input, Span<byte> output, out int outputBytes)
    {
        using var done = new ManualResetEvent(initialState: false);

        // The lowest bit keeps the completion from the thread pool, which did not send it.
        var overlapped = new NativeOverlapped { EventHandle = done.SafeWaitHandle.DangerousGetHandle() | 1 };
        fixed (byte* inputAt = input, outputAt = output)
        {
            if (DeviceIoControl(
                    handle, code, inputAt, input.Length, outputAt, output.Length, out outputBytes, &overlapped))
                return true;
            return Marshal.GetLastPInvokeError() == ErrorIoPending
                && GetOverlappedResult(handle, &overlapped, out outputBytes, wait: true);
        }
    }

    [LibraryImport(
        "kernel32.dll", EntryPoint = "CreateFileW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    private static partial SafeFileHandle CreateFile(
        string path, uint access, uint share, nint security, uint disposition, uint flags, nint template);

    [LibraryImport("kernel32.dll", EntryPoint = "GetFileSizeEx", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool GetFileSize(SafeFileHandle handle, out long sizeBytes);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    private static partial uint GetFileType(SafeFileHandle handle);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool DeviceIoControl(
        SafeFileHandle handle,
        uint code,
        byte* input,
        int inputBytes,
        byte* output,
        int outputRoomBytes,
        out int outputBytes,
        NativeOverlapped* overlapped);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool GetOverlappedResult(
        SafeFileHandle handle,
        NativeOverlapped* overlapped,
        out int transferredBytes,
        [MarshalAs(UnmanagedType.Bool)] bool wait);
}
