using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>An index of all inodes; the archive agent's values, never renumber (archive §9.3).</summary>
public enum InodeIndex : byte
{
    /// <summary>By the last change of the inode.</summary>
    MetaSeq = 0,

    /// <summary>By the last change of contents; regular files only.</summary>
    DataSeq = 1,
}

/// <summary>A place in an index of inodes.</summary>
/// <param name="Seq">Seq of the change.</param>
/// <param name="Ino">Inode number.</param>
public readonly record struct IndexedInode(ulong Seq, ulong Ino);

/// <summary>Lists entries of an inode index inside one lock's range.</summary>
/// <param name="first">First key.</param>
/// <param name="last">Last key wanted, inclusive; may lie behind the lock's range.</param>
/// <param name="entries">Receives entries, up to <paramref name="limit"/> in all.</param>
/// <param name="limit">Entries at most.</param>
public struct WalkIndexOperation(ItemKey first, ItemKey last, List<IndexedInode> entries, int limit) : IOperation
{
    private readonly LockRange _range = LockRange.Covering(first);

    // Moves on with the entries: an attempt goes on where the one before it stopped.
    private ItemKey _at = first;

    /// <summary>None.</summary>
    public readonly FsError Error => FsError.None;

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!context.Lock(_range, LockMode.Read, out var indexLock))
            return false;
        var end = last < _range.End ? last : _range.End;
        while (entries.Count < limit && _at <= end)
        {
            if (!context.Next(indexLock, _at, end, out bool isFound, out var key, out _))
                return false;
            if (!isFound)
                return true;
            entries.Add(new IndexedInode(key.Second, key.Third));
            _at = key.Next();
        }

        return true;
    }
}
