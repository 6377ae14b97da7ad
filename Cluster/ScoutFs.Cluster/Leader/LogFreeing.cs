using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Frees the blocks of merged log trees in the background, some a commit (cluster §9.6).</summary>
/// <remarks>
/// Started by a leader that takes over (DEV-15), and when a merge has finished; ends when nothing is left. What is
/// freed and how far it got are in the same commit.
/// </remarks>
internal sealed class LogFreeing
{
    // Blocks a transaction frees, so that others that wait for theirs do not wait long.
    private const int StepBlocks = LeaderCommit.HoldBlocks / 2;

    private readonly LeaderCommit _commit;
    private readonly LeaderOptions _options;
    private readonly TimeProvider _time;
    private readonly BtreeFreeing _worker;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private Task _running = Task.CompletedTask;
    private bool _isRunning;
    private bool _runAgain;

    /// <summary>Creates the worker; <see cref="Start"/> starts it.</summary>
    public LogFreeing(LeaderCommit commit, LeaderOptions options, TimeProvider time)
    {
        _commit = commit;
        _options = options;
        _time = time;
        _worker = new BtreeFreeing(commit.Cache);
    }

    /// <summary>Completes when the worker has nothing to do, or the leader has stopped.</summary>
    public Task Idle
    {
        get
        {
            lock (_latch)
                return _running;
        }
    }

    /// <summary>Key of the item of a tree that is freed.</summary>
    public static ItemKey KeyOf(ulong seq) => new(KeyZone.MergeFreeing, seq, 0);

    /// <summary>Makes the worker look for trees to free, if it is not about to.</summary>
    public void Start()
    {
        lock (_latch)
        {
            _runAgain = true;
            if (_isRunning)
                return;
            _isRunning = true;
            _running = RunAsync();
        }
    }

    private async Task RunAsync()
    {
        while (true)
        {
            lock (_latch)
            {
                if (!_runAgain)
                {
                    _isRunning = false;
                    return;
                }

                _runAgain = false;
            }

            var error = await FreeAllAsync();
            if (error is FsError.Isolated or FsError.Corrupt)
            {
                // The leader stops, or the tree cannot be read: leaving its blocks is all that can be done.
                lock (_latch)
                    _isRunning = false;
                return;
            }

            if (error == FsError.None)
                continue;
            await Task.Delay(_options.FarewellRetry, _time, CancellationToken.None);
            lock (_latch)
                _runAgain = true;
        }
    }

    private async ValueTask<FsError> FreeAllAsync()
    {
        try
        {
            while (true)
            {
                var (error, isDone) = await _commit.RunAsync<bool>(FreeSomeAsync, CancellationToken.None);
                if (error != FsError.None || isDone)
                    return error;
            }
        }
        catch (InvariantException)
        {
            // The leader has stopped itself (LeaderCommit.Broken): nobody awaits this loop to hear of it.
            return FsError.Isolated;
        }
    }

    private async ValueTask<(FsError Error, bool IsDone)> FreeSomeAsync(LeaderTransaction transaction)
    {
        var (error, key, freeing) = await transaction.ReadNextAsync<LogMergeFreeing>(LeaderTree.LogMerge, KeyOf(0));
        if (error == FsError.NotFound || (error == FsError.None && key.Zone != KeyZone.MergeFreeing))
            return (FsError.None, true);
        if (error == FsError.None && freeing.Seq != key.First)
            error = FsError.Corrupt;
        if (error == FsError.None)
            error = await transaction.OpenAsync();
        if (error != FsError.None)
            return (error, false);
        (error, freeing.Key, _) = await _worker.FreeAsync(
            freeing.Root, freeing.Key, transaction.Allocator, StepBlocks, CancellationToken.None);
        if (error != FsError.None)
        {
            _commit.Fault = _worker.Fault;
            return (error, false);
        }

        error = freeing.Key == ItemKey.Max
            ? await transaction.RemoveAsync(LeaderTree.LogMerge, key)
            : await transaction.ForceAsync(LeaderTree.LogMerge, key, freeing);
        return (error, false);
    }
}
