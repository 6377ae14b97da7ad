using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>File data that a commit has to wait for. Port of this layer, implemented by Data.</summary>
public interface IDataWriteback
{
    /// <summary>Writes everything that was written to files before the call and makes it durable.</summary>
    /// <returns>None; else the first error, and the call may be repeated.</returns>
    ValueTask<FsError> FlushAsync(CancellationToken cancellationToken);
}
