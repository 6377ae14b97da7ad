using System.Threading.Tasks;

namespace ScoutFs.Volume.Locking;

/// <summary>What has to happen before a lock may be lowered. Port of this layer, implemented by Mounting.</summary>
public interface ILockInvalidation
{
    /// <summary>
    /// Commits what the lock dirtied, and drops cached state that the new mode does not cover (engine §4.6).
    /// </summary>
    /// <remarks>Called without the mount's gate. Nobody uses the old mode any more. Errors isolate the mount and are
    /// not returned: an answer is due in any case.</remarks>
    /// <param name="clusterLock">The lock; its mode is the new one already.</param>
    /// <param name="from">Mode until now.</param>
    /// <param name="to">Mode from now on.</param>
    ValueTask InvalidateAsync(ClusterLock clusterLock, LockMode from, LockMode to);
}
