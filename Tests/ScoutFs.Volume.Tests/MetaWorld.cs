using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests;

/// <summary>
/// A metadata device with one transaction at a time, whose blocks are accounted for in a plain set: what is neither
/// free, nor freed by the transaction, nor in a list that was handed out, is in use.
/// </summary>
internal sealed class MetaWorld : IBlockAllocator, IDisposable
{
    public const ulong Fsid = 4711;

    private readonly int _metaBlocks;
    private readonly Stack<ulong> _free = [];
    private readonly List<ulong> _freed = [];
    private ulong _next = FormatConstants.FirstMetaBlkno;

    public MetaWorld(ulong seed, int metaBlocks = 1 << 15, int cacheBlocks = 64, int writerBlocks = 1024)
    {
        _metaBlocks = metaBlocks;
        Prng = new Prng(seed);
        Device = new MemoryBlockDevice("meta", (long)metaBlocks * FormatConstants.LargeBlockBytes);
        Cache = new BlockCache(Device, cacheBlocks, Fsid, (ulong)metaBlocks, BtreeShape.Verify);
        Writer = new BlockWriter(Device, writerBlocks, Fsid, Prng.Fork("blocks"));
        Trees = new BtreeWriter(Cache, Writer, this);
    }

    public Prng Prng { get; }

    public MemoryBlockDevice Device { get; }

    public BlockCache Cache { get; }

    public BlockWriter Writer { get; }

    public BtreeWriter Trees { get; }

    /// <summary>Blocks in use.</summary>
    public HashSet<ulong> Allocated { get; } = [];

    public int AvailableBlocks => _metaBlocks - (int)_next;

    public int FreeRoomBlocks => int.MaxValue;

    public ulong Allocate()
    {
        ulong blkno = _free.Count > 0 ? _free.Pop() : _next++;
        Assert.That(Allocated.Add(blkno), Is.True);
        return blkno;
    }

    public void Free(ulong blkno)
    {
        Assert.That(Allocated.Remove(blkno), Is.True, $"{blkno} is freed twice or was never allocated");
        _freed.Add(blkno);
    }

    /// <summary>Writes and forgets what is dirty; what was freed can be used again.</summary>
    public async Task CommitAsync()
    {
        Assert.That(await Writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
        Writer.Forget();
        foreach (ulong blkno in _freed)
            _free.Push(blkno);
        _freed.Clear();
    }

    /// <summary>Builds a committed tree.</summary>
    public async Task<BtreeRoot> BuildTreeAsync(IEnumerable<MetaItem> items)
    {
        var source = new MetaItemSource(items);
        var root = default(BtreeRoot);
        while (!source.IsAtEnd)
        {
            (var error, root) = await Trees.ForceManyAsync(root, source, CancellationToken.None);
            Assert.That(error, Is.EqualTo(source.IsAtEnd ? FsError.None : FsError.NoSpace), $"{Trees.Fault}");
            await CommitAsync();
        }

        return root;
    }

    /// <summary>Items of a committed tree.</summary>
    public async Task<List<MetaItem>> ReadTreeAsync(BtreeRoot root)
    {
        var items = new List<MetaItem>();
        using var cursor = new BtreeCursor(Cache);
        cursor.SetRoot(root);
        var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None))
            items.Add(new MetaItem(cursor.Key, cursor.Item.Seq, cursor.Item.Flags, cursor.Value.ToArray()));
        Assert.That(status, Is.EqualTo(BtreeStatus.End), $"{cursor.Fault}");
        return items;
    }

    /// <summary>Collects blocks of what is committed.</summary>
    public BlockPlaces NewPlaces() => new(Device, Fsid);

    /// <summary>Makes a committed list of free blocks, one block long; they count as in use.</summary>
    public async Task<AllocListHead> MakeListAsync(int count)
    {
        BlockRef listRef = default;
        Fill();
        await CommitAsync();
        return new AllocListHead { Ref = listRef, TotalNr = (ulong)count, FirstNr = (uint)count };

        void Fill()
        {
            var block = Writer.Create(ref listRef, BlockMagic.AllocList, this);
            Disk.Ref<AllocListBlock>(block).Nr = (uint)count;
            for (int i = 0; i < count; i++)
                ListAllocator.Entries(block)[i] = Allocate();
        }
    }

    /// <summary>Takes a list back: its entries and blocks are free.</summary>
    public async Task FreeListAsync(AllocListHead head)
    {
        var places = NewPlaces();
        await places.AddListAsync(head);
        foreach (ulong blkno in places.Places)
            Free(blkno);
        await CommitAsync();
    }

    /// <summary>Reads a block past the cache and checks its header.</summary>
    public Task<byte[]> ReadAsync(BlockRef blockRef, BlockMagic magic) => NewPlaces().ReadAsync(blockRef, magic);

    public void Dispose()
    {
        Trees.Dispose();
        Writer.Dispose();
        Assert.That(Cache.LeasesOut, Is.Zero);
        Cache.Dispose();
    }
}

/// <summary>An item of a test.</summary>
internal sealed record MetaItem(ItemKey Key, ulong Seq, byte Flags, byte[] Value);

/// <summary>Gives the items of a test.</summary>
internal sealed class MetaItemSource : IItemSource
{
    private readonly MetaItem[] _items;
    private int _next;

    public MetaItemSource(IEnumerable<MetaItem> items) => _items = items.ToArray();

    public bool IsAtEnd => _next == _items.Length;

    public bool TryPeek(out SourceItem item)
    {
        item = default;
        if (IsAtEnd)
            return false;
        var next = _items[_next];
        item = new SourceItem(next.Key, next.Seq, next.Flags, next.Value);
        return true;
    }

    public void Advance() => _next++;
}
