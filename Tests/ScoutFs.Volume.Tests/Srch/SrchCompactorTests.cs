using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Tests.Srch;

/// <summary>Compactions of srch files, in many parts, against counting entries.</summary>
public sealed class SrchCompactorTests
{
    private const int ListBlocks = 1000;

    [Test]
    public async Task Compact_LogsThenSortedThenDelete_KeepsWhatIsOddAndEveryBlock(
        [Values(1UL, 2UL)] ulong seed, [Values(30, 512)] int maxDirtyBlocks)
    {
        using var world = new MetaWorld(seed, cacheBlocks: 24);
        var compactor = new SrchCompactor(world.Device, world.Cache, world.Prng.Fork("worker"), maxDirtyBlocks, 7);
        var all = new List<SrchEntry>();
        var sorted = new List<SrchFile>();
        for (int i = 0; i < 4; i++)
        {
            var logs = new List<SrchFile>();
            for (int j = 0; j < 4; j++)
                logs.Add(await SrchFiles.WriteAsync(world, RandomEntries(world.Prng, 12_000, all)));
            sorted.Add(await CompactAsync(world, compactor, SrchCompact.FlagLog, logs));
            await CheckBlocksAsync(world, sorted);
        }

        var merged = await CompactAsync(world, compactor, SrchCompact.FlagSorted, sorted);
        await CheckBlocksAsync(world, [merged]);
        var entries = await SrchFiles.ReadAsync(world, merged);
        Assert.That(entries, Is.Ordered.Using<SrchEntry>((left, right) => SrchEntry.Compare(left, right)));
        Assert.That(CountOdd(entries), Is.EqualTo(CountOdd(all)));
        Assert.That(merged.Entries.Value, Is.EqualTo((ulong)entries.Count));
    }

    [Test]
    public async Task Compact_WhereEverythingCancels_HasNoOutput()
    {
        using var world = new MetaWorld(5);
        var compactor = new SrchCompactor(world.Device, world.Cache, world.Prng.Fork("worker"));
        var entries = RandomEntries(world.Prng, 10_000, []);
        var logs = new List<SrchFile>();
        for (int i = 0; i < 4; i++)
            logs.Add(await SrchFiles.WriteAsync(world, entries));
        var merged = await CompactAsync(world, compactor, SrchCompact.FlagLog, logs);
        Assert.That(merged.Blocks.Value, Is.Zero);
        Assert.That(world.Allocated, Is.Empty);
    }

    [Test]
    public async Task Compact_ThatCannotWrite_AnswersTheRequestWithError()
    {
        using var world = new MetaWorld(6);
        await using var device = new MemoryBlockDevice("too small", 1 << 16);
        var compactor = new SrchCompactor(device, world.Cache, world.Prng.Fork("worker"));
        var logs = new List<SrchFile>();
        for (int i = 0; i < 4; i++)
            logs.Add(await SrchFiles.WriteAsync(world, RandomEntries(world.Prng, 1000, [])));
        var request = Request(SrchCompact.FlagLog, logs);
        request.MetaAvail = await world.MakeListAsync(ListBlocks);
        var (answer, error, _) = await compactor.RunAsync(request, CancellationToken.None);
        Assert.That(error, Is.Not.EqualTo(FsError.None));
        Assert.That(answer.Flags, Is.EqualTo(SrchCompact.FlagLog | SrchCompact.FlagError));
        answer.Flags = request.Flags;
        Assert.That(Disk.Bytes(in answer).SequenceEqual(Disk.Bytes(in request)), Is.True);
    }

    [TestCase(0)]
    [TestCase(SrchCompact.FlagLog | SrchCompact.FlagSorted)]
    [TestCase(SrchCompact.FlagLog | SrchCompact.FlagDone)]
    public async Task Compact_RequestOfNoKind_AnswersError(int flags)
    {
        using var world = new MetaWorld(7);
        var compactor = new SrchCompactor(world.Device, world.Cache, world.Prng.Fork("worker"));
        var (answer, error, _) = await compactor.RunAsync(
            new SrchCompact { Nr = 4, Flags = (byte)flags }, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.Corrupt));
        Assert.That(answer.Flags & SrchCompact.FlagError, Is.Not.Zero);
    }

    // Both phases, in as many requests as it takes, each with fresh lists.
    private static async Task<SrchFile> CompactAsync(
        MetaWorld world, SrchCompactor compactor, byte kind, List<SrchFile> inputs)
    {
        var compact = await RunToEndAsync(world, compactor, Request(kind, inputs));
        var merged = compact.Out;
        for (int i = 0; i < compact.Nr; i++)
        {
            compact.Inputs[i].Blk = 0;
            compact.Inputs[i].Pos = 0;
        }

        compact.Flags = SrchCompact.FlagDelete;
        compact = await RunToEndAsync(world, compactor, compact);
        for (int i = 0; i < compact.Nr; i++)
            Assert.That(compact.Inputs[i].Pos.Value, Is.EqualTo(compact.Inputs[i].File.Height + 1UL));
        return merged;
    }

    private static async Task<SrchCompact> RunToEndAsync(MetaWorld world, SrchCompactor compactor, SrchCompact compact)
    {
        byte kind = compact.Flags;
        for (int requests = 0; (compact.Flags & SrchCompact.FlagDone) == 0; requests++)
        {
            Assert.That(requests, Is.LessThan(1000), "the compaction goes on");
            compact.Flags = kind;
            compact.MetaAvail = await world.MakeListAsync(ListBlocks);
            (compact, var error, var fault) = await compactor.RunAsync(compact, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
            await world.FreeListAsync(compact.MetaAvail);
            await world.FreeListAsync(compact.MetaFreed);
            compact.MetaAvail = default;
            compact.MetaFreed = default;
        }

        return compact;
    }

    private static SrchCompact Request(byte kind, List<SrchFile> inputs)
    {
        var compact = new SrchCompact { Id = inputs[0].Ref.Blkno, Nr = (byte)inputs.Count, Flags = kind };
        for (int i = 0; i < inputs.Count; i++)
            compact.Inputs[i].File = inputs[i];
        return compact;
    }

    private static async Task CheckBlocksAsync(MetaWorld world, List<SrchFile> files)
    {
        var places = world.NewPlaces();
        foreach (var file in files)
            await places.AddSrchAsync(file);
        places.AssertEachOnce();
        Assert.That(world.Allocated.SetEquals(places.Places), Is.True, "no block lost");
    }

    private static List<string> CountOdd(List<SrchEntry> entries) => [.. entries
        .GroupBy(entry => entry)
        .Where(group => group.Count() % 2 == 1)
        .Select(group => group.Key.ToString())
        .Order()];

    private static List<SrchEntry> RandomEntries(Prng prng, int count, List<SrchEntry> all)
    {
        var entries = new List<SrchEntry>();
        for (int i = 0; i < count; i++)
        {
            var entry = prng.NextInt32(2) == 0
                ? new SrchEntry(prng.NextUInt64(3), prng.NextUInt64(20_000), 0)
                : new SrchEntry(prng.NextUInt64(), prng.NextUInt64(), prng.NextUInt64());
            entries.Add(entry);
        }

        all.AddRange(entries);
        return entries;
    }
}
