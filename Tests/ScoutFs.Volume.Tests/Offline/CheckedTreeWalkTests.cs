using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Each damage to a tree gives its own invariant, nothing else, and as many items as can be had.</summary>
/// <remarks>The tree: 40 items, 4 a block, so ten leaves below three parents below a root.</remarks>
[TestFixture]
public sealed class CheckedTreeWalkTests
{
    private const ulong Fsid = 77;
    private const int Items = 40;
    private const int ItemsPerBlock = 4;
    private const ulong Blocks = 256;

    private MemoryBlockDevice _meta = null!;
    private BtreeRoot _root;

    [SetUp]
    public async Task SetUpAsync()
    {
        _meta = new MemoryBlockDevice("meta", (long)Blocks * FormatConstants.LargeBlockBytes);
        ulong next = FormatConstants.FirstMetaBlkno;
        var loader = new TreeBulkLoader(_meta, Fsid, () => next++, ItemsPerBlock);
        for (int i = 0; i < Items; i++)
            await loader.AddAsync(Key(i), new byte[24], seq: 5);
        _root = await loader.FinishAsync();
    }

    [TearDown]
    public async Task TearDownAsync() => await _meta.DisposeAsync();

    [Test]
    public async Task Walk_GoodTree_DeliversAllAndReportsNothing()
    {
        var seen = await WalkAsync();
        Assert.That(_root.Height, Is.EqualTo(3));
        Assert.That(seen.Invariants, Is.Empty);
        Assert.That(seen.Keys, Is.EqualTo(AllKeys()));
        Assert.That(seen.IsComplete, Is.True);
    }

    [Test]
    public async Task Walk_WrongChecksum_LosesOneLeaf([Values] bool isParent)
    {
        ulong blkno = isParent ? await BlknoOfAsync(5, level: 1) : await BlknoOfAsync(5, level: 0);
        await EditAsync(blkno, (_, block) => block[40_000] ^= 1, stampsCrc: false);
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { "I10" }));
        int lost = isParent ? ItemsPerBlock * ItemsPerBlock : ItemsPerBlock;
        Assert.That(seen.Keys, Has.Count.EqualTo(Items - lost));
        Assert.That(seen.IsComplete, Is.False);
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Walk_WrongItemCount_ReportsOneCauseAndKeepsItems(int level)
    {
        foreach (int change in new[] { -4, -1, 1, 2, 2000 })
        {
            await SetUpAsync();
            await EditHeaderAsync(
                await BlknoOfAsync(5, level),
                (ref BtreeBlockHeader header) => header.NrItems = (ushort)(header.NrItems + change));
            var seen = await WalkAsync();
            string expected = change == 2000 ? "I21" : "I22";
            Assert.That(seen.Invariants, Is.EqualTo(new[] { expected }), $"change {change}");
            Assert.That(seen.Keys, Is.EqualTo(AllKeys()), $"change {change}");
            Assert.That(seen.IsComplete, Is.True, $"change {change}");
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Walk_BrokenLinks_KeepsItems(int level)
    {
        for (int damage = 0; damage < 5; damage++)
        {
            await SetUpAsync();
            await EditAsync(await BlknoOfAsync(5, level), (d, block) => BreakLinks(block, d), state: damage);
            var seen = await WalkAsync();
            Assert.That(seen.Invariants, Is.EqualTo(new[] { "I22" }), $"damage {damage}");
            Assert.That(seen.Keys, Is.EqualTo(AllKeys()), $"damage {damage}");
            Assert.That(seen.IsComplete, Is.True, $"damage {damage}");
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Walk_WrongHeight_ReportsIt(int level)
    {
        await EditItemAsync(await BlknoOfAsync(5, level), 0, (ref BtreeItem item) => item.Node.Height = 9);
        await ExpectIntactAsync("I23");
    }

    [Test]
    public async Task Walk_LeafKeyOutOfOrder_LosesThatItem()
    {
        // Item 5 gets a key between items 6 and 7: the leaf holds 4, 5, 6, 7.
        await EditItemAsync(
            await BlknoOfAsync(5, 0), 1, (ref BtreeItem item) => item.Key.Second = item.Key.Second + 25);
        await ExpectLostAsync("I24", 5);
    }

    [Test]
    public async Task Walk_LeafKeyChangedInOrder_LosesThatItem()
    {
        await EditItemAsync(
            await BlknoOfAsync(5, 0), 1, (ref BtreeItem item) => item.Key.Second = item.Key.Second + 3);
        await ExpectLostAsync("I33", 5);
    }

    [Test]
    public async Task Walk_LeafKeyOutsideRange_LosesThatItem()
    {
        await EditItemAsync(
            await BlknoOfAsync(5, 0), 3, (ref BtreeItem item) => item.Key.Second = item.Key.Second + 3);
        await ExpectLostAsync("I25", 7);
    }

    [TestCase(-1, 0)]
    [TestCase(1, 0)]
    [TestCase(-1, 1)]
    [TestCase(1, 1)]
    public async Task Walk_ParentKeyMoved_ReportsRangeAndKeepsItems(int direction, int level)
    {
        // The key of the first child of the block at a level: too low for the child, or too high for its sibling.
        await EditItemAsync(
            await BlknoOfAsync(0, level + 1),
            0,
            (ref BtreeItem item) => item.Key.Second = (ulong)((long)item.Key.Second.Value + (direction * 15)));
        await ExpectIntactAsync("I25");
    }

    [TestCase(1)]
    [TestCase(2)]
    public async Task Walk_ParentKeysOutOfOrder_ReportsOrderAndKeepsItems(int level)
    {
        // The first child's key becomes greater than the second child's.
        ulong change = level == 1 ? 60UL : 250;
        await EditItemAsync(
            await BlknoOfAsync(0, level), 0, (ref BtreeItem item) => item.Key.Second = item.Key.Second + change);
        await ExpectIntactAsync("I24");
    }

    [TestCase(1)]
    [TestCase(2)]
    public async Task Walk_LastKeyOfRightSpineLowered_ReportsOnlyThat(int level)
    {
        ulong blkno = await BlknoOfAsync(Items - 1, level);
        int last = await CountOfAsync(blkno) - 1;
        await EditItemAsync(blkno, last, (ref BtreeItem item) => item.Key = Key(Items));
        await ExpectIntactAsync("I32");
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Walk_PaddingNotZero_ReportsIt(int level)
    {
        await EditItemAsync(await BlknoOfAsync(5, level), 1, (ref BtreeItem item) => item.Node.Pad = 1);
        await ExpectIntactAsync("I26");
    }

    [Test]
    public async Task Walk_KeyPaddingNotZero_ReportsItOnce()
    {
        // The hash covers the padding, so that the item is no longer found through it: same cause.
        await EditItemAsync(await BlknoOfAsync(5, 0), 1, (ref BtreeItem item) => item.Key.Pad[3] = 1);
        await ExpectIntactAsync("I26");
    }

    [TestCase(70)]
    [TestCase(50)]
    [TestCase(62_511)]
    [TestCase(65_535)]
    public async Task Walk_ValueMisplaced_LosesThatItem(int valOff)
    {
        await EditItemAsync(
            await BlknoOfAsync(5, 0), 1, (ref BtreeItem item) => item.ValOff = (ushort)valOff);
        await ExpectLostAsync("I27", 5);
    }

    [Test]
    public async Task Walk_ValuesOverlap_ReportsIt()
    {
        await EditItemAsync(
            await BlknoOfAsync(5, 0), 1, (ref BtreeItem item) => item.ValOff = (ushort)(item.ValOff + 8));
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { "I27" }));
        Assert.That(seen.IsComplete, Is.False);
    }

    [Test]
    public async Task Walk_ParentValueLength_LosesThatChild()
    {
        await EditItemAsync(await BlknoOfAsync(5, 1), 1, (ref BtreeItem item) => item.ValLen = 24);
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { "I28" }));
        Assert.That(seen.Keys, Is.EqualTo(AllKeys().Where(key => key < Key(4) || key > Key(7))));
        Assert.That(seen.IsComplete, Is.False);
    }

    [Test]
    public async Task Walk_UnknownFlag_ReportsIt()
    {
        await EditItemAsync(await BlknoOfAsync(5, 0), 1, (ref BtreeItem item) => item.Flags = 4);
        await ExpectIntactAsync("I29");
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Walk_WrongTotalItemBytes_ReportsIt(int level)
    {
        await EditHeaderAsync(
            await BlknoOfAsync(5, level),
            (ref BtreeBlockHeader header) => header.TotalItemBytes = (ushort)(header.TotalItemBytes + 8));
        await ExpectIntactAsync("I30");
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task Walk_MidFreeLenTooGreat_ReportsIt(int level)
    {
        await EditHeaderAsync(
            await BlknoOfAsync(5, level),
            (ref BtreeBlockHeader header) => header.MidFreeLen = (ushort)(header.MidFreeLen + 8));
        await ExpectIntactAsync("I31");
    }

    [Test]
    public async Task Walk_HashBucketCleared_ReportsIt()
    {
        await EditAsync(await BlknoOfAsync(5, 0), (_, block) => FirstBucket(block) = 0);
        await ExpectIntactAsync("I33");
    }

    [Test]
    public async Task Walk_HashBucketLeadsNowhere_ReportsIt()
    {
        await EditAsync(await BlknoOfAsync(5, 0), (_, block) => FirstBucket(block) = 51);
        await ExpectIntactAsync("I33");
    }

    [Test]
    public async Task Walk_RootWithoutReference_ReportsIt()
    {
        _root.Ref = default;
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { "I34" }));
        Assert.That(seen.IsComplete, Is.False);
    }

    [Test]
    public async Task Walk_WrongHeightOfRoot_ReportsLevelOnce([Values(1, 2, 4, 20)] int height)
    {
        _root.Height = (byte)height;
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { "I20" }));
        Assert.That(seen.Keys, Is.Empty);
    }

    [Test]
    public async Task Walk_BlockAlsoSomewhereElse_StillReadsTheTree()
    {
        // A free extent that covers a block of the tree is the accounting's finding; the items are there all the same.
        var accounting = new MetaAccounting(Blocks);
        accounting.ClaimRange(FormatConstants.FirstMetaBlkno, 20, "free");
        var seen = await WalkAsync(accounting);
        Assert.That(seen.Invariants, Is.Empty);
        Assert.That(seen.Keys, Is.EqualTo(AllKeys()));
        Assert.That(accounting.Doubles, Is.Not.Empty);
    }

    [Test]
    public async Task Walk_TwoReferencesToOneLeaf_EntersItOnce()
    {
        ulong parent = await BlknoOfAsync(0, 1);
        await EditAsync(parent, (_, block) =>
        {
            var first = Disk.Ref<BtreeItem>(block, BtreeBlock.OffsetOf(0));
            var second = Disk.Ref<BtreeItem>(block, BtreeBlock.OffsetOf(1));
            block.Slice(first.ValOff, 16).CopyTo(block[(int)second.ValOff.Value..]);
        });
        var accounting = new MetaAccounting(Blocks);
        var seen = await WalkAsync(accounting);
        Assert.That(seen.Invariants, Is.Empty);
        Assert.That(seen.Keys, Has.Count.EqualTo(Items - ItemsPerBlock));
        Assert.That(seen.IsComplete, Is.False);
        Assert.That(accounting.Doubles, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Walk_RandomDamage_EndsAndKeepsOrder([Range(1, 200)] int seed)
    {
        var prng = new Prng((ulong)seed);
        for (int i = 0; i < 3; i++)
        {
            ulong blkno = FormatConstants.FirstMetaBlkno + prng.NextUInt64(14);
            await EditAsync(
                blkno,
                (_, block) =>
                {
                    for (int n = 1 + prng.NextInt32(40); n > 0; n--)
                    {
                        bool isInItems = prng.NextInt32(2) == 0;
                        block[32 + prng.NextInt32(isInItems ? 16 + (56 * 6) : block.Length - 32)] =
                            (byte)prng.NextUInt64();
                    }
                });
        }

        var seen = await WalkAsync();
        for (int i = 1; i < seen.Keys.Count; i++)
            Assert.That(seen.Keys[i] > seen.Keys[i - 1], Is.True);
    }

    private static ItemKey Key(int i) => new(KeyZone.Fs, 1, KeyType.Symlink, (ulong)(100 + (10 * i)));

    private static List<ItemKey> AllKeys() => [.. Enumerable.Range(0, Items).Select(Key)];

    private static void BreakLinks(Span<byte> block, int damage)
    {
        ref var header = ref Disk.Ref<BtreeBlockHeader>(block);
        ref var root = ref Disk.Ref<BtreeItem>(block, header.ItemRoot + BtreeBlockHeader.NodeBase);
        switch (damage)
        {
            case 0:
                header.ItemRoot = (ushort)(header.ItemRoot + 56);
                break;
            case 1:
                header.ItemRoot = 0;
                break;
            case 2:
                root.Node.Left = header.ItemRoot;
                break;
            case 3:
                root.Node.Left = 0;
                break;
            default:
                root.Node.Parent = 16;
                break;
        }
    }

    private static ref Le16 FirstBucket(Span<byte> block)
    {
        var buckets = Disk.Slice<Le16>(block, BtreeBlockHeader.LeafHashOffset, BtreeBlockHeader.LeafHashBuckets);
        int i = 0;
        while (buckets[i] == 0)
            i++;
        return ref buckets[i];
    }

    private async Task ExpectIntactAsync(string invariant)
    {
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { invariant }));
        Assert.That(seen.Keys, Is.EqualTo(AllKeys()));
        Assert.That(seen.IsComplete, Is.True);
    }

    private async Task ExpectLostAsync(string invariant, int item)
    {
        var seen = await WalkAsync();
        Assert.That(seen.Invariants, Is.EqualTo(new[] { invariant }));
        Assert.That(seen.Keys, Is.EqualTo(AllKeys().Where(key => key != Key(item))));
        Assert.That(seen.IsComplete, Is.False);
    }

    private async Task<Walked> WalkAsync(MetaAccounting? accounting = null)
    {
        var findings = new CollectedFindings();
        var super = new SuperBlock { TotalMetaBlocks = Blocks };
        super.Header.Fsid = Fsid;
        using var context = new CheckContext(
            _meta, super, findings, new CheckOptions(), accounting ?? new MetaAccounting(Blocks), 1, null);
        using var walk = new CheckedTreeWalk(context, "tree", _root);
        var keys = new List<ItemKey>();
        await walk.ForEachAsync(at => keys.Add(at.Item.Key), CancellationToken.None);
        return new Walked(keys, findings.Invariants, walk.IsComplete);
    }

    private async Task<ulong> BlknoOfAsync(int item, int level)
    {
        ulong blkno = _root.Ref.Blkno;
        for (int at = _root.Height - 1; at > level; at--)
            blkno = ChildOf(await ReadAsync(blkno), Key(item));
        return blkno;

        static ulong ChildOf(byte[] bytes, ItemKey key)
        {
            var block = new BtreeBlock(bytes);
            return Disk.Ref<BlockRef>(block.Value(block.Item(block.LowerBound(key)))).Blkno;
        }
    }

    private async Task<int> CountOfAsync(ulong blkno) =>
        Disk.Ref<BtreeBlockHeader>((await ReadAsync(blkno)).AsSpan()).NrItems;

    private async Task<byte[]> ReadAsync(ulong blkno)
    {
        var bytes = new byte[FormatConstants.LargeBlockBytes];
        var error = await _meta.ReadAsync(
            (long)blkno * FormatConstants.LargeBlockBytes, bytes.AsMemory(), CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return bytes;
    }

    private Task EditHeaderAsync(ulong blkno, HeaderEdit edit) =>
        EditAsync(blkno, (_, block) => edit(ref Disk.Ref<BtreeBlockHeader>(block)));

    private Task EditItemAsync(ulong blkno, int index, ItemEdit edit) =>
        EditAsync(blkno, (_, block) => edit(ref Disk.Ref<BtreeItem>(block, BtreeBlock.OffsetOf(index))));

    private async Task EditAsync(ulong blkno, BlockEdit edit, int state = 0, bool stampsCrc = true)
    {
        var bytes = await ReadAsync(blkno);
        edit(state, bytes);
        if (stampsCrc)
            Disk.Ref<BlockHeader>(bytes.AsSpan()).Crc = Crc32C.Compute(bytes.AsSpan(4));
        var error = await _meta.WriteAsync(
            (long)blkno * FormatConstants.LargeBlockBytes, bytes.AsMemory(), CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
    }

    private delegate void BlockEdit(int state, Span<byte> block);

    private delegate void HeaderEdit(ref BtreeBlockHeader header);

    private delegate void ItemEdit(ref BtreeItem item);

    private sealed record Walked(List<ItemKey> Keys, List<string> Invariants, bool IsComplete);

    private sealed class CollectedFindings : IFindingSink
    {
        public List<string> Invariants { get; } = [];

        public void Report(
            string invariant,
            string structure,
            string where,
            string what,
            FindingSeverity severity = FindingSeverity.Error)
        {
            Invariants.Add(invariant);
        }
    }
}
