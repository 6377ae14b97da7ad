using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Cluster.Sessions;

/// <summary>The mount's end of its session: the engine's calls become frames, the leader's frames calls.</summary>
/// <remarks>
/// <para>It outlives connections and leaders: whoever owns it finds a leader, makes a link to it and calls
/// <see cref="Connect"/>, as often as needed. Requests wait meanwhile.</para>
/// <para>Thread rules: every member may be called from any thread with any latch of the mount held; they only queue.
/// <see cref="ILockMessages"/> and <see cref="IMountMessages"/> are called by the link, one call at a time, in the
/// order in which the leader sent the messages, without a latch of the channel.</para>
/// <para>Once isolated, for whatever reason, it stays so: every call ends with Isolated and nothing is sent.</para>
/// </remarks>
public sealed class LeaderChannel : ILeader, ILockTransport, IFrameEndpoint
{
    // Constant after construction, the two callbacks after Attach.
    private readonly ulong _fsid;
    private readonly ulong _formatVersion;
    private readonly ulong _rid;
    private readonly bool _isQuorumMember;
    private readonly TaskCompletionSource<FsError> _greeted =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ILockMessages? _locks;
    private IMountMessages? _mount;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly ReliableSession _session = ReliableSession.ForMount();
    private readonly Dictionary<ulong, (ulong Term, ulong Id)> _asked = [];
    private IFrameLink? _link;
    private ulong _lastToken;
    private bool _isLeaving;
    private bool _isIsolated;

    /// <summary>Creates the end of a mount that has met no leader.</summary>
    /// <param name="fsid">Volume.</param>
    /// <param name="formatVersion">Format version of the volume.</param>
    /// <param name="rid">Mount.</param>
    /// <param name="isQuorumMember">The mount runs a quorum slot.</param>
    public LeaderChannel(ulong fsid, ulong formatVersion, ulong rid, bool isQuorumMember)
    {
        _fsid = fsid;
        _formatVersion = formatVersion;
        _rid = rid;
        _isQuorumMember = isQuorumMember;
    }

    /// <summary>True once the mount is cut off: <see cref="Isolate"/> was called, or a leader refused it for good.
    /// </summary>
    public bool IsIsolated
    {
        get
        {
            lock (_latch)
                return _isIsolated;
        }
    }

    /// <summary>Term of the leader that was greeted last; 0: none yet.</summary>
    public ulong Term
    {
        get
        {
            lock (_latch)
                return _session.Term;
        }
    }

    /// <summary>Names those who receive the leader's messages; once, before the first <see cref="Connect"/>.</summary>
    public void Attach(ILockMessages locks, IMountMessages mount)
    {
        Invariant.Require(_locks is null);
        _locks = locks;
        _mount = mount;
    }

    /// <summary>Uses a link to a leader from now on, and greets it.</summary>
    /// <returns>False: isolated, the link was closed.</returns>
    public bool Connect(IFrameLink link)
    {
        Invariant.Require(_locks is not null);
        IFrameLink? old;
        bool isUsed;
        lock (_latch)
        {
            old = _link;
            _link = null;
            _session.Disconnect();
            isUsed = !_isIsolated;
            if (isUsed)
            {
                ulong flags = (_isLeaving ? WireGreeting.FlagFarewell : 0)
                    | (_isQuorumMember ? WireGreeting.FlagQuorum : 0);
                _session.Greet(_fsid, _formatVersion, _rid, flags);
                _link = link;
            }
        }

        old?.Close();
        if (isUsed)
            link.NotifyFrames();
        else
            link.Close();
        return isUsed;
    }

    /// <summary>Waits until a leader has accepted the mount for the first time.</summary>
    /// <returns>None; Invalid when the volume is another one for the leader; Isolated; Cancelled.</returns>
    public async ValueTask<FsError> GreetAsync(CancellationToken cancellationToken)
    {
        return await _greeted.Task.OrCancelledAsync(cancellationToken);
    }

    /// <summary>Tells the leader that the mount holds nothing any more and writes nothing any more.</summary>
    /// <returns>None: the leader has forgotten the mount; Io, Isolated or Cancelled.</returns>
    public async ValueTask<FsError> FarewellAsync(CancellationToken cancellationToken)
    {
        lock (_latch)
            _isLeaving = true;
        return await CallAsync(Submit(WireCommand.Farewell), cancellationToken);
    }

    /// <summary>Cuts the mount off: what waits ends with Isolated, nothing is sent any more (cluster §1.3).</summary>
    public void Isolate()
    {
        var abandoned = new List<object>();
        IFrameLink? link;
        lock (_latch)
        {
            if (_isIsolated)
                return;
            _isIsolated = true;
            link = _link;
            _link = null;
            _session.Abandon(abandoned);
            _asked.Clear();
        }

        _greeted.TrySetResult(FsError.Isolated);
        foreach (object state in abandoned)
            ((PendingCall)state).TrySetResult(FsError.Isolated);
        link?.Close();
    }

    /// <inheritdoc/>
    public ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(CancellationToken cancellationToken) =>
        CallAsync<LogTrees>(Submit(WireCommand.GetLogTrees), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitLogTreesAsync(LogTrees logTrees, CancellationToken cancellationToken) =>
        CallAsync(Submit(WireCommand.CommitLogTrees, Disk.Bytes(in logTrees)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong count, CancellationToken cancellationToken)
    {
        Le64 wire = count;
        return CallAsync<WireInodeRange>(Submit(WireCommand.AllocInodes, Disk.Bytes(in wire)), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(CancellationToken cancellationToken) =>
        CallAsync<WireRoots>(Submit(WireCommand.GetRoots), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(CancellationToken cancellationToken)
    {
        var (error, seq) = await CallAsync<Le64>(Submit(WireCommand.GetLastSeq), cancellationToken);
        return (error, seq);
    }

    /// <inheritdoc/>
    public ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(CancellationToken cancellationToken) =>
        CallAsync<SrchCompact>(Submit(WireCommand.SrchGetCompact), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitSrchCompactAsync(SrchCompact compact, CancellationToken cancellationToken) =>
        CallAsync(Submit(WireCommand.SrchCommitCompact, Disk.Bytes(in compact)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(CancellationToken cancellationToken) =>
        CallAsync<LogMergeRequest>(Submit(WireCommand.GetLogMerge), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> CommitLogMergeAsync(LogMergeComplete complete, CancellationToken cancellationToken) =>
        CallAsync(Submit(WireCommand.CommitLogMerge, Disk.Bytes(in complete)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireOpenInoMap Map)> OpenInoMapAsync(
        ulong group, CancellationToken cancellationToken)
    {
        var args = new WireOpenInoArgs { Group = group };
        return CallAsync<WireOpenInoMap>(Submit(WireCommand.OpenInoMap, Disk.Bytes(in args)), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(
        CancellationToken cancellationToken) =>
        CallAsync<VolumeOptions>(Submit(WireCommand.GetVolumeOptions), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> SetVolumeOptionsAsync(VolumeOptions options, CancellationToken cancellationToken) =>
        CallAsync(Submit(WireCommand.SetVolumeOptions, Disk.Bytes(in options)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ClearVolumeOptionsAsync(VolumeOptions options, CancellationToken cancellationToken) =>
        CallAsync(Submit(WireCommand.ClearVolumeOptions, Disk.Bytes(in options)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<FsError> ResizeDevicesAsync(WireResize resize, CancellationToken cancellationToken) =>
        CallAsync(Submit(WireCommand.ResizeDevices, Disk.Bytes(in resize)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(CancellationToken cancellationToken) =>
        CallAsync<WireStatFs>(Submit(WireCommand.StatFs), cancellationToken);

    /// <inheritdoc/>
    public void Request(in WireLock request) => Send(WireCommand.Lock, Disk.Bytes(in request), call: null);

    /// <inheritdoc/>
    public void AnswerInvalidation(ulong requestId, in WireLock answer) =>
        Respond(WireCommand.Lock, requestId, Disk.Bytes(in answer));

    /// <inheritdoc/>
    public void AnswerRecovery(ulong requestId, ReadOnlySpan<WireLock> locks)
    {
        Invariant.Require(locks.Length <= WireLockRecover.MaxLocks);
        Span<byte> answer = stackalloc byte[FrameHeader.MaxPayloadBytes];
        Disk.Ref<WireLockRecover>(answer) = new WireLockRecover { Nr = (ushort)locks.Length };
        int lengthBytes = Disk.SizeOf<WireLockRecover>();
        foreach (ref readonly var held in locks)
        {
            Disk.Ref<WireLock>(answer, lengthBytes) = held;
            lengthBytes += Disk.SizeOf<WireLock>();
        }

        Respond(WireCommand.LockRecover, requestId, answer[..lengthBytes]);
    }

    int IFrameEndpoint.TakeFrame(IFrameLink link, Span<byte> into)
    {
        lock (_latch)
            return link == _link ? _session.TakeFrame(into) : 0;
    }

    bool IFrameEndpoint.OnFrame(IFrameLink link, ReadOnlySpan<byte> frame)
    {
        ReceivedFrame received;
        ulong token = 0;
        bool isGreeting = false;
        bool isAccepted = false;
        lock (_latch)
        {
            if (link != _link)
                return false;
            var verdict = _session.Receive(frame, out received);
            if (verdict != FrameVerdict.Deliver)
                return verdict == FrameVerdict.Drop;
            if (received.Command == WireCommand.Greeting)
            {
                isGreeting = true;
                isAccepted = TryAccept(received);
            }
            else if (!received.IsResponse)
            {
                token = ++_lastToken;
                _asked.Add(token, (_session.Term, received.Id));
            }
        }

        if (isGreeting)
            return OnGreeting(link, isAccepted, received.Error);
        return received.IsResponse ? OnResponse(received) : OnRequest(received, token);
    }

    void IFrameEndpoint.OnDisconnected(IFrameLink link)
    {
        lock (_latch)
        {
            if (link != _link)
                return;
            _link = null;
            _session.Disconnect();
        }
    }

    /// <summary>Checks the answer to our greeting and opens the session; called with the latch held.</summary>
    private bool TryAccept(in ReceivedFrame received)
    {
        if (received.Error != 0 || received.Payload.Length != Disk.SizeOf<WireGreeting>())
            return false;
        ref readonly var greeting = ref Disk.Ref<WireGreeting>(received.Payload);
        if (greeting.Fsid != _fsid || greeting.FormatVersion != _formatVersion || greeting.ServerTerm == 0)
            return false;

        // What the old leader asked is not answered any more; its successor asks again (DEV-9).
        if (greeting.ServerTerm != _session.Term)
            _asked.Clear();
        _session.Accept(greeting.ServerTerm);
        return true;
    }

    private bool OnGreeting(IFrameLink link, bool isAccepted, byte wireError)
    {
        if (isAccepted)
        {
            link.NotifyFrames();
            _greeted.TrySetResult(FsError.None);
            return true;
        }

        // A leader that does not know us any more says so: we have been fenced (DEV-10). A first greeting that is
        // refused is not going to be accepted later either; after that a refusal ends this connection only.
        var error = WireErrors.FromWire(wireError);
        if (error == FsError.Isolated)
            Isolate();
        else if (error != FsError.None)
            _greeted.TrySetResult(error);
        return false;
    }

    private bool OnResponse(in ReceivedFrame received)
    {
        if (received.Command == WireCommand.Lock)
        {
            // A leader refuses a lock request by closing the connection, never by an error.
            if (received.Error != 0 || received.Payload.Length != Disk.SizeOf<WireLock>())
                return false;
            _locks!.OnGrant(Disk.Ref<WireLock>(received.Payload));
            return true;
        }

        if (received.State is PendingCall call)
        {
            call.Response = received.Payload.ToArray();
            call.TrySetResult(WireErrors.FromWire(received.Error));
        }

        return true;
    }

    private bool OnRequest(in ReceivedFrame received, ulong token)
    {
        var payload = received.Payload;
        switch (received.Command)
        {
            case WireCommand.Lock when payload.Length == Disk.SizeOf<WireLock>():
                _locks!.OnInvalidate(token, Disk.Ref<WireLock>(payload));
                return true;
            case WireCommand.LockRecover when payload.Length == Disk.SizeOf<ItemKey>():
                _locks!.OnRecover(token, Disk.Ref<ItemKey>(payload));
                return true;
            case WireCommand.SyncLogTrees when payload.IsEmpty:
                _mount!.OnSyncLogTrees();
                Respond(WireCommand.SyncLogTrees, token, default);
                return true;
            case WireCommand.OpenInoMap when payload.Length == Disk.SizeOf<WireOpenInoArgs>():
                var map = new WireOpenInoMap { Args = Disk.Ref<WireOpenInoArgs>(payload) };
                _mount!.ReadOpenInodes(map.Args.Group, map.Bits);
                Respond(WireCommand.OpenInoMap, token, Disk.Bytes(in map));
                return true;
            default:
                return false;
        }
    }

    private PendingCall Submit(WireCommand command, ReadOnlySpan<byte> payload = default)
    {
        var call = new PendingCall();
        Send(command, payload, call);
        return call;
    }

    private void Send(WireCommand command, ReadOnlySpan<byte> payload, PendingCall? call)
    {
        IFrameLink? link;
        lock (_latch)
        {
            if (_isIsolated)
            {
                call?.TrySetResult(FsError.Isolated);
                return;
            }

            _session.Request(command, payload, call);
            link = _session.IsOpen ? _link : null;
        }

        link?.NotifyFrames();
    }

    private void Respond(WireCommand command, ulong token, ReadOnlySpan<byte> payload)
    {
        IFrameLink? link;
        lock (_latch)
        {
            if (!_asked.Remove(token, out var asked))
                return;
            _session.Respond(asked.Term, command, asked.Id, error: 0, payload);
            link = _session.IsOpen ? _link : null;
        }

        link?.NotifyFrames();
    }

    private static async ValueTask<FsError> CallAsync(PendingCall call, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static state => ((PendingCall)state!).TrySetResult(FsError.Cancelled), call);
        return await call.Task;
    }

    private static async ValueTask<(FsError Error, T Value)> CallAsync<T>(
        PendingCall call, CancellationToken cancellationToken)
        where T : unmanaged
    {
        var error = await CallAsync(call, cancellationToken);
        if (error != FsError.None)
            return (error, default);

        // A leader that answers something else is broken, not the volume.
        return call.Response.Length == Disk.SizeOf<T>()
            ? (FsError.None, Disk.Ref<T>(call.Response))
            : (FsError.Io, default);
    }
}
