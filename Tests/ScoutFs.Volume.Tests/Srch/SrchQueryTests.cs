using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Tests.Srch;

/// <summary>Searches over sorted files, log files and log trees, against counting all entries.</summary>
public sealed class SrchQueryTests
{
    private const ulong Hash = 42;

    [Test]
    public async Task Search_RandomFiles_AgreesWithCounting(
        [Values(1UL, 2UL, 3UL)] ulong seed, [Values(3, 50, 100_000)] int maxCandidates)
    {
        using var world = new MetaWorld(seed, cacheBlocks: 24);
        var all = new List<SrchEntry>();
        var roots = await BuildAsync(world, all);
        var query = new SrchQuery(world.Cache, _ => new((FsError.None, roots)), maxCandidates);
        for (int i = 0; i < 20; i++)
        {
            ulong first = world.Prng.NextUInt64(3000);
            ulong last = first + world.Prng.NextUInt64(3000);
            var expected = Expected(all, first, last);
            var found = new List<ulong>();
            var part = new List<ulong>();
            for (bool isComplete = false; !isComplete; first = part.Count > 0 ? part[^1] + 1 : first)
            {
                (var error, isComplete) = await query.SearchAsync(Hash, first, last, part, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{query.Fault}");
                Assert.That(isComplete || part.Count > 0, Is.True, "a search that stops early has found something");
                found.AddRange(part);
            }

            Assert.That(found, Is.EqualTo(expected));
        }
    }

    [Test]
    public async Task Search_StaleRoots_StartsOverAndGivesUpWhenTheyStay()
    {
        using var world = new MetaWorld(9);
        var all = new List<SrchEntry>();
        var roots = await BuildAsync(world, all);
        var stale = roots;
        stale.SrchRoot.Ref.Seq = stale.SrchRoot.Ref.Seq + 1;
        int asked = 0;
        var query = new SrchQuery(world.Cache, _ => new((FsError.None, asked++ == 0 ? stale : roots)));
        var found = new List<ulong>();
        var (error, isComplete) = await query.SearchAsync(
            Hash, 0, ulong.MaxValue, found, CancellationToken.None);
        Assert.That((error, isComplete), Is.EqualTo((FsError.None, true)));
        Assert.That(found, Is.EqualTo(Expected(all, 0, ulong.MaxValue)));

        query = new SrchQuery(world.Cache, _ => new((FsError.None, stale)));
        (error, _) = await query.SearchAsync(Hash, 0, ulong.MaxValue, found, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.Io));
        Assert.That(found, Is.Empty);
    }

    private static List<ulong> Expected(List<SrchEntry> all, ulong first, ulong last) => [.. all
        .Where(entry => entry.Hash == Hash && entry.Ino >= first && entry.Ino <= last)
        .GroupBy(entry => (Ino: entry.Ino.Value, Id: entry.Id.Value))
        .Where(group => group.Count() % 2 == 1)
        .Select(group => group.Key.Ino)
        .Distinct()
        .Order()];

    private static async Task<WireRoots> BuildAsync(MetaWorld world, List<SrchEntry> all)
    {
        var items = new SortedDictionary<ItemKey, byte[]>();
        for (int i = 0; i < 3; i++)
        {
            var entries = RandomEntries(world.Prng, 9000, all);
            entries.Sort((left, right) => SrchEntry.Compare(left, right));
            var sorted = await SrchFiles.WriteAsync(world, entries);
            items[new(KeyZone.Srch, 0, KeyType.SrchSorted, sorted.Blocks, sorted.Ref.Blkno)] = Bytes(sorted);
            var log = await SrchFiles.WriteAsync(world, RandomEntries(world.Prng, 1500, all));
            items[new(KeyZone.Srch, 0, KeyType.SrchLog, log.Ref.Blkno)] = Bytes(log);
        }

        var roots = new WireRoots { SrchRoot = await BuildTreeAsync(world, items) };
        items.Clear();
        for (ulong rid = 1; rid <= 3; rid++)
        {
            var logTrees = new LogTrees { Rid = rid, Nr = 1 };
            if (rid != 2)
                logTrees.SrchFile = await SrchFiles.WriteAsync(world, RandomEntries(world.Prng, 200, all));
            items[Keys.LogTrees(rid, 1)] = Bytes(logTrees);
        }

        roots.LogsRoot = await BuildTreeAsync(world, items);
        return roots;
    }

    private static Task<BtreeRoot> BuildTreeAsync(MetaWorld world, SortedDictionary<ItemKey, byte[]> items) =>
        world.BuildTreeAsync(items.Select(item => new MetaItem(item.Key, 0, 0, item.Value)));

    private static byte[] Bytes<T>(T value)
        where T : unmanaged => Disk.Bytes(in value).ToArray();

    private static List<SrchEntry> RandomEntries(Prng prng, int count, List<SrchEntry> all)
    {
        var entries = new List<SrchEntry>();
        for (int i = 0; i < count; i++)
        {
            // Many of another hash, and few of the wanted one, so that they meet and cancel.
            ulong hash = prng.NextInt32(3) == 0 ? Hash : prng.NextUInt64(80);
            entries.Add(new SrchEntry(hash, prng.NextUInt64(4000), prng.NextUInt64(3)));
        }

        all.AddRange(entries);
        return entries;
    }
}
