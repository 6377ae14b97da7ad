using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>What the documents name exists.</summary>
public sealed partial class DocumentTests
{
    private static IEnumerable<SourceFile> Documents
        => SourceTree.Texts.Where(file => file.Path.EndsWith(".md", StringComparison.Ordinal));

    [Test]
    public void Architecture_EngineFolders_AreNamed()
    {
        string map = Text("docs/ARCHITECTURE.md");
        IEnumerable<string> folders = SourceTree.Paths.Select(TreeRules.LayerOf).OfType<string>().Distinct();
        Assert.That(
            folders.Where(folder => !Regex.IsMatch(map, $@"\b{folder}\b")), Is.Empty,
            "docs/ARCHITECTURE.md does not name these folders of the engine");
    }

    [Test]
    public void Links_Documents_LeadToFiles() => Report.None(
        from file in Documents
        from line in Numbered(file)
        from Match link in Link().Matches(line.Text)
        let folder = Path.Combine(SourceTree.Root, Path.GetDirectoryName(file.Path)!)
        let target = Path.GetRelativePath(SourceTree.Root, Path.Combine(folder, link.Groups["path"].Value))
        where !Path.Exists(Path.Combine(SourceTree.Root, target))
        select file.At(line.Number, $"link to {target}, which does not exist"));

    [Test]
    public void Verbs_Documents_AreThoseOfTheBuild()
    {
        HashSet<string> verbs =
            [.. Verb().Matches(Text("build.cs")).Select(match => match.Groups["verb"].Value)];
        Assert.That(verbs, Does.Contain("test"));
        Report.None(
            from file in Documents
            from line in Numbered(file)
            from Match call in Call().Matches(line.Text)
            let verb = call.Groups["verb"].Value
            where !verbs.Contains(verb)
            select file.At(line.Number, $"build.cs has no verb {verb}"));
    }

    [Test]
    public void Dependencies_Packages_AreExplained()
    {
        string hacking = Text("docs/HACKING.md");
        IEnumerable<string> packages = XDocument.Parse(Text("Directory.Packages.props"))
            .Descendants("PackageVersion")
            .Select(package => package.Attribute("Include")!.Value);
        Assert.That(
            packages.Where(name => !hacking.Contains($"| {name} |", StringComparison.Ordinal)), Is.Empty,
            "docs/HACKING.md, Dependencies, does not say why these packages are needed");
    }

    [Test]
    public void Glossary_Types_Exist()
    {
        HashSet<string> names = [.. SourceTree.CSharp.SelectMany(file => Names(file.Root))];
        SourceFile glossary = SourceTree.Find("docs/GLOSSARY.md")!;
        Report.None(
            from line in Numbered(glossary)
            let columns = line.Text.Split('|')
            where columns.Length == 6
            from Match code in Code().Matches(columns[2])
            let name = code.Groups["name"].Value
            where !names.Contains(name)
            select glossary.At(line.Number, $"`{name}` is no type and no member of one"));
    }

    [Test]
    public void Acceptance_Tests_Exist()
    {
        HashSet<string> names = [.. SourceTree.CSharp
            .Where(file => file.Path.StartsWith("Tests/", StringComparison.Ordinal))
            .SelectMany(file => Names(file.Root))];
        SourceFile acceptance = SourceTree.Find("docs/ACCEPTANCE.md")!;
        Assert.That(Test().Matches(acceptance.Text), Is.Not.Empty);
        Report.None(
            from line in Numbered(acceptance)
            from Match test in Test().Matches(line.Text)
            let name = test.Groups["name"].Value
            where !names.Contains(name)
            select acceptance.At(line.Number, $"`{name}` is no test"));
    }

    [Test]
    public void Acceptance_Traps_AreAllListedOnce()
    {
        IEnumerable<int> numbers = Trap().Matches(Text("docs/ACCEPTANCE.md"))
            .Select(match => int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture));
        Assert.That(numbers, Is.EqualTo(Enumerable.Range(1, 75)));
    }

    /// <summary>Every type as <c>Type</c>, and its members as <c>Type.Member</c>.</summary>
    private static IEnumerable<string> Names(SyntaxNode root)
    {
        foreach (BaseTypeDeclarationSyntax type in root.DescendantNodes().OfType<BaseTypeDeclarationSyntax>())
        {
            string name = type.Identifier.Text;
            yield return name;
            foreach (SyntaxNode member in type.ChildNodes())
            {
                IEnumerable<SyntaxToken> identifiers = member switch
                {
                    MethodDeclarationSyntax method => [method.Identifier],
                    PropertyDeclarationSyntax property => [property.Identifier],
                    EnumMemberDeclarationSyntax value => [value.Identifier],
                    BaseFieldDeclarationSyntax field => field.Declaration.Variables.Select(one => one.Identifier),
                    _ => [],
                };
                foreach (SyntaxToken identifier in identifiers)
                    yield return $"{name}.{identifier.Text}";
            }
        }
    }

    private static string Text(string path)
    {
        SourceFile? file = SourceTree.Find(path);
        Assert.That(file, Is.Not.Null, $"{path} is missing");
        return file!.Text;
    }

    private static IEnumerable<(string Text, int Number)> Numbered(SourceFile file)
        => file.Lines.Select((text, index) => (text, index + 1));

    /// <summary>A relative link, without an anchor.</summary>
    [GeneratedRegex(@"\]\((?<path>[^)#:\s]+)(#[^)]*)?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"case ""(?<verb>[a-z-]+)"":")]
    private static partial Regex Verb();

    [GeneratedRegex(@"dotnet run build\.cs (?<verb>[a-z][a-z-]*)")]
    private static partial Regex Call();

    [GeneratedRegex(@"`(?<name>\w+Tests\.\w+)`")]
    private static partial Regex Test();

    [GeneratedRegex(@"^\| (?<number>\d+) \|", RegexOptions.Multiline)]
    private static partial Regex Trap();

    [GeneratedRegex(@"`(?<name>\w+(\.\w+)?)`")]
    private static partial Regex Code();
}
