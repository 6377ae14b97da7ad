using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Simulation.World;

public sealed class SparsePagesModelTests
{
    [TestCase(1L)]
    [TestCase(256L)]
    [TestCase(257L)]
    [TestCase(70_000L)]
    [TestCase(1L << 40)]
    public void Pages_RandomChangesAndForks_EqualDictionaries(long countPages)
    {
        var prng = new Prng((ulong)countPages);
        var maps = new List<SparsePages> { new(countPages) };
        var models = new List<SortedDictionary<long, SimPage>> { new() };
        for (int round = 0; round < 3000; round++)
        {
            int which = prng.NextInt32(maps.Count);
            long index = prng.NextInt32(4) == 0
                ? (long)prng.NextUInt64((ulong)countPages)
                : (long)prng.NextUInt64(ulong.Min(600, (ulong)countPages));
            switch (prng.NextInt32(20))
            {
                case 0 when maps.Count < 8:
                    maps.Add(maps[which].Fork());
                    models.Add(new SortedDictionary<long, SimPage>(models[which]));
                    break;
                case < 10:
                    var page = new SimPage([], round);
                    maps[which].Set(index, page);
                    models[which][index] = page;
                    break;
                default:
                    bool isFound = maps[which].TryGet(index, out var got);
                    Assert.That(isFound, Is.EqualTo(models[which].TryGetValue(index, out var expected)));
                    Assert.That(got, Is.EqualTo(isFound ? expected : default));
                    break;
            }
        }

        for (int i = 0; i < maps.Count; i++)
            Assert.That(IndexesOf(maps[i]), Is.EqualTo(models[i].Keys.ToList()));
    }

    private static List<long> IndexesOf(SparsePages pages)
    {
        var found = new List<long>();
        for (long index = 0; pages.TryFindNext(index, out index); index++)
            found.Add(index);
        return found;
    }
}
