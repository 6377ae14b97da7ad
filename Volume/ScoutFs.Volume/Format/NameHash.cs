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

    /// <summary>By step: the bits of a big-endian word that the fingerprint takes, the highest first.</summary>
    private static readonly ulong[] StepMasks = MakeStepMasks();

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

        // 8 * length bits / 32: the division may round down, so the last bytes of a name may have no part.
        int step = name.Length / 4;
        return step <= MaxWordStep && Bmi2.X64.IsSupported
            ? FingerprintByWord(name, step)
            : FingerprintByBit(name, step);
    }

    /// <summary>Eight fingerprint bits at a time: they are spread over exactly <c>step</c> bytes, one group.</summary>
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

    /// <summary>
    /// One bit at a time, for long names and other CPUs. The steps do not depend on each other, so most of them run
    /// while the multiplications of FNV-1a wait for one another.
    /// </summary>
    private static uint FingerprintByBit(ReadOnlySpan<byte> name, int step)
    {
        uint fingerprint = 0;
        for (int bit = 0; bit < 32 * step; bit += step)
            fingerprint = (fingerprint << 1) | (((uint)name[bit >> 3] >> (~bit & 7)) & 1);
        return fingerprint;
    }

    private static ulong[] MakeStepMasks()
    {
        var masks = new ulong[MaxWordStep + 1];
        for (int step = 1; step < masks.Length; step++)
        {
            for (int i = 0; i < 8; i++)
                masks[step] |= 1UL << (63 - (i * step));
        }

        return masks;
    }
}
