using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Asserts on what the check of a file system's items finds.</summary>
internal static class FsItemsAssert
{
    /// <summary>Nothing is found, in a single pass.</summary>
    public static void IsClean(FsItemsBuilder fs)
    {
        Assert.That(Text(fs), Is.Empty);
        Assert.That(fs.PassesMade, Is.Zero, "further passes over a healthy file system");
    }

    /// <summary>One finding of one invariant, whose text names what it should.</summary>
    public static void FindsOne(
        FsItemsBuilder fs,
        string invariant,
        string text,
        FindingSeverity severity = FindingSeverity.Error)
    {
        var findings = fs.Check();
        string all = string.Join('\n', findings);
        Assert.That(findings.Select(finding => finding.Invariant), Is.EqualTo(new[] { invariant }), all);
        Assert.That(findings[0].Severity, Is.EqualTo(severity), all);
        string sentence = $"{findings[0].Structure}|{findings[0].Where}|{findings[0].What}";
        Assert.That(sentence, Does.Contain(text));
    }

    /// <summary>One or more findings, all of one invariant.</summary>
    public static void FindsOnly(FsItemsBuilder fs, string invariant)
    {
        var findings = fs.Check();
        string all = string.Join('\n', findings);
        Assert.That(findings.Select(finding => finding.Invariant).Distinct(), Is.EqualTo(new[] { invariant }), all);
    }

    private static string Text(FsItemsBuilder fs) => string.Join('\n', fs.Check());
}
