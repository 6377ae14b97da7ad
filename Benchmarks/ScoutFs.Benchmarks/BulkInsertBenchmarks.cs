using System;
using System.Threading;
using System.Threading.Tasks;
using BenchmarkDotNet.Attributes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Benchmarks;

/// <summary>Stores a commit's sorted items in a log tree, in memory, against one walk an item.</summary>
public class BulkInsertBenchmarks : IDisposable
{
    private const int Items = 100_000;
    private const int WriterBlocks = 1024;
    private const int Scattered = 4;

    private readonly byte[] _value = new byte[100];
    private readonly CountingAllocator _blocks = new();
    private MemoryBlockDevice _device = null!;
    private BlockCache _cache = null!;
    private BlockWriter _writer = null!;
    private BtreeWriter _trees = null!;

    [GlobalSetup]
    public void Open()
    {
        _device = new MemoryBlockDevice("meta", 1L << 30);
        _cache = new BlockCache(_device, 16, 1, 1 << 14, BtreeShape.Verify);
        _writer = new BlockWriter(_device, WriterBlocks, 1, new Prng(1));
        _trees = new BtreeWriter(_cache, _writer, _blocks);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Items)]
    public async Task<BtreeRoot> OneByOne()
    {
        Reset();
        var root = default(BtreeRoot);
        for (ulong ino = 0; ino < Items; ino++)
        {
            (_, root) = await _trees.ForceAsync(root, Keys.Inode(ino), 1, 0, _value, CancellationToken.None);
        }

        return root;
    }

    [Benchmark(OperationsPerInvoke = Items)]
    public async Task<BtreeRoot> Ascending()
    {
        Reset();
        return await ForceAsync(default, new InodeItems(0, 1, Items, 1, _value));
    }

    [Benchmark(OperationsPerInvoke = Items)]
    public async Task<BtreeRoot> BetweenOthers()
    {
        Reset();
        var root = default(BtreeRoot);
        for (ulong pass = 0; pass < Scattered; pass++)
            root = await ForceAsync(root, new InodeItems(pass, Scattered, Items / Scattered, 1, _value));
        return root;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _trees.Dispose();
        _writer.Dispose();
        _cache.Dispose();
        GC.SuppressFinalize(this);
    }

    private async Task<BtreeRoot> ForceAsync(BtreeRoot root, InodeItems source)
    {
        (var error, root) = await _trees.ForceManyAsync(root, source, CancellationToken.None);
        Invariant.Require(error == FsError.None);
        return root;
    }

    private void Reset()
    {
        _writer.Forget();
        _blocks.Next = FormatConstants.FirstMetaBlkno;
    }
}
