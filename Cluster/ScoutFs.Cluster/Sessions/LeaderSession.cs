using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>The leader's end of one mount's session: frames become calls, answers and messages become frames.</summary>
/// <remarks>
/// One object per mount for the whole time of a leader, whatever becomes of connections, so that nothing sent while
/// the mount reconnects is lost (DEV-8). Calls may come from any thread; those that send only queue.
/// </remarks>
internal sealed class LeaderSession
{
    private readonly SessionTable _table;
    private readonly ulong _term;

    // Guarded by _latch. Taken inside the table's latch, never around it.
    private readonly Lock _latch = new();
    private readonly ReliableSession _session;
    private LeaderConnection? _connection;
    private ulong _greetingId;
    private bool _hasReceived;
    private bool _isFarewellAnswered;

    /// <summary>Creates the session of a mount that has no connection yet.</summary>
    public LeaderSession(SessionTable table, ulong rid, ulong term)
    {
        _table = table;
        _term = term;
        _session = ReliableSession.ForLeader(term);
        Rid = rid;
    }

    /// <summary>The mount.</summary>
    public ulong Rid { get; }

    /// <summary>True once a frame other than greetings has arrived.</summary>
    public bool HasReceived
    {
        get
        {
            lock (_latch)
                return _hasReceived;
        }
    }

    /// <summary>True once the mount may go.</summary>
    public bool IsFarewellAnswered
    {
        get
        {
            lock (_latch)
                return _isFarewellAnswered;
        }
    }

    /// <summary>Uses a new connection, unless one with a later greeting is in use (cluster §3.6.5).</summary>
    public bool Attach(LeaderConnection connection, ulong greetingId, in WireGreeting answer)
    {
        LeaderConnection? old;
        lock (_latch)
        {
            if (_connection is not null && greetingId < _greetingId)
                return false;
            old = _connection;
            _connection = connection;
            _greetingId = greetingId;
            _session.Disconnect();
            _session.AnswerGreeting(greetingId, answer);
        }

        old?.Close();
        return true;
    }

    /// <summary>The connection is gone; false when it was not the present one.</summary>
    public bool Detach(LeaderConnection connection)
    {
        lock (_latch)
        {
            if (_connection != connection)
                return false;
            _connection = null;
            _session.Disconnect();
            return true;
        }
    }

    /// <summary>Ends the session: the mount is gone, or the leader stops.</summary>
    public void Abandon()
    {
        LeaderConnection? connection;
        lock (_latch)
        {
            connection = _connection;
            _connection = null;
            _session.Abandon(new List<object>());
        }

        connection?.Close();
    }

    /// <summary>Queues a request to the mount.</summary>
    public void Send(WireCommand command, ReadOnlySpan<byte> payload)
    {
        lock (_latch)
        {
            _session.Request(command, payload, state: null);
            _connection?.NotifyFrames();
        }
    }

    /// <summary>Queues an answer to the mount.</summary>
    public void Respond(WireCommand command, ulong id, FsError error, ReadOnlySpan<byte> payload)
    {
        lock (_latch)
        {
            _session.Respond(_term, command, id, WireErrors.ToWire(error), payload);
            _isFarewellAnswered |= command == WireCommand.Farewell && error == FsError.None;
            _connection?.NotifyFrames();
        }
    }

    /// <summary>Next frame for a connection.</summary>
    public int TakeFrame(LeaderConnection connection, Span<byte> into)
    {
        lock (_latch)
            return connection == _connection ? _session.TakeFrame(into) : 0;
    }

    /// <summary>A frame has arrived; false: close the connection.</summary>
    public bool OnFrame(LeaderConnection connection, ReadOnlySpan<byte> frame)
    {
        ReceivedFrame received;
        lock (_latch)
        {
            if (connection != _connection)
                return false;
            var verdict = _session.Receive(frame, out received);
            if (verdict != FrameVerdict.Deliver)
                return verdict == FrameVerdict.Drop;
            _hasReceived = true;
        }

        return received.IsResponse ? OnResponse(received) : OnRequest(received);
    }

    private static bool IsExactly<T>(in ReceivedFrame received)
        where T : unmanaged => received.Payload.Length == Disk.SizeOf<T>();

    /// <summary>False when the leader has only stopped: the mount's request waits for its successor (N3).</summary>
    /// <remarks>Isolated from a leader that goes on means that the mount is none any more: its session ends, and it
    /// learns why when it greets again (DEV-10).</remarks>
    private bool IsAnswer(FsError error)
    {
        if (error == FsError.Isolated && !_table.Stopping.IsCancellationRequested)
            _table.Close(Rid);
        return error is not (FsError.Cancelled or FsError.Isolated);
    }

    private bool OnResponse(in ReceivedFrame received)
    {
        if (received.Error != 0)
            return false;
        var payload = received.Payload;
        switch (received.Command)
        {
            case WireCommand.Lock when IsExactly<WireLock>(received):
                return _table.OnInvalidationAnswer(Rid, Disk.Ref<WireLock>(payload));
            case WireCommand.LockRecover when payload.Length >= Disk.SizeOf<WireLockRecover>():
                int count = Disk.Ref<WireLockRecover>(payload).Nr;
                payload = payload[Disk.SizeOf<WireLockRecover>()..];
                return payload.Length == count * Disk.SizeOf<WireLock>()
                    && _table.OnRecoverAnswer(Rid, Disk.Slice<WireLock>(payload, 0, count));
            case WireCommand.SyncLogTrees:
                return true;
            case WireCommand.OpenInoMap when IsExactly<WireOpenInoMap>(received):
                _table.OnOpenInodes(Rid, Disk.Ref<WireOpenInoMap>(payload));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Starts what a mount asks for. Wrong lengths: cluster §3.2.</summary>
    private bool OnRequest(in ReceivedFrame received)
    {
        var requests = _table.Handlers.Requests;
        var stopping = _table.Stopping;
        var payload = received.Payload;
        ulong id = received.Id;
        var command = received.Command;
        try
        {
            switch (command)
            {
                case WireCommand.Lock when IsExactly<WireLock>(received):
                    return _table.OnLockRequest(Rid, id, Disk.Ref<WireLock>(payload));
                case WireCommand.GetLogTrees when payload.IsEmpty:
                    _ = AnswerAsync(command, id, _table.GetLogTreesAsync(Rid));
                    return true;
                case WireCommand.CommitLogTrees when IsExactly<LogTrees>(received):
                    _ = AnswerAsync(command, id, requests.CommitLogTreesAsync(
                        Rid, Disk.Ref<LogTrees>(payload), stopping));
                    return true;
                case WireCommand.AllocInodes when IsExactly<Le64>(received):
                    _ = AnswerAsync(command, id, requests.AllocateInodesAsync(
                        Rid, Disk.Ref<Le64>(payload), stopping));
                    return true;
                case WireCommand.GetRoots when payload.IsEmpty:
                    _ = AnswerAsync(command, id, requests.GetRootsAsync(Rid, stopping));
                    return true;
                case WireCommand.GetLastSeq when payload.IsEmpty:
                    _ = AnswerSeqAsync(id, requests.GetLastSeqAsync(Rid, stopping));
                    return true;
                case WireCommand.SrchGetCompact when payload.IsEmpty:
                    _ = AnswerAsync(command, id, requests.GetSrchCompactAsync(Rid, stopping));
                    return true;
                case WireCommand.SrchCommitCompact when IsExactly<SrchCompact>(received):
                    _ = AnswerAsync(command, id, requests.CommitSrchCompactAsync(
                        Rid, Disk.Ref<SrchCompact>(payload), stopping));
                    return true;
                case WireCommand.GetLogMerge when payload.IsEmpty:
                    _ = AnswerAsync(command, id, requests.GetLogMergeAsync(Rid, stopping));
                    return true;
                case WireCommand.CommitLogMerge when IsExactly<LogMergeComplete>(received):
                    _ = AnswerAsync(command, id, requests.CommitLogMergeAsync(
                        Rid, Disk.Ref<LogMergeComplete>(payload), stopping));
                    return true;
                case WireCommand.OpenInoMap when IsExactly<WireOpenInoArgs>(received):
                    _table.OnOpenMapRequest(Rid, id, Disk.Ref<WireOpenInoArgs>(payload).Group);
                    return true;
                case WireCommand.GetVolumeOptions when payload.IsEmpty:
                    _ = AnswerAsync(command, id, requests.GetVolumeOptionsAsync(Rid, stopping));
                    return true;
                case WireCommand.SetVolumeOptions when IsExactly<VolumeOptions>(received):
                    _ = AnswerAsync(command, id, requests.SetVolumeOptionsAsync(
                        Rid, Disk.Ref<VolumeOptions>(payload), stopping));
                    return true;
                case WireCommand.ClearVolumeOptions when IsExactly<VolumeOptions>(received):
                    _ = AnswerAsync(command, id, requests.ClearVolumeOptionsAsync(
                        Rid, Disk.Ref<VolumeOptions>(payload), stopping));
                    return true;
                case WireCommand.ResizeDevices when IsExactly<WireResize>(received):
                    _ = AnswerAsync(command, id, requests.ResizeDevicesAsync(
                        Rid, Disk.Ref<WireResize>(payload), stopping));
                    return true;
                case WireCommand.StatFs when payload.IsEmpty:
                    _ = AnswerAsync(command, id, requests.StatFsAsync(Rid, stopping));
                    return true;
                case WireCommand.Farewell when payload.IsEmpty:
                    _ = AnswerAsync(command, id, requests.FarewellAsync(Rid, stopping));
                    return true;
                default:
                    return RefuseLength(command, id);
            }
        }
        catch (Exception exception)
        {
            // A handler failed before its first wait.
            _table.Handlers.OnFault(exception);
            return false;
        }
    }

    /// <summary>Requests of a wrong length are answered so, but a few commands and unknown ones end the connection.
    /// </summary>
    private bool RefuseLength(WireCommand command, ulong id)
    {
        bool isFatal = command is WireCommand.Lock or WireCommand.LockRecover or WireCommand.SyncLogTrees
            or WireCommand.GetLogMerge or WireCommand.CommitLogMerge or WireCommand.Farewell;
        if (!isFatal)
            Respond(command, id, FsError.Invalid, default);
        return !isFatal;
    }

    private async Task AnswerAsync(WireCommand command, ulong id, ValueTask<FsError> result)
    {
        try
        {
            var error = await result;
            if (IsAnswer(error))
                Respond(command, id, error, default);
        }
        catch (Exception exception)
        {
            _table.Handlers.OnFault(exception);
        }
    }

    private async Task AnswerAsync<T>(WireCommand command, ulong id, ValueTask<(FsError Error, T Value)> result)
        where T : unmanaged
    {
        try
        {
            var (error, value) = await result;
            if (IsAnswer(error))
                Respond(command, id, error, Disk.Bytes(in value));
        }
        catch (Exception exception)
        {
            _table.Handlers.OnFault(exception);
        }
    }

    private async Task AnswerSeqAsync(ulong id, ValueTask<(FsError Error, ulong Seq)> result)
    {
        try
        {
            var (error, seq) = await result;
            Le64 wire = seq;
            if (IsAnswer(error))
                Respond(WireCommand.GetLastSeq, id, error, Disk.Bytes(in wire));
        }
        catch (Exception exception)
        {
            _table.Handlers.OnFault(exception);
        }
    }
}
