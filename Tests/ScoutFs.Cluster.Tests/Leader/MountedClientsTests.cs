using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Who may leave when, and what a leader remembers of mounts.</summary>
internal sealed class MountedClientsTests
{
    [Test]
    public async Task Farewell_OfNoMember_IsAnsweredAtOnce()
    {
        await using var world = await LeaderWorld.CreateAsync(members: 3);
        var mount = await world.MountAsync(1);
        await mount.RunAsync(world.Leader, 10, 0);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(await world.Leader.FarewellAsync(1, CancellationToken.None), Is.EqualTo(FsError.None));
        Assert.That(world.Leader.Commit.Stable.Clients, Is.Empty);
        Assert.That(world.LastLog(1).IsFinalized, Is.True);
        Assert.That(
            await world.Leader.FarewellAsync(1, CancellationToken.None), Is.EqualTo(FsError.None), "done before");
        await world.CheckAsync();
    }

    [Test]
    public async Task Farewell_OfTheOnlyMember_WaitsForEverybodyElse()
    {
        await using var world = await LeaderWorld.CreateAsync(members: 1);
        _ = await world.MountAsync(1, isMember: true);
        _ = await world.MountAsync(2);
        var first = world.Leader.FarewellAsync(1, CancellationToken.None).AsTask();
        var again = world.Leader.FarewellAsync(1, CancellationToken.None).AsTask();
        Assert.That(first.IsCompleted || again.IsCompleted, Is.False);
        Assert.That(await world.Leader.FarewellAsync(2, CancellationToken.None), Is.EqualTo(FsError.None));
        Assert.That(await first, Is.EqualTo(FsError.None));
        Assert.That(await again, Is.EqualTo(FsError.None));
        Assert.That(world.Leader.Commit.Stable.Clients, Is.Empty);
    }

    [Test]
    public async Task Farewells_OfThreeMembers_LastTwoLeaveTogether()
    {
        await using var world = await LeaderWorld.CreateAsync(members: 3);
        for (ulong rid = 1; rid <= 3; rid++)
            _ = await world.MountAsync(rid, isMember: true);
        Assert.That(await world.Leader.FarewellAsync(1, CancellationToken.None), Is.EqualTo(FsError.None));
        var second = world.Leader.FarewellAsync(2, CancellationToken.None).AsTask();
        Assert.That(second.IsCompleted, Is.False);
        var third = world.Leader.FarewellAsync(3, CancellationToken.None).AsTask();
        Assert.That(await Task.WhenAll(second, third), Is.All.EqualTo(FsError.None));
    }

    [Test]
    public async Task Farewell_WhenItsConnectionEnds_IsForgotten()
    {
        await using var world = await LeaderWorld.CreateAsync(members: 1);
        _ = await world.MountAsync(1, isMember: true);
        _ = await world.MountAsync(2);
        using var source = new CancellationTokenSource();
        var first = world.Leader.FarewellAsync(1, source.Token).AsTask();
        await source.CancelAsync();
        Assert.That(await first, Is.EqualTo(FsError.Cancelled));
        Assert.That(await world.Leader.FarewellAsync(2, CancellationToken.None), Is.EqualTo(FsError.None));
        Assert.That(world.Leader.Commit.Stable.Clients.Keys, Is.EqualTo(new ulong[] { 1 }));
    }

    [Test]
    public async Task Farewell_BeforeItsLocksAreKnown_Waits()
    {
        await using var world = await LeaderWorld.CreateAsync();
        _ = await world.MountAsync(1);
        await world.RestartAsync(locksRecovered: false);
        var farewell = world.Leader.FarewellAsync(1, CancellationToken.None).AsTask();
        Assert.That(farewell.IsCompleted, Is.False);
        world.Leader.OnLocksRecovered(1);
        Assert.That(await farewell, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Farewell_WhenTheLeaderStops_IsAnsweredIsolated()
    {
        await using var world = await LeaderWorld.CreateAsync(members: 1);
        _ = await world.MountAsync(1, isMember: true);
        _ = await world.MountAsync(2);
        var farewell = world.Leader.FarewellAsync(1, CancellationToken.None).AsTask();
        await world.StopAsync();
        Assert.That(await farewell, Is.EqualTo(FsError.Isolated));
    }

    [Test]
    public async Task Recognise_OfAReclaimedMount_Refuses()
    {
        await using var world = await LeaderWorld.CreateAsync();
        _ = await world.MountAsync(1);
        Assert.That(world.Leader.TryRecognise(1), Is.True);
        Assert.That(await world.Leader.ReclaimAsync(1), Is.EqualTo(FsError.None));
        Assert.That(world.Leader.TryRecognise(1), Is.False);
        Assert.That(world.Calls, Is.EqualTo(new List<string> { "locks 1", "map 1" }));
    }

    [Test]
    public async Task Start_WithMountsOfAnotherLeader_ExpectsThem()
    {
        await using var world = await LeaderWorld.CreateAsync();
        _ = await world.MountAsync(7);
        _ = await world.MountAsync(5);
        await world.RestartAsync(locksRecovered: false);
        var recovery = world.Leader.Recovery;
        Assert.That(recovery.PendingRids, Is.EqualTo(new ulong[] { 5, 7 }));
        Assert.That(recovery.Greeted.IsCompleted, Is.True, "the world greets at once");
        Assert.That(recovery.LocksRecovered.IsCompleted, Is.False);
        world.Leader.OnLocksRecovered(5);
        Assert.That(await world.Leader.ReclaimAsync(7), Is.EqualTo(FsError.None));
        Assert.That(recovery.LocksRecovered.IsCompleted, Is.True);
        Assert.That(recovery.PendingRids.Any(), Is.False);
    }
}
