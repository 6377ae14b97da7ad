using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>Finds the next data or hole of a file (engine §8.8): offline counts as data, unwritten as hole.</summary>
/// <param name="ino">Inode number.</param>
/// <param name="offset">Byte to start from.</param>
/// <param name="isHole">Look for a hole; the end of the file is one.</param>
public struct SeekOperation(ulong ino, ulong offset, bool isHole) : IOperation
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    /// <summary>None; NotFound, Invalid, PastEnd when there is none, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Where it begins, at or after the offset.</summary>
    public ulong Found { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error;
        if (error == FsError.None && !InodeAccess.IsRegular(inode.Item))
            Error = FsError.Invalid;
        else if (error == FsError.None && offset >= inode.Item.Size)
            Error = FsError.PastEnd;
        if (Error != FsError.None)
            return true;
        ulong size = inode.Item.Size;
        ulong at = offset;
        while (at < size)
        {
            if (!FileExtents.Next(context, inode, at / BlockBytes, out bool isFound, out var extent))
                return false;
            ulong start = isFound ? extent.Start * BlockBytes : size;
            if (start > at && isHole)
                break;
            at = Math.Max(at, start);
            bool isData = isFound && (extent.IsOnline || extent.IsOffline);
            if (at >= size || (isFound && isData != isHole))
                break;
            at = isFound ? extent.End * BlockBytes : size;
        }

        Found = Math.Min(at, size);
        if (!isHole && at >= size)
            Error = FsError.PastEnd;
        return true;
    }
}
