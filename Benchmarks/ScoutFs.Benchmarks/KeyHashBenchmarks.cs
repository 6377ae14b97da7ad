using BenchmarkDotNet.Attributes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>FNV-1a of item keys, as btree leaves and bloom filters ask for it, against the byte loop.</summary>
public class KeyHashBenchmarks
{
    private const int Keys = 1024;

    private readonly ItemKey[] _keys = new ItemKey[Keys];

    /// <summary>Zero, unknown to the compiler: makes each hash wait for the one before, as a lookup waits.</summary>
    private uint _nothing;

    /// <summary>What the keys look like.</summary>
    public enum KeyKind
    {
        /// <summary>Inodes 1..2^24: mostly zero bytes.</summary>
        Inode,

        /// <summary>Directory entries: eight bytes of name hash.</summary>
        Dirent,

        /// <summary>All parts random: the worst there can be.</summary>
        Random,
    }

    [Params(KeyKind.Inode, KeyKind.Dirent, KeyKind.Random)]
    public KeyKind Kind { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _nothing = 0;
        var random = new Prng(1);
        for (int i = 0; i < Keys; i++)
        {
            ulong ino = random.NextUInt64(1 << 24);
            _keys[i] = Kind switch
            {
                KeyKind.Inode => ScoutFs.Volume.Format.Keys.Inode(ino),
                KeyKind.Dirent =>
                    ScoutFs.Volume.Format.Keys.Dirent(ino, random.NextUInt64(), random.NextUInt64(10_000)),
                _ => new ItemKey(
                    (byte)random.NextUInt64(),
                    random.NextUInt64(),
                    (byte)random.NextUInt64(),
                    random.NextUInt64(),
                    random.NextUInt64(),
                    (byte)random.NextUInt64()),
            };
        }
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Keys)]
    public uint PlainLoop32()
    {
        uint hash = 0;
        for (int i = 0; i < Keys; i++)
        {
            var key = Disk.Bytes(in _keys[i + (int)(hash & _nothing)]);
            hash = Fnv1a.Basis32;
            foreach (byte b in key)
                hash = (hash ^ b) * 0x01000193;
        }

        return hash;
    }

    [Benchmark(OperationsPerInvoke = Keys)]
    public uint Hash32()
    {
        uint hash = 0;
        for (int i = 0; i < Keys; i++)
            hash = Fnv1a.Hash32(Disk.Bytes(in _keys[i + (int)(hash & _nothing)]));
        return hash;
    }

    [Benchmark(OperationsPerInvoke = Keys)]
    public ulong Hash64()
    {
        ulong hash = 0;
        for (int i = 0; i < Keys; i++)
            hash = Fnv1a.Hash64(Disk.Bytes(in _keys[i + (int)(hash & _nothing)]));
        return hash;
    }
}
