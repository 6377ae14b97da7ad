using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace ScoutFs.Cluster.Recovery;

/// <summary>Which mounts of the previous leader have yet to greet this one and to say what locks they hold (cluster
/// §4.5).</summary>
/// <remarks>Thread safe. Who is still pending after RECOV_TIMEOUT is fenced by whoever owns the timer.</remarks>
public sealed class RecoveryTracker
{
    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly SortedSet<ulong> _greetings;
    private readonly SortedSet<ulong> _locks;

    // Completed under no latch.
    private readonly TaskCompletionSource _greeted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _locksRecovered = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Creates a tracker of the mounts that were recorded when the leader started.</summary>
    public RecoveryTracker(IEnumerable<ulong> rids)
    {
        _greetings = [.. rids];
        _locks = [.. _greetings];
        CompleteWhatIsDone();
    }

    /// <summary>Completes once every mount has greeted or is gone: open map requests may be answered.</summary>
    public Task Greeted => _greeted.Task;

    /// <summary>Completes once every mount has recovered its locks or is gone: locks may be granted, and transactions
    /// opened (DEV-11).</summary>
    public Task LocksRecovered => _locksRecovered.Task;

    /// <summary>Mounts that are pending in any way, ascending.</summary>
    public IReadOnlyList<ulong> PendingRids
    {
        get
        {
            lock (_latch)
                return [.. _locks];
        }
    }

    /// <summary>A mount has greeted this leader.</summary>
    /// <returns>True when it was pending and still has locks to recover.</returns>
    public bool OnGreeted(ulong rid)
    {
        bool isPending;
        lock (_latch)
        {
            _ = _greetings.Remove(rid);
            isPending = _locks.Contains(rid);
        }

        CompleteWhatIsDone();
        return isPending;
    }

    /// <summary>A mount has sent all its locks.</summary>
    public void OnLocksRecovered(ulong rid)
    {
        lock (_latch)
            _ = _locks.Remove(rid);
        CompleteWhatIsDone();
    }

    /// <summary>A mount is gone: nothing is expected of it any more.</summary>
    public void Finish(ulong rid)
    {
        lock (_latch)
        {
            _ = _greetings.Remove(rid);
            _ = _locks.Remove(rid);
        }

        CompleteWhatIsDone();
    }

    /// <summary>True while a mount's locks are not all known.</summary>
    public bool AreLocksPending(ulong rid)
    {
        lock (_latch)
            return _locks.Contains(rid);
    }

    private void CompleteWhatIsDone()
    {
        bool areGreeted;
        bool areRecovered;
        lock (_latch)
        {
            areGreeted = _greetings.Count == 0;
            areRecovered = _locks.Count == 0;
        }

        if (areGreeted)
            _ = _greeted.TrySetResult();
        if (areRecovered)
            _ = _locksRecovered.TrySetResult();
    }
}
