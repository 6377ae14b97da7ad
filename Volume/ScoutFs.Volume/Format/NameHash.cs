using System;
using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Hash H of a name in a directory, the second part of its entry's key (format §11.2).</summary>
/// <remarks>
/// The upper half is a fingerprint of bits spread evenly over the name, which keeps similar names near each other; the
/// lower half is FNV-1a. Contract: pure, any thread, no allocation.
/// </remarks>
public static class NameHash
{
    /// <summary>Up to this length the fingerprint is the name's first bits, without gaps (step 1).</summary>
    private const int MaxDenseBytes = 7;

    /// <summary>Greatest step at which the eight fingerprint bits of a group lie within one 64 bit word.</summary>
    private const int MaxWordStep = 8;

    /// <summary>By step 1..8: the highest bit of a big-endian word and every step-th after it, eight in all.</summary>
    private static ReadOnlySpan<ulong> StepMasks =>
    [
        0, 0xff00000000000000, 0xaaaa000000000000,
        0x9249240000000000, 0x8888888800000000, 0x8421084210000000,
        0x8208208208200000, 0x8102040810204000, 0x8080808080808080,
    ];

    /// <summary>Hash of a name.</summary>
    /// <param name="name">The bytes of the name as stored, 0..255.</param>
    public static ulong Compute(ReadOnlySpan<byte> name) =>
        ((ulong)Fingerprint(name) << 32) | Fnv1a.Hash32(name);

    private static uint Fingerprint(ReadOnlySpan<byte> name)
    {
        if (name.Length <= MaxDenseBytes)
        {
            uint first = 0;
            for (int i = 0; i < sizeof(uint) && i < name.Length; i++)
                first |= (uint)name[i] << (24 - (8 * i));
            return first;
        }

        // 8 * length / 32 bits: the division may round down, so the last bytes of a name may have no part. Eight
        // fingerprint bits are spread over exactly step bytes, a group; there are four.
        int step = name.Length / 4;
        return step <= MaxWordStep && Bmi2.X64.IsSupported
            ? FingerprintByWord(name, step)
            : FingerprintByGroups(name, step);
    }

    /// <summary>Small steps, where the CPU can extract bits: one group at a time.</summary>
    private static uint FingerprintByWord(ReadOnlySpan<byte> name, int step)
    {
        ulong mask = StepMasks[step];
        ulong fingerprint = 0;
        for (int group = 0; group < 4 * step; group += step)
        {
            // Near the end the word is read earlier, which is still inside the name, and shifted up.
            int at = Math.Min(group, name.Length - sizeof(ulong));
            ulong word = BinaryPrimitives.ReadUInt64BigEndian(name[at..]) << (8 * (group - at));
            fingerprint = (fingerprint << 8) | Bmi2.X64.ParallelBitExtract(word, mask);
        }

        return (uint)fingerprint;
    }

    /// <summary>Any step and CPU: the same bit of all four groups at a time, each group in a byte of its own.</summary>
    private static uint FingerprintByGroups(ReadOnlySpan<byte> name, int step)
    {
        var first = name[..step];
        var second = name.Slice(step, step);
        var third = name.Slice(2 * step, step);
        var fourth = name.Slice(3 * step, step);
        uint fingerprint = 0;
        for (int bit = 0; bit < 8 * step; bit += step)
        {
            int at = bit >> 3;
            uint bytes = (uint)((first[at] << 24) | (second[at] << 16) | (third[at] << 8) | fourth[at]);

            // Bit 0 is a byte's highest. Eight bits go into each byte, so none is shifted into the next one.
            fingerprint = (fingerprint << 1) | ((bytes >> (~bit & 7)) & 0x01010101);
        }

        return fingerprint;
    }
}
