using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Tests.Srch;

/// <summary>Appending to srch files over many transactions, read back by the cursor.</summary>
public sealed class SrchLogTests
{
    [Test]
    public async Task Append_OverManyTransactions_KeepsEveryEntryAndBlock([Values(1UL, 2UL)] ulong seed)
    {
        using var world = new MetaWorld(seed);
        var file = default(SrchFile);
        var expected = new List<SrchEntry>();
        for (int transaction = 0; transaction < 40; transaction++)
        {
            var log = new SrchLog(world.Cache, world.Writer, world, file);
            for (int step = 0; step < 3; step++)
            {
                int count = 1 + world.Prng.NextInt32(2000);
                Assert.That(await log.PrepareAsync(count, CancellationToken.None), Is.EqualTo(FsError.None));
                for (int i = 0; i < count; i++)
                {
                    expected.Add(RandomEntry(world.Prng));
                    log.Append(expected[^1]);
                }
            }

            file = log.File;
            await world.CommitAsync();
        }

        Assert.That(file.Height, Is.EqualTo(2));
        Assert.That(file.Entries.Value, Is.EqualTo((ulong)expected.Count));
        Assert.That(await SrchFiles.ReadAsync(world, file), Is.EqualTo(expected));
        var places = world.NewPlaces();
        await places.AddSrchAsync(file);
        Assert.That(world.Allocated.SetEquals(places.Places), Is.True, "no block is lost");
        Assert.That(places.Places, Has.Count.EqualTo((int)file.Blocks.Value + 1));
    }

    [Test]
    public async Task Append_PastAFullParent_GrowsTheRadixTree()
    {
        using var world = new MetaWorld(3);
        var file = new SrchFile();
        var log = new SrchLog(world.Cache, world.Writer, world, file);
        Assert.That(await log.PrepareAsync(1, CancellationToken.None), Is.EqualTo(FsError.None));
        log.Append(new SrchEntry(1, 2, 3));
        var leaf = log.File.Ref;

        // A parent that is full of references to the one leaf.
        Fill();
        await world.CommitAsync();

        log = new SrchLog(world.Cache, world.Writer, world, file);
        Assert.That(await log.PrepareAsync(60_000, CancellationToken.None), Is.EqualTo(FsError.None));
        for (ulong i = 0; i < 60_000; i++)
            log.Append(new SrchEntry(i * 0x9e3779b97f4a7c15, i, i));
        await world.CommitAsync();

        file = log.File;
        Assert.That(file.Height, Is.EqualTo(3));
        using var cursor = new SrchFileCursor(world.Cache);
        cursor.SetFile(file, block: FormatConstants.SrchParentRefs - 1);
        int count = 0;
        while (await cursor.MoveNextAsync(CancellationToken.None) == BtreeStatus.Found)
            count++;
        Assert.That(cursor.Error, Is.EqualTo(FsError.None));
        Assert.That(count, Is.EqualTo(60_001));

        void Fill()
        {
            var parent = world.Writer.Create(ref file.Ref, BlockMagic.SrchParent, world);
            Disk.Slice<BlockRef>(parent, 32, FormatConstants.SrchParentRefs).Fill(leaf);
            file.Height = 2;
            file.Blocks = FormatConstants.SrchParentRefs;
            file.Entries = FormatConstants.SrchParentRefs;
        }
    }

    [Test]
    public async Task Cursor_ResumedAtEveryOffset_GivesTheRest()
    {
        using var world = new MetaWorld(4);
        var entries = new List<SrchEntry>();
        for (int i = 0; i < 7000; i++)
            entries.Add(RandomEntry(world.Prng));
        var file = await SrchFiles.WriteAsync(world, entries);
        Assert.That(file.Blocks.Value, Is.GreaterThan(1));
        using var cursor = new SrchFileCursor(world.Cache);
        using var resumed = new SrchFileCursor(world.Cache);
        cursor.SetFile(file);
        for (int i = 0; i < entries.Count; i++)
        {
            Assert.That(await cursor.MoveNextAsync(CancellationToken.None), Is.EqualTo(BtreeStatus.Found));
            resumed.SetFile(file, cursor.EntryBlock, cursor.EntryOffset);
            Assert.That(await resumed.MoveNextAsync(CancellationToken.None), Is.EqualTo(BtreeStatus.Found));
            Assert.That(resumed.Entry, Is.EqualTo(entries[i]));
        }

        // The end of a block is a place to go on, too.
        var first = await world.ReadAsync(await SrchFiles.LeafAsync(world, file, 0), BlockMagic.SrchLeaf);
        var leaf = Disk.Ref<SrchLeafHeader>(first);
        resumed.SetFile(file, 0, leaf.EntryBytes.Value);
        Assert.That(await resumed.MoveNextAsync(CancellationToken.None), Is.EqualTo(BtreeStatus.Found));
        Assert.That(resumed.Entry, Is.EqualTo(entries[(int)leaf.EntryNr.Value]));
        resumed.SetFile(file, file.Blocks, 0);
        Assert.That(await resumed.MoveNextAsync(CancellationToken.None), Is.EqualTo(BtreeStatus.End));

        resumed.SetFile(file, 0, 1);
        Assert.That(await resumed.MoveNextAsync(CancellationToken.None), Is.EqualTo(BtreeStatus.Corrupt));
    }

    [Test]
    public async Task Prepare_WithoutBuffers_IsNoSpace()
    {
        using var world = new MetaWorld(5, writerBlocks: 16);
        var log = new SrchLog(world.Cache, world.Writer, world, default);
        Assert.That(await log.PrepareAsync(100_000, CancellationToken.None), Is.EqualTo(FsError.NoSpace));
        Assert.That(log.PreparedEntries, Is.Zero);
        Assert.That(await log.PrepareAsync(10, CancellationToken.None), Is.EqualTo(FsError.None));
    }

    private static SrchEntry RandomEntry(Prng prng) => prng.NextInt32(4) == 0
        ? new SrchEntry(prng.NextUInt64(), prng.NextUInt64(), prng.NextUInt64())
        : new SrchEntry(prng.NextUInt64(100), prng.NextUInt64(100_000), prng.NextUInt64(4));
}
