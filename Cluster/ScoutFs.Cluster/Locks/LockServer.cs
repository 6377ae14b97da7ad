using System;
using System.Collections.Generic;
using System.IO;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Locks;

/// <summary>The leader's half of the cluster locks: who holds what, who waits (cluster §7).</summary>
/// <remarks>
/// <para>A pure machine: messages of mounts come in as calls, messages to mounts go out through the port. It keeps no
/// time; nothing here ever waits or gives up.</para>
/// <para>Invariants, per lock:
/// 1. Entries held, whether being lowered or not, are pairwise compatible, except that recovered ones are as the
/// mounts report them.
/// 2. Requests are granted in order of arrival; while one waits, no later one is looked at, not even of a mode that
/// would be compatible, so nobody starves.
/// 3. A mount has at most one entry in each of the three lists.
/// 4. While any mount's locks are unknown nothing is granted and nothing is invalidated.
/// 5. The lock exists exactly while it has entries; whether it does is decided here and nowhere else.</para>
/// <para>Cost: a message touches one lock and looks at the mounts on that lock; how many locks there are does not
/// matter. Thread rules: one caller at a time. No allocation once the entries needed exist.</para>
/// </remarks>
public sealed class LockServer
{
    // Released entries and locks are kept for reuse up to these counts; more are left to the collector.
    private const int MaxFreeEntries = 4096;
    private const int MaxFreeLocks = 4096;

    private readonly ILockServerPort _port;
    private readonly Dictionary<ItemKey, ServedLock> _locks = [];

    // First entry of each mount that has any.
    private readonly Dictionary<ulong, LockEntry> _mounts = [];

    // Mounts whose locks are unknown, with the key their next answer must start from; null: not asked yet.
    private readonly Dictionary<ulong, ItemKey?> _recovering = [];

    // Locks with requests that wait for the end of recovery, in order of their first request.
    private readonly Queue<ServedLock> _afterRecovery = new();

    private readonly List<ServedLock> _reclaimed = [];
    private readonly Stack<ServedLock> _freeLocks = new();
    private LockEntry? _freeEntries;
    private int _countFreeEntries;

    /// <summary>Creates a server without locks.</summary>
    public LockServer(ILockServerPort port)
    {
        _port = port;
    }

    /// <summary>Locks that some mount has to do with.</summary>
    public int CountLocks => _locks.Count;

    /// <summary>Answers that nobody waited for; they are harmless (cluster §7.9 L18).</summary>
    public long CountStrayAnswers { get; private set; }

    /// <summary>True while locks of some mount are unknown: nothing is granted.</summary>
    public bool IsRecovering => _recovering.Count > 0;

    /// <summary>True while this mount's locks are unknown.</summary>
    public bool IsRecoveringMount(ulong rid) => _recovering.ContainsKey(rid);

    /// <summary>A mount of an earlier leader's time exists: nothing is granted until its locks are known.</summary>
    public void ExpectRecovery(ulong rid) => _recovering.TryAdd(rid, null);

    /// <summary>An expected mount has greeted this leader for the first time: asks for its locks.</summary>
    /// <remarks>Nothing happens for other mounts.</remarks>
    public void StartRecovery(ulong rid)
    {
        if (!_recovering.TryGetValue(rid, out var next) || next is not null)
            return;
        _recovering[rid] = ItemKey.Min;
        _port.SendRecoverRequest(rid, ItemKey.Min);
    }

    /// <summary>Takes the next locks that a mount holds, in key order; none ends its recovery (cluster §7.8).</summary>
    /// <returns>None; Invalid when the mount breaks the protocol, whose session must then end.</returns>
    public FsError OnRecoverAnswer(ulong rid, ReadOnlySpan<WireLock> locks)
    {
        if (!_recovering.TryGetValue(rid, out var next))
        {
            CountStrayAnswers++;
            return FsError.None;
        }

        if (next is not { } from)
            return FsError.Invalid;
        if (locks.IsEmpty)
        {
            EndRecovery(rid);
            return FsError.None;
        }

        foreach (ref readonly var held in locks)
        {
            if (held.Key < from || !IsMode(held.NewMode))
                return FsError.Invalid;
            var served = FindOrAdd(held.Key);
            if (served.Granted.Find(rid) is not null)
                return FsError.Invalid;
            served.Granted.Add(NewEntry(served, rid, requestId: 0, (LockMode)held.NewMode));
            _port.RaiseSeq(held.WriteSeq);
            from = held.Key.Next();
        }

        // The greatest key has no successor; asking from the least again would never end.
        if (from == ItemKey.Min)
        {
            EndRecovery(rid);
            return FsError.None;
        }

        _recovering[rid] = from;
        _port.SendRecoverRequest(rid, from);
        return FsError.None;
    }

    /// <summary>A mount asks for a mode.</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="requestId">Id of its frame, repeated in the grant.</param>
    /// <param name="request">Only key and new mode count.</param>
    /// <returns>None; Invalid for an unknown mode, or when its last request for this lock still waits.</returns>
    public FsError OnRequest(ulong rid, ulong requestId, in WireLock request)
    {
        if (!IsMode(request.NewMode))
            return FsError.Invalid;
        var served = FindOrAdd(request.Key);
        if (served.Requested.Find(rid) is not null)
            return FsError.Invalid;
        served.Requested.Add(NewEntry(served, rid, requestId, (LockMode)request.NewMode));
        Process(served);
        return FsError.None;
    }

    /// <summary>A mount has lowered a lock.</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="answer">Only key and new mode count.</param>
    /// <returns>None; Invalid for a mode other than the one asked for or null.</returns>
    public FsError OnInvalidationAnswer(ulong rid, in WireLock answer)
    {
        if (!_locks.TryGetValue(answer.Key, out var served) || served.Invalidated.Find(rid) is not { } entry)
        {
            CountStrayAnswers++;
            return FsError.None;
        }

        var mode = (LockMode)answer.NewMode;
        if (mode != LockMode.Null && mode != entry.Target)
            return FsError.Invalid;
        if (mode == LockMode.Null)
        {
            Free(entry);
        }
        else
        {
            entry.Mode = mode;
            Move(entry, served.Granted);
        }

        Process(served);
        return FsError.None;
    }

    /// <summary>A mount has left, or is fenced: it holds and wants nothing any more (cluster §4.6.1).</summary>
    /// <remarks>Does nothing the second time.</remarks>
    public void Reclaim(ulong rid)
    {
        // Grants go out only after all entries are gone, so that none of them goes to the mount itself.
        while (_mounts.TryGetValue(rid, out var entry))
        {
            _reclaimed.Add(entry.Lock);
            Free(entry);
        }

        foreach (var served in _reclaimed)
            Process(served);
        _reclaimed.Clear();
        if (_recovering.ContainsKey(rid))
            EndRecovery(rid);
    }

    /// <summary>Lists every lock and who is on it, for people.</summary>
    public void Describe(TextWriter writer)
    {
        writer.WriteLine($"locks {_locks.Count} recovering mounts {_recovering.Count}");
        foreach (var served in _locks.Values)
        {
            writer.Write(served.Key.ToString());
            Describe(writer, " granted", served.Granted);
            Describe(writer, " invalidated", served.Invalidated);
            Describe(writer, " requested", served.Requested);
            writer.WriteLine();
        }
    }

    /// <summary>The table of cluster §7.2.</summary>
    private static bool AreCompatible(LockEntry granted, LockEntry request)
    {
        bool isShared = request.Mode is LockMode.Read or LockMode.WriteOnly;
        if (isShared && granted.Mode == request.Mode)
            return true;
        if (granted.Rid == request.Rid)
            return granted.Mode == LockMode.Read && request.Mode == LockMode.Write;
        return granted.Mode == LockMode.Null || request.Mode == LockMode.Null;
    }

    private static bool IsMode(byte mode) => mode <= (byte)LockMode.WriteOnly;

    private static void Move(LockEntry entry, LockEntryList list)
    {
        entry.List!.Remove(entry);
        list.Add(entry);
    }

    private static void Describe(TextWriter writer, string title, LockEntryList list)
    {
        for (var entry = list.First; entry is not null; entry = entry.Next)
        {
            writer.Write(entry == list.First ? title : ",");
            writer.Write($" {entry.Rid:x16}:{entry.Mode}");
        }
    }

    private void Process(ServedLock served)
    {
        if (IsRecovering && served.Requested.First is not null)
        {
            if (!served.IsQueued)
                _afterRecovery.Enqueue(served);
            served.IsQueued = true;
            return;
        }

        while (served.Invalidated.First is null && served.Requested.First is { } request)
        {
            if (Invalidate(served, request))
                Grant(served, request);
        }

        if (served.IsIdle)
            Free(served);
    }

    /// <summary>Asks the holders that are in a request's way to lower the lock; true when there are none.</summary>
    private bool Invalidate(ServedLock served, LockEntry request)
    {
        for (var held = served.Granted.First; held is not null;)
        {
            var next = held.Next;
            if (!AreCompatible(held, request))
            {
                held.Target = held.Mode == LockMode.Write && request.Mode == LockMode.Read
                    ? LockMode.Read
                    : LockMode.Null;
                Move(held, served.Invalidated);
                _port.SendInvalidation(held.Rid, new WireLock
                {
                    Key = served.Key,
                    OldMode = (byte)held.Mode,
                    NewMode = (byte)held.Target,
                });
            }

            held = next;
        }

        return served.Invalidated.First is null;
    }

    private void Grant(ServedLock served, LockEntry request)
    {
        var old = LockMode.Null;
        if (served.Granted.Find(request.Rid) is { } held)
        {
            old = held.Mode;
            Free(held);
        }

        var grant = new WireLock
        {
            Key = served.Key,
            WriteSeq = request.Mode is LockMode.Write or LockMode.WriteOnly ? _port.NextSeq() : 0,
            OldMode = (byte)old,
            NewMode = (byte)request.Mode,
        };
        ulong rid = request.Rid;
        ulong requestId = request.RequestId;
        if (request.Mode == LockMode.Null)
            Free(request);
        else
            Move(request, served.Granted);
        _port.SendGrant(rid, requestId, grant);
    }

    private void EndRecovery(ulong rid)
    {
        _recovering.Remove(rid);
        if (!IsRecovering)
        {
            while (_afterRecovery.TryDequeue(out var served))
            {
                served.IsQueued = false;
                Process(served);
            }
        }

        _port.RecoveryEnded(rid, isLast: !IsRecovering);
    }

    private ServedLock FindOrAdd(in ItemKey key)
    {
        if (_locks.TryGetValue(key, out var served))
            return served;
        if (!_freeLocks.TryPop(out served))
            served = new ServedLock();
        served.IsFree = false;
        served.IsInTable = true;
        served.Key = key;

        // Keys from the wire may carry anything in their padding; what goes out again has none.
        served.Key.Pad = default;
        _locks.Add(served.Key, served);
        return served;
    }

    private void Free(ServedLock served)
    {
        // A reclaimed mount may have had several entries here, so the lock may come a second time.
        if (served.IsInTable)
            _locks.Remove(served.Key);
        served.IsInTable = false;

        // One that waits for the end of recovery leaves its queue later.
        if (served.IsQueued || served.IsFree || _freeLocks.Count >= MaxFreeLocks)
            return;
        served.IsFree = true;
        _freeLocks.Push(served);
    }

    private LockEntry NewEntry(ServedLock served, ulong rid, ulong requestId, LockMode mode)
    {
        var entry = _freeEntries;
        if (entry is null)
        {
            entry = new LockEntry();
        }
        else
        {
            _freeEntries = entry.NextOfMount;
            _countFreeEntries--;
        }

        entry.Rid = rid;
        entry.RequestId = requestId;
        entry.Mode = mode;
        entry.Target = mode;
        entry.Lock = served;
        entry.PreviousOfMount = null;
        entry.NextOfMount = _mounts.GetValueOrDefault(rid);
        if (entry.NextOfMount is not null)
            entry.NextOfMount.PreviousOfMount = entry;
        _mounts[rid] = entry;
        return entry;
    }

    private void Free(LockEntry entry)
    {
        entry.List!.Remove(entry);
        if (entry.NextOfMount is not null)
            entry.NextOfMount.PreviousOfMount = entry.PreviousOfMount;
        if (entry.PreviousOfMount is not null)
            entry.PreviousOfMount.NextOfMount = entry.NextOfMount;
        else if (entry.NextOfMount is not null)
            _mounts[entry.Rid] = entry.NextOfMount;
        else
            _mounts.Remove(entry.Rid);
        entry.Lock = null!;
        entry.PreviousOfMount = null;
        entry.NextOfMount = null;
        if (_countFreeEntries >= MaxFreeEntries)
            return;
        entry.NextOfMount = _freeEntries;
        _freeEntries = entry;
        _countFreeEntries++;
    }
}
