using System;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows fallocate and cross-mount-data-free (engine §8.7).</summary>
internal sealed class FallocateTests : AcceptanceFixture
{
    // Engine §14 no. 54.
    [Test]
    public async Task Fallocate_ThatGrowsTheSize_ChangesDataVersionAndNotDataSeq()
    {
        ulong ino = await CreateAsync("f");
        await WriteBlocksAsync(ino, 0, 2);
        var before = await InodeAsync(ino);
        Assert.That(await Fs.FallocateAsync(ino, 0, 100 * Block, true, None), Is.EqualTo(FsError.None));
        var kept = await InodeAsync(ino);
        Assert.That(
            (kept.Size.Value, kept.DataVersion, kept.OnlineBlocks),
            Is.EqualTo((2 * Block, before.DataVersion, before.OnlineBlocks)));
        await SyncAsync();
        Assert.That(await Fs.FallocateAsync(ino, 0, 100 * Block, false, None), Is.EqualTo(FsError.None));
        var grown = await InodeAsync(ino);
        Assert.That(grown.Size.Value, Is.EqualTo(100 * Block));
        Assert.That(grown.DataVersion.Value, Is.GreaterThan(before.DataVersion.Value));
        Assert.That(grown.Version.Value, Is.GreaterThan(before.Version.Value));
        Assert.That((grown.DataSeq, grown.Mtime), Is.EqualTo((before.DataSeq, before.Mtime)));
        Assert.That((grown.OnlineBlocks.Value, grown.OfflineBlocks.Value), Is.EqualTo((2UL, 0UL)));
    }

    [Test]
    public async Task Fallocate_OfAGibibyte_IsAllUnwritten()
    {
        ulong ino = await CreateAsync("f");
        Assert.That(await Fs.FallocateAsync(ino, 0, 1UL << 30, false, None), Is.EqualTo(FsError.None));
        var extents = await ExtentsOnDiskAsync(ino);
        Assert.That(extents.All(extent => extent.IsUnwritten && !extent.IsOffline), Is.True);
        Assert.That(extents.Sum(extent => (decimal)extent.CountBlocks), Is.EqualTo((decimal)((1UL << 30) / Block)));
        Assert.That(await ReadAsync(ino, (1UL << 30) - 100, 200), Is.EqualTo(new byte[100]));
    }

    [Test]
    public async Task Fallocate_OverOfflineBlocks_NeverWaitsAndKeepsThemOffline()
    {
        byte[] contents = Random(10 * (int)Block);
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, contents);
        await ReleaseAsync(ino);
        Assert.That(await Fs.FallocateAsync(ino, 0, 10 * Block, false, None), Is.EqualTo(FsError.None));
        Assert.That((await ExtentsOnDiskAsync(ino)).All(extent => extent.IsOffline && extent.IsUnwritten), Is.True);
        Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, 10UL)));
        await StageAsync(ino, 0, contents);
        Assert.That(await ReadAsync(ino, 0, contents.Length), Is.EqualTo(contents));
    }

    // Engine §14 no. 2: whatever waits for whatever, nothing waits for ever.
    [TestCase(1UL)]
    [TestCase(2UL)]
    [TestCase(3UL)]
    public void Fallocate_AmongReadsWritesAndTruncations_NobodyHangs(ulong seed)
    {
        var world = new SimNode(seed, new MountOptions(), SimLatency.Usual);
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            ulong ino = await world.CreateAsync("f", RegularMode);
            await world.Node.Fs.WriteAsync(ino, 0, new byte[1 << 20], false, false, None);

            // Reads are cold after this.
            await world.UnmountAsync();
            await world.MountAsync();
            var fs = world.Node.Fs;
            await Task.WhenAll(
                RepeatAsync(i => fs.FallocateAsync(ino, 0, 1 << 20, false, None)),
                RepeatAsync(async i => (await fs.ReadAsync(ino, (ulong)i * 8192, new byte[65536], None)).Error),
                RepeatAsync(async i => (await fs.WriteAsync(
                    ino, (ulong)i * 5000, new byte[9000], false, false, None)).Error),
                RepeatAsync(async i => (await fs.TruncateAsync(ino, (ulong)(i % 3) * 400_000, None)).Error),
                RepeatAsync(i => fs.ReleaseAsync(ino, 0, Block, ulong.MaxValue, None), FsError.Stale),
                RepeatAsync(i => fs.SyncAsync(None)));
            Assert.That(world.Node.Mount.Locks.CountUsers(), Is.Zero);
            await world.UnmountAsync();
        });
    }

    [Test]
    public async Task FreedBlocks_OverAndOver_ComeBack()
    {
        ulong ino = await CreateAsync("f");
        ulong tenth = (await StatFsAsync()).TotalDataBlocks / 10 * Block;
        for (int round = 0; round < 20; round++)
        {
            Assert.That(
                await Fs.FallocateAsync(ino, 0, tenth, false, None), Is.EqualTo(FsError.None), $"round {round}");
            Assert.That((await Fs.TruncateAsync(ino, 0, None)).Error, Is.EqualTo(FsError.None));
        }
    }

    private static async Task RepeatAsync(Func<int, ValueTask<FsError>> call, FsError expected = FsError.None)
    {
        for (int i = 0; i < 40; i++)
            Assert.That(await call(i), Is.EqualTo(expected));
    }
}
