using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Sessions;

/// <summary>Mounts and a leader in one process: channel, link, session table, locks and open map together.</summary>
internal sealed class SessionTableTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private CancellationTokenSource _stopping = null!;
    private FakeLeader _leader = null!;
    private SessionTable _table = null!;

    [SetUp]
    public void StartLeader() => StartLeader(term: 3);

    [TearDown]
    public void StopLeader()
    {
        _table.Stop();
        _stopping.Dispose();
        Assert.That(_leader.Fault, Is.Null);
    }

    [Test]
    public async Task Calls_OfEveryKind_ReachTheLeaderAndComeBack()
    {
        var (mount, _) = await MountAsync(1);
        var channel = mount.Channel;
        var none = CancellationToken.None;
        var (error, trees) = await channel.GetLogTreesAsync(none);
        Assert.That((error, trees.Rid.Value, trees.Nr.Value), Is.EqualTo((FsError.None, 1UL, 5UL)));
        Assert.That(await channel.CommitLogTreesAsync(trees, none), Is.EqualTo(FsError.None));
        Assert.That((await channel.AllocateInodesAsync(10, none)).Range.Nr.Value, Is.EqualTo(10));
        Assert.That((await channel.GetRootsAsync(none)).Roots.FsRoot.Height, Is.EqualTo(3));
        Assert.That((await channel.GetLastSeqAsync(none)).Seq, Is.EqualTo(77));
        var (_, compact) = await channel.GetSrchCompactAsync(none);
        Assert.That(await channel.CommitSrchCompactAsync(compact, none), Is.EqualTo(FsError.None));
        Assert.That((await channel.GetLogMergeAsync(none)).Request.Seq.Value, Is.EqualTo(9));
        var complete = new LogMergeComplete { Seq = 9 };
        Assert.That(await channel.CommitLogMergeAsync(complete, none), Is.EqualTo(FsError.None));
        var (_, options) = await channel.GetVolumeOptionsAsync(none);
        Assert.That(await channel.SetVolumeOptionsAsync(options, none), Is.EqualTo(FsError.None));
        Assert.That(await channel.ClearVolumeOptionsAsync(options, none), Is.EqualTo(FsError.None));
        Assert.That(
            await channel.ResizeDevicesAsync(new WireResize { TotalMetaBlocks = 4 }, none), Is.EqualTo(FsError.None));
        Assert.That((await channel.StatFsAsync(none)).Counts.InodeCount.Value, Is.EqualTo(12));
        Assert.That(_leader.Calls, Is.EqualTo(new[]
        {
            "greet 1 term 0 flags 2 port 7", "get 1", "commit 1 5", "inodes 1", "roots 1", "last seq 1", "srch 1",
            "srch done 1 4", "merge 1", "merge done 1 9", "options 1", "set 1 1", "clear 1 1", "resize 1 4", "statfs 1",
        }));
    }

    [Test]
    public async Task Calls_ThatFail_SayWhy()
    {
        var (mount, _) = await MountAsync(1);
        _leader.Outcome = FsError.NoSpace;
        Assert.That((await mount.Channel.GetLogTreesAsync(default)).Error, Is.EqualTo(FsError.NoSpace));
        Assert.That(await mount.Channel.CommitLogTreesAsync(default, default), Is.EqualTo(FsError.NoSpace));
        _leader.Outcome = FsError.NotFound;
        Assert.That((await mount.Channel.GetLogMergeAsync(default)).Error, Is.EqualTo(FsError.NotFound));
    }

    [Test]
    public async Task Calls_Cancelled_EndAtOnceAndTheAnswerIsDropped()
    {
        var (mount, _) = await MountAsync(1);
        var gate = new TaskCompletionSource();
        _leader.Gate = gate.Task;
        using var cancel = new CancellationTokenSource();
        var call = mount.Channel.GetRootsAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        Assert.That((await call.WaitAsync(Patience)).Error, Is.EqualTo(FsError.Cancelled));
        gate.SetResult();
        Assert.That((await mount.Channel.StatFsAsync(default)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Isolate_WithCallsPending_EndsThemAndAllLaterOnes()
    {
        var (mount, link) = await MountAsync(1);
        _leader.Gate = new TaskCompletionSource().Task;
        var call = mount.Channel.GetRootsAsync(default).AsTask();
        var commit = mount.Channel.CommitLogTreesAsync(default, default).AsTask();
        mount.Channel.Isolate();
        Assert.That((await call.WaitAsync(Patience)).Error, Is.EqualTo(FsError.Isolated));
        Assert.That(await commit.WaitAsync(Patience), Is.EqualTo(FsError.Isolated));
        Assert.That((await mount.Channel.StatFsAsync(default)).Error, Is.EqualTo(FsError.Isolated));
        Assert.That(await mount.Channel.FarewellAsync(default), Is.EqualTo(FsError.Isolated));
        mount.RequestLock(0, LockMode.Read);
        await link.Completion.WaitAsync(Patience);
        Assert.That(_leader.Calls, Does.Contain("disconnected 1"));
        var again = InProcessLink.Connect(mount.Channel, _table.Accept(default));
        await again.Completion.WaitAsync(Patience);
        Assert.That(_leader.Calls.Count(call => call.StartsWith("greet", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    [Test]
    public async Task Locks_OfTwoMounts_ArePassedOn()
    {
        var (first, _) = await MountAsync(1);
        var (second, _) = await MountAsync(2);
        first.RequestLock(0, LockMode.Write);
        Assert.That(await first.NextAsync(), Is.EqualTo("grant 0 Null>Write"));
        first.AnswersAtOnce = false;
        second.RequestLock(0, LockMode.Read);
        Assert.That(await first.NextAsync(), Is.EqualTo("invalidate 0 Write>Read"));
        Assert.That(second.HasMore, Is.False);
        first.AnswerAll();
        Assert.That(await second.NextAsync(), Is.EqualTo("grant 0 Null>Read"));
    }

    [Test]
    public async Task Locks_OfAReclaimedMount_GoToTheNext()
    {
        var (first, _) = await MountAsync(1);
        var (second, _) = await MountAsync(2);
        first.RequestLock(0, LockMode.Write);
        await first.NextAsync();
        first.AnswersAtOnce = false;
        second.RequestLock(0, LockMode.Write);
        await first.NextAsync();
        _table.Close(1);
        _table.DropLocks(1);
        _table.DropOpenMap(1);
        Assert.That(await second.NextAsync(), Is.EqualTo("grant 0 Null>Write"));

        // L15, H-20: nothing that is still said to it matters.
        _table.SendSyncLogTrees(1);
        Assert.That((await second.Channel.StatFsAsync(default)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task OpenMap_OfOthers_IsOred()
    {
        var (first, _) = await MountAsync(1);
        Assert.That((await first.Channel.OpenInoMapAsync(2, default)).Map.Bits[0], Is.Zero);
        var (second, _) = await MountAsync(2);
        var (third, _) = await MountAsync(3);
        first.OpenInode = 2048;
        second.OpenInode = 2049;
        third.OpenInode = 2063;
        var (error, map) = await first.Channel.OpenInoMapAsync(2, default);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That((map.Bits[0], map.Bits[1], map.Args.Group.Value), Is.EqualTo(((byte)2, (byte)128, 2UL)));
    }

    [Test]
    public async Task SyncLogTrees_Sent_ReachesTheMount()
    {
        var (mount, _) = await MountAsync(1);
        _table.SendSyncLogTrees(1);
        Assert.That(await mount.NextAsync(), Is.EqualTo("sync"));
    }

    [Test]
    public async Task Reconnect_SameLeader_LosesAndRepeatsNothing()
    {
        var (first, link) = await MountAsync(1);
        var (second, _) = await MountAsync(2);
        first.RequestLock(0, LockMode.Write);
        await first.NextAsync();
        first.AnswersAtOnce = false;
        second.RequestLock(0, LockMode.Write);
        await first.NextAsync();
        link.Close();
        await link.Completion.WaitAsync(Patience);

        // Said while nobody listens, in both directions.
        first.AnswerAll();
        first.RequestLock(1024, LockMode.Read);
        var roots = first.Channel.GetRootsAsync(default).AsTask();
        _table.SendSyncLogTrees(1);
        var again = InProcessLink.Connect(first.Channel, _table.Accept(default));
        Assert.That(await second.NextAsync(), Is.EqualTo("grant 0 Null>Write"));
        Assert.That((await roots.WaitAsync(Patience)).Error, Is.EqualTo(FsError.None));
        string[] said = [await first.NextAsync(), await first.NextAsync()];
        Assert.That(said, Is.EquivalentTo(new[] { "grant 1024 Null>Read", "sync" }));
        Assert.That(first.HasMore, Is.False);
        Assert.That(_leader.Calls, Does.Contain("greet 1 term 3 flags 2 port 0"));
        again.Close();
        await again.Completion.WaitAsync(Patience);
    }

    [Test]
    public async Task Reconnect_AfterTheSessionEnded_Isolates()
    {
        var (mount, link) = await MountAsync(1);
        link.Close();
        await link.Completion.WaitAsync(Patience);
        _table.Close(1);
        var call = mount.Channel.GetRootsAsync(default).AsTask();
        InProcessLink.Connect(mount.Channel, _table.Accept(default));
        Assert.That((await call.WaitAsync(Patience)).Error, Is.EqualTo(FsError.Isolated));
        Assert.That(mount.Channel.IsIsolated, Is.True);
    }

    [Test]
    public async Task FailOver_UnderContention_RecoversLocksBeforeGrants()
    {
        var (first, link) = await MountAsync(1);
        var (second, _) = await MountAsync(2);
        first.RequestLock(0, LockMode.Write);
        await first.NextAsync();
        first.AnswersAtOnce = false;
        second.RequestLock(0, LockMode.Write);
        await first.NextAsync();
        _table.Stop();
        await link.Completion.WaitAsync(Patience);

        // L10: an answer to the old leader must not count for the new one, which asks the mount again.
        StartLeader(term: 4);
        _table.ExpectMount(1);
        _table.ExpectMount(2);
        for (ulong i = 0; i < 50; i++)
        {
            first.Held.Add(new WireLock
            {
                Key = new ItemKey(KeyZone.Fs, i * 1024, 0),
                NewMode = (byte)LockMode.Write,
                WriteSeq = 5000 + i,
            });
        }

        InProcessLink.Connect(second.Channel, _table.Accept(default));
        var trees = second.Channel.GetLogTreesAsync(default).AsTask();
        Assert.That((await second.Channel.StatFsAsync(default)).Error, Is.EqualTo(FsError.None));
        Assert.That(second.HasMore, Is.False);
        Assert.That(trees.IsCompleted, Is.False);
        first.AnswerAll();
        InProcessLink.Connect(first.Channel, _table.Accept(default));
        Assert.That(await first.NextAsync(), Is.EqualTo("invalidate 0 Write>Null"));
        Assert.That((await trees.WaitAsync(Patience)).Error, Is.EqualTo(FsError.None));
        Assert.That(second.HasMore, Is.False);
        first.AnswerAll();
        Assert.That(await second.NextAsync(), Is.EqualTo("grant 0 Null>Write"));
        Assert.That(_leader.NextSeq(), Is.GreaterThan(5049));

        // Which of the two is the last is a matter of timing.
        string[] recovered = [.. _leader.Calls.Where(call => call.StartsWith("recovered", StringComparison.Ordinal))];
        Assert.That(recovered, Has.Length.EqualTo(2));
        Assert.That(recovered[0], Does.EndWith("False"));
        Assert.That(recovered[1], Does.EndWith("True"));
    }

    [Test]
    public async Task FailOver_MountThatIsForgotten_IsolatesItself()
    {
        // DEV-10.
        var (mount, link) = await MountAsync(1);
        _table.Stop();
        await link.Completion.WaitAsync(Patience);
        StartLeader(term: 4);
        _leader.GreetingOutcome = FsError.Isolated;
        InProcessLink.Connect(mount.Channel, _table.Accept(default));
        Assert.That((await mount.Channel.GetRootsAsync(default)).Error, Is.EqualTo(FsError.Isolated));
    }

    [Test]
    public async Task Call_AnsweredIsolatedByALivingLeader_EndsTheSession()
    {
        var (mount, link) = await MountAsync(1);
        _leader.Outcome = FsError.Isolated;
        var call = mount.Channel.GetRootsAsync(default).AsTask();
        await link.Completion.WaitAsync(Patience);
        Assert.That(call.IsCompleted, Is.False);
        InProcessLink.Connect(mount.Channel, _table.Accept(default));
        Assert.That((await call.WaitAsync(Patience)).Error, Is.EqualTo(FsError.Isolated));
    }

    [Test]
    public async Task Call_AnsweredIsolatedByAStoppingLeader_WaitsForTheNext()
    {
        var (mount, link) = await MountAsync(1);
        _leader.Outcome = FsError.Isolated;
        await _stopping.CancelAsync();
        var call = mount.Channel.GetRootsAsync(default).AsTask();
        _table.Stop();
        await link.Completion.WaitAsync(Patience);
        StartLeader(term: 4);
        _table.ExpectMount(1);
        InProcessLink.Connect(mount.Channel, _table.Accept(default));
        Assert.That((await call.WaitAsync(Patience)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task OpenMap_DuringRecovery_WaitsForAllGreetings()
    {
        _table.ExpectMount(1);
        _table.ExpectMount(2);
        var (first, _) = await MountAsync(1);
        var map = first.Channel.OpenInoMapAsync(0, default).AsTask();
        Assert.That((await first.Channel.StatFsAsync(default)).Error, Is.EqualTo(FsError.None));
        Assert.That(map.IsCompleted, Is.False);
        _table.DropOpenMap(2);
        Assert.That((await map.WaitAsync(Patience)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Farewell_Answered_EndsTheSession()
    {
        var (mount, link) = await MountAsync(1);
        Assert.That(await mount.Channel.FarewellAsync(default), Is.EqualTo(FsError.None));
        link.Close();
        await link.Completion.WaitAsync(Patience);
        Assert.That(_table.CountSessions, Is.Zero);
        Assert.That(_leader.Calls, Does.Not.Contain("disconnected 1"));
    }

    [Test]
    public async Task Greeting_ForAnotherVolume_IsRefused()
    {
        var mount = new FakeMount(1, fsid: 99);
        InProcessLink.Connect(mount.Channel, _table.Accept(default));
        Assert.That(await mount.Channel.GreetAsync(default), Is.EqualTo(FsError.Invalid));
        Assert.That(_leader.Calls, Is.Empty);
    }

    [Test]
    public async Task Greeting_NeverAnswered_CanBeCancelled()
    {
        var mount = new FakeMount(1);
        using var cancel = new CancellationTokenSource();
        var greeting = mount.Channel.GreetAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        Assert.That(await greeting, Is.EqualTo(FsError.Cancelled));
    }

    [Test]
    public void Connection_ThatNeverGreets_BothersNobody()
    {
        // DEV-5, DEV-6.
        var connection = _table.Accept(default);
        var link = new NoLink();
        byte[] frame = Convert.FromHexString("0100000000000000000000000000000001000000000000000000120000000000");
        Assert.That(connection.OnFrame(link, frame), Is.False);
        connection.OnDisconnected(link);
        Assert.That(_leader.Calls, Is.Empty);
    }

    [Test]
    public async Task Mounts_OnManyThreads_KeepLocksApart()
    {
        const int CountMounts = 6;
        const int CountRounds = 300;
        var mounts = new List<FakeMount>();
        for (ulong rid = 1; rid <= CountMounts; rid++)
            mounts.Add((await MountAsync(rid)).Mount);
        await Task.WhenAll(mounts.Select(mount => Task.Run(async () =>
        {
            int grants = 0;
            for (int round = 0; round < CountRounds; round++)
            {
                mount.RequestLock(0, round % 3 == 0 ? LockMode.Write : LockMode.Read);
                while (!(await mount.NextAsync()).StartsWith("grant", StringComparison.Ordinal))
                {
                }

                grants++;
                await mount.Channel.GetRootsAsync(default);
            }

            Assert.That(grants, Is.EqualTo(CountRounds));
        })));
    }

    private void StartLeader(ulong term)
    {
        _stopping = new CancellationTokenSource();
        _leader = new FakeLeader();
        _table = new SessionTable(fsid: 1, formatVersion: 2, term, _leader, _stopping.Token);
    }

    private async Task<(FakeMount Mount, InProcessLink Link)> MountAsync(ulong rid)
    {
        var mount = new FakeMount(rid);
        var link = InProcessLink.Connect(mount.Channel, _table.Accept(new InetAddress { Port = 7 }));
        Assert.That(await mount.Channel.GreetAsync(default).AsTask().WaitAsync(Patience), Is.EqualTo(FsError.None));
        return (mount, link);
    }

    private sealed class NoLink : IFrameLink
    {
        public void NotifyFrames()
        {
        }

        public void Close()
        {
        }
    }
}
