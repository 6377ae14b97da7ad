using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ScoutFs.Volume.Primitives;

/// <summary>An unsigned 16 bit integer stored little-endian, whatever the host's byte order.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Le16 : IEquatable<Le16>
{
    private ushort _raw;

    /// <summary>The value in host order.</summary>
    public ushort Value
    {
        readonly get => BitConverter.IsLittleEndian ? _raw : BinaryPrimitives.ReverseEndianness(_raw);
        set => _raw = BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    /// <summary>Reads the value in host order.</summary>
    public static implicit operator ushort(Le16 le) => le.Value;

    /// <summary>Stores a value given in host order.</summary>
    public static implicit operator Le16(ushort value) => new() { Value = value };

    /// <inheritdoc/>
    public readonly bool Equals(Le16 other) => _raw == other._raw;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is Le16 other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => _raw;

    /// <summary>True when both store the same value.</summary>
    public static bool operator ==(Le16 left, Le16 right) => left._raw == right._raw;

    /// <summary>True when the values differ.</summary>
    public static bool operator !=(Le16 left, Le16 right) => left._raw != right._raw;

    /// <inheritdoc/>
    public override readonly string ToString() => Value.ToString(null, null);
}

/// <summary>An unsigned 32 bit integer stored little-endian, whatever the host's byte order.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Le32 : IEquatable<Le32>
{
    private uint _raw;

    /// <summary>The value in host order.</summary>
    public uint Value
    {
        readonly get => BitConverter.IsLittleEndian ? _raw : BinaryPrimitives.ReverseEndianness(_raw);
        set => _raw = BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    /// <summary>Reads the value in host order.</summary>
    public static implicit operator uint(Le32 le) => le.Value;

    /// <summary>Stores a value given in host order.</summary>
    public static implicit operator Le32(uint value) => new() { Value = value };

    /// <inheritdoc/>
    public readonly bool Equals(Le32 other) => _raw == other._raw;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is Le32 other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => (int)_raw;

    /// <summary>True when both store the same value.</summary>
    public static bool operator ==(Le32 left, Le32 right) => left._raw == right._raw;

    /// <summary>True when the values differ.</summary>
    public static bool operator !=(Le32 left, Le32 right) => left._raw != right._raw;

    /// <inheritdoc/>
    public override readonly string ToString() => Value.ToString(null, null);
}

/// <summary>An unsigned 64 bit integer stored little-endian, whatever the host's byte order.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Le64 : IEquatable<Le64>
{
    private ulong _raw;

    /// <summary>The value in host order.</summary>
    public ulong Value
    {
        readonly get => BitConverter.IsLittleEndian ? _raw : BinaryPrimitives.ReverseEndianness(_raw);
        set => _raw = BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    /// <summary>Reads the value in host order.</summary>
    public static implicit operator ulong(Le64 le) => le.Value;

    /// <summary>Stores a value given in host order.</summary>
    public static implicit operator Le64(ulong value) => new() { Value = value };

    /// <inheritdoc/>
    public readonly bool Equals(Le64 other) => _raw == other._raw;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is Le64 other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => _raw.GetHashCode();

    /// <summary>True when both store the same value.</summary>
    public static bool operator ==(Le64 left, Le64 right) => left._raw == right._raw;

    /// <summary>True when the values differ.</summary>
    public static bool operator !=(Le64 left, Le64 right) => left._raw != right._raw;

    /// <inheritdoc/>
    public override readonly string ToString() => Value.ToString(null, null);
}

/// <summary>A signed 64 bit integer stored little-endian in two's complement, whatever the host's byte order.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct LeI64 : IEquatable<LeI64>
{
    private long _raw;

    /// <summary>The value in host order.</summary>
    public long Value
    {
        readonly get => BitConverter.IsLittleEndian ? _raw : BinaryPrimitives.ReverseEndianness(_raw);
        set => _raw = BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    /// <summary>Reads the value in host order.</summary>
    public static implicit operator long(LeI64 le) => le.Value;

    /// <summary>Stores a value given in host order.</summary>
    public static implicit operator LeI64(long value) => new() { Value = value };

    /// <inheritdoc/>
    public readonly bool Equals(LeI64 other) => _raw == other._raw;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is LeI64 other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => _raw.GetHashCode();

    /// <summary>True when both store the same value.</summary>
    public static bool operator ==(LeI64 left, LeI64 right) => left._raw == right._raw;

    /// <summary>True when the values differ.</summary>
    public static bool operator !=(LeI64 left, LeI64 right) => left._raw != right._raw;

    /// <inheritdoc/>
    public override readonly string ToString() => Value.ToString(null, null);
}
