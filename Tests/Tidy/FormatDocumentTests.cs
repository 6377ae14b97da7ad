using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>docs/FORMAT.md and the sources say the same.</summary>
/// <remarks>
/// <c>dotnet run build.cs format-doc</c> makes the tables anew; look at the difference, and commit it only when the
/// change of the structure was meant.
/// </remarks>
public sealed partial class FormatDocumentTests
{
    private static string Document => SourceTree.Find(FormatDocument.Path)!.Text;

    [Test]
    public void Tables_Document_EqualTheSources()
    {
        string expected = FormatDocument.Rewrite(Document);
        if (Environment.GetEnvironmentVariable("TIDY_REWRITE") == "1")
        {
            File.WriteAllText(SourceTree.Absolute(FormatDocument.Path), expected);
            Assert.Pass($"{FormatDocument.Path} rewritten");
        }

        string[] want = expected.Split('\n');
        string[] have = Document.Split('\n');
        IEnumerable<Violation> differences = want.Zip(have)
            .Select((pair, index) => (pair.First, pair.Second, Line: index + 1))
            .Where(pair => pair.First != pair.Second)
            .Select(pair => new Violation(FormatDocument.Path, pair.Line, $"should read: {pair.First}"))
            .Take(10);
        Report.None(differences);
        Assert.That(have, Has.Length.EqualTo(want.Length), "run: dotnet run build.cs format-doc");
    }

    [Test]
    public void Tables_OnDiskStructs_AreComplete()
    {
        IReadOnlyList<string> tables = FormatDocument.Tables(Document);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(tables, Is.Unique);
            Assert.That(
                OnDiskStruct.All.Select(layout => layout.Type.Name).Except(tables), Is.Empty,
                $"add <!-- layout Name -->, <!-- end --> to {FormatDocument.Path}, run build.cs format-doc");
        }
    }

    [Test]
    public void Sections_CitedInSources_Exist()
    {
        HashSet<string> sections = [.. FormatDocument.Sections(Document)];
        Report.None(
            from file in SourceTree.Texts
            where file.IsCSharp
            from line in file.Lines.Select((text, index) => (Text: text, Number: index + 1))
            from Match citation in Citation().Matches(line.Text)
            from number in Section().Matches(citation.Value).Select(match => match.Groups["number"].Value)
            where !sections.Contains(number)
            select file.At(line.Number, $"cites format §{number}, which {FormatDocument.Path} does not have"));
    }

    [Test]
    public void Invariants_CitedInSources_Exist()
    {
        HashSet<string> invariants = [.. Invariant().Matches(Document[Document.IndexOf(
            "## 18.", StringComparison.Ordinal)..]).Select(match => match.Value)];
        Report.None(
            from file in SourceTree.Texts
            where file.IsCSharp
            from line in file.Lines.Select((text, index) => (Text: text, Number: index + 1))
            from Match citation in CitedInvariants().Matches(line.Text)
            from number in Invariant().Matches(citation.Value).Select(match => match.Value)
            where !invariants.Contains(number)
            select file.At(line.Number, $"cites {number}, which §18 of {FormatDocument.Path} does not have"));
    }

    [Test]
    public void Rewrite_StaleTable_IsMadeAnew()
    {
        const string Stale =
            "a\n<!-- layout BlockRef -->\nold\n<!-- end -->\nb\n<!-- values BlockMagic -->\n<!-- end -->\n";
        string fresh = FormatDocument.Rewrite(Stale);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(fresh, Does.StartWith("a\n<!-- layout BlockRef -->\n**`BlockRef`** (16 bytes). "));
            Assert.That(fresh, Does.Contain("\n| 8 | 8 | Seq | u64 | "));
            Assert.That(fresh, Does.Contain("\n| AllocList | 0x8a93ac83 | "));
            Assert.That(fresh, Does.Not.Contain("old"));
            Assert.That(FormatDocument.Rewrite(fresh), Is.EqualTo(fresh));
        }
    }

    /// <summary>A citation such as <c>format §8.2</c> or <c>format §9.3, §9.4</c>.</summary>
    [GeneratedRegex(@"format §\d+(\.\d+)?(, §\d+(\.\d+)?)*")]
    private static partial Regex Citation();

    /// <summary>The invariants behind a citation: <c>format §7.1, I34, I35</c>.</summary>
    [GeneratedRegex(@"format §[^)]*?(, I\d+)+")]
    private static partial Regex CitedInvariants();

    [GeneratedRegex(@"\bI\d+\b")]
    private static partial Regex Invariant();

    [GeneratedRegex(@"§(?<number>\d+(\.\d+)?)")]
    private static partial Regex Section();
}
