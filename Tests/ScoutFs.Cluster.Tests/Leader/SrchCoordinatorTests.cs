using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Srch compactions of a leader with mounts as workers; the volume is checked on the way.</summary>
internal sealed class SrchCoordinatorTests
{
    private const int EntriesPerLog = 60_000;

    [Test]
    public async Task Compactions_OfManyLogs_EndInOneClassAndLoseNoBlock([Values(1UL, 2UL)] ulong seed)
    {
        await using var world = await LeaderWorld.CreateAsync(600_000, seed: seed);
        var mounts = new List<TestMount> { await world.MountAsync(1), await world.MountAsync(2) };
        await WriteLogsAsync(world, mounts, logs: 16);
        Assert.That(Count(await ReadItemsAsync(world), KeyType.SrchLog), Is.EqualTo(16));
        using var compaction = new Compaction(world, 512);
        await compaction.RunAsync([1, 2]);
        var items = await ReadItemsAsync(world);
        Assert.That(items.Select(item => item.Type), Is.All.EqualTo(KeyType.SrchSorted));
        Assert.That(items, Has.Count.LessThan(4));
        await world.CheckAsync();
    }

    [Test]
    public async Task Compactions_WithLostLeadersErrorsAndFencedMounts_LoseNoBlock([Values(1UL, 2UL, 3UL)] ulong seed)
    {
        await using var world = await LeaderWorld.CreateAsync(600_000, seed: seed);
        var mounts = new List<TestMount> { await world.MountAsync(1), await world.MountAsync(2) };
        await WriteLogsAsync(world, mounts, logs: 16);
        using var compaction = new Compaction(world, 40);
        for (ulong rid = 3; rid < 12; rid++)
        {
            _ = await world.MountAsync(rid);
            await compaction.RunAsync([rid], restartInEight: 2, failInEight: 2, steps: 3);

            // Gone in the middle of something: the next one goes on with what was stored.
            _ = await world.Leader.GetSrchCompactAsync(rid, CancellationToken.None);
            Assert.That(await world.Leader.ReclaimAsync(rid), Is.EqualTo(FsError.None));
            Assert.That(Count(await ReadItemsAsync(world), KeyType.SrchBusy), Is.Zero);
            await world.CheckAsync();
        }

        await compaction.RunAsync([1, 2], restartInEight: 1);
        var items = await ReadItemsAsync(world);
        Assert.That(items.Select(item => item.Type), Is.All.EqualTo(KeyType.SrchSorted));
        await world.CheckAsync();
    }

    [Test]
    public async Task GetCompact_AskedAgain_AnswersTheSameAndNothingIsNoError([Values] bool restart)
    {
        await using var world = await LeaderWorld.CreateAsync(600_000);
        var mounts = new List<TestMount> { await world.MountAsync(1), await world.MountAsync(2) };
        var (error, first) = await world.Leader.GetSrchCompactAsync(1, CancellationToken.None);
        Assert.That((error, first.Nr), Is.EqualTo((FsError.None, (byte)0)));
        await WriteLogsAsync(world, mounts, logs: 4);
        (_, first) = await world.Leader.GetSrchCompactAsync(1, CancellationToken.None);
        Assert.That((first.Nr, first.Flags), Is.EqualTo(((byte)4, SrchCompact.FlagLog)));
        Assert.That(first.MetaAvail.TotalNr.Value, Is.EqualTo(8185));
        if (restart)
            await world.RestartAsync();
        (_, var second) = await world.Leader.GetSrchCompactAsync(1, CancellationToken.None);
        Assert.That(Disk.Bytes(in second).SequenceEqual(Disk.Bytes(in first)), Is.True);
        (_, var other) = await world.Leader.GetSrchCompactAsync(2, CancellationToken.None);
        Assert.That(other.Nr, Is.Zero, "its inputs are busy");
        await world.CheckAsync();
    }

    [Test]
    public async Task CommitCompact_OfNothingOrSomethingElse_IsRefused()
    {
        await using var world = await LeaderWorld.CreateAsync(600_000);
        var mounts = new List<TestMount> { await world.MountAsync(1), await world.MountAsync(2) };
        await WriteLogsAsync(world, mounts, logs: 4);
        var (_, compact) = await world.Leader.GetSrchCompactAsync(1, CancellationToken.None);
        var wrong = compact;
        wrong.Id = 1;
        Assert.That(await CommitAsync(1, wrong), Is.EqualTo(FsError.NotFound));
        Assert.That(await CommitAsync(2, compact), Is.EqualTo(FsError.NotFound));
        wrong = compact;
        wrong.Flags = SrchCompact.FlagDelete | SrchCompact.FlagDone;
        Assert.That(await CommitAsync(1, wrong), Is.EqualTo(FsError.Invalid));
        await world.CheckAsync();

        ValueTask<FsError> CommitAsync(ulong rid, SrchCompact result) =>
            world.Leader.CommitSrchCompactAsync(rid, result, CancellationToken.None);
    }

    // Logs in which every entry is there twice, though seldom in logs that meet: no xattr goes with them.
    private static async Task WriteLogsAsync(LeaderWorld world, List<TestMount> mounts, int logs)
    {
        var prng = world.Prng.Fork("entries");
        var halves = new List<List<SrchEntry>>();
        for (int i = 0; i < logs / 2; i++)
        {
            var entries = new List<SrchEntry>();
            for (int j = 0; j < EntriesPerLog; j++)
                entries.Add(new SrchEntry(prng.NextUInt64(), prng.NextUInt64(), prng.NextUInt64(100)));
            halves.Add(entries);
        }

        for (int i = 0; i < logs; i++)
        {
            var mount = mounts[i % mounts.Count];
            Assert.That(await mount.OpenAsync(world.Leader), Is.EqualTo(FsError.None));
            await mount.WriteSrchAsync(halves[i % halves.Count]);
            Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        }
    }

    private static int Count(List<ItemKey> items, byte type) => items.Count(key => key.Type == type);

    private static async Task<List<ItemKey>> ReadItemsAsync(LeaderWorld world)
    {
        var super = world.Leader.Super;
        using var cache = new BlockCache(world.Meta, 16, super.Header.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
        using var cursor = new BtreeCursor(cache);
        cursor.SetRoot(super.SrchRoot);
        var keys = new List<ItemKey>();
        var status = await cursor.SeekAsync(ItemKey.Min, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None))
            keys.Add(cursor.Key);
        return keys;
    }

    private sealed class Compaction : IDisposable
    {
        private readonly LeaderWorld _world;
        private readonly BlockCache _cache;
        private readonly Prng _prng;
        private readonly SrchCompactor _compactor;

        public Compaction(LeaderWorld world, int maxDirtyBlocks)
        {
            var super = world.Leader.Super;
            _world = world;
            _prng = world.Prng.Fork("compaction");
            _cache = new BlockCache(world.Meta, 64, super.Header.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
            _compactor = new SrchCompactor(world.Meta, _cache, _prng.Fork("worker"), maxDirtyBlocks, 30);
        }

        public async Task RunAsync(
            ulong[] rids, int restartInEight = 0, int failInEight = 0, int steps = int.MaxValue)
        {
            int idle = 0;
            for (int step = 0; step < steps && idle < rids.Length; step++)
            {
                Assert.That(step, Is.LessThan(2000), "compactions end");
                ulong rid = rids[step % rids.Length];
                var (error, compact) = await _world.Leader.GetSrchCompactAsync(rid, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{_world.Leader.Fault}");
                idle = compact.Nr == 0 ? idle + 1 : 0;
                if (compact.Nr == 0)
                    continue;
                (compact, error, var fault) = await _compactor.RunAsync(compact, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
                if (_prng.NextInt32(8) < failInEight)
                    compact.Flags = (byte)(compact.Flags | SrchCompact.FlagError);
                if (_prng.NextInt32(8) < restartInEight)
                    await _world.RestartAsync();
                error = await _world.Leader.CommitSrchCompactAsync(rid, compact, CancellationToken.None);
                Assert.That(error, Is.EqualTo(FsError.None), $"{_world.Leader.Fault}");
                if (_prng.NextInt32(8) < restartInEight)
                {
                    await _world.RestartAsync();
                    error = await _world.Leader.CommitSrchCompactAsync(rid, compact, CancellationToken.None);
                    Assert.That(error, Is.EqualTo(FsError.NotFound));
                }
            }
        }

        public void Dispose() => _cache.Dispose();
    }
}
