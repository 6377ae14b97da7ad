using System;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Quorum;

/// <summary>Rules R1 to R12 and the faults of cluster §12.1 that concern them, as conversations.</summary>
internal sealed class QuorumMemberTests
{
    private readonly QuorumEffects _effects = new();
    private QuorumMember _member = null!;
    private TimeSpan _now;
    private LeaderServerStatus _server;

    [SetUp]
    public void CreateMember()
    {
        _now = TimeSpan.FromSeconds(1000);
        _server = LeaderServerStatus.Down;
        Create(slots: 0b111);
    }

    [Test]
    public void Start_EmptyVolume_WaitsAnElectionTimeout()
    {
        Assert.That(Start(), Is.EqualTo(new[] { "persist Begin 0" }));
        var wait = _member.Deadline - _now;
        Assert.That(wait, Is.InRange(TimeSpan.FromMilliseconds(250), TimeSpan.FromMilliseconds(349)));
    }

    [Test]
    public void Start_RecordOfALeader_WaitsForItsHeartbeat()
    {
        Assert.That(Start(elect: 7, stop: 5), Is.EqualTo(new[] { "persist Begin 7" }));
        Assert.That(_member.Deadline - _now, Is.EqualTo(TimeSpan.FromSeconds(10)));
    }

    [Test]
    public void Election_MajorityVotes_LeadsAndRecordsInOrder()
    {
        Start(elect: 4, stop: 4);
        Assert.That(Timeout(), Is.EqualTo(new[]
        {
            "persist Term 5", "send RequestVote 5 to 1", "send RequestVote 5 to 2",
        }));
        Assert.That(Hear(QuorumMessageKind.Vote, 2, 5), Is.EqualTo(new[]
        {
            "send Heartbeat 5 to 1", "send Heartbeat 5 to 2", "persist Elect 5", "start server 5",
        }));
        Assert.That(_member.Role, Is.EqualTo(QuorumRole.Leader));

        // Heartbeats go on while the server fences (H-7); FENCE only when it is up.
        _server = LeaderServerStatus.Starting;
        Assert.That(Timeout(), Is.EqualTo(new[] { "send Heartbeat 5 to 1", "send Heartbeat 5 to 2" }));
        _server = LeaderServerStatus.Up;
        Assert.That(Poll(), Is.EqualTo(new[] { "persist Fence 5" }));
        Assert.That(Poll(), Is.Empty);
    }

    [Test]
    public void Election_VoteTwiceFromOne_CountsOnce()
    {
        Create(slots: 0b11111);
        Start();
        Timeout();
        Assert.That(Hear(QuorumMessageKind.Vote, 1, 1), Is.Empty);
        Assert.That(Hear(QuorumMessageKind.Vote, 1, 1), Is.Empty);
        Assert.That(_member.CountDuplicateVotes, Is.EqualTo(1));
        Assert.That(Hear(QuorumMessageKind.Vote, 4, 1), Does.Contain("start server 1"));
    }

    [TestCase(0b001, 0)]
    [TestCase(0b011, 0)]
    [TestCase(0b111, 1)]
    [TestCase(0b1111, 2)]
    [TestCase(0b11111, 2)]
    public void Election_OfSlots_NeedsThatManyOtherVotes(int slots, int others)
    {
        Create((ushort)slots);
        Start();
        var effects = Timeout();
        for (int from = 1; from <= others; from++)
        {
            Assert.That(effects, Does.Not.Contain("start server 1"));
            effects = Hear(QuorumMessageKind.Vote, from, 1);
        }

        Assert.That(effects, Does.Contain("start server 1"));
    }

    [Test]
    public void Election_NoMajority_TriesTheNextTerm()
    {
        Start();
        Timeout();
        Assert.That(Timeout(), Does.Contain("persist Term 2").And.Contain("send RequestVote 2 to 1"));

        // A vote of the last round is too late.
        Assert.That(Hear(QuorumMessageKind.Vote, 1, 1), Is.Empty);
        Assert.That(_member.Role, Is.EqualTo(QuorumRole.Candidate));
    }

    [Test]
    public void Deadline_PassedButAMessageArrived_StartsNoElection()
    {
        // H-1, H-2.
        Start();
        _now = _member.Deadline + TimeSpan.FromSeconds(5);
        Assert.That(Hear(QuorumMessageKind.Heartbeat, 1, 0), Is.Empty);
        Assert.That(_member.Deadline, Is.EqualTo(_now + TimeSpan.FromSeconds(10)));
        Assert.That(_member.Role, Is.EqualTo(QuorumRole.Follower));
        Start();
        _now = _member.Deadline + TimeSpan.FromSeconds(5);
        Assert.That(Hear(QuorumMessageKind.Vote, 1, 0), Is.Empty);
    }

    [Test]
    public void Vote_HigherTerm_IsGivenOnceAfterTheTermIsDurable()
    {
        Start();
        Assert.That(Hear(QuorumMessageKind.RequestVote, 1, 3), Is.EqualTo(new[]
        {
            "persist Term 3", "send Vote 3 to 1",
        }));
        Assert.That(Hear(QuorumMessageKind.RequestVote, 2, 3), Is.Empty);
        Assert.That(Hear(QuorumMessageKind.RequestVote, 1, 3), Is.Empty);
        Assert.That(Hear(QuorumMessageKind.RequestVote, 2, 2), Is.Empty);
    }

    [Test]
    public void Vote_InTheTermOfTheStart_IsRefused()
    {
        // DEV-4: an earlier life may have voted.
        Start(elect: 3, stop: 3);
        Assert.That(Hear(QuorumMessageKind.RequestVote, 1, 3), Is.Empty);
        Assert.That(Hear(QuorumMessageKind.RequestVote, 1, 4), Does.Contain("send Vote 4 to 1"));
    }

    [Test]
    public void Heartbeat_SameTerm_EndsACandidacy()
    {
        // DEV-19.
        Start();
        Timeout();
        Assert.That(Hear(QuorumMessageKind.Heartbeat, 1, 1), Is.Empty);
        Assert.That(_member.Role, Is.EqualTo(QuorumRole.Follower));
        Assert.That(Hear(QuorumMessageKind.Vote, 2, 1), Is.Empty);
        Assert.That(_member.Deadline, Is.EqualTo(_now + TimeSpan.FromSeconds(10)));

        // It has voted for itself in this term.
        Assert.That(Hear(QuorumMessageKind.RequestVote, 2, 1), Is.Empty);
    }

    [Test]
    public void Resignation_OfTheTerm_ShortensTheWait()
    {
        Start();
        Hear(QuorumMessageKind.Heartbeat, 1, 4);
        Hear(QuorumMessageKind.Resignation, 1, 3);
        Assert.That(_member.Deadline, Is.EqualTo(_now + TimeSpan.FromSeconds(10)));
        Hear(QuorumMessageKind.Resignation, 1, 4);
        Assert.That(_member.Deadline - _now, Is.LessThan(TimeSpan.FromMilliseconds(350)));
    }

    [Test]
    public void Leader_HearsAHigherTerm_StopsItsServerAndRecordsIt()
    {
        BecomeLeader();
        Assert.That(Hear(QuorumMessageKind.Heartbeat, 1, 9), Is.EqualTo(new[] { "persist Term 9", "stop server 1" }));
        _server = LeaderServerStatus.Stopping;
        Assert.That(Poll(), Is.Empty);

        // No election of its own while its server lives.
        Assert.That(Timeout(), Is.Empty);
        _server = LeaderServerStatus.Down;
        Assert.That(Poll(), Is.EqualTo(new[] { "persist Stop 1" }));
        Assert.That(Timeout(), Does.Contain("persist Term 10"));
    }

    [Test]
    public void Leader_ServerStopsByItself_ResignsAfterTheRecord()
    {
        // H-3, H-6: a failed start ends the leadership, not the member.
        BecomeLeader();
        _server = LeaderServerStatus.Down;
        Assert.That(Poll(), Is.EqualTo(new[]
        {
            "persist Stop 1", "send Resignation 1 to 1", "send Resignation 1 to 2",
        }));
        Assert.That(_member.Role, Is.EqualTo(QuorumRole.Follower));
        Assert.That(Hear(QuorumMessageKind.RequestVote, 2, 2), Does.Contain("send Vote 2 to 2"));
        Assert.That(Timeout(), Does.Not.Contain("send Heartbeat 2 to 1"));
    }

    [Test]
    public void Leader_ServerNeverUp_RecordsNoFence()
    {
        // DEV-3.
        Start();
        Timeout();
        Hear(QuorumMessageKind.Vote, 1, 1);
        _server = LeaderServerStatus.Starting;
        Assert.That(Poll(), Is.Empty);
        _server = LeaderServerStatus.Stopping;
        Assert.That(Poll(), Is.Empty);
        _server = LeaderServerStatus.Down;
        Assert.That(Poll(), Has.None.StartWith("persist Fence"));
    }

    [TestCase(LeaderServerStatus.Up)]
    [TestCase(LeaderServerStatus.Stopping)]
    public void Leave_ServerNotDown_WaitsAndRecordsStop(LeaderServerStatus server)
    {
        // DEV-2.
        BecomeLeader();
        _server = server;
        string[] stop = server == LeaderServerStatus.Up ? ["stop server 1"] : [];
        Assert.That(Do(() => _member.Leave(_server, _effects)), Is.EqualTo(stop));
        _server = LeaderServerStatus.Stopping;
        Assert.That(Poll(), Is.Empty);
        _server = LeaderServerStatus.Down;
        Assert.That(Poll(), Is.EqualTo(new[]
        {
            "persist Stop 1", "send Resignation 1 to 1", "send Resignation 1 to 2", "persist End 1", "end",
        }));
        Assert.That(Timeout(), Is.Empty);
    }

    [Test]
    public void Leave_Follower_RecordsTheEnd()
    {
        Start();
        Assert.That(Do(() => _member.Leave(_server, _effects)), Is.EqualTo(new[] { "persist End 0", "end" }));
        Assert.That(_member.IsEnded, Is.True);
    }

    [Test]
    public void Fail_Leader_StopsTheServerAndFallsSilent()
    {
        // DEV-1.
        BecomeLeader();
        Assert.That(Do(() => _member.Fail(_server, _effects)), Is.EqualTo(new[] { "stop server 1", "end" }));
        Assert.That(Timeout(), Is.Empty);
        Assert.That(Hear(QuorumMessageKind.RequestVote, 1, 9), Is.Empty);
    }

    [Test]
    public void Isolate_Leader_SaysNothing()
    {
        // H-8.
        BecomeLeader();
        _member.Isolate();
        Assert.That(Timeout(), Is.Empty);
        Assert.That(Do(() => _member.Leave(_server, _effects)), Is.Empty);
    }

    private void Create(ushort slots) => _member =
        new QuorumMember(slot: 0, slots, heartbeatTimeout: TimeSpan.FromSeconds(10), new Prng(1));

    private void BecomeLeader()
    {
        Start();
        Timeout();
        Hear(QuorumMessageKind.Vote, 1, 1);
        _server = LeaderServerStatus.Up;
        Poll();
    }

    private string[] Start(ulong elect = 0, ulong stop = 0)
    {
        var block = new QuorumBlock();
        block.Events[(int)QuorumEventKind.Elect] = new QuorumEvent { Rid = 5, Term = elect, WriteNr = 2 };
        block.Events[(int)QuorumEventKind.Stop] = new QuorumEvent { Rid = 5, Term = stop, WriteNr = 3 };
        var snapshot = new QuorumSnapshot([(new QuorumSlot(1, 1, 1), block)]);
        return Do(() => _member.Start(snapshot, _now, _effects));
    }

    private string[] Hear(QuorumMessageKind kind, int from, ulong term) =>
        Do(() => _member.Step(new QuorumMessage(kind, from, term), _server, _now, _effects));

    private string[] Timeout()
    {
        if (_now <= _member.Deadline)
            _now = _member.Deadline + TimeSpan.FromMilliseconds(1);
        return Poll();
    }

    private string[] Poll() => Do(() => _member.Step(null, _server, _now, _effects));

    private string[] Do(Action action)
    {
        _effects.Clear();
        action();
        return [.. _effects.All.Select(Text)];
    }

    private static string Text(QuorumEffect effect) => effect.Kind switch
    {
        QuorumEffectKind.Persist => $"persist {effect.Event} {effect.Term}",
        QuorumEffectKind.Send => $"send {effect.Message} {effect.Term} to {effect.To}",
        QuorumEffectKind.StartServer => $"start server {effect.Term}",
        QuorumEffectKind.StopServer => $"stop server {effect.Term}",
        _ => "end",
    };
}
