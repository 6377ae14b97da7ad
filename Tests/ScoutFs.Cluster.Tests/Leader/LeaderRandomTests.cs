using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Random lives of mounts and leaders; every block is accounted for whenever anybody looks.</summary>
internal sealed class LeaderRandomTests
{
    [Test]
    public async Task RandomRounds_WithRestartsAndReclaims_LoseNoBlock([Range(1, 6)] int seed)
    {
        await using var world = await LeaderWorld.CreateAsync(400_000, 6_000_000, (ulong)seed, growBlocks: 5000);
        var prng = world.Prng.Fork("rounds");
        var mounts = new List<TestMount>();
        var everybody = new List<TestMount>();
        for (int round = 0; round < 60; round++)
        {
            if (mounts.Count < 2 || prng.NextInt32(12) == 0)
            {
                everybody.Add(await world.MountAsync((ulong)everybody.Count + 1));
                mounts.Add(everybody[^1]);
            }

            await MoveAsync(world, mounts, prng);
            if (round % 10 == 9)
                await world.CheckAsync();
        }

        foreach (var mount in mounts)
            Assert.That(await world.Leader.ReclaimAsync(mount.Rid), Is.EqualTo(FsError.None));
        await world.RestartAsync();
        await world.CheckAsync();
        var (_, counts) = await world.Leader.StatFsAsync(0, CancellationToken.None);
        Assert.That(world.Leader.Commit.Stable.Clients, Is.Empty);
        Assert.That(counts.InodeCount.Value, Is.EqualTo(1 + (ulong)everybody.Sum(mount => mount.CommittedFiles)));
    }

    [Test]
    public void RandomFaults_OfADevice_LeaveACleanVolume([Range(1, 6)] int seed)
    {
        var scheduler = new SimScheduler(new Prng((ulong)seed));
        scheduler.Run(async () =>
        {
            await using var world = await LeaderWorld.CreateAsync(
                400_000, 6_000_000, (ulong)seed, scheduler: scheduler);
            for (ulong rid = 1; rid <= 3; rid++)
                _ = await world.MountAsync(rid);
            world.Faults.FailPerMillion = 60_000;
            await Task.WhenAll(Enumerable.Range(1, 3).Select(async rid =>
            {
                for (int i = 0; i < 60; i++)
                    _ = await world.Leader.AllocateInodesAsync((ulong)rid, 10, CancellationToken.None);
                for (int i = 0; i < 30; i++)
                    _ = await world.Leader.GetLogTreesAsync((ulong)rid, CancellationToken.None);
                for (int i = 0; i < 30 && rid == 3; i++)
                    _ = await world.Leader.ReclaimAsync(3);
            }));
            world.Faults.Clear();
            Assert.That(world.Faults.Failed, Is.GreaterThan(5));
            Assert.That(world.Leader.Broken.IsCompleted, Is.False);
            await world.CheckAsync();
            Assert.That(
                (await world.Leader.GetLogTreesAsync(1, CancellationToken.None)).Error, Is.EqualTo(FsError.None));
            await world.CheckAsync();
            await world.RestartAsync();
            await world.CheckAsync();
        });
    }

    private static async Task MoveAsync(LeaderWorld world, List<TestMount> mounts, Prng prng)
    {
        var mount = mounts[prng.NextInt32(mounts.Count)];
        switch (prng.NextInt32(16))
        {
            case 0:
                await world.RestartAsync();
                break;
            case 1:
                Assert.That(await world.Leader.ReclaimAsync(mount.Rid), Is.EqualTo(FsError.None));
                _ = mounts.Remove(mount);
                mount.Dispose();
                break;
            case 2:
                Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
                await mount.WriteAsync(world.Leader, 5, 0);
                await world.RestartAsync();
                Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
                break;
            case 3:
                world.Leader.MergeStart.ForceFinalize = true;
                await mount.RunAsync(world.Leader, 1, 0);
                break;
            case 4:
                var resize = new WireResize
                {
                    TotalMetaBlocks = world.Leader.Super.TotalMetaBlocks + prng.NextUInt64(100),
                    TotalDataBlocks = world.Leader.Super.TotalDataBlocks + prng.NextUInt64(100),
                };
                Assert.That(
                    await world.Leader.ResizeDevicesAsync(mount.Rid, resize, CancellationToken.None),
                    Is.EqualTo(FsError.None));
                break;
            case 5:
                await SetZonesAsync(world, prng.NextInt32(2) == 0);
                break;
            default:
                await mount.RunAsync(
                    world.Leader, prng.NextInt32(60), prng.NextInt32(50), 1 + prng.NextUInt64(40));
                break;
        }
    }

    private static async Task SetZonesAsync(LeaderWorld world, bool areSet)
    {
        var options = new VolumeOptions { SetBits = 1 };
        options.Values[VolumeOptions.DataAllocZoneBlocks] = 1_100_000;
        var error = areSet
            ? await world.Leader.SetVolumeOptionsAsync(1, options, CancellationToken.None)
            : await world.Leader.ClearVolumeOptionsAsync(1, options, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
    }
}
