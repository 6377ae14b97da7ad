using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>An inode by its number.</summary>
internal readonly record struct InodeId(ulong Ino) : IComparable<InodeId>
{
    /// <summary>Hash with a seed of the process, so that no volume can be made to collide.</summary>
    public override int GetHashCode() => HashCode.Combine(Ino);

    /// <inheritdoc/>
    public int CompareTo(InodeId other) => Ino.CompareTo(other.Ino);
}

/// <summary>Inodes whose index items (I97) or orphan item (I98) are not what their inode item needs.</summary>
internal sealed class ItemsInodeDifferences
{
    private readonly ItemsDifferenceTable<InodeId, InodeState> _table;

    /// <summary>Creates it.</summary>
    public ItemsInodeDifferences(ItemsBuckets buckets) => _table = new(buckets);

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _table.IsSelected(bucket);

    /// <summary>An item of the inode index.</summary>
    public void AddIndexItem(byte type, ulong seq, ulong ino)
    {
        ref var state = ref _table.At(new InodeId(ino));
        ref var side = ref SideOf(ref state, type);
        if (side.Items < 2)
            (side.Items == 0 ? ref side.FirstItem : ref side.SecondItem) = seq;
        side.Items++;
    }

    /// <summary>An index item that an inode needs.</summary>
    public void AddIndexNeed(byte type, ulong seq, ulong ino)
    {
        ref var state = ref _table.At(new InodeId(ino));
        ref var side = ref SideOf(ref state, type);
        side.IsNeeded = true;
        side.Need = seq;
    }

    /// <summary>An orphan item.</summary>
    public void AddOrphanItem(ulong ino) => _table.At(new InodeId(ino)).HasOrphan = true;

    /// <summary>An orphan item that an inode needs.</summary>
    public void AddOrphanNeed(ulong ino) => _table.At(new InodeId(ino)).NeedsOrphan = true;

    /// <summary>Keeps the inodes that do not agree.</summary>
    public void EndRound()
    {
        foreach (var (id, state) in _table.States)
        {
            if (!state.Meta.IsRight || !state.Data.IsRight || state.HasOrphan != state.NeedsOrphan)
                _table.Keep(id, state);
        }

        _table.EndRound();
    }

    /// <summary>No round follows: the inodes kept can be asked for and judged.</summary>
    public void Finish() => _table.Finish();

    /// <summary>True when an inode has an orphan item although its link count is not 0.</summary>
    public bool HasStrayOrphan(ulong ino)
    {
        int low = 0;
        int high = _table.Kept.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            var (id, state) = _table.Kept[middle];
            if (id.Ino == ino)
                return state.HasOrphan && !state.NeedsOrphan;
            if (id.Ino < ino)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return false;
    }

    /// <summary>Reports all inodes that do not agree, but for what follows from other findings.</summary>
    public void Judge(ItemsFindings findings)
    {
        foreach (var (id, state) in _table.Kept)
        {
            // Every inode that can be read needs to be in the index.
            if (state.Meta.IsNeeded)
                JudgeInode(findings, id.Ino, state);
            else if (!findings.HasFault(id.Ino, InodeBlame.Missing | InodeBlame.Unreadable))
                JudgeNoInode(findings, id.Ino, state);
        }

        if (_table.IsIncomplete)
        {
            findings.Report(
                "I97", "inode index", string.Empty, "More index and orphan items than are listed differ from inodes.");
        }
    }

    private static ref IndexSide SideOf(ref InodeState state, byte type)
    {
        if (type == KeyType.MetaSeq)
            return ref state.Meta;
        return ref state.Data;
    }

    private static void JudgeInode(ItemsFindings findings, ulong ino, in InodeState state)
    {
        if (!findings.HasFault(ino, InodeBlame.MetaSeq))
            JudgeIndex(findings, ino, KeyType.MetaSeq, state.Meta);
        if (!findings.HasFault(ino, InodeBlame.DataSeq | InodeBlame.TypeUnclear))
            JudgeIndex(findings, ino, KeyType.DataSeq, state.Data);

        // A link count that is wrong anyway says nothing about the orphan item: with the right count there would be
        // nothing to report. So nlink changed to or from 0 is a wrong link count (I94), and I98 is left for an orphan
        // item that is missing, or is there, while entries and link count agree.
        if (state.HasOrphan == state.NeedsOrphan || findings.HasFault(ino, InodeBlame.Links))
            return;
        string where = Keys.Orphan(ino).ToString();
        if (state.NeedsOrphan)
        {
            findings.Report(
                "I98",
                $"inode {ino}",
                where,
                "The inode is unlinked, but its orphan item is missing, so that no mount will ever delete it.");
            return;
        }

        findings.Report(
            "I98",
            $"inode {ino}",
            where,
            "The inode has an orphan item, but links to it exist; Linux is known to leave such items behind.",
            FindingSeverity.Warning);
    }

    private static void JudgeIndex(ItemsFindings findings, ulong ino, byte type, in IndexSide side)
    {
        if (side.IsRight)
            return;
        string name = type == KeyType.MetaSeq ? "meta_seq" : "data_seq";
        string structure = $"inode {ino}";
        if (!side.IsNeeded)
        {
            findings.Report(
                "I97",
                structure,
                KeyOf(type, side.FirstItem, ino),
                $"The inode has {side.Items} items in the index by {name}, expected none as it is no regular file.");
            return;
        }

        string where = KeyOf(type, side.Need, ino);
        string what = side.Items switch
        {
            0 => $"The inode has {name} {side.Need}, but no item in the index by {name}.",
            1 => $"The inode has {name} {side.Need}, but the index by {name} has it at {side.FirstItem}.",
            2 => $"The inode has {name} {side.Need}, but the index by {name} has it at {side.FirstItem} and "
                + $"{side.SecondItem}.",
            _ => $"The inode has {name} {side.Need}, but {side.Items} items in the index by {name}, the first at "
                + $"{side.FirstItem}.",
        };
        findings.Report("I97", structure, where, what);
    }

    private static void JudgeNoInode(ItemsFindings findings, ulong ino, in InodeState state)
    {
        bool hasIndex = state.Meta.Items + state.Data.Items > 0;
        if (state.HasOrphan && hasIndex)
        {
            // An unlinked inode may have no other items, so these are what remains when its inode item is lost.
            findings.MissingInodes++;
            findings.Report(
                "I94",
                $"inode {ino}",
                Keys.Inode(ino).ToString(),
                "The inode does not exist, but it has an orphan item and is in the index.");
            return;
        }

        if (state.HasOrphan)
        {
            findings.Report(
                "I98", "orphans", Keys.Orphan(ino).ToString(), $"There is an orphan item, but no inode {ino}.");
        }

        if (state.Meta.Items > 0)
            ReportNoInode(findings, ino, KeyType.MetaSeq, state.Meta);
        if (state.Data.Items > 0)
            ReportNoInode(findings, ino, KeyType.DataSeq, state.Data);
    }

    private static void ReportNoInode(ItemsFindings findings, ulong ino, byte type, in IndexSide side)
    {
        string name = type == KeyType.MetaSeq ? "meta_seq" : "data_seq";
        string items = side.Items == 1 ? "an item" : $"{side.Items} items";
        findings.Report(
            "I97",
            "inode index",
            KeyOf(type, side.FirstItem, ino),
            $"The index by {name} has {items} for inode {ino}, which does not exist.");
    }

    private static string KeyOf(byte type, ulong seq, ulong ino) =>
        (type == KeyType.MetaSeq ? Keys.MetaSeqIndex(seq, ino) : Keys.DataSeqIndex(seq, ino)).ToString();

    /// <summary>One of the two indexes for one inode.</summary>
    private struct IndexSide
    {
        public bool IsNeeded;
        public ulong Need;
        public ulong Items;
        public ulong FirstItem;
        public ulong SecondItem;

        /// <summary>The items are what is needed.</summary>
        public readonly bool IsRight => IsNeeded ? Items == 1 && FirstItem == Need : Items == 0;
    }

    private struct InodeState
    {
        public IndexSide Meta;
        public IndexSide Data;
        public bool HasOrphan;
        public bool NeedsOrphan;
    }
}
