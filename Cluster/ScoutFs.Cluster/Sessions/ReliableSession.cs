using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>What becomes of a frame that arrived.</summary>
public enum FrameVerdict
{
    /// <summary>It is new and for the owner.</summary>
    Deliver,

    /// <summary>It came a second time, or answers something nobody asked; nothing is to be done.</summary>
    Drop,

    /// <summary>It breaks the protocol; the connection must be closed (cluster §3.2).</summary>
    Broken,
}

/// <summary>A frame for the owner of a session; valid while the bytes it came in are.</summary>
public readonly ref struct ReceivedFrame
{
    internal ReceivedFrame(scoped in FrameHeader header, ReadOnlySpan<byte> payload, object? state)
    {
        Command = (WireCommand)header.Command;
        IsResponse = (header.Flags & FrameHeader.FlagResponse) != 0;
        Id = header.Id;
        Error = header.Error;
        Payload = payload;
        State = state;
    }

    /// <summary>What it is about.</summary>
    public WireCommand Command { get; }

    /// <summary>True for an answer to a request of this end.</summary>
    public bool IsResponse { get; }

    /// <summary>The request's id, at the end that sent the request.</summary>
    public ulong Id { get; }

    /// <summary>Error byte of an answer (<see cref="WireErrors"/>).</summary>
    public byte Error { get; }

    /// <summary>Payload, 0..1100 bytes.</summary>
    public ReadOnlySpan<byte> Payload { get; }

    /// <summary>Answers: what the owner gave with the request.</summary>
    public object? State { get; }
}

/// <summary>One end of a session: order, acknowledgement and re-sending of frames (cluster §3.1).</summary>
/// <remarks>
/// <para>A pure machine: no I/O, no time. The owner puts frames in, a transport takes them out when it can send and
/// puts in what arrives. A lost connection loses nothing: everything that the other end has not confirmed goes out
/// again over the next one, and what arrives twice is dropped.</para>
/// <para>Invariants:
/// 1. Everything sent over one connection is in order of seq, also what is sent again (DEV-7). Greetings alone go
/// first.
/// 2. A request stays queued until its answer came, an answer until the other end's frames acknowledge it.
/// 3. Towards a leader of another term requests stay, answers go: they belonged to the old leader's requests (N3,
/// N4, DEV-9).
/// 4. Nothing but a greeting is sent or accepted before the greeting is done (DEV-6).</para>
/// <para>Thread rules: one caller at a time. Nothing is allocated per frame once the queue has been as long before.
/// </para>
/// </remarks>
public sealed class ReliableSession
{
    /// <summary>Header in bytes.</summary>
    public const int HeaderBytes = 32;

    /// <summary>Greatest frame in bytes.</summary>
    public const int MaxFrameBytes = HeaderBytes + FrameHeader.MaxPayloadBytes;

    private readonly FramePool _pool = new();
    private readonly Dictionary<ulong, QueuedFrame> _requests = [];
    private readonly bool _isMount;
    private readonly FrameQueue _asked = new();
    private readonly FrameQueue _answered = new();
    private QueuedFrame? _greeting;
    private ulong _lastSeq;
    private ulong _lastId;
    private ulong _receivedSeq;
    private bool _isGreeting;
    private bool _isOpen;

    private ReliableSession(bool isMount, ulong term)
    {
        _isMount = isMount;
        Term = term;
    }

    /// <summary>Term of the leader at the other end, or of this one; 0: a mount that has met none yet.</summary>
    public ulong Term { get; private set; }

    /// <summary>True while everything may be sent and received: the connection's greeting is done.</summary>
    public bool IsOpen => _isOpen;

    /// <summary>Requests of this end without an answer.</summary>
    public int CountRequests => _requests.Count;

    /// <summary>Frames that the other end has not confirmed.</summary>
    public int CountQueued => _asked.Count + _answered.Count;

    /// <summary>The mount's end.</summary>
    public static ReliableSession ForMount() => new(isMount: true, term: 0);

    /// <summary>The leader's end.</summary>
    public static ReliableSession ForLeader(ulong term) => new(isMount: false, term);

    /// <summary>Checks the rules that every frame keeps (cluster §3.2).</summary>
    /// <returns>False when it breaks one; the connection must be closed.</returns>
    public static bool TryParse(ReadOnlySpan<byte> frame, out FrameHeader header, out ReadOnlySpan<byte> payload)
    {
        header = default;
        payload = default;
        if (frame.Length is < HeaderBytes or > MaxFrameBytes)
            return false;
        header = Disk.Ref<FrameHeader>(frame);
        bool isResponse = (header.Flags & FrameHeader.FlagResponse) != 0;
        if (header.Seq == 0 || header.Id == 0 || header.DataLen != frame.Length - HeaderBytes)
            return false;
        if (header.Command > (byte)WireCommand.Farewell || (header.Flags & ~FrameHeader.FlagResponse) != 0)
            return false;
        if (header.Error > WireErrors.Greatest || (header.Error != 0 && (!isResponse || header.DataLen != 0)))
            return false;
        if (header.Pad[0] != 0 || header.Pad[1] != 0 || header.Pad[2] != 0)
            return false;
        payload = frame[HeaderBytes..];
        return true;
    }

    /// <summary>Mount: a connection to some leader exists; the greeting is what it may carry first.</summary>
    /// <param name="fsid">Volume.</param>
    /// <param name="formatVersion">Format version of the volume.</param>
    /// <param name="rid">Mount.</param>
    /// <param name="flags">Flags of <see cref="WireGreeting"/>.</param>
    public void Greet(ulong fsid, ulong formatVersion, ulong rid, ulong flags)
    {
        Invariant.Require(_isMount);
        var greeting = new WireGreeting
        {
            Fsid = fsid,
            FormatVersion = formatVersion,
            ServerTerm = Term,
            Rid = rid,
            Flags = flags,
        };
        SetGreeting(Disk.Bytes(in greeting), ++_lastId, response: false);
        _isGreeting = true;
        _isOpen = false;
    }

    /// <summary>Mount: the leader that answered is the right one; everything unconfirmed goes out.</summary>
    public void Accept(ulong term)
    {
        Invariant.Require(_isMount && _isGreeting);
        if (term != Term)
        {
            _receivedSeq = 0;
            DropResponses(ulong.MaxValue);
        }

        Term = term;
        Open();
    }

    /// <summary>Leader: a connection of this session's mount exists; its greeting's answer goes first.</summary>
    public void AnswerGreeting(ulong greetingId, in WireGreeting answer)
    {
        Invariant.Require(!_isMount);
        SetGreeting(Disk.Bytes(in answer), greetingId, response: true);
        Open();
    }

    /// <summary>The connection is gone. Everything unconfirmed waits for the next one.</summary>
    public void Disconnect()
    {
        _isOpen = false;
        _isGreeting = false;
        ReturnGreeting();
    }

    /// <summary>Queues a request.</summary>
    /// <param name="command">What is asked.</param>
    /// <param name="payload">0..1100 bytes.</param>
    /// <param name="state">Comes back with the answer.</param>
    /// <returns>The request's id.</returns>
    public ulong Request(WireCommand command, ReadOnlySpan<byte> payload, object? state)
    {
        var frame = NewFrame(command, ++_lastId, payload, response: false, error: 0);
        frame.State = state;
        _requests.Add(_lastId, frame);
        _asked.Append(frame);
        return _lastId;
    }

    /// <summary>Queues an answer.</summary>
    /// <param name="term">Term of the leader that asked, or answers.</param>
    /// <param name="command">What was asked.</param>
    /// <param name="id">The request's id.</param>
    /// <param name="error">Error byte; an error carries no payload.</param>
    /// <param name="payload">0..1100 bytes.</param>
    /// <remarks>An answer to the request of a leader that has a successor is dropped (DEV-9).</remarks>
    public void Respond(ulong term, WireCommand command, ulong id, byte error, ReadOnlySpan<byte> payload)
    {
        if (term == Term)
            _answered.Append(NewFrame(command, id, error == 0 ? payload : default, response: true, error));
    }

    /// <summary>Copies the next frame to be sent over the present connection.</summary>
    /// <param name="into">At least <see cref="MaxFrameBytes"/>.</param>
    /// <returns>Its length, or 0 when there is none.</returns>
    public int TakeFrame(Span<byte> into)
    {
        var frame = _greeting ?? (_isOpen ? NextUnsent() : null);
        if (frame is null)
            return 0;
        frame.Bytes.AsSpan(0, frame.LengthBytes).CopyTo(into);
        Disk.Ref<FrameHeader>(into).ReceivedSeq = _receivedSeq;
        int lengthBytes = frame.LengthBytes;
        if (frame == _greeting)
            ReturnGreeting();
        return lengthBytes;
    }

    /// <summary>Takes a frame that arrived over the present connection.</summary>
    public FrameVerdict Receive(ReadOnlySpan<byte> frame, out ReceivedFrame received)
    {
        received = default;
        if (!TryParse(frame, out var header, out var payload))
            return FrameVerdict.Broken;
        bool isResponse = (header.Flags & FrameHeader.FlagResponse) != 0;
        if (header.Command == (byte)WireCommand.Greeting)
        {
            // The leader's connection takes greetings itself, so one that comes here is a second one.
            if (!_isMount || !isResponse || !_isGreeting)
                return FrameVerdict.Broken;
            received = new ReceivedFrame(header, payload, state: null);
            return FrameVerdict.Deliver;
        }

        if (!_isOpen)
            return FrameVerdict.Broken;
        if (header.Seq <= _receivedSeq)
            return FrameVerdict.Drop;
        _receivedSeq = header.Seq;
        DropResponses(header.ReceivedSeq);
        object? state = null;
        if (isResponse)
        {
            if (!_requests.TryGetValue(header.Id, out var request))
                return FrameVerdict.Drop;
            if (request.Header.Command != header.Command)
                return FrameVerdict.Broken;
            _requests.Remove(header.Id);
            state = request.State;
            Retire(_asked, request);
        }

        received = new ReceivedFrame(header, payload, state);
        return FrameVerdict.Deliver;
    }

    /// <summary>Ends the session: nothing is sent any more.</summary>
    /// <param name="abandoned">Receives the states of unanswered requests, in order.</param>
    public void Abandon(ICollection<object> abandoned)
    {
        Disconnect();
        while (_asked.First is { } frame)
        {
            if (frame.State is { } state)
                abandoned.Add(state);
            Retire(_asked, frame);
        }

        DropResponses(ulong.MaxValue);
        _requests.Clear();
    }

    private void Open()
    {
        _isGreeting = false;
        _isOpen = true;
        _asked.Rewind();
        _answered.Rewind();
    }

    /// <summary>Requests and answers share one sequence but are retired apart: two queues, merged here.</summary>
    private QueuedFrame? NextUnsent()
    {
        bool isAnswer = _answered.Unsent is { } answer
            && (_asked.Unsent is not { } request || answer.Header.Seq < request.Header.Seq.Value);
        return (isAnswer ? _answered : _asked).TakeUnsent();
    }

    private QueuedFrame NewFrame(
        WireCommand command, ulong id, ReadOnlySpan<byte> payload, bool response, byte error)
    {
        Invariant.Require(payload.Length <= FrameHeader.MaxPayloadBytes);
        var frame = _pool.Take(HeaderBytes + payload.Length);
        frame.Header = new FrameHeader
        {
            Seq = ++_lastSeq,
            Id = id,
            DataLen = (ushort)payload.Length,
            Command = (byte)command,
            Flags = response ? FrameHeader.FlagResponse : (byte)0,
            Error = error,
        };
        payload.CopyTo(frame.Bytes.AsSpan(HeaderBytes));
        return frame;
    }

    private void SetGreeting(ReadOnlySpan<byte> payload, ulong id, bool response)
    {
        ReturnGreeting();
        _greeting = NewFrame(WireCommand.Greeting, id, payload, response, error: 0);
    }

    private void ReturnGreeting()
    {
        if (_greeting is not null)
            _pool.Return(_greeting);
        _greeting = null;
    }

    private void Retire(FrameQueue queue, QueuedFrame frame)
    {
        queue.Remove(frame);
        _pool.Return(frame);
    }

    /// <summary>Retires answers up to an acknowledged seq.</summary>
    private void DropResponses(ulong seq)
    {
        while (_answered.First is { } answer && answer.Header.Seq <= seq)
            Retire(_answered, answer);
    }
}
