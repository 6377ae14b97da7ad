using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading.Tasks;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>How long a device fails.</summary>
public enum ErrorKind
{
    /// <summary>One operation.</summary>
    Once,

    /// <summary>Until somebody has waited for it for long; then the device is good again.</summary>
    Outage,

    /// <summary>For good: the mount is given up in the end.</summary>
    ForGood,
}

/// <summary>A way for devices to fail.</summary>
/// <param name="Kind">For how long.</param>
/// <param name="Fails">What fails; each of these operations of a run is the first to fail once.</param>
public sealed record ErrorCase(ErrorKind Kind, SimIoKinds Fails = SimIoKinds.Any);

/// <summary>How device errors are made.</summary>
public sealed record ErrorOptions
{
    /// <summary>Operations of a run.</summary>
    public int CountOperations { get; init; } = 25;

    /// <summary>What the work is like.</summary>
    public WorkloadProfile Profile { get; init; } = WorkloadProfile.Crash;

    /// <summary>Ways for devices to fail.</summary>
    public IReadOnlyList<ErrorCase> Cases { get; init; } =
    [
        new ErrorCase(ErrorKind.Once),
        new ErrorCase(ErrorKind.Outage),
        new ErrorCase(ErrorKind.Outage, SimIoKinds.Write),
        new ErrorCase(ErrorKind.Outage, SimIoKinds.Flush),
        new ErrorCase(ErrorKind.ForGood),
        new ErrorCase(ErrorKind.ForGood, SimIoKinds.Write | SimIoKinds.Flush),
    ];

    /// <summary>Share of operations after which time passes, in thousandths.</summary>
    public int PausePerMille { get; init; } = 100;

    /// <summary>Speed of disks; null: they answer at once.</summary>
    public SimLatency? Latency { get; init; }
}

/// <summary>Lets every single operation of the devices of a run fail, and looks what becomes of it.</summary>
/// <remarks>
/// <para>The same work (mount, operations, unmount) is done again and again; each time another read, write or flush
/// of either device fails, and maybe all that come after it. Mounting may fail then; operations may fail with an error
/// of the device or wait until it is good again; a mount may cut itself off, and then says why. Nothing may hang or
/// throw.</para>
/// <para>Whatever the end, the power is cut then, and the volume mounted on good disks: it is checked before and after,
/// and equals the model after some operation since the last sync.</para>
/// </remarks>
public sealed class ErrorMachine
{
    private const long MaxSteps = 20_000_000;

    // Longer than anything waits for good devices.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly ICrashSubject _subject;
    private readonly ErrorOptions _options;
    private EmptyVolume? _empty;

    /// <summary>Creates a machine for many runs.</summary>
    public ErrorMachine(ICrashSubject subject, ErrorOptions options)
    {
        _subject = subject;
        _options = options;
    }

    /// <summary>Runs one seed.</summary>
    /// <returns>The errors made count as crashes.</returns>
    public CrashResult Run(ulong seed)
    {
        _empty ??= new EmptyVolume(_subject);
        var result = new CrashResult { Seed = seed };
        string doing = "The work without an error";
        try
        {
            var good = new OneRun(this, seed, new ErrorCase(ErrorKind.Once), failsAt: 0);
            string? failure = good.Run();
            result = result with { TraceHash = good.TraceHash, CountOperations = good.CountOperations };
            foreach (var way in _options.Cases)
            {
                long count = good.CountOf(way.Fails);
                for (long at = 1; failure is null && at <= count; at++)
                {
                    doing = string.Create(
                        CultureInfo.InvariantCulture, $"{way.Fails} {at} of {count} fails ({way.Kind})");
                    var bad = new OneRun(this, seed, way, at);
                    failure = bad.Run();
                    result = result with
                    {
                        CountCrashes = result.CountCrashes + 1,
                        CountOperations = result.CountOperations + bad.CountOperations,
                        CountRollbacks = result.CountRollbacks + (bad.IsRollback ? 1 : 0),
                    };
                }
            }

            return failure is null ? result : result with { Failure = $"{doing}: {failure}" };
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return result with { Failure = $"{doing}: {exception}" };
        }
    }

    private sealed class OneRun
    {
        private readonly ErrorMachine _machine;
        private readonly ErrorOptions _options;
        private readonly ErrorCase _way;
        private readonly ulong _seed;
        private readonly long _failsAt;
        private readonly CrashWorld _world;
        private readonly ModelFs _model;
        private readonly CrashJudge _judge;

        public OneRun(ErrorMachine machine, ulong seed, ErrorCase way, long failsAt)
        {
            _machine = machine;
            _options = machine._options;
            _way = way;
            _seed = seed;
            _failsAt = failsAt;
            _world = machine._empty!.Open(seed, _options.Latency);
            _world.Scheduler.MaxSteps = MaxSteps;
            _model = new ModelFs(machine._empty.State);
            _judge = new CrashJudge(_model.State);
        }

        public long CountOperations { get; private set; }

        public bool IsRollback { get; private set; }

        public ulong TraceHash => _world.Scheduler.TraceHash;

        public long CountOf(SimIoKinds kinds) =>
            ((kinds & SimIoKinds.Read) != 0 ? _world.Faults.Reads : 0)
            + ((kinds & SimIoKinds.Write) != 0 ? _world.Faults.Writes : 0)
            + ((kinds & SimIoKinds.Flush) != 0 ? _world.Faults.Flushes : 0);

        public string? Run()
        {
            if (_failsAt > 0)
                _world.Faults.FailAt(_way.Fails, _failsAt, _way.Kind == ErrorKind.Once ? 1 : long.MaxValue);
            string? failure = _world.Scheduler.Run(WorkAsync);
            if (failure is not null)
                return failure;
            var prng = new Prng(_seed).Fork("cut");
            var after = CrashWorld.Of(_world.Meta.ForkAfterCut(prng), _world.DataDisk.ForkAfterCut(prng), _seed);
            return after.Scheduler.Run(() => RecoverAsync(after));
        }

        private async Task<string?> WorkAsync()
        {
            IFsUnderTest target;
            try
            {
                var mount = _machine._subject.MountAsync(_world);
                if (!await EndsAsync(mount))
                    return "Mounting hangs";
                target = await mount;
            }
            catch (VolumeException) when (_world.Faults.Failed > 0)
            {
                return null;
            }

            var workload = new Workload(new Prng(_seed).Fork("work"), _options.Profile);
            var pauses = new Prng(_seed).Fork("pauses");
            var runner = new FsRunner(target, _model, () => _world.Now, _judge)
            {
                MayFail = _failsAt > 0 ? FsRunner.DeviceFaults : default,
            };
            for (int i = 0; i < _options.CountOperations; i++)
            {
                bool isPause = pauses.NextInt32(1000) < _options.PausePerMille;
                await Task.Delay(TimeSpan.FromMilliseconds(isPause ? pauses.NextInt32(8000) : 1), _world.Time);
                var step = runner.StepAsync(workload.Next(_model.State));
                if (!await EndsAsync(step))
                    return await GiveUpAsync(target, "An operation hangs", runner.History);
                if (await step is { } difference)
                    return difference;
            }

            CountOperations = runner.Done;
            if (Reason(target, runner) is { } unknown)
                return unknown;
            var unmount = target.UnmountAsync();
            if (!await EndsAsync(unmount))
                return await GiveUpAsync(target, "Unmounting hangs", runner.History);
            try
            {
                await unmount;
                _ = _model.CloseAll();
                _judge.Add(_model.State);
                _judge.Sync();
            }
            catch (VolumeException exception) when (_world.Faults.Failed > 0)
            {
                // With another error all is durable, but the volume still counts as in use.
                if (exception.Error == FsError.Isolated && target.IsolationReason.Length == 0)
                    return "Unmounting failed, but nobody says why";
            }

            return await GiveUpAsync(target, why: null, runner.History);
        }

        // One error may fail one operation, or isolate the mount; it goes on otherwise.
        private string? Reason(IFsUnderTest target, FsRunner runner)
        {
            bool isIsolated = target.IsolationReason.Length > 0;
            if (runner.LastFailure == FsError.Isolated && !isIsolated)
                return $"The mount is isolated, but does not say why.\n  {runner.History}";
            return _way.Kind == ErrorKind.Once && runner.Failed > 1 && !isIsolated
                ? $"One error of a device made {runner.Failed} operations fail.\n  {runner.History}"
                : null;
        }

        // Waits for long, and longer once devices are good again.
        private async Task<bool> EndsAsync(Task task)
        {
            var wait = Task.Delay(Patience, _world.Time);
            if (await Task.WhenAny(task, wait) == task)
                return true;
            if (_way.Kind != ErrorKind.Outage)
                return false;
            _world.Faults.Clear();
            wait = Task.Delay(Patience, _world.Time);
            return await Task.WhenAny(task, wait) == task;
        }

        private async Task<string?> GiveUpAsync(IFsUnderTest target, string? why, string history)
        {
            if (why is not null && _way.Kind != ErrorKind.ForGood)
                return $"{why}.\n  {history}";
            var stop = target.DisposeAsync().AsTask();
            if (await Task.WhenAny(stop, Task.Delay(Patience, _world.Time)) != stop)
                return $"Stopping the mount hangs.\n  {history}";
            await stop;
            return null;
        }

        private async Task<string?> RecoverAsync(CrashWorld world)
        {
            var (failure, _) = await _judge.CheckAsync(_machine._subject, world);
            if (failure is not null)
                return "Before recovery: " + failure;
            var target = await _machine._subject.MountAsync(world);
            await target.UnmountAsync();
            await target.DisposeAsync();
            (failure, long survived) = await _judge.CheckAsync(_machine._subject, world);
            IsRollback = survived < _judge.CountOperations;
            return failure is null ? null : "After recovery: " + failure;
        }
    }
}
