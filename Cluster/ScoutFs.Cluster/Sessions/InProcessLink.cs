using System;
using System.Threading;
using System.Threading.Tasks;
using System.Threading.Tasks.Sources;

namespace ScoutFs.Cluster.Sessions;

/// <summary>A connection inside one process: whole frames, copied from one end to the other.</summary>
/// <remarks>
/// <para>Each direction is a loop that sleeps until its sender has something. It runs in the synchronization context
/// that <see cref="Connect"/> was called in; without one wherever continuations of tasks run. Whoever sends therefore
/// never meets the receiver's code in its own stack, and may hold what it likes.</para>
/// <para>A frame is delivered once or, if the link closes before, not at all. When both loops have ended both ends
/// learn that the connection is gone.</para>
/// </remarks>
public sealed class InProcessLink
{
    // Frames a loop delivers before it lets others run that share its context.
    private const int FramesPerTurn = 64;

    private readonly End _mount;
    private readonly End _leader;
    private volatile bool _isClosed;

    private InProcessLink(IFrameEndpoint mount, IFrameEndpoint leader)
    {
        _mount = new End(this, mount);
        _leader = new End(this, leader);
    }

    /// <summary>
    /// Ends when the link is closed and both ends know it. Faulted when an end threw, which closed the link as well.
    /// </summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Connects a mount with a leader, and lets it greet.</summary>
    /// <param name="mount">The mount's end.</param>
    /// <param name="leader">What <see cref="SessionTable.Accept"/> gave for this connection.</param>
    public static InProcessLink Connect(LeaderChannel mount, IFrameEndpoint leader)
    {
        var link = new InProcessLink(mount, leader);
        link.Completion = link.RunAsync();
        mount.Connect(link._mount);
        return link;
    }

    /// <summary>Closes the link; what is under way may be lost. Never waits.</summary>
    public void Close()
    {
        _isClosed = true;
        _mount.Ready.Set();
        _leader.Ready.Set();
    }

    private async Task RunAsync()
    {
        try
        {
            await Task.WhenAll(PumpAsync(_mount, _leader), PumpAsync(_leader, _mount));
        }
        finally
        {
            _mount.Endpoint.OnDisconnected(_mount);
            _leader.Endpoint.OnDisconnected(_leader);
        }
    }

    private async Task PumpAsync(End from, End to)
    {
        byte[] frame = new byte[ReliableSession.MaxFrameBytes];
        try
        {
            while (!_isClosed)
            {
                await from.Ready.WaitAsync();
                for (int count = 1; !_isClosed; count++)
                {
                    int lengthBytes = from.Endpoint.TakeFrame(from, frame);
                    if (lengthBytes == 0)
                        break;
                    if (!to.Endpoint.OnFrame(to, frame.AsSpan(0, lengthBytes)))
                        Close();
                    if (count % FramesPerTurn == 0)
                        await Task.Yield();
                }
            }
        }
        finally
        {
            // Also when an end threw: the other loop must not sleep on.
            Close();
        }
    }

    /// <summary>The link as one end sees it.</summary>
    private sealed class End(InProcessLink link, IFrameEndpoint endpoint) : IFrameLink
    {
        public IFrameEndpoint Endpoint { get; } = endpoint;

        public Signal Ready { get; } = new();

        public void NotifyFrames() => Ready.Set();

        public void Close() => link.Close();
    }

    /// <summary>Wakes one sleeper, or the next one that comes; without allocation.</summary>
    private sealed class Signal : IValueTaskSource
    {
        private readonly Lock _latch = new();
        private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
        private bool _isSet;
        private bool _isAwaited;

        public ValueTask WaitAsync()
        {
            lock (_latch)
            {
                if (_isSet)
                {
                    _isSet = false;
                    return ValueTask.CompletedTask;
                }

                _source.Reset();
                _isAwaited = true;
                return new ValueTask(this, _source.Version);
            }
        }

        public void Set()
        {
            lock (_latch)
            {
                if (!_isAwaited)
                {
                    _isSet = true;
                    return;
                }

                _isAwaited = false;
            }

            _source.SetResult(true);
        }

        void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

        void IValueTaskSource.OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _source.OnCompleted(continuation, state, token, flags);
    }
}
