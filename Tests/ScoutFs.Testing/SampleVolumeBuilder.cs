using System;
using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>A block of a tree the builder has written.</summary>
/// <param name="Ref">The block.</param>
/// <param name="Level">0: leaf.</param>
/// <param name="UpperBound">Key of its item in the parent.</param>
/// <param name="Items">A leaf's items.</param>
/// <param name="Children">A parent's children.</param>
public sealed record SampleVolumeNode(
    BlockRef Ref,
    int Level,
    ItemKey UpperBound,
    IReadOnlyList<VolumeEditorItem> Items,
    IReadOnlyList<SampleVolumeNode> Children)
{
    /// <summary>A tree with this block as its root.</summary>
    public BtreeRoot Root => new() { Ref = Ref, Height = (byte)(Level + 1) };
}

/// <summary>
/// Lays out the structures of a volume offline (format §17.3): hands out blocks, writes trees, lists, bloom blocks and
/// srch files, and at the end puts every block that nobody took into the allocators.
/// </summary>
/// <remarks>
/// The caller chooses what is on the volume; the builder only makes sure that each block is in exactly one place and
/// that all headers are right. Block seqs are random as Linux writes them. Blocks are handed out with gaps, so that the
/// free space is in many pieces.
/// </remarks>
public sealed class SampleVolumeBuilder
{
    private const ulong GapEvery = 5;

    private readonly Prng _random;
    private readonly SortedSet<ulong> _usedMeta = [];
    private readonly List<(ulong Start, ulong Count)> _usedData = [];
    private ulong _nextMeta = FormatConstants.FirstMetaBlkno;
    private ulong _nextData = FormatConstants.FirstDataBlkno;
    private bool _isWithoutGaps;
    private SuperBlock _super;

    /// <summary>Starts a volume on two empty devices.</summary>
    /// <param name="formatVersion">1 or 2.</param>
    /// <param name="totalMetaBlocks">Large blocks of the metadata device.</param>
    /// <param name="totalDataBlocks">Small blocks of the data device.</param>
    /// <param name="seed">Decides block seqs, ids and the order of list entries.</param>
    public SampleVolumeBuilder(ulong formatVersion, ulong totalMetaBlocks, ulong totalDataBlocks, ulong seed)
    {
        _random = new Prng(seed);

        // Devices may be larger than recorded, and need not end at a block.
        Meta = new VolumeEditorDevice(
            "sample-meta", ((long)totalMetaBlocks * FormatConstants.LargeBlockBytes) + (3 * 4096));
        Data = new VolumeEditorDevice(
            "sample-data", ((long)totalDataBlocks * FormatConstants.SmallBlockBytes) + (2 * 4096));
        _super.Header.Magic = (uint)BlockMagic.Super;
        _super.Header.Fsid = _random.NextUInt64();
        _super.Header.Seq = 7;
        _super.Header.Blkno = FormatConstants.SuperBlkno;
        _super.FormatVersion = formatVersion;
        _super.TotalMetaBlocks = totalMetaBlocks;
        _super.TotalDataBlocks = totalDataBlocks;
        _super.QuorumConfig.Version = 1;
        _super.Seq = 1;
        _random.Fill(Disk.MutableBytes(ref _super.Uuid));
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
            WriteQuorum(slot, default);
    }

    /// <summary>The metadata device.</summary>
    public VolumeEditorDevice Meta { get; }

    /// <summary>The data device.</summary>
    public VolumeEditorDevice Data { get; }

    /// <summary>The super block to be; <see cref="Finish"/> fills in the allocators.</summary>
    public ref SuperBlock Super => ref _super;

    /// <summary>Takes one metadata block, leaving a gap now and then.</summary>
    public ulong AllocateMeta()
    {
        ulong blkno = _nextMeta++;
        if (blkno % GapEvery == 0 && !_isWithoutGaps)
            _nextMeta += 1 + _random.NextUInt64(3);
        _ = _usedMeta.Add(blkno);
        return blkno;
    }

    /// <summary>Gives a metadata block back: it will be in the free space.</summary>
    public void FreeMeta(ulong blkno) => Invariant.Require(_usedMeta.Remove(blkno));

    /// <summary>Takes consecutive data blocks, leaving a gap behind them.</summary>
    /// <param name="count">Blocks.</param>
    /// <param name="gap">Blocks left free behind them; 0 lets the next extent adjoin.</param>
    public ulong AllocateData(ulong count, ulong gap = 3)
    {
        ulong start = _nextData;
        _nextData += count + gap;
        _usedData.Add((start, count));
        return start;
    }

    /// <summary>Takes data blocks at a place of the caller's choice behind everything taken so far.</summary>
    public ulong AllocateDataAt(ulong start, ulong count)
    {
        Invariant.Require(start >= _nextData);
        _nextData = start;
        return AllocateData(count);
    }

    /// <summary>Writes file contents.</summary>
    public void WriteData(ulong blkno, ReadOnlySpan<byte> bytes) =>
        Data.Write((long)blkno * FormatConstants.SmallBlockBytes, bytes);

    /// <summary>Stamps header and checksum into a large block and writes it to a new place.</summary>
    public BlockRef WriteLarge(BlockMagic magic, byte[] block)
    {
        var blockRef = new BlockRef(AllocateMeta(), _random.NextUInt64());
        ref var header = ref Disk.Ref<BlockHeader>(block.AsSpan());
        header.Magic = (uint)magic;
        header.Fsid = _super.Header.Fsid;
        header.Seq = blockRef.Seq;
        header.Blkno = blockRef.Blkno;
        header.Crc = Crc32C.Compute(block.AsSpan(4));
        Meta.Write((long)blockRef.Blkno.Value * FormatConstants.LargeBlockBytes, block);
        return blockRef;
    }

    /// <summary>Writes one leaf.</summary>
    public SampleVolumeNode WriteLeaf(IReadOnlyList<VolumeEditorItem> items, in ItemKey upperBound)
    {
        byte[] block = new byte[FormatConstants.LargeBlockBytes];
        var builder = new BtreeBlockBuilder(block.AsSpan(), 0);
        foreach (var item in items)
            Invariant.Require(builder.TryAdd(item.Key, item.Seq, item.Flags, item.Value));
        return new SampleVolumeNode(FinishTreeBlock(builder, block), 0, upperBound, items, []);
    }

    /// <summary>Writes one parent.</summary>
    public SampleVolumeNode WriteParent(IReadOnlyList<SampleVolumeNode> children)
    {
        byte[] block = new byte[FormatConstants.LargeBlockBytes];
        int level = children[0].Level + 1;
        var builder = new BtreeBlockBuilder(block, level);
        foreach (var child in children)
        {
            var childRef = child.Ref;
            byte[] value = Disk.Bytes(in childRef).ToArray();
            Invariant.Require(builder.TryAdd(child.UpperBound, 0, 0, value));
        }

        return new SampleVolumeNode(FinishTreeBlock(builder, block), level, children[^1].UpperBound, [], children);
    }

    /// <summary>Writes a tree of items in ascending order.</summary>
    /// <param name="items">The items.</param>
    /// <param name="perLeaf">Most items a leaf; fewer when it is full.</param>
    /// <param name="perParent">Most items a parent.</param>
    /// <returns>The root block, or null for no items.</returns>
    public SampleVolumeNode? WriteTree(
        IEnumerable<VolumeEditorItem> items, int perLeaf = int.MaxValue, int perParent = 1000)
    {
        List<SampleVolumeNode> level = [];
        List<List<VolumeEditorItem>> leaves = Leaves(items, perLeaf);
        if (leaves.Count == 0)
            return null;
        for (int i = 0; i < leaves.Count; i++)
            level.Add(WriteLeaf(leaves[i], i == leaves.Count - 1 ? ItemKey.Max : leaves[i][^1].Key));
        while (level.Count > 1)
            level = [.. level.Chunk(perParent).Select(WriteParent)];
        return level[0];
    }

    /// <summary>Writes a bloom block with the bits of all the items' lock ranges (format §9.3, §9.4).</summary>
    public BlockRef WriteBloom(IEnumerable<VolumeEditorItem> items)
    {
        byte[] block = new byte[FormatConstants.LargeBlockBytes];
        foreach (var item in items)
        {
            var (first, second, third) = new BloomProbe(Keys.LockStart(item.Key)).Bits;
            foreach (uint bit in (uint[])[first, second, third])
                block[40 + (bit / 8)] |= (byte)(1 << (int)(bit % 8));
        }

        ulong set = 0;
        foreach (byte b in block.AsSpan(40))
            set += (ulong)BitOperations.PopCount(b);
        Disk.Ref<BloomBlockHeader>(block.AsSpan()).TotalSet = set;
        return WriteLarge(BlockMagic.Bloom, block);
    }

    /// <summary>Takes blocks and writes a list of them (format §8.2).</summary>
    /// <param name="counts">Entries of each list block, the head first.</param>
    public AllocListHead WriteList(params int[] counts)
    {
        var blknos = new ulong[counts.Sum()];
        for (int i = 0; i < blknos.Length; i++)
            blknos[i] = AllocateMeta();

        // Entries are in no order that means anything.
        for (int i = blknos.Length - 1; i > 0; i--)
        {
            int other = _random.NextInt32(i + 1);
            (blknos[i], blknos[other]) = (blknos[other], blknos[i]);
        }

        return WriteListOf(blknos, counts);
    }

    /// <summary>Writes a list of given blocks.</summary>
    /// <param name="blknos">The entries; the caller answers for them.</param>
    /// <param name="counts">Entries of each list block, the head first.</param>
    public AllocListHead WriteListOf(IReadOnlyList<ulong> blknos, params int[] counts)
    {
        var head = new AllocListHead { TotalNr = (ulong)blknos.Count };
        if (counts.Length == 0)
            return head;
        head.FirstNr = (uint)counts[0];
        int end = blknos.Count;
        for (int i = counts.Length - 1; i >= 0; i--)
        {
            byte[] block = new byte[FormatConstants.LargeBlockBytes];
            ref var list = ref Disk.Ref<AllocListBlock>(block.AsSpan());
            list.Next = head.Ref;
            list.Nr = (uint)counts[i];

            // Anything outside the valid entries is undefined: leave rubbish there.
            list.Start = counts[i] == 0 ? 0 : (uint)_random.NextInt32(8);
            var entries = Disk.Slice<Le64>(block.AsSpan(), 56, FormatConstants.ListBlockEntries);
            for (int n = 0; n < (int)list.Start.Value; n++)
                entries[n] = 0xdead_beef_dead_beef;
            end -= counts[i];
            for (int n = 0; n < counts[i]; n++)
                entries[(int)list.Start.Value + n] = blknos[end + n];
            head.Ref = WriteLarge(BlockMagic.AllocList, block);
        }

        Invariant.Require(end == 0);
        return head;
    }

    /// <summary>Writes a srch file (format §12.1).</summary>
    /// <param name="entries">In the order they are to have.</param>
    /// <param name="perLeaf">Entries a leaf; more than one leaf makes a parent.</param>
    public SrchFile WriteSrch(IReadOnlyList<SrchEntry> entries, int perLeaf = int.MaxValue)
    {
        var file = default(SrchFile);
        if (entries.Count == 0)
            return file;
        var leaves = new List<BlockRef>();
        foreach (var part in entries.Chunk(perLeaf))
        {
            byte[] leaf = new byte[FormatConstants.LargeBlockBytes];
            SampleVolumeSrch.FillLeaf(leaf, part);
            leaves.Add(WriteLarge(BlockMagic.SrchLeaf, leaf));
        }

        var sorted = entries.ToList();
        sorted.Sort((left, right) => SrchEntry.Compare(left, right));
        file.First = sorted[0];
        file.Last = sorted[^1];
        file.Blocks = (ulong)leaves.Count;
        file.Entries = (ulong)entries.Count;
        file.Height = (byte)(leaves.Count == 1 ? 1 : 2);
        file.Ref = leaves[0];
        if (leaves.Count == 1)
            return file;
        byte[] parent = new byte[FormatConstants.LargeBlockBytes];
        for (int i = 0; i < leaves.Count; i++)
            Disk.Ref<BlockRef>(parent.AsSpan(), 32 + (16 * i)) = leaves[i];
        file.Ref = WriteLarge(BlockMagic.SrchParent, parent);
        return file;
    }

    /// <summary>Writes a tree of free extents (format §8.1).</summary>
    public AllocRoot WriteExtents(
        IEnumerable<(ulong Start, ulong Count)> extents, int perLeaf = int.MaxValue, int perParent = 1000)
    {
        List<(ulong Start, ulong Count)> all = [.. extents];
        ulong total = 0;
        foreach (var (_, count) in all)
            total += count;
        return new AllocRoot
        {
            TotalLen = total,
            Root = WriteTree(ExtentItems(all), perLeaf, perParent)?.Root ?? default,
        };
    }

    /// <summary>Writes a quorum block.</summary>
    public void WriteQuorum(int slot, QuorumBlock quorum)
    {
        quorum.Header.Magic = (uint)BlockMagic.Quorum;
        quorum.Header.Fsid = _super.Header.Fsid;
        quorum.Header.Seq = 1;
        quorum.Header.Blkno = FormatConstants.QuorumBlkno + (ulong)slot;
        byte[] block = new byte[FormatConstants.SmallBlockBytes];
        Disk.Bytes(in quorum).CopyTo(block);
        WriteSmall(Meta, quorum.Header.Blkno, block);
    }

    /// <summary>Sets an IPv4 address of a quorum slot.</summary>
    public void SetSlot(int slot, uint address, ushort port) =>
        _super.QuorumConfig.Slots[slot] = new InetAddress
        {
            Family = InetAddress.FamilyIPv4,
            Addr = address,
            Port = port,
        };

    /// <summary>Puts all blocks that nobody took into the allocators and writes both super blocks.</summary>
    /// <param name="perLeaf">Items a leaf of the metadata allocators.</param>
    public void Finish(int perLeaf = 24)
    {
        const int perParent = 8;
        _super.DataAlloc = WriteExtents(FreeData());

        // The allocators' own blocks come from the front of the last free extent, so taking them changes no other.
        ulong tail = _usedMeta.Max + 1;
        var (even, odd) = FreeMetaExtents(tail);
        ulong blocks = CountBlocks(even.Count, perLeaf, perParent) + CountBlocks(odd.Count, perLeaf, perParent);
        (even, odd) = FreeMetaExtents(tail + blocks);
        _nextMeta = tail;
        _isWithoutGaps = true;
        _super.MetaAlloc[0] = WriteExtents(even, perLeaf, perParent);
        _super.MetaAlloc[1] = WriteExtents(odd, perLeaf, perParent);
        Invariant.Require(_nextMeta == tail + blocks && _nextMeta < _super.TotalMetaBlocks);
        WriteSupers();
    }

    private static ulong CountBlocks(int extents, int perLeaf, int perParent)
    {
        int count = ((2 * extents) + perLeaf - 1) / perLeaf;
        int total = count;
        while (count > 1)
        {
            count = (count + perParent - 1) / perParent;
            total += count;
        }

        return (ulong)total;
    }

    private static List<VolumeEditorItem> ExtentItems(List<(ulong Start, ulong Count)> extents)
    {
        var items = new List<VolumeEditorItem>();
        foreach (var (start, count) in extents)
        {
            items.Add(VolumeEditorItem.Of(Keys.FreeByLocation(start + count - 1, count)));
            items.Add(VolumeEditorItem.Of(Keys.FreeBySize(start + count - 1, count)));
        }

        items.Sort((left, right) => ItemKey.Compare(left.Key, right.Key));
        return items;
    }

    private static List<List<VolumeEditorItem>> Leaves(IEnumerable<VolumeEditorItem> items, int perLeaf)
    {
        List<List<VolumeEditorItem>> leaves = [];
        int room = 0;
        foreach (var item in items)
        {
            int bytes = 56 + ((item.Value.Length + 7) & ~7);
            if (bytes > room || leaves[^1].Count >= perLeaf)
            {
                leaves.Add([]);
                room = BtreeBlockBuilder.ValueEnd(0) - BtreeBlock.OffsetOf(0);
            }

            leaves[^1].Add(item);
            room -= bytes;
        }

        return leaves;
    }

    private BlockRef FinishTreeBlock(in BtreeBlockBuilder builder, byte[] block)
    {
        builder.Finish(0, 0, 0);
        return WriteLarge(BlockMagic.Btree, block);
    }

    private (List<(ulong Start, ulong Count)> Even, List<(ulong Start, ulong Count)> Odd) FreeMetaExtents(ulong tail)
    {
        List<(ulong Start, ulong Count)> even = [];
        List<(ulong Start, ulong Count)> odd = [];
        ulong next = FormatConstants.FirstMetaBlkno;
        foreach (ulong used in _usedMeta)
        {
            Take(next, used);
            next = used + 1;
        }

        Take(tail, _super.TotalMetaBlocks);
        return (even, odd);

        void Take(ulong start, ulong end)
        {
            if (start < end)
                (even.Count > odd.Count ? odd : even).Add((start, end - start));
        }
    }

    private List<(ulong Start, ulong Count)> FreeData()
    {
        List<(ulong Start, ulong Count)> free = [];
        ulong next = FormatConstants.FirstDataBlkno;
        foreach (var (start, count) in _usedData)
        {
            if (start > next)
                free.Add((next, start - next));
            next = start + count;
        }

        free.Add((next, _super.TotalDataBlocks - next));
        return free;
    }

    private void WriteSupers()
    {
        byte[] block = new byte[FormatConstants.SmallBlockBytes];

        // The data device's copy stays as mkfs wrote it: no roots, no allocators.
        var copy = new SuperBlock
        {
            Header = _super.Header,
            FormatVersion = _super.FormatVersion,
            Uuid = _super.Uuid,
            Seq = 1,
            NextIno = FormatConstants.FirstFreeIno,
            InodeCount = 1,
            TotalMetaBlocks = _super.TotalMetaBlocks,
            TotalDataBlocks = _super.TotalDataBlocks,
            QuorumConfig = _super.QuorumConfig,
        };
        Disk.Bytes(in copy).CopyTo(block);
        WriteSmall(Data, FormatConstants.SuperBlkno, block);
        _super.Flags = SuperBlock.FlagMeta;
        Disk.Bytes(in _super).CopyTo(block);
        WriteSmall(Meta, FormatConstants.SuperBlkno, block);
    }

    private static void WriteSmall(VolumeEditorDevice device, ulong blkno, byte[] block)
    {
        Disk.Ref<BlockHeader>(block.AsSpan()).Crc = Crc32C.Compute(block.AsSpan(4));
        device.Write((long)blkno * FormatConstants.SmallBlockBytes, block);
    }
}
