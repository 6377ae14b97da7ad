using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

namespace ScoutFs.Tidy;

/// <summary>Where files may lie: the map that docs/ARCHITECTURE.md draws.</summary>
public static class TreeRules
{
    /// <summary>Folder of the engine; its folders are the layers.</summary>
    public const string CoreFolder = "Volume/ScoutFs.Volume/";

    /// <summary>Files that may lie at the root.</summary>
    private static readonly ImmutableHashSet<string> RootFiles =
    [
        ".editorconfig", ".gitattributes", ".gitignore", "BannedSymbols.Core.txt", "CHANGELOG.md", "build.cs",
        "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "LICENSE", "README.md",
        "ScoutFs.Windows.sln", "global.json",
    ];

    /// <summary>Folders that may hold files, each with what it is for.</summary>
    private static readonly ImmutableDictionary<string, string> Folders = new Dictionary<string, string>
    {
        [".ci/"] = "what runs on every change",
        ["Volume/ScoutFs.Volume/"] = "the engine",
        ["Volume/ScoutFs.Devices/"] = "real disks",
        ["Cluster/"] = "protocols and their gRPC shell",
        ["Driver/"] = "front ends and the service",
        ["Admin/"] = "command line and PowerShell",
        ["Installer/"] = "the MSI",
        ["Tests/"] = "tests, their fixtures and fakes",
        ["Benchmarks/"] = "measurements",
        ["docs/"] = "documents",
    }.ToImmutableDictionary();

    /// <summary>No file lies outside the known folders, and every folder of the engine is a layer.</summary>
    public static IEnumerable<Violation> Places(IEnumerable<string> paths)
    {
        foreach (string path in paths)
        {
            bool isAtRoot = !path.Contains('/', StringComparison.Ordinal);
            if (isAtRoot ? !RootFiles.Contains(path) : !Folders.Keys.Any(folder => IsBelow(path, folder)))
            {
                yield return new Violation(path, 0, "lies in no known folder (Tests/Tidy/TreeRules.cs)");
                continue;
            }

            string? layer = LayerOf(path);
            if (layer is not null && Layering.RankOf(layer) < 0)
                yield return new Violation(path, 0, $"{layer} is no layer of the engine (Tests/Tidy/Layering.cs)");
        }
    }

    /// <summary>The engine's layer folder a path lies in, or null.</summary>
    public static string? LayerOf(string path)
    {
        if (!IsBelow(path, CoreFolder))
            return null;
        string[] parts = path[CoreFolder.Length..].Split('/');
        return parts.Length > 1 ? parts[0] : null;
    }

    private static bool IsBelow(string path, string folder) => path.StartsWith(folder, StringComparison.Ordinal);
}
