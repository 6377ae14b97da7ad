using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Faults of the inode index, orphan items and quota rules, each planted alone (I97, I98, I99).</summary>
[TestFixture]
internal sealed class FsItemsIndexesTests
{
    private FsItemsBuilder _fs = null!;

    private ulong Text => _fs.Lookup("docs/a.txt");

    private ulong Gone => _fs.Items.Keys.First(key => key.Zone == KeyZone.Orphan).Second;

    private ItemKey Rule => _fs.Items.Keys.First(key => key.Zone == KeyZone.Quota);

    [SetUp]
    public void SetUp() => _fs = FsItemsBuilder.Healthy();

    [TestCase(KeyType.MetaSeq, "meta_seq")]
    [TestCase(KeyType.DataSeq, "data_seq")]
    public void IndexItem_Missing_IsI97Alone(byte type, string name)
    {
        var key = Index(type, Text);
        _fs.Remove(key);
        FsItemsAssert.FindsOne(
            _fs,
            "I97",
            $"inode {Text}|{key}|The inode has {name} {key.Second}, but no item in the index by {name}.");
    }

    [TestCase(KeyType.MetaSeq)]
    [TestCase(KeyType.DataSeq)]
    public void IndexItem_AtOtherSeq_IsI97Alone(byte type)
    {
        var key = Index(type, Text);
        _fs.Move(key, new ItemKey(KeyZone.InodeIndex, 0, type, 999, Text));
        FsItemsAssert.FindsOne(_fs, "I97", "has it at 999.");
    }

    [TestCase(KeyType.MetaSeq)]
    [TestCase(KeyType.DataSeq)]
    public void IndexItem_TwiceForInode_IsI97Alone(byte type)
    {
        _fs.Items[new ItemKey(KeyZone.InodeIndex, 0, type, 999, Text)] = [];
        FsItemsAssert.FindsOne(_fs, "I97", "and 999.");
        _fs.Items[new ItemKey(KeyZone.InodeIndex, 0, type, 998, Text)] = [];
        FsItemsAssert.FindsOne(_fs, "I97", "but 3 items in the index");
    }

    [TestCase(KeyType.MetaSeq)]
    [TestCase(KeyType.DataSeq)]
    public void IndexItem_OfNoInode_IsI97Alone(byte type)
    {
        _fs.Items[new ItemKey(KeyZone.InodeIndex, 0, type, 999, 12345)] = [];
        FsItemsAssert.FindsOne(_fs, "I97", "has an item for inode 12345, which does not exist.");
    }

    [Test]
    public void DataSeqItem_OfDirectory_IsI97Alone()
    {
        _fs.Items[Keys.DataSeqIndex(7, _fs.Lookup("docs"))] = [];
        FsItemsAssert.FindsOne(_fs, "I97", "expected none as it is no regular file.");
    }

    [Test]
    public void IndexItem_WithValue_IsI97Alone()
    {
        _fs.Items[Index(KeyType.MetaSeq, Text)] = [1, 2];
        FsItemsAssert.FindsOne(_fs, "I97", "or the item has a value (2 bytes)");
    }

    [TestCase(1ul, (byte)0)]
    [TestCase(0ul, (byte)1)]
    public void IndexKey_RestNotZero_IsI97Alone(ulong first, byte fourth)
    {
        var key = Index(KeyType.MetaSeq, Text);
        _fs.Move(key, new ItemKey(key.Zone, first, key.Type, key.Second, key.Third, fourth));
        FsItemsAssert.FindsOne(_fs, "I97", "The key has parts that must be 0");
    }

    [Test]
    public void InodeSeq_Changed_IsI97Alone()
    {
        _fs.EditInode(Text, static (ref InodeItem inode) => inode.MetaSeq = 3);
        FsItemsAssert.FindsOne(_fs, "I97", "The inode has meta_seq 3, but the index by meta_seq has it at");
    }

    [Test]
    public void OrphanItem_Missing_IsI98Alone()
    {
        ulong gone = Gone;
        _fs.Remove(Keys.Orphan(gone));
        FsItemsAssert.FindsOne(_fs, "I98", $"inode {gone}|8.0.4.{gone}.0.0|The inode is unlinked, but");
    }

    [Test]
    public void OrphanItem_OfLinkedInode_IsKnownLeak()
    {
        _fs.Items[Keys.Orphan(Text)] = [];
        FsItemsAssert.FindsOne(_fs, "I98", "but links to it exist", FindingSeverity.Warning);
    }

    [Test]
    public void OrphanItem_OfNoInode_IsI98Alone()
    {
        _fs.Items[Keys.Orphan(12345)] = [];
        FsItemsAssert.FindsOne(_fs, "I98", "There is an orphan item, but no inode 12345.");
    }

    [Test]
    public void OrphanItem_WithValue_IsI98Alone()
    {
        _fs.Items[Keys.Orphan(Gone)] = [1];
        FsItemsAssert.FindsOne(_fs, "I98", "or the item has a value (1 bytes)");
    }

    [Test]
    public void OrphanKey_RestNotZero_IsI98Alone()
    {
        _fs.Move(Keys.Orphan(Gone), new ItemKey(KeyZone.Orphan, 0, KeyType.Orphan, Gone, 1));
        FsItemsAssert.FindsOne(_fs, "I98", "The key has parts that must be 0");
    }

    [TestCase(0)]
    [TestCase(47)]
    [TestCase(49)]
    public void QuotaRule_OfWrongSize_IsI99Alone(int bytes)
    {
        _fs.Resize(Rule, bytes);
        FsItemsAssert.FindsOne(_fs, "I99", $"The rule's value has {bytes} bytes, expected 48.");
    }

    [Test]
    public void QuotaRule_AnyByteChanged_IsI99Alone()
    {
        for (int at = 0; at < 48; at++)
        {
            _fs = FsItemsBuilder.Healthy();
            _fs.Items[Rule][at] ^= 0x40;
            FsItemsAssert.FindsOne(_fs, "I99", "The hash of the rule is");
        }
    }

    [Test]
    public void QuotaKey_RestNotZero_IsI99Alone()
    {
        var key = Rule;
        var other = key;
        other.Fourth = 1;
        _fs.Move(key, other);
        FsItemsAssert.FindsOne(_fs, "I99", "The key of the rule has parts that must be 0");
    }

    [Test]
    public void QuotaRule_StoredTwice_IsI99Alone()
    {
        var key = Rule;
        _fs.Items[Keys.QuotaRule(key.Second, 1)] = [.. _fs.Items[key]];
        FsItemsAssert.FindsOne(_fs, "I99", "The rule is stored twice.");
    }

    [Test]
    public void QuotaRule_CollisionNumberWithGap_IsAllowed()
    {
        // The rule it collided with may have been removed since.
        _fs.Move(Rule, Keys.QuotaRule(Rule.Second, 3));
        FsItemsAssert.IsClean(_fs);
    }

    [Test]
    public void QuotaRule_InVersion1_IsI99()
    {
        _fs = FsItemsBuilder.Healthy(1);
        _ = _fs.AddQuotaRule(static (ref QuotaRuleItem rule) => rule.Limit = 1);
        FsItemsAssert.FindsOne(_fs, "I99", "Format version 1 has no quota rules");
    }

    [Test]
    public void QuotaRule_FieldsNotAllowed_IsI99Alone()
    {
        (FsItemsBuilder.QuotaEdit Edit, string Text)[] faults =
        [
            (static (ref QuotaRuleItem rule) => rule.Op = 3, "operation is 3"),
            (static (ref QuotaRuleItem rule) => rule.RuleFlags = 2, "flags are 0x2"),
            (static (ref QuotaRuleItem rule) => rule.NameSource[2] = 4, "source of name 2 of the rule is 4"),
            (static (ref QuotaRuleItem rule) => rule.NameFlags[1] = 3, "flags of name 1 of the rule are 0x3"),
            (static (ref QuotaRuleItem rule) => rule.NameFlags[0] = 1, "Name 0 of the rule is a literal number"),
            (static (ref QuotaRuleItem rule) => rule.Pad[6] = 1, "unused bytes"),
            (static (ref QuotaRuleItem rule) =>
            {
                for (int i = 0; i < 2; i++)
                {
                    rule.NameSource[i] = 2;
                    rule.NameFlags[i] = 1;
                    rule.NameVal[i] = (ulong)i;
                }
            }, "Names 0 and 1 of the rule select different values"),
        ];
        foreach (var (edit, text) in faults)
        {
            _fs = FsItemsBuilder.Healthy();
            _ = _fs.AddQuotaRule(edit);
            FsItemsAssert.FindsOne(_fs, "I99", text);
        }
    }

    [Test]
    public void QuotaRule_OperationLinuxAccepts_IsWarning()
    {
        _ = _fs.AddQuotaRule(static (ref QuotaRuleItem rule) => rule.Op = 2);
        FsItemsAssert.FindsOne(_fs, "I99", "operation is 2", FindingSeverity.Warning);
    }

    private ItemKey Index(byte type, ulong ino) => _fs.Items.Keys.Single(
        key => key.Zone == KeyZone.InodeIndex && key.Type == type && key.Third == ino);
}
