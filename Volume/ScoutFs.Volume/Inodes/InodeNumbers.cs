using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Free inode numbers of the mount: one instance for directories, one for the rest (engine §6.2).</summary>
/// <remarks>Guarded by the gate. As a need it asks the leader for more, once for all that wait.</remarks>
public sealed class InodeNumbers : IOperationNeed
{
    private const ulong RequestCount = 10240;

    private readonly Lock _gate;
    private readonly ILeader _leader;
    private readonly ulong _perLock;
    private ulong _next;
    private ulong _end;
    private Task<FsError>? _asking;

    /// <summary>Creates an empty pool.</summary>
    /// <param name="gate">The mount's gate.</param>
    /// <param name="leader">Where numbers come from.</param>
    /// <param name="perLock">Numbers to use of each group of 1024, 1..1024.</param>
    public InodeNumbers(Lock gate, ILeader leader, ulong perLock)
    {
        Invariant.Require(perLock is >= 1 and <= FormatConstants.LockGroupSize);
        _gate = gate;
        _leader = leader;
        _perLock = perLock;
    }

    /// <summary>Takes a number; false: make this the operation's need.</summary>
    public bool TryTake(out ulong ino)
    {
        while (_next < _end && (_next & (FormatConstants.LockGroupSize - 1)) >= _perLock)
            _next = (_next | (FormatConstants.LockGroupSize - 1)) + 1;
        ino = _next;
        if (_next >= _end)
            return false;
        _next++;
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken)
    {
        Task<FsError> asking;
        lock (_gate)
        {
            if (_next < _end)
                return FsError.None;
            asking = _asking ??= AskAsync();
        }

        return await asking.OrCancelledAsync(cancellationToken);
    }

    private async Task<FsError> AskAsync()
    {
        await Task.Yield();
        var (error, range) = await _leader.AllocateInodesAsync(RequestCount, CancellationToken.None);
        lock (_gate)
        {
            _asking = null;
            if (error != FsError.None)
                return error;
            if (range.Nr == 0UL)
                return FsError.NoSpace;
            _next = range.Ino;
            _end = range.Ino.Value + range.Nr.Value;
            return FsError.None;
        }
    }
}
