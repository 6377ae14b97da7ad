using System;
using System.Threading;
using System.Threading.Tasks;

namespace ScoutFs.Volume.Primitives;

/// <summary>Waits that a caller can give up, with an outcome instead of an exception.</summary>
public static class Waits
{
    /// <summary>Waits for something to happen.</summary>
    /// <returns>None; Cancelled when only the wait was given up.</returns>
    public static async ValueTask<FsError> OrCancelledAsync(this Task task, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(cancellationToken);
            return FsError.None;
        }
        catch (OperationCanceledException)
        {
            return FsError.Cancelled;
        }
    }

    /// <summary>Waits for an outcome.</summary>
    /// <returns>The outcome; Cancelled when only the wait was given up.</returns>
    public static async ValueTask<FsError> OrCancelledAsync(
        this Task<FsError> task, CancellationToken cancellationToken)
    {
        try
        {
            return await task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return FsError.Cancelled;
        }
    }
}
