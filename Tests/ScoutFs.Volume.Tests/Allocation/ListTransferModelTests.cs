using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Allocation;

/// <summary>
/// Blocks that go from trees into lists, from list to list and back: each stays in exactly one place.
/// </summary>
public sealed class ListTransferModelTests
{
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

        private readonly Prng _prng;
        private readonly ListWorld _pool;
        private readonly AllocListHead[] _lists = new AllocListHead[Lists];
        private AllocListHead _idleAvail;
        private AllocListHead _idleFreed;
        private AllocRoot _root;
        private int _countBlocks;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            _pool = new ListWorld(MetaBlocks, PoolBlocks, _prng.Fork("blocks"));
            _countBlocks = PoolBlocks + 1;
        }

        public async Task RunTransactionAsync()
        {
            var allocator = await _pool.OpenAsync();
            using (var extents = new ExtentAllocator(_pool.Cache, _pool.Writer, allocator))
            {
                var transfer = new ListTransfer(_pool.Cache, _pool.Writer, allocator, extents);
                if (_countBlocks < 40_000)
                    await AddExtentAsync(extents);
                for (int i = 0; i < 6; i++)
                    await MoveAsync(transfer);
                await RefillPoolAsync(allocator, transfer);
            }

            await _pool.WriteAsync(allocator);
            _pool.Writer.MoveTo(_pool.Cache);
            if (_prng.NextInt32(4) == 0)
                _pool.Cache.DropClean();
            RotatePool();
            await CheckPlacesAsync();
        }

        public async Task DrainAllAsync()
        {
            for (int i = 0; i < 60 && _lists.Any(list => !list.Ref.IsNone); i++)
            {
                var allocator = await _pool.OpenAsync();
                using (var extents = new ExtentAllocator(_pool.Cache, _pool.Writer, allocator))
                {
                    var transfer = new ListTransfer(_pool.Cache, _pool.Writer, allocator, extents);
                    for (int list = 0; list < Lists; list++)
                        await DrainAsync(transfer, list, budgetBlocks: 300);
                    await RefillPoolAsync(allocator, transfer);
                }

                await _pool.WriteAsync(allocator);
                _pool.Writer.MoveTo(_pool.Cache);
                RotatePool();
                await CheckPlacesAsync();
            }

            Assert.That(_lists.Select(list => list.TotalNr.Value), Is.All.Zero);
        }

        public void Dispose() => _pool.Dispose();

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
            (_pool.Avail, _idleAvail) = (_idleAvail, _pool.Avail);
            (_pool.Freed, _idleFreed) = (_idleFreed, _pool.Freed);
        }

        private async Task CheckPlacesAsync()
        {
            var places = _pool.NewPlaces();
            foreach (var head in _lists.Append(_pool.Avail).Append(_pool.Freed).Append(_idleAvail).Append(_idleFreed))
                await places.AddListAsync(head);
            await places.AddTreeAsync(_root.Root);
            ulong free = 0;
            using var cursor = new BtreeCursor(_pool.Cache);
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
            places.AssertEachOnce(_countBlocks);
        }
    }
}
