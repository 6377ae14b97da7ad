using System.Collections.Generic;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows enospc and large-fragmented-free (engine §14 no. 38, 52).</summary>
internal sealed class EnospcTests : AcceptanceFixture
{
    // Little above what the leader keeps for itself, so that it does not take long to fill.
    private const ulong MetaBlocks = 104_000;
    private const ulong DataBlocks = 500_000;

    [Test]
    public async Task Data_FilledAndDeleted_IsAllFreeAgain()
    {
        await SyncAsync();
        ulong free = (await StatFsAsync()).FreeDataBlocks;
        var inos = new List<ulong>();
        for (int i = 0; i < 5; i++)
            inos.Add(await CreateAsync($"f{i}"));
        ulong allocated = 0;
        const ulong Piece = 1UL << 25;
        for (bool isFull = false; !isFull;)
        {
            foreach (ulong ino in inos)
            {
                var error = await Fs.FallocateAsync(ino, allocated, Piece, true, None);
                isFull |= error != FsError.None;
                Assert.That(error, Is.AnyOf(FsError.None, FsError.NoSpace));
            }

            allocated += Piece;
        }

        await SyncAsync();
        Assert.That((await StatFsAsync()).FreeDataBlocks.Value, Is.LessThan(free / 20), "no premature end");
        Assert.That((await Fs.WriteAsync(inos[0], 1UL << 40, new byte[1 << 20], false, false, None)).Error,
            Is.AnyOf(FsError.None, FsError.NoSpace));
        for (int i = 0; i < inos.Count; i++)
            await UnlinkAsync($"f{i}");
        await DrainAsync();
        await RemountAsync();
        Assert.That((await StatFsAsync()).FreeDataBlocks.Value, Is.EqualTo(free));
        Assert.That(
            await Fs.FallocateAsync(await CreateAsync("again"), 0, Piece, true, None), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Metadata_FilledAndDeleted_TakesFilesAgain()
    {
        int made = 0;
        byte[] value = Random(65_535);
        for (var error = FsError.None; error == FsError.None;)
        {
            (error, ulong ino, _) = await TryCreateAsync($"f{made}");
            Assert.That(error, Is.AnyOf(FsError.None, FsError.NoSpace));
            if (error != FsError.None)
                break;
            made++;
            for (int i = 0; i < 4 && error == FsError.None; i++)
                error = await TrySetXattrAsync(ino, $"user.a{i}", value);
            Assert.That(error, Is.AnyOf(FsError.None, FsError.NoSpace));
        }

        Assert.That(made, Is.GreaterThan(100), "no premature end");
        for (int i = 0; i < made; i++)
            await UnlinkAsync($"f{i}");
        await DrainAsync();
        var created = FsError.NoSpace;
        for (int i = 0; i < 20 && created != FsError.None; i++)
        {
            await SyncAsync();
            (created, _, _) = await TryCreateAsync("again");
        }

        Assert.That(created, Is.EqualTo(FsError.None));
    }

    protected override Task<(IBlockDevice Meta, IBlockDevice Data)> FormatAsync() =>
        TestNode.FormatAsync(MetaBlocks, DataBlocks);
}
