using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Mounting;

/// <summary>Work that a mount does for its leader in the background: log merges and srch compactions (engine
/// §11.4).</summary>
/// <remarks>
/// Each piece comes with its own block lists and is written by its own writer, apart from the mount's transaction. A
/// piece that fails goes back with the error flag: never silently, its blocks would be lost.
/// </remarks>
internal sealed class LeaderWork
{
    private static readonly TimeSpan MergePoll = TimeSpan.FromSeconds(5);

    private readonly ILeader _leader;
    private readonly TimeProvider _time;
    private readonly TimeSpan _compactPoll;
    private readonly LogMergeWorker _merger;
    private readonly SrchCompactor _compactor;

    /// <summary>Creates the workers of a mount.</summary>
    public LeaderWork(
        IBlockDevice meta, BlockCache cache, ILeader leader, TimeProvider time, Prng prng, TimeSpan compactPoll)
    {
        _leader = leader;
        _time = time;
        _compactPoll = compactPoll;
        _merger = new LogMergeWorker(meta, cache, prng.Fork("merges"));
        _compactor = new SrchCompactor(meta, cache, prng.Fork("compactions"));
    }

    /// <summary>Merges until it is cancelled; asks again at once after work, else every 5 s.</summary>
    public async Task MergeAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var (error, request) = await _leader.GetLogMergeAsync(cancellationToken);
            if (error == FsError.None)
            {
                var (complete, _, _) = await _merger.RunAsync(request, CancellationToken.None);
                error = await _leader.CommitLogMergeAsync(complete, CancellationToken.None);
            }

            if (error == FsError.Isolated || !await PauseAsync(error, MergePoll, cancellationToken))
                return;
        }
    }

    /// <summary>Compacts until it is cancelled; asks again at once after work, else after the pause.</summary>
    public async Task CompactAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var (error, compact) = await _leader.GetSrchCompactAsync(cancellationToken);
            if (error == FsError.None && compact.Nr == 0)
                error = FsError.NotFound;
            if (error == FsError.None)
            {
                var (done, _, _) = await _compactor.RunAsync(compact, CancellationToken.None);
                error = await _leader.CommitSrchCompactAsync(done, CancellationToken.None);
            }

            if (error == FsError.Isolated || !await PauseAsync(error, _compactPoll, cancellationToken))
                return;
        }
    }

    private async ValueTask<bool> PauseAsync(FsError error, TimeSpan pause, CancellationToken cancellationToken)
    {
        if (error == FsError.None)
            return true;
        try
        {
            await Task.Delay(pause, _time, cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
