using System;
using System.Collections.Generic;
using System.Linq;
using System.Xml.Linq;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>Projects reference only what they may.</summary>
public sealed class ProjectRulesTests
{
    private static IEnumerable<SourceFile> CommonProps
        => new[] { "Directory.Build.props", "Directory.Build.targets" }.Select(SourceTree.Find).OfType<SourceFile>();

    [Test]
    public void References_Repository_FollowTheTable()
        => Report.None(SourceTree.Projects.SelectMany(ProjectRules.References));

    [Test]
    public void References_ToTheRight_AreFound()
    {
        const string Text = """
            <Project><ItemGroup><ProjectReference Include="..\D\ScoutFs.Devices.csproj" /></ItemGroup></Project>
            """;
        Assert.That(Report.Of(ProjectRules.References, Text, "Volume/V/ScoutFs.Volume.csproj"), Has.Count.EqualTo(1));
        Assert.That(Report.Of(ProjectRules.References, Text, "Admin/C/ScoutFs.Cli.csproj"), Is.Empty);
        Assert.That(Report.Of(ProjectRules.References, Text, "Admin/N/ScoutFs.New.csproj"), Has.Count.EqualTo(1));
    }

    [Test]
    public void Packages_Cores_AreAnalyzersOnly() => Report.None(SourceTree.Projects.SelectMany(ProjectRules.Packages));

    [Test]
    public void Packages_InCore_AreFound()
    {
        const string Text = """
            <Project><PropertyGroup><IsCore>true</IsCore></PropertyGroup>
            <ItemGroup><PackageReference Include="NLog" /></ItemGroup></Project>
            """;
        Assert.That(Report.Of(ProjectRules.Packages, Text, "V/ScoutFs.Volume.csproj"), Has.Count.EqualTo(1));
        Assert.That(Report.Of(ProjectRules.Packages, Text, "V/ScoutFs.Service.csproj"), Is.Empty);
    }

    [Test]
    public void Packages_CommonProps_AreAnalyzersOnly()
    {
        IEnumerable<string> packages = CommonProps.SelectMany(
            file => ProjectRules.Includes(file, "PackageReference"));
        Assert.That(packages, Is.Not.Empty.And.All.EndsWith("Analyzers"));
    }

    [Test]
    public void UnsafeBlocks_Products_FollowTheTable()
        => Report.None(SourceTree.Projects.SelectMany(ProjectRules.UnsafeBlocks));

    [Test]
    public void UnsafeBlocks_InCli_AreFound()
        => Assert.That(
            Report.Of(ProjectRules.UnsafeBlocks, "<AllowUnsafeBlocks>true<", "Admin/C/ScoutFs.Cli.csproj"),
            Has.Count.EqualTo(1));

    [Test]
    public void Versions_Projects_AreCentral() => Report.None(SourceTree.Projects.SelectMany(ProjectRules.Versions));

    [Test]
    public void Versions_Central_AreExactAndUsed()
    {
        XDocument central = XDocument.Parse(SourceTree.Find("Directory.Packages.props")!.Text);
        HashSet<string> used =
        [
            .. SourceTree.Projects.Concat(CommonProps)
                .SelectMany(file => ProjectRules.Includes(file, "PackageReference")),
        ];
        using (Assert.EnterMultipleScope())
        {
            foreach (XElement package in central.Descendants("PackageVersion"))
            {
                string name = package.Attribute("Include")!.Value;
                Assert.That(package.Attribute("Version")!.Value, Does.Match(@"^\d+(\.\d+)+$"), name);
                Assert.That(used, Does.Contain(name), $"{name} is used by no project");
            }
        }
    }

    [Test]
    public void Solution_EveryProject_IsListed()
    {
        string solution = SourceTree.Find("ScoutFs.Windows.sln")!.Text;
        Assert.That(
            SourceTree.Projects.Where(project => !solution.Contains(
                project.Path.Replace('/', '\\'), StringComparison.Ordinal)),
            Is.Empty);
    }
}
