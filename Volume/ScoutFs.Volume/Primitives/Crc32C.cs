using System;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ArmAes = System.Runtime.Intrinsics.Arm.Aes;

namespace ScoutFs.Volume.Primitives;

/// <summary>CRC-32C (Castagnoli) as the volume stores it: the raw register, not inverted (format §3).</summary>
/// <remarks>
/// <para>Every block read or written passes through here, so the CPU decides which variant runs. The choice is made by
/// <c>IsSupported</c> tests, which the JIT replaces by constants: no indirect call remains. All variants give the same
/// result for every input; they differ in speed only.</para>
/// <para>Algebra. The CRC is arithmetic on polynomials over GF(2), modulo P of degree 32. "Reflected" means that the
/// lowest bit of an integer is the highest power: bit i of a word of w bits stands for x^(w-1-i). Three facts carry all
/// variants:</para>
/// <list type="number">
/// <item>Appending n bits to a message multiplies what was there by x^n, so a stretch that lies n bits before another
/// is multiplied by x^n mod P and added (xor) to it. That is "folding".</item>
/// <item>The carryless product of two reflected 64 bit words A and B is, read as a reflected 128 bit word, A·B·x: one
/// power too many, because the product has only 127 bits.</item>
/// <item>A 32 bit remainder r, zero-extended to a reflected 64 bit word, stands for r·x^32.</item>
/// </list>
/// <para>Multiplying by x^n therefore takes the constant x^(n-33) mod P: 1 for fact 2, 32 for fact 3.</para>
/// <para>Code. The sums of the fold loops must stay in registers, but no vector register survives a call: with a single
/// call in the method, be it the check that a static field is initialised, the JIT may keep a sum on the stack
/// throughout, which makes the loop two to five times slower. Hence the constants are literals (a test derives them),
/// and each fold is a method of its own that calls nothing and is not inlined.</para>
/// <para>Contract: pure, any thread, no allocation.</para>
/// </remarks>
public static class Crc32C
{
    /// <summary>Register of the empty message.</summary>
    public const uint Initial = 0xffffffff;

    /// <summary>
    /// Bytes of each of the three streams that are run through the CRC instruction side by side. The instruction takes
    /// three cycles but starts every cycle, so three streams keep it busy. Three times 1360 is the most that fits into
    /// the 4092 bytes of a small block that its checksum covers and is a multiple of 16; in a large block it is passed
    /// sixteen times, which makes the cost of joining the streams vanish.
    /// </summary>
    internal const int StreamBytes = 1360;

    /// <summary>Below this many bytes the CRC instruction alone is faster than a fold with its start and end.</summary>
    private const int MinFoldBytes = 192;

    /// <summary>From this many bytes on it pays to align the loads first.</summary>
    private const int MinAlignBytes = 1024;

    /// <summary>Independent sums per fold loop: enough to cover the latency of the carryless multiplication.</summary>
    private const int Sums = 4;

    /// <summary>Moves a register on by one stream: x^(8·1360-33) mod P.</summary>
    internal const uint OneStream = 0x3f70cc6f;

    /// <summary>Moves a register on by two streams: x^(16·1360-33) mod P.</summary>
    internal const uint TwoStreams = 0x5aa1f3cf;

    /// <summary>True when the interleaved variant can run: CRC instruction and carryless multiplication.</summary>
    internal static bool CanInterleave =>
        (Sse42.X64.IsSupported && Pclmulqdq.IsSupported) ||
        (System.Runtime.Intrinsics.Arm.Crc32.Arm64.IsSupported && ArmAes.IsSupported);

    /// <summary>True when 256 bit folding can run.</summary>
    internal static bool CanFold256 => Sse42.X64.IsSupported && Pclmulqdq.V256.IsSupported;

    /// <summary>True when 512 bit folding can run.</summary>
    internal static bool CanFold512 => Sse42.X64.IsSupported && Pclmulqdq.V512.IsSupported;

    /// <summary>Register over the bytes: what a block header stores, or an xattr name's hash (format §11.3).</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes) => Append(Initial, bytes);

    /// <summary>Register after some more bytes.</summary>
    /// <param name="register">Register over what came before; <see cref="Initial"/> at the start.</param>
    /// <param name="bytes">What follows, of any length and alignment.</param>
    public static uint Append(uint register, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= MinFoldBytes)
        {
            if (CanFold512)
                return AppendFold512(register, bytes);
            if (CanFold256)
                return AppendFold256(register, bytes);
            if (CanInterleave)
                return AppendInterleaved(register, bytes);
        }

        return AppendSerial(register, bytes);
    }

    /// <summary>Eight bytes at a time: by the CRC instruction where there is one, else by a table.</summary>
    internal static uint AppendSerial(uint register, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            register = BitOperations.Crc32C(register, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        if (bytes.Length >= sizeof(uint))
        {
            register = BitOperations.Crc32C(register, BinaryPrimitives.ReadUInt32LittleEndian(bytes));
            bytes = bytes[sizeof(uint)..];
        }

        foreach (byte b in bytes)
            register = BitOperations.Crc32C(register, b);
        return register;
    }

    /// <summary>Three streams side by side through the CRC instruction, joined by carryless multiplication.</summary>
    /// <remarks>Needs <see cref="CanInterleave"/>.</remarks>
    internal static uint AppendInterleaved(uint register, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 3 * StreamBytes)
        {
            ref byte source = ref MemoryMarshal.GetReference(bytes);
            uint first = register;
            uint second = 0;
            uint third = 0;
            for (nuint i = 0; i < StreamBytes; i += 2 * sizeof(ulong))
            {
                first = BitOperations.Crc32C(first, ReadWord(ref source, i));
                second = BitOperations.Crc32C(second, ReadWord(ref source, i + StreamBytes));
                third = BitOperations.Crc32C(third, ReadWord(ref source, i + (2 * StreamBytes)));
                first = BitOperations.Crc32C(first, ReadWord(ref source, i + 8));
                second = BitOperations.Crc32C(second, ReadWord(ref source, i + StreamBytes + 8));
                third = BitOperations.Crc32C(third, ReadWord(ref source, i + (2 * StreamBytes) + 8));
            }

            // Both products are 64 bit words still to be reduced modulo P, which the CRC instruction does.
            register = third ^ BitOperations.Crc32C(
                0, MultiplyCarryless(first, TwoStreams) ^ MultiplyCarryless(second, OneStream));
            bytes = bytes[(3 * StreamBytes)..];
        }

        return AppendSerial(register, bytes);
    }

    /// <summary>Folds with 256 bit carryless multiplications.</summary>
    /// <remarks>Needs <see cref="CanFold256"/> and 32 bytes or more.</remarks>
    internal static uint AppendFold256(uint register, ReadOnlySpan<byte> bytes)
    {
        Invariant.Require(bytes.Length >= Vector256<byte>.Count);
        int head = CountUntilAligned(bytes, Vector256<byte>.Count);
        register = AppendSerial(register, bytes[..head]);
        bytes = bytes[head..];
        int whole = bytes.Length & -Vector256<byte>.Count;
        register = Fold256(register, ref MemoryMarshal.GetReference(bytes), (nuint)whole);
        return AppendSerial(register, bytes[whole..]);
    }

    /// <summary>Folds with 512 bit carryless multiplications.</summary>
    /// <remarks>Needs <see cref="CanFold512"/> and 64 bytes or more.</remarks>
    internal static uint AppendFold512(uint register, ReadOnlySpan<byte> bytes)
    {
        Invariant.Require(bytes.Length >= Vector512<byte>.Count);
        int head = CountUntilAligned(bytes, Vector512<byte>.Count);
        register = AppendSerial(register, bytes[..head]);
        bytes = bytes[head..];
        int whole = bytes.Length & -Vector512<byte>.Count;
        register = Fold512(register, ref MemoryMarshal.GetReference(bytes), (nuint)whole);
        return AppendSerial(register, bytes[whole..]);
    }

    /// <summary>The two constants that move 16 bytes on by a distance, one for each half.</summary>
    /// <param name="distanceBytes">16, 32, 48, 64, 128 or 256; a constant, so that the choice vanishes.</param>
    /// <remarks>
    /// Element 0 is for the first eight bytes, which stand 64 powers higher: x^(8·distance+64-33) mod P; element 1 is
    /// for the last eight: x^(8·distance-33) mod P.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<ulong> FoldKey(int distanceBytes) => distanceBytes switch
    {
        16 => Vector128.Create(0xf20c0dfeul, 0x493c7d27ul),
        32 => Vector128.Create(0x3da6d0cbul, 0xba4fc28eul),
        48 => Vector128.Create(0x1c291d04ul, 0xddc0152bul),
        64 => Vector128.Create(0x740eef02ul, 0x9e4addf8ul),
        128 => Vector128.Create(0x6992cea2ul, 0x0d3b6092ul),
        256 => Vector128.Create(0xdcb17aa4ul, 0xb9e02b86ul),
        _ => throw new ArgumentOutOfRangeException(nameof(distanceBytes)),
    };

    /// <summary>Four sums of 32 bytes at a time, then one.</summary>
    /// <param name="register">Register before the bytes.</param>
    /// <param name="source">The first byte.</param>
    /// <param name="end">Number of bytes, a multiple of 32 other than zero.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Fold256(uint register, ref byte source, nuint end)
    {
        var step = Vector256.Create(FoldKey(32), FoldKey(32));
        nuint offset = 32;

        // The register is added to the first four bytes: that is what makes it the state before them.
        var sum = Load256(ref source, 0) ^ Vector256.CreateScalar((ulong)register);
        if (end >= 2 * Sums * 32)
        {
            var stride = Vector256.Create(FoldKey(Sums * 32), FoldKey(Sums * 32));
            var sum1 = Load256(ref source, 32);
            var sum2 = Load256(ref source, 64);
            var sum3 = Load256(ref source, 96);
            for (offset = Sums * 32; offset + (Sums * 32) <= end; offset += Sums * 32)
            {
                sum = Move(sum, stride) ^ Load256(ref source, offset);
                sum1 = Move(sum1, stride) ^ Load256(ref source, offset + 32);
                sum2 = Move(sum2, stride) ^ Load256(ref source, offset + 64);
                sum3 = Move(sum3, stride) ^ Load256(ref source, offset + 96);
            }

            sum = Move(sum, step) ^ sum1;
            sum = Move(sum, step) ^ sum2;
            sum = Move(sum, step) ^ sum3;
        }

        for (; offset < end; offset += 32)
            sum = Move(sum, step) ^ Load256(ref source, offset);

        // The lower half lies 16 bytes before the upper one; the zero key drops the upper one from the product, and it
        // is added as it is.
        var lower = Move(sum, Vector256.Create(FoldKey(16), Vector128<ulong>.Zero)).GetLower();
        return Reduce(lower ^ sum.GetUpper());
    }

    /// <summary>Four sums of 64 bytes at a time, then one.</summary>
    /// <param name="register">Register before the bytes.</param>
    /// <param name="source">The first byte.</param>
    /// <param name="end">Number of bytes, a multiple of 64 other than zero.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Fold512(uint register, ref byte source, nuint end)
    {
        var halfStep = Vector256.Create(FoldKey(64), FoldKey(64));
        var step = Vector512.Create(halfStep, halfStep);
        nuint offset = 64;

        // The register is added to the first four bytes: that is what makes it the state before them.
        var sum = Load512(ref source, 0) ^ Vector512.CreateScalar((ulong)register);
        if (end >= 2 * Sums * 64)
        {
            var halfStride = Vector256.Create(FoldKey(Sums * 64), FoldKey(Sums * 64));
            var stride = Vector512.Create(halfStride, halfStride);
            var sum1 = Load512(ref source, 64);
            var sum2 = Load512(ref source, 128);
            var sum3 = Load512(ref source, 192);
            for (offset = Sums * 64; offset + (Sums * 64) <= end; offset += Sums * 64)
            {
                sum = Move(sum, stride) ^ Load512(ref source, offset);
                sum1 = Move(sum1, stride) ^ Load512(ref source, offset + 64);
                sum2 = Move(sum2, stride) ^ Load512(ref source, offset + 128);
                sum3 = Move(sum3, stride) ^ Load512(ref source, offset + 192);
            }

            sum = Move(sum, step) ^ sum1;
            sum = Move(sum, step) ^ sum2;
            sum = Move(sum, step) ^ sum3;
        }

        for (; offset < end; offset += 64)
            sum = Move(sum, step) ^ Load512(ref source, offset);

        // The first three of the four 16 byte lanes move on to the last one, each by its own distance; the zero key
        // drops the last lane from the product, and it is added as it is.
        var lanes = Move(sum, Vector512.Create(
            Vector256.Create(FoldKey(48), FoldKey(32)),
            Vector256.Create(FoldKey(16), Vector128<ulong>.Zero)));
        var half = lanes.GetLower() ^ lanes.GetUpper();
        return Reduce(half.GetLower() ^ half.GetUpper() ^ sum.GetUpper().GetUpper());
    }

    /// <summary>
    /// Bytes before the next aligned address, to be taken in first so that no load of the main loop straddles two
    /// cache lines. What a block's checksum covers starts four bytes into aligned memory and ends aligned.
    /// </summary>
    /// <remarks>Zero for short messages. Should the collector move the bytes later, only the speed suffers.</remarks>
    private static unsafe int CountUntilAligned(ReadOnlySpan<byte> bytes, int alignment)
    {
        if (bytes.Length < MinAlignBytes)
            return 0;
        nint address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(bytes));
        return (int)(-address & (alignment - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ReadWord(ref byte source, nuint offset)
    {
        ulong word = Unsafe.ReadUnaligned<ulong>(ref Unsafe.AddByteOffset(ref source, offset));
        return BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Load256(ref byte source, nuint offset) =>
        Vector256.LoadUnsafe(ref source, offset).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Load512(ref byte source, nuint offset) =>
        Vector512.LoadUnsafe(ref source, offset).AsUInt64();

    /// <summary>Carryless product of two 32 bit words, 63 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong MultiplyCarryless(uint left, uint right) => ArmAes.IsSupported
        ? ArmAes.PolynomialMultiplyWideningLower(
            Vector64.CreateScalar((ulong)left), Vector64.CreateScalar((ulong)right)).ToScalar()
        : Pclmulqdq.CarrylessMultiply(
            Vector128.CreateScalar((ulong)left), Vector128.CreateScalar((ulong)right), 0x00).ToScalar();

    /// <summary>Moves each 16 bytes of a sum on by the distance of its key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Move(Vector256<ulong> sum, Vector256<ulong> key) =>
        Pclmulqdq.V256.CarrylessMultiply(sum, key, 0x00) ^ Pclmulqdq.V256.CarrylessMultiply(sum, key, 0x11);

    /// <summary>Moves each 16 bytes of a sum on by the distance of its key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Move(Vector512<ulong> sum, Vector512<ulong> key) =>
        Pclmulqdq.V512.CarrylessMultiply(sum, key, 0x00) ^ Pclmulqdq.V512.CarrylessMultiply(sum, key, 0x11);

    /// <summary>The register after a message of 16 bytes that came to the initial register zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Reduce(Vector128<ulong> sum) =>
        BitOperations.Crc32C(BitOperations.Crc32C(0, sum.GetElement(0)), sum.GetElement(1));
}
