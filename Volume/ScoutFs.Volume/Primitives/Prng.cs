using System;
using System.Buffers.Binary;
using System.Numerics;

namespace ScoutFs.Volume.Primitives;

/// <summary>Seeded pseudo random numbers (xoshiro256**): the only randomness the cores know.</summary>
/// <remarks>
/// Not for secrets. One instance belongs to one owner and is not thread safe. Fork one by name for every part that
/// draws, so that a further draw in one part does not change what another part sees for the same seed.
/// </remarks>
public sealed class Prng
{
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;

    /// <summary>Creates a generator; the same seed gives the same sequence on every machine.</summary>
    public Prng(ulong seed)
    {
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
    }

    /// <summary>Derives an independent generator whose sequence depends on this one's state and the name.</summary>
    public Prng Fork(string name)
    {
        ulong h = 0xcbf29ce484222325;
        foreach (char c in name)
            h = (h ^ c) * 0x100000001b3;
        return new Prng(h ^ _s0 ^ BitOperations.RotateLeft(_s2, 31));
    }

    /// <summary>The next 64 random bits.</summary>
    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>A number in 0..bound-1, without modulo bias worth speaking of (2^-64).</summary>
    /// <param name="boundExclusive">1..2^64-1.</param>
    public ulong NextUInt64(ulong boundExclusive)
    {
        Invariant.Require(boundExclusive > 0);
        return Math.BigMul(NextUInt64(), boundExclusive, out _);
    }

    /// <summary>A number in 0..bound-1.</summary>
    /// <param name="boundExclusive">1..2^31-1.</param>
    public int NextInt32(int boundExclusive) => (int)NextUInt64((ulong)boundExclusive);

    /// <summary>Fills a span with random bytes.</summary>
    public void Fill(Span<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, NextUInt64());
            bytes = bytes[8..];
        }

        if (bytes.Length == 0)
            return;
        Span<byte> last = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(last, NextUInt64());
        last[..bytes.Length].CopyTo(bytes);
    }

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9e3779b97f4a7c15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
