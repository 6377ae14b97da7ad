using System;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ScoutFs.Devices;

/// <summary>The system calls of Linux that .NET does not offer.</summary>
/// <remarks>
/// Structures and numbers are those of the kernel's ABI. Error numbers are the same on all architectures .NET runs on.
/// </remarks>
internal static unsafe partial class LinuxNative
{
    public const int Eperm = 1;
    public const int Enoent = 2;
    public const int Enxio = 6;
    public const int Ewouldblock = 11;
    public const int Eacces = 13;
    public const int Ebusy = 16;
    public const int Enodev = 19;
    public const int Enotdir = 20;
    public const int Einval = 22;
    public const int Etxtbsy = 26;
    public const int Erofs = 30;
    public const int Enomedium = 123;

    public const int OpenReadOnly = 0;
    public const int OpenReadWrite = 2;
    public const int OpenExclusive = 0x80;
    public const int OpenCloseOnExec = 0x80000;

    public const int LockExclusiveNow = 2 | 4; // LOCK_EX | LOCK_NB

    public const int SeekData = 3;
    public const int SeekHole = 4;

    public const uint GetSectorBytes = 0x1268; // BLKSSZGET
    public const uint GetPhysicalSectorBytes = 0x127b; // BLKPBSZGET
    public const uint GetSizeBytes = 0x80081272; // BLKGETSIZE64

    private const int CurrentFolder = -100; // AT_FDCWD
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const uint BasicStatsAndDirectAlignment = 0x7ff | 0x2000; // STATX_BASIC_STATS | STATX_DIOALIGN

    /// <summary>O_DIRECT, one of the few flags that differ between architectures.</summary>
    public static int OpenDirect => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 => 0x10000,
        Architecture.Ppc64le => 0x20000,
        _ => 0x4000,
    };

    /// <summary>Describes what a path names, symbolic links followed. False: see the error number.</summary>
    public static bool TryGetStatus(string path, out FileStatus status) =>
        GetStatus(CurrentFolder, path, 0, BasicStatsAndDirectAlignment, out status) == 0;

    /// <summary>Describes what a handle has open. False: see the error number.</summary>
    public static bool TryGetStatus(SafeFileHandle handle, out FileStatus status) =>
        GetStatus(FileDescriptor(handle), "", EmptyPath, BasicStatsAndDirectAlignment, out status) == 0;

    /// <summary>Opens a path. The handle is invalid on failure: see the error number.</summary>
    public static SafeFileHandle Open(string path, int flags) => new(OpenPath(path, flags, 0), ownsHandle: true);

    /// <summary>Takes a lock on the open file; gone when the handle closes.</summary>
    public static bool TryLock(SafeFileHandle handle, int operation) => Lock(handle, operation) == 0;

    /// <summary>Where data or a hole begins, or negative: see the error number.</summary>
    public static long Seek(SafeFileHandle handle, long offsetBytes, int whence) =>
        SeekTo(handle, offsetBytes, whence);

    /// <summary>Asks a block device for a number. False: see the error number.</summary>
    public static bool TryControl(SafeFileHandle handle, uint request, out long value)
    {
        // Some requests answer with an int, some with 64 bits. All architectures .NET runs Linux on are little-endian
        // but s390x, where reading an int out of a zeroed long needs its upper half.
        long answer = 0;
        int result = Control(handle, request, &answer);
        value = BitConverter.IsLittleEndian || request == GetSizeBytes ? answer : answer >> 32;
        return result == 0;
    }

    private static int FileDescriptor(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenPath(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int GetStatus(int folder, string path, int flags, uint mask, out FileStatus status);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle handle, nuint request, void* value);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long SeekTo(SafeFileHandle handle, long offsetBytes, int whence);

    /// <summary>struct statx, as much of its 256 bytes as is of interest.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public readonly struct FileStatus
    {
        private const ushort TypeMask = 0xf000;

        [FieldOffset(28)]
        private readonly ushort _mode;

        [FieldOffset(32)]
        private readonly ulong _ino;

        [FieldOffset(40)]
        private readonly ulong _size;

        [FieldOffset(128)]
        private readonly uint _ownMajor;

        [FieldOffset(132)]
        private readonly uint _ownMinor;

        [FieldOffset(136)]
        private readonly uint _fsMajor;

        [FieldOffset(140)]
        private readonly uint _fsMinor;

        [FieldOffset(156)]
        private readonly uint _directAlignment;

        /// <summary>S_IFREG.</summary>
        public bool IsFile => (_mode & TypeMask) == 0x8000;

        /// <summary>S_IFBLK.</summary>
        public bool IsBlockDevice => (_mode & TypeMask) == 0x6000;

        /// <summary>What it is, for a sentence.</summary>
        public string KindText => (_mode & TypeMask) switch
        {
            0x4000 => "a directory",
            0x2000 => "a character device",
            0x1000 => "a named pipe",
            0xc000 => "a socket",
            _ => "neither a block device nor a file",
        };

        /// <summary>Inode number on its filesystem.</summary>
        public ulong Ino => _ino;

        /// <summary>Size of a file.</summary>
        public long SizeBytes => (long)_size;

        /// <summary>Number of the block device itself, as sysfs names it: "8:16".</summary>
        public string OwnNumber => $"{_ownMajor}:{_ownMinor}";

        /// <summary>Number of the device that holds the file, as /proc/locks writes it: "08:10".</summary>
        public string FsNumberHex => $"{_fsMajor:x2}:{_fsMinor:x2}";

        /// <summary>Alignment that unbuffered transfers of this file need; 0 when the kernel does not say.</summary>
        public long DirectAlignmentBytes => _directAlignment;
    }
}
