using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>A known deviation of Linux-written volumes, or harmless: nothing has to be done.</summary>
    Warning,

    /// <summary>The volume breaks the format: data may be lost or wrong.</summary>
    Error,
}

/// <summary>One thing the checker found.</summary>
/// <param name="Invariant">Number of the invariant in the format document (§18), "I25".</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Structure">What it was found in: "fs_root", "log_trees 1f3a….2 item_root", "inode 1042".</param>
/// <param name="Where">Where exactly: block, item, key, entry; empty when the structure says it all.</param>
/// <param name="What">What is wrong, with what was expected and what is there; a sentence.</param>
/// <param name="Meaning">What it means for the user and what to do; a sentence.</param>
public sealed record Finding(
    string Invariant,
    FindingSeverity Severity,
    string Structure,
    string Where,
    string What,
    string Meaning);

/// <summary>Takes findings; the report behind it counts and caps them.</summary>
public interface IFindingSink
{
    /// <summary>Reports a finding. Meaning and default severity come from the catalogue of invariants.</summary>
    /// <param name="invariant">"I25".</param>
    /// <param name="structure">See <see cref="Finding.Structure"/>.</param>
    /// <param name="where">See <see cref="Finding.Where"/>.</param>
    /// <param name="what">See <see cref="Finding.What"/>.</param>
    /// <param name="severity">Error, or Warning where the format document says W.</param>
    void Report(
        string invariant,
        string structure,
        string where,
        string what,
        FindingSeverity severity = FindingSeverity.Error);
}

/// <summary>Takes the items of the merged view, in ascending key order, deletions left out, totals added up.</summary>
public interface IItemSink
{
    /// <summary>One live item. The spans are valid during the call only.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="seq">Seq of the winning version.</param>
    /// <param name="value">Its value.</param>
    void OnItem(in ItemKey key, ulong seq, ReadOnlySpan<byte> value);
}
