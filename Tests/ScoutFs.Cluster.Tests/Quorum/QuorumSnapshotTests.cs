using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cluster.Tests.Quorum;

/// <summary>Who leads, and who must be fenced (cluster §§2.5, 2.6).</summary>
internal sealed class QuorumSnapshotTests
{
    [Test]
    public void TryFindLeader_SeveralRecords_IsTheGreatestTermThatHasNotStopped()
    {
        var snapshot = Snapshot(Block(elect: (1, 5), stop: (1, 5)), Block(elect: (2, 4)), Block(elect: (3, 3)));
        Assert.That(snapshot.TryFindLeader(out var leader), Is.True);
        Assert.That((leader.Rid, leader.Term, leader.Slot.Nr), Is.EqualTo((2UL, 4UL, 1)));
        Assert.That(snapshot.MaxTerm, Is.EqualTo(5));
        Assert.That(Snapshot(Block(elect: (1, 5), stop: (1, 5))).TryFindLeader(out _), Is.False);
    }

    [Test]
    public void FindOldLeaders_AfterACleanStop_IsEmpty() =>
        Assert.That(Old(Block(elect: (1, 5), fence: (1, 5), stop: (1, 5))), Is.Empty);

    [Test]
    public void FindOldLeaders_BeforeAFenceOfALaterTerm_AreDone()
    {
        Assert.That(
            Old(Block(elect: (1, 3), fence: (1, 3)), Block(elect: (2, 6), fence: (2, 6))),
            Is.EqualTo(new ulong[] { 2 }));

        // The later leader was elected but never served: both may live.
        Assert.That(
            Old(Block(elect: (1, 3), fence: (1, 3)), Block(elect: (2, 6))), Is.EqualTo(new ulong[] { 1, 2 }));
    }

    [Test]
    public void FindOldLeaders_ElectOverwrittenByALaterMount_AreKnownByTheirFence() =>
        Assert.That(
            Old(Block(elect: (2, 6), fence: (1, 3), stop: (9, 2))), Is.EqualTo(new ulong[] { 2, 1 }));

    [Test]
    public void FindOldLeaders_OwnAndLaterRecords_AreLeftOut()
    {
        var snapshot = Snapshot(Block(elect: (1, 5)), Block(elect: (2, 9)));
        Assert.That(snapshot.FindOldLeaders(rid: 1, term: 7), Is.Empty);
    }

    private static IEnumerable<ulong> Old(params QuorumBlock[] blocks) =>
        Snapshot(blocks).FindOldLeaders(rid: 77, term: 100).Select(leader => leader.Rid);

    private static QuorumSnapshot Snapshot(params QuorumBlock[] blocks) =>
        new([.. blocks.Select((block, slot) => (new QuorumSlot(slot, 1, 1), block))]);

    private static QuorumBlock Block(
        (ulong Rid, ulong Term) elect = default,
        (ulong Rid, ulong Term) fence = default,
        (ulong Rid, ulong Term) stop = default)
    {
        var block = new QuorumBlock();
        block.Events[(int)QuorumEventKind.Elect] = new QuorumEvent { Rid = elect.Rid, Term = elect.Term };
        block.Events[(int)QuorumEventKind.Fence] = new QuorumEvent { Rid = fence.Rid, Term = fence.Term };
        block.Events[(int)QuorumEventKind.Stop] = new QuorumEvent { Rid = stop.Rid, Term = stop.Term };
        return block;
    }
}
