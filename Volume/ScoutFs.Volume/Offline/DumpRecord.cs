using System.Collections.Generic;
using System.Globalization;

namespace ScoutFs.Volume.Offline;

/// <summary>One structure of a volume as names and values, to be printed. Reused record after record.</summary>
public sealed class DumpRecord
{
    private readonly List<DumpField> _fields = [];
    private string _prefix = string.Empty;

    /// <summary>What it is: "super", "quorum", "tree", "block", "item", "list_block", "bloom", "problem", ….</summary>
    public string Kind { get; private set; } = string.Empty;

    /// <summary>Where it is: "fs_root", "log_trees 1f3a….2 item_root", "server_meta_avail[0]".</summary>
    public string Structure { get; private set; } = string.Empty;

    /// <summary>Its fields in the order of the format.</summary>
    public IReadOnlyList<DumpField> Fields => _fields;

    /// <summary>Adds a number.</summary>
    public void Add(string name, ulong value) =>
        _fields.Add(new DumpField(_prefix + name, value.ToString(CultureInfo.InvariantCulture), IsNumber: true));

    /// <summary>Adds a signed number.</summary>
    public void Add(string name, long value) =>
        _fields.Add(new DumpField(_prefix + name, value.ToString(CultureInfo.InvariantCulture), IsNumber: true));

    /// <summary>Adds a text.</summary>
    public void Add(string name, string value) => _fields.Add(new DumpField(_prefix + name, value, IsNumber: false));

    /// <summary>Begins another record of a kind and structure; fields of the one before are forgotten.</summary>
    internal void Start(string kind, string structure)
    {
        Kind = kind;
        Structure = structure;
        _fields.Clear();
        _prefix = string.Empty;
    }

    /// <summary>Puts the fields that follow below a name, so that they cannot meet those before.</summary>
    internal void Below(string name) => _prefix = name + ".";
}

/// <summary>A field of a <see cref="DumpRecord"/>.</summary>
/// <param name="Name">Name as in the format document.</param>
/// <param name="Text">Value as text.</param>
/// <param name="IsNumber">The text is a decimal number.</param>
public readonly record struct DumpField(string Name, string Text, bool IsNumber);
