using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ScoutFs.Tidy;

/// <summary>Rules about one C# source at a time.</summary>
public static class CSharpRules
{
    /// <summary>Longest source that needs no reason.</summary>
    public const int MaxLines = 800;

    private const string CoreFolder = "Volume/ScoutFs.Volume/";

    /// <summary>Words that say nothing about what a type is. Plurals count as well.</summary>
    private static readonly ImmutableArray<string> BannedSuffixes =
        ["Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Info", "Data", "Handler", "Base"];

    /// <summary>Folders whose code may be unsafe: bytes become structs, or the operating system is called.</summary>
    private static readonly ImmutableArray<string> UnsafeFolders =
    [
        CoreFolder + "Primitives/", CoreFolder + "Blocks/", "Volume/ScoutFs.Devices/", "Driver/ScoutFs.Driver.Fuse/",
        "Tests/", "Benchmarks/",
    ];

    /// <summary>Sources that hold a family of small types under the name of their topic, with the topic.</summary>
    private static readonly ImmutableDictionary<string, string> TopicFiles = new Dictionary<string, string>
    {
        [CoreFolder + "Primitives/LittleEndian.cs"] = "the integers Le16, Le32, Le64 and LeI64",
        [CoreFolder + "Format/"] = "structures that occur together on disk share a file",
        [CoreFolder + "Offline/CheckContract.cs"] = "what the parts of the checker agree on",
        ["build.cs"] = "a program without a type",
    }.ToImmutableDictionary();

    /// <summary><c>unsafe</c>, and casts of memory to other types, stay in the few folders made for them.</summary>
    public static IEnumerable<Violation> UnsafeCode(SourceFile file)
    {
        if (UnsafeFolders.Any(file.IsBelow))
            yield break;
        foreach (SyntaxToken token in file.Root.DescendantTokens())
        {
            if (token.IsKind(SyntaxKind.UnsafeKeyword))
                yield return file.At(token, "unsafe code outside Primitives, Blocks and Devices");
        }

        foreach (MemberAccessExpressionSyntax access in
                 file.Root.DescendantNodes().OfType<MemberAccessExpressionSyntax>())
        {
            string call = $"{access.Expression}.{access.Name.Identifier.Text}";
            if (call.StartsWith("Unsafe.As", StringComparison.Ordinal) ||
                call.StartsWith("Unsafe.Read", StringComparison.Ordinal) ||
                call is "MemoryMarshal.AsRef" or "MemoryMarshal.Cast" or "MemoryMarshal.Read" or "MemoryMarshal.Write")
                yield return file.At(access, $"{call}: structs are reached through Primitives.Disk only");
        }
    }

    /// <summary>Whoever silences the compiler says why: on the pragma's line, or in the attribute.</summary>
    public static IEnumerable<Violation> Suppressions(SourceFile file)
    {
        foreach (SyntaxTrivia trivia in file.Root.DescendantTrivia(descendIntoTrivia: true))
        {
            if (trivia.GetStructure() is PragmaWarningDirectiveTriviaSyntax pragma &&
                pragma.DisableOrRestoreKeyword.IsKind(SyntaxKind.DisableKeyword) &&
                !pragma.EndOfDirectiveToken.LeadingTrivia.ToString().Contains("// ", StringComparison.Ordinal) &&
                !pragma.ToFullString().Contains("// ", StringComparison.Ordinal))
                yield return file.At(pragma, "#pragma warning disable without a reason behind //");
            if (trivia.GetStructure() is NullableDirectiveTriviaSyntax nullable)
                yield return file.At(nullable, "#nullable: null checks are on everywhere");
        }

        foreach (AttributeSyntax attribute in file.Root.DescendantNodes().OfType<AttributeSyntax>())
        {
            if (attribute.Name.ToString() is "SuppressMessage" or "UnconditionalSuppressMessage" &&
                !attribute.ToString().Contains("Justification", StringComparison.Ordinal))
                yield return file.At(attribute, "SuppressMessage without a Justification");
        }
    }

    /// <summary>Type names end in what the type is.</summary>
    public static IEnumerable<Violation> TypeNames(SourceFile file)
    {
        foreach (SyntaxToken name in DeclaredTypes(file.Root).Select(IdentifierOf))
        {
            string? suffix = BannedSuffixes.FirstOrDefault(
                banned => name.Text.EndsWith(banned, StringComparison.Ordinal));
            if (suffix is not null)
                yield return file.At(name, $"type {name.Text}: “{suffix}” does not say what it is");
        }
    }

    /// <summary>
    /// A source is named after its main type; what follows a dot names the part or the operating system
    /// (<c>RawBlockDevice.Linux.cs</c>).
    /// </summary>
    public static IEnumerable<Violation> FileNames(SourceFile file)
    {
        if (TopicFiles.Keys.Any(topic => file.Path == topic || (topic.EndsWith('/') && file.IsBelow(topic))))
            yield break;
        string expected = file.Name[..file.Name.IndexOf('.', StringComparison.Ordinal)];
        List<string> types = [.. DeclaredTypes(file.Root).Select(type => IdentifierOf(type).Text)];
        if (types.Count > 0 && !types.Contains(expected))
            yield return file.At(0, $"declares {string.Join(", ", types)} but no {expected}");
    }

    /// <summary>Product namespaces are the project's name and the folders below it.</summary>
    public static IEnumerable<Violation> Namespaces(SourceFile file, string project, string projectFolder)
    {
        string folder = file.Path[..(file.Path.LastIndexOf('/') + 1)];
        string below = folder[projectFolder.Length..].TrimEnd('/').Replace('/', '.');
        string expected = below.Length == 0 ? project : project + "." + below;
        foreach (BaseNamespaceDeclarationSyntax space in
                 file.Root.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>())
        {
            if (space.Name.ToString() != expected)
                yield return file.At(space, $"namespace {space.Name}, the folder asks for {expected}");
        }
    }

    /// <summary>Long sources are a question: split it, or say in the table of reasons why not.</summary>
    public static IEnumerable<Violation> Length(SourceFile file, IReadOnlyDictionary<string, string> reasons)
    {
        int lines = file.Lines.Length - 1;
        if (lines > MaxLines && !reasons.ContainsKey(file.Path))
            yield return file.At(0, $"{lines} lines, more than {MaxLines} need a reason");
    }

    /// <summary>
    /// Everything in the core that another type can see is documented. The compiler asks this of public members only.
    /// </summary>
    public static IEnumerable<Violation> Documentation(SourceFile file)
    {
        foreach (MemberDeclarationSyntax member in file.Root.DescendantNodes().OfType<MemberDeclarationSyntax>())
        {
            if (member is BaseNamespaceDeclarationSyntax || !IsVisible(member))
                continue;
            bool isDocumented = member.GetLeadingTrivia().Any(
                trivia => trivia.IsKind(SyntaxKind.SingleLineDocumentationCommentTrivia));
            if (!isDocumented)
                yield return file.At(member, $"no documentation: {Headline(member)}");
        }
    }

    /// <summary>Fixtures are named after their type, tests are <c>Subject_Condition_Result</c>.</summary>
    public static IEnumerable<Violation> TestNames(SourceFile file)
    {
        foreach (MethodDeclarationSyntax method in file.Root.DescendantNodes().OfType<MethodDeclarationSyntax>())
        {
            bool isTest = method.AttributeLists.SelectMany(list => list.Attributes).Any(
                attribute => attribute.Name.ToString() is "Test" or "TestCase" or "TestCaseSource" or "Theory");
            if (!isTest)
                continue;
            string[] parts = method.Identifier.Text.Split('_');
            if (parts.Length != 3 || parts.Any(part => part.Length == 0 || !char.IsAsciiLetterUpper(part[0])))
                yield return file.At(
                    method.Identifier, $"test {method.Identifier.Text}: not Subject_Condition_Result");
            if (method.Parent is TypeDeclarationSyntax fixture && !fixture.Identifier.Text.EndsWith(
                    "Tests", StringComparison.Ordinal))
                yield return file.At(
                    fixture.Identifier, $"fixture {fixture.Identifier.Text}: name it after its type + Tests");
        }
    }

    /// <summary>Types declared directly in the file, not inside other types.</summary>
    public static IEnumerable<MemberDeclarationSyntax> DeclaredTypes(CompilationUnitSyntax root)
        => root.DescendantNodes(node => node is CompilationUnitSyntax or BaseNamespaceDeclarationSyntax)
            .OfType<MemberDeclarationSyntax>()
            .Where(member => member is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax);

    /// <summary>Name of a declared type.</summary>
    public static SyntaxToken IdentifierOf(MemberDeclarationSyntax type) => type switch
    {
        BaseTypeDeclarationSyntax declaration => declaration.Identifier,
        DelegateDeclarationSyntax declaration => declaration.Identifier,
        _ => throw new ArgumentException("not a type", nameof(type)),
    };

    private static bool IsVisible(MemberDeclarationSyntax member)
    {
        for (SyntaxNode? node = member; node is MemberDeclarationSyntax declaration; node = node.Parent)
        {
            if (declaration is BaseNamespaceDeclarationSyntax)
                break;
            bool isDefaultVisible = declaration is EnumMemberDeclarationSyntax ||
                declaration.Parent is InterfaceDeclarationSyntax or CompilationUnitSyntax or
                    BaseNamespaceDeclarationSyntax;
            bool hasAccess = declaration.Modifiers.Any(
                token => token.Kind() is SyntaxKind.PublicKeyword or SyntaxKind.InternalKeyword
                    or SyntaxKind.ProtectedKeyword);
            bool isPrivate = declaration.Modifiers.Any(SyntaxKind.PrivateKeyword);
            if (isPrivate || !(isDefaultVisible || hasAccess))
                return false;
        }

        return true;
    }

    private static string Headline(MemberDeclarationSyntax member) => member switch
    {
        BaseTypeDeclarationSyntax type => type.Identifier.Text,
        DelegateDeclarationSyntax type => type.Identifier.Text,
        MethodDeclarationSyntax method => method.Identifier.Text,
        PropertyDeclarationSyntax property => property.Identifier.Text,
        EventDeclarationSyntax property => property.Identifier.Text,
        ConstructorDeclarationSyntax constructor => constructor.Identifier.Text + " (constructor)",
        EnumMemberDeclarationSyntax value => value.Identifier.Text,
        BaseFieldDeclarationSyntax field => string.Join(
            ", ", field.Declaration.Variables.Select(variable => variable.Identifier.Text)),
        _ => member.Kind().ToString(),
    };
}
