using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Allocation;

/// <summary>List and extent allocators over many transactions: no block is lost, none is used twice.</summary>
public sealed class AllocatorModelTests
{
    private const int MetaBlocks = 20_000;

    [Test]
    public async Task ExtentTrees_RandomChangesOverManyTransactions_AgreeWithASet([Values(1UL, 2UL, 3UL)] ulong seed)
    {
        using var world = new World(seed);
        for (int transaction = 0; transaction < 60; transaction++)
            await world.RunTransactionAsync(changes: 60);
        await world.CheckAsync();
    }

    private sealed class World : IDisposable
    {
        private const int PoolBlocks = 4000;

        private readonly Prng _prng;
        private readonly ListWorld _lists;
        private readonly HashSet<ulong> _free = [];
        private AllocRoot _root;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            _lists = new ListWorld(MetaBlocks, PoolBlocks, _prng.Fork("blocks"));
        }

        public async Task RunTransactionAsync(int changes)
        {
            var allocator = await _lists.OpenAsync();
            using (var extents = new ExtentAllocator(_lists.Cache, _lists.Writer, allocator))
            {
                for (int i = 0; i < changes; i++)
                {
                    if (_prng.NextInt32(3) != 0)
                        await InsertAsync(extents);
                    else
                        await TakeAsync(extents);
                }
            }

            await _lists.WriteAsync(allocator);
            _lists.Writer.Forget();
            await CheckListsAsync();
        }

        public async Task CheckAsync()
        {
            using var cursor = new BtreeCursor(_lists.Cache);
            cursor.SetRoot(_root.Root);
            var bySize = new HashSet<FreeExtent>();
            var byLocation = new List<FreeExtent>();
            for (var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);
                status == BtreeStatus.Found;
                status = await cursor.MoveNextAsync(CancellationToken.None))
            {
                if (cursor.Key.Zone == KeyZone.FreeByLocation)
                    byLocation.Add(FreeExtent.FromLocationKey(cursor.Key));
                else
                    bySize.Add(FreeExtent.FromSizeKey(cursor.Key));
            }

            Assert.That(bySize.SetEquals(byLocation), Is.True);
            Assert.That(_root.TotalLen.Value, Is.EqualTo((ulong)_free.Count));
            var blocks = byLocation.SelectMany(e => Enumerable.Range(0, (int)e.Count).Select(i => e.Start + (ulong)i));
            Assert.That(_free.SetEquals(blocks), Is.True);
            for (int i = 1; i < byLocation.Count; i++)
                Assert.That(byLocation[i].Start, Is.GreaterThan(byLocation[i - 1].End), "neighbours are merged");
        }

        public void Dispose() => _lists.Dispose();

        private async Task InsertAsync(ExtentAllocator extents)
        {
            var extent = new FreeExtent(64 + _prng.NextUInt64(20_000), 1 + _prng.NextUInt64(12));
            var blocks = Enumerable.Range(0, (int)extent.Count).Select(i => extent.Start + (ulong)i).ToList();
            bool overlaps = blocks.Exists(_free.Contains);
            if (overlaps)
                return;
            (var error, _root) = await extents.InsertAsync(_root, extent, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{extents.Fault}");
            _free.UnionWith(blocks);
        }

        private async Task TakeAsync(ExtentAllocator extents)
        {
            (var error, _root, var taken) = await extents.TakeAsync(
                _root, 1 + _prng.NextUInt64(9), CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{extents.Fault}");
            Assert.That(taken.Count == 0, Is.EqualTo(_free.Count == 0));
            for (ulong blkno = taken.Start; blkno < taken.End; blkno++)
                Assert.That(_free.Remove(blkno), Is.True);
        }

        // Every block of the pool is in exactly one place: a list's entry, a list block or the tree.
        private async Task CheckListsAsync()
        {
            var places = _lists.NewPlaces();
            await places.AddListAsync(_lists.Avail);
            await places.AddListAsync(_lists.Freed);
            await places.AddTreeAsync(_root.Root);
            places.AssertEachOnce(PoolBlocks + 1);
        }
    }
}
