using System;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>The sequences are part of every recorded seed: a change here makes old seeds worthless.</summary>
[TestFixture]
internal sealed class PrngTests
{
    // Computed from the published definitions of xoshiro256** seeded by splitmix64.
    [TestCase(0ul, 0x99ec5f36cb75f2b4ul, 0xbf6e1f784956452aul, 0x1a5f849d4933e6e0ul)]
    [TestCase(1ul, 0xb3f2af6d0fc710c5ul, 0x853b559647364ceaul, 0x92f89756082a4514ul)]
    [TestCase(0x5eedul, 0xef33f17055244b74ul, 0xe1f591112fb5051bul, 0xd8ab05640214863aul)]
    [TestCase(ulong.MaxValue, 0x8f5520d52a7ead08ul, 0xc476a018caa1802dul, 0x81de31c0d260469eul)]
    public void NextUInt64_KnownSeed_GivesKnownValues(ulong seed, ulong first, ulong second, ulong third)
    {
        var random = new Prng(seed);
        ulong[] actual = [random.NextUInt64(), random.NextUInt64(), random.NextUInt64()];
        Assert.That(actual, Is.EqualTo(new[] { first, second, third }));
    }

    [Test]
    public void NextInt32_KnownSeed_GivesKnownValues()
    {
        var random = new Prng(1);
        int[] actual = new int[8];
        for (int i = 0; i < actual.Length; i++)
            actual[i] = random.NextInt32(10);
        Assert.That(actual, Is.EqualTo(new[] { 7, 5, 5, 3, 6, 1, 0, 3 }));
    }

    [TestCase(1ul)]
    [TestCase(3ul)]
    [TestCase(ulong.MaxValue)]
    public void NextUInt64_Bounded_StaysBelow(ulong bound)
    {
        var random = new Prng(99);
        for (int i = 0; i < 1000; i++)
            Assert.That(random.NextUInt64(bound), Is.LessThan(bound));
    }

    [Test]
    public void NextUInt64_BoundOfZero_BreaksInvariant() =>
        Assert.That(() => new Prng(1).NextUInt64(0), Throws.TypeOf<InvariantException>());

    [Test]
    public void NextInt32_SmallBound_HitsEveryValueEvenly()
    {
        var random = new Prng(5);
        int[] hits = new int[7];
        for (int i = 0; i < 70_000; i++)
            hits[random.NextInt32(hits.Length)]++;
        Assert.That(hits, Is.All.InRange(9_600, 10_400));
    }

    [Test]
    public void Fill_OddLength_GivesBytesOfTheSequence()
    {
        byte[] bytes = new byte[11];
        new Prng(1).Fill(bytes);
        Assert.That(Convert.ToHexStringLower(bytes), Is.EqualTo("c510c70f6daff2b3ea4c36"));
    }

    [Test]
    public void Fork_SameName_GivesSameKnownSequence()
    {
        var fork = new Prng(1).Fork("alloc");
        ulong[] actual = [fork.NextUInt64(), fork.NextUInt64()];
        Assert.That(actual, Is.EqualTo(new[] { 0x79246ba14905318e, 0x3948d84b78d97cde }));
    }

    [Test]
    public void Fork_LeavesParentAlone_AndDiffersByName()
    {
        var parent = new Prng(1);
        ulong alloc = parent.Fork("alloc").NextUInt64();
        ulong srch = parent.Fork("srch").NextUInt64();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(alloc, Is.Not.EqualTo(srch));
            Assert.That(parent.NextUInt64(), Is.EqualTo(new Prng(1).NextUInt64()));
        }
    }
}
