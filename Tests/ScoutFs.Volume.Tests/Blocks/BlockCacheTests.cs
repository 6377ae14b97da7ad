using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Blocks;

public sealed class BlockCacheTests
{
    private const ulong Fsid = 77;
    private const int MetaBlocks = 64;

    private readonly MemoryBlockDevice _device = new("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);

    [Test]
    public async Task LoadAsync_GoodBlock_IsThenLeasedWithoutReading()
    {
        Write(5, seq: 1, fill: 9);
        using var cache = NewCache(4);

        Assert.That(cache.TryGet(new BlockRef(5, 1), BlockMagic.Bloom, out _), Is.False);
        var result = await cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, CancellationToken.None);
        bool isHit = cache.TryGet(new BlockRef(5, 1), BlockMagic.Bloom, out var lease);

        Assert.That(result.Error, Is.EqualTo(FsError.None));
        Assert.That(isHit, Is.True);
        Assert.That(lease.Bytes[100], Is.EqualTo(9));
        Assert.That(cache.BlocksRead, Is.EqualTo(1));
        lease.Dispose();
        Assert.That(cache.LeasesOut, Is.Zero);
    }

    [Test]
    public async Task LoadAsync_BlknoReusedOnDevice_DropsTheOldCopyAndReadsOnce()
    {
        Write(5, seq: 1, fill: 1);
        using var cache = NewCache(4);
        _ = await cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, CancellationToken.None);
        Write(5, seq: 2, fill: 2);

        Assert.That(cache.TryGet(new BlockRef(5, 2), BlockMagic.Bloom, out _), Is.False);
        var result = await cache.LoadAsync(new BlockRef(5, 2), BlockMagic.Bloom, CancellationToken.None);

        Assert.That(result.Error, Is.EqualTo(FsError.None));
        Assert.That(cache.TryGet(new BlockRef(5, 2), BlockMagic.Bloom, out var lease), Is.True);
        Assert.That(lease.Bytes[100], Is.EqualTo(2));
        lease.Dispose();
        Assert.That(cache.BlocksRead, Is.EqualTo(2));
    }

    [Test]
    public async Task LoadAsync_OldGenerationStillLeased_LeavesTheLeaseAlone()
    {
        Write(5, seq: 1, fill: 1);
        using var cache = NewCache(4);
        _ = await cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, CancellationToken.None);
        Assert.That(cache.TryGet(new BlockRef(5, 1), BlockMagic.Bloom, out var old), Is.True);
        Write(5, seq: 2, fill: 2);

        var result = await cache.LoadAsync(new BlockRef(5, 2), BlockMagic.Bloom, CancellationToken.None);

        Assert.That(result.Error, Is.EqualTo(FsError.None));
        Assert.That(old.Bytes[100], Is.EqualTo(1));
        old.Dispose();
    }

    [Test]
    public async Task Adopt_BlockJustWritten_IsLeasedWithoutReadingAndReplacesTheOldGeneration()
    {
        Write(5, seq: 1, fill: 1);
        using var cache = NewCache(4);
        _ = await cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, CancellationToken.None);
        Assert.That(cache.TryGet(new BlockRef(5, 1), BlockMagic.Bloom, out var old), Is.True);
        Write(5, seq: 2, fill: 2);
        var block = new byte[FormatConstants.LargeBlockBytes];
        _ = await _device.ReadAsync(5 * FormatConstants.LargeBlockBytes, block, CancellationToken.None);

        cache.Adopt(block);

        Assert.That(cache.TryGet(new BlockRef(5, 2), BlockMagic.Bloom, out var lease), Is.True);
        Assert.That(lease.Bytes[100], Is.EqualTo(2));
        Assert.That(old.Bytes[100], Is.EqualTo(1), "leased blocks do not change");
        Assert.That(cache.BlocksRead, Is.EqualTo(1));
        lease.Dispose();
        old.Dispose();
        cache.Adopt(block);
        Assert.That(cache.TryGet(new BlockRef(5, 2), BlockMagic.Bloom, out lease), Is.True, "again");
        lease.Dispose();
    }

    [Test]
    public async Task Grow_OfAVolume_LetsReferencesReachFurtherButNotBeyondTheDevice()
    {
        using var cache = new BlockCache(_device, 4, Fsid, 10, (_, _) => default);
        Write(20, seq: 1, fill: 1);
        var before = await cache.LoadAsync(new BlockRef(20, 1), BlockMagic.Bloom, CancellationToken.None);
        cache.Grow(1000);
        var after = await cache.LoadAsync(new BlockRef(20, 1), BlockMagic.Bloom, CancellationToken.None);

        Assert.That(before.Error, Is.EqualTo(FsError.Corrupt));
        Assert.That(after.Error, Is.EqualTo(FsError.None));
        Assert.That(cache.TotalMetaBlocks, Is.EqualTo(MetaBlocks));
    }

    [TestCase(0, CorruptionSite.BlockCrc)]
    [TestCase(4, CorruptionSite.BlockMagic)]
    [TestCase(8, CorruptionSite.BlockFsid)]
    [TestCase(16, CorruptionSite.BlockSeq)]
    [TestCase(24, CorruptionSite.BlockBlkno)]
    public async Task LoadAsync_HeaderFieldWrong_IsStaleAndNamesIt(int offset, CorruptionSite site)
    {
        Write(5, seq: 1, fill: 1, damagedByte: offset);
        using var cache = NewCache(4);

        var result = await cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, CancellationToken.None);

        Assert.That(result.Error, Is.EqualTo(FsError.Stale));
        Assert.That(result.Corruption.Site, Is.EqualTo(site));
        Assert.That(cache.TryGet(new BlockRef(5, 1), BlockMagic.Bloom, out _), Is.False);
    }

    [TestCase(0UL)]
    [TestCase(1UL)]
    [TestCase(64UL)]
    [TestCase(ulong.MaxValue)]
    public async Task LoadAsync_BlknoOutsideDevice_IsCorrupt(ulong blkno)
    {
        using var cache = NewCache(4);

        var result = await cache.LoadAsync(new BlockRef(blkno, 1), BlockMagic.Bloom, CancellationToken.None);
        cache.Prefetch(new BlockRef(blkno, 1), BlockMagic.Bloom);

        Assert.That(result.Error, Is.EqualTo(FsError.Corrupt));
        Assert.That(result.Corruption.Site, Is.EqualTo(CorruptionSite.BlockOutsideDevice));
    }

    [Test]
    public async Task LoadAsync_AllBlocksLeased_SaysNoBuffersAtOnce()
    {
        using var cache = NewCache(4);
        var leases = new List<BlockLease>();
        for (ulong blkno = 2; blkno < 6; blkno++)
        {
            Write(blkno, 1, 1);
            _ = await cache.LoadAsync(new BlockRef(blkno, 1), BlockMagic.Bloom, CancellationToken.None);
            Assert.That(cache.TryGet(new BlockRef(blkno, 1), BlockMagic.Bloom, out var lease), Is.True);
            leases.Add(lease);
        }

        Write(6, 1, 1);
        var refused = await cache.LoadAsync(new BlockRef(6, 1), BlockMagic.Bloom, CancellationToken.None);
        var first = leases[0];
        first.Dispose();
        var accepted = await cache.LoadAsync(new BlockRef(6, 1), BlockMagic.Bloom, CancellationToken.None);

        Assert.That(refused.Error, Is.EqualTo(FsError.NoBuffers));
        Assert.That(accepted.Error, Is.EqualTo(FsError.None));
        for (int i = 1; i < leases.Count; i++)
        {
            var lease = leases[i];
            lease.Dispose();
        }
    }

    [Test]
    public async Task LoadAsync_ManyMoreBlocksThanCapacity_EvictsAndStaysRight()
    {
        for (ulong blkno = 2; blkno < MetaBlocks; blkno++)
            Write(blkno, seq: blkno, fill: (byte)blkno);
        using var cache = NewCache(6);
        var prng = new Prng(3);
        for (int i = 0; i < 2000; i++)
        {
            ulong blkno = 2 + prng.NextUInt64(MetaBlocks - 2);
            var blockRef = new BlockRef(blkno, blkno);
            if (!cache.TryGet(blockRef, BlockMagic.Bloom, out var lease))
            {
                var result = await cache.LoadAsync(blockRef, BlockMagic.Bloom, CancellationToken.None);
                Assert.That(result.Error, Is.EqualTo(FsError.None));
                Assert.That(cache.TryGet(blockRef, BlockMagic.Bloom, out lease), Is.True);
            }

            Assert.That(lease.Bytes[100], Is.EqualTo((byte)blkno));
            lease.Dispose();
        }
    }

    [Test]
    public async Task Dispose_WhileReadingAhead_FreesWhenTheReadIsDone()
    {
        var device = new GatedDevice(_device);
        Write(5, seq: 1, fill: 1);
        var cache = new BlockCache(device, 4, Fsid, MetaBlocks, AcceptAll);
        cache.Prefetch(new BlockRef(5, 1), BlockMagic.Bloom);

        cache.Dispose();
        device.Gate.SetResult();
        await device.LastRead;

        Assert.That(cache.LeasesOut, Is.Zero);
    }

    [Test]
    public async Task Prefetch_MoreThanFits_LeavesRoomForLoads()
    {
        var device = new GatedDevice(_device);
        for (ulong blkno = 2; blkno < 12; blkno++)
            Write(blkno, seq: 1, fill: 1);
        using var cache = new BlockCache(device, 8, Fsid, MetaBlocks, AcceptAll);
        for (ulong blkno = 2; blkno < 11; blkno++)
            cache.Prefetch(new BlockRef(blkno, 1), BlockMagic.Bloom);

        var load = cache.LoadAsync(new BlockRef(11, 1), BlockMagic.Bloom, CancellationToken.None);
        device.Gate.SetResult();

        Assert.That((await load).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task LoadAsync_OneOfTwoWaitersCancelled_TheOtherGetsTheBlock()
    {
        var device = new GatedDevice(_device);
        Write(5, seq: 1, fill: 1);
        using var cache = new BlockCache(device, 4, Fsid, MetaBlocks, AcceptAll);
        using var cancellation = new CancellationTokenSource();
        var first = cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, cancellation.Token);
        var second = cache.LoadAsync(new BlockRef(5, 1), BlockMagic.Bloom, CancellationToken.None);
        await cancellation.CancelAsync();

        device.Gate.SetResult();

        Assert.That((await second).Error, Is.EqualTo(FsError.None));
        Assert.That((await first).Error, Is.EqualTo(FsError.None));
    }

    private static Corruption AcceptAll(BlockMagic magic, ReadOnlySpan<byte> block) => default;

    private BlockCache NewCache(int capacity) => new(_device, capacity, Fsid, MetaBlocks, AcceptAll);

    private void Write(ulong blkno, ulong seq, byte fill, int damagedByte = -1)
    {
        var block = new byte[FormatConstants.LargeBlockBytes];
        block.AsSpan(40).Fill(fill);
        ref var header = ref Disk.Ref<BlockHeader>(block.AsSpan());
        header.Magic = (uint)BlockMagic.Bloom;
        header.Fsid = Fsid;
        header.Seq = seq;
        header.Blkno = blkno;
        if (damagedByte > 0)
            block[damagedByte] ^= 0x40;
        header.Crc = Crc32C.Compute(block.AsSpan(4));
        if (damagedByte == 0)
            block[0] ^= 0x40;
        var write = _device.WriteAsync(
            (long)blkno * FormatConstants.LargeBlockBytes, block.AsMemory(), CancellationToken.None);
        Invariant.Require(write.IsCompletedSuccessfully);
    }

    // Reads wait at a gate.
    private sealed class GatedDevice : IBlockDevice
    {
        private readonly IBlockDevice _inner;

        public GatedDevice(IBlockDevice inner) => _inner = inner;

        public TaskCompletionSource Gate { get; } = new();

        public Task LastRead { get; private set; } = Task.CompletedTask;

        public string Name => _inner.Name;

        public long SizeBytes => _inner.SizeBytes;

        public bool IsWritable => false;

        public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var read = ReadGatedAsync(offsetBytes, buffer, cancellationToken);
            LastRead = read;
            return new ValueTask<FsError>(read);
        }

        public ValueTask<FsError> ReadAsync(
            long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
            _inner.ReadAsync(offsetBytes, buffers, cancellationToken);

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) =>
            new(FsError.ReadOnly);

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken) =>
            new(FsError.ReadOnly);

        public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken) => new(FsError.None);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private async Task<FsError> ReadGatedAsync(
            long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            await Gate.Task;
            return await _inner.ReadAsync(offsetBytes, buffer, cancellationToken);
        }
    }
}
