using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Locking;

/// <summary>How a mount's lock messages reach its leader. Port of this layer, implemented by Cluster.</summary>
/// <remarks>
/// Calls only queue; they never wait and never call back. Messages of one mount are delivered in the order of the
/// calls (cluster §3.1 N1). Called with the mount's gate held. After isolation calls have no effect.
/// </remarks>
public interface ILockTransport
{
    /// <summary>Requests a mode; the grant arrives later at <see cref="ILockMessages.OnGrant"/>.</summary>
    void Request(in WireLock request);

    /// <summary>Answers an invalidation that arrived at <see cref="ILockMessages.OnInvalidate"/>.</summary>
    void AnswerInvalidation(ulong requestId, in WireLock answer);

    /// <summary>Answers <see cref="ILockMessages.OnRecover"/>; an empty answer ends the recovery.</summary>
    void AnswerRecovery(ulong requestId, ReadOnlySpan<WireLock> locks);
}

/// <summary>Lock messages that arrive at a mount, in the order in which the leader sent them.</summary>
/// <remarks>Calls do not wait. Answers are given through <see cref="ILockTransport"/>, at once or later.</remarks>
public interface ILockMessages
{
    /// <summary>The mount's one outstanding request for this key has been granted.</summary>
    void OnGrant(in WireLock grant);

    /// <summary>The leader wants the lock lowered to the message's new mode.</summary>
    void OnInvalidate(ulong requestId, in WireLock request);

    /// <summary>A new leader asks for up to 22 held locks from a key on.</summary>
    void OnRecover(ulong requestId, in ItemKey from);
}
