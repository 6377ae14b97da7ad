using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Btrees;

/// <summary>Freeing whole trees in steps.</summary>
public sealed class BtreeFreeingTests
{
    [TestCase(0)]
    [TestCase(10)]
    [TestCase(5_000)]
    [TestCase(70_000)]
    public async Task Free_InSteps_FreesEveryBlockOnce(int items)
    {
        using var world = new MetaWorld(1);
        var root = await world.BuildTreeAsync(Enumerable.Range(0, items)
            .Select(i => new MetaItem(Keys.Inode((ulong)i), 1, 0, new byte[896])));
        var places = world.NewPlaces();
        await places.AddTreeAsync(root);
        var blocks = places.Places;
        Assert.That(world.Allocated.SetEquals(blocks), Is.True);

        var freeing = new BtreeFreeing(world.Cache);
        var key = ItemKey.Min;
        int total = 0;
        for (int step = 0; key != ItemKey.Max; step++)
        {
            // A step too small for the last leaf of several parents makes no progress; the next one is larger.
            int budget = 1 + (step % 62);
            (var error, var next, int freed) = await freeing.FreeAsync(
                root, key, world, budget, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{freeing.Fault}");
            Assert.That(freed, Is.LessThanOrEqualTo(budget));
            Assert.That(next, freed > 0 || items == 0 ? Is.GreaterThan(key) : Is.EqualTo(key));
            key = next;
            total += freed;
        }

        Assert.That(total, Is.EqualTo(blocks.Count));
        Assert.That(world.Allocated, Is.Empty);
    }

    [Test]
    public async Task Free_FromTheCursorOfAnotherWriter_LeavesOnlyItsLeak()
    {
        using var world = new MetaWorld(2);
        var root = await world.BuildTreeAsync(Enumerable.Range(0, 70_000)
            .Select(i => new MetaItem(Keys.Inode((ulong)i), 1, 0, new byte[896])));
        Assert.That(root.Height, Is.EqualTo(3));

        // The other writer freed exactly the first parent's leaves and left the parent.
        var (first, end) = await FirstParentAsync(world, root);
        foreach (ulong leaf in await LeavesAsync(world, first))
            world.Free(leaf);
        var freeing = new BtreeFreeing(world.Cache);
        var (error, key, _) = await freeing.FreeAsync(
            root, end.Next(), world, int.MaxValue, CancellationToken.None);
        Assert.That((error, key), Is.EqualTo((FsError.None, ItemKey.Max)));
        Assert.That(world.Allocated, Is.EqualTo(new[] { first.Blkno.Value }));
    }

    private static async Task<(BlockRef Ref, ItemKey End)> FirstParentAsync(MetaWorld world, BtreeRoot root)
    {
        var bytes = await world.ReadAsync(root.Ref, BlockMagic.Btree);
        return Find();

        (BlockRef Ref, ItemKey End) Find()
        {
            var block = new BtreeBlock(bytes);
            ref readonly var item = ref block.Item(block.First());
            return (Disk.Ref<BlockRef>(block.Value(item)), item.Key);
        }
    }

    private static async Task<List<ulong>> LeavesAsync(MetaWorld world, BlockRef parent)
    {
        var places = world.NewPlaces();
        await places.AddTreeAsync(parent, 1);
        return [.. places.Places.Skip(1)];
    }
}
