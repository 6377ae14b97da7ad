using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Finds a parent of an inode by its first back reference (engine §6.9, §7.6).</summary>
/// <param name="ino">Inode number.</param>
public struct GetParentOperation(ulong ino) : IOperation
{
    /// <summary>None; NotFound for the root, and for inodes without a name.</summary>
    public FsError Error { get; private set; }

    /// <summary>The parent.</summary>
    public ulong Parent { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!context.Lock(LockRange.InodeGroup(ino), LockMode.Read, out var clusterLock))
            return false;
        var from = Keys.LinkBackref(ino, 0, 0);
        var last = Keys.LinkBackref(ino, ulong.MaxValue, ulong.MaxValue);
        if (!context.Next(clusterLock, from, last, out bool isFound, out var key, out _))
            return false;
        Error = isFound ? FsError.None : FsError.NotFound;
        Parent = key.Second;
        return true;
    }
}
