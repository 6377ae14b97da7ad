using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Events of a quorum block, by index; values are on disk, never renumber (format §5).</summary>
public enum QuorumEventKind
{
    /// <summary>The quorum service of a mount started on the slot.</summary>
    Begin = 0,

    /// <summary>The member's persistent election term changed.</summary>
    Term = 1,

    /// <summary>The member won the election of its term; its server has not started yet.</summary>
    Elect = 2,

    /// <summary>Its server is up and every earlier leader has been fenced.</summary>
    Fence = 3,

    /// <summary>Its server of the term has stopped.</summary>
    Stop = 4,

    /// <summary>The quorum service ended cleanly.</summary>
    End = 5,
}

/// <summary>One event of a quorum block (format §5).</summary>
[OnDisk(40)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct QuorumEvent
{
    /// <summary>The block's write_nr when this event was written; 0: never.</summary>
    [At(0)]
    public Le64 WriteNr;

    /// <summary>Mount that wrote it.</summary>
    [At(8)]
    public Le64 Rid;

    /// <summary>Election term.</summary>
    [At(16)]
    public Le64 Term;

    /// <summary>Writer's clock, seconds; informational.</summary>
    [At(24)]
    public Le64 Sec;

    /// <summary>Writer's clock, nanoseconds.</summary>
    [At(32)]
    public Le32 Nsec;

    /// <summary>Zero.</summary>
    [At(36)]
    public Le32 Pad;
}

/// <summary>The six events, indexed by <see cref="QuorumEventKind"/>.</summary>
[InlineArray(6)]
public struct QuorumEventArray
{
    private QuorumEvent _element0;
}

/// <summary>Quorum block: the first 280 bytes of small block 17 + slot, then zeros (format §5).</summary>
/// <remarks>Only the mount that runs on a slot writes that slot's block.</remarks>
[OnDisk(280)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct QuorumBlock
{
    /// <summary>Block header, magic <see cref="BlockMagic.Quorum"/>, seq stays 1.</summary>
    [At(0)]
    public BlockHeader Header;

    /// <summary>Number of event writes to this block.</summary>
    [At(32)]
    public Le64 WriteNr;

    /// <summary>Last event of each kind.</summary>
    [At(40)]
    public QuorumEventArray Events;
}
