using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Simulation;

/// <summary>What a device is asked to do.</summary>
[Flags]
public enum SimIoKinds
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A read.</summary>
    Read = 1,

    /// <summary>A write.</summary>
    Write = 2,

    /// <summary>A flush.</summary>
    Flush = 4,

    /// <summary>Any of them.</summary>
    Any = Read | Write | Flush,
}

/// <summary>Power and faults of the disks of one world: counts what they are asked, and says what goes wrong.</summary>
/// <remarks>Fault model: <see cref="SimDisk"/>. Numbers of operations start at 1 and count over all disks.</remarks>
public sealed class SimFaults
{
    private readonly Prng _prng;
    private readonly List<SimDisk> _disks = [];
    private readonly List<Failure> _failures = [];
    private readonly TaskCompletionSource _powerLost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Creates a world without faults.</summary>
    /// <param name="seed">Decides how each fault turns out.</param>
    public SimFaults(ulong seed = 1) => _prng = new Prng(seed).Fork("faults");

    /// <summary>Reads started.</summary>
    public long Reads { get; private set; }

    /// <summary>Writes started.</summary>
    public long Writes { get; private set; }

    /// <summary>Flushes started.</summary>
    public long Flushes { get; private set; }

    /// <summary>Operations started.</summary>
    public long Operations => Reads + Writes + Flushes;

    /// <summary>Operations that were made to fail.</summary>
    public long Failed { get; private set; }

    /// <summary>The power goes during the write of this number; 0: never.</summary>
    public long CutAtWrite { get; set; }

    /// <summary>The power goes during the flush of this number; 0: never.</summary>
    public long CutAtFlush { get; set; }

    /// <summary>Any operation fails with this chance, in millionths.</summary>
    public int FailPerMillion { get; set; }

    /// <summary>False after the power went, until <see cref="Restore"/>.</summary>
    public bool IsPowerOn { get; private set; } = true;

    /// <summary>Completes when the power goes for the first time.</summary>
    public Task PowerLost => _powerLost.Task;

    /// <summary>
    /// Called when a write or flush has started and nothing of it is durable yet: the moment to fork disks as a power
    /// cut would leave them.
    /// </summary>
    public Action<SimIoKinds>? OnChange { get; set; }

    /// <summary>Lets operations of a kind fail with <see cref="FsError.Io"/>.</summary>
    /// <param name="kinds">Which are counted, and fail.</param>
    /// <param name="nth">The first to fail, counted from now, at least 1.</param>
    /// <param name="count">How many fail in a row.</param>
    public void FailAt(SimIoKinds kinds, long nth, long count = 1)
    {
        Invariant.Require(nth >= 1 && count >= 1);
        _failures.Add(new Failure(kinds, nth - 1, count));
    }

    /// <summary>Forgets all faults that have not happened yet.</summary>
    public void Clear()
    {
        _failures.Clear();
        FailPerMillion = 0;
        CutAtWrite = CutAtFlush = 0;
    }

    /// <summary>The power goes now.</summary>
    public void Cut()
    {
        if (!IsPowerOn)
            return;
        IsPowerOn = false;
        foreach (var disk in _disks)
            disk.OnPowerLost(_prng);
        _ = _powerLost.TrySetResult();
    }

    /// <summary>The power is back: disks can be opened again, and hold what was durable.</summary>
    public void Restore() => IsPowerOn = true;

    internal void Attach(SimDisk disk) => _disks.Add(disk);

    /// <summary>Counts an operation.</summary>
    /// <returns>True when it has to fail.</returns>
    internal bool Begin(SimIoKinds kind)
    {
        switch (kind)
        {
            case SimIoKinds.Read: Reads++; break;
            case SimIoKinds.Write: Writes++; break;
            default: Flushes++; break;
        }

        bool fails = FailPerMillion > 0 && _prng.NextInt32(1_000_000) < FailPerMillion;
        for (int i = _failures.Count - 1; i >= 0; i--)
        {
            var failure = _failures[i];
            if ((failure.Kinds & kind) == 0)
                continue;
            if (failure.Skip > 0)
            {
                _failures[i] = failure with { Skip = failure.Skip - 1 };
                continue;
            }

            fails = true;
            _failures[i] = failure with { Count = failure.Count - 1 };
            if (failure.Count == 1)
                _failures.RemoveAt(i);
        }

        Failed += fails ? 1 : 0;
        return fails;
    }

    /// <summary>Called when a write or flush is under way.</summary>
    internal void OnStarted(SimIoKinds kind)
    {
        OnChange?.Invoke(kind);
        if ((kind == SimIoKinds.Write && Writes == CutAtWrite) || (kind == SimIoKinds.Flush && Flushes == CutAtFlush))
            Cut();
    }

    private readonly record struct Failure(SimIoKinds Kinds, long Skip, long Count);
}
