using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace ScoutFs.Tidy;

/// <summary>Summaries of the engine's members, as plain Markdown, from the file the compiler writes.</summary>
public sealed partial class CodeDocumentation
{
    private readonly Dictionary<string, XElement> _members;

    private CodeDocumentation(XDocument document)
        => _members = document.Descendants("member").ToDictionary(member => member.Attribute("name")!.Value);

    /// <summary>Documentation of the assembly that a type lives in.</summary>
    public static CodeDocumentation Of(Type type)
        => new(XDocument.Load(Path.ChangeExtension(type.Assembly.Location, ".xml")));

    /// <summary>Summary of a type.</summary>
    public string Summary(Type type) => Summary("T:" + type.FullName);

    /// <summary>Summary of a field or enum member.</summary>
    public string Summary(Type type, string field) => Summary($"F:{type.FullName}.{field}");

    private string Summary(string id)
    {
        if (!_members.TryGetValue(id, out XElement? member) || member.Element("summary") is not { } summary)
            throw new InvalidOperationException($"{id} has no summary");
        string text = string.Concat(summary.Nodes().Select(Markdown));
        return Blanks().Replace(text, " ").Trim().Replace("format §", "§", StringComparison.Ordinal);
    }

    private static string Markdown(XNode node) => node switch
    {
        XText text => text.Value
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace("|", "\\|", StringComparison.Ordinal),
        XElement { Name.LocalName: "see" } see => $"`{Shorten(see.Attribute("cref")?.Value)}`",
        XElement { Name.LocalName: "paramref" } name => $"`{name.Attribute("name")?.Value}`",
        XElement element => $"`{element.Value}`",
        _ => "",
    };

    /// <summary>From <c>F:Namespace.Type.Member</c> to the member, from <c>T:Namespace.Type</c> to the type.</summary>
    private static string Shorten(string? reference) => reference is null ? "" : reference.Split('.')[^1];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
