using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Text;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>A position of a directory.</summary>
internal readonly record struct EntryId(ulong Dir, ulong Pos) : IComparable<EntryId>
{
    /// <summary>Hash with a seed of the process, so that no volume can be made to collide.</summary>
    public override int GetHashCode() => HashCode.Combine(Dir, Pos);

    /// <inheritdoc/>
    public int CompareTo(EntryId other) => Dir != other.Dir ? Dir.CompareTo(other.Dir) : Pos.CompareTo(other.Pos);
}

/// <summary>Directory entries whose three items do not agree (I93), and what that explains elsewhere.</summary>
internal sealed class ItemsEntryDifferences
{
    /// <summary>Bytes of values that one round keeps, to say what they differ in.</summary>
    private const int MaxValueBytes = 2 << 20;

    private const int HeaderBytes = 32;

    private readonly ItemsDifferenceTable<EntryId, EntryState> _table;
    private readonly List<byte[]> _keptValues = [];
    private readonly Dictionary<ulong, long> _missingBackrefs = [];
    private readonly Dictionary<ulong, ulong> _strays = [];
    private readonly HashSet<EntryId> _wrongBackrefs = [];
    private byte[] _values = new byte[64 << 10];
    private int _valueBytes;

    /// <summary>Creates it.</summary>
    public ItemsEntryDifferences(ItemsBuckets buckets) => _table = new(buckets);

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _table.IsSelected(bucket);

    /// <summary>An item of an entry.</summary>
    public void Add(
        EntryItemKind kind, in EntryPlace place, EntryDefects defects, ReadOnlySpan<byte> value, ulong digest)
    {
        ref var state = ref _table.At(new EntryId(place.Dir, place.Pos));
        ref var side = ref state.Sides[(int)kind];
        if (side.Count++ > 0)
        {
            side.OtherIno = place.Ino;
            return;
        }

        side.Ino = place.Ino;
        side.KeyHash = place.KeyHash;
        side.Defects = defects;
        side.Digest = digest;
        side.Length = (ushort)Math.Min(value.Length, ushort.MaxValue);
        side.Offset = OffsetOf(state, (int)kind, digest) ?? Store(value);
    }

    /// <summary>Keeps the entries that do not agree.</summary>
    public void EndRound()
    {
        foreach (var (id, state) in _table.States)
        {
            if (IsInAgreement(state))
                continue;
            var kept = state;
            for (int kind = 0; kind < 3; kind++)
            {
                ref var side = ref kept.Sides[kind];
                byte[] value = side.Count > 0 && side.Offset >= 0
                    ? _values.AsSpan(side.Offset, side.Length).ToArray()
                    : [];
                side.Offset = _keptValues.Count;
                if (_keptValues.Count < 3 * ItemsDifferenceTable<EntryId, EntryState>.MaxKept)
                    _keptValues.Add(value);
            }

            _table.Keep(id, kept);
        }

        _table.EndRound();
        _valueBytes = 0;
    }

    /// <summary>Reports all entries that do not agree.</summary>
    public void Judge(ItemsFindings findings)
    {
        _table.Finish();
        foreach (var (id, state) in _table.Kept)
        {
            Explain(id, state);
            Report(findings, id, state);
        }

        if (_table.IsIncomplete)
        {
            findings.Report(
                "I93", "directories", string.Empty, "More directory entries than are listed have items that differ.");
        }
    }

    /// <summary>Back references that an inode should have and has not, less those it has and should not.</summary>
    public long MissingBackrefsOf(ulong ino) => _missingBackrefs.GetValueOrDefault(ino);

    /// <summary>Items of entries that are in an inode's group and belong nowhere.</summary>
    public ulong StraysOf(ulong ino) => _strays.GetValueOrDefault(ino);

    /// <summary>True when an entry's back reference is what differs from the other two.</summary>
    public bool IsBackrefWrong(ulong dir, ulong pos) => _wrongBackrefs.Contains(new EntryId(dir, pos));

    private static string NameOf(EntryItemKind kind) => kind switch
    {
        EntryItemKind.Dirent => "dirent",
        EntryItemKind.Readdir => "readdir",
        _ => "link backref",
    };

    private static bool IsInAgreement(in EntryState state)
    {
        ulong digest = state.Sides[0].Digest;
        for (int kind = 0; kind < 3; kind++)
        {
            ref readonly var side = ref state.Sides[kind];
            if (side.Count != 1 || side.Digest != digest || side.Defects != EntryDefects.None)
                return false;
        }

        return true;
    }

    // A value too short or long was reported as such; here it agrees with everything.
    private static bool AreEqual(in EntrySide left, in EntrySide right) =>
        left.Digest == right.Digest || ((left.Defects | right.Defects) & EntryDefects.ValueLength) != 0;

    private static int? OffsetOf(in EntryState state, int kind, ulong digest)
    {
        for (int other = 0; other < kind; other++)
        {
            ref readonly var side = ref state.Sides[other];
            if (side.Count > 0 && side.Digest == digest && side.Offset >= 0)
                return side.Offset;
        }

        return null;
    }

    private int Store(ReadOnlySpan<byte> value)
    {
        int offset = _valueBytes;
        if (value.Length > MaxValueBytes - offset)
            return -1;
        if (value.Length > _values.Length - offset)
            Array.Resize(ref _values, Math.Min(MaxValueBytes, Math.Max(2 * _values.Length, offset + value.Length)));
        value.CopyTo(_values.AsSpan(offset));
        _valueBytes += value.Length;
        return offset;
    }

    // What else follows from the entry: link counts, groups of inodes that do not exist, types.
    private void Explain(in EntryId id, in EntryState state)
    {
        ref readonly var dirent = ref state.Sides[(int)EntryItemKind.Dirent];
        ref readonly var readdir = ref state.Sides[(int)EntryItemKind.Readdir];
        ref readonly var backref = ref state.Sides[(int)EntryItemKind.Backref];
        bool hasName = dirent.Count > 0;
        bool hasPos = readdir.Count > 0;
        bool hasBackref = backref.Count > 0;
        if (hasName && !hasPos && !hasBackref)
            AddStray(id.Dir, dirent.Count);
        if (hasPos && !hasName && !hasBackref)
            AddStray(id.Dir, readdir.Count);
        if (hasBackref && !hasName && !hasPos)
            AddStrayBackref(backref.Ino);
        if (!hasName || !hasPos || !AreEqual(dirent, readdir))
            return;
        ulong target = (dirent.Defects & EntryDefects.ValueLength) == 0 ? dirent.Ino : readdir.Ino;
        if (((dirent.Defects & readdir.Defects) & EntryDefects.ValueLength) != 0)
            return;
        bool isTarget = hasBackref && (backref.Ino == target || (backref.Count > 1 && backref.OtherIno == target));
        if (!isTarget)
            AddMissingBackref(target, 1);
        if (hasBackref && backref.Ino != target)
            AddStrayBackref(backref.Ino);
        if (backref.Count > 1 && backref.OtherIno != target)
            AddStrayBackref(backref.OtherIno);
        if (hasBackref && !AreEqual(dirent, backref))
            _ = _wrongBackrefs.Add(id);
    }

    private void AddStray(ulong owner, uint items) => _strays[owner] = _strays.GetValueOrDefault(owner) + items;

    private void AddStrayBackref(ulong ino)
    {
        AddStray(ino, 1);
        AddMissingBackref(ino, -1);
    }

    private void AddMissingBackref(ulong ino, int count) =>
        _missingBackrefs[ino] = _missingBackrefs.GetValueOrDefault(ino) + count;

    private void Report(ItemsFindings findings, in EntryId id, in EntryState state)
    {
        string structure = $"inode {id.Dir}";
        string where = Where(id, state);
        bool isReported = false;
        for (var kind = EntryItemKind.Dirent; kind <= EntryItemKind.Backref; kind++)
        {
            ref readonly var side = ref state.Sides[(int)kind];
            if (side.Count <= 1)
                continue;
            findings.Report(
                "I93", structure, where, $"The entry has {side.Count} {NameOf(kind)} items, expected exactly 1.");
            isReported = true;
        }

        string? what = isReported ? null : DescribePresence(id, state);
        if (what is not null)
        {
            findings.Report("I93", structure, where, what);
            return;
        }

        // All agree, so what is wrong is wrong with each of them, or with a key alone.
        ref readonly var dirent = ref state.Sides[(int)EntryItemKind.Dirent];
        if ((dirent.Defects & EntryDefects.NameNotAllowed) != 0)
        {
            findings.Report(
                "I92", structure, where, "No name holds a slash or a zero byte, or is \".\" or \"..\".");
        }

        for (var kind = EntryItemKind.Dirent; kind <= EntryItemKind.Backref && !isReported; kind++)
        {
            what = DescribeDefects(id, state, kind);
            if (what is null)
                continue;
            findings.Report("I93", structure, where, what);
            isReported = true;
        }
    }

    private string Where(in EntryId id, in EntryState state)
    {
        foreach (ref readonly var side in state.Sides[..])
        {
            var value = ValueOf(side);
            if (value.Length > HeaderBytes)
                return $"entry \"{NameText.Printable(value[HeaderBytes..])}\" at position {id.Pos}";
        }

        return $"entry at position {id.Pos}";
    }

    // Which of the three are there and agree; null when all do.
    private string? DescribePresence(in EntryId id, in EntryState state)
    {
        var present = new List<EntryItemKind>(3);
        var missing = new List<EntryItemKind>(3);
        for (var kind = EntryItemKind.Dirent; kind <= EntryItemKind.Backref; kind++)
            (state.Sides[(int)kind].Count > 0 ? present : missing).Add(kind);
        if (present.Count == 1)
        {
            return $"Only the {NameOf(present[0])} item {KeyOf(id, state, present[0])} of the entry is there, the "
                + $"{NameOf(missing[0])} and {NameOf(missing[1])} items are missing.";
        }

        if (present.Count == 2)
        {
            bool agree = AreEqual(state.Sides[(int)present[0]], state.Sides[(int)present[1]]);
            string difference = agree
                ? string.Empty
                : $" The {NameOf(present[1])} item differs from the {NameOf(present[0])} item: "
                    + $"{Differences(state, present[0], present[1])}.";
            return $"The {NameOf(missing[0])} item {KeyOf(id, state, missing[0])} of the entry is missing, the "
                + $"{NameOf(present[0])} and {NameOf(present[1])} items are there.{difference}";
        }

        return DescribeOdd(id, state);
    }

    private string? DescribeOdd(in EntryId id, in EntryState state)
    {
        const EntryItemKind dirent = EntryItemKind.Dirent;
        const EntryItemKind readdir = EntryItemKind.Readdir;
        const EntryItemKind backref = EntryItemKind.Backref;
        bool isNameLikePos = AreEqual(state.Sides[(int)dirent], state.Sides[(int)readdir]);
        bool isNameLikeBackref = AreEqual(state.Sides[(int)dirent], state.Sides[(int)backref]);
        bool isPosLikeBackref = AreEqual(state.Sides[(int)readdir], state.Sides[(int)backref]);
        if (isNameLikePos && isNameLikeBackref && isPosLikeBackref)
            return null;
        if (isPosLikeBackref)
            return OddOne(id, state, dirent, readdir);
        if (isNameLikeBackref)
            return OddOne(id, state, readdir, dirent);
        if (isNameLikePos)
            return OddOne(id, state, backref, dirent);
        return "The three items of the entry all differ. Readdir item instead of dirent: "
            + $"{Differences(state, dirent, readdir)}. Link backref item instead of dirent: "
            + $"{Differences(state, dirent, backref)}.";
    }

    private string OddOne(in EntryId id, in EntryState state, EntryItemKind odd, EntryItemKind even) =>
        $"The {NameOf(odd)} item {KeyOf(id, state, odd)} differs from the entry's other two: "
        + $"{Differences(state, even, odd)}.";

    private string? DescribeDefects(in EntryId id, in EntryState state, EntryItemKind kind)
    {
        ref readonly var side = ref state.Sides[(int)kind];
        var defects = side.Defects & ~(EntryDefects.ValueLength | EntryDefects.NameNotAllowed);
        var value = ValueOf(side);
        if (defects == EntryDefects.None)
            return null;
        string item = $"{NameOf(kind)} item {KeyOf(id, state, kind)}";
        if ((defects & EntryDefects.PosRange) != 0)
            return $"The {item} is at position {id.Pos}, expected 2 to {ulong.MaxValue - 1}.";
        if ((defects & EntryDefects.KeyRest) != 0)
            return $"The key of the {item} has parts that must be 0 and are not.";
        if (value.Length <= HeaderBytes)
            return $"The key of the {item} does not agree with its value.";
        ref readonly var header = ref Disk.Ref<DirentHeader>(value);
        if ((defects & EntryDefects.NameHash) != 0)
        {
            return $"The {item} says hash {header.Hash.Value:x16}, but the name's hash is "
                + $"{NameHash.Compute(value[HeaderBytes..]):x16}.";
        }

        return (defects & EntryDefects.KeyPos) != 0
            ? $"The {item} says position {header.Pos}, expected {id.Pos} as in its key."
            : $"The key of the {item} has hash {side.KeyHash:x16}, expected {header.Hash.Value:x16} as in its value.";
    }

    // What the value of one side says instead of what another's does.
    private string Differences(in EntryState state, EntryItemKind evenKind, EntryItemKind oddKind)
    {
        ref readonly var even = ref state.Sides[(int)evenKind];
        ref readonly var odd = ref state.Sides[(int)oddKind];
        var right = ValueOf(even);
        var wrong = ValueOf(odd);
        if (right.Length <= HeaderBytes || wrong.Length <= HeaderBytes)
            return "its value";
        ref readonly var rightHeader = ref Disk.Ref<DirentHeader>(right);
        ref readonly var wrongHeader = ref Disk.Ref<DirentHeader>(wrong);
        var text = new StringBuilder();
        if (odd.Ino != even.Ino)
            Append(text, $"inode {odd.Ino} instead of {even.Ino}");
        else if (wrongHeader.Ino != rightHeader.Ino)
            Append(text, $"inode {wrongHeader.Ino} in its value instead of {rightHeader.Ino}");
        if (wrongHeader.Hash != rightHeader.Hash)
            Append(text, $"hash {wrongHeader.Hash.Value:x16} instead of {rightHeader.Hash.Value:x16}");
        if (wrongHeader.Pos != rightHeader.Pos)
            Append(text, $"position {wrongHeader.Pos} instead of {rightHeader.Pos}");
        if (wrongHeader.Type != rightHeader.Type)
        {
            string wrongType = ItemsGroup.NameOfType(wrongHeader.Type);
            Append(text, $"{wrongType} instead of {ItemsGroup.NameOfType(rightHeader.Type)}");
        }

        var wrongName = wrong[HeaderBytes..];
        if (!wrongName.SequenceEqual(right[HeaderBytes..]))
            Append(text, $"name \"{NameText.Printable(wrongName)}\" instead of "
                + $"\"{NameText.Printable(right[HeaderBytes..])}\"");
        return text.ToString();
    }

    private static void Append(StringBuilder text, string difference) =>
        _ = text.Append(text.Length == 0 ? string.Empty : ", ").Append(difference);

    // The key an item has, or should have by what the others say.
    private ItemKey KeyOf(in EntryId id, in EntryState state, EntryItemKind kind)
    {
        ref readonly var side = ref state.Sides[(int)kind];
        ulong hash = side.KeyHash;
        ulong ino = side.Ino;
        for (int other = 0; other < 3 && side.Count == 0; other++)
        {
            var value = ValueOf(state.Sides[other]);
            if (value.Length <= HeaderBytes)
                continue;
            hash = Disk.Ref<DirentHeader>(value).Hash;
            ino = state.Sides[other].Ino;
            break;
        }

        return kind switch
        {
            EntryItemKind.Dirent => Keys.Dirent(id.Dir, hash, id.Pos),
            EntryItemKind.Readdir => Keys.Readdir(id.Dir, id.Pos),
            _ => Keys.LinkBackref(ino, id.Dir, id.Pos),
        };
    }

    private ReadOnlySpan<byte> ValueOf(in EntrySide side) =>
        side.Count > 0 && (side.Defects & EntryDefects.ValueLength) == 0 && side.Offset < _keptValues.Count
            ? _keptValues[side.Offset]
            : default;

    /// <summary>What is known about one of the three items; once kept, Offset is an index of kept values.</summary>
    private struct EntrySide
    {
        public uint Count;
        public EntryDefects Defects;
        public ushort Length;
        public int Offset;
        public ulong Ino;
        public ulong OtherIno;
        public ulong KeyHash;
        public ulong Digest;
    }

    [InlineArray(3)]
    private struct EntrySides
    {
        private EntrySide _element0;
    }

    private struct EntryState
    {
        public EntrySides Sides;
    }
}
