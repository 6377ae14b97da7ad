using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Commits that are shared, that fail, that are cut off: the state is the old one or the new one.</summary>
internal sealed class LeaderCommitTests
{
    private const ulong Rid = 0x1111;

    [Test]
    public void Requests_AtTheSameTime_ShareCommits([Values(1UL, 2UL, 3UL)] ulong seed)
    {
        var scheduler = new SimScheduler(new Prng(seed));
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(seed: seed, scheduler: scheduler);
            ulong before = world.Leader.Super.Header.Seq;
            var requests = Enumerable.Range(0, 40)
                .Select(_ => world.Leader.AllocateInodesAsync(Rid, 10, CancellationToken.None).AsTask());
            var answers = await Task.WhenAll(requests);
            ulong commits = world.Leader.Super.Header.Seq - before;
            Assert.That(answers.Select(answer => answer.Error), Is.All.EqualTo(FsError.None));
            Assert.That(answers.Select(answer => answer.Range.Ino.Value).Distinct().Count(), Is.EqualTo(40));
            Assert.That(commits, Is.InRange(1, 3));
            await world.CheckAsync();
        });
    }

    [Test]
    public void Mounts_AtTheSameTime_LeaveACleanVolume([Values(1UL, 2UL, 3UL, 4UL)] ulong seed)
    {
        var scheduler = new SimScheduler(new Prng(seed));
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(seed: seed, scheduler: scheduler);
            await Task.WhenAll(Enumerable.Range(1, 6).Select(async rid =>
            {
                var mount = await world.MountAsync((ulong)rid);
                for (int i = 0; i < 8; i++)
                    await mount.RunAsync(world.Leader, 1 + mount.Prng.NextInt32(30), mount.Prng.NextInt32(20));
                if (rid % 3 == 0)
                    Assert.That(await world.Leader.ReclaimAsync((ulong)rid), Is.EqualTo(FsError.None));
            }));
            await world.CheckAsync();
            await world.RestartAsync();
            await world.CheckAsync();
        });
    }

    [Test]
    public void Request_CancelledWhileItWaits_DoesNothing()
    {
        var scheduler = new SimScheduler();
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(scheduler: scheduler);
            using var source = new CancellationTokenSource();
            var first = world.Leader.AllocateInodesAsync(Rid, 10, CancellationToken.None).AsTask();
            var second = world.Leader.AllocateInodesAsync(Rid, 10, source.Token).AsTask();
            Cancel(source);
            Assert.That((await second).Error, Is.EqualTo(FsError.Cancelled));
            Assert.That((await first).Error, Is.EqualTo(FsError.None));
            Assert.That(world.Leader.Super.NextIno.Value, Is.EqualTo(1034));
        });
    }

    [Test]
    public void Stop_WithRequestsUnderWay_AnswersIsolatedAndWritesNothingMore([Values(0, 3, 10, 30, 60)] int steps)
    {
        var scheduler = new SimScheduler();
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(scheduler: scheduler);
            var requests = Enumerable.Range(0, 30)
                .Select(_ => world.Leader.AllocateInodesAsync(Rid, 10, CancellationToken.None).AsTask())
                .ToList();
            for (int i = 0; i < steps; i++)
                await Task.Yield();
            var leader = world.Leader;
            await world.StopAsync();
            long writes = world.Faults.Writes;
            var answers = await Task.WhenAll(requests);
            Assert.That(answers.Select(answer => answer.Error), Is.All.AnyOf(FsError.None, FsError.Isolated));
            Assert.That(
                (await leader.GetLogTreesAsync(Rid, CancellationToken.None)).Error, Is.EqualTo(FsError.Isolated));
            await world.CheckAsync();
            Assert.That(world.Faults.Writes, Is.EqualTo(writes));
            int done = answers.Count(answer => answer.Error == FsError.None);
            await world.RestartAsync();
            Assert.That(world.Leader.Super.NextIno.Value, Is.EqualTo(1024 + (10UL * (ulong)done)));
        });
    }

    // CancelAsync would do it on another thread.
    private static void Cancel(CancellationTokenSource source) => source.Cancel();

    [Test]
    public async Task Commit_WhoseWritesFail_PublishesNothingAndIsWrittenLater([Range(1, 4)] int nth)
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 10, 0);
        var before = world.Leader.Super;
        world.Faults.FailAt(SimIoKinds.Write | SimIoKinds.Flush, nth, 1000);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.Io));
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.Io), "again");
        Assert.That(world.Leader.Super.Header.Seq.Value, Is.EqualTo(before.Header.Seq.Value));
        var (_, roots) = await world.Leader.GetRootsAsync(Rid, CancellationToken.None);
        Assert.That(roots.LogsRoot.Ref.SameAs(before.LogsRoot.Ref), Is.True);
        await world.CheckAsync();
        world.Faults.Clear();
        await mount.RunAsync(world.Leader, 10, 5);
        await world.CheckAsync();
    }

    [Test]
    public async Task Commit_WhoseWritesFail_LeavesTheOldOrTheNewStateToTheNextLeader([Range(1, 4)] int nth)
    {
        await using var world = await LeaderWorld.CreateAsync(seed: (ulong)nth);
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 10, 0);
        world.Faults.FailAt(SimIoKinds.Write | SimIoKinds.Flush, nth, 1000);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.Io));
        world.Faults.Clear();
        await world.RestartAsync();
        await world.CheckAsync();
        await mount.RunAsync(world.Leader, 10, 5);
        await world.CheckAsync();
    }

    [Test]
    public async Task Request_ThatCannotReadABlock_FailsAloneAndWorksLater([Range(1, 8)] int nth)
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 50, 20);
        await world.RestartAsync();
        world.Faults.FailAt(SimIoKinds.Read, nth);
        var error = await mount.OpenAsync(world.Leader);
        Assert.That(error, Is.AnyOf(FsError.Io, FsError.None));
        Assert.That(world.Faults.Failed == 1, Is.EqualTo(error == FsError.Io));
        world.Faults.Clear();
        await mount.RunAsync(world.Leader, 10, 5);
        await world.CheckAsync();
    }

    [Test]
    public async Task PowerCut_AtEveryWriteAndFlush_LeavesACleanVolumeWithAllThatWasAnswered()
    {
        await using var world = await LeaderWorld.CreateAsync(metaBlocks: 100_000, dataBlocks: 1_500_000);
        var prng = new Prng(7);
        var cuts = new List<(SimDisk Meta, SimDisk Data, ulong Committed, LogTrees Sent)>();
        ulong committed = 0;
        var mount = await world.MountAsync(Rid);
        world.Faults.OnChange = _ => cuts.Add((
            world.MetaDisk.ForkAfterCut(prng), world.DataDisk.ForkAfterCut(prng), committed, mount.LastSent));
        for (int i = 0; i < 10; i++)
        {
            await mount.RunAsync(world.Leader, 10, 5, blocksPerFile: 8);
            committed = mount.LastSent.GetTransSeq;
        }

        Assert.That(cuts, Has.Count.GreaterThan(60));
        foreach (var cut in cuts)
        {
            await using var after = LeaderWorld.Around(cut.Meta, cut.Data, 1);
            await after.RestartAsync();
            await after.CheckAsync();
            if (cut.Committed == 0)
                continue;
            Assert.That(after.LastLog(Rid).CommitTransSeq.Value, Is.GreaterThanOrEqualTo(cut.Committed));
            Assert.That(
                await after.Leader.CommitLogTreesAsync(Rid, cut.Sent, CancellationToken.None),
                Is.EqualTo(FsError.None).Or.EqualTo(FsError.Io));
            Assert.That(await after.Leader.ReclaimAsync(Rid), Is.EqualTo(FsError.None));
            await after.CheckAsync();
        }
    }

    [Test]
    public async Task PowerCut_InTheMiddleOfEverythingElse_LeavesACleanVolume()
    {
        await using var world = await LeaderWorld.CreateAsync(200_000, 3_000_000, growBlocks: 1000);
        var prng = new Prng(8);
        var mount = await world.MountAsync(Rid);
        for (int i = 0; i < 4; i++)
            await mount.RunAsync(world.Leader, 300, 250, blocksPerFile: 40);
        var cuts = new List<(SimDisk Meta, SimDisk Data)>();
        world.Faults.OnChange = _ =>
            cuts.Add((world.MetaDisk.ForkAfterCut(prng), world.DataDisk.ForkAfterCut(prng)));
        world.Leader.MergeStart.ForceFinalize = true;
        await mount.RunAsync(world.Leader, 10, 0);
        var resize = new WireResize { TotalMetaBlocks = 201_000, TotalDataBlocks = 3_010_000 };
        Assert.That(
            await world.Leader.ResizeDevicesAsync(Rid, resize, CancellationToken.None), Is.EqualTo(FsError.None));
        Assert.That(await world.Leader.ReclaimAsync(Rid), Is.EqualTo(FsError.None));
        foreach (var cut in cuts)
        {
            await using var after = LeaderWorld.Around(cut.Meta, cut.Data, 1);
            await after.RestartAsync();
            await after.CheckAsync();
            Assert.That(await after.Leader.ReclaimAsync(Rid), Is.EqualTo(FsError.None));
            await after.CheckAsync();
        }
    }

    [Test]
    public async Task Device_FailingAtAnyOperation_SpoilsNothing([Range(0, 5)] int part)
    {
        for (int nth = 1 + (part * 10); nth <= (part + 1) * 10; nth++)
        {
            await using var world = await LeaderWorld.CreateAsync(seed: (ulong)nth);
            var mount = await world.MountAsync(Rid);
            await mount.RunAsync(world.Leader, 50, 20);
            await world.RestartAsync();
            world.Faults.FailAt(SimIoKinds.Any, nth, 1 + (nth % 3));
            for (int i = 0; i < 4; i++)
            {
                _ = await world.Leader.GreetAsync(2, default, isMember: false, CancellationToken.None);
                _ = await world.Leader.GetLogTreesAsync(2, CancellationToken.None);
                _ = await world.Leader.StatFsAsync(2, CancellationToken.None);
                world.Leader.MergeStart.ForceFinalize = true;
                _ = await world.Leader.GetLogTreesAsync(Rid, CancellationToken.None);
                _ = await world.Leader.ReclaimAsync(2);
            }

            world.Faults.Clear();
            Assert.That(world.Leader.Broken.IsCompleted, Is.False);
            Assert.That(await world.Leader.ReclaimAsync(2), Is.EqualTo(FsError.None));
            await world.CheckAsync();
            await mount.RunAsync(world.Leader, 10, 5);
            await world.RestartAsync();
            await world.CheckAsync();
        }
    }
}
