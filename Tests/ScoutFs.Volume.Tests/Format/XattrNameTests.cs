using System;
using System.Linq;
using System.Numerics;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Format;

/// <summary>Tags, numbers and hashes of xattr names (format §10.5, §10.9, §10.10, §11.3).</summary>
[TestFixture]
internal sealed class XattrNameTests
{
    [TestCase("user.test", 0xf21778d1u)]
    [TestCase("user.foo", 0xa47a061bu)]
    [TestCase("scoutfs.srch.foo", 0xdc5633f9u)]
    [TestCase("security.selinux", 0x118241bdu)]
    [TestCase("system.posix_acl_access", 0x0cad41c7u)]
    public void Hash_Name_MatchesFormat(string name, uint expected) =>
        Assert.That(XattrName.Hash(Encoding.UTF8.GetBytes(name)), Is.EqualTo(expected));

    [Test]
    public void SrchHash_Name_MatchesFormat() =>
        Assert.That(XattrName.SrchHash("scoutfs.srch.foo"u8), Is.EqualTo(0xf720b33bf1b24954));

    [TestCase("scoutfs.hide.x", XattrTags.Hide)]
    [TestCase("scoutfs.indx.x", XattrTags.Indx)]
    [TestCase("scoutfs.srch.x", XattrTags.Srch)]
    [TestCase("scoutfs.totl.x", XattrTags.Totl)]
    [TestCase("scoutfs.hide.srch.totl.a.1.2.3", XattrTags.Hide | XattrTags.Srch | XattrTags.Totl)]
    [TestCase("scoutfs.totl.srch.hide.a.1.2.3", XattrTags.Hide | XattrTags.Srch | XattrTags.Totl)]
    [TestCase("scoutfs.srch.hide.", XattrTags.Srch | XattrTags.Hide)]
    [TestCase("scoutfs.srch.srch.x", XattrTags.Srch)]
    [TestCase("scoutfs.totl.indx.1.2.3", XattrTags.Totl | XattrTags.Indx)]
    [TestCase("scoutfs.hide.foo.srch.x", XattrTags.Hide, Description = "the first part that is no tag ends them")]
    [TestCase("scoutfs.foo.srch.xx", XattrTags.None, Description = "must begin with a tag")]
    [TestCase("scoutfs.hide.", XattrTags.None, Description = "13 bytes: too short")]
    [TestCase("scoutfs.srchxx", XattrTags.None)]
    [TestCase("scoutfs.SRCH.x", XattrTags.None)]
    [TestCase("user.hide.srch.x", XattrTags.None)]
    [TestCase("Scoutfs.hide.x", XattrTags.None)]
    [TestCase("scoutfs.hide.srch", XattrTags.Hide, Description = "a tag ends in a dot")]
    [TestCase("", XattrTags.None)]
    public void TagsOf_Name_AreThose(string name, XattrTags expected) =>
        Assert.That(XattrName.TagsOf(Encoding.UTF8.GetBytes(name)), Is.EqualTo(expected));

    [TestCase("0", 0ul)]
    [TestCase("00", 0ul)]
    [TestCase("7", 7ul)]
    [TestCase("10", 10ul)]
    [TestCase("010", 8ul)]
    [TestCase("0x10", 16ul)]
    [TestCase("0Xff", 255ul)]
    [TestCase("0xDEADbeef", 0xdeadbeeful)]
    [TestCase("18446744073709551615", ulong.MaxValue)]
    [TestCase("0xffffffffffffffff", ulong.MaxValue)]
    [TestCase("01777777777777777777777", ulong.MaxValue, Description = "23 characters")]
    [TestCase("0x000000000000000000001", 1ul, Description = "23 characters")]
    public void TryParseNumber_Number_IsParsed(string text, ulong expected)
    {
        Assert.That(XattrName.TryParseNumber(Encoding.UTF8.GetBytes(text), out ulong value), Is.True);
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase("+1")]
    [TestCase("-1")]
    [TestCase(" 1")]
    [TestCase("1 ")]
    [TestCase("1\n")]
    [TestCase("1\0")]
    [TestCase("1_000")]
    [TestCase("0x")]
    [TestCase("0x0x1")]
    [TestCase("0xg")]
    [TestCase("x1")]
    [TestCase("08")]
    [TestCase("a")]
    [TestCase("12a")]
    [TestCase("18446744073709551616")]
    [TestCase("0x10000000000000000")]
    [TestCase("02000000000000000000000")]
    [TestCase("99999999999999999999999")]
    [TestCase("000000000000000000000001", Description = "24 characters")]
    public void TryParseNumber_NoNumber_IsRefused(string text)
    {
        Assert.That(XattrName.TryParseNumber(Encoding.UTF8.GetBytes(text), out ulong value), Is.False);
        Assert.That(value, Is.Zero);
    }

    [Test]
    public void TryParseNumber_RandomDigits_EqualsBigInteger()
    {
        var random = new Prng(0x7071);
        for (int round = 0; round < 20000; round++)
        {
            int length = 1 + random.NextInt32(20);
            string digits = string.Concat(Enumerable.Range(0, length).Select(_ => (char)('0' + random.NextInt32(10))));
            if (digits[0] == '0' && digits.Length > 1)
                digits = "1" + digits[1..];
            var expected = BigInteger.Parse(digits, null);
            bool parsed = XattrName.TryParseNumber(Encoding.ASCII.GetBytes(digits), out ulong value);
            if (parsed != (expected <= ulong.MaxValue) || (parsed && value != expected))
                Assert.Fail(digits);
        }
    }

    [TestCase("scoutfs.totl.1.2.3", 1ul, 2ul, 3ul)]
    [TestCase("scoutfs.totl.name.with.dots.10.0x20.030", 10ul, 32ul, 24ul)]
    [TestCase("scoutfs.hide.totl.9.9.9.1.2.3", 1ul, 2ul, 3ul)]
    public void TryParseTotal_ThreeNumbers_AreParsed(string name, ulong a, ulong b, ulong c)
    {
        bool parsed = XattrName.TryParseTotal(
            Encoding.UTF8.GetBytes(name), out ulong first, out ulong second, out ulong third);
        Assert.That(parsed, Is.True);
        Assert.That(new[] { first, second, third }, Is.EqualTo(new[] { a, b, c }));
    }

    [TestCase("scoutfs.totl.2.3")]
    [TestCase("scoutfs.totl.1.2.")]
    [TestCase("scoutfs.totl.1..3")]
    [TestCase("scoutfs.totl.1.2.3.x")]
    [TestCase("scoutfs.totl.1.2.x3")]
    [TestCase("1.2.3", Description = "a dot precedes each field")]
    [TestCase("")]
    public void TryParseTotal_Otherwise_IsRefused(string name) =>
        Assert.That(XattrName.TryParseTotal(Encoding.UTF8.GetBytes(name), out _, out _, out _), Is.False);

    [TestCase("scoutfs.indx.0.0", 0, 0ul)]
    [TestCase("scoutfs.indx.a.b.255.18446744073709551615", 255, ulong.MaxValue)]
    [TestCase("scoutfs.hide.indx.0x10.010", 16, 8ul)]
    public void TryParseIndex_TwoNumbers_AreParsed(string name, int major, ulong minor)
    {
        bool parsed = XattrName.TryParseIndex(Encoding.UTF8.GetBytes(name), out byte first, out ulong second);
        Assert.That(parsed, Is.True);
        Assert.That((first, second), Is.EqualTo(((byte)major, minor)));
    }

    [TestCase("scoutfs.indx.256.1")]
    [TestCase("scoutfs.indx.1")]
    [TestCase("scoutfs.indx.1.")]
    [TestCase("scoutfs.indx.x.1")]
    [TestCase("1.1")]
    public void TryParseIndex_Otherwise_IsRefused(string name) =>
        Assert.That(XattrName.TryParseIndex(Encoding.UTF8.GetBytes(name), out _, out _), Is.False);

    [Test]
    public void Parsers_RandomBytes_NeverThrow()
    {
        var random = new Prng(0xfeed);
        byte[] buffer = new byte[255];
        ReadOnlySpan<byte> alphabet = "scoutfs.hide.totl0123456789x."u8;
        for (int round = 0; round < 20000; round++)
        {
            var name = buffer.AsSpan(0, random.NextInt32(256));
            foreach (ref byte b in name)
                b = alphabet[random.NextInt32(alphabet.Length)];
            _ = XattrName.TagsOf(name);
            _ = XattrName.TryParseTotal(name, out _, out _, out _);
            _ = XattrName.TryParseIndex(name, out _, out _);
        }
    }
}
