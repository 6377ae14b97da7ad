using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Does operations on a real file system and on the model side by side, and compares every answer.</summary>
/// <remarks>
/// The model goes first: while the real operation is under way, the judge of crashes already knows what it will have
/// done. Errors of the environment (I/O, no space) may come at any time; the operation then has done nothing. Several
/// runners may share a model when their operations do not touch the same inodes.
/// </remarks>
public sealed class FsRunner
{
    /// <summary>What failing devices may do to an operation.</summary>
    public static readonly FaultSet DeviceFaults = FaultSet.Of(FsError.Io, FsError.NoBuffers, FsError.Isolated);

    /// <summary>What a full volume may do to an operation.</summary>
    public static readonly FaultSet FullFaults = FaultSet.Of(FsError.NoSpace);

    private const int RememberedOperations = 40;

    private static readonly FaultSet Environment = DeviceFaults | FullFaults;

    private readonly ModelFs _model;
    private readonly Func<ModelTime> _clock;
    private readonly CrashJudge? _judge;
    private readonly Queue<string> _last = new();

    /// <summary>Creates a runner.</summary>
    /// <param name="target">The real one; changes with each mount.</param>
    /// <param name="model">The model.</param>
    /// <param name="clock">The time that operations of the real one get.</param>
    /// <param name="judge">Learns every state; null where nothing crashes.</param>
    public FsRunner(IFsUnderTest target, ModelFs model, Func<ModelTime> clock, CrashJudge? judge = null)
    {
        Target = target;
        _model = model;
        _clock = clock;
        _judge = judge;
    }

    /// <summary>The real file system; set it anew after mounting again.</summary>
    public IFsUnderTest Target { get; set; }

    /// <summary>Errors of the environment that may happen; all others are failures.</summary>
    public FaultSet MayFail { get; init; }

    /// <summary>Operations done.</summary>
    public long Done { get; private set; }

    /// <summary>Operations that were left out: unknown inodes, or nothing the real one can do.</summary>
    public long LeftOut { get; private set; }

    /// <summary>Operations that the environment made fail.</summary>
    public long Failed { get; private set; }

    /// <summary>What the last of them ended with.</summary>
    public FsError LastFailure { get; private set; }

    /// <summary>The last operations, for messages.</summary>
    public string History => string.Join("\n  ", _last);

    /// <summary>Does one operation.</summary>
    /// <returns>What was wrong with the answer, or null.</returns>
    public async Task<string?> StepAsync(FsOp op)
    {
        if (!_model.Knows(op))
        {
            LeftOut++;
            return null;
        }

        var before = _model.State;
        var now = _clock();
        var expected = _model.Apply(op, now);
        bool isChange = !ReferenceEquals(before, _model.State);
        if (isChange)
            _judge?.Add(_model.State);
        long known = _judge?.CountOperations ?? 0;
        Remember(op, now);
        var actual = await Target.ApplyAsync(op);
        if (actual.IsUnsupported)
            return Undo(before, isChange);
        if (Environment.Allows(actual.Error) && !expected.Faults.Allows(actual.Error))
        {
            Failed++;
            LastFailure = actual.Error;
            _ = Undo(before, isChange);
            Redo(actual.PartOf(op), now);
            return MayFail.Allows(actual.Error) ? null : Describe(op, $"failed with {actual.Error}");
        }

        Done++;
        if (actual.Error == FsError.None && actual.PartOf(op) is { } part)
        {
            _ = Undo(before, isChange);
            Redo(part, now);
            return MayFail.IsEmpty ? Describe(op, $"only {part.Describe()} was done") : null;
        }

        if (op is SyncOp && actual.Error == FsError.None)
            _judge?.SyncTo(known);
        return expected.DifferenceTo(actual) is { } difference ? Describe(op, difference) : null;
    }

    // The judge keeps the state of an operation that failed half way, which is harmless: it is one more that may be
    // found, and the one without it follows.
    private string? Undo(ModelState before, bool isChange)
    {
        LeftOut++;
        if (!isChange)
            return null;
        _model.Restore(before);
        _judge?.Add(before);
        return null;
    }

    private void Redo(FsOp? part, ModelTime now)
    {
        if (part is null)
            return;
        _ = _model.Apply(part, now);
        _judge?.Add(_model.State);
    }

    private void Remember(FsOp op, ModelTime now)
    {
        _last.Enqueue(string.Create(
            CultureInfo.InvariantCulture,
            $"{Done + LeftOut + 1} at {now.Seconds}.{now.Nanoseconds:d9}: {op.Describe()}"));
        if (_last.Count > RememberedOperations)
            _ = _last.Dequeue();
    }

    private string Describe(FsOp op, string difference) =>
        $"{op.Describe()}: {difference}\nLast operations:\n  {History}";
}
