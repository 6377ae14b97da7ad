using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Leader;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Whole log merges of a leader with mounts as workers; the volume is checked on the way.</summary>
internal sealed class LogMergeCoordinatorTests
{
    [Test]
    public async Task Merge_OfSeveralMounts_KeepsEveryItemAndBlock([Values(1UL, 2UL)] ulong seed)
    {
        await using var world = await LeaderWorld.CreateAsync(600_000, seed: seed);
        var mounts = await MountAsync(world, 3);
        for (int round = 0; round < 3; round++)
        {
            foreach (var mount in mounts)
                await mount.RunAsync(world.Leader, 300, round * 100);
            await StartMergeAsync(world, mounts);
            uint before = await FingerprintAsync(world);
            using var workers = new Workers(world, mounts);
            await workers.RunAsync();
            Assert.That(await FingerprintAsync(world), Is.EqualTo(before), "the merge changes nothing that is seen");
            await AssertMergedAsync(world);
        }
    }

    [Test]
    public async Task Merge_IntoATreeOfThreeLevels_HandsOutPartsThatGoOn()
    {
        await using var world = await LeaderWorld.CreateAsync(600_000, 12_000_000);
        var mounts = await MountAsync(world, 3);
        for (int i = 0; i < 18; i++)
            await mounts[i % 3].RunAsync(world.Leader, 1000, 0, blocksPerFile: 250);
        await StartMergeAsync(world, mounts);
        using (var workers = new Workers(world, mounts))
            await workers.RunAsync();
        Assert.That(world.Leader.Super.FsRoot.Height, Is.EqualTo(3));
        await AssertMergedAsync(world);

        // Few dirty blocks a request, so that parts come back unfinished.
        await mounts[0].RunAsync(world.Leader, 0, 2000);
        await mounts[1].RunAsync(world.Leader, 1000, 0);
        await mounts[2].RunAsync(world.Leader, 100, 0);
        await StartMergeAsync(world, mounts);
        uint before = await FingerprintAsync(world);
        using (var workers = new Workers(world, mounts, maxDirtyBlocks: 12))
        {
            await workers.RunAsync(together: 3);
            Assert.That(workers.MostRequests, Is.GreaterThan(1), "parts are worked on side by side");
            Assert.That(workers.Remains, Is.Positive);
        }

        Assert.That(await FingerprintAsync(world), Is.EqualTo(before));
        await AssertMergedAsync(world);
    }

    [Test]
    public async Task Merge_WithLostLeadersErrorsAndFencedMounts_KeepsEveryItemAndBlock(
        [Values(1UL, 2UL, 3UL, 4UL)] ulong seed)
    {
        await using var world = await LeaderWorld.CreateAsync(600_000, seed: seed);
        var mounts = await MountAsync(world, 4);
        await mounts[0].RunAsync(world.Leader, 400, 0, blocksPerFile: 250);
        await mounts[3].RunAsync(world.Leader, 200, 0);
        await StartMergeAsync(world, mounts);
        uint before = await FingerprintAsync(world);
        using (var workers = new Workers(world, mounts, maxDirtyBlocks: 20))
        {
            await workers.RunAsync(restartInEight: 3, failInEight: 2);
            await world.CheckAsync();
        }

        Assert.That(await FingerprintAsync(world), Is.EqualTo(before));
        await AssertMergedAsync(world);
    }

    [Test]
    public async Task GetLogMerge_AskedAgain_AnswersTheSameRequest([Values] bool restart)
    {
        await using var world = await LeaderWorld.CreateAsync(600_000);
        var mounts = await MountAsync(world, 1);
        await mounts[0].RunAsync(world.Leader, 100, 0);
        await StartMergeAsync(world, mounts);
        var (error, first) = await world.Leader.GetLogMergeAsync(1, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
        if (restart)
            await world.RestartAsync();
        (error, var second) = await world.Leader.GetLogMergeAsync(1, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(Disk.Bytes(in second).ToArray(), Is.EqualTo(Disk.Bytes(in first).ToArray()));
        await world.CheckAsync();

        // Fenced: the range is to be merged again, the blocks are free.
        Assert.That(await world.Leader.ReclaimAsync(1), Is.EqualTo(FsError.None));
        await world.CheckAsync();
        var other = await world.MountAsync(2);
        using var workers = new Workers(world, [other]);
        await workers.RunAsync();
        await AssertMergedAsync(world, finalized: 1);
    }

    [Test]
    public async Task CommitLogMerge_Repeated_IsNotFoundAndHarmless()
    {
        await using var world = await LeaderWorld.CreateAsync(600_000);
        var mounts = await MountAsync(world, 1);
        await mounts[0].RunAsync(world.Leader, 100, 0);
        Assert.That(
            (await world.Leader.GetLogMergeAsync(1, CancellationToken.None)).Error, Is.EqualTo(FsError.NotFound));
        await StartMergeAsync(world, mounts);
        using var workers = new Workers(world, mounts);
        var (_, request) = await world.Leader.GetLogMergeAsync(1, CancellationToken.None);
        var complete = await workers.WorkAsync(1, request);
        var wrong = complete;
        wrong.End = ItemKey.Min;
        Assert.That(
            await world.Leader.CommitLogMergeAsync(1, wrong, CancellationToken.None), Is.EqualTo(FsError.Invalid));
        Assert.That(
            await world.Leader.CommitLogMergeAsync(1, complete, CancellationToken.None), Is.EqualTo(FsError.None));
        await world.RestartAsync();
        Assert.That(
            await world.Leader.CommitLogMergeAsync(1, complete, CancellationToken.None), Is.EqualTo(FsError.NotFound));
        await workers.RunAsync();
        await AssertMergedAsync(world);
    }

    [Test]
    public async Task Freeing_LeftByALostLeader_GoesOnWithItsSuccessor()
    {
        await using var world = await LeaderWorld.CreateAsync(600_000);
        var mounts = await MountAsync(world, 1);
        await mounts[0].RunAsync(world.Leader, 1000, 0, blocksPerFile: 250);
        await StartMergeAsync(world, mounts);
        using (var workers = new Workers(world, mounts))
            await workers.RunAsync(waitForFreeing: false);

        // Each commit is an occasion to be lost.
        for (int i = 0; i < 4; i++)
        {
            await world.RestartAsync();
            await world.CheckAsync();
        }

        await world.Leader.LogFreeing.Idle;
        await AssertMergedAsync(world);
    }

    private static async Task<List<TestMount>> MountAsync(LeaderWorld world, int count)
    {
        world.Options = world.Options with { LogMergeWait = TimeSpan.FromMinutes(1) };
        await world.RestartAsync();
        var mounts = new List<TestMount>();
        for (int i = 1; i <= count; i++)
            mounts.Add(await world.MountAsync((ulong)i));
        return mounts;
    }

    // Everybody asks for the next transaction: all finalise, and the last one starts the merge.
    private static async Task StartMergeAsync(LeaderWorld world, List<TestMount> mounts)
    {
        world.Leader.MergeStart.ForceFinalize = true;
        var errors = await Task.WhenAll(mounts.Select(mount => mount.OpenAsync(world.Leader)));
        Assert.That(errors, Is.All.EqualTo(FsError.None));
        foreach (var mount in mounts)
        {
            await mount.WriteAsync(world.Leader, 5, 3);
            Assert.That(await mount.CommitAsync(world.Leader), Is.EqualTo(FsError.None));
        }

        var (error, status) = await world.Leader.Commit.InspectAsync<LogMergeStatus>(
            () => new LeaderTransaction(world.Leader.Commit).ReadAsync<LogMergeStatus>(
                LeaderTree.LogMerge, new ItemKey(KeyZone.MergeStatus, 0, 0)),
            CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None), "a merge runs");
        Assert.That(status.Seq.Value, Is.Positive);
    }

    // Trees finalised since the merge began are the next one's.
    private static async Task AssertMergedAsync(LeaderWorld world, int finalized = 0)
    {
        await world.Leader.LogFreeing.Idle;
        Assert.That(world.Leader.Super.LogMerge.IsEmpty, Is.True, "no item of a merge is left");
        Assert.That(
            world.Leader.Commit.Stable.Logs.Values.Count(log => log.IsFinalized), Is.EqualTo(finalized));
        await world.CheckAsync();
    }

    // What readers see of the committed state.
    private static async Task<uint> FingerprintAsync(LeaderWorld world)
    {
        var super = world.Leader.Super;
        using var cache = new BlockCache(
            world.Meta, 128, super.Header.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
        var (roots, error, fault) = await ForestRoots.LoadAsync(
            cache, super.FsRoot, super.LogsRoot, super.LogMerge, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
        using var cursor = new ForestCursor(cache, roots!);
        var bytes = new byte[36 + FormatConstants.MaxValueBytes];
        uint sum = 0;
        var status = await cursor.SeekAsync(ItemKey.Min, ItemKey.Max, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None))
            sum = Add(sum);
        Assert.That(status, Is.EqualTo(BtreeStatus.End), $"{cursor.Fault}");
        return sum;

        uint Add(uint before)
        {
            var key = cursor.Key;
            Disk.Ref<Le32>(bytes.AsSpan()) = before;
            Disk.Bytes(in key).CopyTo(bytes.AsSpan(4));
            cursor.Value.CopyTo(bytes.AsSpan(36));
            return Crc32C.Compute(bytes.AsSpan(0, 36 + cursor.Value.Length));
        }
    }

    /// <summary>The merge workers of some mounts, with whatever goes wrong with them.</summary>
    private sealed class Workers : IDisposable
    {
        private readonly LeaderWorld _world;
        private readonly List<TestMount> _mounts;
        private readonly BlockCache _cache;
        private readonly Prng _prng;
        private readonly LogMergeWorker _worker;

        public Workers(LeaderWorld world, List<TestMount> mounts, int maxDirtyBlocks = 1024)
        {
            var super = world.Leader.Super;
            _world = world;
            _mounts = mounts;
            _prng = world.Prng.Fork($"workers {super.Seq.Value}");
            _cache = new BlockCache(world.Meta, 128, super.Header.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
            _worker = new LogMergeWorker(world.Meta, _cache, _prng.Fork("worker"), maxDirtyBlocks);
        }

        public int Remains { get; private set; }

        public int MostRequests { get; private set; }

        public async Task<LogMergeComplete> WorkAsync(ulong rid, LogMergeRequest request)
        {
            Assert.That(request.Rid.Value, Is.EqualTo(rid));
            var (complete, error, fault) = await _worker.RunAsync(request, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
            Remains += complete.Flags == LogMergeComplete.FlagRemain ? 1 : 0;
            return complete;
        }

        public async Task RunAsync(
            int together = 1, int restartInEight = 0, int failInEight = 0, bool waitForFreeing = true)
        {
            for (int round = 0; ; round++)
            {
                Assert.That(round, Is.LessThan(3000), "the merge goes on");
                var requests = new List<(ulong Rid, LogMergeRequest Request)>();
                for (int i = 0; i < together; i++)
                {
                    ulong rid = _mounts[(round + i) % _mounts.Count].Rid;
                    var (error, request) = await _world.Leader.GetLogMergeAsync(rid, CancellationToken.None);
                    Assert.That(error, Is.AnyOf(FsError.None, FsError.NotFound), $"{_world.Leader.Fault}");
                    if (error == FsError.None)
                        requests.Add((rid, request));
                }

                MostRequests = Math.Max(MostRequests, requests.Count);
                if (requests.Count == 0)
                    break;
                CheckDisjoint(requests);
                foreach (var (rid, request) in requests)
                    await EndAsync(rid, request, restartInEight, failInEight);
            }

            if (waitForFreeing)
                await _world.Leader.LogFreeing.Idle;
        }

        public void Dispose() => _cache.Dispose();

        private async Task EndAsync(ulong rid, LogMergeRequest request, int restartInEight, int failInEight)
        {
            if (_prng.NextInt32(8) < restartInEight)
                await _world.RestartAsync();
            LogMergeComplete complete;
            if (_prng.NextInt32(8) < failInEight)
            {
                // Half done, and then forgotten: the blocks are written but belong to nobody.
                complete = await WorkAsync(rid, request);
                complete.Flags = LogMergeComplete.FlagError;
            }
            else
            {
                complete = await WorkAsync(rid, request);
            }

            Assert.That(
                await _world.Leader.CommitLogMergeAsync(rid, complete, CancellationToken.None),
                Is.EqualTo(FsError.None));
            if (_prng.NextInt32(8) < restartInEight)
            {
                await _world.RestartAsync();
                Assert.That(
                    await _world.Leader.CommitLogMergeAsync(rid, complete, CancellationToken.None),
                    Is.EqualTo(FsError.NotFound));
            }
        }

        private static void CheckDisjoint(List<(ulong Rid, LogMergeRequest Request)> requests)
        {
            var sorted = requests.Select(item => item.Request).OrderBy(request => request.Start).ToList();
            for (int i = 1; i < sorted.Count; i++)
            {
                Assert.That(sorted[i].Start, Is.GreaterThan(sorted[i - 1].End));
                Assert.That(sorted[i].Root.Ref.Blkno.Value, Is.Not.EqualTo(sorted[i - 1].Root.Ref.Blkno.Value));
            }
        }
    }
}
