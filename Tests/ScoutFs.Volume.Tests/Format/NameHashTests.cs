using System;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Format;

/// <summary>Vectors of format §11.2, and every length against the definition bit by bit.</summary>
[TestFixture]
internal sealed class NameHashTests
{
    [TestCase("a", 0x61000000e40c292cul)]
    [TestCase("ab", 0x616200004d2505caul)]
    [TestCase("foo", 0x666f6f00a9f37ed7ul)]
    [TestCase("file", 0x66696c65aaea5743ul)]
    [TestCase("hello", 0x68656c6c4f9f2cabul)]
    [TestCase("hello.txt", 0x6466774629c146cdul)]
    [TestCase("lost+found", 0x67547574a3603574ul)]
    [TestCase("abcdefghijklmnopqrstuvwxyz0123456789", 0x666d7036762088cdul)]
    [TestCase("\u00e9t\u00e9", 0xc3a974c3ffb58817ul)]
    public void Compute_Name_MatchesFormat(string name, ulong expected) =>
        Assert.That(NameHash.Compute(Encoding.UTF8.GetBytes(name)), Is.EqualTo(expected));

    [Test]
    public void Compute_LongestName_MatchesFormat()
    {
        byte[] name = new byte[FormatConstants.MaxNameBytes];
        name.AsSpan().Fill((byte)'x');
        Assert.That(NameHash.Compute(name), Is.EqualTo(0x0f0f0f0f6318963f));
    }

    [Test]
    public void Compute_EveryLength_EqualsDefinition()
    {
        var random = new Prng(0x4a3e);
        byte[] buffer = new byte[FormatConstants.MaxNameBytes];
        for (int length = 0; length <= buffer.Length; length++)
        {
            for (int round = 0; round < 50; round++)
            {
                var name = buffer.AsSpan(0, length);
                random.Fill(name);
                ulong expected = ((ulong)DefinedFingerprint(name) << 32) | Fnv1a.Hash32(name);
                if (NameHash.Compute(name) != expected)
                    Assert.Fail($"wrong for {Convert.ToHexString(name)}");
            }
        }
    }

    private static uint DefinedFingerprint(ReadOnlySpan<byte> name)
    {
        int bits = 8 * name.Length;
        int step = Math.Max(bits / 32, 1);
        uint fingerprint = 0;
        for (int j = 0; j < 32 && j * step < bits; j++)
        {
            int bit = j * step;
            if ((name[bit / 8] & (0x80 >> (bit % 8))) != 0)
                fingerprint |= 1u << (31 - j);
        }

        return fingerprint;
    }
}
