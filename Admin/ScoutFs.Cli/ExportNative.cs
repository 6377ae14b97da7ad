using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ScoutFs.Cli;

/// <summary>Calls of the C library that .NET has no equal for: names as bytes, relative to open directories.</summary>
/// <remarks>Every call answers -1 for failure, with errno in <see cref="Marshal.GetLastPInvokeError"/>.</remarks>
internal static class ExportNative
{
    /// <summary>Open for writing only.</summary>
    public const int OpenWriteOnly = 1;

    /// <summary>Make it.</summary>
    public const int OpenCreate = 0x40;

    /// <summary>Fail if it exists.</summary>
    public const int OpenExclusive = 0x80;

    /// <summary>Close it in child processes.</summary>
    public const int OpenCloseOnExec = 0x80000;

    /// <summary>A path relative to the working directory.</summary>
    public const int AtWorkingDirectory = -100;

    /// <summary>Act on a link, not on what it leads to.</summary>
    public const int AtNoFollow = 0x100;

    /// <summary>Operation not permitted.</summary>
    public const int ErrorNotPermitted = 1;

    /// <summary>Input/output error.</summary>
    public const int ErrorIo = 5;

    /// <summary>Argument list too long, or a value.</summary>
    public const int ErrorTooBig = 7;

    /// <summary>File exists.</summary>
    public const int ErrorExists = 17;

    /// <summary>Invalid argument.</summary>
    public const int ErrorInvalid = 22;

    /// <summary>No space left on device.</summary>
    public const int ErrorNoSpace = 28;

    /// <summary>Read-only file system.</summary>
    public const int ErrorReadOnly = 30;

    /// <summary>Quota exceeded.</summary>
    public const int ErrorQuota = 122;

    private const string Library = "libc";

    /// <summary>Must be a directory. The two architectures that .NET runs on most differ here.</summary>
    public static int OpenDirectory { get; } = IsArm ? 0x4000 : 0x10000;

    /// <summary>Must not be a symbolic link.</summary>
    public static int OpenNoFollow { get; } = IsArm ? 0x8000 : 0x20000;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    /// <summary>Opens a path relative to a directory.</summary>
    [DllImport(Library, EntryPoint = "openat", SetLastError = true)]
    public static extern int OpenAt(int directory, byte[] path, int flags, uint mode);

    /// <summary>Makes a directory.</summary>
    [DllImport(Library, EntryPoint = "mkdirat", SetLastError = true)]
    public static extern int MakeDirectoryAt(SafeFileHandle directory, byte[] name, uint mode);

    /// <summary>Opens a name in a directory.</summary>
    [DllImport(Library, EntryPoint = "openat", SetLastError = true)]
    public static extern int OpenAt(SafeFileHandle directory, byte[] name, int flags, uint mode);

    /// <summary>Makes a fifo, socket or device node.</summary>
    [DllImport(Library, EntryPoint = "mknodat", SetLastError = true)]
    public static extern int MakeNodeAt(SafeFileHandle directory, byte[] name, uint mode, ulong device);

    /// <summary>Makes a symbolic link.</summary>
    [DllImport(Library, EntryPoint = "symlinkat", SetLastError = true)]
    public static extern int MakeSymlinkAt(byte[] target, SafeFileHandle directory, byte[] name);

    /// <summary>Makes another name.</summary>
    [DllImport(Library, EntryPoint = "linkat", SetLastError = true)]
    public static extern int LinkAt(
        SafeFileHandle oldDirectory, byte[] oldPath, SafeFileHandle directory, byte[] name, int flags);

    /// <summary>Removes a name.</summary>
    [DllImport(Library, EntryPoint = "unlinkat", SetLastError = true)]
    public static extern int UnlinkAt(SafeFileHandle directory, byte[] name, int flags);

    /// <summary>Sets the mode of an open node.</summary>
    [DllImport(Library, EntryPoint = "fchmod", SetLastError = true)]
    public static extern int ChangeMode(SafeFileHandle node, uint mode);

    /// <summary>Sets the mode of a name, following links: not for links.</summary>
    [DllImport(Library, EntryPoint = "fchmodat", SetLastError = true)]
    public static extern int ChangeModeAt(SafeFileHandle directory, byte[] name, uint mode, int flags);

    /// <summary>Sets the owner of an open node.</summary>
    [DllImport(Library, EntryPoint = "fchown", SetLastError = true)]
    public static extern int ChangeOwner(SafeFileHandle node, uint uid, uint gid);

    /// <summary>Sets the owner of a name.</summary>
    [DllImport(Library, EntryPoint = "fchownat", SetLastError = true)]
    public static extern int ChangeOwnerAt(SafeFileHandle directory, byte[] name, uint uid, uint gid, int flags);

    /// <summary>Sets atime and mtime of an open node.</summary>
    [DllImport(Library, EntryPoint = "futimens", SetLastError = true)]
    public static extern int SetTimes(SafeFileHandle node, NativeTime[] times);

    /// <summary>Sets atime and mtime of a name.</summary>
    [DllImport(Library, EntryPoint = "utimensat", SetLastError = true)]
    public static extern int SetTimesAt(SafeFileHandle directory, byte[] name, NativeTime[] times, int flags);

    /// <summary>Sets an extended attribute of an open node.</summary>
    [DllImport(Library, EntryPoint = "fsetxattr", SetLastError = true)]
    public static extern int SetXattr(SafeFileHandle node, byte[] name, byte[] value, nuint size, int flags);

    /// <summary>Sets an extended attribute of a path, not following a link.</summary>
    [DllImport(Library, EntryPoint = "lsetxattr", SetLastError = true)]
    public static extern int SetLinkXattr(byte[] path, byte[] name, byte[] value, nuint size, int flags);

    /// <summary>The effective user.</summary>
    [DllImport(Library, EntryPoint = "geteuid")]
    public static extern uint EffectiveUser();

    /// <summary>The effective group.</summary>
    [DllImport(Library, EntryPoint = "getegid")]
    public static extern uint EffectiveGroup();

    /// <summary>Makes another name on Windows.</summary>
    [DllImport("kernel32", EntryPoint = "CreateHardLinkW", CharSet = CharSet.Unicode, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    public static extern bool CreateHardLink(string path, string firstPath, nint zero);

    /// <summary>Tells a file system of Windows something about a file.</summary>
    [DllImport("kernel32", EntryPoint = "DeviceIoControl", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    public static extern bool ControlFile(
        SafeFileHandle file,
        uint code,
        nint input,
        int inputBytes,
        nint output,
        int outputBytes,
        out int returned,
        nint zero);

    /// <summary>A time as 64 bit systems have it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct NativeTime
    {
        /// <summary>Seconds since 1970.</summary>
        public long Seconds;

        /// <summary>Nanoseconds, 0..999 999 999.</summary>
        public long Nanoseconds;
    }
}
