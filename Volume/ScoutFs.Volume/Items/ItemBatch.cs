using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Items;

/// <summary>Items read from the forest, in key order; reused from one read to the next.</summary>
/// <remarks>Not thread safe; belongs to one read at a time.</remarks>
public sealed class ItemBatch
{
    private ItemKey[] _keys = new ItemKey[64];
    private (ulong Seq, int Offset, int Length)[] _places = new (ulong, int, int)[64];
    private byte[] _values = new byte[8192];
    private int _end;

    /// <summary>Number of items.</summary>
    public int Count { get; private set; }

    /// <summary>Key of an item.</summary>
    public ref readonly ItemKey Key(int index) => ref _keys[index];

    /// <summary>Version of an item.</summary>
    public ulong Seq(int index) => _places[index].Seq;

    /// <summary>Value of an item.</summary>
    public ReadOnlySpan<byte> Value(int index) => _values.AsSpan(_places[index].Offset, _places[index].Length);

    /// <summary>Index of a key, or negative.</summary>
    public int Find(in ItemKey key) => Array.BinarySearch(_keys, 0, Count, key);

    /// <summary>Removes all items.</summary>
    public void Clear()
    {
        Count = 0;
        _end = 0;
    }

    /// <summary>Adds an item behind all others.</summary>
    public void Add(in ItemKey key, ulong seq, ReadOnlySpan<byte> value)
    {
        if (Count == _keys.Length)
        {
            Array.Resize(ref _keys, Count * 2);
            Array.Resize(ref _places, Count * 2);
        }

        while (_end + value.Length > _values.Length)
            Array.Resize(ref _values, _values.Length * 2);
        value.CopyTo(_values.AsSpan(_end));
        _keys[Count] = key;
        _places[Count++] = (seq, _end, value.Length);
        _end += value.Length;
    }
}
