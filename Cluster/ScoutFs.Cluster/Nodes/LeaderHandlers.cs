using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Leader;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Nodes;

/// <summary>Connects a leader with its sessions: each is the other's port.</summary>
internal sealed class LeaderHandlers : ILeaderHandlers, ILeaderPeers
{
    private readonly Action<string> _onFault;

    /// <summary>Creates the connection; <see cref="Leader"/> and <see cref="Sessions"/> are set next.</summary>
    /// <param name="onFault">Hears that the leader must stop.</param>
    public LeaderHandlers(Action<string> onFault) => _onFault = onFault;

    /// <summary>The leader.</summary>
    public LeaderServer Leader { get; set; } = null!;

    /// <summary>Its sessions; null while it starts.</summary>
    public SessionTable? Sessions { get; set; }

    /// <inheritdoc/>
    public ILeaderRequests Requests => Leader;

    /// <inheritdoc/>
    public ulong NextSeq() => Leader.NextSeq();

    /// <inheritdoc/>
    public void RaiseSeq(ulong seq) => Leader.RaiseSeq(seq);

    /// <inheritdoc/>
    public async ValueTask<FsError> GreetAsync(
        ulong rid, WireGreeting greeting, InetAddress peer, CancellationToken cancellationToken)
    {
        if (greeting.ServerTerm == 0UL)
        {
            bool isMember = (greeting.Flags & WireGreeting.FlagQuorum) != 0;
            return await Leader.GreetAsync(rid, peer, isMember, cancellationToken);
        }

        bool isLeaving = (greeting.Flags & WireGreeting.FlagFarewell) != 0;
        return Leader.TryRecognise(rid) || isLeaving ? FsError.None : FsError.Isolated;
    }

    /// <inheritdoc/>
    public void OnLocksRecovered(ulong rid, bool isLast) => Leader.OnLocksRecovered(rid);

    /// <inheritdoc/>
    public void OnDisconnected(ulong rid)
    {
        // The one mount lives in this process: when its link is gone, so is the node.
    }

    /// <inheritdoc/>
    public void OnFault(Exception exception) => _onFault("The leader met a broken invariant: " + exception.Message);

    /// <inheritdoc/>
    public void DropLocks(ulong rid) => Sessions?.DropLocks(rid);

    /// <inheritdoc/>
    public void DropOpenMap(ulong rid) => Sessions?.DropOpenMap(rid);

    /// <inheritdoc/>
    public void SendSyncLogTrees(ulong rid) => Sessions?.SendSyncLogTrees(rid);
}
