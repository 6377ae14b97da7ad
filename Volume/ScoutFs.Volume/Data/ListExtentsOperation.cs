using System.Collections.Generic;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>Lists a file's extents, whole ones, from a block on (engine §8.8).</summary>
/// <param name="ino">Inode number.</param>
/// <param name="fromBlock">First block; the extent that contains it is listed.</param>
/// <param name="endBlock">Block behind the last.</param>
/// <param name="extents">Receives up to <paramref name="limit"/> extents.</param>
/// <param name="limit">Extents at most.</param>
public struct ListExtentsOperation(
    ulong ino, ulong fromBlock, ulong endBlock, List<DataExtent> extents, int limit) : IOperation
{
    /// <summary>None; NotFound, IsDirectory, Invalid, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>True when the last one listed is the file's last.</summary>
    public bool IsLast { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        // They may have changed since an earlier attempt, and would not fit together.
        extents.Clear();
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error != FsError.None ? error : InodeAccess.CheckRegular(inode.Item);
        ulong at = fromBlock;
        while (Error == FsError.None)
        {
            if (!FileExtents.Next(context, inode, at, out bool isFound, out var extent))
                return false;
            IsLast = !isFound;
            if (!isFound || extent.Start >= endBlock || extents.Count >= limit)
                return true;
            extents.Add(extent);
            at = extent.End;
        }

        return true;
    }
}
