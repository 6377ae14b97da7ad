using System;
using System.Collections.Generic;
using System.Globalization;

namespace ScoutFs.Volume.Offline;

/// <summary>Names who claims the ranges of the data device that are covered wrongly (I62).</summary>
internal sealed class DataOwners
{
    // Ranges and owners that are named; the rest is counted.
    private const int MaxRanges = 1000;
    private const int MaxOwners = 4;

    private readonly List<(ulong Start, ulong End, long Times)> _faults;
    private readonly List<string>[] _owners;

    /// <summary>Creates it for ranges from <see cref="CoverageProfile.Faults"/>.</summary>
    public DataOwners(List<(ulong Start, ulong End, long Times)> faults)
    {
        _faults = faults;
        _owners = new List<string>[Math.Min(faults.Count, MaxRanges)];
        for (int i = 0; i < _owners.Length; i++)
            _owners[i] = [];
    }

    /// <summary>Offers an extent and its owner.</summary>
    public void Add(ulong start, ulong count, string owner)
    {
        for (int i = FirstEndingAfter(start); i < _owners.Length && _faults[i].Start < start + count; i++)
        {
            if (_owners[i].Count < MaxOwners)
                _owners[i].Add(owner);
        }
    }

    /// <summary>Reports all ranges.</summary>
    public void Report(IFindingSink findings)
    {
        for (int i = 0; i < _owners.Length; i++)
        {
            var (start, end, times) = _faults[i];
            string what = times == 0
                ? "The blocks are in no place: neither free nor part of a file."
                : $"The blocks are in {times} places: {string.Join(", ", _owners[i])}.";
            findings.Report(
                "I62",
                "data device",
                string.Create(CultureInfo.InvariantCulture, $"blocks {start}..{end - 1}"),
                what);
        }

        if (_faults.Count > _owners.Length)
        {
            findings.Report(
                "I62",
                "data device",
                string.Empty,
                $"{_faults.Count - _owners.Length} more ranges are accounted for wrongly.");
        }
    }

    private int FirstEndingAfter(ulong blkno)
    {
        int low = 0;
        int high = _owners.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_faults[middle].End > blkno)
                high = middle;
            else
                low = middle + 1;
        }

        return low;
    }
}
