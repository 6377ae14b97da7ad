using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row data-prealloc: extents of two files that are written by turns (engine §8.3).</summary>
internal sealed class DataPreallocTests : AcceptanceFixture
{
    [TestCase(32, true, 64, false, 7)]
    [TestCase(32, true, 128, false, 9)]
    [TestCase(32, true, 32, true, 32)]
    [TestCase(16, false, 64, false, 8)]
    [TestCase(16, false, 64, true, 8)]
    [TestCase(13, false, 53, false, 10)]
    public async Task Extents_OfFilesWrittenByTurns_AreTheReferences(
        int prealloc, bool isContigOnly, int blocks, bool isBackwards, int extents)
    {
        await RemountAsync(Options(prealloc, isContigOnly));
        ulong[] files = [await CreateAsync("a"), await CreateAsync("b")];
        for (int i = 0; i < blocks; i++)
        {
            foreach (ulong ino in files)
                await WriteBlocksAsync(ino, (ulong)(isBackwards ? blocks - 1 - i : i));
        }

        foreach (ulong ino in files)
            Assert.That(await ExtentsOnDiskAsync(ino), Has.Count.EqualTo(extents));
    }

    // A region as large as what is in memory; the write needs less.
    [Test]
    public async Task Write_IntoARegionThatMemoryLacksBlocksFor_Ends()
    {
        await RemountAsync(Options(2048, isContigOnly: false));
        ulong file = await CreateAsync("a");
        await WriteAsync(file, 0, new byte[2048 * (int)Block]);
        ulong other = await CreateAsync("b");
        ulong free;
        lock (Node.Mount.Gate)
            free = Node.Mount.Transaction.DataSpace.FreeBlocks;
        Assert.That(
            await Fs.FallocateAsync(other, 0, (free - 1500) * Block, false, None), Is.EqualTo(FsError.None));
        await WriteAsync(file, 3840 * Block, new byte[256 * (int)Block]).WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Test]
    public async Task Extents_OfFilesStagedByTurns_AreOfThePreallocatedSize([Values] bool isContigOnly)
    {
        await RemountAsync(Options(16, isContigOnly));
        ulong[] files = [await CreateAsync("a"), await CreateAsync("b")];
        foreach (ulong ino in files)
        {
            await WriteAsync(ino, 0, Random(64 * (int)Block));
            await ReleaseAsync(ino);
        }

        for (int i = 0; i < 64; i++)
        {
            foreach (ulong ino in files)
            {
                await StageAsync(
                    ino, (ulong)i * Block, Random(64 * (int)Block)[(i * (int)Block)..((i + 1) * (int)Block)]);
            }
        }

        foreach (ulong ino in files)
        {
            Assert.That(await ExtentsOnDiskAsync(ino), Has.Count.EqualTo(4));
            Assert.That(await CountsAsync(ino), Is.EqualTo((64UL, 0UL)));
            Assert.That(await ReadAsync(ino, 0, 64 * (int)Block), Is.EqualTo(Random(64 * (int)Block)));
        }
    }

    [Test]
    public async Task Write_IntoAPartlyFilledRegion_FillsOnlyTheHole()
    {
        await RemountAsync(Options(8, false));
        ulong ino = await CreateAsync("f");

        // Enough online blocks that whole regions are allocated.
        await WriteAsync(ino, 800 * Block, Random(16 * (int)Block));
        Assert.That(await Fs.FallocateAsync(ino, 2 * Block, Block, true, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.FallocateAsync(ino, 6 * Block, Block, true, None), Is.EqualTo(FsError.None));
        await WriteBlocksAsync(ino, 4);
        Assert.That(await CoveredAsync(ino, 8), Is.EqualTo(new ulong[] { 2, 4, 5, 6 }));
        await WriteBlocksAsync(ino, 7);
        Assert.That(await CoveredAsync(ino, 8), Is.EqualTo(new ulong[] { 2, 4, 5, 6, 7 }));
        await WriteBlocksAsync(ino, 0);
        Assert.That(await CoveredAsync(ino, 8), Is.EqualTo(new ulong[] { 0, 1, 2, 4, 5, 6, 7 }));
        await WriteBlocksAsync(ino, 3);
        Assert.That(await CoveredAsync(ino, 9), Is.EqualTo(new ulong[] { 0, 1, 2, 3, 4, 5, 6, 7 }));
    }

    // Engine §14 no. 6.
    [Test]
    public async Task RegionMode_OfManySmallFiles_WastesNothing()
    {
        await RemountAsync(Options(2048, false));
        for (int i = 0; i < 1000; i++)
            await WriteBlocksAsync(await CreateAsync($"f{i}"), 0);
        ulong free = 0;
        foreach (var entry in await ListAsync(Root))
        {
            if (entry.Name[^1] != '0')
                continue;
            var extents = await ExtentsOnDiskAsync(entry.Ino);
            free += extents.Where(extent => extent.IsUnwritten).Aggregate(0UL, (sum, one) => sum + one.CountBlocks);
        }

        Assert.That(free, Is.Zero);
    }

    private static MountOptions Options(int prealloc, bool isContigOnly) =>
        new() { DataPreallocBlocks = (ulong)prealloc, DataPreallocContigOnly = isContigOnly };

    private async Task<List<ulong>> CoveredAsync(ulong ino, ulong end)
    {
        var covered = new List<ulong>();
        foreach (var extent in await ExtentsOnDiskAsync(ino))
        {
            for (ulong block = extent.LogicalBlock; block < extent.EndBlock && block < end; block++)
                covered.Add(block);
        }

        return covered;
    }
}
