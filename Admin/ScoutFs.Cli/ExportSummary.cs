using System.Collections.Generic;
using System.Globalization;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>What an export did, and what it could not copy.</summary>
internal sealed class ExportSummary
{
    // What could not be copied, by kind: a volume can hold it a million times.
    private readonly SortedDictionary<string, long> _losses = new(System.StringComparer.Ordinal);

    /// <summary>Paths that were made.</summary>
    public long CountPaths { get; set; }

    /// <summary>Bytes of contents that were written.</summary>
    public long CountBytes { get; set; }

    /// <summary>Paths that were left out.</summary>
    public long CountSkipped { get; set; }

    /// <summary>Counts something that this system or user cannot copy.</summary>
    public void AddLoss(string kind) => _losses[kind] = _losses.GetValueOrDefault(kind) + 1;

    /// <summary>Prints what was lost, then the sum.</summary>
    public void Print(CliConsole console, string destination, bool isJson)
    {
        foreach (var (kind, count) in _losses)
            console.Note(string.Create(CultureInfo.InvariantCulture, $"note: not copied, {count} times: {kind}"));
        if (isJson)
        {
            var line = new JsonLine();
            line.BeginObject();
            line.Member("destination", destination);
            line.Member("paths", CountPaths);
            line.Member("bytes", CountBytes);
            line.Member("skipped", CountSkipped);
            line.Name("not_copied");
            line.BeginObject();
            foreach (var (kind, count) in _losses)
                line.Member(kind, count);
            line.EndObject();
            line.EndObject();
            VolumeEntryText.Print(console, line);
            return;
        }

        string skipped = CountSkipped == 0
            ? string.Empty
            : string.Create(CultureInfo.InvariantCulture, $", {CountSkipped} left out");
        console.Print(string.Create(
            CultureInfo.InvariantCulture,
            $"Copied {CountPaths} paths with {CountBytes} bytes to {destination}{skipped}."));
    }
}
