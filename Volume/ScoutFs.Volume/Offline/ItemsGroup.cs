using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>The inode whose items are passing by, as far as they have.</summary>
internal sealed class ItemsGroup
{
    /// <summary>The inode item; what its value was too short for is zero. Valid if <see cref="IsReadable"/>.</summary>
    public InodeItem Inode;

    /// <summary>The inode number.</summary>
    public ulong Ino { get; private set; }

    /// <summary>An inode item was there.</summary>
    public bool HasInode { get; set; }

    /// <summary>Its value was long enough for all fields.</summary>
    public bool IsReadable { get; set; }

    /// <summary>Items other than the inode item.</summary>
    public ulong AttachedItems { get; set; }

    /// <summary>Type bits of the mode.</summary>
    public uint TypeBits => Inode.Mode & FileMode.TypeMask;

    /// <summary>The mode is one of the seven types of files.</summary>
    public bool HasKnownType => TypeOf(TypeBits) <= (byte)DirentType.Socket;

    /// <summary>Unlinked, and being deleted item by item.</summary>
    public bool IsUnlinked => IsReadable && Inode.Nlink == 0;

    /// <summary>Name of the inode in findings.</summary>
    public string Structure => $"inode {Ino}";

    /// <summary>Starts with another inode.</summary>
    public void Begin(ulong ino)
    {
        Ino = ino;
        HasInode = false;
        IsReadable = false;
        AttachedItems = 0;
    }

    /// <summary>The type in a directory entry that goes with type bits of a mode (format §10.2).</summary>
    /// <returns>One of <see cref="DirentType"/>, or 255 for no type.</returns>
    public static byte TypeOf(uint typeBits) => typeBits switch
    {
        FileMode.Fifo => (byte)DirentType.Fifo,
        FileMode.CharDevice => (byte)DirentType.CharDevice,
        FileMode.Directory => (byte)DirentType.Directory,
        FileMode.BlockDevice => (byte)DirentType.BlockDevice,
        FileMode.Regular => (byte)DirentType.Regular,
        FileMode.Symlink => (byte)DirentType.Symlink,
        FileMode.Socket => (byte)DirentType.Socket,
        _ => byte.MaxValue,
    };

    /// <summary>A type of a directory entry for people.</summary>
    public static string NameOfType(byte type) => type switch
    {
        (byte)DirentType.Fifo => "fifo",
        (byte)DirentType.CharDevice => "character device",
        (byte)DirentType.Directory => "directory",
        (byte)DirentType.BlockDevice => "block device",
        (byte)DirentType.Regular => "regular file",
        (byte)DirentType.Symlink => "symbolic link",
        (byte)DirentType.Socket => "socket",
        _ => $"unknown type {type}",
    };
}
