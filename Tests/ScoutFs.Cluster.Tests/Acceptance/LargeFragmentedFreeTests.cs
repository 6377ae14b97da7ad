using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Blocks;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row large-fragmented-free, trap 38 of engine §14.</summary>
internal sealed class LargeFragmentedFreeTests : AcceptanceFixture
{
    private static readonly int Extents = Count(5_000, 600 * 8192);

    [Test]
    public async Task Unlink_OfAFileOfSingleBlocks_Ends()
    {
        // By turns, so that neighbours in a file are none on the device.
        ulong ino = await CreateAsync("fragmented");
        ulong other = await CreateAsync("other");
        for (int i = 0; i < Extents; i++)
        {
            await WriteAsync(ino, (ulong)i * 2 * Block, new byte[Block]);
            await WriteAsync(other, (ulong)i * 2 * Block, new byte[Block]);
        }

        await SyncAsync();
        Assert.That((await ExtentsOnDiskAsync(ino)).Count, Is.EqualTo(Extents));
        ulong free = (await StatFsAsync()).FreeDataBlocks;
        await UnlinkAsync("fragmented");
        await DrainAsync();
        await SyncAsync();
        Assert.That((await StatFsAsync()).FreeDataBlocks.Value, Is.EqualTo(free + (ulong)Extents));
    }

    protected override Task<(IBlockDevice Meta, IBlockDevice Data)> FormatAsync() =>
        TestNode.FormatAsync(200_000, 3_000_000 + (2 * (ulong)Extents));
}
