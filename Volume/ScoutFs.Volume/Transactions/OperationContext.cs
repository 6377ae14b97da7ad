using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Items;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>What one running operation holds and lacks.</summary>
/// <remarks>Pooled. Members are called by attempts, with the gate held, unless they say otherwise.</remarks>
public sealed class OperationContext
{
    private const int MaxLocks = 24;

    private readonly OperationRunner _runner;
    private readonly Entry[] _entries = new Entry[MaxLocks];
    private int _count;
    private bool _lacksLock;
    private bool _lacksCommit;
    private bool _lacksSpace;
    private bool _releasesLocks;
    private ClusterLock? _borrowed;
    private ClusterLock? _fillLock;
    private ItemKey _fillKey;
    private IOperationNeed? _need;

    /// <summary>Creates a context for reuse by one operation after another.</summary>
    internal OperationContext(OperationRunner runner) => _runner = runner;

    /// <summary>Seq of the open transaction.</summary>
    public ulong TransSeq => _runner.Transaction.TransSeq;

    /// <summary>The open transaction.</summary>
    public Transaction Transaction => _runner.Transaction;

    /// <summary>The mounted volume.</summary>
    public VolumeFacts Volume => _runner.Volume;

    /// <summary>Quota rules of the volume; null where none are enforced.</summary>
    public IQuotaCheck? Quota => _runner.Quota;

    /// <summary>The item cache; changes only after <see cref="Hold"/>.</summary>
    public ItemCache Items => _runner.Items;

    /// <summary>Uses a lock. False: return false from the attempt.</summary>
    /// <remarks>Locks that must be waited for are taken in the mount's order, after all others were given
    /// back (engine §4.7), so attempts may ask in any order.</remarks>
    public bool Lock(in LockRange range, LockMode mode, out ClusterLock clusterLock)
    {
        int found = -1;
        for (int i = 0; i < _count; i++)
        {
            if (_entries[i].Range.Start != range.Start)
                continue;
            found = i;
            break;
        }

        if (found >= 0)
        {
            ref var entry = ref _entries[found];
            if (entry.Lock is { } held && Covers(entry.Mode, mode))
            {
                clusterLock = held;
                return true;
            }

            // Asked for again in a greater mode.
            if (!Covers(entry.Mode, mode))
            {
                if (entry.Lock is not null && entry.IsCounted)
                    _runner.Locks.Release(entry.Lock, entry.Mode, TransSeq);
                entry = new Entry { Range = range, Mode = mode };
            }
        }
        else
        {
            Invariant.Require(_count < MaxLocks);
            found = _count++;
            _entries[found] = new Entry { Range = range, Mode = mode };
        }

        if (_borrowed is not null && _borrowed.Range.Start == range.Start && Covers(LockMode.Write, mode))
        {
            _entries[found].Lock = clusterLock = _borrowed;
            return true;
        }

        if (_runner.Locks.TryFind(range, _entries[found].Mode, out clusterLock))
        {
            _entries[found].Lock = clusterLock;
            return true;
        }

        _lacksLock = true;
        return false;
    }

    /// <summary>Looks an item up. False: return false from the attempt.</summary>
    /// <param name="clusterLock">Lock that covers the key, for reading.</param>
    /// <param name="key">Key.</param>
    /// <param name="isFound">Whether the item exists.</param>
    /// <param name="value">Its value, until the next change.</param>
    public bool Find(
        ClusterLock clusterLock, scoped in ItemKey key, out bool isFound, out ReadOnlySpan<byte> value)
    {
        var lookup = _runner.Items.Find(key, out value);
        isFound = lookup == ItemLookup.Found;
        if (lookup != ItemLookup.Unknown)
            return true;
        Fill(clusterLock, key);
        return false;
    }

    /// <summary>Finds the first item from a key to another. False: return false from the attempt.</summary>
    /// <param name="clusterLock">Lock that covers both keys, for reading.</param>
    /// <param name="from">First key.</param>
    /// <param name="last">Last key, inclusive.</param>
    /// <param name="isFound">Whether there is an item.</param>
    /// <param name="key">Its key.</param>
    /// <param name="value">Its value, until the next change.</param>
    public bool Next(
        ClusterLock clusterLock,
        scoped in ItemKey from,
        scoped in ItemKey last,
        out bool isFound,
        out ItemKey key,
        out ReadOnlySpan<byte> value)
    {
        var lookup = _runner.Items.Next(from, last, out key, out value);
        isFound = lookup == ItemLookup.Found;
        if (lookup != ItemLookup.Unknown)
            return true;
        Fill(clusterLock, key);
        return false;
    }

    /// <summary>Joins the open transaction; the last thing before changes. False: return false from the
    /// attempt.</summary>
    /// <param name="isAllocating">The changes take space: the operation ends with NoSpace when the volume is low on it
    /// (engine §3.5).</param>
    public bool Hold(bool isAllocating)
    {
        var result = _runner.Transaction.TryHold(isAllocating);
        _lacksCommit = result == HoldResult.Again;
        _lacksSpace = result == HoldResult.NoSpace;
        return result == HoldResult.Held;
    }

    /// <summary>Notes a need of another kind; the attempt then returns false.</summary>
    /// <param name="need">What to wait for.</param>
    /// <param name="releasesLocks">Whether the locks are given back meanwhile.</param>
    public void Need(IOperationNeed need, bool releasesLocks)
    {
        _need = need;
        _releasesLocks = releasesLocks;
    }

    /// <summary>Version of an item that is changed under a lock (engine §4.5).</summary>
    /// <param name="clusterLock">Lock that covers the item.</param>
    /// <param name="primary">For blind writes, the write lock that protects the change.</param>
    public ulong ItemSeq(ClusterLock clusterLock, ClusterLock? primary = null)
    {
        ulong seq = Math.Max(TransSeq, clusterLock.WriteSeq);
        return primary is null ? seq : Math.Max(seq, primary.WriteSeq);
    }

    /// <summary>Meets what the last attempt lacked; called without the gate.</summary>
    internal async ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken)
    {
        if (_lacksLock)
            return await TakeLocksAsync(cancellationToken);
        if (_fillLock is not null)
            return await _runner.FillAsync(_fillLock, _fillKey, cancellationToken);
        if (_lacksSpace)
            return FsError.NoSpace;
        if (_lacksCommit)
            return await _runner.Transaction.CommitAsync(cancellationToken);
        Invariant.Require(_need is not null);
        return await _need.ResolveAsync(cancellationToken);
    }

    /// <summary>After an attempt that lacked something: keeps or gives back the locks. With the gate held.</summary>
    internal void Pause()
    {
        if (_lacksLock || (_need is not null && _releasesLocks))
        {
            ReleaseAll();
            return;
        }

        for (int i = 0; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            if (entry.Lock is null || entry.IsCounted || IsBorrowed(entry))
                continue;
            _runner.Locks.Enter(entry.Lock, entry.Mode);
            entry.IsCounted = true;
        }
    }

    /// <summary>Begins an operation. With the gate held.</summary>
    /// <param name="borrowed">A lock that the caller uses for writing until the operation has ended, or null. Waiting
    /// for it once more could last for ever: who wants it waits for the caller.</param>
    internal void Begin(ClusterLock? borrowed) => _borrowed = borrowed;

    /// <summary>Before the next attempt. With the gate held.</summary>
    internal void Resume()
    {
        _lacksLock = false;
        _lacksCommit = false;
        _lacksSpace = false;
        _fillLock = null;
        _need = null;
        _releasesLocks = false;
    }

    /// <summary>After the operation: gives every lock back. With the gate held.</summary>
    internal void Finish()
    {
        for (int i = 0; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            if (entry.Lock is null)
                continue;
            if (entry.IsCounted)
                _runner.Locks.Release(entry.Lock, entry.Mode, TransSeq);
            else if (entry.Mode != LockMode.Read)
                LockClient.NoteDirty(entry.Lock, TransSeq);
            entry = default;
        }

        _count = 0;
        _borrowed = null;
        Resume();
    }

    private bool IsBorrowed(in Entry entry) => entry.Lock is not null && entry.Lock == _borrowed;

    private static bool Covers(LockMode held, LockMode wanted) =>
        held == wanted || (held == LockMode.Write && wanted == LockMode.Read);

    private void Fill(ClusterLock clusterLock, in ItemKey key)
    {
        Invariant.Require(clusterLock.Range.Contains(key));
        _fillLock = clusterLock;
        _fillKey = key;
    }

    private void ReleaseAll()
    {
        for (int i = 0; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            if (IsBorrowed(entry))
                continue;
            if (entry.Lock is not null && entry.IsCounted)
                _runner.Locks.Release(entry.Lock, entry.Mode, TransSeq);
            entry.Lock = null;
            entry.IsCounted = false;
        }
    }

    // Everything that was asked for so far, in order; nothing is held when the first is waited for.
    private async ValueTask<FsError> TakeLocksAsync(CancellationToken cancellationToken)
    {
        Array.Sort(_entries, 0, _count, EntryOrder.Instance);
        for (int i = 0; i < _count; i++)
        {
            if (IsBorrowed(_entries[i]))
                continue;
            var (error, clusterLock) = await _runner.Locks.WaitAsync(
                _entries[i].Range, _entries[i].Mode, cancellationToken);
            if (error != FsError.None)
                return error;
            _entries[i].Lock = clusterLock;
            _entries[i].IsCounted = true;
        }

        return FsError.None;
    }

    private struct Entry
    {
        public LockRange Range;
        public LockMode Mode;
        public ClusterLock? Lock;
        public bool IsCounted;
    }

    private sealed class EntryOrder : System.Collections.Generic.IComparer<Entry>
    {
        public static readonly EntryOrder Instance = new();

        public int Compare(Entry left, Entry right)
        {
            int order = Rank(left.Range.Start.Zone).CompareTo(Rank(right.Range.Start.Zone));
            return order != 0 ? order : ItemKey.Compare(left.Range.Start, right.Range.Start);
        }

        // Rename, inode groups, quota, totals, index of xattrs, orphans, inode index (engine §4.7).
        private static int Rank(byte zone) => zone switch
        {
            KeyZone.Lock => 0,
            KeyZone.Fs => 1,
            KeyZone.Quota => 2,
            KeyZone.XattrTotal => 3,
            KeyZone.XattrIndex => 4,
            KeyZone.Orphan => 5,
            _ => 6,
        };
    }
}
