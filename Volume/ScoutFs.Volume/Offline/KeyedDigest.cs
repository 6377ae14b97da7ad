using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>64 bit digests of small records under a random key, for sums and sets of digests.</summary>
/// <remarks>
/// Not for secrets: the key keeps whoever wrote the volume from preparing records whose digests cancel out, and makes
/// two different records equal with a probability of about 2^-64. Built on the folded product of two 64 bit numbers,
/// one multiplication for 16 bytes. Contract: pure, any thread, no allocation.
/// </remarks>
internal readonly struct KeyedDigest
{
    private readonly ulong _key0;
    private readonly ulong _key1;
    private readonly ulong _key2;
    private readonly ulong _key3;

    /// <summary>Draws a key.</summary>
    public KeyedDigest(Prng prng)
    {
        // Odd keys are never zero, and so is not every product.
        _key0 = prng.NextUInt64() | 1;
        _key1 = prng.NextUInt64() | 1;
        _key2 = prng.NextUInt64() | 1;
        _key3 = prng.NextUInt64() | 1;
    }

    /// <summary>Digest of one number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Of(ulong a) => Fold(Fold(a ^ _key0, _key1) ^ _key2, _key3);

    /// <summary>Digest of two numbers in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Of(ulong a, ulong b) => Fold(Fold(a ^ _key0, b ^ _key1) ^ a ^ _key2, b ^ _key3);

    /// <summary>Digest of three numbers in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Of(ulong a, ulong b, ulong c) => Of(Of(a, b), c);

    /// <summary>Digest of four numbers in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Of(ulong a, ulong b, ulong c, ulong d) => Of(Of(a, b), Of(c, d));

    /// <summary>Digest of bytes of any number, and of a number that says what they belong to.</summary>
    public ulong Of(ulong seed, ReadOnlySpan<byte> bytes)
    {
        ulong length = (ulong)bytes.Length;
        ulong hash = Fold(seed ^ _key0, length ^ _key1);
        while (bytes.Length > 16)
        {
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            ulong second = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
            hash = Fold(first ^ _key1, second ^ hash) ^ second;
            bytes = bytes[16..];
        }

        ulong low = 0;
        ulong high = 0;
        if (bytes.Length >= 8)
        {
            low = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            high = BinaryPrimitives.ReadUInt64LittleEndian(bytes[^8..]);
        }
        else
        {
            for (int i = bytes.Length - 1; i >= 0; i--)
                low = (low << 8) | bytes[i];
        }

        return Fold(Fold(low ^ _key2, high ^ hash) ^ low, seed ^ _key3);
    }

    /// <summary>Upper half of the product added (xor) to the lower half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return high ^ low;
    }
}
