using System;
using System.Collections.Generic;
using System.Linq;
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
/// Blocks that go from trees into lists, from list to list and back: each stays in exactly one place.
/// </summary>
public sealed class ListTransferModelTests
{
    private const ulong Fsid = 53;
    private const int MetaBlocks = 60_000;

    [Test]
    public async Task RandomMoves_OverManyTransactions_LoseNoBlock([Values(1UL, 2UL, 3UL)] ulong seed)
    {
        using var world = new World(seed);
        for (int transaction = 0; transaction < 40; transaction++)
            await world.RunTransactionAsync();
        await world.DrainAllAsync();
    }

    private sealed class World : IDisposable
    {
        private const int Lists = 3;
        private const int PoolBlocks = 8000;

        private readonly MemoryBlockDevice _device =
            new("meta", (long)MetaBlocks * FormatConstants.LargeBlockBytes);

        private readonly Prng _prng;
        private readonly BlockCache _cache;
        private readonly BlockWriter _writer;
        private readonly AllocListHead[] _lists = new AllocListHead[Lists];
        private AllocListHead _avail;
        private AllocListHead _freed;
        private AllocListHead _idleAvail;
        private AllocListHead _idleFreed;
        private AllocRoot _root;
        private int _countBlocks;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            _cache = new BlockCache(_device, 64, Fsid, MetaBlocks, BtreeShape.Verify);
            _writer = new BlockWriter(_device, 2000, Fsid, _prng.Fork("blocks"));
            WriteFirstList();
            _countBlocks = PoolBlocks + 1;
        }

        public async Task RunTransactionAsync()
        {
            var (error, allocator, fault) = await ListAllocator.OpenAsync(
                _cache, _writer, _avail, _freed, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
            using (var extents = new ExtentAllocator(_cache, _writer, allocator!))
            {
                var transfer = new ListTransfer(_cache, _writer, allocator!, extents);
                if (_countBlocks < 40_000)
                    await AddExtentAsync(extents);
                for (int i = 0; i < 6; i++)
                    await MoveAsync(transfer);
                await RefillPoolAsync(allocator!, transfer);
            }

            Assert.That(await _writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
            _writer.MoveTo(_cache);
            if (_prng.NextInt32(4) == 0)
                _cache.DropClean();
            (_avail, _freed) = (allocator!.Avail, allocator.Freed);
            RotatePool();
            await CheckPlacesAsync();
        }

        public async Task DrainAllAsync()
        {
            for (int i = 0; i < 60 && _lists.Any(list => !list.Ref.IsNone); i++)
            {
                var (_, allocator, _) = await ListAllocator.OpenAsync(
                    _cache, _writer, _avail, _freed, CancellationToken.None);
                using (var extents = new ExtentAllocator(_cache, _writer, allocator!))
                {
                    var transfer = new ListTransfer(_cache, _writer, allocator!, extents);
                    for (int list = 0; list < Lists; list++)
                        await DrainAsync(transfer, list, budgetBlocks: 300);
                    await RefillPoolAsync(allocator!, transfer);
                }

                Assert.That(await _writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
                _writer.MoveTo(_cache);
                (_avail, _freed) = (allocator!.Avail, allocator.Freed);
                RotatePool();
                await CheckPlacesAsync();
            }

            Assert.That(_lists.Select(list => list.TotalNr.Value), Is.All.Zero);
        }

        public void Dispose()
        {
            _writer.Dispose();
            _cache.Dispose();
        }

        // Blocks that were not there before: as if the device grew.
        private async Task AddExtentAsync(ExtentAllocator extents)
        {
            ulong start = (ulong)_countBlocks + 2;
            ulong count = 1 + _prng.NextUInt64(9000);
            (var error, _root) = await extents.InsertAsync(
                _root, new FreeExtent(start, count), CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{extents.Fault}");
            _countBlocks += (int)count;
        }

        private async Task MoveAsync(ListTransfer transfer)
        {
            int index = _prng.NextInt32(Lists);
            switch (_prng.NextInt32(4))
            {
                case 0:
                    (var error, _lists[index], _root) = await transfer.FillAsync(
                        _lists[index], _root, 1 + _prng.NextInt32(8185), CancellationToken.None);
                    Assert.That(error, Is.EqualTo(FsError.None), $"{transfer.Fault}");
                    break;
                case 1:
                    int onto = (index + 1) % Lists;
                    (error, _lists[onto]) = await transfer.SpliceAsync(
                        _lists[index], _lists[onto], CancellationToken.None);
                    Assert.That(error, Is.EqualTo(FsError.None), $"{transfer.Fault}");
                    _lists[index] = default;
                    break;
                case 2:
                    (error, _lists[index]) = await transfer.ShareAsync(
                        _lists[index], _prng.NextInt32(200), CancellationToken.None);
                    Assert.That(error, Is.EqualTo(FsError.None), $"{transfer.Fault}");
                    break;
                default:
                    await DrainAsync(transfer, index, 20 + _prng.NextInt32(300));
                    break;
            }
        }

        private async Task DrainAsync(ListTransfer transfer, int index, int budgetBlocks)
        {
            (var error, _lists[index], _root) = await transfer.DrainAsync(
                _lists[index], _root, budgetBlocks, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{transfer.Fault}");
        }

        // As a server does: what one transaction freed is drained in a later one, while another list is in use.
        private async Task RefillPoolAsync(ListAllocator allocator, ListTransfer transfer)
        {
            if (allocator.AvailableBlocks < 2000 || _idleFreed.TotalNr > 1000)
            {
                (var error, _idleFreed, _root) = await transfer.DrainAsync(
                    _idleFreed, _root, 400, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{transfer.Fault}");
            }

            (var filled, _idleAvail, _root) = await transfer.FillAsync(
                _idleAvail, _root, 4000, CancellationToken.None);
            Assert.That(filled, Is.EqualTo(FsError.None), $"{transfer.Fault}");
        }

        private void RotatePool()
        {
            if (_idleAvail.FirstNr < 2000)
                return;
            (_avail, _idleAvail) = (_idleAvail, _avail);
            (_freed, _idleFreed) = (_idleFreed, _freed);
        }

        private async Task CheckPlacesAsync()
        {
            var places = new List<ulong>();
            foreach (var head in _lists.Append(_avail).Append(_freed).Append(_idleAvail).Append(_idleFreed))
                await CollectListAsync(head, places);
            await CollectTreeAsync(_root.Root.Ref, _root.Root.Height - 1, places);
            ulong free = 0;
            using var cursor = new BtreeCursor(_cache);
            cursor.SetRoot(_root.Root);
            for (var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);
                status == BtreeStatus.Found && cursor.Key.Zone == KeyZone.FreeByLocation;
                status = await cursor.MoveNextAsync(CancellationToken.None))
            {
                var extent = FreeExtent.FromLocationKey(cursor.Key);
                free += extent.Count;
                for (ulong blkno = extent.Start; blkno < extent.End; blkno++)
                    places.Add(blkno);
            }

            Assert.That(_root.TotalLen.Value, Is.EqualTo(free));
            Assert.That(places.Distinct().Count(), Is.EqualTo(places.Count), "no block twice");
            Assert.That(places, Has.Count.EqualTo(_countBlocks), "no block lost");
        }

        private async Task CollectListAsync(AllocListHead head, List<ulong> places)
        {
            ulong total = 0;
            var block = new byte[FormatConstants.LargeBlockBytes];
            for (var blockRef = head.Ref; !blockRef.IsNone; blockRef = Disk.Ref<AllocListBlock>(block).Next)
            {
                await ReadAsync(blockRef, BlockMagic.AllocList, block);
                places.Add(blockRef.Blkno);
                var list = Disk.Ref<AllocListBlock>(block);
                for (uint i = 0; i < list.Nr; i++)
                    places.Add(ListAllocator.Entries(block)[(int)(list.Start + i)]);
                if (total == 0 && blockRef.SameAs(head.Ref))
                    Assert.That(list.Nr.Value, Is.EqualTo(head.FirstNr.Value));
                total += list.Nr;
            }

            Assert.That(head.TotalNr.Value, Is.EqualTo(total));
        }

        private async Task CollectTreeAsync(BlockRef blockRef, int level, List<ulong> places)
        {
            if (level < 0)
                return;
            var block = new byte[FormatConstants.LargeBlockBytes];
            await ReadAsync(blockRef, BlockMagic.Btree, block);
            places.Add(blockRef.Blkno);
            if (level == 0)
                return;
            foreach (var child in Children(block))
                await CollectTreeAsync(child, level - 1, places);
        }

        private static List<BlockRef> Children(byte[] bytes)
        {
            var block = new BtreeBlock(bytes);
            var children = new List<BlockRef>();
            for (int offset = block.First(); offset != 0; offset = block.Next(offset))
                children.Add(Disk.Ref<BlockRef>(block.Value(block.Item(offset))));
            return children;
        }

        private async Task ReadAsync(BlockRef blockRef, BlockMagic magic, byte[] block)
        {
            _ = await _device.ReadAsync(
                (long)(blockRef.Blkno * FormatConstants.LargeBlockBytes), block, CancellationToken.None);
            Assert.That(BlockCache.VerifyHeader(block, blockRef, magic, Fsid).IsFound, Is.False);
        }

        private void WriteFirstList()
        {
            var block = new byte[FormatConstants.LargeBlockBytes];
            ref var list = ref Disk.Ref<AllocListBlock>(block.AsSpan());
            list.Header.Magic = (uint)BlockMagic.AllocList;
            list.Header.Fsid = Fsid;
            list.Header.Seq = 1;
            list.Header.Blkno = 2;
            list.Nr = PoolBlocks;
            for (int i = 0; i < PoolBlocks; i++)
                ListAllocator.Entries(block)[i] = 3 + (ulong)i;
            list.Header.Crc = Crc32C.Compute(block.AsSpan(4));
            var write = _device.WriteAsync(2 * FormatConstants.LargeBlockBytes, block, CancellationToken.None);
            Invariant.Require(write.IsCompletedSuccessfully);
            _avail = new AllocListHead { Ref = new BlockRef(2, 1), TotalNr = PoolBlocks, FirstNr = PoolBlocks };
        }
    }
}
