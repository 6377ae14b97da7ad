using System;
using System.IO;
using NUnit.Framework;
using ScoutFs.Cluster.Locks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Locks;

/// <summary>Conversations and races of cluster §§7.7 to 7.9, as seen by the leader.</summary>
internal sealed class LockServerTests
{
    private RecordedPort _port = null!;
    private LockServer _server = null!;

    [SetUp]
    public void CreateServer()
    {
        _port = new RecordedPort();
        _server = new LockServer(_port);
    }

    [Test]
    public void Request_NobodyElse_IsGrantedAtOnce()
    {
        Request(1, 7, LockMode.Read);
        Request(1, 8, LockMode.Write);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 1 #7 16.0 Null>Read seq 0",
            "grant 1 #8 16.0 Read>Write seq 101",
        }));
    }

    [Test]
    public void Request_WriteOverReaders_InvalidatesTheOthersOnly()
    {
        Request(1, 1, LockMode.Read);
        Request(2, 1, LockMode.Read);
        Request(3, 1, LockMode.Read);
        _port.Take();
        Request(1, 2, LockMode.Write);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "invalidate 2 16.0 Read>Null", "invalidate 3 16.0 Read>Null" }));
        Answer(3, LockMode.Null);
        Assert.That(_port.Take(), Is.Empty);
        Answer(2, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "grant 1 #2 16.0 Read>Write seq 101" }));
    }

    [Test]
    public void Request_ReadOverWriter_LowersToRead()
    {
        Request(1, 1, LockMode.Write);
        Request(2, 1, LockMode.Read);
        Answer(1, LockMode.Read);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 1 #1 16.0 Null>Write seq 101",
            "invalidate 1 16.0 Write>Read",
            "grant 2 #1 16.0 Null>Read seq 0",
        }));

        // The writer kept reading rights, which stand in the way of the next writer.
        Request(2, 2, LockMode.Write);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "invalidate 1 16.0 Read>Null" }));
    }

    [Test]
    public void Request_ReadOverWriteOnlySharers_InvalidatesTheRequesterToo()
    {
        Request(1, 1, LockMode.WriteOnly);
        Request(2, 1, LockMode.WriteOnly);
        Assert.That(_port.Take(), Has.Length.EqualTo(2));
        Request(2, 2, LockMode.Read);
        Answer(2, LockMode.Null);
        Answer(1, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "invalidate 1 16.0 WriteOnly>Null",
            "invalidate 2 16.0 WriteOnly>Null",
            "grant 2 #2 16.0 Null>Read seq 0",
        }));
    }

    [Test]
    public void Request_NullForShrink_MessagesNobodyElse()
    {
        // H-13, L6.
        Request(1, 1, LockMode.Read);
        Request(2, 1, LockMode.Read);
        _port.Take();
        Request(1, 2, LockMode.Null);
        Answer(1, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "invalidate 1 16.0 Read>Null",
            "grant 1 #2 16.0 Null>Null seq 0",
        }));
        Request(3, 1, LockMode.Read);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "grant 3 #1 16.0 Null>Read seq 0" }));
    }

    [Test]
    public void Request_AfterShrinkOfTheLastHolder_IsNotLost()
    {
        // H-12: the lock object goes and comes back.
        for (ulong id = 1; id < 1000; id += 2)
        {
            Request(1, id, LockMode.Read);
            Request(1, id + 1, LockMode.Null);
            Answer(1, LockMode.Null);
            Assert.That(_server.CountLocks, Is.Zero);
            Assert.That(_port.Take(), Has.Length.EqualTo(3));
        }
    }

    [Test]
    public void Request_BehindAWaitingOne_DoesNotOvertake()
    {
        Request(1, 1, LockMode.Read);
        Request(2, 1, LockMode.Write);
        Request(3, 1, LockMode.Read);
        _port.Take();
        Answer(1, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 2 #1 16.0 Null>Write seq 101",
            "invalidate 2 16.0 Write>Read",
        }));
        Answer(2, LockMode.Read);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "grant 3 #1 16.0 Null>Read seq 0" }));
    }

    [Test]
    public void Request_WhileOwnLockIsInvalidated_IsGrantedAfterwards()
    {
        // L5.
        Request(1, 1, LockMode.Read);
        Request(2, 1, LockMode.Write);
        Request(1, 2, LockMode.Write);
        _port.Take();
        Answer(1, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 2 #1 16.0 Null>Write seq 101",
            "invalidate 2 16.0 Write>Null",
        }));
        Answer(2, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "grant 1 #2 16.0 Null>Write seq 102" }));
    }

    [Test]
    public void Request_UnknownMode_IsRefused()
    {
        Assert.That(_server.OnRequest(1, 1, Wire(0, (LockMode)4)), Is.EqualTo(FsError.Invalid));
        Assert.That(_server.CountLocks, Is.Zero);
    }

    [Test]
    public void Request_SecondOneOfAMountForALock_IsRefused()
    {
        Request(1, 1, LockMode.Write);
        Request(2, 1, LockMode.Write);
        Assert.That(_server.OnRequest(2, 2, Wire(0, LockMode.Read)), Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public void Answer_NobodyWaitsFor_IsCountedAndIgnored()
    {
        Request(1, 1, LockMode.Write);
        _port.Take();
        Answer(1, LockMode.Null);
        Answer(9, LockMode.Null);
        Assert.That(_server.OnInvalidationAnswer(1, Wire(5, LockMode.Null)), Is.EqualTo(FsError.None));
        Assert.That(_server.CountStrayAnswers, Is.EqualTo(3));
        Request(2, 1, LockMode.Write);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "invalidate 1 16.0 Write>Null" }));
    }

    [Test]
    public void Answer_ModeNobodyAskedFor_IsRefused()
    {
        Request(1, 1, LockMode.Read);
        Request(2, 1, LockMode.Write);
        Assert.That(_server.OnInvalidationAnswer(1, Wire(0, LockMode.Write)), Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public void Reclaim_HolderThatOwesAnAnswer_LetsTheOthersIn()
    {
        // L13.
        Request(1, 1, LockMode.Write);
        Request(2, 1, LockMode.Write);
        Request(3, 1, LockMode.Write);
        Request(1, 2, LockMode.Read);
        _port.Take();
        _server.Reclaim(1);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 2 #1 16.0 Null>Write seq 102",
            "invalidate 2 16.0 Write>Null",
        }));
        _server.Reclaim(2);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "grant 3 #1 16.0 Null>Write seq 103" }));
        _server.Reclaim(3);
        _server.Reclaim(3);
        Assert.That(_server.CountLocks, Is.Zero);
        Assert.That(_port.Take(), Is.Empty);
    }

    [Test]
    public void Reclaim_Mount_LeavesNoTraceOfIt()
    {
        // H-17: only mounts that exist are listed.
        for (ulong group = 0; group < 50; group++)
        {
            _server.OnRequest(1, group + 1, Wire(group, LockMode.Read));
            _server.OnRequest(2, group + 1, Wire(group, group % 2 == 0 ? LockMode.Read : LockMode.Write));
            _server.OnRequest(1, group + 100, Wire(group, LockMode.Write));
        }

        _server.Reclaim(1);
        using var text = new StringWriter();
        _server.Describe(text);
        Assert.That(text.ToString(), Does.Not.Contain("0000000000000001"));
        _server.Reclaim(2);
        Assert.That(_server.CountLocks, Is.Zero);
    }

    [Test]
    public void Recovery_UntilTheLastMountIsKnown_GrantsNothing()
    {
        _server.ExpectRecovery(1);
        _server.ExpectRecovery(2);
        Request(1, 50, LockMode.Write);
        Request(3, 1, LockMode.Read);
        Assert.That(_port.Take(), Is.Empty);
        _server.StartRecovery(1);
        _server.StartRecovery(1);
        _server.StartRecovery(3);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "recover 1 from 0.0.0.0.0.0" }));

        // L8, H-16: an invalidation under way is reported at its old mode.
        Recover(1, (0, LockMode.Read, 0), (1024, LockMode.Write, 700));
        Assert.That(_port.Take(), Is.EqualTo(new[] { "recover 1 from 16.1024.0.0.0.1" }));
        Recover(1);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "recovered 1 last False" }));
        Assert.That(_port.Seq, Is.EqualTo(700));
        _server.StartRecovery(2);
        Recover(2, (0, LockMode.Read, 0));
        Recover(2);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "recover 2 from 0.0.0.0.0.0",
            "recover 2 from 16.0.0.0.0.1",
            "invalidate 2 16.0 Read>Null",
            "recovered 2 last True",
        }));
        Answer(2, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 1 #50 16.0 Read>Write seq 701",
            "invalidate 1 16.0 Write>Read",
        }));
    }

    [Test]
    public void Recovery_NullEntry_IsInvalidatedBeforeTheGrant()
    {
        // L9.
        _server.ExpectRecovery(1);
        _server.StartRecovery(1);
        Recover(1, (0, LockMode.Null, 0));
        Request(1, 5, LockMode.Read);
        Recover(1);
        _port.Take();
        Answer(1, LockMode.Null);
        Assert.That(_port.Take(), Is.EqualTo(new[] { "grant 1 #5 16.0 Null>Read seq 0" }));
    }

    [Test]
    public void Recovery_OfAReclaimedMount_Ends()
    {
        _server.ExpectRecovery(1);
        _server.ExpectRecovery(2);
        Request(3, 1, LockMode.Write);
        _server.StartRecovery(1);
        Recover(1, (0, LockMode.Write, 9));
        _server.Reclaim(2);
        _port.Take();
        _server.Reclaim(1);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 3 #1 16.0 Null>Write seq 101",
            "recovered 1 last True",
        }));

        // L12: what a dead mount still says resurrects nothing.
        Recover(1, (0, LockMode.Write, 9));
        Assert.That(_server.IsRecovering, Is.False);
        Assert.That(_port.Take(), Is.Empty);
    }

    [Test]
    public void Recovery_RequesterReclaimedMeanwhile_ForgetsTheRequest()
    {
        _server.ExpectRecovery(1);
        Request(2, 1, LockMode.Write);
        _server.Reclaim(2);
        Request(3, 1, LockMode.Write);
        _server.Reclaim(1);
        Assert.That(_port.Take(), Is.EqualTo(new[]
        {
            "grant 3 #1 16.0 Null>Write seq 101",
            "recovered 1 last True",
        }));
        Assert.That(_server.CountLocks, Is.EqualTo(1));
    }

    [Test]
    public void Recovery_KeysOutOfOrder_AreRefused()
    {
        _server.ExpectRecovery(1);
        Assert.That(_server.OnRecoverAnswer(1, [Wire(0, LockMode.Read)]), Is.EqualTo(FsError.Invalid));
        _server.StartRecovery(1);
        WireLock[] twice = [Wire(0, LockMode.Read), Wire(0, LockMode.Read)];
        Assert.That(_server.OnRecoverAnswer(1, twice), Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public void Recovery_GreatestKey_EndsIt()
    {
        _server.ExpectRecovery(1);
        _server.StartRecovery(1);
        WireLock[] last = [new() { Key = ItemKey.Max, NewMode = 1 }];
        Assert.That(_server.OnRecoverAnswer(1, last), Is.EqualTo(FsError.None));
        Assert.That(_server.IsRecovering, Is.False);
    }

    [Test]
    public void PingPong_OverManyLocks_AllocatesNothing()
    {
        var port = new SilentPort();
        var server = new LockServer(port);
        for (ulong group = 0; group < 100_000; group++)
            server.OnRequest(1, group, Wire(group * 1024, LockMode.Read));
        long before = 0;
        for (ulong i = 0; i < 20_000; i++)
        {
            if (i == 1000)
                before = GC.GetAllocatedBytesForCurrentThread();
            var key = Wire(i % 7 * 1024 * 1024 * 1024, LockMode.Write);
            server.OnRequest(1 + (i & 1), i, key);
            key.NewMode = (byte)LockMode.Null;
            server.OnInvalidationAnswer(2 - (i & 1), key);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(port.CountGrants, Is.EqualTo(120_000));
    }

    private static WireLock Wire(ulong ino, LockMode mode) => new()
    {
        Key = new ItemKey(KeyZone.Fs, ino, 0),
        NewMode = (byte)mode,
    };

    private void Request(ulong rid, ulong id, LockMode mode) =>
        Assert.That(_server.OnRequest(rid, id, Wire(0, mode)), Is.EqualTo(FsError.None));

    private void Answer(ulong rid, LockMode mode) =>
        Assert.That(_server.OnInvalidationAnswer(rid, Wire(0, mode)), Is.EqualTo(FsError.None));

    private void Recover(ulong rid, params (ulong Ino, LockMode Mode, ulong Seq)[] locks)
    {
        var held = new WireLock[locks.Length];
        for (int i = 0; i < locks.Length; i++)
        {
            held[i] = Wire(locks[i].Ino, locks[i].Mode);
            held[i].WriteSeq = locks[i].Seq;
        }

        Assert.That(_server.OnRecoverAnswer(rid, held), Is.EqualTo(FsError.None));
    }

    private sealed class SilentPort : ILockServerPort
    {
        private ulong _seq;

        public int CountGrants { get; private set; }

        public ulong NextSeq() => ++_seq;

        public void RaiseSeq(ulong seq) => _seq = Math.Max(_seq, seq);

        public void SendGrant(ulong rid, ulong requestId, in WireLock grant) => CountGrants++;

        public void SendInvalidation(ulong rid, in WireLock request)
        {
        }

        public void SendRecoverRequest(ulong rid, in ItemKey from)
        {
        }

        public void RecoveryEnded(ulong rid, bool isLast)
        {
        }
    }
}
