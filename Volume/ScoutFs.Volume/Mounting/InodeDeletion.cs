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
/// A deletion is a series of transactions, each of which leaves a valid inode without links, until the last removes
/// inode and orphan item together; so it may be given up anywhere and begun again. Any thread.
/// </remarks>
public sealed class InodeDeletion
{
    private readonly Mount _mount;
    private readonly Transactions.ILeader _leader;

    // Guarded by the gate.
    private readonly HashSet<ulong> _running = [];
    private readonly HashSet<Task> _tasks = [];
    private bool _isStopped;

    /// <summary>Creates the deleter of a mount.</summary>
    internal InodeDeletion(Mount mount, Transactions.ILeader leader)
    {
        _mount = mount;
        _leader = leader;
    }

    /// <summary>Starts deleting an inode in the background.</summary>
    public void Start(ulong ino)
    {
        lock (_mount.Gate)
        {
            if (_isStopped)
                return;
            Task task = DeleteAsync(ino, CancellationToken.None).AsTask();
            if (task.IsCompleted)
                return;
            _ = _tasks.Add(task);
            _ = ForgetAsync(task);
        }
    }

    /// <summary>Waits for what was started.</summary>
    public async ValueTask<FsError> DrainAsync()
    {
        while (true)
        {
            Task[] tasks;
            lock (_mount.Gate)
                tasks = [.. _tasks];
            if (tasks.Length == 0)
                return _mount.Transaction.IsIsolated ? FsError.Isolated : FsError.None;
            await Task.WhenAll(tasks);
        }
    }

    /// <summary>Waits for what was started; starts nothing more.</summary>
    internal async ValueTask StopAsync()
    {
        lock (_mount.Gate)
            _isStopped = true;
        _ = await DrainAsync();
    }

    /// <summary>Deletes an inode if nobody uses it; else does nothing.</summary>
    /// <returns>None, whether or not it was deleted; or why it could not be.</returns>
    public async ValueTask<FsError> DeleteAsync(ulong ino, CancellationToken cancellationToken)
    {
        lock (_mount.Gate)
        {
            // Who finds it set must not clear it (engine §14 no. 37).
            if (_mount.OpenInodes.PutOff(ino) || !_running.Add(ino))
                return FsError.None;
        }

        await Task.Yield();
        try
        {
            return await DeleteLockedAsync(ino, cancellationToken);
        }
        finally
        {
            lock (_mount.Gate)
                _ = _running.Remove(ino);
        }
    }

    /// <summary>Tries to delete every inode that a merged orphan item names.</summary>
    public async ValueTask ScanOrphansAsync(BlockCache cache, CancellationToken cancellationToken)
    {
        ulong from = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            var batch = new List<ulong>();
            if (!await ReadOrphansAsync(cache, from, batch, cancellationToken) || batch.Count == 0)
                return;
            foreach (ulong ino in batch)
            {
                if (await DeleteAsync(ino, cancellationToken) == FsError.Isolated)
                    return;
            }

            from = batch[^1] + 1;
        }
    }

    // The lock is held from the question who uses the inode to its end: nobody can begin to use it meanwhile.
    private async ValueTask<FsError> DeleteLockedAsync(ulong ino, CancellationToken cancellationToken)
    {
        var (error, clusterLock) = await _mount.Locks.WaitAsync(
            LockRange.InodeGroup(ino), LockMode.Write, cancellationToken);
        if (error != FsError.None)
            return error;
        try
        {
            (error, var map) = await _leader.OpenInoMapAsync(ino / FormatConstants.LockGroupSize, cancellationToken);
            if (_mount.OpenInodes.PutOff(ino) || error != FsError.None || IsSet(map.Bits, ino))
                return error;
            return await DeleteStepsAsync(ino, cancellationToken);
        }
        finally
        {
            lock (_mount.Gate)
                _mount.Locks.Release(clusterLock!, LockMode.Write, _mount.Transaction.TransSeq);
        }
    }

    private async ValueTask<FsError> DeleteStepsAsync(ulong ino, CancellationToken cancellationToken)
    {
        var runner = _mount.Runner;
        var (error, inode) = await runner.RunAsync(new GetInodeOperation(ino), cancellationToken);
        if (error == FsError.NotFound || (error == FsError.None && inode.Item.Nlink != 0U))
            return FsError.None;
        if (error == FsError.None && InodeAccess.IsRegular(inode.Item))
        {
            error = await RemoveExtentsOperation.RunAsync(
                runner, _mount.Data, ino, isDeleting: true, cancellationToken);
        }

        for (bool isDone = false; error == FsError.None && !isDone;)
        {
            (error, var removed) = await runner.RunAsync(new DeleteXattrOperation(ino), cancellationToken);
            isDone = removed.IsDone;
        }

        if (error != FsError.None)
            return error;
        (error, _) = await runner.RunAsync(new DeleteInodeOperation(ino), cancellationToken);
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

    private async Task ForgetAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _mount.Isolate("A deletion met a broken invariant: " + exception.Message);
        }

        lock (_mount.Gate)
            _ = _tasks.Remove(task);
    }

    private static bool IsSet(in InoBitmap bits, ulong ino)
    {
        int bit = (int)(ino % FormatConstants.LockGroupSize);
        return (bits[bit / 8] & (1 << (bit % 8))) != 0;
    }
}
