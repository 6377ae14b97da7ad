using System;

namespace ScoutFs.Volume.Transactions;

/// <summary>What a leader asks of a mount, besides locks. Port of this layer, called by Cluster.</summary>
/// <remarks>Calls do not wait, and come without the mount's gate held, one after the other.</remarks>
public interface IMountMessages
{
    /// <summary>Other mounts wait for this one's open transaction: commit soon (cluster §5, SYNC_LOG_TREES).</summary>
    /// <remarks>Nothing is awaited; a mount that is leaving does nothing.</remarks>
    void OnSyncLogTrees();

    /// <summary>Says which inodes of a group this mount has in use (cluster §8).</summary>
    /// <param name="group">Inode number divided by 1024.</param>
    /// <param name="bits">128 zero bytes; inode n of the group is bit n%8 of byte n/8.</param>
    void ReadOpenInodes(ulong group, Span<byte> bits);
}
