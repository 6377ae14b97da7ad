using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Locking;

/// <summary>The cluster locks of one mount (cluster §7.4, engine §4.6).</summary>
/// <remarks>
/// <para><b>Thread rule.</b> Every member is called with the mount's gate held, and only queues messages; except for
/// <see cref="WaitAsync"/>, which takes the gate itself and is awaited without it.</para>
/// <para><b>Invariants.</b> 1. A mode with users is never lowered below what they need. 2. At most one request of ours
/// per lock is with the leader. 3. Invalidations of a lock are carried out and answered one by one, in order of
/// arrival. 4. While one is carried out new users of the new mode may enter, others wait.</para>
/// </remarks>
public sealed class LockClient : ILockMessages
{
    private readonly Lock _gate;
    private readonly ILockTransport _transport;
    private readonly ILockInvalidation _invalidation;
    private readonly Dictionary<ItemKey, ClusterLock> _locks = new(ByStartKey.Instance);
    private readonly SortedSet<ItemKey> _keys = [];
    private readonly LinkedList<ClusterLock> _idle = [];
    private ulong _refreshGeneration;
    private bool _isShutDown;

    /// <summary>Creates the locks of a mount, none held.</summary>
    /// <param name="gate">The mount's gate.</param>
    /// <param name="transport">Way to the leader.</param>
    /// <param name="invalidation">Called before a lock is lowered.</param>
    /// <param name="idleLimit">Idle locks to keep, 32..100000.</param>
    public LockClient(Lock gate, ILockTransport transport, ILockInvalidation invalidation, int idleLimit)
    {
        Invariant.Require(idleLimit is >= 32 and <= 100_000);
        _gate = gate;
        _transport = transport;
        _invalidation = invalidation;
        IdleLimit = idleLimit;
    }

    /// <summary>Idle locks to keep, 32..100000; may change at any time.</summary>
    public int IdleLimit { get; set; }

    /// <summary>Locks that are known, whatever their mode.</summary>
    public int Count => _locks.Count;

    /// <summary>Grants so far; orders root reads against grants.</summary>
    public ulong GrantStamp { get; private set; }

    /// <summary>True after <see cref="Isolate"/>.</summary>
    public bool IsIsolated { get; private set; }

    /// <summary>Uses a lock if it is granted in a sufficient mode, and nobody is taking that mode away.</summary>
    /// <returns>True: one more user of <paramref name="mode"/>, to be given back by <see cref="Release"/>.</returns>
    public bool TryAcquire(in LockRange range, LockMode mode, out ClusterLock clusterLock)
    {
        if (_locks.TryGetValue(range.Start, out clusterLock!) && Satisfies(clusterLock, mode))
        {
            Enter(clusterLock, mode);
            return true;
        }

        return false;
    }

    /// <summary>Finds a lock that is granted in a sufficient mode, without becoming its user.</summary>
    /// <remarks>Enough for work that ends before the gate is left; else <see cref="Enter"/> it.</remarks>
    public bool TryFind(in LockRange range, LockMode mode, out ClusterLock clusterLock) =>
        _locks.TryGetValue(range.Start, out clusterLock!) && Satisfies(clusterLock, mode);

    /// <summary>Becomes a user of a lock that <see cref="TryFind"/> found under the same hold of the gate.</summary>
    public void Enter(ClusterLock clusterLock, LockMode mode)
    {
        clusterLock.Users[(int)mode]++;
        Unlist(clusterLock);
    }

    /// <summary>Notes a change that was made without becoming a user.</summary>
    public static void NoteDirty(ClusterLock clusterLock, ulong transSeq) => clusterLock.DirtyTransSeq = transSeq;

    /// <summary>Uses a lock, waiting for the leader if need be; takes the gate itself.</summary>
    /// <returns>None with the lock; Isolated or Cancelled.</returns>
    public ValueTask<(FsError Error, ClusterLock? Lock)> WaitAsync(
        LockRange range, LockMode mode, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (IsIsolated || _isShutDown)
                return new((FsError.Isolated, null));
            if (TryAcquire(range, mode, out var granted))
                return new((FsError.None, granted));
            ShrinkOne();
            return WaitSlowAsync(range, mode, cancellationToken);
        }
    }

    /// <summary>Gives one use back.</summary>
    /// <param name="clusterLock">The lock.</param>
    /// <param name="mode">Mode it was acquired in.</param>
    /// <param name="transSeq">The open transaction, which a writer may have dirtied.</param>
    public void Release(ClusterLock clusterLock, LockMode mode, ulong transSeq)
    {
        ref int users = ref clusterLock.Users[(int)mode];
        Invariant.Require(users > 0);
        users--;
        if (mode != LockMode.Read)
            clusterLock.DirtyTransSeq = transSeq;
        if (clusterLock.Invalidations.Count > 0)
            StartInvalidation(clusterLock);
        Settle(clusterLock);
    }

    /// <inheritdoc/>
    public void OnGrant(in WireLock grant)
    {
        if (!_locks.TryGetValue(grant.Key, out var clusterLock) || !clusterLock.IsRequested)
            return;
        GrantStamp++;
        var mode = (LockMode)grant.NewMode;
        if (IsReadable(mode) && !IsReadable(clusterLock.Mode))
        {
            clusterLock.RefreshGeneration = ++_refreshGeneration;
            clusterLock.GrantStamp = GrantStamp;
        }

        clusterLock.Mode = mode;
        clusterLock.WriteSeq = grant.WriteSeq;
        clusterLock.IsRequested = false;

        // The next invalidation may be right behind, and would take the lock away before those who waited for it have
        // woken up; two mounts could pass it to and fro for ever.
        foreach (var waiter in clusterLock.Waiters)
        {
            if (waiter.IsPromised || !Covers(mode, waiter.Mode))
                continue;
            waiter.IsPromised = true;
            clusterLock.CountPromised++;
        }

        Wake(clusterLock);
        Settle(clusterLock);
    }

    /// <inheritdoc/>
    public void OnInvalidate(ulong requestId, in WireLock request)
    {
        if (!_locks.TryGetValue(request.Key, out var clusterLock) || _isShutDown)
        {
            _transport.AnswerInvalidation(requestId, request);
            return;
        }

        clusterLock.Invalidations.Enqueue((requestId, request));
        Unlist(clusterLock);
        StartInvalidation(clusterLock);
    }

    /// <inheritdoc/>
    public void OnRecover(ulong requestId, in ItemKey from)
    {
        Span<WireLock> found = stackalloc WireLock[WireLockRecover.MaxLocks];
        int count = 0;
        foreach (var key in _keys.GetViewBetween(from, ItemKey.Max))
        {
            if (count == found.Length)
                break;
            var clusterLock = _locks[key];

            // The old mode while it is being taken away: its data may still be on the way (cluster §7.9 L8).
            var mode = clusterLock.InvalidatingMode != LockMode.Null
                ? clusterLock.InvalidatingMode
                : clusterLock.Mode;
            found[count++] = new WireLock
            {
                Key = key,
                WriteSeq = clusterLock.WriteSeq,
                OldMode = (byte)mode,
                NewMode = (byte)mode,
            };
        }

        _transport.AnswerRecovery(requestId, found[..count]);
    }

    /// <summary>
    /// First phase of unmounting: no new users; invalidations are answered without flushing (cluster §1.2).
    /// </summary>
    public void ShutDown()
    {
        _isShutDown = true;
        WakeAll();
        foreach (var clusterLock in _locks.Values)
        {
            while (clusterLock.Invalidations.Count > (clusterLock.IsInvalidating ? 1 : 0))
            {
                var (requestId, message) = clusterLock.Invalidations.Dequeue();
                _transport.AnswerInvalidation(requestId, message);
            }
        }
    }

    /// <summary>The mount was cut off: every waiter ends with Isolated.</summary>
    public void Isolate()
    {
        IsIsolated = true;
        WakeAll();
    }

    /// <summary>Sum of all users, for tests that look for leaks.</summary>
    public int CountUsers()
    {
        int users = 0;
        foreach (var clusterLock in _locks.Values)
            users += clusterLock.Users[1] + clusterLock.Users[2] + clusterLock.Users[3];
        return users;
    }

    private static bool IsReadable(LockMode mode) => mode is LockMode.Read or LockMode.Write;

    // While the leader waits for a lower mode, users that this mode does not admit must not enter any more.
    private static bool Satisfies(ClusterLock clusterLock, LockMode mode)
    {
        if (!Covers(clusterLock.Mode, mode))
            return false;
        return clusterLock.Invalidations.Count == 0
            || Covers((LockMode)clusterLock.Invalidations.Peek().Message.NewMode, mode);
    }

    private static bool Covers(LockMode granted, LockMode wanted) =>
        granted == wanted || (granted == LockMode.Write && wanted == LockMode.Read);

    private async ValueTask<(FsError Error, ClusterLock? Lock)> WaitSlowAsync(
        LockRange range, LockMode mode, CancellationToken cancellationToken)
    {
        // Runs under the caller's hold of the gate until the first await, under its own from then on.
        var waiter = new LockWaiter(mode);
        var clusterLock = Want(range, waiter, out var changed);
        while (true)
        {
            bool isCancelled = await changed.OrCancelledAsync(cancellationToken) != FsError.None;
            lock (_gate)
            {
                _ = clusterLock.Waiters.Remove(waiter);
                if (waiter.IsPromised)
                    clusterLock.CountPromised--;
                if (isCancelled || IsIsolated || _isShutDown)
                {
                    if (waiter.IsPromised)
                    {
                        StartInvalidation(clusterLock);
                        Settle(clusterLock);
                    }

                    return (isCancelled ? FsError.Cancelled : FsError.Isolated, null);
                }

                if (waiter.IsPromised)
                {
                    Enter(clusterLock, mode);
                    return (FsError.None, clusterLock);
                }

                if (TryAcquire(range, mode, out var granted))
                    return (FsError.None, granted);
                clusterLock = Want(range, waiter, out changed);
            }
        }
    }

    // Makes sure that the leader knows of the wish; the task completes when it is worth looking again.
    private ClusterLock Want(in LockRange range, LockWaiter waiter, out Task changed)
    {
        var mode = waiter.Mode;
        if (!_locks.TryGetValue(range.Start, out var clusterLock))
        {
            clusterLock = new ClusterLock(range);
            _locks.Add(range.Start, clusterLock);
            _ = _keys.Add(range.Start);
        }

        Unlist(clusterLock);
        if (!clusterLock.IsRequested && clusterLock.Invalidations.Count == 0 && !Covers(clusterLock.Mode, mode))
        {
            clusterLock.IsRequested = true;
            _transport.Request(new WireLock
            {
                Key = range.Start,
                OldMode = (byte)clusterLock.Mode,
                NewMode = (byte)mode,
            });
        }

        clusterLock.Changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed = clusterLock.Changed.Task;
        clusterLock.Waiters.Add(waiter);
        return clusterLock;
    }

    private void StartInvalidation(ClusterLock clusterLock)
    {
        if (clusterLock.IsInvalidating || clusterLock.Invalidations.Count == 0 || clusterLock.CountPromised > 0)
            return;
        var mode = (LockMode)clusterLock.Invalidations.Peek().Message.NewMode;
        for (var users = LockMode.Read; users <= LockMode.WriteOnly; users++)
        {
            if (clusterLock.Users[(int)users] > 0 && !Covers(mode, users))
                return;
        }

        clusterLock.IsInvalidating = true;
        clusterLock.InvalidatingMode = clusterLock.Mode;
        clusterLock.Mode = mode;
        _ = InvalidateAsync(clusterLock, clusterLock.InvalidatingMode, mode);
    }

    private async Task InvalidateAsync(ClusterLock clusterLock, LockMode from, LockMode to)
    {
        await Task.Yield();
        if (from != to && from != LockMode.Null)
            await _invalidation.InvalidateAsync(clusterLock, from, to);
        lock (_gate)
        {
            var (requestId, message) = clusterLock.Invalidations.Dequeue();
            clusterLock.InvalidatingMode = LockMode.Null;
            clusterLock.IsInvalidating = false;
            _transport.AnswerInvalidation(requestId, message);
            StartInvalidation(clusterLock);
            Wake(clusterLock);
            Settle(clusterLock);
        }
    }

    // An idle lock that is still granted may be used again soon; one that is not is forgotten.
    private void Settle(ClusterLock clusterLock)
    {
        if (!clusterLock.IsIdle || clusterLock.IdleNode is not null)
            return;
        if (clusterLock.Mode == LockMode.Null && clusterLock.Changed is null)
        {
            _ = _locks.Remove(clusterLock.Range.Start);
            _ = _keys.Remove(clusterLock.Range.Start);
            return;
        }

        clusterLock.IdleNode = _idle.AddLast(clusterLock);
    }

    private void Unlist(ClusterLock clusterLock)
    {
        if (clusterLock.IdleNode is null)
            return;
        _idle.Remove(clusterLock.IdleNode);
        clusterLock.IdleNode = null;
    }

    // One at a time: bulk release floods the leader (cluster §7.6).
    private void ShrinkOne()
    {
        if (_locks.Count <= IdleLimit || _idle.First is not { } oldest)
            return;
        var clusterLock = oldest.Value;
        Unlist(clusterLock);
        if (clusterLock.Mode == LockMode.Null)
        {
            // Its waiter has given up.
            clusterLock.Changed = null;
            Settle(clusterLock);
            return;
        }

        clusterLock.IsRequested = true;
        _transport.Request(new WireLock
        {
            Key = clusterLock.Range.Start,
            OldMode = (byte)clusterLock.Mode,
            NewMode = (byte)LockMode.Null,
        });
    }

    private void WakeAll()
    {
        foreach (var clusterLock in _locks.Values)
            Wake(clusterLock);
    }

    private static void Wake(ClusterLock clusterLock)
    {
        var changed = clusterLock.Changed;
        clusterLock.Changed = null;
        _ = changed?.TrySetResult();
    }

    // Start keys differ in few bits, far apart: cheaper than hashing all parts.
    private sealed class ByStartKey : IEqualityComparer<ItemKey>
    {
        public static readonly ByStartKey Instance = new();

        public bool Equals(ItemKey left, ItemKey right) => left == right;

        public int GetHashCode(ItemKey key)
        {
            ulong mixed = (key.First.Value >> 10) + (key.Second.Value >> 10)
                + ((ulong)key.Zone << 40) + ((ulong)key.Type << 48);
            return (int)((mixed * 0x9e3779b97f4a7c15) >> 33);
        }
    }
}
