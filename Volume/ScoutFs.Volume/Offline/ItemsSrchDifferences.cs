using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>A srch entry.</summary>
internal readonly record struct SrchId(ulong Hash, ulong Ino, ulong Id) : IComparable<SrchId>
{
    /// <summary>Hash with a seed of the process, so that no volume can be made to collide.</summary>
    public override int GetHashCode() => HashCode.Combine(Hash, Ino, Id);

    /// <inheritdoc/>
    public int CompareTo(SrchId other) => (Ino, Id, Hash).CompareTo((other.Ino, other.Id, other.Hash));
}

/// <summary>Srch entries that occur an odd number of times without an xattr tagged srch, or vice versa (I79).</summary>
internal sealed class ItemsSrchDifferences
{
    private readonly ItemsDifferenceTable<SrchId, SrchState> _table;

    /// <summary>Creates it.</summary>
    public ItemsSrchDifferences(ItemsBuckets buckets) => _table = new(buckets);

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _table.IsSelected(bucket);

    /// <summary>An entry.</summary>
    public void AddEntry(in SrchId id) => _table.At(id).Entries++;

    /// <summary>An xattr that needs an entry.</summary>
    public void AddNeed(in SrchId id) => _table.At(id).IsNeeded = true;

    /// <summary>Keeps the entries that do not agree.</summary>
    public void EndRound()
    {
        foreach (var (id, state) in _table.States)
        {
            if (((state.Entries & 1) != 0) != state.IsNeeded)
                _table.Keep(id, state);
        }

        _table.EndRound();
    }

    /// <summary>Reports all entries that do not agree, but for what follows from other findings.</summary>
    public void Judge(ItemsFindings findings)
    {
        _table.Finish();
        foreach (var (id, state) in _table.Kept)
        {
            if (!findings.HasFault(id.Ino, InodeBlame.XattrUnknown))
                Report(findings, id, state);
        }

        if (_table.IsIncomplete)
        {
            findings.Report(
                "I79", "srch files", string.Empty, "More srch entries than are listed differ from the xattrs.");
        }
    }

    private static void Report(ItemsFindings findings, in SrchId id, in SrchState state)
    {
        string entry = new SrchEntry(id.Hash, id.Ino, id.Id).ToString();
        string times = state.Entries == 1 ? "once" : $"{state.Entries} times";
        if (state.IsNeeded)
        {
            string found = state.Entries == 0 ? "is not in the srch files" : $"is there {times}, which cancels out";
            findings.Report(
                "I79",
                $"inode {id.Ino}",
                $"entry {entry}",
                $"The xattr with id {id.Id} is tagged srch, but its entry {found}: a search does not find the inode.");
            return;
        }

        findings.Report(
            "I79",
            "srch files",
            $"entry {entry}",
            $"The entry is there {times}, but inode {id.Ino} has no such xattr: a search finds the inode by mistake.");
    }

    private struct SrchState
    {
        public uint Entries;
        public bool IsNeeded;
    }
}
