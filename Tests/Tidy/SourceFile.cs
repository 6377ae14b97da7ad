using System;
using System.Threading;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ScoutFs.Tidy;

/// <summary>One text file of the repository; immutable, parsed on first use.</summary>
public sealed class SourceFile
{
    private static readonly CSharpParseOptions ParseOptions =
        new(LanguageVersion.Latest, DocumentationMode.Parse);

    private readonly Lazy<SyntaxTree> _tree;

    /// <summary>Creates a file from its contents.</summary>
    /// <param name="path">Path relative to the root, forward slashes.</param>
    /// <param name="text">Whole contents.</param>
    public SourceFile(string path, string text)
    {
        Path = path;
        Text = text;
        Lines = text.Split('\n');
        _tree = new Lazy<SyntaxTree>(
            () => CSharpSyntaxTree.ParseText(Text, ParseOptions, Path), LazyThreadSafetyMode.ExecutionAndPublication);
    }

    /// <summary>Path relative to the root, with forward slashes.</summary>
    public string Path { get; }

    /// <summary>Whole contents.</summary>
    public string Text { get; }

    /// <summary>Lines without their line feed; a carriage return would still be there.</summary>
    public string[] Lines { get; }

    /// <summary>File name without folders.</summary>
    public string Name => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>True for C# sources.</summary>
    public bool IsCSharp => Path.EndsWith(".cs", StringComparison.Ordinal);

    /// <summary>The parsed C# source.</summary>
    public SyntaxTree Tree => _tree.Value;

    /// <summary>Root node of <see cref="Tree"/>.</summary>
    public CompilationUnitSyntax Root => Tree.GetCompilationUnitRoot(CancellationToken.None);

    /// <summary>True when the file lies below a folder.</summary>
    /// <param name="folder">Folder with a trailing slash.</param>
    public bool IsBelow(string folder) => Path.StartsWith(folder, StringComparison.Ordinal);

    /// <summary>Makes a violation at a line of this file.</summary>
    public Violation At(int line, string text) => new(Path, line, text);

    /// <summary>Makes a violation at the first line of a node or token of <see cref="Tree"/>.</summary>
    public Violation At(SyntaxNodeOrToken node, string text)
        => At(node.GetLocation()!.GetLineSpan().StartLinePosition.Line + 1, text);
}
