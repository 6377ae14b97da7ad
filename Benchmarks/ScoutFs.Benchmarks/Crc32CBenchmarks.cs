using System;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>The checksum of a block against the plain loop over the CRC instruction.</summary>
/// <remarks>
/// The sizes are those that occur: a small and a large block without the four bytes of the checksum itself, at their
/// real alignment, and a typical xattr name. The block is in the cache, so this is the greatest speed there can be.
/// </remarks>
public class Crc32CBenchmarks
{
    private const int Page = 4096;

    private byte[] _block = [];
    private int _startBytes;

    /// <summary>Bytes that are hashed.</summary>
    [Params(24, 4092, 65532)]
    public int CountBytes { get; set; }

    private ReadOnlySpan<byte> Bytes => _block.AsSpan(_startBytes, CountBytes);

    [GlobalSetup]
    public void Fill()
    {
        // As in the block pool: blocks are aligned to pages, and the checksum starts after its own four bytes.
        _block = GC.AllocateUninitializedArray<byte>(CountBytes + (2 * Page), pinned: true);
        new Prng(1).Fill(_block);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(_block, 0);
        _startBytes = (int)(-address & (Page - 1)) + sizeof(uint);
    }

    [Benchmark(Baseline = true)]
    public uint PlainLoop()
    {
        var bytes = Bytes;
        uint register = uint.MaxValue;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            register = BitOperations.Crc32C(register, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte b in bytes)
            register = BitOperations.Crc32C(register, b);
        return register;
    }

    [Benchmark]
    public uint Compute() => Crc32C.Compute(Bytes);
}
