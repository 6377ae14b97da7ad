using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Mounting;

/// <summary>Deletes inodes that have no link left and are in use nowhere (engine §6.8).</summary>
/// <remarks>
/// <para>A deletion is a series of transactions, each of which leaves a valid inode without links, until the last
/// removes inode and orphan item together; so it may be given up anywhere and begun again. Any thread.</para>
/// <para>What is to be deleted waits in a queue, by inode group, for one of a few workers. So a million unlinked files
/// are a million numbers and not as many half done deletions, and those of a group share its lock and one question who
/// uses them.</para>
/// </remarks>
public sealed class InodeDeletion
{
    // One waits for a lock, the leader or a commit while another works.
    private const int MaxWorkers = 4;

    // Then others get the group's lock.
    private const int MaxPerLock = 64;

    private readonly Mount _mount;
    private readonly Transactions.ILeader _leader;

    // Guarded by the gate. A group is in _groups while its numbers wait for a worker.
    private readonly Dictionary<ulong, Queue<ulong>> _waiting = [];
    private readonly Queue<ulong> _groups = new();
    private readonly HashSet<ulong> _running = [];
    private readonly HashSet<Task> _workers = [];
    private int _active;
    private bool _isStopped;

    /// <summary>Creates the deleter of a mount.</summary>
    internal InodeDeletion(Mount mount, Transactions.ILeader leader)
    {
        _mount = mount;
        _leader = leader;
    }

    /// <summary>Deletes an inode in the background, unless it is in use.</summary>
    public void Start(ulong ino)
    {
        lock (_mount.Gate)
        {
            // Who finds it set must not clear it (engine §14 no. 37).
            if (_isStopped || !_running.Add(ino))
                return;
            ulong group = ino / FormatConstants.LockGroupSize;
            if (!_waiting.TryGetValue(group, out var numbers))
            {
                _waiting.Add(group, numbers = new Queue<ulong>());
                _groups.Enqueue(group);
            }

            numbers.Enqueue(ino);
            if (_active >= MaxWorkers)
                return;
            _active++;
            var worker = WorkAsync();
            _ = _workers.Add(worker);
            _ = ForgetAsync(worker);
        }
    }

    /// <summary>Waits for what was started.</summary>
    /// <returns>None or Isolated.</returns>
    public async ValueTask<FsError> DrainAsync()
    {
        while (true)
        {
            Task[] workers;
            lock (_mount.Gate)
                workers = [.. _workers];
            if (workers.Length == 0)
                return _mount.Transaction.IsIsolated ? FsError.Isolated : FsError.None;
            await Task.WhenAll(workers);
        }
    }

    /// <summary>Waits for what was started; starts nothing more.</summary>
    internal async ValueTask StopAsync()
    {
        lock (_mount.Gate)
            _isStopped = true;
        _ = await DrainAsync();
    }

    /// <summary>Deletes every inode that a merged orphan item names and that is in use nowhere.</summary>
    public async ValueTask ScanOrphansAsync(BlockCache cache, CancellationToken cancellationToken)
    {
        ulong from = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            var batch = new List<ulong>();
            if (!await ReadOrphansAsync(cache, from, batch, cancellationToken) || batch.Count == 0)
                return;
            from = batch[^1] + 1;
            if (!await RemoveOpenAsync(batch, cancellationToken))
                return;
            batch.ForEach(Start);
            if (await DrainAsync().AsTask().OrCancelledAsync(cancellationToken) != FsError.None || from == 0)
                return;
        }
    }

    // Without any lock: what is in use elsewhere must not make every mount ask for its lock at each scan (engine §6.8).
    private async ValueTask<bool> RemoveOpenAsync(List<ulong> inos, CancellationToken cancellationToken)
    {
        ulong group = ulong.MaxValue;
        WireOpenInoMap map = default;
        for (int i = inos.Count - 1; i >= 0; i--)
        {
            if (inos[i] / FormatConstants.LockGroupSize != group)
            {
                group = inos[i] / FormatConstants.LockGroupSize;
                (var error, map) = await _leader.OpenInoMapAsync(group, cancellationToken);
                if (error != FsError.None)
                    return false;
            }

            if (_mount.OpenInodes.PutOff(inos[i]) || IsSet(map.Bits, inos[i]))
                inos.RemoveAt(i);
        }

        return true;
    }

    // Until nothing waits. An inode whose deletion failed stays an orphan, for the next scan.
    private async Task WorkAsync()
    {
        await Task.Yield();
        var batch = new List<ulong>(MaxPerLock);
        while (TakeBatch(batch, out ulong group))
            await DeleteBatchAsync(group, batch, CancellationToken.None);
    }

    private bool TakeBatch(List<ulong> batch, out ulong group)
    {
        batch.Clear();
        lock (_mount.Gate)
        {
            if (!_groups.TryDequeue(out group))
            {
                _active--;
                return false;
            }

            var numbers = _waiting[group];
            while (batch.Count < MaxPerLock && numbers.TryDequeue(out ulong ino))
                batch.Add(ino);
            if (numbers.Count > 0)
                _groups.Enqueue(group);
            else
                _ = _waiting.Remove(group);
            return true;
        }
    }

    // The lock is held from the question who uses the inodes to its end: nobody can begin to use them meanwhile.
    private async ValueTask DeleteBatchAsync(ulong group, List<ulong> batch, CancellationToken cancellationToken)
    {
        var (error, clusterLock) = await _mount.Locks.WaitAsync(
            LockRange.InodeGroup(batch[0]), LockMode.Write, cancellationToken);
        if (error != FsError.None)
        {
            batch.ForEach(Forget);
            return;
        }

        try
        {
            (error, var map) = await _leader.OpenInoMapAsync(group, cancellationToken);
            foreach (ulong ino in batch)
            {
                if (error == FsError.None && PutOff(ino))
                    continue;

                // One that fails keeps no other from being deleted.
                if (error == FsError.None && !IsSet(map.Bits, ino))
                    _ = await DeleteStepsAsync(ino, clusterLock!, cancellationToken);
                Forget(ino);
            }
        }
        finally
        {
            lock (_mount.Gate)
                _mount.Locks.Release(clusterLock!, LockMode.Write, _mount.Transaction.TransSeq);
        }
    }

    // In one step, or the last use could end between and find the deletion still under way.
    private bool PutOff(ulong ino)
    {
        lock (_mount.Gate)
        {
            bool isOpen = _mount.OpenInodes.PutOff(ino);
            if (isOpen)
                _ = _running.Remove(ino);
            return isOpen;
        }
    }

    private void Forget(ulong ino)
    {
        lock (_mount.Gate)
            _ = _running.Remove(ino);
    }

    private async ValueTask<FsError> DeleteStepsAsync(
        ulong ino, ClusterLock group, CancellationToken cancellationToken)
    {
        var runner = _mount.Runner;
        var (error, inode) = await runner.RunAsync(new GetInodeOperation(ino), cancellationToken, group);
        if (error == FsError.NotFound || (error == FsError.None && inode.Item.Nlink != 0U))
            return FsError.None;
        if (error == FsError.None && InodeAccess.IsRegular(inode.Item))
        {
            error = await RemoveExtentsOperation.RunAsync(
                runner, _mount.Data, ino, isDeleting: true, cancellationToken, group);
        }

        for (bool isDone = false; error == FsError.None && !isDone;)
        {
            (error, var removed) = await runner.RunAsync(new DeleteXattrOperation(ino), cancellationToken, group);
            isDone = removed.IsDone;
        }

        if (error != FsError.None)
            return error;
        (error, _) = await runner.RunAsync(new DeleteInodeOperation(ino), cancellationToken, group);
        return error;
    }

    // Of fs_root alone: cheap, and what is not merged yet is found later (engine §6.8).
    private async ValueTask<bool> ReadOrphansAsync(
        BlockCache cache, ulong from, List<ulong> batch, CancellationToken cancellationToken)
    {
        var (error, roots) = await _leader.GetRootsAsync(cancellationToken);
        if (error != FsError.None)
            return false;
        using var cursor = new BtreeCursor(cache);
        cursor.SetRoot(roots.FsRoot);
        var status = await cursor.SeekAsync(Keys.Orphan(from), cancellationToken);
        while (status == BtreeStatus.Found && batch.Count < 64)
        {
            var key = cursor.Key;
            if (key.Zone != KeyZone.Orphan)
                return true;
            batch.Add(key.Second);
            status = await cursor.MoveNextAsync(cancellationToken);
        }

        return status != BtreeStatus.Corrupt;
    }

    private async Task ForgetAsync(Task worker)
    {
        try
        {
            await worker;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _mount.Isolate("A deletion met a broken invariant: " + exception.Message);
        }

        lock (_mount.Gate)
            _ = _workers.Remove(worker);
    }

    private static bool IsSet(in InoBitmap bits, ulong ino)
    {
        int bit = (int)(ino % FormatConstants.LockGroupSize);
        return (bits[bit / 8] & (1 << (bit % 8))) != 0;
    }
}
