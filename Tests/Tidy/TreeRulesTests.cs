using System.Linq;
using System.Xml.Linq;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>Files lie where the map says, and the licence is where people and tools look for it.</summary>
public sealed class TreeRulesTests
{
    [Test]
    public void Places_Repository_AreKnown() => Report.None(TreeRules.Places(SourceTree.Paths));

    [TestCase("notes.txt")]
    [TestCase("Misc/a.cs")]
    [TestCase("Volume/ScoutFs.Volume/Elsewhere/a.cs")]
    public void Places_UnknownFolder_IsFound(string path)
        => Assert.That(TreeRules.Places([path]).Count(), Is.EqualTo(1));

    [Test]
    public void Licence_File_IsGpl2()
    {
        string licence = SourceTree.Find("LICENSE")?.Text ?? "";
        Assert.That(licence, Does.Contain("GNU GENERAL PUBLIC LICENSE").And.Contain("Version 2, June 1991"));
    }

    [Test]
    public void Licence_Packages_CarryTheSpdxExpression()
    {
        XDocument props = XDocument.Parse(SourceTree.Find("Directory.Build.props")!.Text);
        Assert.That(
            props.Descendants("PackageLicenseExpression").Select(node => node.Value), Is.EqualTo(["GPL-2.0-or-later"]));
    }
}
