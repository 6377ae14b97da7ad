using System;
using System.Collections.Generic;
using NUnit.Framework;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Sessions;

/// <summary>Order, acknowledgement and re-sending (cluster §§3.1, 3.2, 3.5, 3.6).</summary>
internal sealed class ReliableSessionTests
{
    // Header of a valid LOCK request without payload, to be broken in one place each.
    private const string Valid = "0100000000000000 0000000000000000 0100000000000000 0000 07 00 00 000000";

    private ReliableSession _mount = null!;
    private ReliableSession _leader = null!;

    [SetUp]
    public void CreateEnds()
    {
        _mount = ReliableSession.ForMount();
        _leader = ReliableSession.ForLeader(term: 3);
    }

    [Test]
    public void Greeting_AfterAQueuedRequest_GoesFirstWithItsOwnNumber()
    {
        // The vectors of cluster appendix B.
        var key = new WireLock { Key = new ItemKey(KeyZone.Fs, 0, 0), NewMode = 1 };
        _mount.Request(WireCommand.Lock, Disk.Bytes(in key), state: null);
        _mount.Greet(0x55a08ec98f069148, 2, 0xc488956abb3f0574, WireGreeting.FlagQuorum);
        Assert.That(Hex(Take(_mount)), Is.EqualTo((
            "0200000000000000 0000000000000000 0200000000000000 2800 00 00 00 000000"
            + "4891068fc98ea055 0200000000000000 0000000000000000 74053fbb6a9588c4 0200000000000000")
            .Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant()));
        Assert.That(Take(_mount), Is.Empty);
        _mount.Accept(term: 1);
        Assert.That(Hex(Take(_mount)), Is.EqualTo((
            "0100000000000000 0000000000000000 0100000000000000 3000 07 00 00 000000"
            + "0000000000000000 0000000000000000 0000000000000000 0010000000000000 0000000000000000 00 01 000000000000")
            .Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant()));
    }

    [Test]
    public void Answer_Received_RetiresTheRequest()
    {
        Connect();
        ulong id = _mount.Request(WireCommand.GetRoots, default, "state");
        var request = Deliver(_mount, _leader);
        Assert.That(request, Is.EqualTo((WireCommand.GetRoots, false, id)));
        _leader.Respond(3, WireCommand.GetRoots, id, error: 0, new byte[72]);
        Assert.That(_mount.CountRequests, Is.EqualTo(1));
        byte[] frame = Take(_leader);
        Assert.That(_mount.Receive(frame, out var received), Is.EqualTo(FrameVerdict.Deliver));
        Assert.That(received.State, Is.EqualTo("state"));
        Assert.That(received.Payload.Length, Is.EqualTo(72));
        Assert.That(_mount.CountQueued, Is.Zero);

        // The answer stays at the leader until a later frame acknowledges it.
        Assert.That(_leader.CountQueued, Is.EqualTo(1));
        _mount.Request(WireCommand.StatFs, default, state: null);
        Deliver(_mount, _leader);
        Assert.That(_leader.CountQueued, Is.Zero);
    }

    [Test]
    public void Reconnect_SameLeader_SendsAgainInOrderAndDropsDuplicates()
    {
        Connect();
        ulong first = _mount.Request(WireCommand.GetRoots, default, state: null);
        _mount.Request(WireCommand.StatFs, default, state: null);
        Deliver(_mount, _leader);
        _mount.Disconnect();
        _leader.Disconnect();

        // The leader goes on working for the absent mount.
        _leader.Respond(3, WireCommand.GetRoots, first, error: 0, new byte[72]);
        _mount.Request(WireCommand.GetLastSeq, default, state: null);
        Connect();

        Assert.That(_leader.Receive(Take(_mount), out _), Is.EqualTo(FrameVerdict.Drop));
        Assert.That(Deliver(_mount, _leader).Command, Is.EqualTo(WireCommand.StatFs));
        Assert.That(Deliver(_mount, _leader).Command, Is.EqualTo(WireCommand.GetLastSeq));
        Assert.That(Deliver(_leader, _mount).Command, Is.EqualTo(WireCommand.GetRoots));
        Assert.That(Take(_leader), Is.Empty);
    }

    [Test]
    public void Reconnect_AnswerOvertakesTheResentRequest_SendsItNoMore()
    {
        Connect();
        ulong id = _mount.Request(WireCommand.GetRoots, default, state: null);
        Deliver(_mount, _leader);
        _leader.Respond(3, WireCommand.GetRoots, id, error: 0, default);
        _mount.Disconnect();
        _leader.Disconnect();
        Connect();
        Assert.That(Deliver(_leader, _mount).Command, Is.EqualTo(WireCommand.GetRoots));
        Assert.That(Take(_mount), Is.Empty);
    }

    [Test]
    public void Reconnect_NewLeader_KeepsRequestsAndDropsAnswers()
    {
        Connect();
        ulong asked = _leader.Request(WireCommand.Lock, new byte[48], state: null);
        Deliver(_leader, _mount);
        _mount.Request(WireCommand.GetRoots, default, state: null);
        _mount.Respond(3, WireCommand.Lock, asked, error: 0, new byte[48]);
        _mount.Disconnect();

        _leader = ReliableSession.ForLeader(term: 4);
        Connect(term: 4);

        // DEV-9: neither a queued answer nor one that comes later reaches the wrong leader.
        _mount.Respond(3, WireCommand.Lock, asked, error: 0, new byte[48]);
        Assert.That(Deliver(_mount, _leader), Is.EqualTo((WireCommand.GetRoots, false, 2UL)));
        Assert.That(Take(_mount), Is.Empty);

        // The new leader counts from 1 again.
        _leader.Request(WireCommand.SyncLogTrees, default, state: null);
        Assert.That(Deliver(_leader, _mount).Command, Is.EqualTo(WireCommand.SyncLogTrees));
    }

    [Test]
    public void Receive_BeforeTheGreeting_BreaksTheConnection()
    {
        byte[] frame = Bytes(Valid);
        Assert.That(_leader.Receive(frame, out _), Is.EqualTo(FrameVerdict.Broken));
        Assert.That(_mount.Receive(frame, out _), Is.EqualTo(FrameVerdict.Broken));
        _mount.Greet(1, 2, 3, 0);
        Assert.That(_mount.Receive(frame, out _), Is.EqualTo(FrameVerdict.Broken));
    }

    [Test]
    public void Receive_SecondGreeting_BreaksTheConnection()
    {
        Connect();
        byte[] request = Bytes("0900000000000000 0000000000000000 0900000000000000 0000 00 00 00 000000");
        byte[] answer = Bytes("0900000000000000 0000000000000000 0900000000000000 0000 00 01 00 000000");
        Assert.That(_leader.Receive(request, out _), Is.EqualTo(FrameVerdict.Broken));
        Assert.That(_leader.Receive(answer, out _), Is.EqualTo(FrameVerdict.Broken));
        Assert.That(_mount.Receive(request, out _), Is.EqualTo(FrameVerdict.Broken));
        Assert.That(_mount.Receive(answer, out _), Is.EqualTo(FrameVerdict.Broken));
    }

    [Test]
    public void Receive_AnswerToAnotherCommand_BreaksTheConnection()
    {
        Connect();
        ulong id = _mount.Request(WireCommand.GetRoots, default, state: null);
        _leader.Respond(3, WireCommand.StatFs, id, error: 0, default);
        Assert.That(_mount.Receive(Take(_leader), out _), Is.EqualTo(FrameVerdict.Broken));
    }

    [Test]
    public void Receive_AnswerNobodyAskedFor_IsDropped()
    {
        Connect();
        _leader.Respond(3, WireCommand.GetRoots, 99, error: 0, default);
        Assert.That(_mount.Receive(Take(_leader), out _), Is.EqualTo(FrameVerdict.Drop));
    }

    // H-49.
    [TestCase("seq 0", 0, 0)]
    [TestCase("id 0", 16, 0)]
    [TestCase("length beyond the frame", 24, 1)]
    [TestCase("unknown command", 26, 20)]
    [TestCase("unknown flag", 27, 2)]
    [TestCase("error of a request", 28, 1)]
    [TestCase("padding", 29, 1)]
    [TestCase("padding", 31, 1)]
    public void TryParse_BrokenHeader_IsRefused(string what, int offset, byte value)
    {
        byte[] frame = Bytes(Valid);
        Assert.That(ReliableSession.TryParse(frame, out _, out _), Is.True);
        frame[offset] = value;
        Assert.That(ReliableSession.TryParse(frame, out _, out _), Is.False, what);
    }

    [Test]
    public void TryParse_ErrorBeyondTheTableOrWithPayload_IsRefused()
    {
        byte[] frame = Bytes(Valid + "00");
        frame[24] = 1;
        frame[27] = FrameHeader.FlagResponse;
        Assert.That(ReliableSession.TryParse(frame, out _, out _), Is.True);
        frame[28] = 6;
        Assert.That(ReliableSession.TryParse(frame, out _, out _), Is.False);
        frame[24] = 0;
        Assert.That(ReliableSession.TryParse(frame.AsSpan(0, 32), out _, out _), Is.True);
        frame[28] = 7;
        Assert.That(ReliableSession.TryParse(frame.AsSpan(0, 32), out _, out _), Is.False);
        Assert.That(ReliableSession.TryParse(new byte[31], out _, out _), Is.False);
        Assert.That(ReliableSession.TryParse(new byte[1133], out _, out _), Is.False);
    }

    [Test]
    public void Abandon_UnansweredRequests_GivesTheirStates()
    {
        _mount.Request(WireCommand.GetRoots, default, "a");
        _mount.Request(WireCommand.Lock, default, state: null);
        _mount.Request(WireCommand.StatFs, default, "b");
        var abandoned = new List<object>();
        _mount.Abandon(abandoned);
        Assert.That(abandoned, Is.EqualTo(new object[] { "a", "b" }));
        Assert.That(_mount.CountQueued, Is.Zero);
    }

    [Test]
    public void LockMessages_OnceTheQueueHasGrown_AllocateNothing()
    {
        Connect();
        byte[] frame = new byte[ReliableSession.MaxFrameBytes];
        byte[] payload = new byte[48];
        long before = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (i == 1000)
                before = GC.GetAllocatedBytesForCurrentThread();
            ulong id = _mount.Request(WireCommand.Lock, payload, state: null);
            _leader.Receive(frame.AsSpan(0, _mount.TakeFrame(frame)), out _);
            _leader.Respond(3, WireCommand.Lock, id, error: 0, payload);
            _mount.Receive(frame.AsSpan(0, _leader.TakeFrame(frame)), out _);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>
    /// Both ends send at random while connections break, with whatever is under way lost, and leaders change. Within
    /// a term everything arrives once and in order; requests survive leaders.
    /// </summary>
    [Test]
    public void Session_AnyFaults_DeliversOnceAndInOrder([Range(1, 40)] int seed)
    {
        var prng = new Prng((ulong)seed);
        var toLeader = new Queue<byte[]>();
        var toMount = new Queue<byte[]>();
        var answered = new HashSet<ulong>();
        ulong term = 3;
        ulong requests = 0;
        ulong leaderSent = 0;
        ulong leaderSeen = 0;
        ulong mountSeen = 0;
        bool isConnected = false;

        void Drop()
        {
            _mount.Disconnect();
            _leader.Disconnect();
            toLeader.Clear();
            toMount.Clear();
            isConnected = false;
        }

        void Step(int dice)
        {
            switch (dice)
            {
                case < 20:
                    _mount.Request(WireCommand.AllocInodes, BitConverter.GetBytes(++requests), state: requests);
                    break;
                case < 30:
                    _leader.Request(WireCommand.AllocInodes, BitConverter.GetBytes(++leaderSent), state: null);
                    break;
                case < 50:
                    if (Take(_mount) is { Length: > 0 } up)
                        toLeader.Enqueue(up);
                    break;
                case < 70:
                    if (Take(_leader) is { Length: > 0 } down)
                        toMount.Enqueue(down);
                    break;
                case < 82:
                    if (toLeader.TryDequeue(out byte[]? atLeader))
                        AtLeader(atLeader);
                    break;
                case < 94:
                    if (toMount.TryDequeue(out byte[]? atMount))
                        AtMount(atMount);
                    break;
                case < 97:
                    Drop();
                    break;
                case 97 when term < 6:
                    Drop();
                    _leader = ReliableSession.ForLeader(++term);
                    leaderSent = leaderSeen = mountSeen = 0;
                    break;
            }

            if (!isConnected && dice >= 50)
            {
                Connect(term);
                isConnected = true;
            }
        }

        void AtLeader(byte[] frame)
        {
            var verdict = _leader.Receive(frame, out var received);
            Assert.That(verdict, Is.Not.EqualTo(FrameVerdict.Broken));
            if (verdict == FrameVerdict.Drop)
                return;
            ulong value = BitConverter.ToUInt64(received.Payload);
            if (received.IsResponse)
            {
                Assert.That(value, Is.EqualTo(mountSeen + 1), "answers in order");
                mountSeen = value;
            }
            else
            {
                Assert.That(value, Is.GreaterThan(leaderSeen), "requests in order");
                leaderSeen = value;
                _leader.Respond(term, WireCommand.AllocInodes, received.Id, 0, received.Payload);
            }
        }

        void AtMount(byte[] frame)
        {
            var verdict = _mount.Receive(frame, out var received);
            Assert.That(verdict, Is.Not.EqualTo(FrameVerdict.Broken));
            if (verdict == FrameVerdict.Drop)
                return;
            ulong value = BitConverter.ToUInt64(received.Payload);
            if (received.IsResponse)
            {
                Assert.That(received.State, Is.EqualTo(value));
                Assert.That(answered.Add(value), Is.True);
            }
            else
            {
                _mount.Respond(term, WireCommand.AllocInodes, received.Id, 0, received.Payload);
            }
        }

        for (int i = 0; i < 5000; i++)
            Step(prng.NextInt32(100));
        if (!isConnected)
            Connect(term);
        for (int i = 0; i < 10_000 && answered.Count < (int)requests; i++)
            Step(30 + (i % 4 * 20));
        for (int i = 0; i < 10_000 && mountSeen < leaderSent; i++)
            Step(30 + (i % 4 * 20));
        Assert.That(answered, Has.Count.EqualTo((int)requests));
        Assert.That(mountSeen, Is.EqualTo(leaderSent));
        Assert.That(_mount.CountRequests, Is.Zero);
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

    private static string Hex(byte[] bytes) => Convert.ToHexString(bytes);

    private static byte[] Take(ReliableSession from)
    {
        byte[] frame = new byte[ReliableSession.MaxFrameBytes];
        return frame[..from.TakeFrame(frame)];
    }

    private static (WireCommand Command, bool IsResponse, ulong Id) Deliver(ReliableSession from, ReliableSession to)
    {
        Assert.That(to.Receive(Take(from), out var received), Is.EqualTo(FrameVerdict.Deliver));
        return (received.Command, received.IsResponse, received.Id);
    }

    private void Connect(ulong term = 3)
    {
        _mount.Greet(1, 2, 3, 0);
        Assert.That(ReliableSession.TryParse(Take(_mount), out var header, out _), Is.True);
        _leader.AnswerGreeting(header.Id, new WireGreeting { ServerTerm = term });
        Assert.That(_mount.Receive(Take(_leader), out _), Is.EqualTo(FrameVerdict.Deliver));
        _mount.Accept(term);
    }
}
