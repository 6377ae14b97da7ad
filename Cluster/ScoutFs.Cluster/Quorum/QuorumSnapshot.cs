using System;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cluster.Quorum;

/// <summary>A leader as its slot's quorum block shows it.</summary>
/// <param name="Slot">Where it was elected.</param>
/// <param name="Rid">Its mount.</param>
/// <param name="Term">Its term.</param>
/// <param name="Time">Its machine's clock at that time, which may have started at the machine's boot.</param>
public readonly record struct QuorumLeader(QuorumSlot Slot, ulong Rid, ulong Term, TimeSpan Time);

/// <summary>What the quorum blocks of a volume said when they were read.</summary>
/// <param name="Slots">Configured slots with their blocks, ascending.</param>
public sealed record QuorumSnapshot(IReadOnlyList<(QuorumSlot Slot, QuorumBlock Block)> Slots)
{
    /// <summary>Greatest term of any event; 0: none yet.</summary>
    public ulong MaxTerm
    {
        get
        {
            ulong max = 0;
            foreach (var (_, block) in Slots)
            {
                for (int kind = 0; kind <= (int)QuorumEventKind.End; kind++)
                {
                    if (block.Events[kind].Rid != 0)
                        max = Math.Max(max, block.Events[kind].Term);
                }
            }

            return max;
        }
    }

    /// <summary>The leader that mounts should talk to, dead or alive (cluster §2.6).</summary>
    /// <returns>False: nobody leads.</returns>
    public bool TryFindLeader(out QuorumLeader leader)
    {
        leader = default;
        foreach (var (slot, block) in Slots)
        {
            var elect = block.Events[(int)QuorumEventKind.Elect];
            if (elect.Term > block.Events[(int)QuorumEventKind.Stop].Term && elect.Term > leader.Term)
                leader = LeaderOf(slot, elect);
        }

        return leader.Term != 0;
    }

    /// <summary>The earlier leaders that a new one must know dead before it reads the volume (cluster §2.5).</summary>
    /// <param name="rid">The new leader.</param>
    /// <param name="term">Its term.</param>
    public IReadOnlyList<QuorumLeader> FindOldLeaders(ulong rid, ulong term)
    {
        // Who recorded FENCE has fenced everybody of earlier terms.
        ulong fenced = Slots.Count == 0 ? 0 : Slots.Max(slot => Event(slot.Block, QuorumEventKind.Fence).Term.Value);
        var leaders = new List<QuorumLeader>();
        foreach (var (slot, block) in Slots)
        {
            var elect = Event(block, QuorumEventKind.Elect);
            var fence = Event(block, QuorumEventKind.Fence);
            ulong stopped = Event(block, QuorumEventKind.Stop).Term;
            if (elect.Term > stopped)
                Add(slot, elect);

            // A server whose ELECT a later mount of the slot has overwritten.
            if (fence.Term > stopped && fence.Term < elect.Term.Value)
                Add(slot, fence);
        }

        return leaders;

        void Add(QuorumSlot slot, QuorumEvent found)
        {
            bool isOld = found.Term != 0 && found.Term >= fenced && found.Term <= term;
            if (isOld && found.Rid != rid && leaders.All(leader => leader.Rid != found.Rid))
                leaders.Add(LeaderOf(slot, found));
        }
    }

    /// <summary>An event of a block.</summary>
    public static QuorumEvent Event(in QuorumBlock block, QuorumEventKind kind) => block.Events[(int)kind];

    /// <summary>The clock of an event.</summary>
    public static TimeSpan TimeOf(in QuorumEvent found) =>
        new((long)(found.Sec % ((ulong)long.MaxValue / TimeSpan.TicksPerSecond)) * TimeSpan.TicksPerSecond
            + (found.Nsec / TimeSpan.NanosecondsPerTick));

    private static QuorumLeader LeaderOf(QuorumSlot slot, in QuorumEvent found) =>
        new(slot, found.Rid, found.Term, TimeOf(found));
}
