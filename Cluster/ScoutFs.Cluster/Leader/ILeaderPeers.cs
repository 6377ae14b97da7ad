namespace ScoutFs.Cluster.Leader;

/// <summary>What a leader needs of its sessions, lock server and open map. Port, implemented beside it.</summary>
/// <remarks>
/// Called from any thread the leader runs on, also while it holds its trees. None of the calls may wait, for the
/// leader least of all, or throw; mounts that are not connected are no error (cluster §3.1 N7).
/// </remarks>
public interface ILeaderPeers
{
    /// <summary>Drops every lock entry of a gone mount, and grants what waited for it (cluster §4.6.1).</summary>
    void DropLocks(ulong rid);

    /// <summary>Removes a mount from the open inode map, and from requests that wait for it (cluster §4.6.5).</summary>
    void DropOpenMap(ulong rid);

    /// <summary>Asks a mount to commit soon; no answer is waited for (cluster §5, SYNC_LOG_TREES).</summary>
    void SendSyncLogTrees(ulong rid);
}
