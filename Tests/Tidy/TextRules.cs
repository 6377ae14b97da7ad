using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace ScoutFs.Tidy;

/// <summary>Rules that hold for every text file, whatever its language.</summary>
public static partial class TextRules
{
    private const int MaxColumns = 120;

    // Put together from pieces, so that this file does not break its own rules.
    private static readonly string[] MachinePaths =
        [.. new[] { "work", "home", "root", "tmp", "Users" }.Select(name => "/" + name + "/")];

    private static readonly string[] RegistryHosts =
        [.. new[] { "nuget.", "npmjs.", "pypi.", "debian." }.Select(host => host + "org"), "crates" + ".io"];

    /// <summary>No line is longer than 120 columns. Tables and links of Markdown cannot be broken and may be.</summary>
    public static IEnumerable<Violation> LineLength(SourceFile file)
    {
        bool isMarkdown = file.Path.EndsWith(".md", StringComparison.Ordinal);
        for (int i = 0; i < file.Lines.Length; i++)
        {
            string line = file.Lines[i];
            int columns = line.EnumerateRunes().Count();
            if (columns <= MaxColumns)
                continue;
            if (isMarkdown && (line.TrimStart().StartsWith('|') || line.Contains("](", StringComparison.Ordinal)))
                continue;
            yield return file.At(i + 1, $"{columns} columns, at most {MaxColumns} are allowed");
        }
    }

    /// <summary>No tabs, no carriage returns, no blanks at line ends, one line feed at the end of the file.</summary>
    public static IEnumerable<Violation> Whitespace(SourceFile file)
    {
        for (int i = 0; i < file.Lines.Length; i++)
        {
            string line = file.Lines[i];
            if (line.Contains('\r', StringComparison.Ordinal))
                yield return file.At(i + 1, "carriage return; line ends are a single line feed");
            else if (line.EndsWith(' ') || line.EndsWith('\t'))
                yield return file.At(i + 1, "blanks at the end of the line");
            if (line.Contains('\t', StringComparison.Ordinal))
                yield return file.At(i + 1, "tab; indent with spaces");
        }

        if (file.Text.Length > 0 && !file.Text.EndsWith('\n'))
            yield return file.At(file.Lines.Length, "no line feed at the end of the file");
        if (file.Text.EndsWith("\n\n", StringComparison.Ordinal))
            yield return file.At(file.Lines.Length - 1, "empty line at the end of the file");
    }

    /// <summary>Nothing is left open: an issue is filed instead.</summary>
    public static IEnumerable<Violation> OpenEnds(SourceFile file)
    {
        for (int i = 0; i < file.Lines.Length; i++)
        {
            Match match = OpenEnd().Match(file.Lines[i]);
            if (match.Success)
                yield return file.At(i + 1, $"{match.Value}: finish it, or file an issue and describe today's state");
        }
    }

    /// <summary>No path of one machine and no host of a package registry: neither is true elsewhere.</summary>
    public static IEnumerable<Violation> MachineTraces(SourceFile file)
    {
        for (int i = 0; i < file.Lines.Length; i++)
        {
            string line = file.Lines[i];
            foreach (string path in MachinePaths)
            {
                if (HasPath(line, path))
                    yield return file.At(i + 1, $"path {path}… of one machine; use a relative or temporary path");
            }

            foreach (string host in RegistryHosts)
            {
                if (line.Contains(host, StringComparison.OrdinalIgnoreCase))
                    yield return file.At(i + 1, "host of a package registry; the client's configuration names it");
            }
        }
    }

    /// <summary>True when the line names the path from the root on, not just as a part of a longer one.</summary>
    private static bool HasPath(string line, string path)
    {
        int at = line.IndexOf(path, StringComparison.Ordinal);
        while (at > 0 && IsPathCharacter(line[at - 1]))
            at = line.IndexOf(path, at + 1, StringComparison.Ordinal);
        return at >= 0;
    }

    private static bool IsPathCharacter(char c)
        => char.IsLetterOrDigit(c) || "._-*)}/".Contains(c, StringComparison.Ordinal);

    [GeneratedRegex(@"\b(TO" + @"DO|FIX" + @"ME|HA" + @"CK|XX" + @"X|NotImplemented" + @"Exception)\b")]
    private static partial Regex OpenEnd();
}
