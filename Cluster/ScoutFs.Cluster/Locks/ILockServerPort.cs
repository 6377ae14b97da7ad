using ScoutFs.Volume.Format;

namespace ScoutFs.Cluster.Locks;

/// <summary>What the lock server causes outside itself. Port of this layer, implemented by the sessions.</summary>
/// <remarks>
/// Calls only queue: they never wait and never call the lock server back. Messages to one mount go out in the order
/// of the calls. A mount that has no session any more gets nothing, which is no error: its reclaim follows
/// (cluster §7.9 L15).
/// </remarks>
public interface ILockServerPort
{
    /// <summary>The next core seq, for a grant that allows writing (cluster §6).</summary>
    ulong NextSeq();

    /// <summary>Later seqs are greater than this one, which a mount holds (cluster §6.1).</summary>
    void RaiseSeq(ulong seq);

    /// <summary>Answers the mount's request of that id.</summary>
    void SendGrant(ulong rid, ulong requestId, in WireLock grant);

    /// <summary>Asks a mount to lower a lock.</summary>
    void SendInvalidation(ulong rid, in WireLock request);

    /// <summary>Asks a mount for the locks it holds, from a key on.</summary>
    void SendRecoverRequest(ulong rid, in ItemKey from);

    /// <summary>A mount's locks are known now, or are gone with it (cluster §4.5).</summary>
    /// <param name="rid">The mount.</param>
    /// <param name="isLast">No other mount's locks are still unknown.</param>
    void RecoveryEnded(ulong rid, bool isLast);
}
