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
/// Collects where the blocks of a device are: entries and blocks of lists, blocks of trees and srch files. What is read
/// is read past the cache, and its headers are checked.
/// </summary>
internal sealed class BlockPlaces(IBlockDevice device, ulong fsid)
{
    private readonly List<ulong> _places = [];

    /// <summary>All, as often as they were found: parents before children, entries before their list.</summary>
    public IReadOnlyList<ulong> Places => _places;

    public void Add(ulong blkno) => _places.Add(blkno);

    public void AssertEachOnce() =>
        Assert.That(_places.Distinct().Count(), Is.EqualTo(_places.Count), "no block twice");

    public void AssertEachOnce(int countBlocks)
    {
        AssertEachOnce();
        Assert.That(_places, Has.Count.EqualTo(countBlocks), "no block lost");
    }

    public async Task AddListAsync(AllocListHead head)
    {
        ulong total = 0;
        for (var blockRef = head.Ref; !blockRef.IsNone;)
        {
            var block = await ReadAsync(blockRef, BlockMagic.AllocList);
            var list = Disk.Ref<AllocListBlock>(block);
            for (uint i = 0; i < list.Nr; i++)
                _places.Add(ListAllocator.Entries(block)[(int)(list.Start + i)]);
            if (blockRef.SameAs(head.Ref))
                Assert.That(list.Nr.Value, Is.EqualTo(head.FirstNr.Value));
            total += list.Nr;
            _places.Add(blockRef.Blkno);
            blockRef = list.Next;
        }

        Assert.That(head.TotalNr.Value, Is.EqualTo(total));
    }

    public Task AddTreeAsync(BtreeRoot root) => AddTreeAsync(root.Ref, root.Height - 1);

    public async Task AddTreeAsync(BlockRef blockRef, int level)
    {
        if (level < 0)
            return;
        _places.Add(blockRef.Blkno);
        var block = await ReadAsync(blockRef, BlockMagic.Btree);
        Assert.That(BtreeShape.Verify(block), Is.EqualTo(default(Corruption)));
        if (level == 0)
            return;
        foreach (var child in Children(block))
            await AddTreeAsync(child, level - 1);
    }

    public Task AddSrchAsync(SrchFile file) => AddSrchAsync(file.Ref, file.Height - 1);

    public async Task<byte[]> ReadAsync(BlockRef blockRef, BlockMagic magic)
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        _ = await device.ReadAsync(
            (long)(blockRef.Blkno * FormatConstants.LargeBlockBytes), block, CancellationToken.None);
        Assert.That(BlockCache.VerifyHeader(block, blockRef, magic, fsid), Is.EqualTo(default(Corruption)));
        return block;
    }

    private async Task AddSrchAsync(BlockRef blockRef, int level)
    {
        if (level < 0 || blockRef.IsNone)
            return;
        _places.Add(blockRef.Blkno);
        var block = await ReadAsync(blockRef, level == 0 ? BlockMagic.SrchLeaf : BlockMagic.SrchParent);
        if (level == 0)
            return;
        for (int i = 0; i < FormatConstants.SrchParentRefs; i++)
            await AddSrchAsync(Disk.Ref<BlockRef>(block, 32 + (16 * i)), level - 1);
    }

    private static List<BlockRef> Children(byte[] bytes)
    {
        var block = new BtreeBlock(bytes);
        var children = new List<BlockRef>();
        for (int offset = block.First(); offset != 0; offset = block.Next(offset))
            children.Add(Disk.Ref<BlockRef>(block.Value(block.Item(offset))));
        return children;
    }
}
