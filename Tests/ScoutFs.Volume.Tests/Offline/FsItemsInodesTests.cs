using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Faults of inode items and link counts, each planted alone in a healthy file system (I86, I91, I94, I102).
/// </summary>
[TestFixture]
internal sealed class FsItemsInodesTests
{
    private FsItemsBuilder _fs = null!;

    private ulong Docs => _fs.Lookup("docs");

    private ulong Text => _fs.Lookup("docs/a.txt");

    private ulong Gone => _fs.Items.Keys.First(key => key.Zone == KeyZone.Orphan).Second;

    private ulong GoneDirectory => _fs.Items.Keys.Last(key => key.Zone == KeyZone.Orphan).Second;

    [SetUp]
    public void SetUp() => _fs = FsItemsBuilder.Healthy();

    [TestCase(161)]
    [TestCase(176)]
    public void InodeSize_WrongButReadable_IsI91(int bytes)
    {
        _fs.Resize(Keys.Inode(Text), bytes);
        FsItemsAssert.FindsOne(_fs, "I91", $"{bytes} bytes, expected 168 (or 160)");
    }

    [TestCase(0)]
    [TestCase(159)]
    public void InodeSize_TooShort_IsI91Alone(int bytes)
    {
        foreach (ulong ino in new[] { Text, Docs, Gone, _fs.Lookup("long") })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Resize(Keys.Inode(ino), bytes);
            FsItemsAssert.FindsOne(_fs, "I91", $"inode {ino}|16.{ino}.4.0.0.0|The inode item's value has {bytes}");
        }
    }

    [Test]
    public void InodeSize_OfVersion1InVersion2_IsAllowed()
    {
        _fs.Resize(Keys.Inode(Text), InodeItem.Version1Bytes);
        FsItemsAssert.IsClean(_fs);
    }

    [Test]
    public void InodeSize_OfVersion2InVersion1_IsI91()
    {
        _fs = FsItemsBuilder.Healthy(1);
        _fs.Resize(Keys.Inode(Text), InodeItem.Version2Bytes);
        FsItemsAssert.FindsOne(_fs, "I91", "168 bytes, expected 160 in format version 1");
    }

    [TestCase(2ul, 4u)]
    [TestCase(1ul, 2u)]
    public void InodeFlags_Unknown_IsI91(ulong formatVersion, uint flags)
    {
        _fs = FsItemsBuilder.Healthy(formatVersion);
        _fs.EditInode(Text, (ref InodeItem inode) => inode.Flags = flags);
        FsItemsAssert.FindsOne(_fs, "I91", $"flags 0x{flags:x}");
    }

    [Test]
    public void InodeFlags_TruncateAndRetention_AreKnown()
    {
        _fs.EditInode(
            Text,
            static (ref InodeItem inode) => inode.Flags = InodeItem.FlagTruncate | InodeItem.FlagRetention);
        FsItemsAssert.IsClean(_fs);
    }

    [TestCase(0u)]
    [TestCase(0x3000u)]
    [TestCase(0xf000u)]
    public void Mode_OfNoType_IsI91Alone(uint mode)
    {
        foreach (ulong ino in new[] { Text, Docs, Gone, _fs.Lookup("docs/b.bin"), _fs.Lookup("long") })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.EditInode(ino, (ref InodeItem inode) => inode.Mode = mode);
            FsItemsAssert.FindsOne(_fs, "I91", $"inode {ino}|");
        }
    }

    [Test]
    public void Mode_UnknownUpperBits_IsI91()
    {
        _fs.EditInode(Text, static (ref InodeItem inode) => inode.Mode = inode.Mode | 0x10000);
        FsItemsAssert.FindsOne(_fs, "I91", "mode 0300644");
    }

    [Test]
    public void InodeKey_WithParts_IsI91()
    {
        _fs.Move(Keys.Inode(Text), new ItemKey(KeyZone.Fs, Text, KeyType.Inode, 5));
        FsItemsAssert.FindsOne(_fs, "I91", ".4.5.0.0|");
    }

    [Test]
    public void InodeItem_SecondOne_IsI91()
    {
        _fs.Items[new ItemKey(KeyZone.Fs, Text, KeyType.Inode, 0, 1)] = [.. _fs.Items[Keys.Inode(Text)]];
        FsItemsAssert.FindsOne(_fs, "I91", ".4.0.1.0|");
    }

    [Test]
    public void MetaSeq_FromTheFuture_IsI86()
    {
        ulong ino = Text;
        _fs.EditInode(ino, static (ref InodeItem inode) => inode.MetaSeq = 1001);
        FsItemsAssert.FindsOne(_fs, "I86", $"meta_seq 1001 of inode {ino}|");
    }

    [Test]
    public void DataSeq_FromTheFuture_IsI86()
    {
        ulong ino = Text;
        _fs.EditInode(ino, static (ref InodeItem inode) => inode.DataSeq = 5000);
        FsItemsAssert.FindsOne(_fs, "I86", $"data_seq 5000 of inode {ino}|");
    }

    [Test]
    public void SuperSeq_TooLow_IsOneI86()
    {
        _fs.Super.Seq = 5;
        FsItemsAssert.FindsOne(_fs, "I86", "The same holds for");
    }

    [Test]
    public void NextIno_TooLow_IsOneI94()
    {
        _fs.Super.NextIno = 1026;
        FsItemsAssert.FindsOne(_fs, "I94", "inodes from 1026 to");
    }

    [Test]
    public void InodeItem_OfFileMissing_IsI94Alone()
    {
        foreach (string path in new[] { "docs/a.txt", "docs/b.bin", "long", "fifo", "docs", "docs/empty" })
        {
            _fs = FsItemsBuilder.Healthy();
            ulong ino = _fs.Lookup(path);
            _fs.Remove(Keys.Inode(ino));
            FsItemsAssert.FindsOne(_fs, "I94", $"inode {ino}|16.{ino}.4.0.0.0|The inode does not exist, but");
        }
    }

    [Test]
    public void InodeItem_OfUnlinkedMissing_IsI94Alone()
    {
        foreach (ulong ino in new[] { Gone, GoneDirectory })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Remove(Keys.Inode(ino));
            FsItemsAssert.FindsOne(_fs, "I94", $"inode {ino}|16.{ino}.4.0.0.0|The inode does not exist, but");
        }
    }

    [Test]
    public void InodeItem_OfRootMissing_IsI94Alone()
    {
        _fs.Remove(Keys.Inode(1));
        FsItemsAssert.FindsOne(_fs, "I94", "The root directory does not exist, but");
    }

    [Test]
    public void Root_WithoutAnyItem_IsI94()
    {
        _fs = new FsItemsBuilder();
        _fs.Remove(Keys.Inode(1));
        _fs.Remove(Keys.MetaSeqIndex(0, 1));
        FsItemsAssert.FindsOne(_fs, "I94", "The root directory does not exist.");
    }

    [Test]
    public void Root_NoDirectory_IsI94()
    {
        _fs = new FsItemsBuilder();
        _fs.EditInode(1, static (ref InodeItem inode) => inode.Mode = FileMode.Fifo);
        FsItemsAssert.FindsOne(_fs, "I94", "The root is a fifo by its mode");
    }

    [Test]
    public void Xattr_OfNoInode_IsI94()
    {
        _fs.SetXattrItems(999, "user.stray"u8.ToArray(), 0, []);
        FsItemsAssert.FindsOne(_fs, "I94", "inode 999|16.999.4.0.0.0|The inode does not exist, but 1 item belongs to");
    }

    [TestCase(0u)]
    [TestCase(2u)]
    [TestCase(4u)]
    [TestCase(uint.MaxValue)]
    public void Nlink_OfFileWrong_IsI94Alone(uint nlink)
    {
        _fs.EditInode(Text, (ref InodeItem inode) => inode.Nlink = nlink);
        FsItemsAssert.FindsOne(_fs, "I94", $"The link count is {nlink}, but 3 entries refer to the inode.");
    }

    [TestCase(0u)]
    [TestCase(2u)]
    [TestCase(4u)]
    public void Nlink_OfDirectoryWrong_IsI94Alone(uint nlink)
    {
        _fs.EditInode(Docs, (ref InodeItem inode) => inode.Nlink = nlink);
        FsItemsAssert.FindsOne(_fs, "I94", $"The link count of the directory is {nlink}, expected 3");
    }

    [TestCase(0u)]
    [TestCase(2u)]
    public void Nlink_OfRootWrong_IsI94Alone(uint nlink)
    {
        _fs.EditInode(1, (ref InodeItem inode) => inode.Nlink = nlink);
        FsItemsAssert.FindsOne(_fs, "I94", $"The link count of the directory is {nlink}, expected 3");
    }

    [TestCase(1u)]
    [TestCase(2u)]
    public void Nlink_OfUnlinkedNotZero_IsI94Alone(uint nlink)
    {
        _fs.EditInode(GoneDirectory, (ref InodeItem inode) => inode.Nlink = nlink);
        FsItemsAssert.FindsOne(_fs, "I94", $"The link count of the directory is {nlink}, expected 0");
    }

    [Test]
    public void Nlink_NewInodeWithoutEntry_IsKnownLeak()
    {
        foreach (string path in new[] { "fifo", "docs/empty", "short" })
        {
            _fs = FsItemsBuilder.Healthy();
            ulong ino = _fs.Lookup(path);
            uint nlink = _fs.Inode(ino).Nlink;
            _fs.Unlink(ino);
            _fs.Remove(Keys.Orphan(ino));
            _fs.EditInode(ino, (ref InodeItem inode) => inode.Nlink = nlink);
            FsItemsAssert.FindsOne(_fs, "I94", "Linux is known to leave one behind", FindingSeverity.Warning);
        }
    }

    [Test]
    public void Nlink_UsedInodeWithoutEntry_IsI94()
    {
        ulong ino = _fs.Lookup("docs/b.bin");
        _fs.Unlink(ino);
        _fs.Remove(Keys.Orphan(ino));
        _fs.EditInode(ino, static (ref InodeItem inode) => inode.Nlink = 1);
        FsItemsAssert.FindsOne(_fs, "I94", "The link count is 1, but no entry refers to the inode.");
    }

    [Test]
    public void Directory_WithTwoEntries_IsI94()
    {
        _fs.AddLink(1, "hard link to directory", Docs);
        _fs.EditInode(Docs, static (ref InodeItem inode) => inode.Nlink = inode.Nlink - 1);
        _fs.EditInode(1, static (ref InodeItem inode) => inode.Nlink = inode.Nlink + 1);
        FsItemsAssert.FindsOne(_fs, "I94", "2 entries refer to the directory, expected exactly 1.");
    }

    [Test]
    public void Directory_UnlinkedWithEntries_IsI94()
    {
        _fs.Unlink(Docs);
        FsItemsAssert.FindsOne(_fs, "I94", "The directory is unlinked, but still has entries.");
    }

    [TestCase(-1L)]
    [TestCase(1L)]
    public void InodeCount_Wrong_IsI102(long difference)
    {
        _fs.InodeCount += (ulong)difference;
        FsItemsAssert.FindsOne(_fs, "I102", $"count {_fs.InodeCount} inodes, but there are");
    }
}
