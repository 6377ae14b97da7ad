using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Status of the running log merge (format §13.2), zone 44.</summary>
[OnDisk(56)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LogMergeStatus
{
    /// <summary>Where the next range is looked for.</summary>
    [At(0)]
    public ItemKey NextRangeKey;

    /// <summary>Request items.</summary>
    [At(32)]
    public Le64 NrRequests;

    /// <summary>At least the number of completion items.</summary>
    [At(40)]
    public Le64 NrComplete;

    /// <summary>Inputs are the finalized log trees with a smaller finalize_seq.</summary>
    [At(48)]
    public Le64 Seq;
}

/// <summary>Part of the key space that the merge has yet to do (format §13.2), zone 48.</summary>
[OnDisk(64)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LogMergeRange
{
    /// <summary>First key.</summary>
    [At(0)]
    public ItemKey Start;

    /// <summary>Last key, inclusive.</summary>
    [At(32)]
    public ItemKey End;
}

/// <summary>A merge request handed to a client (format §13.2), zone 52, key (rid, seq).</summary>
[OnDisk(208)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LogMergeRequest
{
    /// <summary>Bit of <see cref="Flags"/>: root is a subtree of fs_root of height 2.</summary>
    public const ulong FlagSubtree = 1;

    /// <summary>Blocks to allocate from.</summary>
    [At(0)]
    public AllocListHead MetaAvail;

    /// <summary>Blocks freed.</summary>
    [At(32)]
    public AllocListHead MetaFreed;

    /// <summary>Snapshot reference through which inputs are read.</summary>
    [At(64)]
    public BtreeRoot LogsRoot;

    /// <summary>Destination.</summary>
    [At(88)]
    public BtreeRoot Root;

    /// <summary>First key to merge.</summary>
    [At(112)]
    public ItemKey Start;

    /// <summary>Last key to merge, inclusive.</summary>
    [At(144)]
    public ItemKey End;

    /// <summary>Seq of the status item.</summary>
    [At(176)]
    public Le64 InputSeq;

    /// <summary>Client, as in the key.</summary>
    [At(184)]
    public Le64 Rid;

    /// <summary>Request's seq, as in the key.</summary>
    [At(192)]
    public Le64 Seq;

    /// <summary>Bit 0: <see cref="FlagSubtree"/>.</summary>
    [At(200)]
    public Le64 Flags;
}

/// <summary>A finished merge request (format §13.2), zone 56, key (seq).</summary>
/// <remarks>Not yet spliced into fs_root while a list has blocks; then its root shares blocks with fs_root.</remarks>
[OnDisk(208)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LogMergeComplete
{
    /// <summary>Bit of <see cref="Flags"/>, only in messages: the worker failed.</summary>
    public const ulong FlagError = 1;

    /// <summary>Bit of <see cref="Flags"/>: the range from Remain to End was not merged.</summary>
    public const ulong FlagRemain = 2;

    /// <summary>Unused blocks.</summary>
    [At(0)]
    public AllocListHead MetaAvail;

    /// <summary>Replaced blocks.</summary>
    [At(32)]
    public AllocListHead MetaFreed;

    /// <summary>Result.</summary>
    [At(64)]
    public BtreeRoot Root;

    /// <summary>First key of the request.</summary>
    [At(88)]
    public ItemKey Start;

    /// <summary>Last key of the request, inclusive.</summary>
    [At(120)]
    public ItemKey End;

    /// <summary>First key that was not merged, with <see cref="FlagRemain"/>.</summary>
    [At(152)]
    public ItemKey Remain;

    /// <summary>Client.</summary>
    [At(184)]
    public Le64 Rid;

    /// <summary>Request's seq, as in the key.</summary>
    [At(192)]
    public Le64 Seq;

    /// <summary>Bits <see cref="FlagError"/> and <see cref="FlagRemain"/>.</summary>
    [At(200)]
    public Le64 Flags;

    /// <summary>True once the result has been put in place in fs_root.</summary>
    public readonly bool IsSpliced => MetaAvail.Ref.IsNone && MetaFreed.Ref.IsNone;
}

/// <summary>A merged log tree whose blocks are being freed (format §13.2), zone 60, key (seq).</summary>
[OnDisk(64)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LogMergeFreeing
{
    /// <summary>The tree.</summary>
    [At(0)]
    public BtreeRoot Root;

    /// <summary>Progress: children whose key is smaller are freed with everything below.</summary>
    [At(24)]
    public ItemKey Key;

    /// <summary>Seq, as in the key.</summary>
    [At(56)]
    public Le64 Seq;
}
