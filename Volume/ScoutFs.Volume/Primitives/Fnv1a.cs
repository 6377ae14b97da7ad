using System;
using System.Buffers.Binary;
using System.Numerics;

namespace ScoutFs.Volume.Primitives;

/// <summary>FNV-1a in 32 and 64 bits (format §11.1): leaf hash, bloom bits, names, srch entries, quota rules.</summary>
/// <remarks>
/// <para>Each byte needs the product of the byte before, so the time is the latency of a chain of multiplications, and
/// the only way to save is to make the chain shorter. A zero byte changes nothing by its xor: n of them in a row are
/// one multiplication by prime^n. Item keys (32 bytes) are mostly zero bytes, as their fields are small numbers and
/// padding, so keys take a path that uses that.</para>
/// <para>Contract: pure, any thread, no allocation.</para>
/// </remarks>
public static class Fnv1a
{
    /// <summary>32 bit hash of the empty message.</summary>
    public const uint Basis32 = 0x811c9dc5;

    /// <summary>64 bit hash of the empty message.</summary>
    public const ulong Basis64 = 0xcbf29ce484222325;

    private const uint Prime32 = 0x01000193;
    private const ulong Prime64 = 0x100000001b3;

    /// <summary>Bytes of an item key (format §6.1).</summary>
    private const int KeyBytes = 32;

    /// <summary>Powers 0..8 of the prime, by the number of zero bytes at the end of an eight byte word.</summary>
    private static ReadOnlySpan<uint> Powers32 =>
    [
        1, Prime32, 0x26027a69, 0x3ee6b34b, 0x502c3f11,
        0x46a747c3, 0xfc55f7f9, 0x34555cfb, 0x5d615f21,
    ];

    /// <summary>Powers 0..8 of the prime, by the number of zero bytes at the end of an eight byte word.</summary>
    private static ReadOnlySpan<ulong> Powers64 =>
    [
        1, Prime64, 0x000366000002e329,
        0x08a97b0004e7feab, 0x9ffaac085635bc91, 0x0caee32a7d4f6a63,
        0xdc966432edf1c639, 0xc5527b8a51d3d2db, 0x1efac7090aef4a21,
    ];

    /// <summary>32 bit hash of the bytes.</summary>
    public static uint Hash32(ReadOnlySpan<byte> bytes)
    {
        uint hash = Basis32;
        if (bytes.Length == KeyBytes)
        {
            for (int i = 0; i < KeyBytes; i += sizeof(ulong))
                hash = AppendWord(hash, BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]));
            return hash;
        }

        foreach (byte b in bytes)
            hash = (hash ^ b) * Prime32;
        return hash;
    }

    /// <summary>64 bit hash of the bytes.</summary>
    public static ulong Hash64(ReadOnlySpan<byte> bytes)
    {
        ulong hash = Basis64;
        if (bytes.Length == KeyBytes)
        {
            for (int i = 0; i < KeyBytes; i += sizeof(ulong))
                hash = AppendWord(hash, BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]));
            return hash;
        }

        foreach (byte b in bytes)
            hash = (hash ^ b) * Prime64;
        return hash;
    }

    private static uint AppendWord(uint hash, ulong word)
    {
        int zeroBytes = BitOperations.LeadingZeroCount(word) / 8;
        for (; word != 0; word >>= 8)
            hash = (hash ^ (byte)word) * Prime32;
        return hash * Powers32[zeroBytes];
    }

    private static ulong AppendWord(ulong hash, ulong word)
    {
        int zeroBytes = BitOperations.LeadingZeroCount(word) / 8;
        for (; word != 0; word >>= 8)
            hash = (hash ^ (byte)word) * Prime64;
        return hash * Powers64[zeroBytes];
    }
}
