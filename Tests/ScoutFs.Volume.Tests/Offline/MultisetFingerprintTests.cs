using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Sums of digests against multisets that are kept.</summary>
[TestFixture]
internal sealed class MultisetFingerprintTests
{
    private readonly KeyedDigest _digest = new(new Prng(4711));

    [Test]
    public void IsZero_EqualMultisetsInAnyOrder_IsTrue()
    {
        var random = new Prng(1);
        var members = Enumerable.Range(0, 10_000).Select(_ => random.NextUInt64(500)).ToList();
        var fingerprint = new MultisetFingerprint();
        foreach (ulong member in members)
            fingerprint.Add(BucketOf(member), _digest.Of(member));
        Assert.That(fingerprint.IsZero, Is.False);
        members.Sort();
        foreach (ulong member in members)
            fingerprint.Subtract(BucketOf(member), _digest.Of(member));
        Assert.That(fingerprint.IsZero, Is.True);
        Assert.That(fingerprint.CountMismatches, Is.Zero);
        Assert.That(fingerprint.Members, Is.EqualTo(20_000));
    }

    [Test]
    public void IsMismatch_RandomMultisets_IsTrueExactlyWhereTheyDiffer()
    {
        var random = new Prng(2);
        for (int round = 0; round < 200; round++)
        {
            var fingerprint = new MultisetFingerprint();
            var counts = new Dictionary<ulong, int>();
            for (int i = 0; i < 300; i++)
            {
                ulong member = random.NextUInt64(100);
                int sign = random.NextInt32(2) == 0 ? 1 : -1;
                counts[member] = counts.GetValueOrDefault(member) + sign;
                if (sign > 0)
                    fingerprint.Add(BucketOf(member), _digest.Of(member));
                else
                    fingerprint.Subtract(BucketOf(member), _digest.Of(member));
            }

            var expected = counts.Where(count => count.Value != 0).Select(count => BucketOf(count.Key)).ToHashSet();
            var actual = Enumerable.Range(0, MultisetFingerprint.Buckets).Where(fingerprint.IsMismatch);
            Assert.That(actual, Is.EquivalentTo(expected));
            Assert.That(fingerprint.CountMismatches, Is.EqualTo(expected.Count));
        }
    }

    [Test]
    public void Toggle_EvenNumberOfTimes_CancelsOut()
    {
        var fingerprint = new MultisetFingerprint();
        foreach (ulong member in new ulong[] { 1, 2, 3, 2, 1, 3, 3, 3 })
            fingerprint.Toggle(BucketOf(member), _digest.Of(member));
        Assert.That(fingerprint.IsZero, Is.True);
        fingerprint.Toggle(BucketOf(9), _digest.Of(9));
        Assert.That(fingerprint.IsMismatch(BucketOf(9)), Is.True);
    }

    [Test]
    public void Digest_ManyRecordsOfOneShape_AreDistinct()
    {
        var seen = new HashSet<ulong>();
        byte[] bytes = new byte[64];
        int records = 0;
        for (ulong a = 0; a < 64; a++)
        {
            for (ulong b = 0; b < 64; b++)
            {
                _ = seen.Add(_digest.Of(a, b));
                _ = seen.Add(_digest.Of(a, b, 7));
                _ = seen.Add(_digest.Of(a, b, 7, 9));
                records += 3;
            }
        }

        for (int length = 0; length <= bytes.Length; length++)
        {
            for (int bit = 0; bit < 8 * length; bit++)
            {
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                _ = seen.Add(_digest.Of(1, bytes.AsSpan(0, length)));
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                records++;
            }

            _ = seen.Add(_digest.Of(1, bytes.AsSpan(0, length)));
            _ = seen.Add(_digest.Of(2, bytes.AsSpan(0, length)));
            records += 2;
        }

        Assert.That(seen, Has.Count.EqualTo(records));
    }

    [Test]
    public void Digest_OtherKey_IsAnother()
    {
        var other = new KeyedDigest(new Prng(4712));
        Assert.That(other.Of(1, 2), Is.Not.EqualTo(_digest.Of(1, 2)));
        Assert.That(other.Of(1, "bytes"u8), Is.Not.EqualTo(_digest.Of(1, "bytes"u8)));
        Assert.That(new KeyedDigest(new Prng(4711)).Of(1, "bytes"u8), Is.EqualTo(_digest.Of(1, "bytes"u8)));
    }

    [Test]
    public void BucketOf_SmallNumbers_FillsBucketsEvenly()
    {
        int[] counts = new int[MultisetFingerprint.Buckets];
        for (ulong ino = 0; ino < 100 * MultisetFingerprint.Buckets; ino++)
            counts[BucketOf(ino)]++;
        Assert.That(counts, Is.All.InRange(40, 170));
    }

    private int BucketOf(ulong member) => MultisetFingerprint.BucketOf(_digest.Of(member));
}
