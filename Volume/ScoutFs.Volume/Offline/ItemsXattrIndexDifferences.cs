using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>A place in the index of xattrs.</summary>
internal readonly record struct XattrIndexId(ulong Ino, ulong Id, byte Major, ulong Minor) : IComparable<XattrIndexId>
{
    /// <summary>Hash with a seed of the process, so that no volume can be made to collide.</summary>
    public override int GetHashCode() => HashCode.Combine(Ino, Id, Major, Minor);

    /// <inheritdoc/>
    public int CompareTo(XattrIndexId other)
    {
        int order = (Ino, Id).CompareTo((other.Ino, other.Id));
        return order != 0 ? order : (Major, Minor).CompareTo((other.Major, other.Minor));
    }
}

/// <summary>Items of the index of xattrs that no xattr tagged indx needs, or that are missing (I95).</summary>
internal sealed class ItemsXattrIndexDifferences
{
    private readonly ItemsDifferenceTable<XattrIndexId, XattrIndexState> _table;

    /// <summary>Creates it.</summary>
    public ItemsXattrIndexDifferences(ItemsBuckets buckets) => _table = new(buckets);

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _table.IsSelected(bucket);

    /// <summary>An item.</summary>
    public void AddItem(in XattrIndexId id) => _table.At(id).HasItem = true;

    /// <summary>An xattr that needs an item.</summary>
    public void AddNeed(in XattrIndexId id) => _table.At(id).IsNeeded = true;

    /// <summary>Keeps the places that do not agree.</summary>
    public void EndRound()
    {
        foreach (var (id, state) in _table.States)
        {
            if (state.HasItem != state.IsNeeded)
                _table.Keep(id, state);
        }

        _table.EndRound();
    }

    /// <summary>Reports all places that do not agree, but for what follows from other findings.</summary>
    public void Judge(ItemsFindings findings)
    {
        _table.Finish();
        foreach (var (id, state) in _table.Kept)
        {
            if (!findings.HasFault(id.Ino, InodeBlame.XattrUnknown))
                Report(findings, id, state.HasItem);
        }

        if (_table.IsIncomplete)
        {
            findings.Report(
                "I95", "xattr index", string.Empty, "More items of the index than are listed differ from the xattrs.");
        }
    }

    private static void Report(ItemsFindings findings, in XattrIndexId id, bool hasItem)
    {
        string where = Keys.XattrIndex(id.Major, id.Minor, id.Ino, id.Id).ToString();
        if (hasItem)
        {
            // Deleting a file, or an xattr on another mount than the one that made it, may leave the item behind;
            // whoever reads the index of a volume that Linux wrote has to look at the xattr itself.
            findings.Report(
                "I95",
                "xattr index",
                where,
                $"The index has inode {id.Ino} at {id.Major}.{id.Minor} for xattr id {id.Id}, but the inode has no "
                + "such xattr; Linux is known to leave such items behind.",
                FindingSeverity.Warning);
            return;
        }

        findings.Report(
            "I95",
            $"inode {id.Ino}",
            where,
            $"The xattr with id {id.Id} is tagged indx, but the index lacks the inode at {id.Major}.{id.Minor}.");
    }

    private struct XattrIndexState
    {
        public bool HasItem;
        public bool IsNeeded;
    }
}
