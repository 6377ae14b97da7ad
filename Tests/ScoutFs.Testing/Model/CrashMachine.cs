using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>How crashes are made.</summary>
public sealed record CrashOptions
{
    /// <summary>Operations of a run.</summary>
    public int CountOperations { get; init; } = 150;

    /// <summary>What the work is like.</summary>
    public WorkloadProfile Profile { get; init; } = WorkloadProfile.Crash;

    /// <summary>Share of writes and flushes at which the power is cut, in thousandths; 1000: at each.</summary>
    public int CutPerMille { get; init; } = 1000;

    /// <summary>Crashes of a run at most.</summary>
    public int MaxCrashes { get; init; } = int.MaxValue;

    /// <summary>Share of writes and flushes of a recovery at which it crashes again, in thousandths.</summary>
    public int CutAgainPerMille { get; init; } = 20;

    /// <summary>Operations after each recovery.</summary>
    public int CountOperationsAfter { get; init; } = 10;

    /// <summary>Share of operations after which time passes, in thousandths.</summary>
    public int PausePerMille { get; init; } = 50;

    /// <summary>Pieces that disks write whole.</summary>
    public int AtomicBytes { get; init; } = 512;

    /// <summary>Speed of disks; null: they answer at once.</summary>
    public SimLatency? Latency { get; init; }

    /// <summary>Operations of disks that fail, in millionths.</summary>
    public int FailPerMillion { get; init; }

    /// <summary>
    /// The volume may be full. After some operations that found no space half of the files go, which is never refused;
    /// in the end all go, and as much data must be free as when it was empty.
    /// </summary>
    public bool IsFilling { get; init; }

    /// <summary>After files went there must be space again.</summary>
    public bool ComesBack { get; init; } = true;
}

/// <summary>What a run has shown.</summary>
public sealed record CrashResult
{
    /// <summary>Seed that repeats it.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Operations done.</summary>
    public long CountOperations { get; init; }

    /// <summary>Crashes that were recovered from.</summary>
    public long CountCrashes { get; init; }

    /// <summary>Crashes that lost something that nobody had synced.</summary>
    public long CountRollbacks { get; init; }

    /// <summary>Operations before any crash that found no space.</summary>
    public long CountNoSpace { get; init; }

    /// <summary>Hash of everything that happened in the run.</summary>
    public ulong TraceHash { get; init; }

    /// <summary>What went wrong, or null.</summary>
    public string? Failure { get; init; }
}

/// <summary>Works on a file system, cuts the power at every write, and looks whether anything is lost.</summary>
/// <remarks>
/// <para>The work is done once. At each write and flush both disks are forked as a power cut would leave them at that
/// moment, together with what the model says then. Afterwards every fork is checked as it is, mounted, unmounted,
/// checked again, and both times compared: it has to equal the model after some operation since the last sync. While
/// it recovers it may crash again.</para>
/// <para>Everything follows from the seed; a run can be repeated alone.</para>
/// </remarks>
public sealed class CrashMachine
{
    private readonly ICrashSubject _subject;
    private readonly CrashOptions _options;
    private EmptyVolume? _empty;

    /// <summary>Creates a machine for many runs.</summary>
    public CrashMachine(ICrashSubject subject, CrashOptions options)
    {
        _subject = subject;
        _options = options;
    }

    /// <summary>Runs one seed.</summary>
    public CrashResult Run(ulong seed)
    {
        _empty ??= new EmptyVolume(_subject, _options.AtomicBytes);
        var run = new OneRun(this, seed);
        string? failure;
        try
        {
            failure = run.Work() ?? run.Recover();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            failure = $"{run.Doing}: {exception}";
        }

        return new CrashResult
        {
            Seed = seed,
            CountOperations = run.CountOperations,
            CountCrashes = run.CountCrashes,
            CountRollbacks = run.CountRollbacks,
            CountNoSpace = run.CountNoSpace,
            TraceHash = run.TraceHash,
            Failure = failure,
        };
    }

    /// <summary>Disks as a power cut left them, and what may be on them.</summary>
    private sealed record Crash(SimDisk Meta, SimDisk DataDisk, CrashJudge Judge, string Where, int Depth);

    private sealed class OneRun
    {
        private const int MaxDepth = 2;
        private const int RefusalsBeforeRemoval = 6;
        private const long MaxSteps = 20_000_000;
        private const ulong FirstIdAfter = 1UL << 40;
        private const ulong FirstProofId = 1UL << 41;

        private readonly CrashMachine _machine;
        private readonly CrashOptions _options;
        private readonly ulong _seed;
        private readonly Prng _prng;
        private readonly Queue<Crash> _crashes = new();
        private ulong _proofId = FirstProofId;

        public OneRun(CrashMachine machine, ulong seed)
        {
            _machine = machine;
            _options = machine._options;
            _seed = seed;
            _prng = new Prng(seed);
        }

        public string Doing { get; private set; } = string.Empty;

        public long CountOperations { get; private set; }

        public long CountCrashes { get; private set; }

        public long CountRollbacks { get; private set; }

        public long CountNoSpace { get; private set; }

        public ulong TraceHash { get; private set; }

        private FaultSet MayFail =>
            (_options.FailPerMillion > 0 ? FsRunner.DeviceFaults : default)
            | (_options.IsFilling ? FsRunner.FullFaults : default);

        // The work, once, without a crash; forks the disks on the way.
        public string? Work()
        {
            Doing = "The work before any crash";
            var world = _machine._empty!.Open(_seed, _options.Latency);
            world.Scheduler.MaxSteps = MaxSteps;
            var model = new ModelFs(_machine._empty.State);
            var judge = new CrashJudge(model.State);
            CaptureCrashes(world, judge, "work", depth: 0, _options.CutPerMille);
            string? failure = world.Scheduler.Run(() => WorkAsync(world, model, judge));
            TraceHash = world.Scheduler.TraceHash;
            return failure;
        }

        public string? Recover()
        {
            while (_crashes.TryDequeue(out var crash))
            {
                Doing = crash.Where;
                CountCrashes++;
                if (RecoverFrom(crash) is { } failure)
                    return $"{crash.Where}: {failure}";
            }

            return null;
        }

        private void CaptureCrashes(CrashWorld world, CrashJudge judge, string when, int depth, int perMille)
        {
            var prng = _prng.Fork($"cuts {when}");
            world.Faults.OnChange = kind =>
            {
                if (prng.NextInt32(1000) >= perMille || _crashes.Count + CountCrashes >= _options.MaxCrashes)
                    return;
                string where = string.Create(
                    CultureInfo.InvariantCulture,
                    $"Power cut at {kind} {world.Faults.Writes + world.Faults.Flushes} of {when}");
                _crashes.Enqueue(new Crash(
                    world.Meta.ForkAfterCut(prng), world.DataDisk.ForkAfterCut(prng), judge.Snapshot(), where, depth));
            };
        }

        private async Task<string?> WorkAsync(CrashWorld world, ModelFs model, CrashJudge judge)
        {
            var workload = new Workload(_prng.Fork("work"), _options.Profile);
            var pauses = _prng.Fork("pauses");
            var target = await _machine._subject.MountAsync(world);

            // Mounting may give up when a device fails; working must not.
            world.Faults.FailPerMillion = _options.FailPerMillion;
            var runner = new FsRunner(target, model, () => world.Now, judge) { MayFail = MayFail };
            long refusals = 0;
            for (int i = 0; i < _options.CountOperations; i++)
            {
                // Operations at the same moment would have the same time stamps, which hides which of them is there.
                bool isPause = pauses.NextInt32(1000) < _options.PausePerMille;
                await Task.Delay(TimeSpan.FromMilliseconds(isPause ? pauses.NextInt32(8000) : 1), world.Time);
                if (await runner.StepAsync(workload.Next(model.State)) is { } difference)
                    return difference;
                if (!_options.IsFilling || runner.Failed < refusals + RefusalsBeforeRemoval)
                    continue;
                if (await RemoveAsync(world, target, model, judge, perMille: 500) is { } failure)
                    return failure;
                refusals = runner.Failed;
            }

            CountOperations = runner.Done;
            CountNoSpace = _options.IsFilling ? runner.Failed : 0;
            if (_options.IsFilling && await RemoveAsync(world, target, model, judge, perMille: 1000) is { } full)
                return full;
            Doing = "Unmounting after the work";
            world.Faults.Clear();
            await target.UnmountAsync();
            await target.DisposeAsync();
            _ = model.CloseAll();
            judge.Add(model.State);
            judge.Sync();
            world.Faults.OnChange = null;
            ulong free = await _machine._subject.CountFreeAsync(world);
            if (_options.IsFilling && free != _machine._empty!.FreeBlocks)
                return $"{free} blocks are free after everything was removed, not {_machine._empty.FreeBlocks}";
            return await CheckAsync(world, judge);
        }

        // Removes files. Then there is space again, once everything that follows of it is done.
        private async Task<string?> RemoveAsync(
            CrashWorld world, IFsUnderTest target, ModelFs model, CrashJudge judge, int perMille)
        {
            var runner = new FsRunner(target, model, () => world.Now, judge);
            var prng = _prng.Fork("removals");
            foreach (var inode in model.State.Inodes.Values.OrderBy(static inode => inode.Id))
            {
                bool isRemoved = !inode.IsDirectory && prng.NextInt32(1000) < perMille;
                foreach (var link in isRemoved ? inode.Links : [])
                {
                    if (await runner.StepAsync(new RemoveOp(link.Directory, link.Name, IsRmdir: false)) is { } failure)
                        return failure;
                }

                for (int opens = isRemoved ? inode.Opens : 0; opens > 0; opens--)
                {
                    if (await runner.StepAsync(new CloseOp(inode.Id)) is { } failure)
                        return failure;
                }
            }

            await Task.Delay(TimeSpan.FromMinutes(2), world.Time);
            if (!_options.ComesBack)
                return null;
            ulong id = _proofId++;
            string name = string.Create(CultureInfo.InvariantCulture, $"proof{id}");
            return await runner.StepAsync(new MakeOp(ModelState.RootId, name, id, FileMode.Regular, 0, 0))
                ?? await runner.StepAsync(new WriteOp(id, 0, 8192, id))
                ?? await runner.StepAsync(new SyncOp(id))
                ?? await runner.StepAsync(new RemoveOp(ModelState.RootId, name, IsRmdir: false));
        }

        private string? RecoverFrom(Crash crash)
        {
            ulong seed = _prng.NextUInt64();
            var world = CrashWorld.Of(crash.Meta, crash.DataDisk, seed);
            world.Scheduler.MaxSteps = MaxSteps;
            return world.Scheduler.Run(async () =>
            {
                if (await CheckAsync(world, crash.Judge, isRecovered: false) is { } atOnce)
                    return "Before recovery: " + atOnce;
                if (crash.Depth < MaxDepth)
                {
                    // One after the other, or there would be no end of them.
                    int perMille = crash.Depth == 0
                        ? _options.CutAgainPerMille
                        : Math.Min(_options.CutAgainPerMille, 20);
                    CaptureCrashes(
                        world, crash.Judge, $"recovery from {crash.Where}", crash.Depth + 1, perMille);
                }

                var target = await _machine._subject.MountAsync(world);
                await target.UnmountAsync();
                await target.DisposeAsync();
                world.Faults.OnChange = null;
                if (await CheckAsync(world, crash.Judge) is { } after)
                    return "After recovery: " + after;
                return await GoOnAsync(world, seed) is { } later ? "In the work after recovery: " + later : null;
            });
        }

        // What was recovered has to be a file system in every respect: work on it must go as on any other.
        private async Task<string?> GoOnAsync(CrashWorld world, ulong seed)
        {
            if (_options.CountOperationsAfter == 0)
                return null;
            var model = new ModelFs(await _machine._subject.ReadAsync(world));
            var workload = new Workload(
                new Prng(seed).Fork("after"), _options.Profile, ModelState.RootId, FirstIdAfter);
            workload.Adopt(model.State);
            var target = await _machine._subject.MountAsync(world);
            var runner = new FsRunner(target, model, () => world.Now)
            {
                MayFail = _options.IsFilling ? FsRunner.FullFaults : default,
            };
            for (int i = 0; i < _options.CountOperationsAfter; i++)
            {
                if (await runner.StepAsync(workload.Next(model.State)) is { } difference)
                    return difference;
            }

            await target.UnmountAsync();
            await target.DisposeAsync();
            _ = model.CloseAll();
            return await CheckAsync(world, new CrashJudge(model.State));
        }

        private async Task<string?> CheckAsync(CrashWorld world, CrashJudge judge, bool isRecovered = true)
        {
            (string? failure, long survived) = await judge.CheckAsync(_machine._subject, world);
            if (isRecovered && survived >= 0 && survived < judge.CountOperations)
                CountRollbacks++;
            return failure;
        }
    }
}
