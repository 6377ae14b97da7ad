using System.Collections.Generic;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Locking;

/// <summary>One cluster lock as this mount holds it (cluster §7.4).</summary>
/// <remarks>Guarded by the mount's gate.</remarks>
public sealed class ClusterLock
{
    /// <summary>Users by mode.</summary>
    internal readonly int[] Users = new int[4];

    /// <summary>Requests of the leader that are not answered yet, in order of arrival.</summary>
    internal readonly Queue<(ulong RequestId, WireLock Message)> Invalidations = new();

    /// <summary>Completed at the next change that a waiter may have waited for.</summary>
    internal TaskCompletionSource? Changed;

    /// <summary>Those who wait for a mode.</summary>
    internal readonly List<LockWaiter> Waiters = [];

    /// <summary>Waiters that were granted the lock and have not come to use it yet.</summary>
    internal int CountPromised;

    /// <summary>A request of ours is with the leader.</summary>
    internal bool IsRequested;

    /// <summary>An invalidation is being carried out.</summary>
    internal bool IsInvalidating;

    /// <summary>Neighbours in the list of idle locks, least recently used first; null outside the list.</summary>
    internal LinkedListNode<ClusterLock>? IdleNode;

    /// <summary>Creates a lock that is not held.</summary>
    internal ClusterLock(in LockRange range) => Range = range;

    /// <summary>The keys that it covers.</summary>
    public LockRange Range { get; }

    /// <summary>Mode that is granted now.</summary>
    public LockMode Mode { get; internal set; }

    /// <summary>Mode that an invalidation under way takes away; Null when there is none.</summary>
    public LockMode InvalidatingMode { get; internal set; }

    /// <summary>Seq of the last write grant; 0 under Read.</summary>
    public ulong WriteSeq { get; internal set; }

    /// <summary>
    /// Grows whenever the lock becomes readable: what was learnt under a smaller one may be outdated.
    /// </summary>
    public ulong RefreshGeneration { get; internal set; }

    /// <summary>
    /// Count of grants of the mount when this lock became readable; roots read before may be too old.
    /// </summary>
    public ulong GrantStamp { get; internal set; }

    /// <summary>Last transaction in which a writer used the lock.</summary>
    public ulong DirtyTransSeq { get; internal set; }

    /// <summary>True while nobody uses it, wants it or takes it away.</summary>
    internal bool IsIdle => Users[1] + Users[2] + Users[3] == 0
        && CountPromised == 0 && !IsRequested && !IsInvalidating && Invalidations.Count == 0;
}

/// <summary>One user to be of a lock.</summary>
/// <param name="mode">Mode that it needs.</param>
internal sealed class LockWaiter(LockMode mode)
{
    /// <summary>Mode that it needs.</summary>
    public LockMode Mode { get; } = mode;

    /// <summary>A grant was for it: the lock is kept until it has used it.</summary>
    public bool IsPromised { get; set; }
}
