using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>Turns violations into a test result that lists all of them at once.</summary>
internal static class Report
{
    /// <summary>Fails with one line a violation, or passes when there is none.</summary>
    public static void None(IEnumerable<Violation> violations)
    {
        List<string> lines = [.. violations.Select(violation => violation.ToString())];
        if (lines.Count > 0)
            Assert.Fail($"{lines.Count} violations{Environment.NewLine}{string.Join(Environment.NewLine, lines)}");
    }

    /// <summary>Violations of a rule in a made-up source, to prove that the rule finds what it is for.</summary>
    /// <param name="path">Path the source pretends to have; rules depend on it.</param>
    public static IReadOnlyList<Violation> Of(
        Func<SourceFile, IEnumerable<Violation>> rule,
        string text,
        string path = "Volume/ScoutFs.Volume/Btrees/Sample.cs")
        => [.. rule(new SourceFile(path, text))];
}
