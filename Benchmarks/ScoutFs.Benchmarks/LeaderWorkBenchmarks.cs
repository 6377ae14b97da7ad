using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using BenchmarkDotNet.Attributes;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Benchmarks;

/// <summary>What a mount does for the leader, on a device in memory: log merges and srch compactions.</summary>
/// <remarks>The baseline writes the same log items into an empty tree: the least that a merge has to do.</remarks>
public class LeaderWorkBenchmarks : IDisposable
{
    private const int Logs = 4;
    private const int ItemsPerLog = 50_000;
    private const int Items = Logs * ItemsPerLog;
    private const int TreeItems = 800_000;
    private const int WriterBlocks = 8192;
    private const int EntriesPerFile = 250_000;
    private const int Entries = FormatConstants.SrchCompactInputs * EntriesPerFile;

    private readonly byte[] _value = new byte[100];
    private readonly CountingAllocator _blocks = new();
    private readonly List<BtreeRoot> _logs = [];
    private MemoryBlockDevice _device = null!;
    private BlockCache _cache = null!;
    private BlockWriter _writer = null!;
    private BtreeWriter _trees = null!;
    private BtreeRoot _fsRoot;
    private SrchCompact _request;
    private ulong _firstFree;

    /// <summary>Builds a tree, four logs whose keys are among its own, and four srch files.</summary>
    [GlobalSetup]
    public async Task OpenAsync()
    {
        _device = new MemoryBlockDevice("meta", 1L << 30);
        _cache = new BlockCache(_device, 4096, 1, 1 << 14, BtreeShape.Verify);
        _writer = new BlockWriter(_device, WriterBlocks, 1, new Prng(1));
        _trees = new BtreeWriter(_cache, _writer, _blocks);
        _fsRoot = await ForceAsync(_trees, new InodeItems(0, 2, TreeItems, 1, _value));
        for (ulong i = 0; i < Logs; i++)
            _logs.Add(await ForceAsync(_trees, new InodeItems(i, 32, ItemsPerLog, i + 2, _value)));

        var prng = new Prng(2);
        _request = new SrchCompact { Nr = FormatConstants.SrchCompactInputs, Flags = SrchCompact.FlagLog };
        for (int i = 0; i < FormatConstants.SrchCompactInputs; i++)
        {
            var log = new SrchLog(_cache, _writer, _blocks, default);
            Require(await log.PrepareAsync(EntriesPerFile, CancellationToken.None));
            for (ulong ino = 0; ino < EntriesPerFile; ino++)
                log.Append(new SrchEntry(prng.NextUInt64(1000), ino, prng.NextUInt64()));
            _request.Inputs[i].File = log.File;
        }

        _request.MetaAvail = MakeList(FormatConstants.ListBlockEntries - 100);
        Require(await _writer.WriteAllAsync(CancellationToken.None));
        _writer.Forget();
        _firstFree = _blocks.Next;
    }

    /// <summary>The items of the logs into an empty tree, in key order.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Items)]
    public async Task<BtreeRoot> WriteItems()
    {
        _blocks.Next = _firstFree;
        var root = await ForceAsync(_trees, new InodeItems(0, 8, Items, 1, _value));
        Require(await _writer.WriteAllAsync(CancellationToken.None));
        _writer.Forget();
        return root;
    }

    /// <summary>The four logs into the tree of 800 000 items, of which they touch most leaves.</summary>
    [Benchmark(OperationsPerInvoke = Items)]
    public async Task<BtreeRoot> MergeLogs()
    {
        _blocks.Next = _firstFree;
        using var merge = new BtreeMerge(_cache, _writer, _blocks);
        var result = await merge.MergeAsync(
            _logs, _fsRoot, ItemKey.Min, ItemKey.Max, new MergeLimits(false, WriterBlocks, 10), CancellationToken.None);
        Require(result.Error);
        Invariant.Require(result.Remain is null);
        Require(await _writer.WriteAllAsync(CancellationToken.None));
        _writer.Forget();
        return result.Root;
    }

    /// <summary>Four unsorted srch files into a sorted one.</summary>
    [Benchmark(OperationsPerInvoke = Entries)]
    public async Task<ulong> CompactSrchLogs()
    {
        var compactor = new SrchCompactor(_device, _cache, new Prng(3));
        var (compact, error, _) = await compactor.RunAsync(_request, CancellationToken.None);
        Require(error);
        Invariant.Require((compact.Flags & SrchCompact.FlagDone) != 0);
        return compact.Out.Entries;
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _trees.Dispose();
        _writer.Dispose();
        _cache.Dispose();
        GC.SuppressFinalize(this);
    }

    private static void Require(FsError error) => Invariant.Require(error == FsError.None);

    private static async Task<BtreeRoot> ForceAsync(BtreeWriter trees, InodeItems source)
    {
        var (error, root) = await trees.ForceManyAsync(default, source, CancellationToken.None);
        Require(error);
        return root;
    }

    private AllocListHead MakeList(int count)
    {
        BlockRef listRef = default;
        var block = _writer.Create(ref listRef, BlockMagic.AllocList, _blocks);
        Disk.Ref<AllocListBlock>(block).Nr = (uint)count;
        for (int i = 0; i < count; i++)
            ListAllocator.Entries(block)[i] = _blocks.Allocate();
        return new AllocListHead { Ref = listRef, TotalNr = (ulong)count, FirstNr = (uint)count };
    }
}
