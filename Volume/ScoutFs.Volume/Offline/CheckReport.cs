using System.Collections.Generic;

namespace ScoutFs.Volume.Offline;

/// <summary>Verdict of a check; the number is the program's exit code.</summary>
public enum CheckResult
{
    /// <summary>Nothing wrong; warnings may have been found.</summary>
    Clean = 0,

    /// <summary>The volume breaks the format.</summary>
    Findings = 1,

    /// <summary>No verdict: the volume changed meanwhile, or could not be read as one.</summary>
    CouldNotCheck = 2,
}

/// <summary>How a check is run.</summary>
public sealed record CheckOptions
{
    /// <summary>Budget of the block cache in bytes, at least 4 MiB.</summary>
    public long CacheBytes { get; init; } = OfflineVolume.DefaultCacheBytes;

    /// <summary>Findings kept with their text for each invariant; all are counted.</summary>
    public int MaxFindingsPerInvariant { get; init; } = 100;

    /// <summary>Key of the fingerprints; random for each run, fixed in tests.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>How far a check is.</summary>
/// <param name="Phase">What is being done, for people.</param>
/// <param name="BlocksDone">Metadata blocks verified so far.</param>
/// <param name="BlocksTotal">Metadata blocks that are in use, as far as known; 0: not known.</param>
/// <param name="Items">Items seen so far.</param>
/// <param name="Findings">Findings so far, warnings included.</param>
public readonly record struct CheckProgress(string Phase, long BlocksDone, long BlocksTotal, long Items, long Findings);

/// <summary>Result of checking a volume.</summary>
public sealed class CheckReport : IFindingSink
{
    private readonly int _maxPerInvariant;
    private readonly List<Finding> _findings = [];
    private readonly List<string> _notChecked = [];
    private readonly List<string> _notes = [];
    private readonly SortedDictionary<string, long> _errors = new(InvariantOrder.Instance);
    private readonly SortedDictionary<string, long> _warnings = new(InvariantOrder.Instance);
    private readonly SortedDictionary<string, long> _statistics = new(System.StringComparer.Ordinal);

    /// <summary>Creates an empty report.</summary>
    public CheckReport(int maxFindingsPerInvariant) => _maxPerInvariant = maxFindingsPerInvariant;

    /// <summary>The findings that were kept, in the order they were found.</summary>
    public IReadOnlyList<Finding> Findings => _findings;

    /// <summary>Errors found, by invariant.</summary>
    public IReadOnlyDictionary<string, long> Errors => _errors;

    /// <summary>Warnings found, by invariant.</summary>
    public IReadOnlyDictionary<string, long> Warnings => _warnings;

    /// <summary>What could not be checked, and why; sentences.</summary>
    public IReadOnlyList<string> NotChecked => _notChecked;

    /// <summary>Circumstances worth knowing that are no findings; sentences.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Numbers: blocks, items by kind, inodes.</summary>
    public IReadOnlyDictionary<string, long> Statistics => _statistics;

    /// <summary>Number of errors.</summary>
    public long ErrorCount { get; private set; }

    /// <summary>Number of warnings.</summary>
    public long WarningCount { get; private set; }

    /// <summary>The volume changed while it was checked, so that nothing found counts.</summary>
    public bool VolumeChanged { get; internal set; }

    /// <summary>The verdict.</summary>
    public CheckResult Result => VolumeChanged
        ? CheckResult.CouldNotCheck
        : ErrorCount > 0 ? CheckResult.Findings : CheckResult.Clean;

    /// <inheritdoc/>
    public void Report(
        string invariant,
        string structure,
        string where,
        string what,
        FindingSeverity severity = FindingSeverity.Error)
    {
        bool isError = severity == FindingSeverity.Error;
        var counts = isError ? _errors : _warnings;
        long count = counts.GetValueOrDefault(invariant) + 1;
        counts[invariant] = count;
        ErrorCount += isError ? 1 : 0;
        WarningCount += isError ? 0 : 1;
        if (count > _maxPerInvariant)
            return;
        _findings.Add(new Finding(
            invariant, severity, structure, where, what, Invariants.MeaningOf(invariant, severity)));
    }

    /// <summary>Says once that something could not be checked, and why.</summary>
    internal void AddNotChecked(string sentence)
    {
        if (!_notChecked.Contains(sentence))
            _notChecked.Add(sentence);
    }

    /// <summary>Says something worth knowing that is no finding.</summary>
    internal void AddNote(string sentence) => _notes.Add(sentence);

    /// <summary>Sets a number of the statistics.</summary>
    internal void SetStatistic(string name, long value) => _statistics[name] = value;

    // I9 before I10: by number, not by text.
    private sealed class InvariantOrder : IComparer<string>
    {
        public static readonly InvariantOrder Instance = new();

        public int Compare(string? x, string? y)
        {
            int byLength = (x?.Length ?? 0).CompareTo(y?.Length ?? 0);
            return byLength != 0 ? byLength : string.CompareOrdinal(x, y);
        }
    }
}
