using System.Collections.Generic;
using System.Globalization;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Remembers every state of a model since the last sync, and judges what a crash has left.</summary>
/// <remarks>
/// After a crash a volume must equal the model after some operation: the last one that was synced, or a later one.
/// States before the last sync are forgotten.
/// </remarks>
public sealed class CrashJudge
{
    private readonly List<ModelState> _states = [];
    private long _firstNumber;

    /// <summary>Starts with a state that is durable.</summary>
    public CrashJudge(ModelState durable) => _states.Add(durable);

    private CrashJudge(CrashJudge other)
    {
        _states.AddRange(other._states);
        _firstNumber = other._firstNumber;
    }

    /// <summary>Operations so far.</summary>
    public long CountOperations => _firstNumber + _states.Count - 1;

    /// <summary>Operations that must survive a crash.</summary>
    public long CountDurable => _firstNumber;

    /// <summary>Another operation has changed the model, or is about to be done when the power may go.</summary>
    public void Add(ModelState state) => _states.Add(state);

    /// <summary>Everything up to now is durable.</summary>
    public void Sync() => SyncTo(CountOperations);

    /// <summary>Everything up to an operation is durable: what was done when a sync began, once it has ended.</summary>
    public void SyncTo(long countOperations)
    {
        Invariant.Require(countOperations >= _firstNumber && countOperations <= CountOperations);
        _states.RemoveRange(0, (int)(countOperations - _firstNumber));
        _firstNumber = countOperations;
    }

    /// <summary>Remembers this moment, while the judge goes on.</summary>
    public CrashJudge Snapshot() => new(this);

    /// <summary>Looks at disks that nobody has mounted: whether they are sound, and hold an allowed state.</summary>
    /// <param name="subject">What is on them.</param>
    /// <param name="world">The disks.</param>
    /// <returns>What is wrong, or null; operations that survived, -1 when something is wrong.</returns>
    public async Task<(string? Failure, long Survived)> CheckAsync(ICrashSubject subject, CrashWorld world)
    {
        if (await subject.CheckAsync(world) is { } damage)
            return (damage, -1);
        string? difference = Judge(await subject.ReadAsync(world), out long survived);
        return (difference, survived);
    }

    /// <summary>Judges what was found after a crash.</summary>
    /// <param name="found">The volume.</param>
    /// <param name="survived">Operations that survived.</param>
    /// <returns>What is wrong, or null.</returns>
    public string? Judge(ModelState found, out long survived)
    {
        ModelComparison? nearest = null;
        survived = -1;
        for (int i = _states.Count - 1; i >= 0; i--)
        {
            var options = new ModelComparisonOptions { Later = _states.GetRange(i + 1, _states.Count - i - 1) };
            var comparison = ModelComparison.Compare(_states[i], found, options);
            if (comparison.Difference is null)
            {
                survived = _firstNumber + i;
                return null;
            }

            if (nearest is null || comparison.Progress > nearest.Progress)
            {
                nearest = comparison;
                survived = _firstNumber + i;
            }
        }

        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"The volume equals no state between operation {_firstNumber}, which was synced, and {CountOperations}. "
            + $"Nearest to it is that after operation {survived}, but {nearest!.Difference}.");
        survived = -1;
        return text;
    }
}
