using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>What an import did, or would do, and what it could not. Any thread.</summary>
internal sealed class ImportSummary(CliConsole console)
{
    private readonly Lock _latch = new();

    // Guarded by _latch. What could not be copied, by kind: a tree can hold it a million times.
    private readonly SortedDictionary<string, long> _losses = new(StringComparer.Ordinal);
    private long _files;
    private long _directories;
    private long _symlinks;
    private long _specials;
    private long _links;
    private long _replaced;
    private long _updated;
    private long _present;
    private long _failed;
    private long _bytes;

    /// <summary>Paths that were dealt with.</summary>
    public long CountPaths
    {
        get
        {
            lock (_latch)
                return CountMade + _present + _failed;
        }
    }

    /// <summary>Paths that failed.</summary>
    public long CountFailed
    {
        get
        {
            lock (_latch)
                return _failed;
        }
    }

    private long CountMade => _files + _directories + _symlinks + _specials + _links;

    /// <summary>Counts contents.</summary>
    public void AddBytes(long bytes)
    {
        lock (_latch)
            _bytes += bytes;
    }

    /// <summary>Counts something that was created.</summary>
    /// <param name="type">Type bits of its mode.</param>
    /// <param name="replaces">Something else that had its name is gone.</param>
    public void AddCreated(uint type, bool replaces)
    {
        lock (_latch)
        {
            _replaced += replaces ? 1 : 0;
            switch (type)
            {
                case FileMode.Regular:
                    _files++;
                    break;
                case FileMode.Directory:
                    _directories++;
                    break;
                case FileMode.Symlink:
                    _symlinks++;
                    break;
                default:
                    _specials++;
                    break;
            }
        }
    }

    /// <summary>Counts another name that was made for something.</summary>
    public void AddLink(bool replaces)
    {
        lock (_latch)
        {
            _links++;
            _replaced += replaces ? 1 : 0;
        }
    }

    /// <summary>Counts something that was there already.</summary>
    /// <param name="isUpdated">Its attributes were not and have been set.</param>
    public void AddPresent(bool isUpdated)
    {
        lock (_latch)
        {
            _present++;
            _updated += isUpdated ? 1 : 0;
        }
    }

    /// <summary>Counts and reports a path that failed.</summary>
    public void AddFailed(string sentence)
    {
        lock (_latch)
        {
            _failed++;
            console.Note(sentence);
        }
    }

    /// <summary>Counts something that this volume, system or user cannot copy.</summary>
    public void AddLoss(string kind)
    {
        lock (_latch)
            _losses[kind] = _losses.GetValueOrDefault(kind) + 1;
    }

    /// <summary>Says something that is neither.</summary>
    public void Note(string sentence)
    {
        lock (_latch)
            console.Note(sentence);
    }

    /// <summary>Prints what was lost, then the sums.</summary>
    public void Print(string destination, TimeSpan elapsed, bool isDryRun, bool isJson)
    {
        foreach (var (kind, count) in _losses)
            console.Note(string.Create(CultureInfo.InvariantCulture, $"note: not copied, {count} times: {kind}"));
        if (isJson)
            PrintJson(destination, elapsed, isDryRun);
        else
            PrintText(destination, elapsed, isDryRun);
    }

    private void PrintText(string destination, TimeSpan elapsed, bool isDryRun)
    {
        string verb = isDryRun ? "Would import" : "Imported";
        console.Print(string.Create(
            CultureInfo.InvariantCulture,
            $"{verb} {CountMade} paths with {_bytes} bytes to {destination}: {_files} files, {_directories} "
            + $"directories, {_symlinks} symbolic links, {_links} further hard links, {_specials} others."));
        if (_present > 0 || _replaced > 0)
        {
            console.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"{_present} paths were there already (attributes set: {_updated}), {_replaced} were replaced."));
        }

        if (_failed > 0)
        {
            console.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"{_failed} paths failed, see above. Run the command again to complete them."));
        }

        if (!isDryRun && elapsed > TimeSpan.Zero)
        {
            double seconds = elapsed.TotalSeconds;
            console.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"It took {seconds:F1} s: {CountMade / seconds:F0} paths/s, {_bytes / seconds / 1e6:F0} MB/s."));
        }
    }

    private void PrintJson(string destination, TimeSpan elapsed, bool isDryRun)
    {
        var line = new JsonLine();
        line.BeginObject();
        line.Member("destination", destination);
        line.Member("dry_run", isDryRun);
        line.Member("files", _files);
        line.Member("directories", _directories);
        line.Member("symlinks", _symlinks);
        line.Member("hard_links", _links);
        line.Member("others", _specials);
        line.Member("bytes", _bytes);
        line.Member("present", _present);
        line.Member("updated", _updated);
        line.Member("replaced", _replaced);
        line.Member("failed", _failed);
        line.Member("milliseconds", (long)elapsed.TotalMilliseconds);
        line.Name("not_copied");
        line.BeginObject();
        foreach (var (kind, count) in _losses)
            line.Member(kind, count);
        line.EndObject();
        line.EndObject();
        VolumeEntryText.Print(console, line);
    }
}
