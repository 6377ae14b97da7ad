using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Allocation;

/// <summary>Lists at their limits.</summary>
public sealed class ListAllocatorTests
{
    private const int MetaBlocks = 60_000;
    private const int FirstFreed = 20_000;

    // Engine §14 no. 1, acceptance row freed-list-wedge.
    [Test]
    public async Task Open_FreedListFullToTheBrim_HasRoomAgain([Values(1, 2, 3, 100, 2000)] int roomLeft)
    {
        using var world = new ListWorld(MetaBlocks, 8000, new Prng(1));
        int blkno = FirstFreed;
        for (int transaction = 0; transaction < 3; transaction++)
        {
            int before = (int)world.Avail.TotalNr.Value;
            var allocator = await world.OpenAsync();
            Assert.That(allocator.FreeRoomBlocks, Is.GreaterThan(ListAllocator.RotateBelowRoom - 3));
            Assert.That(allocator.AvailableBlocks, Is.EqualTo(before - 2));
            _ = allocator.Allocate();
            while (allocator.FreeRoomBlocks > roomLeft)
                allocator.Free((ulong)blkno++);
            await world.WriteAsync(allocator);
            world.Writer.Forget();
        }

        int moved = blkno - FirstFreed;
        Assert.That(world.Freed.TotalNr.Value, Is.EqualTo(moved + 3), "and the former place of each avail head");
        Assert.That(world.Freed.FirstNr.Value, Is.EqualTo(FormatConstants.ListBlockEntries - roomLeft));
    }
}
