using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Format;

namespace ScoutFs.Cli;

/// <summary>Calls of Linux to read trees as they are: names as bytes, times in nanoseconds, holes.</summary>
/// <remarks>
/// Every call answers negative (a directory stream: zero) for failure, with errno in
/// <see cref="Marshal.GetLastPInvokeError"/>. Structures are those of the kernel's ABI for 64 bits.
/// </remarks>
internal static class ImportNative
{
    /// <summary>Open without a change of the time of the last access; the owner's and root's.</summary>
    public const int OpenNoAccessTime = 0x40000;

    /// <summary>Do not wait for the other end of a fifo.</summary>
    public const int OpenNonBlocking = 0x800;

    /// <summary>The handle itself, with an empty path.</summary>
    public const int AtEmptyPath = 0x1000;

    /// <summary>All that stat knows.</summary>
    public const uint BasicStatus = 0x7ff;

    /// <summary>Find the next data.</summary>
    public const int SeekData = 3;

    /// <summary>Find the next hole.</summary>
    public const int SeekHole = 4;

    /// <summary>No such device or address: no data follows.</summary>
    public const int ErrorNoAddress = 6;

    /// <summary>The buffer is too small.</summary>
    public const int ErrorRange = 34;

    /// <summary>No such attribute.</summary>
    public const int ErrorNoData = 61;

    /// <summary>Not supported here.</summary>
    public const int ErrorNotSupported = 95;

    /// <summary>Place of the name in an entry of a directory stream.</summary>
    public const int EntryNameOffset = 19;

    private const string Library = "libc";

    /// <summary>Describes what a path relative to a directory names.</summary>
    [DllImport(Library, EntryPoint = "statx", SetLastError = true)]
    public static extern int GetStatus(
        SafeFileHandle directory, byte[] path, int flags, uint mask, out Status status);

    /// <summary>Reads a symbolic link.</summary>
    [DllImport(Library, EntryPoint = "readlinkat", SetLastError = true)]
    public static extern nint ReadLinkAt(SafeFileHandle directory, byte[] name, byte[] target, nint length);

    /// <summary>Makes a stream of entries of an open directory, which it takes over.</summary>
    [DllImport(Library, EntryPoint = "fdopendir", SetLastError = true)]
    public static extern nint OpenStream(int directory);

    /// <summary>The next entry; zero at the end, too.</summary>
    [DllImport(Library, EntryPoint = "readdir", SetLastError = true)]
    public static extern nint ReadStream(nint stream);

    /// <summary>Closes a stream and its directory.</summary>
    [DllImport(Library, EntryPoint = "closedir", SetLastError = true)]
    public static extern int CloseStream(nint stream);

    /// <summary>Moves in an open file.</summary>
    [DllImport(Library, EntryPoint = "lseek", SetLastError = true)]
    public static extern long Seek(SafeFileHandle file, long offset, int whence);

    /// <summary>Lists names of extended attributes of an open node.</summary>
    [DllImport(Library, EntryPoint = "flistxattr", SetLastError = true)]
    public static extern nint ListXattrs(SafeFileHandle node, byte[] list, nint size);

    /// <summary>Lists names of extended attributes of a path, not following a link.</summary>
    [DllImport(Library, EntryPoint = "llistxattr", SetLastError = true)]
    public static extern nint ListLinkXattrs(byte[] path, byte[] list, nint size);

    /// <summary>Reads an extended attribute of an open node.</summary>
    [DllImport(Library, EntryPoint = "fgetxattr", SetLastError = true)]
    public static extern nint GetXattr(SafeFileHandle node, byte[] name, byte[] value, nint size);

    /// <summary>Reads an extended attribute of a path, not following a link.</summary>
    [DllImport(Library, EntryPoint = "lgetxattr", SetLastError = true)]
    public static extern nint GetLinkXattr(byte[] path, byte[] name, byte[] value, nint size);

    /// <summary>struct statx, as much of its 256 bytes as is of interest.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct Status
    {
        [FieldOffset(16)]
        public uint Nlink;

        [FieldOffset(20)]
        public uint Uid;

        [FieldOffset(24)]
        public uint Gid;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Ino;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(48)]
        public ulong Blocks;

        [FieldOffset(64)]
        public Time Atime;

        [FieldOffset(112)]
        public Time Mtime;

        [FieldOffset(128)]
        public uint OwnMajor;

        [FieldOffset(132)]
        public uint OwnMinor;

        [FieldOffset(136)]
        public uint FsMajor;

        [FieldOffset(140)]
        public uint FsMinor;
    }

    /// <summary>struct statx_timestamp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Time
    {
        public long Seconds;

        public uint Nanoseconds;

        private readonly int _reserved;

        /// <summary>As volumes store it.</summary>
        public readonly Timespec ToTimespec() => new() { Sec = Seconds, Nsec = Nanoseconds };
    }
}
