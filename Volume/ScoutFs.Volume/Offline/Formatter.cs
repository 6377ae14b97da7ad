using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Writes an empty volume: mkfs (format §15).</summary>
/// <remarks>
/// <para>Order of writes: 1. an old super block of the metadata device is zeroed and flushed; 2. all metadata blocks
/// and quorum blocks, flushed; 3. the data device's super block, flushed; 4. the metadata device's super block,
/// flushed. A volume is recognised by the metadata device's super block alone, so a crash leaves no volume or a whole
/// one, and never an old super block over new blocks.</para>
/// <para>Nothing else is written: free blocks, and whatever lies in the first 64 KiB, stay as they are.</para>
/// </remarks>
public static class Formatter
{
    private const ulong BlockSeq = 1;
    private const ulong FsRootBlkno = 2;
    private const ulong AvailListBlkno = 3;
    private const ulong FirstAvailBlkno = 4;
    private const uint AvailBlocks = 1024;
    private const ulong DataAllocBlkno = 1028;
    private const ulong FirstMetaAllocBlkno = 1029;
    private const ulong SecondMetaAllocBlkno = 1030;
    private const ulong FirstFreeBlkno = 1031;

    /// <summary>Writes the volume.</summary>
    /// <param name="meta">Metadata device, at least as large as planned, opened for writing.</param>
    /// <param name="data">Data device, likewise.</param>
    /// <param name="plan">What to write.</param>
    /// <param name="cancellationToken">Honoured before the first write; a volume that was begun is finished.</param>
    /// <exception cref="VolumeException">A device failed; there is no volume on the devices then.</exception>
    public static async ValueTask FormatAsync(
        IBlockDevice meta, IBlockDevice data, FormatPlan plan, CancellationToken cancellationToken)
    {
        Invariant.Require(plan.TotalMetaBlocks <= (ulong)meta.SizeBytes / FormatConstants.LargeBlockBytes);
        Invariant.Require(plan.TotalDataBlocks <= (ulong)data.SizeBytes / FormatConstants.SmallBlockBytes);
        cancellationToken.ThrowIfCancellationRequested();
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        try
        {
            await RemoveOldSuperAsync(meta, block.Memory);
            await WriteTreesAsync(meta, plan, block.Memory);
            await WriteQuorumBlocksAsync(meta, plan, block.Memory);
            await FlushAsync(meta);
            await WriteSuperAsync(data, SuperOf(plan, flags: 0), block.Memory);
            await WriteSuperAsync(meta, SuperOf(plan, SuperBlock.FlagMeta), block.Memory);
        }
        finally
        {
            pool.Return(block);
        }
    }

    private static async ValueTask RemoveOldSuperAsync(IBlockDevice meta, Memory<byte> block)
    {
        var small = block[..FormatConstants.SmallBlockBytes];
        var error = await SmallBlocks.ReadAsync(meta, FormatConstants.SuperBlkno, block, CancellationToken.None);
        if (error == FsError.None && small.Span.IndexOfAnyExcept((byte)0) < 0)
            return;

        // An unreadable block may be readable again once written.
        small.Span.Clear();
        long offset = (long)FormatConstants.SuperBlkno * FormatConstants.SmallBlockBytes;
        Require(await meta.WriteAsync(offset, small, CancellationToken.None), meta, "write");
        await FlushAsync(meta);
    }

    private static async ValueTask WriteTreesAsync(IBlockDevice meta, FormatPlan plan, Memory<byte> block)
    {
        FillFsRoot(block.Span, plan);
        await WriteLargeAsync(meta, FsRootBlkno, block);
        FillAvailList(block.Span, plan.Fsid);
        await WriteLargeAsync(meta, AvailListBlkno, block);
        FillFreeTree(block.Span, plan.Fsid, DataAllocBlkno, DataExtent(plan));
        await WriteLargeAsync(meta, DataAllocBlkno, block);
        FillFreeTree(block.Span, plan.Fsid, FirstMetaAllocBlkno, MetaExtent(plan, 0));
        await WriteLargeAsync(meta, FirstMetaAllocBlkno, block);
        FillFreeTree(block.Span, plan.Fsid, SecondMetaAllocBlkno, MetaExtent(plan, 1));
        await WriteLargeAsync(meta, SecondMetaAllocBlkno, block);
    }

    private static void FillFsRoot(Span<byte> block, FormatPlan plan)
    {
        var inode = new InodeItem
        {
            Nlink = 2,
            Mode = FileMode.Directory | 0x1ed, // 0755
            NextReaddirPos = 2,
        };
        inode.Atime = inode.Ctime = inode.Mtime = inode.Crtime = TimespecOf(plan.Created);
        int bytes = plan.FormatVersion == 1 ? InodeItem.Version1Bytes : InodeItem.Version2Bytes;
        var value = Disk.Bytes(in inode).ToArray().AsSpan(0, bytes);

        var builder = new BtreeBlockBuilder(block, level: 0);
        Invariant.Require(builder.TryAdd(Keys.MetaSeqIndex(0, FormatConstants.RootIno), BlockSeq, 0, default));
        Invariant.Require(builder.TryAdd(Keys.Inode(FormatConstants.RootIno), BlockSeq, 0, value));
        builder.Finish(plan.Fsid, FsRootBlkno, BlockSeq);
    }

    private static void FillFreeTree(Span<byte> block, ulong fsid, ulong blkno, (ulong Start, ulong Count) extent)
    {
        ulong last = extent.Start + extent.Count - 1;
        var builder = new BtreeBlockBuilder(block, level: 0);
        Invariant.Require(builder.TryAdd(Keys.FreeByLocation(last, extent.Count), BlockSeq, 0, default));
        Invariant.Require(builder.TryAdd(Keys.FreeBySize(last, extent.Count), BlockSeq, 0, default));
        builder.Finish(fsid, blkno, BlockSeq);
    }

    private static void FillAvailList(Span<byte> block, ulong fsid)
    {
        block.Clear();
        ref var list = ref Disk.Ref<AllocListBlock>(block);
        list.Nr = AvailBlocks;
        var entries = Disk.Slice<Le64>(block, Disk.SizeOf<AllocListBlock>(), (int)AvailBlocks);
        for (int i = 0; i < entries.Length; i++)
            entries[i] = FirstAvailBlkno + (ulong)i;
        list.Header = new BlockHeader
        {
            Magic = (uint)BlockMagic.AllocList,
            Fsid = fsid,
            Seq = BlockSeq,
            Blkno = AvailListBlkno,
        };
        list.Header.Crc = Crc32C.Compute(block[4..]);
    }

    private static async ValueTask WriteQuorumBlocksAsync(IBlockDevice meta, FormatPlan plan, Memory<byte> block)
    {
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            ulong blkno = FormatConstants.QuorumBlkno + (ulong)slot;
            block.Span[..FormatConstants.SmallBlockBytes].Clear();
            Disk.Ref<BlockHeader>(block.Span) = new BlockHeader
            {
                Magic = (uint)BlockMagic.Quorum,
                Fsid = plan.Fsid,
                Seq = BlockSeq,
                Blkno = blkno,
            };
            Require(await SmallBlocks.WriteAsync(meta, blkno, block, CancellationToken.None), meta, "write");
        }
    }

    private static SuperBlock SuperOf(FormatPlan plan, ulong flags)
    {
        var super = new SuperBlock
        {
            Header = new BlockHeader
            {
                Magic = (uint)BlockMagic.Super,
                Fsid = plan.Fsid,
                Seq = BlockSeq,
                Blkno = FormatConstants.SuperBlkno,
            },
            FormatVersion = plan.FormatVersion,
            Flags = flags,
            Seq = 1,
            NextIno = FormatConstants.FirstFreeIno,
            InodeCount = 1,
            TotalMetaBlocks = plan.TotalMetaBlocks,
            TotalDataBlocks = plan.TotalDataBlocks,
            QuorumConfig = QuorumSlot.ConfigOf(plan.Slots, version: 1),
            DataAlloc = AllocRootOf(DataAllocBlkno, DataExtent(plan).Count),
            FsRoot = LeafRoot(FsRootBlkno),
        };
        Invariant.Require(plan.Uuid.TryWriteBytes(super.Uuid, bigEndian: true, out _));
        super.MetaAlloc[0] = AllocRootOf(FirstMetaAllocBlkno, MetaExtent(plan, 0).Count);
        super.MetaAlloc[1] = AllocRootOf(SecondMetaAllocBlkno, MetaExtent(plan, 1).Count);
        super.ServerMetaAvail[0] = new AllocListHead
        {
            Ref = new BlockRef { Blkno = AvailListBlkno, Seq = BlockSeq },
            TotalNr = AvailBlocks,
            FirstNr = AvailBlocks,
        };
        if (plan.DataAllocZoneBlocks is { } zoneBlocks)
        {
            super.VolumeOptions.SetBits = 1UL << VolumeOptions.DataAllocZoneBlocks;
            super.VolumeOptions.Values[VolumeOptions.DataAllocZoneBlocks] = zoneBlocks;
        }

        return super;
    }

    private static (ulong Start, ulong Count) DataExtent(FormatPlan plan) =>
        (FormatConstants.FirstDataBlkno, plan.TotalDataBlocks - FormatConstants.FirstDataBlkno);

    // Free metadata is split in halves, the first takes the odd block.
    private static (ulong Start, ulong Count) MetaExtent(FormatPlan plan, int index)
    {
        ulong free = plan.TotalMetaBlocks - FirstFreeBlkno;
        ulong first = (free + 1) / 2;
        return index == 0 ? (FirstFreeBlkno, first) : (FirstFreeBlkno + first, free - first);
    }

    private static BtreeRoot LeafRoot(ulong blkno) =>
        new() { Ref = new BlockRef { Blkno = blkno, Seq = BlockSeq }, Height = 1 };

    private static AllocRoot AllocRootOf(ulong blkno, ulong count) =>
        new() { TotalLen = count, Root = LeafRoot(blkno) };

    private static Timespec TimespecOf(DateTimeOffset time)
    {
        long ticks = time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks;
        long seconds = Math.DivRem(ticks, TimeSpan.TicksPerSecond, out long rest);
        if (rest < 0)
        {
            seconds--;
            rest += TimeSpan.TicksPerSecond;
        }

        return new Timespec { Sec = seconds, Nsec = (uint)(rest * TimeSpan.NanosecondsPerTick) };
    }

    private static async ValueTask WriteLargeAsync(IBlockDevice meta, ulong blkno, Memory<byte> block) =>
        Require(
            await meta.WriteAsync((long)blkno * FormatConstants.LargeBlockBytes, block, CancellationToken.None),
            meta,
            "write");

    private static async ValueTask WriteSuperAsync(IBlockDevice device, SuperBlock super, Memory<byte> block)
    {
        block.Span[..FormatConstants.SmallBlockBytes].Clear();
        Disk.Ref<SuperBlock>(block.Span) = super;
        Require(
            await SmallBlocks.WriteAsync(device, FormatConstants.SuperBlkno, block, CancellationToken.None),
            device,
            "write");
        await FlushAsync(device);
    }

    private static async ValueTask FlushAsync(IBlockDevice device) =>
        Require(await device.FlushAsync(CancellationToken.None), device, "flush");

    private static void Require(FsError error, IBlockDevice device, string doing)
    {
        if (error == FsError.None)
            return;
        throw new VolumeException(
            error,
            $"Cannot {doing} {device.Name}: {FsErrorTable.TextOf(error)}. There is no volume on the devices now; "
            + "create it again when the device works.");
    }
}
