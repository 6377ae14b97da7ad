using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Leader;
using ScoutFs.Cluster.Locks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>The sessions of one leader, with the two services that live from them: locks and the open map.</summary>
/// <remarks>
/// <para>Order of use: create; <see cref="ExpectMount"/> for every mounted client that an earlier leader left; then
/// <see cref="Accept"/> for every connection. <see cref="DropLocks"/> and <see cref="DropOpenMap"/> are parts of a
/// mount's reclaim, <see cref="Close"/> ends its session. <see cref="Stop"/> ends all.</para>
/// <para>Thread rules: any thread, any latch of the caller held that no handler takes. Nothing waits but what returns
/// a task.</para>
/// </remarks>
public sealed class SessionTable
{
    // Constant after construction.
    private readonly ulong _fsid;
    private readonly ulong _formatVersion;
    private readonly ulong _term;
    private readonly TaskCompletionSource _locksKnown =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guarded by _latch, which is taken around a session's latch.
    private readonly Lock _latch = new();
    private readonly Dictionary<ulong, LeaderSession> _sessions = [];
    private readonly HashSet<ulong> _expected = [];
    private readonly LockServer _locks;
    private readonly OpenMapService _openMap;
    private readonly Queue<(ulong Rid, bool IsLast)> _recovered = new();
    private bool _isStopped;

    /// <summary>Creates the table of a leader without mounts.</summary>
    /// <param name="fsid">Volume.</param>
    /// <param name="formatVersion">Format version of the volume.</param>
    /// <param name="term">Term of the leader, at least 1.</param>
    /// <param name="handlers">What the leader does.</param>
    /// <param name="stopping">Cancelled when the leader stops; requests that wait then end without an answer.</param>
    public SessionTable(
        ulong fsid, ulong formatVersion, ulong term, ILeaderHandlers handlers, CancellationToken stopping)
    {
        Invariant.Require(term > 0);
        _fsid = fsid;
        _formatVersion = formatVersion;
        _term = term;
        Handlers = handlers;
        Stopping = stopping;
        var port = new Port(this);
        _locks = new LockServer(port);
        _openMap = new OpenMapService(port);
    }

    /// <summary>Mounts with a session, connected or not.</summary>
    public int CountSessions
    {
        get
        {
            lock (_latch)
                return _sessions.Count;
        }
    }

    /// <summary>True while some mount's locks are unknown, so that nothing is granted.</summary>
    public bool IsRecovering
    {
        get
        {
            lock (_latch)
                return _locks.IsRecovering;
        }
    }

    /// <summary>What the leader does.</summary>
    internal ILeaderHandlers Handlers { get; }

    /// <summary>Cancelled when the leader stops.</summary>
    internal CancellationToken Stopping { get; }

    /// <summary>A mounted client of an earlier leader exists: its greeting and locks are waited for (cluster §4.5).
    /// </summary>
    public void ExpectMount(ulong rid)
    {
        lock (_latch)
        {
            _expected.Add(rid);
            _locks.ExpectRecovery(rid);
            _openMap.Hold();
        }
    }

    /// <summary>True while a mount's locks are unknown: its farewell must wait (cluster §3.7).</summary>
    public bool IsRecoveringLocks(ulong rid)
    {
        lock (_latch)
            return _locks.IsRecoveringMount(rid);
    }

    /// <summary>The leader's side of a new connection.</summary>
    /// <param name="peer">Where it comes from.</param>
    public IFrameEndpoint Accept(InetAddress peer) => new LeaderConnection(this, peer);

    /// <summary>Drops all lock entries of a mount that is gone, and grants what waited for it (cluster §4.6).</summary>
    public void DropLocks(ulong rid)
    {
        lock (_latch)
            _locks.Reclaim(rid);
        ReportRecovered();
    }

    /// <summary>Removes a mount from the open map and from what waits for it (cluster §4.6.5).</summary>
    public void DropOpenMap(ulong rid)
    {
        lock (_latch)
        {
            _openMap.Remove(rid);
            NoteGreeted(rid);
        }
    }

    /// <summary>Asks a mount to commit soon; one without a session gets nothing.</summary>
    public void SendSyncLogTrees(ulong rid)
    {
        lock (_latch)
            Send(rid, WireCommand.SyncLogTrees, default);
    }

    /// <summary>Ends a mount's session: it is fenced, or did not come back in time.</summary>
    public void Close(ulong rid)
    {
        LeaderSession? session;
        lock (_latch)
            _sessions.Remove(rid, out session);
        session?.Abandon();
    }

    /// <summary>Ends all sessions; nothing is sent any more.</summary>
    public void Stop()
    {
        List<LeaderSession> sessions;
        lock (_latch)
        {
            _isStopped = true;
            sessions = [.. _sessions.Values];
            _sessions.Clear();
        }

        foreach (var session in sessions)
            session.Abandon();
    }

    /// <summary>First part of a greeting: is it for this volume, and does the leader know the mount.</summary>
    internal async ValueTask<FsError> CheckGreetingAsync(WireGreeting greeting, InetAddress peer)
    {
        if (greeting.Fsid != _fsid || greeting.FormatVersion != _formatVersion)
            return FsError.Invalid;
        if (greeting.Rid == 0 || greeting.Rid == ulong.MaxValue)
            return FsError.Invalid;
        return await Handlers.GreetAsync(greeting.Rid, greeting, peer, Stopping);
    }

    /// <summary>Second part of a greeting: finds or makes the session (cluster §3.6.5).</summary>
    internal FsError Join(
        LeaderConnection connection, in WireGreeting greeting, ulong greetingId, out LeaderSession? session)
    {
        ulong rid = greeting.Rid;
        bool isFirstContact = greeting.ServerTerm != _term;
        bool isLeaving = (greeting.Flags & WireGreeting.FlagFarewell) != 0;
        lock (_latch)
        {
            bool isNew = !_sessions.TryGetValue(rid, out session);
            if (_isStopped)
                return FsError.Io;

            // Its session has ended and with it the window to come back: it is being fenced.
            if (isNew && !isFirstContact && !isLeaving)
                return FsError.Isolated;

            // A mount that met this leader knows it. One that does not know may only have missed our answer.
            if (!isNew && isFirstContact && session!.HasReceived)
                return FsError.Invalid;
            session ??= new LeaderSession(this, rid, _term);
            var answer = new WireGreeting
            {
                Fsid = _fsid,
                FormatVersion = _formatVersion,
                ServerTerm = _term,
                Rid = rid,
            };
            if (!session.Attach(connection, greetingId, answer))
                return FsError.Invalid;
            if (isNew)
                _sessions.Add(rid, session);
            NoteGreeted(rid);
            if (isFirstContact)
            {
                _locks.StartRecovery(rid);
                _openMap.Add(rid);
            }
        }

        return FsError.None;
    }

    /// <summary>A connection with a session is gone.</summary>
    internal void OnDisconnected(LeaderConnection connection, LeaderSession session)
    {
        if (!session.Detach(connection))
            return;
        if (session.IsFarewellAnswered)
            Close(session.Rid);
        else if (!Stopping.IsCancellationRequested)
            Handlers.OnDisconnected(session.Rid);
    }

    /// <summary>A mount asks for a lock; false: close its connection.</summary>
    internal bool OnLockRequest(ulong rid, ulong requestId, in WireLock request)
    {
        lock (_latch)
            return _locks.OnRequest(rid, requestId, request) == FsError.None;
    }

    /// <summary>A mount has lowered a lock; false: close its connection.</summary>
    internal bool OnInvalidationAnswer(ulong rid, in WireLock answer)
    {
        lock (_latch)
            return _locks.OnInvalidationAnswer(rid, answer) == FsError.None;
    }

    /// <summary>A mount says which locks it holds; false: close its connection.</summary>
    internal bool OnRecoverAnswer(ulong rid, ReadOnlySpan<WireLock> locks)
    {
        FsError error;
        lock (_latch)
            error = _locks.OnRecoverAnswer(rid, locks);
        ReportRecovered();
        return error == FsError.None;
    }

    /// <summary>A mount asks for the open map of a group.</summary>
    internal void OnOpenMapRequest(ulong rid, ulong requestId, ulong group)
    {
        lock (_latch)
            _openMap.Request(rid, requestId, group);
    }

    /// <summary>A mount says which inodes it has in use.</summary>
    internal void OnOpenInodes(ulong rid, in WireOpenInoMap answer)
    {
        lock (_latch)
            _openMap.OnAnswer(rid, answer);
    }

    /// <summary>Opens a transaction once all locks are known: its seq is above every held one (DEV-11).</summary>
    internal async ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(ulong rid)
    {
        if (IsRecovering)
        {
            try
            {
                await _locksKnown.Task.WaitAsync(Stopping);
            }
            catch (OperationCanceledException)
            {
                return (FsError.Cancelled, default);
            }
        }

        return await Handlers.Requests.GetLogTreesAsync(rid, Stopping);
    }

    private void NoteGreeted(ulong rid)
    {
        if (_expected.Remove(rid) && _expected.Count == 0)
            _openMap.Release();
    }

    /// <summary>Tells the leader what happened under the latch.</summary>
    private void ReportRecovered()
    {
        while (true)
        {
            ulong rid;
            bool isLast;
            lock (_latch)
            {
                if (!_recovered.TryDequeue(out var recovered))
                    return;
                (rid, isLast) = recovered;
            }

            if (isLast)
                _locksKnown.TrySetResult();
            Handlers.OnLocksRecovered(rid, isLast);
        }
    }

    private void Send(ulong rid, WireCommand command, ReadOnlySpan<byte> payload)
    {
        if (_sessions.TryGetValue(rid, out var session))
            session.Send(command, payload);
    }

    private void Respond(ulong rid, WireCommand command, ulong id, ReadOnlySpan<byte> payload)
    {
        if (_sessions.TryGetValue(rid, out var session))
            session.Respond(command, id, FsError.None, payload);
    }

    /// <summary>Where locks and open map send; always called under the latch.</summary>
    private sealed class Port(SessionTable table) : ILockServerPort, IOpenMapPort
    {
        public ulong NextSeq() => table.Handlers.NextSeq();

        public void RaiseSeq(ulong seq) => table.Handlers.RaiseSeq(seq);

        public void SendGrant(ulong rid, ulong requestId, in WireLock grant) =>
            table.Respond(rid, WireCommand.Lock, requestId, Disk.Bytes(in grant));

        public void SendInvalidation(ulong rid, in WireLock request) =>
            table.Send(rid, WireCommand.Lock, Disk.Bytes(in request));

        public void SendRecoverRequest(ulong rid, in ItemKey from) =>
            table.Send(rid, WireCommand.LockRecover, Disk.Bytes(in from));

        public void RecoveryEnded(ulong rid, bool isLast) => table._recovered.Enqueue((rid, isLast));

        public void AskOpenInodes(ulong rid, in WireOpenInoArgs args) =>
            table.Send(rid, WireCommand.OpenInoMap, Disk.Bytes(in args));

        public void AnswerOpenInodes(ulong rid, ulong requestId, in WireOpenInoMap map) =>
            table.Respond(rid, WireCommand.OpenInoMap, requestId, Disk.Bytes(in map));
    }
}
