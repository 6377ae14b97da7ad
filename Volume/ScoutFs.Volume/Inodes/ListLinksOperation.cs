using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>A directory entry that names an inode.</summary>
/// <param name="Directory">Directory it is in.</param>
/// <param name="Pos">Position in the directory.</param>
/// <param name="Type">Type of the inode.</param>
/// <param name="Name">Name.</param>
public readonly record struct InodeLink(ulong Directory, ulong Pos, DirentType Type, byte[] Name);

/// <summary>Lists the entries that name an inode, by its back references (archive §9.12).</summary>
/// <param name="ino">Inode number.</param>
/// <param name="directory">Directory of the place to start from, inclusive.</param>
/// <param name="pos">Position of the place to start from, inclusive.</param>
/// <param name="links">Receives up to <paramref name="limit"/> entries, ordered by directory and position.</param>
/// <param name="limit">Entries at most.</param>
public struct ListLinksOperation(ulong ino, ulong directory, ulong pos, List<InodeLink> links, int limit)
    : IOperation
{
    private readonly LockRange _range = LockRange.InodeGroup(ino);
    private readonly ItemKey _last = Keys.LinkBackref(ino, ulong.MaxValue, ulong.MaxValue);
    private ItemKey _at = Keys.LinkBackref(ino, directory, pos);

    /// <summary>None or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>True when nothing follows.</summary>
    public bool IsEnd { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!context.Lock(_range, LockMode.Read, out var clusterLock))
            return false;
        while (true)
        {
            if (!context.Next(clusterLock, _at, _last, out bool isFound, out var key, out var value))
                return false;
            IsEnd = !isFound;
            if (!isFound || links.Count >= limit)
                return true;
            if (value.Length <= Disk.SizeOf<DirentHeader>())
            {
                Error = FsError.Corrupt;
                return true;
            }

            ref readonly var header = ref Disk.Ref<DirentHeader>(value);
            links.Add(new InodeLink(
                key.Second, key.Third, (DirentType)header.Type, value[Disk.SizeOf<DirentHeader>()..].ToArray()));
            _at = key.Next();
        }
    }
}
