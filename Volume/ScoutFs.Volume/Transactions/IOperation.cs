using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>One file system operation, as attempts that never wait.</summary>
/// <remarks>
/// An attempt runs under the mount's gate. It looks up everything that it needs; when something is missing the context
/// has noted what, and the attempt returns false having changed nothing. Once nothing is missing it makes its changes,
/// in memory, where nothing can fail, and returns true. So no operation is ever half done.
/// </remarks>
public interface IOperation
{
    /// <summary>How the operation ended; after an attempt that returned true. What waits end with, and NoSpace where
    /// the transaction cannot be held, come from whoever runs it.</summary>
    FsError Error { get; }

    /// <summary>Tries the operation; false when the context's need must be met first.</summary>
    bool Attempt(OperationContext context);
}

/// <summary>Something an attempt may need that takes waiting: inode numbers, free data blocks, staged data.</summary>
public interface IOperationNeed
{
    /// <summary>Waits until another attempt is worth it; called without the gate.</summary>
    /// <returns>None; else the operation ends with that error.</returns>
    ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken);
}
