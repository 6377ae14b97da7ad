using System;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Allocation;

/// <summary>
/// A metadata device whose blocks come from a list; the lists that a transaction leaves are those of the next one.
/// </summary>
internal sealed class ListWorld : IDisposable
{
    private const ulong Fsid = 31;

    /// <summary>The list is one block, at blkno 2; its entries are the blocks behind it.</summary>
    public ListWorld(int metaBlocks, int countEntries, Prng blockPrng)
    {
        Device = new MemoryBlockDevice("meta", (long)metaBlocks * FormatConstants.LargeBlockBytes);
        Cache = new BlockCache(Device, 64, Fsid, (ulong)metaBlocks, BtreeShape.Verify);
        Writer = new BlockWriter(Device, 2000, Fsid, blockPrng);
        Avail = WriteFirstList(countEntries);
    }

    public MemoryBlockDevice Device { get; }

    public BlockCache Cache { get; }

    public BlockWriter Writer { get; }

    public AllocListHead Avail { get; set; }

    public AllocListHead Freed { get; set; }

    public BlockPlaces NewPlaces() => new(Device, Fsid);

    public async Task<ListAllocator> OpenAsync()
    {
        var (error, allocator, fault) = await ListAllocator.OpenAsync(
            Cache, Writer, Avail, Freed, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
        return allocator!;
    }

    /// <summary>Ends a transaction; what was written is still the writer's, to be forgotten or to be cached.</summary>
    public async Task WriteAsync(ListAllocator allocator)
    {
        Assert.That(await Writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
        (Avail, Freed) = (allocator.Avail, allocator.Freed);
    }

    public void Dispose()
    {
        Writer.Dispose();
        Cache.Dispose();
    }

    private AllocListHead WriteFirstList(int countEntries)
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        ref var list = ref Disk.Ref<AllocListBlock>(block.AsSpan());
        list.Header.Magic = (uint)BlockMagic.AllocList;
        list.Header.Fsid = Fsid;
        list.Header.Seq = 1;
        list.Header.Blkno = 2;
        list.Nr = (uint)countEntries;
        for (int i = 0; i < countEntries; i++)
            ListAllocator.Entries(block)[i] = 3 + (ulong)i;
        list.Header.Crc = Crc32C.Compute(block.AsSpan(4));
        var write = Device.WriteAsync(2 * FormatConstants.LargeBlockBytes, block, CancellationToken.None);
        Invariant.Require(write.IsCompletedSuccessfully);
        return new AllocListHead
        {
            Ref = new BlockRef(2, 1),
            TotalNr = (ulong)countEntries,
            FirstNr = (uint)countEntries,
        };
    }
}
