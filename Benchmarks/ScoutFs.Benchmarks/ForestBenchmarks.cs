using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using BenchmarkDotNet.Attributes;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>Lookups and scans over a volume of 10⁵ files, metadata cached, against a sorted dictionary.</summary>
public class ForestBenchmarks : IDisposable
{
    private const int Lookups = 1024;
    private const ulong Directories = 100;
    private const ulong FilesPerDirectory = 1000;

    private readonly ItemKey[] _keys = new ItemKey[Lookups];
    private readonly SortedDictionary<ItemKey, ulong> _dictionary = [];
    private OfflineVolume _volume = null!;
    private ForestCursor _cursor = null!;

    [GlobalSetup]
    public async Task BuildAsync()
    {
        var meta = new MemoryBlockDevice("meta", GeneratedVolume.MetaBytes(Directories, FilesPerDirectory));
        var data = new MemoryBlockDevice("data", GeneratedVolume.DataBytes(Directories, FilesPerDirectory));
        await GeneratedVolume.BuildAsync(meta, data, Directories, FilesPerDirectory);
        _volume = await OfflineVolume.OpenAsync(meta, data, 512 << 20, CancellationToken.None);
        _cursor = new ForestCursor(_volume.Cache, _volume.Roots);
        var status = await _cursor.SeekAsync(ItemKey.Min, ItemKey.Max, CancellationToken.None);
        while (status == BtreeStatus.Found)
            status = await _cursor.MoveNextAsync(CancellationToken.None);
        var prng = new Prng(1);
        for (int i = 0; i < Lookups; i++)
        {
            ulong ino = FormatConstants.FirstFreeIno + prng.NextUInt64(Directories * (FilesPerDirectory + 1));
            _keys[i] = Keys.Inode(ino);
        }

        for (ulong ino = 0; ino < Directories * (FilesPerDirectory + 1); ino++)
            _dictionary.Add(Keys.Inode(FormatConstants.FirstFreeIno + ino), ino);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Lookups)]
    public ulong SortedDictionaryLookup()
    {
        ulong sum = 0;
        foreach (var key in _keys)
            sum += _dictionary[key];
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public ulong BtreeLookup()
    {
        ulong sum = 0;
        foreach (ref readonly var key in _keys.AsSpan())
        {
            var status = BtreeReader.TryLookup(_volume.Cache, _volume.Roots.FsRoot, key, out var item, out _, out _);
            Invariant.Require(status == BtreeStatus.Found);
            sum += item.Item.Seq;
            item.Dispose();
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = 702_002)]
    public long ScanItems()
    {
        long count = 0;
        var status = _cursor.Seek(ItemKey.Min, ItemKey.Max);
        for (; status == BtreeStatus.Found; status = _cursor.MoveNext())
            count++;
        Invariant.Require(status == BtreeStatus.End);
        return count;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _cursor.Dispose();
        _volume.Dispose();
        GC.SuppressFinalize(this);
    }
}
