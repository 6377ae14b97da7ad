using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Value of an inode item in format version 2 (format §10.1); version 1 lacks the last field.</summary>
[OnDisk(168)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct InodeItem
{
    /// <summary>Bytes of the value in version 1; also accepted in version 2 (proj is 0 then).</summary>
    public const int Version1Bytes = 160;

    /// <summary>Bytes of the value in version 2.</summary>
    public const int Version2Bytes = 168;

    /// <summary>Bit of <see cref="Flags"/>: extents at or past the size must still be freed.</summary>
    public const uint FlagTruncate = 1;

    /// <summary>Bit of <see cref="Flags"/>, since version 2: contents and most attributes are immutable.</summary>
    public const uint FlagRetention = 2;

    /// <summary>Files: bytes. Symlinks: target with NUL. Directories: sum of name lengths. Others 0.</summary>
    [At(0)]
    public Le64 Size;

    /// <summary>Seq of the last transaction that changed the inode.</summary>
    [At(8)]
    public Le64 MetaSeq;

    /// <summary>Seq of the last transaction that changed contents or size.</summary>
    [At(16)]
    public Le64 DataSeq;

    /// <summary>Incremented at each change of contents; 0 for new files.</summary>
    [At(24)]
    public Le64 DataVersion;

    /// <summary>4 KiB blocks with contents on the device.</summary>
    [At(32)]
    public Le64 OnlineBlocks;

    /// <summary>4 KiB blocks whose contents are archived elsewhere.</summary>
    [At(40)]
    public Le64 OfflineBlocks;

    /// <summary>Position that the directory's next entry gets, from 2.</summary>
    [At(48)]
    public Le64 NextReaddirPos;

    /// <summary>Id that the next xattr gets, from 0.</summary>
    [At(56)]
    public Le64 NextXattrId;

    /// <summary>Counts changes of the inode.</summary>
    [At(64)]
    public Le64 Version;

    /// <summary>Directories: 2 + subdirectories. Others: entries. 0: unlinked, an orphan item exists.</summary>
    [At(72)]
    public Le32 Nlink;

    /// <summary>Owner.</summary>
    [At(76)]
    public Le32 Uid;

    /// <summary>Group.</summary>
    [At(80)]
    public Le32 Gid;

    /// <summary>POSIX type and permission bits, see <see cref="FileMode"/>.</summary>
    [At(84)]
    public Le32 Mode;

    /// <summary>Device number: major &lt;&lt; 20 | minor.</summary>
    [At(88)]
    public Le32 Rdev;

    /// <summary>Bits <see cref="FlagTruncate"/>, <see cref="FlagRetention"/>.</summary>
    [At(92)]
    public Le32 Flags;

    /// <summary>Last access.</summary>
    [At(96)]
    public Timespec Atime;

    /// <summary>Last change of the inode.</summary>
    [At(112)]
    public Timespec Ctime;

    /// <summary>Last change of contents.</summary>
    [At(128)]
    public Timespec Mtime;

    /// <summary>Creation.</summary>
    [At(144)]
    public Timespec Crtime;

    /// <summary>Project id, since version 2.</summary>
    [At(160)]
    public Le64 Proj;
}

/// <summary>POSIX file type bits of <see cref="InodeItem.Mode"/>.</summary>
public static class FileMode
{
    /// <summary>Mask of the type bits.</summary>
    public const uint TypeMask = 0xf000;

    /// <summary>Mask of permission, set-id and sticky bits.</summary>
    public const uint PermissionMask = 0xfff;

    /// <summary>Fifo.</summary>
    public const uint Fifo = 0x1000;

    /// <summary>Character device.</summary>
    public const uint CharDevice = 0x2000;

    /// <summary>Directory.</summary>
    public const uint Directory = 0x4000;

    /// <summary>Block device.</summary>
    public const uint BlockDevice = 0x6000;

    /// <summary>Regular file.</summary>
    public const uint Regular = 0x8000;

    /// <summary>Symbolic link.</summary>
    public const uint Symlink = 0xa000;

    /// <summary>Socket.</summary>
    public const uint Socket = 0xc000;
}

/// <summary>Type of a directory entry; values are on disk, never renumber (format §10.2).</summary>
public enum DirentType : byte
{
    /// <summary>Fifo.</summary>
    Fifo = 0,

    /// <summary>Character device.</summary>
    CharDevice = 1,

    /// <summary>Directory.</summary>
    Directory = 2,

    /// <summary>Block device.</summary>
    BlockDevice = 3,

    /// <summary>Regular file.</summary>
    Regular = 4,

    /// <summary>Symbolic link.</summary>
    Symlink = 5,

    /// <summary>Socket.</summary>
    Socket = 6,

    /// <summary>Unused.</summary>
    Whiteout = 7,
}

/// <summary>Fixed part of a directory entry's value; the name of 1..255 bytes follows (format §10.2).</summary>
[OnDisk(32)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct DirentHeader
{
    /// <summary>Target.</summary>
    [At(0)]
    public Le64 Ino;

    /// <summary>Hash of the name (format §11.2).</summary>
    [At(8)]
    public Le64 Hash;

    /// <summary>Position in the directory, from 2, never reused.</summary>
    [At(16)]
    public Le64 Pos;

    /// <summary>One of <see cref="DirentType"/>.</summary>
    [At(24)]
    public byte Type;

    /// <summary>Zero.</summary>
    [At(25)]
    public Pad7 Pad;
}

/// <summary>Start of an xattr's first part; name and value follow (format §10.5).</summary>
[OnDisk(8)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct XattrHeader
{
    /// <summary>Length of the value in bytes, 0..65535.</summary>
    [At(0)]
    public Le16 ValLen;

    /// <summary>Length of the name in bytes, 1..255.</summary>
    [At(2)]
    public byte NameLen;

    /// <summary>Zero.</summary>
    [At(3)]
    public Pad5 Pad;
}

/// <summary>Value of a data extent item (format §10.6).</summary>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct DataExtentItem
{
    /// <summary>Bit of <see cref="Flags"/>: contents are archived elsewhere.</summary>
    public const byte FlagOffline = 1;

    /// <summary>Bit of <see cref="Flags"/>: allocated, reads as zeros.</summary>
    public const byte FlagUnwritten = 2;

    /// <summary>Data blkno of the first block, 0: none.</summary>
    [At(0)]
    public Le64 Blkno;

    /// <summary>Bits <see cref="FlagOffline"/>, <see cref="FlagUnwritten"/>.</summary>
    [At(8)]
    public byte Flags;

    /// <summary>Zero.</summary>
    [At(9)]
    public Pad7 Pad;
}

/// <summary>Value of a totals item, and of its deltas in log trees (format §10.9), modulo 2^64.</summary>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct XattrTotalItem
{
    /// <summary>Sum of the xattrs' values.</summary>
    [At(0)]
    public Le64 Total;

    /// <summary>Number of xattrs.</summary>
    [At(8)]
    public Le64 Count;
}

/// <summary>Three 64 bit values of a quota rule's name.</summary>
[InlineArray(3)]
public struct QuotaNameValues
{
    private Le64 _element0;
}

/// <summary>A quota rule (format §10.11).</summary>
[OnDisk(48, Since = 2)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct QuotaRuleItem
{
    /// <summary>Literal values, or values to select.</summary>
    [At(0)]
    public QuotaNameValues NameVal;

    /// <summary>Operation fails at this total or count.</summary>
    [At(24)]
    public Le64 Limit;

    /// <summary>Greater wins.</summary>
    [At(32)]
    public byte Prio;

    /// <summary>0: inode creation, 1: data allocation.</summary>
    [At(33)]
    public byte Op;

    /// <summary>1: compare the count.</summary>
    [At(34)]
    public byte RuleFlags;

    /// <summary>0 literal, 1 project id, 2 uid, 3 gid.</summary>
    [At(35)]
    public Pad3 NameSource;

    /// <summary>1: select.</summary>
    [At(38)]
    public Pad3 NameFlags;

    /// <summary>Zero.</summary>
    [At(41)]
    public Pad7 Pad;
}
