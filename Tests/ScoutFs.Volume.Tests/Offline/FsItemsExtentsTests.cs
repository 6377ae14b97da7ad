using System;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Faults of data extents and symlink targets, each planted alone (I96, I100).</summary>
[TestFixture]
internal sealed class FsItemsExtentsTests
{
    private FsItemsBuilder _fs = null!;

    private ulong Binary => _fs.Lookup("docs/b.bin");

    private ulong Long => _fs.Lookup("long");

    [SetUp]
    public void SetUp() => _fs = FsItemsBuilder.Healthy();

    [Test]
    public void Extents_Healthy_ArePassedOn()
    {
        Assert.That(_fs.Check(), Is.Empty);
        Assert.That(
            _fs.Extents.Where(extent => extent.Ino == Binary).Select(extent => (extent.FirstBlock, extent.Count)),
            Is.EqualTo(new[] { (0ul, 10ul), (10ul, 5ul), (100ul, 7ul), ((1UL << 52) - 1, 1ul) }));
    }

    [TestCase(0)]
    [TestCase(15)]
    [TestCase(17)]
    public void Value_OfWrongSize_IsI96Alone(int bytes)
    {
        _fs.Resize(Extent(0), bytes);
        FsItemsAssert.FindsOne(_fs, "I96", $"The extent's value has {bytes} bytes, expected 16.");
    }

    [TestCase(9ul, 0ul, (byte)0)]
    [TestCase(9ul, 11ul, (byte)0)]
    [TestCase(9ul, ulong.MaxValue, (byte)0)]
    [TestCase(1ul << 52, 10ul, (byte)0)]
    [TestCase(ulong.MaxValue, 10ul, (byte)0)]
    [TestCase(ulong.MaxValue, ulong.MaxValue, (byte)0)]
    [TestCase(9ul, 10ul, (byte)1)]
    public void Key_Impossible_IsI96Alone(ulong last, ulong count, byte fourth)
    {
        _fs.Move(Extent(0), new ItemKey(KeyZone.Fs, Binary, KeyType.DataExtent, last, count, fourth));
        FsItemsAssert.FindsOne(_fs, "I96", $"{count} blocks up to block {last}");
    }

    [TestCase(0, (byte)1)]
    [TestCase(0, (byte)4)]
    [TestCase(3, (byte)0)]
    [TestCase(3, (byte)2)]
    [TestCase(3, (byte)3)]
    [TestCase(3, (byte)0x81)]
    public void Flags_OfNoForm_IsI96Alone(int extent, byte flags)
    {
        _fs.Items[Extent(extent)][8] = flags;
        FsItemsAssert.FindsOne(_fs, "I96", $"flags 0x{flags:x}, expected");
    }

    [TestCase(0, (byte)2)]
    [TestCase(0, (byte)3)]
    [TestCase(1, (byte)0)]
    public void Flags_OfOtherForm_IsI96Alone(int extent, byte flags)
    {
        _fs.Items[Extent(extent)][8] = flags;
        FsItemsAssert.FindsOne(_fs, "I96", "online_blocks, offline_blocks|The inode says 11 online and 1007 offline");
    }

    [Test]
    public void Pad_NotZero_IsI96Alone()
    {
        _fs.Items[Extent(2)][15] = 1;
        FsItemsAssert.FindsOne(_fs, "I96", "The unused bytes of the extent are not zero.");
    }

    [TestCase(1ul)]
    [TestCase(63ul)]
    [TestCase((1ul << 20) - 9)]
    [TestCase(1ul << 20)]
    [TestCase(ulong.MaxValue)]
    [TestCase(ulong.MaxValue - 5)]
    public void Blkno_OutsideDevice_IsI96Alone(ulong blkno)
    {
        Disk.Ref<DataExtentItem>(_fs.Items[Extent(0)].AsSpan()).Blkno = blkno;
        FsItemsAssert.FindsOne(_fs, "I96", $"10 blocks from {blkno}, but file contents are in blocks 64 to 1048575");
        Assert.That(_fs.Extents.Any(extent => extent.Blkno == blkno), Is.False, "is not passed on");
    }

    [Test]
    public void Extents_Overlapping_IsI96Alone()
    {
        _fs.Move(Extent(1), Keys.DataExtent(Binary, 14, 6));
        FsItemsAssert.FindsOne(_fs, "I96", "starts at block 9, but the one before reaches to block 9.");
    }

    [Test]
    public void Extents_Unmerged_IsWarning()
    {
        ulong blkno = Disk.Ref<DataExtentItem>(_fs.Items[Extent(0)].AsSpan()).Blkno;
        _fs.Move(Extent(0), Keys.DataExtent(Binary, 3, 4));
        var rest = new DataExtentItem { Blkno = blkno + 4 };
        _fs.Items[Keys.DataExtent(Binary, 9, 6)] = Disk.Bytes(in rest).ToArray();
        FsItemsAssert.FindsOne(_fs, "I96", "The extent at block 4 continues the one before", FindingSeverity.Warning);
    }

    [Test]
    public void OfflineExtents_Unmerged_IsWarning()
    {
        _fs.Move(Keys.DataExtent(Binary, 1106, 1000), Keys.DataExtent(Binary, 1106, 900));
        var rest = new DataExtentItem { Flags = DataExtentItem.FlagOffline };
        _fs.Items[Keys.DataExtent(Binary, 206, 100)] = Disk.Bytes(in rest).ToArray();
        FsItemsAssert.FindsOne(_fs, "I96", "The extent at block 207 continues", FindingSeverity.Warning);
    }

    [Test]
    public void Extent_Missing_IsI96Alone()
    {
        _fs.Remove(Extent(0));
        FsItemsAssert.FindsOne(_fs, "I96", "says 11 online and 1007 offline blocks, but its extents have 1 and 1007.");
    }

    [Test]
    public void Counts_Wrong_IsI96Alone()
    {
        _fs.EditInode(Binary, static (ref InodeItem inode) => inode.OfflineBlocks = 0);
        FsItemsAssert.FindsOne(_fs, "I96", "says 11 online and 0 offline blocks, but its extents have 11 and 1007.");
    }

    [Test]
    public void Counts_OfUnlinked_AreNotChecked()
    {
        ulong gone = _fs.Items.Keys.First(key => key.Zone == KeyZone.Orphan).Second;
        _fs.Remove(_fs.First(gone, KeyType.DataExtent));
        FsItemsAssert.IsClean(_fs);
    }

    [Test]
    public void Extents_InFifo_IsI96Alone()
    {
        ulong fifo = _fs.Lookup("fifo");
        _fs.AddExtent(fifo, 0, 1, 0);
        FsItemsAssert.FindsOne(_fs, "I96", "The inode is a fifo, but has 1 data extents");
    }

    [TestCase(0ul)]
    [TestCase(4097ul)]
    [TestCase(ulong.MaxValue)]
    public void SymlinkSize_NotAllowed_IsI100Alone(ulong size)
    {
        _fs.EditInode(Long, (ref InodeItem inode) => inode.Size = size);
        FsItemsAssert.FindsOne(_fs, "I100", $"The size is {size}, expected 1 to 4096 bytes");
    }

    [TestCase(1ul)]
    [TestCase(896ul)]
    [TestCase(1792ul)]
    [TestCase(2000ul)]
    [TestCase(2002ul)]
    [TestCase(4096ul)]
    public void SymlinkSize_NotOfTarget_IsI100Alone(ulong size)
    {
        _fs.EditInode(Long, (ref InodeItem inode) => inode.Size = size);
        FsItemsAssert.FindsOne(_fs, "I100", $"inode {Long}|");
    }

    [TestCase(0ul)]
    [TestCase(1ul)]
    [TestCase(2ul)]
    public void SymlinkPart_Missing_IsI100Alone(ulong part)
    {
        _fs.Remove(Keys.Symlink(Long, part));
        FsItemsAssert.FindsOne(_fs, "I100", $"Part {part} of the target is missing; its 2001 bytes need 3 parts.");
    }

    [TestCase(3ul)]
    [TestCase(ulong.MaxValue)]
    public void SymlinkPart_TooMany_IsI100Alone(ulong part)
    {
        _fs.Items[Keys.Symlink(Long, part)] = [0];
        FsItemsAssert.FindsOne(_fs, "I100", "has 4 parts, expected parts 0 to 2 for its 2001 bytes.");
    }

    [TestCase(0ul, 895)]
    [TestCase(1ul, 0)]
    [TestCase(2ul, 208)]
    [TestCase(2ul, 210)]
    public void SymlinkPart_OfWrongSize_IsI100Alone(ulong part, int bytes)
    {
        _fs.Resize(Keys.Symlink(Long, part), bytes);
        FsItemsAssert.FindsOne(_fs, "I100", $"Part {part} of the target has {bytes} bytes, expected");
    }

    [Test]
    public void SymlinkTarget_WithoutNul_IsI100Alone()
    {
        _fs.Items[Keys.Symlink(Long, 2)][^1] = 1;
        FsItemsAssert.FindsOne(_fs, "I100", "The target has 0 zero bytes");
    }

    [Test]
    public void SymlinkTarget_WithTwoNuls_IsI100Alone()
    {
        _fs.Items[Keys.Symlink(Long, 0)][5] = 0;
        FsItemsAssert.FindsOne(_fs, "I100", "The target has 2 zero bytes");
    }

    [Test]
    public void SymlinkKey_WithParts_IsI100Alone()
    {
        _fs.Move(Keys.Symlink(Long, 1), new ItemKey(KeyZone.Fs, Long, KeyType.Symlink, 1, 7));
        FsItemsAssert.FindsOne(_fs, "I100", "The key of the symlink part has parts that must be 0");
    }

    [Test]
    public void SymlinkPart_InFifo_IsI100Alone()
    {
        _fs.Items[Keys.Symlink(_fs.Lookup("fifo"), 0)] = [0];
        FsItemsAssert.FindsOne(_fs, "I100", "The inode is a fifo, but has 1 parts");
    }

    private ItemKey Extent(int number) => _fs.First(Binary, KeyType.DataExtent, number);
}
