using System;
using NUnit.Framework;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Btrees;

public sealed class BtreeBlockBuilderTests
{
    [Test]
    public void Finish_TwoItems_MatchesTheWorkedExampleOfTheFormat()
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        var builder = new BtreeBlockBuilder(block, level: 0);
        Assert.That(builder.TryAdd(Keys.MetaSeqIndex(0, 1), 1, 0, default), Is.True);
        Assert.That(builder.TryAdd(Keys.Inode(1), 1, 0, new byte[168]), Is.True);
        builder.Finish(fsid: 5, blkno: 2, seq: 1);

        // Format §15, from byte 32; byte 110 is the height that mkfs of Linux leaves 0.
        string expected32 = "480002001801e8f20000000000000000";
        string expected48 = "4800000000000100";
        string expected104 = "0000100000000200";
        Assert.That(Convert.ToHexStringLower(block.AsSpan(32, 16)), Is.EqualTo(expected32));
        Assert.That(Convert.ToHexStringLower(block.AsSpan(48, 8)), Is.EqualTo(expected48));
        Assert.That(Convert.ToHexStringLower(block.AsSpan(104, 8)), Is.EqualTo(expected104));
        Assert.That(Convert.ToHexStringLower(block.AsSpan(144, 16)), Is.EqualTo("010000000000000088f3a80000000000"));
        var buckets = Disk.Slice<Le16>(block.AsSpan(), 62512, 1512);
        Assert.That((int)buckets[252], Is.EqualTo(48));
        Assert.That((int)buckets[1040], Is.EqualTo(104));
    }

    [Test]
    public void Finish_EveryCount_HasExactHeightsAndVerifies([Range(0, 70)] int count)
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        var builder = new BtreeBlockBuilder(block, level: 0);
        for (int i = 0; i < count; i++)
            Assert.That(builder.TryAdd(Keys.Inode((ulong)i), 0, 0, new byte[i]), Is.True);
        builder.Finish(5, 2, 1);

        Assert.That(BtreeShape.Verify(block), Is.EqualTo(default(Corruption)));
        var view = new BtreeBlock(block);
        for (int i = 0; i < count; i++)
        {
            int offset = view.FindInLeaf(Keys.Inode((ulong)i));
            Assert.That(offset, Is.EqualTo(BtreeBlock.OffsetOf(i)));
            ref readonly var node = ref view.Item(offset).Node;
            int left = node.Left == 0 ? 0 : view.Item(node.Left + 32).Node.Height;
            int right = node.Right == 0 ? 0 : view.Item(node.Right + 32).Node.Height;
            Assert.That((int)node.Height, Is.EqualTo(1 + Math.Max(left, right)));
            Assert.That(Math.Abs(left - right), Is.LessThanOrEqualTo(1));
        }
    }

    [Test]
    public void TryAdd_FullLeaf_RefusesAndKeepsTheBlockGood()
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        var builder = new BtreeBlockBuilder(block, level: 0);
        ulong ino = 0;
        while (builder.TryAdd(Keys.Inode(ino), 0, 0, default))
            ino++;
        builder.Finish(5, 2, 1);

        Assert.That(ino, Is.EqualTo(BtreeShape.MaxLeafItems));
        Assert.That(BtreeShape.Verify(block), Is.EqualTo(default(Corruption)));
    }
}
