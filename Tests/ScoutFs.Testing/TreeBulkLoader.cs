using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>Bulk loads a btree from items in ascending key order (format §17.3), for tests and benchmarks.</summary>
/// <remarks>Keeps one open block a level, so memory does not grow with the tree. Not thread safe.</remarks>
public sealed class TreeBulkLoader
{
    private const ulong BlockSeq = 1;

    private readonly IBlockDevice _meta;
    private readonly ulong _fsid;
    private readonly Func<ulong> _nextBlkno;
    private readonly int _maxItemsPerBlock;
    private readonly List<OpenLevel> _levels = [];

    /// <summary>Creates a loader.</summary>
    /// <param name="meta">Metadata device to write to.</param>
    /// <param name="fsid">The volume's fsid.</param>
    /// <param name="nextBlkno">Gives a free large blkno a call.</param>
    /// <param name="maxItemsPerBlock">At least 2; small numbers make high trees of few items.</param>
    public TreeBulkLoader(IBlockDevice meta, ulong fsid, Func<ulong> nextBlkno, int maxItemsPerBlock = int.MaxValue)
    {
        _meta = meta;
        _fsid = fsid;
        _nextBlkno = nextBlkno;
        _maxItemsPerBlock = maxItemsPerBlock;
    }

    /// <summary>Adds the item with the next greater key.</summary>
    public ValueTask AddAsync(ItemKey key, ReadOnlyMemory<byte> value, ulong seq = 0, byte flags = 0) =>
        AddAsync(0, key, value, seq, flags);

    /// <summary>Writes the open blocks and returns the root; all zero when nothing was added.</summary>
    public async ValueTask<BtreeRoot> FinishAsync()
    {
        for (int level = 0; level < _levels.Count; level++)
        {
            bool isRoot = level == _levels.Count - 1;
            var blockRef = await WriteAsync(level);
            if (isRoot)
                return new BtreeRoot { Ref = blockRef, Height = (byte)(level + 1) };

            // The last item of every level on the right spine is all ones.
            await AddAsync(level + 1, ItemKey.Max, Bytes(blockRef), 0, 0);
        }

        return default;
    }

    private static byte[] Bytes(BlockRef blockRef) => Disk.Bytes(in blockRef).ToArray();

    private async ValueTask AddAsync(int level, ItemKey key, ReadOnlyMemory<byte> value, ulong seq, byte flags)
    {
        if (_levels.Count == level)
            _levels.Add(new OpenLevel());
        var open = _levels[level];
        int bytes = 56 + ((value.Length + 7) & ~7);
        int room = BtreeBlockBuilder.ValueEnd(level) - BtreeBlock.OffsetOf(0);
        if (open.Items.Count > 0 && (open.Bytes + bytes > room || open.Items.Count >= _maxItemsPerBlock))
        {
            var last = open.Items[^1].Key;
            var blockRef = await WriteAsync(level);
            await AddAsync(level + 1, last, Bytes(blockRef), 0, 0);
        }

        open.Items.Add(new Entry(key, value.ToArray(), seq, flags));
        open.Bytes += bytes;
    }

    private async ValueTask<BlockRef> WriteAsync(int level)
    {
        var open = _levels[level];
        ulong blkno = _nextBlkno();
        Build(open, level, blkno);
        var error = await _meta.WriteAsync(
            (long)blkno * FormatConstants.LargeBlockBytes, open.Block, CancellationToken.None);
        Invariant.Require(error == FsError.None);
        open.Items.Clear();
        open.Bytes = 0;
        return new BlockRef(blkno, BlockSeq);
    }

    private void Build(OpenLevel open, int level, ulong blkno)
    {
        var builder = new BtreeBlockBuilder(open.Block.Span, level);
        foreach (var item in open.Items)
            Invariant.Require(builder.TryAdd(item.Key, item.Seq, item.Flags, item.Value));
        builder.Finish(_fsid, blkno, BlockSeq);
    }

    private sealed record Entry(ItemKey Key, byte[] Value, ulong Seq, byte Flags);

    private sealed class OpenLevel
    {
        public List<Entry> Items { get; } = [];

        public Memory<byte> Block { get; } = AlignedBuffer.Create(FormatConstants.LargeBlockBytes);

        public int Bytes { get; set; }
    }
}
