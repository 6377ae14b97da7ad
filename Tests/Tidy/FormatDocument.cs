using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using ScoutFs.Volume.Format;

namespace ScoutFs.Tidy;

/// <summary>The tables of docs/FORMAT.md, made from the sources.</summary>
/// <remarks>
/// The document is written by hand except for what stands between <c>&lt;!-- layout Name --&gt;</c> and
/// <c>&lt;!-- end --&gt;</c> (an on-disk struct) or <c>&lt;!-- values Name --&gt;</c> and <c>&lt;!-- end --&gt;</c>
/// (an enum, or a class of constants). The name is the C# type.
/// </remarks>
public static partial class FormatDocument
{
    /// <summary>Path of the document.</summary>
    public const string Path = "docs/FORMAT.md";

    private static readonly Assembly Engine = typeof(OnDiskAttribute).Assembly;
    private static readonly CodeDocumentation Documentation = CodeDocumentation.Of(typeof(OnDiskAttribute));

    /// <summary>Names of the structs and value lists that the document has a table for, in its order.</summary>
    public static IReadOnlyList<string> Tables(string document)
        => [.. Block().Matches(document).Select(match => match.Groups["name"].Value)];

    /// <summary>Section numbers of the document's headings, such as <c>8.2</c>.</summary>
    public static IReadOnlyList<string> Sections(string document)
        => [.. Heading().Matches(document).Select(match => match.Groups["number"].Value)];

    /// <summary>The document with every table made anew.</summary>
    public static string Rewrite(string document) => Block().Replace(document, match =>
    {
        string kind = match.Groups["kind"].Value;
        string name = match.Groups["name"].Value;
        string table = kind == "layout" ? Layout(name) : Values(name);
        return $"<!-- {kind} {name} -->\n{table}<!-- end -->";
    });

    private static string Layout(string name)
    {
        OnDiskStruct layout = OnDiskStruct.All.FirstOrDefault(candidate => candidate.Type.Name == name)
            ?? throw new InvalidOperationException($"{Path} has a table for {name}, which is no OnDisk struct");
        var text = new StringBuilder();
        string since = layout.Since > 1 ? $", since version {layout.Since}" : "";
        AppendParagraph(
            text, $"**`{name}`** ({layout.RealSize} bytes{since}). {Documentation.Summary(layout.Type)}");
        text.Append("| off | len | field | type | meaning |\n|---:|---:|---|---|---|\n");
        foreach (OnDiskField field in layout.Fields)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {field.RealOffset} | {field.SizeBytes} | {field.Name} ");
            text.Append(CultureInfo.InvariantCulture, $"| {TypeName(field.Type)} ");
            text.Append(CultureInfo.InvariantCulture, $"| {Documentation.Summary(layout.Type, field.Name)} |\n");
        }

        List<FieldInfo> flags =
            [.. Constants(layout.Type).Where(flag => flag.Name.StartsWith("Flag", StringComparison.Ordinal))];
        if (flags.Count > 0)
        {
            text.Append("\n| flag | value | meaning |\n|---|---:|---|\n");
            foreach (FieldInfo flag in flags)
                AppendConstant(text, layout.Type, flag);
        }

        return text.ToString();
    }

    private static string Values(string name)
    {
        Type type = Engine.GetTypes().FirstOrDefault(candidate => candidate.Name == name)
            ?? throw new InvalidOperationException($"{Path} has a table for {name}, which is no type of the engine");
        var text = new StringBuilder();
        AppendParagraph(text, $"**`{name}`**. {Documentation.Summary(type)}");
        text.Append("| name | value | meaning |\n|---|---:|---|\n");
        foreach (FieldInfo field in Constants(type))
            AppendConstant(text, type, field);
        return text.ToString();
    }

    /// <summary>Breaks a paragraph into lines of at most 120 columns.</summary>
    private static void AppendParagraph(StringBuilder text, string paragraph)
    {
        int columns = 0;
        foreach (string word in paragraph.Split(' '))
        {
            bool fits = columns + 1 + word.Length <= 120;
            if (columns > 0)
                text.Append(fits ? ' ' : '\n');
            columns = columns > 0 && fits ? columns + 1 + word.Length : word.Length;
            text.Append(word);
        }

        text.Append("\n\n");
    }

    private static IEnumerable<FieldInfo> Constants(Type type)
        => type.GetFields(BindingFlags.Static | BindingFlags.Public).Where(field => field.IsLiteral);

    private static void AppendConstant(StringBuilder text, Type type, FieldInfo field)
    {
        ulong value = Convert.ToUInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture);
        string shown = value > 0xffffff ? $"0x{value:x}" : value.ToString(CultureInfo.InvariantCulture);
        text.Append(CultureInfo.InvariantCulture, $"| {field.Name} | {shown} ");
        text.Append(CultureInfo.InvariantCulture, $"| {Documentation.Summary(type, field.Name)} |\n");
    }

    /// <summary>u8, u16, u32, u64, s64, or the name of the struct; arrays as element[n].</summary>
    private static string TypeName(Type type)
    {
        if (type.GetCustomAttribute<InlineArrayAttribute>() is { } array)
            return $"{TypeName(OnDiskStruct.InstanceFields(type).Single().FieldType)}[{array.Length}]";

        return type.Name switch
        {
            "Byte" => "u8",
            "Le16" => "u16",
            "Le32" => "u32",
            "Le64" => "u64",
            "LeI64" => "s64",
            _ => type.Name,
        };
    }

    [GeneratedRegex(@"<!-- (?<kind>layout|values) (?<name>\w+) -->\n.*?<!-- end -->", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"^#+ (?<number>\d+(\.\d+)?)\.? ", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
