using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>The name of a total.</summary>
internal readonly record struct TotalId(ulong A, ulong B, ulong C) : IComparable<TotalId>
{
    /// <summary>Hash with a seed of the process, so that no volume can be made to collide.</summary>
    public override int GetHashCode() => HashCode.Combine(A, B, C);

    /// <inheritdoc/>
    public int CompareTo(TotalId other) => (A, B, C).CompareTo((other.A, other.B, other.C));
}

/// <summary>Totals that are not the sums over xattrs tagged totl (I90).</summary>
internal sealed class ItemsTotalDifferences
{
    private readonly ItemsDifferenceTable<TotalId, TotalState> _table;

    /// <summary>Creates it.</summary>
    public ItemsTotalDifferences(ItemsBuckets buckets) => _table = new(buckets);

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _table.IsSelected(bucket);

    /// <summary>A total.</summary>
    public void AddItem(in TotalId id, ulong total, ulong count)
    {
        ref var state = ref _table.At(id);
        state.ItemTotal += total;
        state.ItemCount += count;
    }

    /// <summary>An xattr that is part of a total.</summary>
    public void AddNeed(in TotalId id, ulong value)
    {
        ref var state = ref _table.At(id);
        state.XattrTotal += value;
        state.XattrCount++;
    }

    /// <summary>Keeps the totals that do not agree.</summary>
    public void EndRound()
    {
        foreach (var (id, state) in _table.States)
        {
            if (state.ItemTotal != state.XattrTotal || state.ItemCount != state.XattrCount)
                _table.Keep(id, state);
        }

        _table.EndRound();
    }

    /// <summary>Reports all totals that do not agree, but for what follows from other findings.</summary>
    public void Judge(ItemsFindings findings)
    {
        _table.Finish();
        ulong unknownXattrs = findings.UnknownXattrs;
        foreach (var (id, state) in _table.Kept)
        {
            // An xattr that cannot be read may be what the total counts and the sum lacks.
            ulong lacking = state.ItemCount - state.XattrCount;
            if (lacking != 0 && lacking <= unknownXattrs)
            {
                unknownXattrs -= lacking;
                continue;
            }

            findings.Report(
                "I90",
                "xattr totals",
                Keys.XattrTotal(id.A, id.B, id.C).ToString(),
                $"The total {id.A}.{id.B}.{id.C} is {state.ItemTotal} with a count of {state.ItemCount}, but "
                + $"{state.XattrCount} xattrs tagged totl add up to {state.XattrTotal}.");
        }

        if (_table.IsIncomplete)
        {
            findings.Report(
                "I90", "xattr totals", string.Empty, "More totals than are listed differ from the xattrs.");
        }
    }

    private struct TotalState
    {
        public ulong ItemTotal;
        public ulong ItemCount;
        public ulong XattrTotal;
        public ulong XattrCount;
    }
}
