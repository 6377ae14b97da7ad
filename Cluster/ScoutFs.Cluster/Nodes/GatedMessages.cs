using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Cluster.Nodes;

/// <summary>Hands a session's messages to a mount: those about locks under its gate.</summary>
internal sealed class GatedMessages(Mount mount) : ILockMessages, IMountMessages
{
    /// <inheritdoc/>
    public void OnGrant(in WireLock grant)
    {
        lock (mount.Gate)
            mount.Locks.OnGrant(grant);
    }

    /// <inheritdoc/>
    public void OnInvalidate(ulong requestId, in WireLock request)
    {
        lock (mount.Gate)
            mount.Locks.OnInvalidate(requestId, request);
    }

    /// <inheritdoc/>
    public void OnRecover(ulong requestId, in ItemKey from)
    {
        lock (mount.Gate)
            mount.Locks.OnRecover(requestId, from);
    }

    /// <inheritdoc/>
    public void OnSyncLogTrees() => mount.OnSyncLogTrees();

    /// <inheritdoc/>
    public void ReadOpenInodes(ulong group, Span<byte> bits) => mount.ReadOpenInodes(group, bits);
}
