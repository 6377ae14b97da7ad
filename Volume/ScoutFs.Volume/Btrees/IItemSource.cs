using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Btrees;

/// <summary>One item that a source offers; its value is valid until the source advances.</summary>
public readonly ref struct SourceItem
{
    /// <summary>Creates an item.</summary>
    public SourceItem(scoped in ItemKey key, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        Key = key;
        Seq = seq;
        Flags = flags;
        Value = value;
    }

    /// <summary>Key.</summary>
    public readonly ItemKey Key;

    /// <summary>Version of the item.</summary>
    public readonly ulong Seq;

    /// <summary>Flags, see <see cref="BtreeItem.Flags"/>.</summary>
    public readonly byte Flags;

    /// <summary>Value, at most 896 bytes.</summary>
    public readonly ReadOnlySpan<byte> Value;
}

/// <summary>Items in strictly ascending order of keys, pulled one by one by who stores them.</summary>
/// <remarks>Calls never wait, fail or change what another call would give. One caller at a time.</remarks>
public interface IItemSource
{
    /// <summary>The item that is next, without taking it.</summary>
    /// <returns>False when no item is left.</returns>
    bool TryPeek(out SourceItem item);

    /// <summary>Takes the item that <see cref="TryPeek"/> showed.</summary>
    void Advance();
}
