using System;
using BenchmarkDotNet.Attributes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>Hash of directory names against its definition taken literally.</summary>
public class NameHashBenchmarks
{
    private byte[] _name = [];

    /// <summary>Bytes of the name.</summary>
    [Params(5, 12, 24, 60, 255)]
    public int CountBytes { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _name = new byte[CountBytes];
        new Prng(1).Fill(_name);
    }

    [Benchmark(Baseline = true)]
    public ulong Definition()
    {
        int bits = 8 * _name.Length;
        int step = Math.Max(bits / 32, 1);
        uint fingerprint = 0;
        for (int j = 0; j < 32 && j * step < bits; j++)
        {
            int bit = j * step;
            if ((_name[bit / 8] & (0x80 >> (bit % 8))) != 0)
                fingerprint |= 1u << (31 - j);
        }

        return ((ulong)fingerprint << 32) | Fnv1a.Hash32(_name);
    }

    [Benchmark]
    public ulong Compute() => NameHash.Compute(_name);

    [Benchmark]
    public uint Fnv1aOnly() => Fnv1a.Hash32(_name);
}
