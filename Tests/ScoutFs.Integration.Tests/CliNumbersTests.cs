using NUnit.Framework;
using ScoutFs.Cli;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Integration.Tests;

internal sealed class CliNumbersTests
{
    [TestCase("0", 0UL)]
    [TestCase("42", 42UL)]
    [TestCase("0x1f", 31UL)]
    [TestCase("0XFFffFFffFFffFFff", ulong.MaxValue)]
    [TestCase("010", 8UL)]
    [TestCase("01777777777777777777777", ulong.MaxValue)]
    [TestCase("18446744073709551615", ulong.MaxValue)]
    [TestCase("-1", ulong.MaxValue)]
    [TestCase("-0x2", ulong.MaxValue - 1)]
    [TestCase("-9223372036854775808", 1UL << 63)]
    public void TryParse_Number_IsRead(string text, ulong expected)
    {
        Assert.That(CliNumbers.TryParse(text, out ulong value), Is.Null);
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase("-")]
    [TestCase("x")]
    [TestCase("0x")]
    [TestCase("08")]
    [TestCase("1 ")]
    [TestCase(" 1")]
    [TestCase("+1")]
    [TestCase("--1")]
    [TestCase("1.5")]
    [TestCase("1k")]
    [TestCase("18446744073709551616")]
    [TestCase("02000000000000000000000")]
    [TestCase("-9223372036854775809")]
    public void TryParse_AnythingElse_IsRefused(string text) =>
        Assert.That(CliNumbers.TryParse(text, out _), Is.EqualTo($"invalid 64bit value: '{text}'"));

    [TestCase("512", 512UL)]
    [TestCase("1K", 1024UL)]
    [TestCase("1k", 1024UL)]
    [TestCase("64G", 64UL << 30)]
    [TestCase("0x10M", 16UL << 20)]
    [TestCase("16383P", 16383UL << 50)]
    [TestCase("0xe", 14UL)]
    public void TryParseSize_Size_IsRead(string text, ulong expected)
    {
        Assert.That(CliNumbers.TryParseSize(text, out ulong value), Is.Null);
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("1Q", "unknown suffix: 'Q'")]
    [TestCase("1GB", "unknown suffix: 'B'")]
    [TestCase("K", "invalid 64bit value: ''")]
    [TestCase("1KM", "invalid 64bit value: '1K'")]
    [TestCase("16384P", "invalid 64bit value: '16384P'")]
    public void TryParseSize_AnythingElse_IsRefused(string text, string expected) =>
        Assert.That(CliNumbers.TryParseSize(text, out _), Is.EqualTo(expected));

    [TestCase(0UL, "0 (0.00 B)")]
    [TestCase(1UL, "1 (64.00 KB)")]
    [TestCase(24UL, "24 (1.50 MB)")]
    [TestCase(1048576UL, "1048576 (64.00 GB)")]
    [TestCase(ulong.MaxValue, "18446744073709551615 (16.00 EB)")]
    public void SizeTextOfCount_AnyCount_HasUnitOf1024(ulong count, string expected) =>
        Assert.That(SizeText.OfCount(count, 65536), Is.EqualTo(expected));
}
