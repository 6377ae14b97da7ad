using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Requests of mounts, one after the other, and their repetition after the leader was lost.</summary>
internal sealed class LeaderServerTests
{
    private const ulong Rid = 0x1111;

    [Test]
    public async Task Start_OnANewVolume_ContinuesItsSeq()
    {
        await using var world = await LeaderWorld.CreateAsync();
        Assert.That(world.Leader.Super.Seq.Value, Is.EqualTo(1));
        Assert.That(world.Leader.NextSeq(), Is.EqualTo(2));
        await world.CheckAsync();
    }

    [Test]
    public async Task Greeting_OfANewMount_IsDurableAndIdempotent()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid, isMember: true);
        await world.RestartAsync();
        Assert.That(world.Leader.Commit.Stable.Clients.Keys, Is.EqualTo(new[] { Rid }));
        Assert.That(world.Leader.Commit.Stable.Clients[Rid].Flags, Is.EqualTo(MountedClient.FlagQuorum));
        ulong writes = world.Leader.Super.Header.Seq;
        await mount.GreetAsync(world.Leader, isMember: true);
        Assert.That(world.Leader.Super.Header.Seq.Value, Is.EqualTo(writes), "nothing to write");
        await world.CheckAsync();
    }

    [Test]
    public async Task FirstTransaction_OfAVolume_HasTheSeqsAndListsOfTheReference()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.GetTransSeq.Value, Is.EqualTo(2));
        Assert.That(mount.Log.CommitTransSeq.Value, Is.Zero);
        Assert.That(mount.Log.Nr.Value, Is.EqualTo(1));
        Assert.That(mount.Log.MetaAvail.TotalNr.Value, Is.EqualTo(8185));
        Assert.That(mount.Log.MetaAvail.Flags.Value, Is.Zero);
        Assert.That(mount.Log.DataAvail.TotalLen.Value, Is.EqualTo(1_048_576));
        Assert.That(mount.Log.DataAvail.Flags.Value, Is.Zero);
        await world.CheckAsync();
    }

    [Test]
    public async Task GetLogTrees_Repeated_AnswersWithTheOpenTransaction([Values] bool restart)
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 10, 0);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        var first = mount.Log;
        if (restart)
            await world.RestartAsync();
        ulong writes = world.Leader.Super.Header.Seq;
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(Disk.Bytes(in mount.Log).ToArray(), Is.EqualTo(Disk.Bytes(in first).ToArray()));
        Assert.That(world.Leader.Super.Header.Seq.Value, Is.EqualTo(writes), "nothing to write");
        await world.CheckAsync();
    }

    [Test]
    public async Task CommitLogTrees_Repeated_SucceedsWithoutEffect([Values] bool restart)
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 10, 0);
        if (restart)
            await world.RestartAsync();
        ulong writes = world.Leader.Super.Header.Seq;
        Assert.That(
            await world.Leader.CommitLogTreesAsync(Rid, mount.LastSent, CancellationToken.None),
            Is.EqualTo(FsError.None));
        Assert.That(world.Leader.Super.Header.Seq.Value, Is.EqualTo(writes), "nothing to write");
        await mount.RunAsync(world.Leader, 10, 5);
        await world.CheckAsync();
    }

    [Test]
    public async Task CommitLogTrees_OfAnotherMountOrTransaction_IsRefused()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        var other = await world.MountAsync(Rid + 1);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        var log = mount.Log;
        var leader = world.Leader;
        Assert.That(await leader.CommitLogTreesAsync(other.Rid, log, CancellationToken.None), Is.EqualTo(FsError.Io));
        log.GetTransSeq = log.GetTransSeq + 1;
        Assert.That(await leader.CommitLogTreesAsync(Rid, log, CancellationToken.None), Is.EqualTo(FsError.Io));
        log.Nr = 7;
        Assert.That(
            await leader.CommitLogTreesAsync(Rid, log, CancellationToken.None), Is.EqualTo(FsError.NotFound));
        await world.CheckAsync();
    }

    [Test]
    public async Task OpenTransaction_OfALostLeader_CommitsAtTheNext()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        await mount.WriteAsync(world.Leader, 100, 20);
        await world.RestartAsync();
        Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(world.LastLog(Rid).InodeCountDelta.Value, Is.EqualTo(80));
        await world.CheckAsync();
    }

    [Test]
    public async Task Inodes_HandedOut_AreNeverHandedOutAgain()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var (_, first) = await world.Leader.AllocateInodesAsync(Rid, 10_240, CancellationToken.None);
        await world.RestartAsync();
        var (_, second) = await world.Leader.AllocateInodesAsync(Rid, 10_240, CancellationToken.None);
        Assert.That(first.Ino.Value, Is.EqualTo(1024));
        Assert.That(first.Nr.Value, Is.EqualTo(10_240));
        Assert.That(second.Ino.Value, Is.EqualTo(1024 + 10_240));
        var (_, rest) = await world.Leader.AllocateInodesAsync(Rid, ulong.MaxValue, CancellationToken.None);
        Assert.That(rest.Ino.Value + rest.Nr.Value, Is.EqualTo(ulong.MaxValue));
        var (error, none) = await world.Leader.AllocateInodesAsync(Rid, 1, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(none.Nr.Value, Is.Zero);
        await world.CheckAsync();
    }

    [Test]
    public async Task Reclaim_OfAMountWithAnOpenTransaction_FinalisesItsTreeAndForgetsIt()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 100, 20);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        await mount.WriteAsync(world.Leader, 50, 0);
        var (_, before) = await world.Leader.StatFsAsync(Rid, CancellationToken.None);
        Assert.That(await world.Leader.ReclaimAsync(Rid), Is.EqualTo(FsError.None));
        Assert.That(world.Calls, Is.EqualTo(new[] { "locks 1111", "map 1111" }));
        Assert.That(world.Leader.Commit.Stable.Clients, Is.Empty);
        var log = world.LastLog(Rid);
        Assert.That(log.IsFinalized, Is.True);
        Assert.That(log.InodeCountDelta.Value, Is.EqualTo(80), "what was committed stays, the open transaction goes");
        Assert.That(log.MetaAvail.TotalNr + log.MetaFreed.TotalNr + log.DataAvail.TotalLen, Is.Zero);
        var (_, after) = await world.Leader.StatFsAsync(Rid, CancellationToken.None);
        Assert.That(after.FreeDataBlocks.Value, Is.EqualTo(before.FreeDataBlocks.Value));
        Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.Isolated), "the mount is gone");
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.Isolated));
        Assert.That(await world.Leader.ReclaimAsync(Rid), Is.EqualTo(FsError.None), "again");
        await world.CheckAsync();
        await world.RestartAsync();
        Assert.That(world.LastLog(Rid).IsFinalized, Is.True);
    }
}
