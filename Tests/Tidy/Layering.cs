using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Threading;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ScoutFs.Tidy;

/// <summary>Order of the layers inside ScoutFs.Volume: a folder uses only what is to its left.</summary>
/// <remarks>
/// The sources are compiled once more here, so that a dependency is found however it is written: by a using, a
/// qualified name, an alias or a bare name. Documentation comments may point anywhere.
/// </remarks>
public static class Layering
{
    /// <summary>Root namespace of the engine.</summary>
    public const string RootNamespace = "ScoutFs.Volume";

    /// <summary>
    /// Layers from left to right. Those in one row know nothing of each other. Layers that have no folder yet stand
    /// here so that the order is agreed on before their first line is written.
    /// </summary>
    public static ImmutableArray<ImmutableArray<string>> Rows { get; } =
    [
        ["Primitives"], ["Format"], ["Blocks"], ["Btrees"], ["Allocation"], ["Forest"], ["Srch"], ["Locking"],
        ["Items"], ["Transactions"], ["Inodes"], ["Data"], ["Quota"], ["Mounting", "Offline"],
    ];

    /// <summary>Place of a layer from the left, or -1 when it is in no row.</summary>
    public static int RankOf(string layer)
    {
        for (int i = 0; i < Rows.Length; i++)
        {
            if (Rows[i].Contains(layer))
                return i;
        }

        return -1;
    }

    /// <summary>True when code of one layer may name a type of the other.</summary>
    public static bool MayUse(string user, string used) => user == used || RankOf(used) < RankOf(user);

    /// <summary>The layer a namespace belongs to, or null when it is none of the engine's layers.</summary>
    public static string? LayerOf(string? space)
    {
        if (space is null || !space.StartsWith(RootNamespace + ".", StringComparison.Ordinal))
            return null;
        return space[(RootNamespace.Length + 1)..].Split('.')[0];
    }

    /// <summary>Every place where a layer uses one that is not to its left.</summary>
    public static IEnumerable<Violation> Check(IReadOnlyList<SourceFile> files)
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            RootNamespace,
            files.Select(file => file.Tree),
            PlatformReferences(),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));
        return files.SelectMany(file => CheckFile(file, compilation.GetSemanticModel(file.Tree)))
            .Distinct();
    }

    private static IEnumerable<Violation> CheckFile(SourceFile file, SemanticModel model)
    {
        string? user = LayerOf(
            file.Root.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>().FirstOrDefault()?.Name.ToString());
        if (user is null)
        {
            yield return file.At(0, $"belongs to no layer: its namespace must be {RootNamespace}.<folder>");
            yield break;
        }

        if (RankOf(user) < 0)
        {
            yield return file.At(0, $"{user} is not in the table of layers (Tests/Tidy/Layering.cs)");
            yield break;
        }

        foreach (SimpleNameSyntax name in file.Root.DescendantNodes().OfType<SimpleNameSyntax>())
        {
            string? used = LayerOf(SpaceOf(model.GetSymbolInfo(name, CancellationToken.None).Symbol));
            if (used is not null && !MayUse(user, used))
                yield return file.At(name, $"{user} uses {used}, which is not to its left: {name}");
        }
    }

    private static string? SpaceOf(ISymbol? symbol) => symbol switch
    {
        null => null,
        INamespaceSymbol space => space.ToDisplayString(),
        _ => symbol.ContainingNamespace?.ToDisplayString(),
    };

    private static IEnumerable<MetadataReference> PlatformReferences()
        => ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path));
}
