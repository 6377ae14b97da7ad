using ScoutFs.Testing.Simulation;

namespace ScoutFs.Testing.Model;

/// <summary>An empty file system that is made once, for many runs to begin with.</summary>
public sealed class EmptyVolume
{
    private readonly SimDisk _meta;
    private readonly SimDisk _data;

    /// <summary>Makes it.</summary>
    /// <param name="subject">What is made.</param>
    /// <param name="atomicBytes">Pieces that its disks write whole.</param>
    public EmptyVolume(ICrashSubject subject, int atomicBytes = 512)
    {
        var world = CrashWorld.Of(
            new SimDisk("meta", subject.MetaBytes)
            {
                AtomicBytes = atomicBytes,
                WholePage = subject.WholeMetaPage,
            },
            new SimDisk("data", subject.DataBytes) { AtomicBytes = atomicBytes },
            seed: 1);
        (State, FreeBlocks) = world.Scheduler.Run(async () =>
        {
            await subject.FormatAsync(world);
            return (await subject.ReadAsync(world), await subject.CountFreeAsync(world));
        });
        _meta = world.Meta;
        _data = world.DataDisk;
    }

    /// <summary>What the model has of it: the attributes of the root.</summary>
    public ModelState State { get; }

    /// <summary>Blocks of data that are free in it.</summary>
    public ulong FreeBlocks { get; }

    /// <summary>Makes a world with a fresh copy.</summary>
    /// <param name="seed">Decides everything in it.</param>
    /// <param name="latency">Speed of disks; null: they answer at once.</param>
    public CrashWorld Open(ulong seed, SimLatency? latency = null) => CrashWorld.Of(_meta, _data, seed, latency);
}
