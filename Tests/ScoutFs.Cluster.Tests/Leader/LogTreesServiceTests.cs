using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Leader;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>What a mount gets with its next transaction, seqs, and when log merges start.</summary>
internal sealed class LogTreesServiceTests
{
    private const ulong Rid = 0x1111;

    [Test]
    public async Task MetaAvail_BelowHalf_IsFilledAndOtherwiseLeft()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 10, 0);
        ulong left = mount.Log.MetaAvail.TotalNr;
        Assert.That(left, Is.InRange(8100, 8184));
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.MetaAvail.TotalNr.Value, Is.EqualTo(left));
        Assert.That(mount.Log.MetaFreed.Ref.IsNone, Is.True, "what was freed went back");
        await world.CheckAsync();
    }

    [TestCase(200_000UL, 1, 0U)]
    [TestCase(70_000UL, 1, 1U)]
    [TestCase(200_000UL, 6, 1U)]
    public async Task MetaAvail_OfASmallVolumeForItsMounts_IsLow(ulong metaBlocks, int mounts, uint flags)
    {
        await using var world = await LeaderWorld.CreateAsync(metaBlocks);
        for (int i = 1; i <= mounts; i++)
        {
            var mount = await world.MountAsync((ulong)i);
            Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            if (i == mounts)
                Assert.That(mount.Log.MetaAvail.Flags.Value, Is.EqualTo(flags));
        }

        await world.CheckAsync();
    }

    [Test]
    public async Task DataAvail_OfASmallDevice_IsLowForWhoComesLast()
    {
        await using var world = await LeaderWorld.CreateAsync(dataBlocks: 1_200_000);
        var first = await world.MountAsync(1);
        var second = await world.MountAsync(2);
        Assert.That(await first.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(first.Log.DataAvail.TotalLen.Value, Is.EqualTo(DataPlacement.Target));
        Assert.That(first.Log.DataAvail.Flags.Value, Is.Zero);
        Assert.That(await second.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(second.Log.DataAvail.TotalLen.Value, Is.EqualTo(1_200_000 - 64 - DataPlacement.Target));
        Assert.That(second.Log.DataAvail.Flags.Value, Is.EqualTo(AllocRoot.FlagLow));
        Assert.That(await world.Leader.ReclaimAsync(1), Is.EqualTo(FsError.None));
        Assert.That(await second.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(await second.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(second.Log.DataAvail.TotalLen.Value, Is.EqualTo(DataPlacement.Target));
        Assert.That(second.Log.DataAvail.Flags.Value, Is.Zero);
        await world.CheckAsync();
    }

    [Test]
    public async Task FreedExtents_InGreatNumber_GoBackOverSeveralCommits()
    {
        // Free extents so scattered that their trees have several levels of leaves.
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        for (int i = 0; i < 8; i++)
            await mount.RunAsync(world.Leader, 400, 0, blocksPerFile: 60);
        await mount.RunAsync(world.Leader, 0, 3000);
        Assert.That(mount.Log.DataFreed.TotalLen.Value, Is.EqualTo(180_000));
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.DataFreed.TotalLen.Value, Is.Zero);
        Assert.That(mount.Log.DataFreed.Root.Ref.IsNone, Is.True);
        await world.CheckAsync();
    }

    [Test]
    public async Task Zones_OfMounts_AreKeptApart()
    {
        await using var world = await LeaderWorld.CreateAsync(dataBlocks: 8 * DataPlacement.Target);
        var options = new VolumeOptions { SetBits = 1 };
        options.Values[VolumeOptions.DataAllocZoneBlocks] = DataPlacement.Target;
        Assert.That(
            await world.Leader.SetVolumeOptionsAsync(Rid, options, CancellationToken.None), Is.EqualTo(FsError.None));
        var zones = new List<int>();
        for (ulong rid = 1; rid <= 3; rid++)
        {
            var mount = await world.MountAsync(rid);
            Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            Assert.That(mount.Log.DataAllocZoneBlocks.Value, Is.EqualTo(DataPlacement.Target));
            zones.AddRange(ZonesOf(mount.Log));
        }

        Assert.That(zones, Is.Unique);

        // The first zone has 64 blocks less than a mount gets: one more zone is begun for them.
        Assert.That(zones, Is.EqualTo(new[] { 0, 1, 2, 3 }));
        await world.CheckAsync();
    }

    [Test]
    public async Task LastSeq_WithTransactionsOpen_IsBelowTheOldest()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var leader = world.Leader;
        var mounts = new List<TestMount>();
        for (ulong rid = 1; rid <= 3; rid++)
        {
            mounts.Add(await world.MountAsync(rid));
            Assert.That(await mounts[^1].OpenAsync(leader), Is.EqualTo(FsError.None));
        }

        Assert.That((await leader.GetLastSeqAsync(1, CancellationToken.None)).Seq, Is.EqualTo(1), "opens 2, 3, 4");
        Assert.That(await mounts[0].CommitAsync(leader), Is.EqualTo(FsError.None));
        Assert.That((await leader.GetLastSeqAsync(1, CancellationToken.None)).Seq, Is.EqualTo(2));
        Assert.That(await leader.ReclaimAsync(2), Is.EqualTo(FsError.None));
        Assert.That((await leader.GetLastSeqAsync(1, CancellationToken.None)).Seq, Is.EqualTo(3));
    }

    [Test]
    public async Task LargeTree_OfTheOnlyMount_IsFinalisedAndAMergeStarts()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 100, 0);
        world.Leader.MergeStart.ForceFinalize = true;
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.Nr.Value, Is.EqualTo(2));
        Assert.That(mount.Log.ItemRoot.IsEmpty, Is.True);
        var logs = world.Leader.Commit.Stable.Logs.Values.ToList();
        Assert.That(logs.Select(log => log.IsFinalized), Is.EqualTo(new[] { true, false }));
        var status = await StatusAsync(world);
        Assert.That(status.Seq.Value, Is.GreaterThan(logs[0].FinalizeSeq.Value));
        Assert.That(mount.Log.GetTransSeq.Value, Is.GreaterThan(status.Seq.Value));
        await world.CheckAsync();

        // While a merge runs nothing is finalised.
        Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        world.Leader.MergeStart.ForceFinalize = true;
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.Nr.Value, Is.EqualTo(2));
    }

    [Test]
    public void LargeTree_BesideOtherMounts_WaitsForAllToFinalise([Values(1UL, 2UL, 3UL, 4UL, 5UL)] ulong seed)
    {
        var scheduler = new SimScheduler(new Prng(seed));
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(600_000, seed: seed, scheduler: scheduler);
            world.Options = world.Options with { LogMergeWait = TimeSpan.FromSeconds(5) };
            await world.RestartAsync();
            var mounts = new List<TestMount>();
            var reopened = new List<Task>();
            for (ulong rid = 1; rid <= 4; rid++)
            {
                mounts.Add(await world.MountAsync(rid));
                await mounts[^1].RunAsync(world.Leader, 20, 0);
                if (rid > 1)
                    Assert.That(await mounts[^1].OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            }

            world.OnSync = rid => reopened.Add(ReopenAsync(world, mounts[(int)rid - 1]));
            world.Leader.MergeStart.ForceFinalize = true;
            Assert.That(await mounts[0].OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            Assert.That(world.Calls, Is.EqualTo(new[] { "sync 2", "sync 3", "sync 4" }));
            await Task.WhenAll(reopened);
            Assert.That(mounts.Select(mount => mount.Log.Nr.Value), Is.All.EqualTo(2));
            Assert.That(world.Leader.MergeStart.TimedOutWaits, Is.Zero);
            var status = await StatusAsync(world);
            foreach (var log in world.Leader.Commit.Stable.Logs.Values)
            {
                bool isInput = log.IsFinalized && log.FinalizeSeq < status.Seq;
                Assert.That(isInput || log.GetTransSeq > status.Seq, Is.True, "before or after, nothing between");
            }

            await world.CheckAsync();
        });
    }

    [Test]
    public void LargeTree_BesideAMountThatNeverCommits_GoesOnWithoutAMerge()
    {
        var scheduler = new SimScheduler();
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(scheduler: scheduler);
            world.Options = world.Options with { LogMergeWait = TimeSpan.FromMilliseconds(500) };
            await world.RestartAsync();
            var silent = await world.MountAsync(1);
            Assert.That(await silent.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            var mount = await world.MountAsync(2);
            await mount.RunAsync(world.Leader, 20, 0);
            world.Leader.MergeStart.ForceFinalize = true;
            Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            Assert.That(mount.Log.Nr.Value, Is.EqualTo(2));
            Assert.That(world.Leader.MergeStart.TimedOutWaits, Is.EqualTo(1));
            Assert.That((await ReadStatusAsync(world)).Error, Is.EqualTo(FsError.NotFound));
            await world.CheckAsync();
        });
    }

    [Test]
    public async Task Tree_OfAMountThatIsGone_IsFinalisedForTheNextMerge()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var gone = await world.MountAsync(1);
        await gone.RunAsync(world.Leader, 20, 0);

        // As a leader leaves it that reclaims everything but the log tree.
        Assert.That(
            await world.Leader.Commit.RunAsync(
                transaction => transaction.RemoveClientAsync(1), CancellationToken.None),
            Is.EqualTo(FsError.None));
        var mount = await world.MountAsync(2);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(world.LastLog(1).IsFinalized, Is.True);
        Assert.That((await ReadStatusAsync(world)).Error, Is.EqualTo(FsError.None), "it was the only tree");
        await world.CheckAsync();
    }

    [Test]
    public async Task SrchFile_OfAMebibyte_BecomesAnItemAndTheMountStartsAnother()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        int transactions = 0;
        while (world.Leader.Super.SrchRoot.IsEmpty && transactions++ < 30)
        {
            Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            await mount.AddSrchAsync(6000);
            Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        }

        Assert.That(mount.LastSent.SrchFile.Blocks.Value, Is.InRange(16, 20));
        Assert.That(world.LastLog(Rid).SrchFile.Ref.IsNone, Is.True);
        await world.CheckAsync();
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.SrchFile.Ref.IsNone, Is.True);
        await mount.AddSrchAsync(10);
        Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(world.LastLog(Rid).SrchFile.Blocks.Value, Is.EqualTo(1));
        Assert.That(await world.Leader.ReclaimAsync(Rid), Is.EqualTo(FsError.None));
        Assert.That(world.LastLog(Rid).SrchFile.Ref.IsNone, Is.True, "a mount that leaves keeps none");
        await world.CheckAsync();
    }

    [Test]
    public async Task Get_BeforeAllLocksAreKnown_Waits()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(1);
        _ = await world.MountAsync(2);
        await world.RestartAsync(locksRecovered: false);
        var opened = mount.OpenAsync(world.Leader);
        world.Leader.OnLocksRecovered(1);
        Assert.That(opened.IsCompleted, Is.False);
        Assert.That(await world.Leader.ReclaimAsync(2), Is.EqualTo(FsError.None));
        Assert.That(await opened, Is.EqualTo(FsError.None));
    }

    private static async Task ReopenAsync(LeaderWorld world, TestMount mount)
    {
        await Task.Yield();
        Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
    }

    private static List<int> ZonesOf(in LogTrees log)
    {
        var zones = new List<int>();
        for (int zone = 0; zone < FormatConstants.DataZones; zone++)
        {
            if ((log.DataAllocZones[zone / 8] & (1 << (zone % 8))) != 0)
                zones.Add(zone);
        }

        return zones;
    }

    private static async Task<LogMergeStatus> StatusAsync(LeaderWorld world)
    {
        var (error, status) = await ReadStatusAsync(world);
        Assert.That(error, Is.EqualTo(FsError.None));
        return status;
    }

    private static async Task<(FsError Error, LogMergeStatus Status)> ReadStatusAsync(LeaderWorld world) =>
        await world.Leader.Commit.RunAsync<LogMergeStatus>(
            transaction => transaction.ReadAsync<LogMergeStatus>(
                LeaderTree.LogMerge, new ItemKey(KeyZone.MergeStatus, 0, 0)),
            CancellationToken.None);
}
