using System;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>What a mount does when nobody uses it.</summary>
internal sealed class IdleMountTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    // Engine §14 no. 75: agents and the leader wait for old transactions to end.
    [Test]
    public void CommittedSeq_OfAnIdleMount_GoesOn()
    {
        var world = new SimNode(4, new MountOptions());
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            var (_, ino, created) = await world.Node.Fs.CreateAsync(
                1, "f"u8.ToArray(), FileMode.Regular | 0x1a4, 0, default, default, None);
            Assert.That(ino, Is.Not.Zero);
            ulong before = await CommittedAsync(world);
            Assert.That(before, Is.LessThan(created.MetaSeq.Value));
            for (int i = 0; i < 4; i++)
            {
                await world.WaitAsync(TimeSpan.FromSeconds(15));
                ulong after = await CommittedAsync(world);
                Assert.That(after, Is.GreaterThan(before));
                before = after;
            }

            Assert.That(before, Is.GreaterThanOrEqualTo(created.MetaSeq.Value));
            await world.UnmountAsync();
        });
    }

    private static async Task<ulong> CommittedAsync(SimNode world)
    {
        var (error, seq) = await world.Node.Fs.GetCommittedSeqAsync(None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return seq;
    }
}
