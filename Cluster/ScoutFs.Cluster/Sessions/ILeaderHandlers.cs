using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Leader;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>What sessions need of the node that leads. Port of the sessions.</summary>
public interface ILeaderHandlers
{
    /// <summary>The next core seq. May be called with latches held by any thread; waits for nothing.</summary>
    ulong NextSeq();

    /// <summary>Later seqs are greater than this one. Called like <see cref="NextSeq"/>.</summary>
    void RaiseSeq(ulong seq);

    /// <summary>A mount greets: makes it a mounted client, or verifies that it is one (cluster §3.6, DEV-10).</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="greeting">Its greeting; volume and version have been checked. ServerTerm 0: it has met no leader
    /// yet, so its item is inserted and committed; an item that exists already is success. Otherwise the item must
    /// exist, unless the farewell flag is set.</param>
    /// <param name="peer">Where it is, as the connection knows.</param>
    /// <param name="cancellationToken">The leader stops.</param>
    /// <returns>None; Isolated when the item is gone, which tells the mount that it has been fenced; errors of commits.
    /// </returns>
    ValueTask<FsError> GreetAsync(
        ulong rid, WireGreeting greeting, InetAddress peer, CancellationToken cancellationToken);

    /// <summary>What answers all other requests.</summary>
    ILeaderRequests Requests { get; }

    /// <summary>A mount's locks are known, or gone with it: farewells are to be looked at (cluster §3.7).</summary>
    /// <remarks>Called without latches.</remarks>
    void OnLocksRecovered(ulong rid, bool isLast);

    /// <summary>A mount's connection is gone; without another one in time it must be fenced (cluster §3.6).</summary>
    /// <remarks>Called without latches. Not called after its farewell was answered.</remarks>
    void OnDisconnected(ulong rid);

    /// <summary>A request ended in an exception, which nobody else sees: the leader must stop (cluster §4.2).</summary>
    void OnFault(Exception exception);
}
