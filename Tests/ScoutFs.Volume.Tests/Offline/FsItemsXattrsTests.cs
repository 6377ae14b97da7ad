using System.Linq;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Faults of xattrs and of what their tags ask for, each planted alone (I79, I90, I95, I101).</summary>
[TestFixture]
internal sealed class FsItemsXattrsTests
{
    private FsItemsBuilder _fs = null!;

    private ulong Text => _fs.Lookup("docs/a.txt");

    private ulong Binary => _fs.Lookup("docs/b.bin");

    [SetUp]
    public void SetUp() => _fs = FsItemsBuilder.Healthy();

    [TestCase("user.large", 0, "Part 0 of the xattr is missing, part 1 is there.")]
    [TestCase("user.large", 1, "Part 1 of the xattr is missing, part 2 is there.")]
    [TestCase("user.large", 5, "Part 5 of the xattr is missing: its 5018 bytes need 6 parts.")]
    [TestCase("user.exact", 1, "Part 1 of the xattr is missing: its 1792 bytes need 2 parts.")]
    public void Part_Missing_IsI101Alone(string name, byte part, string text)
    {
        _fs.Remove(_fs.XattrOf(Text, name, part));
        FsItemsAssert.FindsOne(_fs, "I101", text);
    }

    [TestCase("user.exact", 2)]
    [TestCase("user.small", 1)]
    [TestCase("user.large", 6)]
    public void Part_TooMany_IsI101Alone(string name, byte part)
    {
        var key = _fs.XattrOf(Text, name);
        key.Fourth = part;
        _fs.Items[key] = new byte[10];
        FsItemsAssert.FindsOne(_fs, "I101", $"Part {part} is too many");
    }

    [TestCase("user.large", 0, 895)]
    [TestCase("user.large", 1, 0)]
    [TestCase("user.large", 1, 895)]
    [TestCase("user.large", 5, 1)]
    [TestCase("user.large", 5, 896)]
    [TestCase("user.exact", 1, 895)]
    [TestCase("user.small", 0, 0)]
    [TestCase("user.small", 0, 7)]
    [TestCase("user.small", 0, 8)]
    [TestCase("user.small", 0, 22)]
    [TestCase("user.small", 0, 24)]
    [TestCase("user.empty", 0, 19)]
    [TestCase("scoutfs.totl.a.1.2.3", 0, 20)]
    [TestCase("scoutfs.totl.a.1.2.3", 0, 30)]
    [TestCase("scoutfs.srch.found", 0, 9)]
    [TestCase("scoutfs.indx.k.5.1234567890123", 0, 100)]
    public void Part_OfWrongSize_IsI101Alone(string name, byte part, int bytes)
    {
        _fs.Resize(_fs.XattrOf(Text, name, part), bytes);
        FsItemsAssert.FindsOne(_fs, "I101", $" has {bytes} bytes");
    }

    [TestCase("user.small")]
    [TestCase("user.empty")]
    [TestCase("scoutfs.totl.a.1.2.3")]
    [TestCase("scoutfs.srch.found")]
    [TestCase("scoutfs.indx.k.5.1234567890123")]
    [TestCase("scoutfs.hide.secret")]
    public void Header_ValueLengthWrong_IsI101Alone(string name)
    {
        foreach (byte change in new byte[] { 1, 0xff })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[_fs.XattrOf(Text, name)][0] += change;
            FsItemsAssert.FindsOne(_fs, "I101", "The first part has");
        }
    }

    [TestCase("user.small")]
    [TestCase("scoutfs.totl.a.1.2.3")]
    [TestCase("scoutfs.srch.found")]
    [TestCase("scoutfs.indx.k.5.1234567890123")]
    public void Header_NameLengthWrong_IsI101Alone(string name)
    {
        foreach (byte length in new byte[] { 0, 1, 255 })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[_fs.XattrOf(Text, name)][2] = length;
            FsItemsAssert.FindsOne(_fs, "I101", "The first part has");
        }
    }

    [Test]
    public void Header_PadNotZero_IsWarningI101()
    {
        _fs.Items[_fs.XattrOf(Text, "user.small")][7] = 1;
        FsItemsAssert.FindsOne(_fs, "I101", "header of xattr \"user.small\"", FindingSeverity.Warning);
    }

    [TestCase("user.small")]
    [TestCase("scoutfs.totl.a.1.2.3")]
    [TestCase("scoutfs.srch.found")]
    [TestCase("scoutfs.indx.k.5.1234567890123")]
    public void Name_ByteChanged_IsI101Alone(string name)
    {
        for (int at = 0; at < name.Length; at++)
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[_fs.XattrOf(Text, name)][8 + at] ^= 1;
            FsItemsAssert.FindsOne(_fs, "I101", "The hash of the name");
        }
    }

    [TestCase(0x1_0000_0000ul)]
    [TestCase(1ul)]
    public void Key_OtherNameHash_IsI101Alone(ulong change)
    {
        var key = _fs.XattrOf(Text, "scoutfs.srch.found");
        var other = key;
        other.Second = key.Second ^ change;
        _fs.Move(key, other);
        FsItemsAssert.FindsOne(_fs, "I101", "The hash of the name");
    }

    [Test]
    public void NextXattrId_TooLow_IsOneI101()
    {
        _fs.EditInode(Text, static (ref InodeItem inode) => inode.NextXattrId = 3);
        FsItemsAssert.FindsOne(_fs, "I101", "The next xattr id to hand out is 3, but an xattr has id");
    }

    [Test]
    public void Name_Twice_IsI101()
    {
        byte[] name = Encoding.UTF8.GetBytes("user.small");
        _fs.SetXattrItems(Text, name, _fs.Inode(Text).NextXattrId, []);
        _fs.EditInode(Text, static (ref InodeItem inode) => inode.NextXattrId = inode.NextXattrId + 1);
        FsItemsAssert.FindsOne(_fs, "I101", "The inode has two xattrs named \"user.small\"");
    }

    [Test]
    public void Parts_OfUnlinkedInode_MayBeginLater()
    {
        ulong gone = _fs.Items.Keys.First(key => key.Zone == KeyZone.Orphan).Second;
        _fs.SetXattr(gone, "user.large", new string('x', 5000));
        _fs.Remove(_fs.XattrOf(gone, "user.large"));
        FsItemsAssert.IsClean(_fs);
        _fs.Remove(_fs.XattrOf(gone, "user.large", 1));
        FsItemsAssert.IsClean(_fs);
        _fs.Remove(_fs.XattrOf(gone, "user.large", 4));
        Assert.That(_fs.Check(), Is.Empty);
    }

    [Test]
    public void Total_Changed_IsI90Alone()
    {
        foreach (int offset in new[] { 0, 7, 8, 15 })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[Keys.XattrTotal(1, 2, 3)][offset] ^= 0x80;
            FsItemsAssert.FindsOne(_fs, "I90", "The total 1.2.3 is ");
        }
    }

    [Test]
    public void Total_Missing_IsI90Alone()
    {
        _fs.Remove(Keys.XattrTotal(7, 8, 9));
        FsItemsAssert.FindsOne(
            _fs, "I90", "total 7.8.9 is 0 with a count of 0, but 1 xattrs tagged totl add up to 5.");
    }

    [Test]
    public void Total_WithoutXattr_IsI90Alone()
    {
        _fs.AddTotal(Keys.XattrTotal(4, 5, 6), 1, 1);
        FsItemsAssert.FindsOne(_fs, "I90", "12.4.0.5.6.0");
    }

    [TestCase("1.2.4")]
    [TestCase("1.9.3")]
    [TestCase("9.2.3")]
    public void Total_OfOtherName_IsI90Only(string name)
    {
        ulong[] parts = [.. name.Split('.').Select(ulong.Parse)];
        _fs.Move(Keys.XattrTotal(1, 2, 3), Keys.XattrTotal(parts[0], parts[1], parts[2]));
        FsItemsAssert.FindsOnly(_fs, "I90");
    }

    [TestCase(0)]
    [TestCase(15)]
    [TestCase(17)]
    public void TotalValue_OfWrongSize_IsI90Only(int bytes)
    {
        _fs.Resize(Keys.XattrTotal(1, 2, 3), bytes);
        FsItemsAssert.FindsOnly(_fs, "I90");
    }

    [Test]
    public void TotlValue_Changed_IsI90Alone()
    {
        _fs.Items[_fs.XattrOf(Text, "scoutfs.totl.a.1.2.3")][^1] ^= 1;
        FsItemsAssert.FindsOne(
            _fs, "I90", "The total 1.2.3 is 116 with a count of 2, but 2 xattrs tagged totl add up to 117.");
    }

    [TestCase((byte)'x')]
    [TestCase((byte)'\n')]
    [TestCase((byte)0)]
    public void TotlValue_NoNumber_IsI90Alone(byte last)
    {
        _fs.Items[_fs.XattrOf(Text, "scoutfs.totl.a.1.2.3")][^1] = last;
        FsItemsAssert.FindsOne(_fs, "I90", "is tagged totl, but name or value do not hold the numbers");
    }

    [TestCase("")]
    [TestCase("000000000000000000000001")]
    public void TotlValue_OfWrongLength_IsI90Alone(string value)
    {
        _fs.SetXattrItems(Text, "scoutfs.totl.n.1.2.3"u8.ToArray(), 0, Encoding.UTF8.GetBytes(value));
        FsItemsAssert.FindsOne(_fs, "I90", "\"scoutfs.totl.n.1.2.3\" is tagged totl");
    }

    [Test]
    public void TotlName_NoNumbers_IsI90Alone()
    {
        _fs.SetXattrItems(Text, "scoutfs.totl.n.1.2"u8.ToArray(), 0, "1"u8.ToArray());
        FsItemsAssert.FindsOne(_fs, "I90", "\"scoutfs.totl.n.1.2\" is tagged totl");
    }

    [Test]
    public void IndexItem_Missing_IsI95Alone()
    {
        _fs.Remove(_fs.Items.Keys.First(key => key.Zone == KeyZone.XattrIndex));
        FsItemsAssert.FindsOne(_fs, "I95", "lacks the inode at 5.1234567890123.");
    }

    [Test]
    public void IndexItem_OfNoXattr_IsKnownLeak()
    {
        _fs.Items[Keys.XattrIndex(7, 1UL << 60, Text, 300)] = [];
        FsItemsAssert.FindsOne(_fs, "I95", $"inode {Text} at 7.1152921504606846976", FindingSeverity.Warning);
    }

    [Test]
    public void IndexItem_WithValue_IsI95Alone()
    {
        _fs.Items[_fs.Items.Keys.First(key => key.Zone == KeyZone.XattrIndex)] = [1];
        FsItemsAssert.FindsOne(_fs, "I95", "or the item has a value (1 bytes)");
    }

    [Test]
    public void IndexItem_InVersion1_IsI95()
    {
        _fs = FsItemsBuilder.Healthy(1);
        _fs.SetXattr(Text, "scoutfs.indx.1.1", string.Empty);
        FsItemsAssert.FindsOne(_fs, "I95", "Format version 1 has no index");
    }

    [Test]
    public void IndxName_NoNumbers_IsI95Alone()
    {
        _fs.SetXattrItems(Text, "scoutfs.indx.256.1"u8.ToArray(), 0, []);
        FsItemsAssert.FindsOne(_fs, "I95", "is tagged indx, but does not end in two numbers");
    }

    [Test]
    public void IndxValue_NotEmpty_IsI95Alone()
    {
        ulong id = _fs.SetXattr(Binary, "scoutfs.indx.v.1.1", string.Empty);
        _fs.SetXattrItems(Binary, "scoutfs.indx.v.1.1"u8.ToArray(), id, "v"u8.ToArray());
        FsItemsAssert.FindsOne(_fs, "I95", "has a value of 1 bytes, expected none.");
    }

    [Test]
    public void SrchEntry_Missing_IsI79Alone()
    {
        _fs.SrchEntries.RemoveAt(1);
        FsItemsAssert.FindsOne(_fs, "I79", "its entry is not in the srch files: a search does not find the inode.");
    }

    [Test]
    public void SrchEntry_Twice_IsI79Alone()
    {
        _fs.SrchEntries.Add(_fs.SrchEntries[1]);
        FsItemsAssert.FindsOne(_fs, "I79", "its entry is there 2 times, which cancels out");
    }

    [Test]
    public void SrchEntry_ThreeTimes_IsFine()
    {
        _fs.SrchEntries.Add(_fs.SrchEntries[1]);
        _fs.SrchEntries.Insert(0, _fs.SrchEntries[1]);
        FsItemsAssert.IsClean(_fs);
    }

    [Test]
    public void SrchEntry_OfNoXattr_IsI79Alone()
    {
        _fs.SrchEntries.Add(new SrchEntry(1, Text, 2));
        FsItemsAssert.FindsOne(_fs, "I79", "entry 0000000000000001.1026.2|The entry is there once, but inode 1026");
    }

    [Test]
    public void SrchEntries_Lost_AreNotJudged()
    {
        _fs.SrchEntries.Clear();
        Assert.That(_fs.Check(srchComplete: false), Is.Empty);
    }

    [Test]
    public void XattrWithTags_OfMissingInode_IsI94Alone()
    {
        foreach (ulong ino in new[] { Text, Binary })
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Remove(Keys.Inode(ino));
            FsItemsAssert.FindsOne(_fs, "I94", $"inode {ino}|");
        }
    }
}
