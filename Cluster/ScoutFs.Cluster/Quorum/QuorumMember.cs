using System;
using System.Numerics;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Quorum;

/// <summary>What a quorum member is in its term.</summary>
public enum QuorumRole
{
    /// <summary>It follows whoever leads.</summary>
    Follower,

    /// <summary>It asks for votes.</summary>
    Candidate,

    /// <summary>It leads.</summary>
    Leader,
}

/// <summary>One voter of a volume (cluster §2.4): elects leaders, at most one a term.</summary>
/// <remarks>
/// <para>A pure machine. The host waits for a datagram until <see cref="Deadline"/>, calls <see cref="Step"/> with it
/// or without one, and then does what the effects say, in their order and one after the other, before the next step.
/// Whatever must be durable stands before what depends on it: TERM before votes and requests in it, ELECT before the
/// server, STOP before the news of it.</para>
/// <para>When a record cannot be written the host calls <see cref="Fail"/>; then the member is silent for good and its
/// server is stopped (DEV-1).</para>
/// <para>Invariants: 1. The term never falls. 2. At most one vote a term, the own candidacy included, and none in the
/// term found at start, in which an earlier life may have voted (DEV-4). 3. A server runs only in the term it was
/// elected for. 4. FENCE is recorded only when the server says that it serves.</para>
/// </remarks>
public sealed class QuorumMember
{
    /// <summary>A leader says so at this interval.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromMilliseconds(100);

    // The election timeout is 250 ms and a random part below 100 ms, so that candidates seldom collide twice.
    private const int ElectionMinMs = 250;
    private const int ElectionRandomMs = 100;

    private readonly Prng _prng;
    private readonly ushort _slots;
    private readonly int _slot;
    private readonly int _votesNeeded;
    private ushort _votes;
    private int _votedFor = -1;
    private ulong _serverTerm;
    private bool _isServerStopping;
    private bool _isFenceRecorded;
    private bool _isLeaving;

    /// <summary>Creates a member that has not started.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="slots">Bit n: slot n is configured.</param>
    /// <param name="heartbeatTimeout">How long it trusts a silent leader, 2..60 s.</param>
    /// <param name="prng">Source of its election timeouts.</param>
    public QuorumMember(int slot, ushort slots, TimeSpan heartbeatTimeout, Prng prng)
    {
        Invariant.Require(slot is >= 0 and < FormatConstants.QuorumSlots && (slots & (1 << slot)) != 0);
        _slot = slot;
        _slots = slots;
        _prng = prng;
        HeartbeatTimeout = heartbeatTimeout;
        int count = BitOperations.PopCount(slots);
        _votesNeeded = count < 3 ? 1 : (count / 2) + 1;
    }

    /// <summary>How long a silent leader is trusted; a change counts from the next heartbeat on.</summary>
    public TimeSpan HeartbeatTimeout { get; set; }

    /// <summary>Role in the present term.</summary>
    public QuorumRole Role { get; private set; }

    /// <summary>Present term.</summary>
    public ulong Term { get; private set; }

    /// <summary>When to call <see cref="Step"/> although nothing has arrived.</summary>
    public TimeSpan Deadline { get; private set; }

    /// <summary>True once the member does nothing any more.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>Votes that came twice: two mounts in one slot, or a network that repeats.</summary>
    public long CountDuplicateVotes { get; private set; }

    /// <summary>Starts (cluster §2.4).</summary>
    /// <param name="snapshot">The quorum blocks that could be read.</param>
    /// <param name="now">Time of a clock that never jumps.</param>
    /// <param name="effects">Receives what to do.</param>
    public void Start(QuorumSnapshot snapshot, TimeSpan now, QuorumEffects effects)
    {
        Term = snapshot.MaxTerm;
        _votedFor = _slot;
        Deadline = now + (snapshot.TryFindLeader(out _) ? HeartbeatTimeout : NextElectionTimeout());
        effects.Persist(QuorumEventKind.Begin, Term);
    }

    /// <summary>One iteration: rules R1 to R12 in order.</summary>
    /// <param name="message">What arrived, or null when the wait ended at the deadline or for the server.</param>
    /// <param name="server">Status of the own server.</param>
    /// <param name="now">Time of the clock of <see cref="Start"/>.</param>
    /// <param name="effects">Receives what to do.</param>
    public void Step(QuorumMessage? message, LeaderServerStatus server, TimeSpan now, QuorumEffects effects)
    {
        if (IsEnded)
            return;
        if (_isLeaving)
        {
            FinishLeaving(server, effects);
            return;
        }

        if (message is { } arrived && (arrived.Term < Term || arrived.From == _slot))
            message = null;
        if (message is { } heard)
            Hear(heard, now, effects);
        else if (Role != QuorumRole.Leader && now > Deadline)
            server = StandForElection(server, now, effects);
        if (Role == QuorumRole.Candidate && BitOperations.PopCount(_votes) >= _votesNeeded)
        {
            Lead(now, effects);
            server = LeaderServerStatus.Starting;
        }

        TendServer(server, now, effects);
        if (Role == QuorumRole.Leader && now > Deadline)
        {
            SendToAll(QuorumMessageKind.Heartbeat, Term, effects);
            Deadline = now + HeartbeatInterval;
        }

        if (Role == QuorumRole.Follower && _votedFor < 0 && message is { Kind: QuorumMessageKind.RequestVote } request)
        {
            _votedFor = request.From;
            effects.Send(QuorumMessageKind.Vote, Term, request.From);
        }
    }

    /// <summary>The mount leaves: the server stops first, then the records say so (DEV-2).</summary>
    /// <remarks>The host goes on with <see cref="Step"/> whenever the server's status changes, until the end.</remarks>
    public void Leave(LeaderServerStatus server, QuorumEffects effects)
    {
        if (IsEnded)
            return;
        _isLeaving = true;
        FinishLeaving(server, effects);
    }

    /// <summary>A record could not be written, or the network is gone for good (DEV-1).</summary>
    public void Fail(LeaderServerStatus server, QuorumEffects effects)
    {
        if (IsEnded)
            return;
        StopServer(server, effects);
        IsEnded = true;
        effects.End();
    }

    /// <summary>The mount is cut off: silence at once, without a record.</summary>
    public void Isolate() => IsEnded = true;

    /// <summary>R2, R3, R4 and R6.</summary>
    private void Hear(in QuorumMessage message, TimeSpan now, QuorumEffects effects)
    {
        bool isHeartbeat = message.Kind == QuorumMessageKind.Heartbeat;
        if (message.Term > Term)
        {
            Follow();
            Term = message.Term;
            _votedFor = -1;
            Deadline = now + (isHeartbeat ? HeartbeatTimeout : NextElectionTimeout());
            effects.Persist(QuorumEventKind.Term, Term);
        }

        if (isHeartbeat && Role != QuorumRole.Leader)
        {
            // A candidate hears that another one won its term (DEV-19).
            if (Role == QuorumRole.Candidate)
                Follow();
            Deadline = now + HeartbeatTimeout;
        }
        else if (message.Kind == QuorumMessageKind.Resignation && Role == QuorumRole.Follower)
        {
            Deadline = now + NextElectionTimeout();
        }
        else if (message.Kind == QuorumMessageKind.Vote && Role == QuorumRole.Candidate)
        {
            ushort vote = (ushort)(1 << message.From);
            if ((_votes & vote) != 0)
                CountDuplicateVotes++;
            _votes |= vote;
        }
    }

    /// <summary>R5. Persisted before it is sent (DEV-4).</summary>
    private LeaderServerStatus StandForElection(LeaderServerStatus server, TimeSpan now, QuorumEffects effects)
    {
        Deadline = now + NextElectionTimeout();

        // The old server must be gone before a new one can start.
        if (server != LeaderServerStatus.Down || _serverTerm != 0)
            return server;
        Role = QuorumRole.Candidate;
        Term++;
        _votes = (ushort)(1 << _slot);
        _votedFor = _slot;
        effects.Persist(QuorumEventKind.Term, Term);
        SendToAll(QuorumMessageKind.RequestVote, Term, effects);
        return server;
    }

    /// <summary>R7. The heartbeat goes first, to end other candidacies while ELECT is being written.</summary>
    private void Lead(TimeSpan now, QuorumEffects effects)
    {
        Role = QuorumRole.Leader;
        SendToAll(QuorumMessageKind.Heartbeat, Term, effects);
        Deadline = now + HeartbeatInterval;
        effects.Persist(QuorumEventKind.Elect, Term);
        _serverTerm = Term;
        _isServerStopping = false;
        _isFenceRecorded = false;
        effects.StartServer(Term);
    }

    /// <summary>R8, R9 and R10.</summary>
    private void TendServer(LeaderServerStatus server, TimeSpan now, QuorumEffects effects)
    {
        bool isOurTime = Role == QuorumRole.Leader && Term == _serverTerm;
        if (isOurTime && !_isFenceRecorded && server == LeaderServerStatus.Up)
        {
            _isFenceRecorded = true;
            effects.Persist(QuorumEventKind.Fence, Term);
        }

        if (!isOurTime)
            StopServer(server, effects);
        if (_serverTerm == 0 || server != LeaderServerStatus.Down)
            return;
        ulong stopped = _serverTerm;
        _serverTerm = 0;

        // Durable before it is told, so that the next leader finds nobody to fence.
        effects.Persist(QuorumEventKind.Stop, stopped);
        if (Role != QuorumRole.Leader)
            return;
        Follow();
        Deadline = now + NextElectionTimeout();
        SendToAll(QuorumMessageKind.Resignation, stopped, effects);
    }

    private void StopServer(LeaderServerStatus server, QuorumEffects effects)
    {
        if (_isServerStopping || server is not (LeaderServerStatus.Starting or LeaderServerStatus.Up))
            return;
        _isServerStopping = true;
        effects.StopServer(_serverTerm);
    }

    private void FinishLeaving(LeaderServerStatus server, QuorumEffects effects)
    {
        StopServer(server, effects);
        if (server != LeaderServerStatus.Down)
            return;
        if (_serverTerm != 0)
        {
            effects.Persist(QuorumEventKind.Stop, _serverTerm);
            SendToAll(QuorumMessageKind.Resignation, _serverTerm, effects);
            _serverTerm = 0;
        }

        effects.Persist(QuorumEventKind.End, Term);
        IsEnded = true;
        effects.End();
    }

    private void Follow()
    {
        Role = QuorumRole.Follower;
        _votes = 0;
    }

    private void SendToAll(QuorumMessageKind kind, ulong term, QuorumEffects effects)
    {
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            if (slot != _slot && (_slots & (1 << slot)) != 0)
                effects.Send(kind, term, slot);
        }
    }

    private TimeSpan NextElectionTimeout() =>
        TimeSpan.FromMilliseconds(ElectionMinMs + _prng.NextInt32(ElectionRandomMs));
}
