using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>What waits for staged data; the archive agent's values, never renumber (engine §8.9).</summary>
[Flags]
public enum DataWaitOp : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A read.</summary>
    Read = 1,

    /// <summary>A write.</summary>
    Write = 2,

    /// <summary>A change of size.</summary>
    ChangeSize = 4,
}

/// <summary>A waiting operation, as agents see it.</summary>
/// <param name="Ino">Inode number.</param>
/// <param name="Block">First offline block that it needs.</param>
/// <param name="Op">What it does; all of it, where several wait for one block.</param>
public readonly record struct DataWaiting(ulong Ino, ulong Block, DataWaitOp Op);

/// <summary>Operations of this mount that wait for offline data (engine §8.9).</summary>
/// <remarks>
/// Guarded by the gate. A waiter is registered by the attempt that saw the offline extent, so no wake-up is lost; it
/// holds neither a lock nor a thread.
/// </remarks>
public sealed class OfflineWaiters
{
    private readonly Lock _gate;
    private readonly SortedDictionary<(ulong Ino, ulong Block, ulong Id), Waiter> _waiters = [];
    private ulong _nextId;

    /// <summary>Creates the set, empty.</summary>
    public OfflineWaiters(Lock gate) => _gate = gate;

    /// <summary>Registers a waiter; it is the operation's need, which gives its locks back.</summary>
    public IOperationNeed Add(ulong ino, ulong block, DataWaitOp op)
    {
        var waiter = new Waiter(this, (ino, block, _nextId++), op);
        _waiters.Add(waiter.Key, waiter);
        return waiter;
    }

    /// <summary>Wakes all that wait for an inode, to look again.</summary>
    public void Wake(ulong ino) => Wake(ino, ino);

    /// <summary>Wakes all that wait for any of some inodes, to look again: another mount may have changed
    /// them.</summary>
    public void Wake(ulong firstIno, ulong lastIno) =>
        End(firstIno, lastIno, 0, ulong.MaxValue, DataWaitOp.None, FsError.None);

    /// <summary>Whether anybody waits for an inode.</summary>
    public bool IsAwaited(ulong ino)
    {
        foreach (var key in _waiters.Keys)
        {
            if (key.Ino == ino)
                return true;
        }

        return false;
    }

    /// <summary>Ends waiters with an error (engine §8.9).</summary>
    /// <returns>How many there were.</returns>
    public int Fail(ulong ino, ulong firstBlock, ulong lastBlock, DataWaitOp ops, FsError error) =>
        End(ino, ino, firstBlock, lastBlock, ops, error);

    /// <summary>Ends every waiter: the mount is cut off.</summary>
    public void FailAll(FsError error)
    {
        foreach (var waiter in _waiters.Values)
            _ = waiter.Done.TrySetResult(error);
        _waiters.Clear();
    }

    /// <summary>The waiters behind a place, in order; those for one block as one.</summary>
    public List<DataWaiting> List(ulong afterIno, ulong afterBlock, int limit)
    {
        var found = new List<DataWaiting>();
        foreach (var (key, waiter) in _waiters)
        {
            if (key.Ino < afterIno || (key.Ino == afterIno && key.Block <= afterBlock))
                continue;
            if (found.Count > 0 && found[^1] is var last && last.Ino == key.Ino && last.Block == key.Block)
                found[^1] = last with { Op = last.Op | waiter.Op };
            else if (found.Count < limit)
                found.Add(new DataWaiting(key.Ino, key.Block, waiter.Op));
            else
                break;
        }

        return found;
    }

    private int End(
        ulong firstIno, ulong lastIno, ulong firstBlock, ulong lastBlock, DataWaitOp ops, FsError error)
    {
        if (_waiters.Count == 0)
            return 0;
        var ended = new List<Waiter>();
        foreach (var (key, waiter) in _waiters)
        {
            bool isMeant = key.Ino >= firstIno && key.Ino <= lastIno
                && key.Block >= firstBlock && key.Block <= lastBlock
                && (error == FsError.None || (waiter.Op & ops) != 0);
            if (isMeant)
                ended.Add(waiter);
        }

        foreach (var waiter in ended)
        {
            _ = _waiters.Remove(waiter.Key);
            _ = waiter.Done.TrySetResult(error);
        }

        return ended.Count;
    }

    private sealed class Waiter(OfflineWaiters owner, (ulong Ino, ulong Block, ulong Id) key, DataWaitOp op)
        : IOperationNeed
    {
        public readonly TaskCompletionSource<FsError> Done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public (ulong Ino, ulong Block, ulong Id) Key { get; } = key;

        public DataWaitOp Op { get; } = op;

        public async ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken)
        {
            var error = await Done.Task.OrCancelledAsync(cancellationToken);
            if (error == FsError.Cancelled)
            {
                lock (owner._gate)
                    _ = owner._waiters.Remove(Key);
            }

            return error;
        }
    }
}

/// <summary>Searches for offline extents.</summary>
public static class OfflineExtents
{
    /// <summary>Finds the first offline block of a range. False: attempt again.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="start">First block.</param>
    /// <param name="end">Block behind the last.</param>
    /// <param name="block">The block, or all ones when there is none.</param>
    public static bool FindFirst(
        OperationContext context, in InodeHandle inode, ulong start, ulong end, out ulong block)
    {
        block = ulong.MaxValue;
        while (start < end)
        {
            if (!FileExtents.Next(context, inode, start, out bool isFound, out var extent))
                return false;
            if (!isFound || extent.Start >= end)
                return true;
            if (extent.IsOffline)
            {
                block = Math.Max(start, extent.Start);
                return true;
            }

            start = extent.End;
        }

        return true;
    }
}
