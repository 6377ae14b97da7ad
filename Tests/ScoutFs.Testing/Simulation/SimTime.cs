using System;
using System.Threading;
using System.Threading.Tasks;

namespace ScoutFs.Testing.Simulation;

/// <summary>The clock and the timers of a simulated world: <see cref="SimScheduler"/> moves them.</summary>
/// <remarks>Time stands still between timers: what happens in between has the same time stamp.</remarks>
/// <param name="scheduler">Whose time it is.</param>
public sealed class SimTime(SimScheduler scheduler) : TimeProvider
{
    /// <summary>When every simulation begins; far enough from 0 that a mistake in units shows.</summary>
    public static readonly DateTimeOffset Start = new(2031, 5, 6, 7, 8, 9, TimeSpan.Zero);

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Start.AddTicks(scheduler.NowTicks);

    /// <inheritdoc/>
    public override long GetTimestamp() => scheduler.NowTicks;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(scheduler, callback, state);
        _ = timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(SimScheduler scheduler, TimerCallback callback, object? state) : ITimer
    {
        private SimAlarm? _alarm;
        private TimeSpan _period;
        private bool _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (_isDisposed)
                return false;
            _alarm?.SwitchOff();
            _period = period;
            _alarm = dueTime == Timeout.InfiniteTimeSpan ? null : scheduler.Schedule(dueTime.Ticks, Fire);
            return true;
        }

        public void Dispose()
        {
            _isDisposed = true;
            _alarm?.SwitchOff();
            _alarm = null;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Fire()
        {
            bool isPeriodic = _period != Timeout.InfiniteTimeSpan && _period > TimeSpan.Zero;
            _alarm = isPeriodic ? scheduler.Schedule(_period.Ticks, Fire) : null;
            callback(state);
        }
    }
}
