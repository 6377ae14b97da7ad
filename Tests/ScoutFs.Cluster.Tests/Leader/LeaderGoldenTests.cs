using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>A leader takes over volumes that others wrote, mounted ones included.</summary>
internal sealed class LeaderGoldenTests
{
    [TestCase("g0-empty")]
    [TestCase("g1-basic")]
    [TestCase("g4-archive")]
    [TestCase("g8-srch")]
    [TestCase("g5-crash")]
    public async Task VolumeOfLinux_TakenOver_StaysClean(string name)
    {
        var volume = await GoldenVolume.LoadAsync(name);
        await using var world = LeaderWorld.Around(volume.Meta, volume.DataDevice, 1);
        await TakeOverAsync(world);
        var mount = await world.MountAsync(0x7777);
        for (int i = 0; i < 6; i++)
            await mount.RunAsync(world.Leader, 20, 10);
        await world.CheckAsync();
        await world.RestartAsync();
        await mount.RunAsync(world.Leader, 20, 10);
        Assert.That(await world.Leader.ReclaimAsync(mount.Rid), Is.EqualTo(FsError.None));
        await world.CheckAsync();
    }

    [Test]
    public async Task BusySample_TakenOver_StaysClean()
    {
        // Three log trees, a merge and compactions under way, on a device too small to write much.
        var volume = SampleVolume.Busy.Edit();
        await using var world = LeaderWorld.Around(volume.Meta, volume.Data, 1);
        await TakeOverAsync(world);
        var mount = await world.MountAsync(0x7777);
        for (int i = 0; i < 6; i++)
        {
            Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        }

        Assert.That(await world.Leader.ReclaimAsync(mount.Rid), Is.EqualTo(FsError.None));
        await world.CheckAsync();
    }

    // Whoever was mounted is gone.
    private static async Task TakeOverAsync(LeaderWorld world)
    {
        await world.RestartAsync();
        foreach (ulong rid in world.Leader.Commit.Stable.Clients.Keys.ToList())
            Assert.That(await world.Leader.ReclaimAsync(rid), Is.EqualTo(FsError.None));
        Assert.That(world.Leader.Commit.Stable.Clients, Is.Empty);
        await world.CheckAsync();
    }
}
