using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace ScoutFs.Tidy;

/// <summary>The files of the repository that the tests were built from.</summary>
/// <remarks>
/// Reads the working tree, not the index: what is about to be committed is what is checked. Everything that .gitignore
/// excludes is left out. Needs no git, so that it also works in an unpacked source archive.
/// </remarks>
public static class SourceTree
{
    private static readonly Lazy<string> RootPath = new(FindRoot);
    private static readonly Lazy<IReadOnlyList<string>> AllPaths = new(FindPaths);
    private static readonly Lazy<IReadOnlyList<SourceFile>> AllTexts = new(ReadTexts);

    /// <summary>Absolute path of the folder that holds the solution.</summary>
    public static string Root => RootPath.Value;

    /// <summary>Every file that is not ignored, relative, with forward slashes, in ordinal order.</summary>
    public static IReadOnlyList<string> Paths => AllPaths.Value;

    /// <summary>Every file that is text.</summary>
    public static IReadOnlyList<SourceFile> Texts => AllTexts.Value;

    /// <summary>Every C# source.</summary>
    public static IEnumerable<SourceFile> CSharp => Texts.Where(file => file.IsCSharp);

    /// <summary>Every project file.</summary>
    public static IEnumerable<SourceFile> Projects
        => Texts.Where(file => file.Path.EndsWith(".csproj", StringComparison.Ordinal));

    /// <summary>The text file of a path, or null when there is none.</summary>
    public static SourceFile? Find(string path)
        => Texts.FirstOrDefault(file => string.Equals(file.Path, path, StringComparison.Ordinal));

    /// <summary>Absolute path of a file of the repository.</summary>
    public static string Absolute(string path) => Path.Combine(Root, path.Replace('/', Path.DirectorySeparatorChar));

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ScoutFs.Windows.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException(
            $"No ScoutFs.Windows.sln above {AppContext.BaseDirectory}: the tidy tests run inside the repository only.");
    }

    private static List<string> FindPaths()
    {
        string[] patterns = File.ReadAllLines(Path.Combine(Root, ".gitignore"));
        List<string> found = [];
        Collect(new DirectoryInfo(Root), "", patterns, found);
        found.Sort(StringComparer.Ordinal);
        return found;
    }

    private static void Collect(DirectoryInfo folder, string prefix, string[] patterns, List<string> found)
    {
        foreach (FileSystemInfo entry in folder.EnumerateFileSystemInfos())
        {
            bool isFolder = entry is DirectoryInfo;
            if (entry.Name == ".git" || IsIgnored(entry.Name, isFolder, patterns))
                continue;
            if (isFolder)
                Collect((DirectoryInfo)entry, prefix + entry.Name + "/", patterns, found);
            else
                found.Add(prefix + entry.Name);
        }
    }

    /// <summary>The two forms of .gitignore lines used here: <c>name/</c> for a folder and <c>*.suffix</c>.</summary>
    private static bool IsIgnored(string name, bool isFolder, string[] patterns)
    {
        foreach (string pattern in patterns)
        {
            if (pattern.EndsWith('/') && isFolder && name == pattern[..^1])
                return true;
            if (pattern.StartsWith('*') && !isFolder && name.EndsWith(pattern[1..], StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    private static List<SourceFile> ReadTexts()
    {
        List<SourceFile> texts = [];
        foreach (string path in Paths)
        {
            byte[] bytes = File.ReadAllBytes(Absolute(path));
            if (!bytes.Contains((byte)0))
                texts.Add(new SourceFile(path, Encoding.UTF8.GetString(bytes)));
        }

        return texts;
    }
}
