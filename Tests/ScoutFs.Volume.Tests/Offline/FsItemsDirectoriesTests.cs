using System;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Faults of directory entries, each planted alone in a healthy file system (I92, I93, I94).</summary>
[TestFixture]
internal sealed class FsItemsDirectoriesTests
{
    private FsItemsBuilder _fs = null!;

    private ulong Docs => _fs.Lookup("docs");

    private ulong Text => _fs.Lookup("docs/a.txt");

    private ItemKey Dirent => _fs.DirentOf(Docs, "a.txt");

    private ItemKey Readdir => Keys.Readdir(Docs, Dirent.Third);

    private ItemKey Backref => Keys.LinkBackref(Text, Docs, Dirent.Third);

    [SetUp]
    public void SetUp() => _fs = FsItemsBuilder.Healthy();

    [TestCase(0)]
    [TestCase(31)]
    [TestCase(32)]
    [TestCase(288)]
    [TestCase(896)]
    public void Value_OfWrongLength_IsI92Alone(int bytes)
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            var key = KeyOf(kind);
            _fs.Resize(key, bytes);
            FsItemsAssert.FindsOne(_fs, "I92", $"{key}|The value of the directory entry has {bytes} bytes");
        }
    }

    [Test]
    public void Value_PadNotZero_IsWarningI92Alone()
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[KeyOf(kind)][25 + kind] = 1;
            FsItemsAssert.FindsOne(_fs, "I92", "entry \"a.txt\" are not zero.", FindingSeverity.Warning);
        }
    }

    [TestCase("a/b")]
    [TestCase("a\0b")]
    [TestCase(".")]
    [TestCase("..")]
    public void Name_NotAllowed_IsI92(string name)
    {
        _fs.AddLink(Docs, name, Text);
        FsItemsAssert.FindsOne(_fs, "I92", "No name holds a slash");
    }

    [Test]
    public void OneItem_Missing_IsI93Alone()
    {
        string[] names = ["dirent", "readdir", "link backref"];
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            var key = KeyOf(kind);
            _fs.Remove(key);
            FsItemsAssert.FindsOne(
                _fs, "I93", $"entry \"a.txt\" at position {PosOf(key, kind)}|The {names[kind]} item {key} of");
        }
    }

    [Test]
    public void OneItemOfDirectory_Missing_IsI93Alone()
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Remove(KeyOf(kind, "empty"));
            FsItemsAssert.FindsOne(_fs, "I93", "entry \"empty\" at position 2|");
        }
    }

    [Test]
    public void TwoItems_Missing_IsI93Only()
    {
        foreach (int kept in new[] { 0, 1, 2 })
        {
            _fs = FsItemsBuilder.Healthy();
            ItemKey[] keys = [KeyOf(0), KeyOf(1), KeyOf(2)];
            for (int kind = 0; kind < 3; kind++)
            {
                if (kind != kept)
                    _fs.Remove(keys[kind]);
            }

            Assert.That(_fs.Check().Select(finding => finding.Invariant), Does.Contain("I93"));
        }
    }

    [TestCase(0, "inode 1111 instead of")]
    [TestCase(8, "hash 0000000000000457 instead of")]
    [TestCase(16, "position 1111 instead of")]
    public void OneItem_FieldDiffers_IsI93Alone(int offset, string text)
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            var key = KeyOf(kind);
            Disk.Ref<Le64>(_fs.Items[key].AsSpan(), offset) = 1111;
            string expected = kind == 2 && offset == 0 ? "inode 1111 in its value instead of" : text;
            FsItemsAssert.FindsOne(_fs, "I93", expected);
        }
    }

    [TestCase(0)]
    [TestCase(2)]
    [TestCase(7)]
    [TestCase(255)]
    public void OneItem_TypeDiffers_IsI93Alone(byte type)
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[KeyOf(kind)][24] = type;
            FsItemsAssert.FindsOne(_fs, "I93", "instead of regular file");
        }
    }

    [Test]
    public void OneItem_NameDiffers_IsI93Alone()
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[KeyOf(kind)][32] = 0xff;
            FsItemsAssert.FindsOne(_fs, "I93", "name \"\\xff.txt\" instead of \"a.txt\"");
        }
    }

    [Test]
    public void OneItem_NameLonger_IsI93Alone()
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            var key = KeyOf(kind);
            _fs.Resize(key, _fs.Items[key].Length + 1);
            _fs.Items[key][^1] = (byte)'!';
            FsItemsAssert.FindsOne(_fs, "I93", "name \"a.txt!\" instead of \"a.txt\"");
        }
    }

    [Test]
    public void DirentKey_OtherHash_IsI93Alone()
    {
        _fs.Move(Dirent, Keys.Dirent(Docs, 12345, Dirent.Third));
        FsItemsAssert.FindsOne(_fs, "I93", "has hash 0000000000003039, expected");
    }

    [Test]
    public void Key_RestNotZero_IsI93Alone()
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            var key = KeyOf(kind);
            var other = key;
            other.Fourth = 1;
            _fs.Move(key, other);
            FsItemsAssert.FindsOne(_fs, "I93", "has parts that must be 0");
        }
    }

    [Test]
    public void Key_OtherPosition_IsI93Only()
    {
        for (int kind = 0; kind < 3; kind++)
        {
            _fs = FsItemsBuilder.Healthy();
            var key = KeyOf(kind);
            var other = key;
            if (kind == 1)
                other.Second = 500;
            else
                other.Third = 500;
            _fs.Move(key, other);
            FsItemsAssert.FindsOnly(_fs, "I93");
        }
    }

    [Test]
    public void Key_OtherDirectory_IsI93Only()
    {
        foreach (ulong owner in new[] { 77UL, _fs.Lookup("fifo"), _fs.Lookup("docs/empty") })
        {
            for (int kind = 0; kind < 3; kind++)
            {
                _fs = FsItemsBuilder.Healthy();
                var key = KeyOf(kind);
                var other = key;
                if (kind == 2)
                    other.Second = owner;
                else
                    other.First = owner;
                _fs.Move(key, other);
                FsItemsAssert.FindsOnly(_fs, "I93");
            }
        }
    }

    [Test]
    public void BackrefKey_OtherTarget_IsI93Alone()
    {
        foreach (ulong owner in new[] { 77UL, _fs.Lookup("docs/b.bin") })
        {
            _fs = FsItemsBuilder.Healthy();
            ulong text = Text;
            _fs.Move(Backref, Keys.LinkBackref(owner, Docs, Dirent.Third));
            FsItemsAssert.FindsOne(_fs, "I93", $"inode {owner} instead of {text}");
        }
    }

    [Test]
    public void ThreeItems_SameWrongHash_IsI93Alone()
    {
        var dirent = Dirent;
        for (int kind = 0; kind < 3; kind++)
            Disk.Ref<DirentHeader>(_fs.Items[KeyOf(kind)].AsSpan()).Hash = 5;
        _fs.Move(dirent, Keys.Dirent(Docs, 5, dirent.Third));
        FsItemsAssert.FindsOne(_fs, "I93", "says hash 0000000000000005, but the name's hash is");
    }

    [TestCase(0ul)]
    [TestCase(1ul)]
    public void ThreeItems_PositionOfDots_IsI93Alone(ulong pos)
    {
        var (dirent, readdir, backref) = (Dirent, Readdir, Backref);
        ulong text = Text;
        for (int kind = 0; kind < 3; kind++)
            Disk.Ref<DirentHeader>(_fs.Items[KeyOfPos(kind, dirent, text)].AsSpan()).Pos = pos;
        _fs.Move(dirent, Keys.Dirent(dirent.First, dirent.Second, pos));
        _fs.Move(readdir, Keys.Readdir(dirent.First, pos));
        _fs.Move(backref, Keys.LinkBackref(text, dirent.First, pos));
        FsItemsAssert.FindsOne(_fs, "I93", $"is at position {pos}, expected 2 to");
    }

    [Test]
    public void Item_Twice_IsI93Alone()
    {
        _fs.Items[Keys.Dirent(Docs, 3, Dirent.Third)] = [.. _fs.Items[Dirent]];
        FsItemsAssert.FindsOne(_fs, "I93", "The entry has 2 dirent items, expected exactly 1.");
        _fs = FsItemsBuilder.Healthy();
        _fs.Items[Keys.LinkBackref(_fs.Lookup("fifo"), Docs, Dirent.Third)] = [.. _fs.Items[Backref]];
        var findings = _fs.Check();
        Assert.That(findings.Select(finding => finding.Invariant), Is.All.EqualTo("I93"));
        Assert.That(findings, Is.Not.Empty);
    }

    [Test]
    public void Name_Twice_IsI93()
    {
        _fs.AddLink(Docs, "a.txt", Text);
        FsItemsAssert.FindsOne(_fs, "I93", "The directory has two entries named \"a.txt\"");
    }

    [Test]
    public void Name_TwiceAmongEqualHashes_IsI93()
    {
        // More equal hashes than are compared: the hash does not fit the names, so each is reported, and no more.
        ulong docs = Docs;
        for (ulong i = 0; i < 200; i++)
        {
            byte[] value = [.. _fs.Items[Dirent]];
            Disk.Ref<DirentHeader>(value.AsSpan()).Pos = 1000 + i;
            _fs.Items[Keys.Dirent(docs, 4, 1000 + i)] = value;
        }

        var findings = _fs.Check();
        Assert.That(findings.Select(finding => finding.Invariant), Is.All.EqualTo("I93"));
        Assert.That(findings, Has.Count.LessThan(200 * 66));
    }

    [TestCase(FileMode.Fifo)]
    [TestCase(FileMode.Symlink)]
    [TestCase(FileMode.Directory)]
    [TestCase(FileMode.Regular)]
    public void Mode_OtherType_IsI93Alone(uint type)
    {
        foreach (string path in new[] { "docs/a.txt", "docs/b.bin", "docs", "docs/empty", "long", "fifo" })
        {
            _fs = FsItemsBuilder.Healthy();
            ulong ino = _fs.Lookup(path);
            if ((_fs.Inode(ino).Mode & FileMode.TypeMask) == type)
                continue;
            _fs.EditInode(ino, (ref InodeItem inode) => inode.Mode = type | 0x1a4);
            FsItemsAssert.FindsOne(_fs, "I93", "by its mode, but the entry at position");
        }
    }

    [TestCase(0ul)]
    [TestCase(1ul)]
    [TestCase(ulong.MaxValue)]
    public void DirectorySize_Wrong_IsI94Alone(ulong size)
    {
        ulong docs = Docs;
        _fs.EditInode(docs, (ref InodeItem inode) => inode.Size = size);
        FsItemsAssert.FindsOne(_fs, "I94", $"inode {docs}|size|The size of the directory is {size}, but");
    }

    [TestCase(0ul)]
    [TestCase(5ul)]
    public void NextReaddirPos_TooLow_IsI94Alone(ulong pos)
    {
        _fs.EditInode(Docs, (ref InodeItem inode) => inode.NextReaddirPos = pos);
        FsItemsAssert.FindsOne(_fs, "I94", $"The next position to hand out is {pos}, but positions up to 5");
    }

    [Test]
    public void Entries_InFile_AreI94()
    {
        ulong fifo = _fs.Lookup("fifo");
        _fs.AddLink(fifo, "x", Text);
        FsItemsAssert.FindsOne(_fs, "I94", "The inode is a fifo, but has 2 items of directory entries.");
    }

    [Test]
    public void Entry_WithoutInode_IsI94Alone()
    {
        ulong fifo = _fs.Lookup("fifo");
        _fs.Remove(Keys.Inode(fifo));
        _fs.Remove(_fs.Items.Keys.Single(
            key => key.Zone == KeyZone.InodeIndex && key.Third == fifo));
        FsItemsAssert.FindsOne(_fs, "I94", $"inode {fifo}|");
    }

    private static ulong PosOf(in ItemKey key, int kind) => kind == 1 ? key.Second : key.Third;

    private ItemKey KeyOf(int kind, string name = "a.txt") =>
        KeyOfPos(kind, _fs.DirentOf(Docs, name), _fs.Lookup("docs/" + name));

    private static ItemKey KeyOfPos(int kind, in ItemKey dirent, ulong ino) => kind switch
    {
        0 => dirent,
        1 => Keys.Readdir(dirent.First, dirent.Third),
        _ => Keys.LinkBackref(ino, dirent.First, dirent.Third),
    };
}
