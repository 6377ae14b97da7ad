using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>Checksum variants that this CPU can run, over a large block: is the right one chosen?</summary>
public class Crc32CVariantBenchmarks
{
    private const int CountBytes = 65536;
    private const int Page = 4096;

    private readonly byte[] _block = GC.AllocateUninitializedArray<byte>(CountBytes + Page, pinned: true);
    private int _startBytes;

    /// <summary>Ways to compute the same value.</summary>
    public enum Variant
    {
        /// <summary>One stream.</summary>
        Serial,

        /// <summary>Three streams.</summary>
        Interleaved,

        /// <summary>256 bit carryless multiplication.</summary>
        Fold256,

        /// <summary>512 bit carryless multiplication.</summary>
        Fold512,
    }

    [ParamsSource(nameof(Possible))]
    public Variant Way { get; set; }

    public static IEnumerable<Variant> Possible
    {
        get
        {
            yield return Variant.Serial;
            if (Crc32C.CanInterleave)
                yield return Variant.Interleaved;
            if (Crc32C.CanFold256)
                yield return Variant.Fold256;
            if (Crc32C.CanFold512)
                yield return Variant.Fold512;
        }
    }

    [GlobalSetup]
    public void Fill()
    {
        new Prng(1).Fill(_block);
        _startBytes = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(_block, 0) & (Page - 1));
    }

    [Benchmark]
    public uint Append()
    {
        var bytes = _block.AsSpan(_startBytes, CountBytes);
        return Way switch
        {
            Variant.Interleaved => Crc32C.AppendInterleaved(Crc32C.Initial, bytes),
            Variant.Fold256 => Crc32C.AppendFold256(Crc32C.Initial, bytes),
            Variant.Fold512 => Crc32C.AppendFold512(Crc32C.Initial, bytes),
            _ => Crc32C.AppendSerial(Crc32C.Initial, bytes),
        };
    }
}
