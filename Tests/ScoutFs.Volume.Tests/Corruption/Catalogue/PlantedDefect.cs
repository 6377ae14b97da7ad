using System;
using System.Collections.Generic;
using ScoutFs.Testing;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Planting;

/// <summary>Volume that a defect is planted into.</summary>
internal enum DefectOrigin
{
    /// <summary><see cref="SampleVolume.Busy"/>.</summary>
    Busy,

    /// <summary><see cref="SampleVolume.Plain"/>.</summary>
    Plain,

    /// <summary><see cref="SampleVolume.Tiny"/>.</summary>
    Tiny,

    /// <summary>The golden volume g0-empty.</summary>
    GoldenEmpty,

    /// <summary>The golden volume g1-basic.</summary>
    GoldenBasic,

    /// <summary>The golden volume g4-archive.</summary>
    GoldenArchive,
}

/// <summary>One change of a good volume that breaks one invariant of the format document (§18).</summary>
/// <param name="Invariant">The invariant that must be reported: "I25".</param>
/// <param name="Clause">Which of the statements that the invariant consists of: "keys above the range".</param>
/// <param name="Severity">How bad the format document says it is; null where it leaves that open.</param>
/// <param name="Plant">Makes the change.</param>
internal sealed record PlantedDefect(
    string Invariant, string Clause, FindingSeverity? Severity, Action<VolumeEditor> Plant)
{
    /// <summary>Volume to plant it into.</summary>
    public DefectOrigin Origin { get; init; } = DefectOrigin.Busy;

    /// <summary>Where or how, when one clause is planted more than once.</summary>
    public string Variant { get; init; } = "";

    /// <summary>Invariants that may be reported as well, and why that cannot be helped.</summary>
    public IReadOnlyDictionary<string, string> Companions { get; init; } = new Dictionary<string, string>();

    /// <summary>Why volcheck.py does not report it the same way; null: it does.</summary>
    public string? ReferenceDiffers { get; init; }

    /// <summary>Name of the test case.</summary>
    public string Name =>
        $"{Invariant}: {Clause}{(Variant.Length == 0 ? "" : ", " + Variant)}"
        + (Origin is DefectOrigin.Busy ? "" : $" ({Origin})");

    /// <summary>The same defect in another volume.</summary>
    public PlantedDefect On(DefectOrigin volume) => this with { Origin = volume };

    /// <summary>The same defect with a further invariant that may be reported.</summary>
    public PlantedDefect With(string invariant, string reason) =>
        this with { Companions = new Dictionary<string, string>(Companions) { [invariant] = reason } };

    /// <summary>The same defect, known to be seen otherwise by volcheck.py.</summary>
    public PlantedDefect ButReference(string reason) => this with { ReferenceDiffers = reason };

    /// <inheritdoc/>
    public override string ToString() => Name;
}
