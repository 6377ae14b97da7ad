using System.Linq;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class NameTextTests
{
    [Test]
    public void Decode_InvalidUtf8_EscapesEveryByte()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(NameText.Decode([0x61, 0xff, 0x62]), Is.EqualTo("a\udcffb"));
            Assert.That(NameText.Decode([0xed, 0xa0, 0x80]), Is.EqualTo("\udced\udca0\udc80"));
            Assert.That(NameText.Decode([0xe2, 0x82]), Is.EqualTo("\udce2\udc82"));
            Assert.That(NameText.Decode([0xf0, 0x9f, 0x98, 0x80]), Is.EqualTo("\U0001f600"));
        }
    }

    [Test]
    public void TryEncode_WhatDecodeGave_IsTheSameBytes()
    {
        var prng = new Prng(3);
        for (int i = 0; i < 20000; i++)
        {
            byte[] name = new byte[1 + prng.NextInt32(12)];
            prng.Fill(name);
            if (i % 2 == 0)
                name = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(name)).Concat(name.Take(2)).ToArray();
            bool isEncoded = NameText.TryEncode(NameText.Decode(name), out byte[] back);
            Assert.That(isEncoded && back.SequenceEqual(name), Is.True, () => $"{NameText.Printable(name)}");
        }
    }

    // As numbers: strings in attributes cannot hold lone surrogates. The last one is é, spelt as escapes.
    [TestCase(0xd800)]
    [TestCase(0xdc7f)]
    [TestCase(0xdd00)]
    [TestCase(0xdcc3, 0xdca9)]
    public void TryEncode_NoName_IsRefused(params int[] units) => Assert.That(
        NameText.TryEncode(new string([.. units.Select(unit => (char)unit)]), out _), Is.False);

    [Test]
    public void Printable_TerminalEscapes_AreHarmless()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(NameText.Printable("é日本.txt"u8), Is.EqualTo("é日本.txt"));
            Assert.That(NameText.Printable("a\x1b[2Jb\n"u8), Is.EqualTo(@"a\x1b[2Jb\x0a"));
            Assert.That(NameText.Printable("a\u202eb"u8), Is.EqualTo(@"a\xe2\x80\xaeb"));
            Assert.That(NameText.Printable([0xff]), Is.EqualTo(@"\xff"));
        }
    }
}
