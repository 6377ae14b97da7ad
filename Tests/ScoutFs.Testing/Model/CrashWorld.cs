using System;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>A pair of simulated disks, and the world they are in.</summary>
/// <param name="Scheduler">Thread of the world.</param>
/// <param name="Time">Its clock.</param>
/// <param name="Faults">Power supply of both disks.</param>
/// <param name="Meta">Metadata device.</param>
/// <param name="DataDisk">Data device.</param>
/// <param name="Prng">Randomness of what runs in it.</param>
public sealed record CrashWorld(
    SimScheduler Scheduler, SimTime Time, SimFaults Faults, SimDisk Meta, SimDisk DataDisk, Prng Prng)
{
    /// <summary>The time as file systems store it.</summary>
    public ModelTime Now
    {
        get
        {
            long ticks = (Time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks;
            return new ModelTime(ticks / TimeSpan.TicksPerSecond, (uint)(ticks % TimeSpan.TicksPerSecond * 100));
        }
    }

    /// <summary>Makes a world with forks of two disks, at <see cref="SimTime.Start"/>.</summary>
    /// <param name="meta">Metadata device.</param>
    /// <param name="data">Data device.</param>
    /// <param name="seed">Decides everything in it.</param>
    /// <param name="latency">Speed of disks; null: they answer at once.</param>
    public static CrashWorld Of(SimDisk meta, SimDisk data, ulong seed, SimLatency? latency = null)
    {
        var scheduler = new SimScheduler(new Prng(seed).Fork("choice"));
        var faults = new SimFaults(seed);
        return new CrashWorld(
            scheduler,
            new SimTime(scheduler),
            faults,
            meta.Fork(faults, scheduler, latency, seed),
            data.Fork(faults, scheduler, latency, seed),
            new Prng(seed).Fork("world"));
    }
}
