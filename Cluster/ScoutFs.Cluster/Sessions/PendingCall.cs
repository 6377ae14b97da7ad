using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>A request of a mount that somebody awaits.</summary>
/// <remarks>Continuations never run inside the call that completes it.</remarks>
internal sealed class PendingCall()
    : TaskCompletionSource<FsError>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    /// <summary>Payload of the answer; set before the task completes.</summary>
    public byte[] Response { get; set; } = [];
}
