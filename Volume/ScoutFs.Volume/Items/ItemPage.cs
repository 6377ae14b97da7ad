using System;
using System.Runtime.CompilerServices;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Items;

/// <summary>State bits of an entry of the item cache.</summary>
[Flags]
internal enum ItemState : ushort
{
    /// <summary>A clean item that is not known to be on disk.</summary>
    None = 0,

    /// <summary>To be written by the open transaction.</summary>
    Dirty = 1,

    /// <summary>The key does not exist; a deletion item is to be written.</summary>
    Deletion = 2,

    /// <summary>A version may be on disk, so that a deletion must be written.</summary>
    Persistent = 4,

    /// <summary>No key between the entry before and this one exists.</summary>
    GapKnown = 8,

    /// <summary>The key does not exist; stands only to bound a known gap.</summary>
    Marker = 16,

    /// <summary>Written blindly under a write-only lock: never read, forgotten after the commit.</summary>
    Forced = 32,

    /// <summary>A delta of a total, to be added to other deltas; forced.</summary>
    Delta = 64,
}

/// <summary>One entry of a page.</summary>
internal struct ItemSlot
{
    /// <summary>Key.</summary>
    public ItemKey Key;

    /// <summary>Version, of dirty entries.</summary>
    public ulong Seq;

    /// <summary>Byte offset of the value in the page's values.</summary>
    public int ValueOffset;

    /// <summary>Length of the value in bytes, 0..896.</summary>
    public ushort ValueLength;

    /// <summary>State.</summary>
    public ItemState State;

    /// <summary>True when a reader sees an item here.</summary>
    public readonly bool Exists => (State & (ItemState.Marker | ItemState.Deletion)) == 0;

    /// <summary>True when the bit is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Has(ItemState state) => (State & state) != 0;
}

/// <summary>A leaf of the item cache: up to 64 entries in key order and their values.</summary>
/// <remarks>Guarded by the mount's gate. Pages are linked in key order, and dirty ones in a second list.</remarks>
internal sealed class ItemPage
{
    /// <summary>Entries in a full page.</summary>
    public const int Capacity = 64;

    private const int FirstValueBytes = 4096;

    /// <summary>Entries, the first <see cref="Count"/> of them in use.</summary>
    public readonly ItemSlot[] Slots = new ItemSlot[Capacity];

    /// <summary>Values; grows by doubling.</summary>
    public byte[] Values = new byte[FirstValueBytes];

    /// <summary>Entries in use.</summary>
    public int Count;

    /// <summary>End of the used part of the values.</summary>
    public int ValueEnd;

    /// <summary>Bytes of values before the end that belong to no entry any more.</summary>
    public int DeadBytes;

    /// <summary>Dirty entries.</summary>
    public int DirtyCount;

    /// <summary>Used since the clock last passed.</summary>
    public bool IsAccessed;

    /// <summary>Page of smaller keys.</summary>
    public ItemPage? Previous;

    /// <summary>Page of greater keys.</summary>
    public ItemPage? Next;

    /// <summary>Place in the cache's list of dirty pages, or -1.</summary>
    public int DirtyIndex = -1;

    /// <summary>Index node that holds this page.</summary>
    public ItemNode? Parent;

    /// <summary>Memory it takes, in bytes.</summary>
    public int MemoryBytes => Values.Length + (Capacity * Unsafe.SizeOf<ItemSlot>()) + 160;

    /// <summary>The entry's value.</summary>
    public Span<byte> Value(int index)
    {
        ref var slot = ref Slots[index];
        return Values.AsSpan(slot.ValueOffset, slot.ValueLength);
    }

    /// <summary>
    /// Index of the first entry whose key is not less than the key; <see cref="Count"/> when none is.
    /// </summary>
    public int LowerBound(in ItemKey key)
    {
        int low = 0;
        int high = Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (ItemKey.Compare(Slots[middle].Key, key) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>Makes place for an entry at an index and copies its value in; the page must not be full.</summary>
    public void Insert(int index, in ItemKey key, ulong seq, ItemState state, ReadOnlySpan<byte> value)
    {
        Invariant.Require(Count < Capacity);
        int offset = Append(value);
        Array.Copy(Slots, index, Slots, index + 1, Count - index);
        Count++;
        Slots[index] = new ItemSlot
        {
            Key = key,
            Seq = seq,
            ValueOffset = offset,
            ValueLength = (ushort)value.Length,
            State = state,
        };
    }

    /// <summary>Replaces an entry's value, in place when it has the same length.</summary>
    public void SetValue(int index, ReadOnlySpan<byte> value)
    {
        ref var slot = ref Slots[index];
        if (slot.ValueLength == value.Length)
        {
            value.CopyTo(Value(index));
            return;
        }

        DeadBytes += slot.ValueLength;
        slot.ValueLength = 0;
        int offset = Append(value);
        slot.ValueOffset = offset;
        slot.ValueLength = (ushort)value.Length;
    }

    /// <summary>Removes an entry.</summary>
    public void RemoveAt(int index)
    {
        DeadBytes += Slots[index].ValueLength;
        Count--;
        Array.Copy(Slots, index + 1, Slots, index, Count - index);
        if (Count == 0)
        {
            ValueEnd = 0;
            DeadBytes = 0;
        }
    }

    /// <summary>Moves the entries from an index on to an empty page.</summary>
    public void MoveTail(int from, ItemPage target)
    {
        for (int i = from; i < Count; i++)
        {
            ref var slot = ref Slots[i];
            target.Insert(target.Count, slot.Key, slot.Seq, slot.State, Value(i));
            if (slot.Has(ItemState.Dirty))
            {
                target.DirtyCount++;
                DirtyCount--;
            }

            DeadBytes += slot.ValueLength;
        }

        Count = from;
        target.IsAccessed = IsAccessed;
    }

    /// <summary>Empties the page for its next use.</summary>
    public void Clear()
    {
        Count = 0;
        ValueEnd = 0;
        DeadBytes = 0;
        DirtyCount = 0;
        IsAccessed = false;
        Previous = null;
        Next = null;
        DirtyIndex = -1;
        Parent = null;
    }

    private int Append(ReadOnlySpan<byte> value)
    {
        if (ValueEnd + value.Length > Values.Length)
            MakeRoom(value.Length);
        int offset = ValueEnd;
        value.CopyTo(Values.AsSpan(offset));
        ValueEnd += value.Length;
        return offset;
    }

    // Compacts when a quarter would come free, else doubles.
    private void MakeRoom(int bytes)
    {
        int live = ValueEnd - DeadBytes;
        int size = Values.Length;
        while (live + bytes > size - (size / 4))
            size *= 2;
        var values = new byte[size];
        int end = 0;
        for (int i = 0; i < Count; i++)
        {
            ref var slot = ref Slots[i];
            Values.AsSpan(slot.ValueOffset, slot.ValueLength).CopyTo(values.AsSpan(end));
            slot.ValueOffset = end;
            end += slot.ValueLength;
        }

        Values = values;
        ValueEnd = end;
        DeadBytes = 0;
    }
}
