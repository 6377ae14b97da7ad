using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Commands of frames between a mount and its leader; on the wire, never renumber (cluster §3.3).</summary>
public enum WireCommand : byte
{
    /// <summary>First frame of a connection.</summary>
    Greeting = 0,

    /// <summary>Asks for a range of inode numbers.</summary>
    AllocInodes = 1,

    /// <summary>Opens the mount's next transaction.</summary>
    GetLogTrees = 2,

    /// <summary>Commits the mount's open transaction.</summary>
    CommitLogTrees = 3,

    /// <summary>Leader to mount: commit soon.</summary>
    SyncLogTrees = 4,

    /// <summary>Asks for the committed roots.</summary>
    GetRoots = 5,

    /// <summary>Asks for the seq up to which everything is committed.</summary>
    GetLastSeq = 6,

    /// <summary>Mount: requests a lock. Leader: asks to give one up.</summary>
    Lock = 7,

    /// <summary>New leader to mount: asks for the locks it holds.</summary>
    LockRecover = 8,

    /// <summary>Asks for a srch compaction to do.</summary>
    SrchGetCompact = 9,

    /// <summary>Returns a srch compaction.</summary>
    SrchCommitCompact = 10,

    /// <summary>Asks for a log merge request to do.</summary>
    GetLogMerge = 11,

    /// <summary>Returns a log merge request.</summary>
    CommitLogMerge = 12,

    /// <summary>Asks which inodes of a group are in use anywhere.</summary>
    OpenInoMap = 13,

    /// <summary>Reads the volume options.</summary>
    GetVolumeOptions = 14,

    /// <summary>Sets volume options.</summary>
    SetVolumeOptions = 15,

    /// <summary>Clears volume options.</summary>
    ClearVolumeOptions = 16,

    /// <summary>Grows the volume.</summary>
    ResizeDevices = 17,

    /// <summary>Asks for free and total counts.</summary>
    StatFs = 18,

    /// <summary>Last request of a mount that leaves.</summary>
    Farewell = 19,
}

/// <summary>Header of a frame; payload of at most 1100 bytes follows (cluster §3.2).</summary>
[OnDisk(32)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FrameHeader
{
    /// <summary>Bit of <see cref="Flags"/>: answers the request of the same id.</summary>
    public const byte FlagResponse = 1;

    /// <summary>Greatest payload in bytes.</summary>
    public const int MaxPayloadBytes = 1100;

    /// <summary>Number of the frame within its direction of the session, from 1.</summary>
    [At(0)]
    public Le64 Seq;

    /// <summary>Greatest seq received so far, stamped when the frame is transmitted.</summary>
    [At(8)]
    public Le64 ReceivedSeq;

    /// <summary>Request's number at its sender, from 1; a response repeats it.</summary>
    [At(16)]
    public Le64 Id;

    /// <summary>Payload in bytes.</summary>
    [At(24)]
    public Le16 DataLen;

    /// <summary>One of <see cref="WireCommand"/>.</summary>
    [At(26)]
    public byte Command;

    /// <summary>Bit 0: <see cref="FlagResponse"/>; others zero.</summary>
    [At(27)]
    public byte Flags;

    /// <summary>0 success; 1 ENOENT, 2 ENOMEM, 3 EIO, 4 ENOSPC, 5 EINVAL, 6 ENOLINK; responses only.</summary>
    [At(28)]
    public byte Error;

    /// <summary>Zero.</summary>
    [At(29)]
    public Pad3 Pad;
}

/// <summary>Payload of a greeting and its response (cluster §3.3).</summary>
[OnDisk(40)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireGreeting
{
    /// <summary>Bit of <see cref="Flags"/>: the mount is leaving.</summary>
    public const ulong FlagFarewell = 1;

    /// <summary>Bit of <see cref="Flags"/>: the mount is a quorum member.</summary>
    public const ulong FlagQuorum = 2;

    /// <summary>Volume.</summary>
    [At(0)]
    public Le64 Fsid;

    /// <summary>Format version of the volume.</summary>
    [At(8)]
    public Le64 FormatVersion;

    /// <summary>Request: term of the leader last greeted, 0 at first. Response: the leader's own term.</summary>
    [At(16)]
    public Le64 ServerTerm;

    /// <summary>Mount.</summary>
    [At(24)]
    public Le64 Rid;

    /// <summary>Bits <see cref="FlagFarewell"/>, <see cref="FlagQuorum"/>.</summary>
    [At(32)]
    public Le64 Flags;
}

/// <summary>A lock in messages (cluster §3.3).</summary>
[OnDisk(48)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireLock
{
    /// <summary>Start of the lock's range, its name.</summary>
    [At(0)]
    public ItemKey Key;

    /// <summary>Seq of a write grant; undefined in requests.</summary>
    [At(32)]
    public Le64 WriteSeq;

    /// <summary>Mode before: 0 null, 1 read, 2 write, 3 write-only.</summary>
    [At(40)]
    public byte OldMode;

    /// <summary>Mode asked for or granted.</summary>
    [At(41)]
    public byte NewMode;

    /// <summary>Zero.</summary>
    [At(42)]
    public Pad6 Pad;
}

/// <summary>Start of an answer to LOCK_RECOVER; that many locks follow, at most 22 (cluster §7.8).</summary>
[OnDisk(8)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireLockRecover
{
    /// <summary>Most locks in one message.</summary>
    public const int MaxLocks = 22;

    /// <summary>Locks that follow; 0 ends the recovery.</summary>
    [At(0)]
    public Le16 Nr;

    /// <summary>Zero.</summary>
    [At(2)]
    public Pad6 Pad;
}

/// <summary>A range of inode numbers (cluster §5).</summary>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireInodeRange
{
    /// <summary>First number.</summary>
    [At(0)]
    public Le64 Ino;

    /// <summary>How many; 0: none are left.</summary>
    [At(8)]
    public Le64 Nr;
}

/// <summary>The committed roots that readers use (cluster §3.3).</summary>
[OnDisk(72)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireRoots
{
    /// <summary>Merged items.</summary>
    [At(0)]
    public BtreeRoot FsRoot;

    /// <summary>Log trees items.</summary>
    [At(24)]
    public BtreeRoot LogsRoot;

    /// <summary>Srch files.</summary>
    [At(48)]
    public BtreeRoot SrchRoot;
}

/// <summary>Bitmap of a group of 1024 inodes: inode n of the group is bit n%8 of byte n/8.</summary>
[InlineArray((int)FormatConstants.LockGroupSize / 8)]
public struct InoBitmap
{
    private byte _element0;
}

/// <summary>Request for, and start of, a map of the inodes in use of one group (cluster §8).</summary>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireOpenInoArgs
{
    /// <summary>Inode number divided by 1024.</summary>
    [At(0)]
    public Le64 Group;

    /// <summary>Number the leader gives the request, 0 in the mount's own.</summary>
    [At(8)]
    public Le64 RequestId;
}

/// <summary>Answer about the inodes in use of one group (cluster §8).</summary>
[OnDisk(144)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireOpenInoMap
{
    /// <summary>What was asked.</summary>
    [At(0)]
    public WireOpenInoArgs Args;

    /// <summary>One bit an inode.</summary>
    [At(16)]
    public InoBitmap Bits;
}

/// <summary>New sizes of the devices (cluster §5).</summary>
[OnDisk(16)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireResize
{
    /// <summary>64 KiB blocks of the metadata device, 0 or the present value: unchanged.</summary>
    [At(0)]
    public Le64 TotalMetaBlocks;

    /// <summary>4 KiB blocks of the data device, 0 or the present value: unchanged.</summary>
    [At(8)]
    public Le64 TotalDataBlocks;
}

/// <summary>Free and total counts of the last committed state (cluster §3.3).</summary>
[OnDisk(56)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WireStatFs
{
    /// <summary>The volume's uuid.</summary>
    [At(0)]
    public UuidBytes Uuid;

    /// <summary>Free 64 KiB blocks.</summary>
    [At(16)]
    public Le64 FreeMetaBlocks;

    /// <summary>All 64 KiB blocks.</summary>
    [At(24)]
    public Le64 TotalMetaBlocks;

    /// <summary>Free 4 KiB blocks.</summary>
    [At(32)]
    public Le64 FreeDataBlocks;

    /// <summary>All 4 KiB blocks.</summary>
    [At(40)]
    public Le64 TotalDataBlocks;

    /// <summary>Inodes in use.</summary>
    [At(48)]
    public Le64 InodeCount;
}
