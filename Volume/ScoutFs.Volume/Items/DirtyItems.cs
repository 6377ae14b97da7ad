using System;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Items;

/// <summary>A transaction's items in key order, copied when its commit began; reused from commit to commit.</summary>
/// <remarks>Not thread safe; belongs to the commit.</remarks>
public sealed class DirtyItems : IItemSource
{
    private Entry[] _entries = new Entry[1024];
    private byte[] _values = new byte[65536];
    private int _end;
    private int _next;

    /// <summary>Number of items.</summary>
    public int Count { get; private set; }

    /// <summary>Greatest version of any item.</summary>
    public ulong MaxSeq { get; private set; }

    /// <summary>Key of an item.</summary>
    public ref readonly ItemKey Key(int index) => ref _entries[index].Key;

    /// <summary>Removes all items.</summary>
    public void Clear()
    {
        Count = 0;
        MaxSeq = 0;
        _end = 0;
        _next = 0;
    }

    /// <summary>Adds an item whose key is greater than all others.</summary>
    public void Add(in ItemKey key, ulong seq, bool isDeletion, ReadOnlySpan<byte> value)
    {
        Invariant.Require(Count == 0 || key > _entries[Count - 1].Key);
        if (Count == _entries.Length)
            Array.Resize(ref _entries, Count * 2);
        while (_end + value.Length > _values.Length)
            Array.Resize(ref _values, _values.Length * 2);
        value.CopyTo(_values.AsSpan(_end));
        _entries[Count++] = new Entry(key, seq, _end, (ushort)value.Length, isDeletion);
        _end += value.Length;
        MaxSeq = Math.Max(MaxSeq, seq);
    }

    /// <inheritdoc/>
    public bool TryPeek(out SourceItem item)
    {
        item = default;
        if (_next >= Count)
            return false;
        ref readonly var entry = ref _entries[_next];
        item = new SourceItem(
            entry.Key,
            entry.Seq,
            entry.IsDeletion ? BtreeItem.FlagDeletion : (byte)0,
            _values.AsSpan(entry.Offset, entry.Length));
        return true;
    }

    /// <inheritdoc/>
    public void Advance() => _next++;

    private readonly record struct Entry(ItemKey Key, ulong Seq, int Offset, ushort Length, bool IsDeletion)
    {
        public readonly ItemKey Key = Key;
    }
}
