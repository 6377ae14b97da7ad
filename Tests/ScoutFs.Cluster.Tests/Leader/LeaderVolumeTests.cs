using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Options, sizes and counts of a volume, and volumes too small for anything.</summary>
internal sealed class LeaderVolumeTests
{
    private const ulong Rid = 0x1111;

    [Test]
    public async Task Options_SetAndCleared_AreDurable()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var options = new VolumeOptions { SetBits = 1 };
        options.Values[0] = FormatPlan.MinZoneBlocks + 5;
        Assert.That(
            await world.Leader.SetVolumeOptionsAsync(Rid, options, CancellationToken.None), Is.EqualTo(FsError.None));
        await world.RestartAsync();
        var stored = (await world.Leader.GetVolumeOptionsAsync(Rid, CancellationToken.None)).Options;
        Assert.That(stored.SetBits.Value, Is.EqualTo(1));
        Assert.That(stored.Values[0].Value, Is.EqualTo(FormatPlan.MinZoneBlocks + 5));
        await world.CheckAsync();
        Assert.That(
            await world.Leader.ClearVolumeOptionsAsync(Rid, options, CancellationToken.None),
            Is.EqualTo(FsError.None));
        stored = (await world.Leader.GetVolumeOptionsAsync(Rid, CancellationToken.None)).Options;
        Assert.That(stored.SetBits.Value + stored.Values[0].Value, Is.Zero);
        await world.CheckAsync();
    }

    [TestCase(2UL, 1_048_576UL)]
    [TestCase(1UL, 1_048_575UL)]
    [TestCase(1UL, 3_000_001UL)]
    public async Task Options_UnknownOrOutOfRange_AreRefused(ulong bits, ulong value)
    {
        await using var world = await LeaderWorld.CreateAsync();
        var options = new VolumeOptions { SetBits = bits };
        options.Values[0] = value;
        Assert.That(
            await world.Leader.SetVolumeOptionsAsync(Rid, options, CancellationToken.None),
            Is.EqualTo(FsError.Invalid));
        var (_, left) = await world.Leader.GetVolumeOptionsAsync(Rid, CancellationToken.None);
        Assert.That(left.SetBits.Value, Is.Zero);
    }

    [Test]
    public async Task Resize_OfBothDevices_GivesTheNewBlocksToMounts()
    {
        await using var world = await LeaderWorld.CreateAsync(200_000, 300_000, growBlocks: 10_000);
        var mount = await world.MountAsync(Rid);
        Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
        Assert.That(mount.Log.DataAvail.TotalLen.Value, Is.EqualTo(300_000 - 64));
        var (_, before) = await world.Leader.StatFsAsync(Rid, CancellationToken.None);
        var resize = new WireResize { TotalMetaBlocks = 210_000, TotalDataBlocks = 310_000 };
        for (int i = 0; i < 2; i++)
        {
            Assert.That(
                await world.Leader.ResizeDevicesAsync(Rid, resize, CancellationToken.None), Is.EqualTo(FsError.None));
        }

        var (_, after) = await world.Leader.StatFsAsync(Rid, CancellationToken.None);
        Assert.That(after.TotalMetaBlocks.Value, Is.EqualTo(210_000));
        Assert.That(after.TotalDataBlocks.Value, Is.EqualTo(310_000));
        Assert.That(after.FreeDataBlocks - before.FreeDataBlocks, Is.EqualTo(10_000));
        await world.CheckAsync();
        Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        for (int i = 0; i < 5; i++)
            await mount.RunAsync(world.Leader, 30, 20);
        await world.RestartAsync();
        await world.CheckAsync();
    }

    [TestCase(199_999UL, 0UL)]
    [TestCase(0UL, 299_999UL)]
    [TestCase(210_001UL, 0UL)]
    [TestCase(0UL, 460_001UL)]
    public async Task Resize_ToLessOrBeyondADevice_IsRefused(ulong metaBlocks, ulong dataBlocks)
    {
        await using var world = await LeaderWorld.CreateAsync(200_000, 300_000, growBlocks: 10_000);
        var resize = new WireResize { TotalMetaBlocks = metaBlocks, TotalDataBlocks = dataBlocks };
        Assert.That(
            await world.Leader.ResizeDevicesAsync(Rid, resize, CancellationToken.None), Is.EqualTo(FsError.Invalid));
        Assert.That(world.Leader.Super.TotalMetaBlocks.Value, Is.EqualTo(200_000));
    }

    [Test]
    public async Task StatFs_OfAVolumeInUse_CountsEveryFreeBlock()
    {
        await using var world = await LeaderWorld.CreateAsync();
        var mount = await world.MountAsync(Rid);
        await mount.RunAsync(world.Leader, 100, 0, blocksPerFile: 10);
        await mount.RunAsync(world.Leader, 0, 30);
        var (error, counts) = await world.Leader.StatFsAsync(Rid, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(counts.FreeDataBlocks.Value, Is.EqualTo(3_000_000 - 64 - 700));
        Assert.That(counts.InodeCount.Value, Is.EqualTo(71));
        Assert.That(counts.FreeMetaBlocks.Value, Is.InRange(200_000UL - 60, 200_000UL - 2));
    }

    [Test]
    public async Task Blocks_FreedOverAndOver_ComeBackToTheTrees()
    {
        // Each transaction moves a few blocks; without draining the lists would grow for ever.
        await using var world = await LeaderWorld.CreateAsync(110_000);
        var mount = await world.MountAsync(Rid);
        for (int i = 0; i < 700; i++)
            await mount.RunAsync(world.Leader, 8, 8);
        var super = world.Leader.Super;
        ulong freed = super.ServerMetaFreed[0].TotalNr + super.ServerMetaFreed[1].TotalNr;
        Assert.That(freed, Is.LessThan(4 * ListAllocator.RotateBelowRoom));
        await world.CheckAsync();
    }

    [TestCase(FormatPlan.MinMetaBlocks)]
    [TestCase(1200UL)]
    [TestCase(1500UL)]
    [TestCase(2500UL)]
    [TestCase(5000UL)]
    [TestCase(10_000UL)]
    [TestCase(20_000UL)]
    public async Task TinyVolume_WhateverIsAsked_AnswersAndStaysClean(ulong metaBlocks)
    {
        await using var world = await LeaderWorld.CreateAsync(metaBlocks, 100_000);
        int refused = 0;
        for (ulong rid = 1; rid <= 4; rid++)
        {
            var error = await world.Leader.GreetAsync(rid, default, isMember: false, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None).Or.EqualTo(FsError.NoSpace));
            refused += error == FsError.None ? 0 : 1;
            for (int i = 0; i < 20; i++)
            {
                (error, var log) = await world.Leader.GetLogTreesAsync(rid, CancellationToken.None);
                Assert.That(error, Is.AnyOf(FsError.None, FsError.NoSpace, FsError.Isolated));
                refused += error == FsError.None ? 0 : 1;
                if (error == FsError.None)
                {
                    Assert.That(log.MetaAvail.Flags.Value, Is.EqualTo(AllocRoot.FlagLow));
                    error = await world.Leader.CommitLogTreesAsync(rid, log, CancellationToken.None);
                    Assert.That(error, Is.EqualTo(FsError.None).Or.EqualTo(FsError.NoSpace));
                }
            }

            await world.CheckAsync();
        }

        Assert.That(refused, Is.Zero);
        await world.RestartAsync();
        for (ulong rid = 1; rid <= 4; rid++)
            Assert.That(await world.Leader.ReclaimAsync(rid), Is.EqualTo(FsError.None));
        await world.CheckAsync();
    }

    [Test]
    public async Task TinyVolume_InUseForLong_NeverWedges([Values(1033UL, 1500UL, 4000UL)] ulong metaBlocks)
    {
        await using var world = await LeaderWorld.CreateAsync(metaBlocks, 100_000);
        for (int i = 0; i < 1500; i++)
        {
            var (error, _) = await world.Leader.AllocateInodesAsync(1, 1, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"after {i}");
        }

        await world.CheckAsync();
    }
}
