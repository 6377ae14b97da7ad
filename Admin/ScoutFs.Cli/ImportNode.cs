using ScoutFs.Volume.Format;

namespace ScoutFs.Cli;

/// <summary>What the tree says about a file, directory or link.</summary>
/// <param name="Mode">Type and permissions.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="Nlink">Names it has.</param>
/// <param name="Rdev">Device number of a device, as volumes store it.</param>
/// <param name="SizeBytes">Size.</param>
/// <param name="MayHaveHoles">Less is stored than the size says.</param>
/// <param name="Atime">Last access.</param>
/// <param name="Mtime">Last change of contents.</param>
/// <param name="Id">Identity, the same for all names of one file.</param>
internal readonly record struct ImportNode(
    uint Mode,
    uint Uid,
    uint Gid,
    uint Nlink,
    uint Rdev,
    ulong SizeBytes,
    bool MayHaveHoles,
    Timespec Atime,
    Timespec Mtime,
    ImportId Id)
{
    /// <summary>Type bits of the mode.</summary>
    public uint Type => Mode & FileMode.TypeMask;

    /// <summary>Permission bits of the mode.</summary>
    public uint Permissions => Mode & FileMode.PermissionMask;
}

/// <summary>Identity of a file on this machine.</summary>
internal readonly record struct ImportId(ulong Device, ulong Ino);

/// <summary>An extended attribute of the tree; no value: it could not be read, for that reason.</summary>
internal readonly record struct ImportXattr(byte[] Name, byte[]? Value, string Fault);
