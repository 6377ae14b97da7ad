using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>One connection that a leader has accepted: it is nobody's until its greeting (cluster §3.6).</summary>
/// <remarks>
/// A connection that never greets, or breaks the rules, is closed and forgotten; it fences nobody (DEV-5, DEV-6).
/// </remarks>
internal sealed class LeaderConnection : IFrameEndpoint
{
    private readonly SessionTable _table;
    private readonly InetAddress _peer;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private IFrameLink? _link;
    private LeaderSession? _session;
    private FrameHeader _refusal;
    private bool _hasGreeted;
    private bool _isRefused;
    private bool _isClosed;

    /// <summary>Creates the leader's side of a connection.</summary>
    public LeaderConnection(SessionTable table, InetAddress peer)
    {
        _table = table;
        _peer = peer;
    }

    /// <summary>The session has frames to send.</summary>
    public void NotifyFrames() => _link?.NotifyFrames();

    /// <summary>Ends the connection.</summary>
    public void Close() => _link?.Close();

    /// <inheritdoc/>
    public int TakeFrame(IFrameLink link, Span<byte> into)
    {
        LeaderSession? session;
        lock (_latch)
        {
            session = _session;
            if (session is null && !_isRefused)
                return 0;
            if (_isRefused)
            {
                // One frame, then the end.
                _isRefused = false;
                _isClosed = true;
                Disk.Ref<FrameHeader>(into) = _refusal;
                return ReliableSession.HeaderBytes;
            }
        }

        return session!.TakeFrame(this, into);
    }

    /// <inheritdoc/>
    public bool OnFrame(IFrameLink link, ReadOnlySpan<byte> frame)
    {
        LeaderSession? session;
        WireGreeting greeting;
        FrameHeader header;
        lock (_latch)
        {
            _link = link;
            if (_isClosed)
                return false;
            session = _session;
            if (session is not null)
            {
                greeting = default;
                header = default;
            }
            else
            {
                if (_hasGreeted || !ReliableSession.TryParse(frame, out header, out var payload))
                    return false;
                bool isGreeting = header.Command == (byte)WireCommand.Greeting && header.Flags == 0;
                if (!isGreeting || payload.Length != Disk.SizeOf<WireGreeting>())
                    return false;
                greeting = Disk.Ref<WireGreeting>(payload);
                _hasGreeted = true;
            }
        }

        if (session is not null)
            return session.OnFrame(this, frame);
        _ = GreetAsync(greeting, header.Id);
        return true;
    }

    /// <inheritdoc/>
    public void OnDisconnected(IFrameLink link)
    {
        LeaderSession? session;
        lock (_latch)
        {
            _isClosed = true;
            session = _session;
        }

        if (session is not null)
            _table.OnDisconnected(this, session);
    }

    private async Task GreetAsync(WireGreeting greeting, ulong greetingId)
    {
        try
        {
            var error = await _table.CheckGreetingAsync(greeting, _peer);
            if (error == FsError.Cancelled)
            {
                Close();
                return;
            }

            if (error == FsError.None)
                error = Join(greeting, greetingId);
            if (error != FsError.None)
                Refuse(greetingId, error);
        }
        catch (Exception exception)
        {
            _table.Handlers.OnFault(exception);
            Close();
        }
    }

    private FsError Join(in WireGreeting greeting, ulong greetingId)
    {
        var error = _table.Join(this, greeting, greetingId, out var session);
        if (error != FsError.None)
            return error;
        bool isClosed;
        lock (_latch)
        {
            _session = session;
            isClosed = _isClosed;
        }

        // A connection that went while it was being accepted has not told the session so.
        if (isClosed)
            _table.OnDisconnected(this, session!);
        else
            NotifyFrames();
        return FsError.None;
    }

    private void Refuse(ulong greetingId, FsError error)
    {
        lock (_latch)
        {
            _isRefused = true;
            _refusal = new FrameHeader
            {
                Seq = 1,
                Id = greetingId,
                Command = (byte)WireCommand.Greeting,
                Flags = FrameHeader.FlagResponse,
                Error = WireErrors.ToWire(error),
            };
        }

        NotifyFrames();
    }
}
