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

namespace ScoutFs.Volume.Tests.Allocation;

/// <summary>Collects where the blocks of a device are: entries and blocks of lists, blocks of trees.</summary>
internal sealed class BlockPlaces(IBlockDevice device, ulong fsid)
{
    private readonly List<ulong> _places = [];

    public void Add(ulong blkno) => _places.Add(blkno);

    public void AssertEachOnce(int countBlocks)
    {
        Assert.That(_places.Distinct().Count(), Is.EqualTo(_places.Count), "no block twice");
        Assert.That(_places, Has.Count.EqualTo(countBlocks), "no block lost");
    }

    public async Task AddListAsync(AllocListHead head)
    {
        ulong total = 0;
        var block = new byte[FormatConstants.LargeBlockBytes];
        for (var blockRef = head.Ref; !blockRef.IsNone; blockRef = Disk.Ref<AllocListBlock>(block).Next)
        {
            await ReadAsync(blockRef, BlockMagic.AllocList, block);
            _places.Add(blockRef.Blkno);
            var list = Disk.Ref<AllocListBlock>(block);
            for (uint i = 0; i < list.Nr; i++)
                _places.Add(ListAllocator.Entries(block)[(int)(list.Start + i)]);
            if (blockRef.SameAs(head.Ref))
                Assert.That(list.Nr.Value, Is.EqualTo(head.FirstNr.Value));
            total += list.Nr;
        }

        Assert.That(head.TotalNr.Value, Is.EqualTo(total));
    }

    public Task AddTreeAsync(BtreeRoot root) => AddTreeAsync(root.Ref, root.Height - 1);

    /// <summary>Writes a list of one block, at blkno 2, whose entries are the blocks behind it.</summary>
    public static AllocListHead WriteFirstList(IBlockDevice device, ulong fsid, int countEntries)
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        ref var list = ref Disk.Ref<AllocListBlock>(block.AsSpan());
        list.Header.Magic = (uint)BlockMagic.AllocList;
        list.Header.Fsid = fsid;
        list.Header.Seq = 1;
        list.Header.Blkno = 2;
        list.Nr = (uint)countEntries;
        for (int i = 0; i < countEntries; i++)
            ListAllocator.Entries(block)[i] = 3 + (ulong)i;
        list.Header.Crc = Crc32C.Compute(block.AsSpan(4));
        var write = device.WriteAsync(2 * FormatConstants.LargeBlockBytes, block, CancellationToken.None);
        Invariant.Require(write.IsCompletedSuccessfully);
        return new AllocListHead
        {
            Ref = new BlockRef(2, 1),
            TotalNr = (ulong)countEntries,
            FirstNr = (uint)countEntries,
        };
    }

    private async Task AddTreeAsync(BlockRef blockRef, int level)
    {
        if (level < 0)
            return;
        var block = new byte[FormatConstants.LargeBlockBytes];
        await ReadAsync(blockRef, BlockMagic.Btree, block);
        _places.Add(blockRef.Blkno);
        if (level == 0)
            return;
        foreach (var child in Children(block))
            await AddTreeAsync(child, level - 1);
    }

    private static List<BlockRef> Children(byte[] bytes)
    {
        var block = new BtreeBlock(bytes);
        var children = new List<BlockRef>();
        for (int offset = block.First(); offset != 0; offset = block.Next(offset))
            children.Add(Disk.Ref<BlockRef>(block.Value(block.Item(offset))));
        return children;
    }

    private async Task ReadAsync(BlockRef blockRef, BlockMagic magic, byte[] block)
    {
        _ = await device.ReadAsync(
            (long)(blockRef.Blkno * FormatConstants.LargeBlockBytes), block, CancellationToken.None);
        Assert.That(BlockCache.VerifyHeader(block, blockRef, magic, fsid).IsFound, Is.False);
    }
}
