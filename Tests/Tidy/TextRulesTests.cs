using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>Every text file of the repository follows the text rules, and the rules find what they are for.</summary>
public sealed class TextRulesTests
{
    private static IEnumerable<SourceFile> Checked => SourceTree.Texts.Where(file => file.Path != "LICENSE");

    [Test]
    public void LineLength_Repository_Holds() => Report.None(
        Checked.Where(file => !file.Path.EndsWith(".sln", StringComparison.Ordinal)).SelectMany(TextRules.LineLength));

    [Test]
    public void LineLength_LongLine_IsFound()
    {
        string line = "// " + new string('x', 118);
        Assert.That(Report.Of(TextRules.LineLength, $"{line}\n"), Has.Count.EqualTo(1));
        Assert.That(Report.Of(TextRules.LineLength, $"{line[1..]}\n"), Is.Empty);
        Assert.That(Report.Of(TextRules.LineLength, $"| {line} |\n", "docs/A.md"), Is.Empty);
        Assert.That(Report.Of(TextRules.LineLength, $"{line}\n", "docs/A.md"), Has.Count.EqualTo(1));
    }

    [Test]
    public void Whitespace_Repository_Holds() => Report.None(
        Checked.Where(file => !file.Path.EndsWith(".sln", StringComparison.Ordinal)).SelectMany(TextRules.Whitespace));

    [TestCase("a\r\nb\n")]
    [TestCase("a \nb\n")]
    [TestCase("\ta\n")]
    [TestCase("a\nb")]
    [TestCase("a\n\n")]
    public void Whitespace_Untidy_IsFound(string text)
        => Assert.That(Report.Of(TextRules.Whitespace, text), Has.Count.EqualTo(1));

    [Test]
    public void OpenEnds_Repository_Holds() => Report.None(Checked.SelectMany(TextRules.OpenEnds));

    [Test]
    public void OpenEnds_MarkedLine_IsFound()
    {
        Assert.That(Report.Of(TextRules.OpenEnds, "a // TO" + "DO b\n"), Has.Count.EqualTo(1));
        Assert.That(Report.Of(TextRules.OpenEnds, "throw new NotImplemented" + "Exception();\n"), Has.Count.EqualTo(1));
        Assert.That(Report.Of(TextRules.OpenEnds, "see docs/HACKING.md, TODOS are none\n"), Is.Empty);
    }

    [Test]
    public void MachineTraces_Repository_Holds() => Report.None(Checked.SelectMany(TextRules.MachineTraces));

    [TestCase("cd /ho" + "me/alice")]
    [TestCase("\"/wo" + "rk/x\"")]
    [TestCase("(/tm" + "p/x)")]
    [TestCase("https://api.nu" + "get.org/v3")]
    public void MachineTraces_PathOrHost_IsFound(string line)
        => Assert.That(Report.Of(TextRules.MachineTraces, line), Has.Count.EqualTo(1));

    [TestCase("docs/work/a")]
    [TestCase("$dir/tmp/a")]
    [TestCase("sort/work/copy")]
    public void MachineTraces_PartOfLongerPath_IsAllowed(string line)
        => Assert.That(Report.Of(TextRules.MachineTraces, line), Is.Empty);
}
