using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Simulation;

/// <summary>Runs a whole world of asynchronous code on one thread, in an order that a seed decides.</summary>
/// <remarks>
/// <para>It is the ambient <see cref="SynchronizationContext"/> while <see cref="Run{T}"/> runs: every continuation
/// comes back here, as long as nobody uses ConfigureAwait(false), Task.Run or a real timer. Work is ordered by (time,
/// seq). Time stands still while anything can run, then jumps to the next timer.</para>
/// <para>Without a <see cref="Prng"/>, work that can run does so in the order it became ready. With one, the next is
/// drawn among all that can run, so that each seed is another interleaving.</para>
/// <para>Invariants: 1. same program, same seed, same <see cref="TraceHash"/>; 2. nothing waits for real time; 3. a
/// world in which nothing can run any more fails at once with <see cref="SimStalledException"/>, and so does one that
/// exceeds its limits of steps and of simulated time; 4. work that arrives from another thread fails the run, since it
/// would make the order depend on the machine.</para>
/// </remarks>
public sealed class SimScheduler : SynchronizationContext
{
    private const int RememberedEvents = 64;

    private readonly Prng? _choice;
    private readonly Queue<Work> _inOrder = new();
    private readonly List<Work> _toChooseFrom = [];
    private readonly PriorityQueue<SimAlarm, (long DueTicks, long Seq)> _alarms = new();
    private readonly Queue<(long AtTicks, string What, long Detail)> _events = new();
    private long _seq;
    private int _threadId;
    private volatile string? _escape;

    /// <summary>Creates a scheduler at <see cref="SimTime.Start"/>.</summary>
    /// <param name="choice">Draws which of the ready continuations runs next; null: in order.</param>
    public SimScheduler(Prng? choice = null) => _choice = choice;

    /// <summary>Simulated time since the start, unit 100 ns.</summary>
    public long NowTicks { get; private set; }

    /// <summary>Continuations and alarms run so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Alarms that are set; those switched off do not count.</summary>
    public int AlarmsSet { get; private set; }

    /// <summary>Depends on every step and every event so far: two runs are equal if their hashes are.</summary>
    public ulong TraceHash { get; private set; } = 0x9e3779b97f4a7c15;

    /// <summary>A run that takes more steps than this is going in circles.</summary>
    public long MaxSteps { get; set; } = 1_000_000_000;

    /// <summary>A run that takes longer than this, in simulated time, waits for something that never comes.</summary>
    public TimeSpan MaxTime { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Runs a world until its main task ends; what else is under way then stays where it is.</summary>
    /// <exception cref="SimStalledException">It cannot go on, or goes on for ever.</exception>
    public T Run<T>(Func<Task<T>> main)
    {
        Invariant.Require(_threadId == 0);
        var outer = Current;
        _threadId = Environment.CurrentManagedThreadId;
        SetSynchronizationContext(this);
        try
        {
            var task = main();
            while (!task.IsCompleted)
                Step(task);
            RequireNoEscape();
#pragma warning disable VSTHRD002 // The task is complete: this takes its result and waits for nothing.
            return task.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        finally
        {
            SetSynchronizationContext(outer);
            _threadId = 0;
        }
    }

    /// <summary>Runs a world without a result.</summary>
    /// <exception cref="SimStalledException">As for the other.</exception>
    public void Run(Func<Task> main) => _ = Run(async () =>
    {
        await main();
        return true;
    });

    /// <summary>Adds an event to the trace: to its hash, and to what a failure prints.</summary>
    public void Trace(string what, long detail = 0)
    {
        ulong hash = TraceHash;
        foreach (char c in what)
            hash = (hash ^ c) * 0x100000001b3;
        TraceHash = hash;
        Mix((ulong)detail);
        Mix((ulong)NowTicks);
        _events.Enqueue((NowTicks, what, detail));
        if (_events.Count > RememberedEvents)
            _ = _events.Dequeue();
    }

    /// <summary>Runs something later; at the same time, in the order of the calls or as drawn.</summary>
    /// <param name="delayTicks">Unit 100 ns, at least 0.</param>
    /// <param name="action">What to run.</param>
    public SimAlarm Schedule(long delayTicks, Action action)
    {
        Invariant.Require(delayTicks >= 0);
        var alarm = new SimAlarm(this, action);
        AlarmsSet++;
        if (delayTicks == 0)
        {
            Add(new Work(_seq++, SimAlarm.Ring, alarm));
            return alarm;
        }

        long due = delayTicks > long.MaxValue - NowTicks ? long.MaxValue : NowTicks + delayTicks;
        _alarms.Enqueue(alarm, (due, _seq++));
        return alarm;
    }

    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state)
    {
        if (_threadId != 0 && Environment.CurrentManagedThreadId != _threadId)
        {
            // Throwing would end the process, from a thread of the pool.
            _escape ??= Environment.StackTrace;
            return;
        }

        Add(new Work(_seq++, d, state));
    }

    /// <inheritdoc/>
    public override void Send(SendOrPostCallback d, object? state) =>
        throw new NotSupportedException("Nothing may block on the simulated thread.");

    /// <inheritdoc/>
    public override SynchronizationContext CreateCopy() => this;

    internal void OnAlarmOff() => AlarmsSet--;

    private void Step(Task main)
    {
        RequireNoEscape();
        if (_inOrder.Count == 0 && _toChooseFrom.Count == 0)
            WakeNext(main);
        var work = Take();
        if (++Steps > MaxSteps)
            throw Stalled(main, $"it took more than {MaxSteps} steps");
        Mix((ulong)NowTicks);
        Mix((ulong)work.Seq);
        work.Callback(work.State);
    }

    // Moves everything that is due next to the ready work.
    private void WakeNext(Task main)
    {
        bool isFound = false;
        while (_alarms.TryPeek(out var alarm, out var due))
        {
            if (alarm.IsOff)
            {
                _ = _alarms.Dequeue();
                continue;
            }

            if (isFound && due.DueTicks > NowTicks)
                return;
            if (due.DueTicks > MaxTime.Ticks)
                throw Stalled(main, $"it did not end within {MaxTime} of simulated time");
            isFound = true;
            NowTicks = Math.Max(NowTicks, due.DueTicks);
            _ = _alarms.Dequeue();
            Add(new Work(due.Seq, SimAlarm.Ring, alarm));
        }

        if (!isFound)
            throw Stalled(main, "nothing can run any more and no timer is set");
    }

    private void Add(Work work)
    {
        if (_choice is null)
            _inOrder.Enqueue(work);
        else
            _toChooseFrom.Add(work);
    }

    private Work Take()
    {
        if (_choice is null)
            return _inOrder.Dequeue();
        int index = _choice.NextInt32(_toChooseFrom.Count);
        var work = _toChooseFrom[index];
        _toChooseFrom[index] = _toChooseFrom[^1];
        _toChooseFrom.RemoveAt(_toChooseFrom.Count - 1);
        return work;
    }

    private void Mix(ulong value)
    {
        ulong hash = (TraceHash ^ value) * 0xff51afd7ed558ccd;
        TraceHash = hash ^ (hash >> 29);
    }

    private void RequireNoEscape()
    {
        if (_escape is { } stack)
        {
            throw new SimStalledException(
                "Work came from another thread: something left the simulator (ConfigureAwait, Task.Run, a real timer "
                + $"or real I/O). It arrived from\n{stack}");
        }
    }

    private SimStalledException Stalled(Task main, string why)
    {
        var text = new StringBuilder();
        _ = text.Append(
            CultureInfo.InvariantCulture,
            $"The simulated world stopped: {why}, and the awaited task is not done ({main.Status}). ");
        _ = text.Append(
            CultureInfo.InvariantCulture,
            $"Time {TimeSpan.FromTicks(NowTicks)}, {Steps} steps, {AlarmsSet} timers set. Last events:");
        foreach (var (atTicks, what, detail) in _events)
            _ = text.Append(CultureInfo.InvariantCulture, $"\n  {TimeSpan.FromTicks(atTicks)} {what} {detail}");
        return new SimStalledException(text.ToString());
    }

    private readonly record struct Work(long Seq, SendOrPostCallback Callback, object? State);
}

/// <summary>Something that will run at a simulated time.</summary>
public sealed class SimAlarm
{
    private readonly SimScheduler _scheduler;
    private Action? _action;

    internal SimAlarm(SimScheduler scheduler, Action action)
    {
        _scheduler = scheduler;
        _action = action;
    }

    /// <summary>It has run or was switched off.</summary>
    public bool IsOff => _action is null;

    /// <summary>Runs the alarm that is the state.</summary>
    internal static SendOrPostCallback Ring { get; } = static state =>
    {
        var alarm = (SimAlarm)state!;
        var action = alarm._action;
        alarm.SwitchOff();
        action?.Invoke();
    };

    /// <summary>It will not run any more; time does not move on because of it.</summary>
    public void SwitchOff()
    {
        if (_action is null)
            return;
        _action = null;
        _scheduler.OnAlarmOff();
    }
}

/// <summary>A simulated world cannot go on: a deadlock, a livelock, or an escape to real threads.</summary>
public sealed class SimStalledException : Exception
{
    /// <summary>Creates the exception with what is known about the world.</summary>
    public SimStalledException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a cause.</summary>
    public SimStalledException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception without a text.</summary>
    public SimStalledException()
    {
    }
}
