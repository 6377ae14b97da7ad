using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Xml.Linq;

namespace ScoutFs.Tidy;

/// <summary>Rules about project files: who may reference whom, which packages, where unsafe code is allowed.</summary>
public static class ProjectRules
{
    /// <summary>The cores: no package but analyzers, which leave nothing in the product.</summary>
    public static ImmutableArray<string> Cores { get; } = ["ScoutFs.Volume", "ScoutFs.Cluster"];

    /// <summary>
    /// Product projects and what each may reference. Projects that do not exist yet stand here so that the direction
    /// is agreed on before their first line is written.
    /// </summary>
    public static ImmutableDictionary<string, ImmutableArray<string>> MayReference { get; } =
        new Dictionary<string, ImmutableArray<string>>
        {
            ["ScoutFs.Volume"] = [],
            ["ScoutFs.Devices"] = ["ScoutFs.Volume"],
            ["ScoutFs.Cluster"] = ["ScoutFs.Volume"],
            ["ScoutFs.Cluster.Grpc"] = ["ScoutFs.Volume", "ScoutFs.Cluster"],
            ["ScoutFs.Driver"] = ["ScoutFs.Volume"],
            ["ScoutFs.Driver.WinFsp"] = ["ScoutFs.Volume", "ScoutFs.Driver", "WinFsp.Reference"],
            ["ScoutFs.Driver.Fuse"] = ["ScoutFs.Volume", "ScoutFs.Driver"],
            ["WinFsp.Reference"] = [],
            ["ScoutFs.Cli"] = ["ScoutFs.Volume", "ScoutFs.Devices", "ScoutFs.Cluster", "ScoutFs.Cluster.Grpc"],
            ["ScoutFs.PowerShell"] = ["ScoutFs.Volume", "ScoutFs.Devices", "ScoutFs.Cluster.Grpc"],
        }.ToImmutableDictionary();

    /// <summary>The composition root puts everything together and is bound by no table.</summary>
    public const string CompositionRoot = "ScoutFs.Service";

    /// <summary>Product projects that may contain unsafe code.</summary>
    public static ImmutableArray<string> MayBeUnsafe { get; } =
        ["ScoutFs.Volume", "ScoutFs.Devices", "ScoutFs.Driver.Fuse"];

    /// <summary>Name of a project, its file name without the suffix.</summary>
    public static string NameOf(SourceFile project) => project.Name[..^".csproj".Length];

    /// <summary>True for what is shipped, as opposed to tests and benchmarks.</summary>
    public static bool IsProduct(SourceFile project) => !project.IsBelow("Tests/") && !project.IsBelow("Benchmarks/");

    /// <summary>References between product projects follow the table.</summary>
    public static IEnumerable<Violation> References(SourceFile project)
    {
        string name = NameOf(project);
        if (!IsProduct(project) || name == CompositionRoot)
            yield break;
        if (!MayReference.TryGetValue(name, out ImmutableArray<string> allowed))
        {
            yield return project.At(0, $"{name} is in no table of who may reference whom (Tests/Tidy/ProjectRules.cs)");
            yield break;
        }

        foreach (string include in Includes(project, "ProjectReference"))
        {
            string target = include.Replace('\\', '/').Split('/')[^1].Replace(".csproj", "", StringComparison.Ordinal);
            if (!allowed.Contains(target))
                yield return project.At(0, $"{name} must not reference {target}");
        }
    }

    /// <summary>Cores have no packages but analyzers.</summary>
    public static IEnumerable<Violation> Packages(SourceFile project)
    {
        if (!Cores.Contains(NameOf(project)))
            yield break;
        foreach (string package in Includes(project, "PackageReference"))
        {
            if (!package.EndsWith("Analyzers", StringComparison.Ordinal))
                yield return project.At(0, $"{NameOf(project)} is a core and must not reference package {package}");
        }

        if (!project.Text.Contains("<IsCore>true</IsCore>", StringComparison.Ordinal))
            yield return project.At(0, $"{NameOf(project)} is a core: set IsCore, which bans ambient APIs");
    }

    /// <summary>Product projects compile unsafe code only where the table says so.</summary>
    public static IEnumerable<Violation> UnsafeBlocks(SourceFile project)
    {
        if (IsProduct(project) && !MayBeUnsafe.Contains(NameOf(project)) &&
            project.Text.Contains("AllowUnsafeBlocks", StringComparison.Ordinal))
            yield return project.At(0, "AllowUnsafeBlocks outside Volume, Devices and Driver.Fuse");
    }

    /// <summary>Versions are central and exact.</summary>
    public static IEnumerable<Violation> Versions(SourceFile project)
    {
        foreach (XElement reference in XDocument.Parse(project.Text).Descendants("PackageReference"))
        {
            if (reference.Attribute("Version") is not null || reference.Attribute("VersionOverride") is not null)
                yield return project.At(
                    0, $"{reference.Attribute("Include")?.Value}: versions belong in Directory.Packages.props");
        }
    }

    /// <summary>What a project includes under an element name.</summary>
    public static IEnumerable<string> Includes(SourceFile project, string element)
        => XDocument.Parse(project.Text).Descendants(element)
            .Select(node => node.Attribute("Include")?.Value)
            .OfType<string>();
}
