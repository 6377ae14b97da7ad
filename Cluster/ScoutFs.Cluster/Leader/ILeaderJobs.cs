using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>A coordinator that gives work to mounts and keeps it in items of the leader's trees.</summary>
/// <remarks>
/// Coordinators keep nothing in memory that their items do not say: an aborted transaction takes items back without
/// telling them.
/// </remarks>
internal interface ILeaderJobs
{
    /// <summary>Takes back what a mount that is gone was working on (cluster §4.6.3, §4.6.4).</summary>
    /// <remarks>Idempotent. May use <see cref="LeaderTransaction.RestartAsync"/>.</remarks>
    /// <returns>None, or why not; then nothing of the transaction happens.</returns>
    ValueTask<FsError> ReclaimAsync(LeaderTransaction transaction, ulong rid);
}
