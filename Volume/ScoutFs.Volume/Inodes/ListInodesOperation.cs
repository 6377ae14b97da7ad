using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Lists the inodes of a lock group that have any item (archive §9.12).</summary>
/// <param name="first">First number wanted; the listing ends with its group of 1024.</param>
/// <param name="inos">Receives up to <paramref name="limit"/> numbers, ascending.</param>
/// <param name="limit">Numbers at most.</param>
public struct ListInodesOperation(ulong first, List<ulong> inos, int limit) : IOperation
{
    private readonly LockRange _range = LockRange.InodeGroup(first);
    private ItemKey _at = new(KeyZone.Fs, first, 0);

    /// <summary>None.</summary>
    public readonly FsError Error => FsError.None;

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!context.Lock(_range, LockMode.Read, out var clusterLock))
            return false;
        while (inos.Count < limit && _at <= _range.End)
        {
            if (!context.Next(clusterLock, _at, _range.End, out bool isFound, out var key, out _))
                return false;
            if (!isFound)
                return true;
            inos.Add(key.First);
            _at = new ItemKey(
                KeyZone.Fs, key.First, byte.MaxValue, ulong.MaxValue, ulong.MaxValue, byte.MaxValue).Next();
        }

        return true;
    }
}
