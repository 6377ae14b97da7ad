using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Recovery;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Who is mounted: greetings, farewells and the reclaim of mounts that are gone (cluster §3.6, §3.7,
/// §4.6).</summary>
/// <remarks>
/// The item of a mounted client is what makes it recoverable: it is durable before its greeting is answered, and goes
/// last when everything the mount owned has been taken back.
/// </remarks>
internal sealed class MountedClients
{
    private readonly LeaderCommit _commit;
    private readonly ILeaderPeers _peers;
    private readonly RecoveryTracker _recovery;
    private readonly LeaderOptions _options;
    private readonly TimeProvider _time;
    private readonly List<ILeaderJobs> _jobs = [];

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly List<Farewell> _farewells = [];
    private bool _isEvaluating;
    private bool _evaluateAgain;

    /// <summary>Creates it.</summary>
    public MountedClients(
        LeaderCommit commit,
        ILeaderPeers peers,
        RecoveryTracker recovery,
        LeaderOptions options,
        TimeProvider time)
    {
        _commit = commit;
        _peers = peers;
        _recovery = recovery;
        _options = options;
        _time = time;
    }

    /// <summary>Adds a coordinator whose items of a mount are reclaimed; before the leader serves.</summary>
    public void AddJobs(ILeaderJobs jobs) => _jobs.Add(jobs);

    /// <summary>Records a mount that greets a leader for the first time; idempotent.</summary>
    /// <returns>None once it is durable; NoSpace; or a device's error.</returns>
    public async ValueTask<FsError> GreetAsync(
        ulong rid, InetAddress address, bool isMember, CancellationToken cancellationToken)
    {
        if (rid is 0 or ulong.MaxValue)
            return FsError.Invalid;
        var error = await _commit.RunAsync(
            transaction =>
            {
                if (transaction.Clients.ContainsKey(rid))
                    return new(FsError.None);
                var client = new MountedClient
                {
                    Address = address,
                    Flags = isMember ? MountedClient.FlagQuorum : (byte)0,
                };
                return transaction.StoreClientAsync(rid, client);
            },
            cancellationToken);
        if (error == FsError.None)
        {
            _recovery.OnGreeted(rid);
            Evaluate();
        }

        return error;
    }

    /// <summary>Takes back everything of a mount that can write no more; idempotent.</summary>
    /// <returns>None once it is durable; NoSpace; or a device's or damage's error: call again.</returns>
    public async ValueTask<FsError> ReclaimAsync(ulong rid)
    {
        var error = await ReclaimOneAsync(rid);
        if (error == FsError.None)
            Evaluate();
        return error;
    }

    /// <summary>Waits until a mount may leave, and takes back what it owned (cluster §3.7).</summary>
    /// <returns>None: answer it; Cancelled: its connection ended; Isolated: the leader stops.</returns>
    public async ValueTask<FsError> LeaveAsync(ulong rid, CancellationToken cancellationToken)
    {
        var farewell = new Farewell(rid);
        lock (_latch)
            _farewells.Add(farewell);
        await using var registration = cancellationToken.UnsafeRegister(
            static state => ((Farewell)state!).TryEnd(FsError.Cancelled), farewell);
        Evaluate();
        return await farewell.Ended;
    }

    /// <summary>Looks again which mounts may leave, after a farewell, greeting, reclaim or lock recovery.</summary>
    public void Evaluate()
    {
        lock (_latch)
        {
            _evaluateAgain = true;
            if (_isEvaluating || _farewells.Count == 0)
                return;
            _isEvaluating = true;
        }

        _ = RunFarewellsAsync();
    }

    /// <summary>Answers every farewell that waits with Isolated: the leader stops.</summary>
    public void Stop()
    {
        lock (_latch)
        {
            foreach (var farewell in _farewells)
                farewell.TryEnd(FsError.Isolated);
            _farewells.Clear();
        }
    }

    private async Task RunFarewellsAsync()
    {
        while (true)
        {
            List<Farewell> waiting;
            lock (_latch)
            {
                _ = _farewells.RemoveAll(farewell => farewell.Ended.IsCompleted);
                if (!_evaluateAgain || _farewells.Count == 0)
                {
                    _isEvaluating = false;
                    return;
                }

                _evaluateAgain = false;
                waiting = [.. _farewells];
            }

            var error = await EndAllowedAsync(waiting);
            if (error == FsError.None)
                continue;
            if (error == FsError.Isolated)
                Stop();
            else
                await Task.Delay(_options.FarewellRetry, _time, CancellationToken.None);
            lock (_latch)
                _evaluateAgain = true;
        }
    }

    private async ValueTask<FsError> EndAllowedAsync(List<Farewell> waiting)
    {
        List<Farewell> allowed = [];
        try
        {
            (var error, byte _) = await _commit.InspectAsync<byte>(
                () =>
                {
                    allowed = Choose(waiting);
                    return new((FsError.None, (byte)0));
                },
                CancellationToken.None);
            for (int i = 0; error == FsError.None && i < allowed.Count; i++)
                error = await ReclaimOneAsync(allowed[i].Rid);
            if (error != FsError.None)
                return error;
        }
        catch (InvariantException)
        {
            // The leader has stopped itself (LeaderCommit.Broken): nobody awaits this loop to hear of it.
            return FsError.Isolated;
        }

        foreach (var farewell in allowed)
            farewell.TryEnd(FsError.None);
        return FsError.None;
    }

    // Members may leave while more than a majority remains; the rest of them together, after everybody else.
    private List<Farewell> Choose(List<Farewell> waiting)
    {
        var clients = _commit.Clients;
        int members = clients.Values.Count(client => (client.Flags & MountedClient.FlagQuorum) != 0);
        int others = clients.Count - members;
        var allowed = new HashSet<ulong>();
        var candidates = new SortedSet<ulong>();
        foreach (var farewell in waiting)
        {
            if (!clients.TryGetValue(farewell.Rid, out var client))
                _ = allowed.Add(farewell.Rid);
            else if ((client.Flags & MountedClient.FlagQuorum) != 0)
                _ = candidates.Add(farewell.Rid);
            else if (allowed.Add(farewell.Rid))
                others--;
        }

        int remaining = candidates.Count;
        int votesNeeded = VotesNeeded(_commit.Super.QuorumConfig);
        foreach (ulong rid in candidates)
        {
            if (members <= votesNeeded && !(remaining == members && others == 0))
                continue;
            _ = allowed.Add(rid);
            members--;
            remaining--;
        }

        // A late answer to the recovery would bring back locks of a mount that is gone (cluster §7.9 L12).
        return waiting.FindAll(
            farewell => allowed.Contains(farewell.Rid) && !_recovery.AreLocksPending(farewell.Rid));
    }

    private static int VotesNeeded(in QuorumConfig config)
    {
        int present = 0;
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
            present += config.Slots[slot].Family == InetAddress.FamilyIPv4 ? 1 : 0;
        return present < 3 ? 1 : (present / 2) + 1;
    }

    private async ValueTask<FsError> ReclaimOneAsync(ulong rid)
    {
        _peers.DropLocks(rid);
        var error = await _commit.RunAsync(
            async transaction =>
            {
                var error = await LogTreesRelease.FinalizeAsync(transaction, rid, isGone: true);
                for (int i = 0; error == FsError.None && i < _jobs.Count; i++)
                    error = await _jobs[i].ReclaimAsync(transaction, rid);
                return error == FsError.None ? await transaction.RemoveClientAsync(rid) : error;
            },
            CancellationToken.None);
        if (error != FsError.None)
            return error;
        _peers.DropOpenMap(rid);
        _recovery.Finish(rid);
        return FsError.None;
    }

    private sealed class Farewell(ulong rid)
    {
        private readonly TaskCompletionSource<FsError> _ended =
            new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ulong Rid { get; } = rid;

        public Task<FsError> Ended => _ended.Task;

        public void TryEnd(FsError error) => _ = _ended.TrySetResult(error);
    }
}
