using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class NameGlobTests
{
    [TestCase("", "", true)]
    [TestCase("*", "", true)]
    [TestCase("*", "anything", true)]
    [TestCase("a*b*c", "aXbXbXc", true)]
    [TestCase("a*b*c", "aXbXbXd", false)]
    [TestCase("*.txt", "a.txt.txt", true)]
    [TestCase("?", "é", true)]
    [TestCase("?", "\U0001f600", true)]
    [TestCase("??", "é", false)]
    [TestCase("[a-c]x", "bx", true)]
    [TestCase("[!a-c]x", "bx", false)]
    [TestCase("[!a-c]x", "dx", true)]
    [TestCase("[]]", "]", true)]
    [TestCase("[a-]", "-", true)]
    [TestCase("[é]", "é", true)]
    [TestCase("[abc", "[abc", true)]
    [TestCase(@"\*", "*", true)]
    [TestCase(@"\*", "x", false)]
    [TestCase(@"a\", @"a\", true)]
    [TestCase("abc", "ab", false)]
    [TestCase("ab", "abc", false)]
    public void IsMatch_Pattern_IsAsShellsHaveIt(string pattern, string name, bool isMatch) =>
        Assert.That(new NameGlob(pattern).IsMatch(Encoding.UTF8.GetBytes(name)), Is.EqualTo(isMatch));

    [Test]
    public void IsMatch_BytesThatAreNoText_AreOneCharacterEach() =>
        Assert.That(new NameGlob("a??b").IsMatch([0x61, 0xff, 0xfe, 0x62]), Is.True);

    [Test]
    public void IsMatch_ManyStars_EndsSoon()
    {
        string pattern = string.Concat(System.Linq.Enumerable.Repeat("*a", 100)) + "b";
        Assert.That(new NameGlob(pattern).IsMatch(Encoding.UTF8.GetBytes(new string('a', 255))), Is.False);
    }
}
