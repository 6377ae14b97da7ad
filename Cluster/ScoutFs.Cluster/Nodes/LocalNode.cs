using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Leader;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Nodes;

/// <summary>One node that plays all parts in one process: quorum records, leader, session and mount.</summary>
/// <remarks>
/// <para>The mount talks to its leader by frames, as it would over a network. The quorum block and the mounted client
/// item say that the volume is in use, so that nobody else, Linux included, starts beside this node unnoticed; a volume
/// in use is refused unless every holder is confirmed dead.</para>
/// <para>Whatever breaks isolates the mount: nothing more is written, and the last committed state stands. Such a
/// volume counts as in use until somebody takes it over.</para>
/// <para>Any thread may use <see cref="Fs"/>; starting, unmounting and disposing are one caller's.</para>
/// </remarks>
public sealed class LocalNode : IAsyncDisposable
{
    private static readonly TimeSpan FarewellPatience = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly VolumeClaim _claim;
    private readonly LeaderHandlers _handlers;
    private LeaderServer? _leader;
    private SessionTable? _sessions;
    private LeaderChannel? _channel;
    private InProcessLink? _link;
    private Mount? _mount;
    private string _brokenReason = "";
    private bool _isDown;

    private LocalNode(VolumeClaim claim)
    {
        _claim = claim;
        _handlers = new LeaderHandlers(Isolate);
    }

    /// <summary>The mount.</summary>
    public Mount Mount => _mount!;

    /// <summary>The filesystem.</summary>
    public FileSystem Fs => Mount.FileSystem;

    /// <summary>Term that this node leads in.</summary>
    public ulong Term => _claim.Term;

    /// <summary>Why the node was cut off from the volume; empty while it works.</summary>
    public string IsolationReason => _mount?.Transaction.IsolationReason is { Length: > 0 } reason
        ? reason
        : _brokenReason;

    /// <summary>The leader.</summary>
    internal LeaderServer Leader => _leader!;

    /// <summary>Takes a volume, starts its leader and mounts it.</summary>
    /// <param name="meta">Metadata device, writable; stays the caller's.</param>
    /// <param name="data">Data device, writable; stays the caller's.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="time">Clock.</param>
    /// <param name="prng">Randomness, never used for a node of this volume before.</param>
    /// <param name="cancellationToken">Gives up; what was taken is given back.</param>
    /// <returns>None and the node; else the error and a sentence that says what is in the way.</returns>
    public static async ValueTask<(FsError Error, LocalNode? Node, string Message)> StartAsync(
        IBlockDevice meta,
        IBlockDevice data,
        LocalNodeOptions options,
        TimeProvider time,
        Prng prng,
        CancellationToken cancellationToken)
    {
        if (options.Mount.Validate() is { } fault)
            return (FsError.Invalid, null, fault);
        SuperBlock super;
        try
        {
            super = await OfflineVolume.ReadSupersAsync(
                meta, data, AlignedBuffer.Create(FormatConstants.SmallBlockBytes), cancellationToken);
        }
        catch (VolumeException exception)
        {
            return (exception.Error, null, exception.Message);
        }

        int slot = options.Slot ?? FirstSlot(super);
        ulong rid = prng.Fork("rid").NextUInt64();
        rid = rid is 0 or ulong.MaxValue ? 1 : rid;
        var (error, claim, use) = await VolumeClaim.TakeAsync(
            meta, slot, rid, options.Fencing, options.Settle, time, cancellationToken);
        if (claim is null)
            return (error, null, Refusal(meta.Name, slot, error, use));
        var node = new LocalNode(claim);
        (error, string message) = await node.StartPartsAsync(
            meta, data, super, slot, rid, options, time, prng, cancellationToken);
        if (error == FsError.None)
            return (FsError.None, node, "");
        await node.GiveUpAsync(time);
        return (error, null, message);
    }

    /// <summary>Leaves the volume cleanly: everything committed, nothing left behind.</summary>
    /// <returns>None; Isolated when the node was cut off before; a device's error when everything is durable, but the
    /// volume could not be given back. After an error it counts as in use.</returns>
    public async ValueTask<FsError> UnmountAsync()
    {
        if (_isDown)
            return FsError.None;
        var error = await Mount.UnmountAsync();
        if (error == FsError.None)
            error = await _channel!.FarewellAsync(CancellationToken.None);
        if (error != FsError.None)
            return error;
        await StopPartsAsync();
        return await _claim.ReleaseAsync();
    }

    /// <summary>Stops without unmounting, if it was not unmounted: like a crash, but in order.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_isDown)
        {
            _mount?.Isolate("The node was stopped without being unmounted.");
            await StopPartsAsync();
        }

        if (_mount is not null)
            await _mount.DisposeAsync();
        _leader?.Dispose();
        _claim.Dispose();
        _stop.Dispose();
    }

    private static int FirstSlot(in SuperBlock super)
    {
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            if (super.QuorumConfig.Slots[slot].Family == InetAddress.FamilyIPv4)
                return slot;
        }

        return 0;
    }

    private static string Refusal(string name, int slot, FsError error, VolumeUse? use)
    {
        if (error == FsError.Invalid)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"Quorum slot {slot} is not configured in the volume on {name}; choose one that is, or change the "
                + $"configuration.");
        }

        if (error != FsError.VolumeInUse || use is null)
            return $"The volume on {name} cannot be taken: {FsErrorTable.TextOf(error)}.";
        string holders = string.Join("; ", use.Holders.Select(holder => holder.ToString()));
        return $"The volume on {name} is in use, or was not unmounted: {holders}. Unmount it there. If all of these "
            + "are certainly dead, take it over.";
    }

    private async ValueTask<(FsError Error, string Message)> StartPartsAsync(
        IBlockDevice meta,
        IBlockDevice data,
        SuperBlock super,
        int slot,
        ulong rid,
        LocalNodeOptions options,
        TimeProvider time,
        Prng prng,
        CancellationToken cancellationToken)
    {
        var (error, leader, fault) = await LeaderServer.StartAsync(
            meta, data, Term, prng.Fork("leader"), _handlers, options.Leader, time, cancellationToken);
        if (leader is null)
            return (error, $"The volume on {meta.Name} cannot be led: {FsErrorTable.TextOf(error)}. {fault}");
        _leader = leader;
        _handlers.Leader = leader;

        // All of them are confirmed dead: what they committed stays, what they had is taken back (cluster §4.6).
        foreach (ulong gone in leader.Recovery.PendingRids.ToArray())
        {
            error = await leader.ReclaimAsync(gone);
            if (error != FsError.None)
                return (error, $"The dead mount {gone:x16} cannot be cleared away: {FsErrorTable.TextOf(error)}.");
        }

        error = await _claim.RecordServingAsync();
        if (error != FsError.None)
            return (error, $"The quorum block on {meta.Name} cannot be written: {FsErrorTable.TextOf(error)}.");
        _sessions = new SessionTable(
            super.Header.Fsid, super.FormatVersion, Term, _handlers, _stop.Token);
        _handlers.Sessions = _sessions;
        _channel = new LeaderChannel(super.Header.Fsid, super.FormatVersion, rid, isQuorumMember: true);
        _mount = new Mount(
            new MountParts(meta, data, _channel, _channel, time, prng.Fork("mount")), leader.Super, options.Mount)
        {
            Isolated = _ => _channel.Isolate(),
        };
        var messages = new GatedMessages(_mount);
        _channel.Attach(messages, messages);
        var address = super.QuorumConfig.Slots[slot];
        _link = InProcessLink.Connect(_channel, _sessions.Accept(address));
        error = await _channel.GreetAsync(cancellationToken);
        if (error == FsError.None)
            error = await _mount.StartAsync(cancellationToken);
        if (error != FsError.None)
        {
            string reason = IsolationReason.Length > 0 ? " " + IsolationReason : "";
            return (error, $"The volume on {meta.Name} cannot be mounted: {FsErrorTable.TextOf(error)}.{reason}");
        }

        _mount.AddLoop(token => WatchClaimAsync(options.ClaimCheckInterval, time, token));
        _ = WatchLeaderAsync();
        return (FsError.None, "");
    }

    // A start that failed has changed nothing: what it can take back, it does, so that the volume is not in use.
    private async ValueTask GiveUpAsync(TimeProvider time)
    {
        // Also after a greeting that failed or was given up: the leader may have noted it. A farewell waits until the
        // device is good again, which may be what the start failed for.
        using var patience = new CancellationTokenSource(FarewellPatience, time);
        bool isLeft = _link is null || await _channel!.FarewellAsync(patience.Token) == FsError.None;
        await StopPartsAsync();
        if (isLeft)
            _ = await _claim.ReleaseAsync();
        await DisposeAsync();
    }

    private async ValueTask StopPartsAsync()
    {
        _isDown = true;
        _channel?.Isolate();
        _link?.Close();
        StopSessions();
        _sessions?.Stop();
        if (_leader is not null)
            await _leader.StopAsync();
        if (_link is not null)
            await _link.Completion;
    }

    // CancelAsync would wake whoever waits on threads of the pool.
    private void StopSessions() => _stop.Cancel();

    private void Isolate(string reason)
    {
        _brokenReason = reason;
        _mount?.Isolate(reason);
    }

    // A fenced or displaced node must not write on.
    private async Task WatchClaimAsync(TimeSpan interval, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(interval, time, cancellationToken);
                var error = await _claim.CheckAsync(cancellationToken);
                if (error == FsError.Isolated)
                {
                    Isolate("Another node leads the volume, or uses this node's quorum slot.");
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Unmounting.
        }
    }

    private async Task WatchLeaderAsync()
    {
        await _leader!.Broken;
        Isolate($"The leader stopped: it found its own state broken. {_leader.Fault}");
    }
}
