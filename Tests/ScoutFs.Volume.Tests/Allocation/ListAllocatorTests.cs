using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Allocation;

/// <summary>Lists at their limits.</summary>
public sealed class ListAllocatorTests
{
    private const ulong Fsid = 54;
    private const int MetaBlocks = 60_000;
    private const int FirstFreed = 20_000;

    // Engine §14 no. 1, acceptance row freed-list-wedge.
    [Test]
    public async Task Open_FreedListFullToTheBrim_HasRoomAgain([Values(1, 2, 3, 100, 2000)] int roomLeft)
    {
        await using var device = new MemoryBlockDevice("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);
        using var cache = new BlockCache(device, 64, Fsid, MetaBlocks, BtreeShape.Verify);
        using var writer = new BlockWriter(device, 2000, Fsid, new Prng(1));
        var avail = BlockPlaces.WriteFirstList(device, Fsid, 8000);
        var freed = default(AllocListHead);
        int blkno = FirstFreed;
        for (int transaction = 0; transaction < 3; transaction++)
        {
            int before = (int)avail.TotalNr.Value;
            var (error, allocator, fault) = await ListAllocator.OpenAsync(
                cache, writer, avail, freed, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
            Assert.That(allocator!.FreeRoomBlocks, Is.GreaterThan(ListAllocator.RotateBelowRoom - 3));
            Assert.That(allocator.AvailableBlocks, Is.EqualTo(before - 2));
            _ = allocator.Allocate();
            while (allocator.FreeRoomBlocks > roomLeft)
                allocator.Free((ulong)blkno++);
            Assert.That(await writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
            writer.Forget();
            avail = allocator.Avail;
            freed = allocator.Freed;
        }

        int moved = blkno - FirstFreed;
        Assert.That(freed.TotalNr.Value, Is.EqualTo(moved + 3), "and the former place of each avail head");
        Assert.That(freed.FirstNr.Value, Is.EqualTo(FormatConstants.ListBlockEntries - roomLeft));
    }
}
