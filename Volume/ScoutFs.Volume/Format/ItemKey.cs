using System;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Key of an item, 32 bytes (format §6.1).</summary>
/// <remarks>
/// Order of comparison: zone, first, type, second, third, fourth, each unsigned. Storage order differs from it, so the
/// bytes are never compared directly. Keys are hashed including their padding, which is therefore always zero.
/// </remarks>
[OnDisk(32)]
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ItemKey : IEquatable<ItemKey>, IComparable<ItemKey>
{
    /// <summary>Second most significant part, after the zone: mostly an inode number.</summary>
    [At(0)]
    public Le64 First;

    /// <summary>Fourth most significant part.</summary>
    [At(8)]
    public Le64 Second;

    /// <summary>Fifth most significant part.</summary>
    [At(16)]
    public Le64 Third;

    /// <summary>Least significant part.</summary>
    [At(24)]
    public byte Fourth;

    /// <summary>Most significant part, one of <see cref="KeyZone"/>.</summary>
    [At(25)]
    public byte Zone;

    /// <summary>Third most significant part, one of <see cref="KeyType"/> in its zone.</summary>
    [At(26)]
    public byte Type;

    /// <summary>Zero.</summary>
    [At(27)]
    public Pad5 Pad;

    /// <summary>Creates a key; the parts are given in order of comparison.</summary>
    public ItemKey(byte zone, ulong first, byte type, ulong second = 0, ulong third = 0, byte fourth = 0)
    {
        Zone = zone;
        First = first;
        Type = type;
        Second = second;
        Third = third;
        Fourth = fourth;
    }

    /// <summary>The least key: all zero.</summary>
    public static ItemKey Min => default;

    /// <summary>The greatest key: every part all ones, padding zero.</summary>
    public static ItemKey Max => new(
        byte.MaxValue, ulong.MaxValue, byte.MaxValue, ulong.MaxValue, ulong.MaxValue, byte.MaxValue);

    /// <summary>True when the five padding bytes are zero, as they must be on disk.</summary>
    public readonly bool HasZeroPad =>
        Pad[0] == 0 && Pad[1] == 0 && Pad[2] == 0 && Pad[3] == 0 && Pad[4] == 0;

    /// <summary>Compares two keys in sort order: negative, zero or positive.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Compare(in ItemKey left, in ItemKey right)
    {
        if (left.Zone != right.Zone)
            return left.Zone < right.Zone ? -1 : 1;
        if (left.First != right.First)
            return left.First.Value < right.First.Value ? -1 : 1;
        if (left.Type != right.Type)
            return left.Type < right.Type ? -1 : 1;
        if (left.Second != right.Second)
            return left.Second.Value < right.Second.Value ? -1 : 1;
        if (left.Third != right.Third)
            return left.Third.Value < right.Third.Value ? -1 : 1;
        return left.Fourth.CompareTo(right.Fourth);
    }

    /// <summary>The next greater key; the greatest key wraps to the least (format §6.1).</summary>
    public readonly ItemKey Next()
    {
        var key = this;
        if (++key.Fourth != 0)
            return key;
        key.Third = key.Third.Value + 1;
        if (key.Third.Value != 0)
            return key;
        key.Second = key.Second.Value + 1;
        if (key.Second.Value != 0)
            return key;
        if (++key.Type != 0)
            return key;
        key.First = key.First.Value + 1;
        if (key.First.Value != 0)
            return key;
        key.Zone++;
        return key;
    }

    /// <summary>The next smaller key; the least key wraps to the greatest (format §6.1).</summary>
    public readonly ItemKey Previous()
    {
        var key = this;
        if (key.Fourth-- != 0)
            return key;
        key.Third = key.Third.Value - 1;
        if (key.Third.Value != ulong.MaxValue)
            return key;
        key.Second = key.Second.Value - 1;
        if (key.Second.Value != ulong.MaxValue)
            return key;
        if (key.Type-- != 0)
            return key;
        key.First = key.First.Value - 1;
        if (key.First.Value != ulong.MaxValue)
            return key;
        key.Zone--;
        return key;
    }

    /// <summary>True when both keys are equal in every part that is compared.</summary>
    public readonly bool Equals(ItemKey other) => Compare(this, other) == 0;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is ItemKey other && Equals(other);

    /// <inheritdoc/>
    public readonly int CompareTo(ItemKey other) => Compare(this, other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() =>
        HashCode.Combine(Zone, First.Value, Type, Second.Value, Third.Value, Fourth);

    /// <summary>Notation of the format document: zone.first.type.second.third.fourth, decimal.</summary>
    public override readonly string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Zone}.{First.Value}.{Type}.{Second.Value}.{Third.Value}.{Fourth}");

    /// <summary>Equality in sort order.</summary>
    public static bool operator ==(in ItemKey left, in ItemKey right) => Compare(left, right) == 0;

    /// <summary>Inequality in sort order.</summary>
    public static bool operator !=(in ItemKey left, in ItemKey right) => Compare(left, right) != 0;

    /// <summary>Sort order.</summary>
    public static bool operator <(in ItemKey left, in ItemKey right) => Compare(left, right) < 0;

    /// <summary>Sort order.</summary>
    public static bool operator >(in ItemKey left, in ItemKey right) => Compare(left, right) > 0;

    /// <summary>Sort order.</summary>
    public static bool operator <=(in ItemKey left, in ItemKey right) => Compare(left, right) <= 0;

    /// <summary>Sort order.</summary>
    public static bool operator >=(in ItemKey left, in ItemKey right) => Compare(left, right) >= 0;
}
