using System.Collections.Immutable;
using ScoutFs.Volume.Format;

namespace ScoutFs.Testing.Model;

/// <summary>A point in time as the format stores it.</summary>
/// <param name="Seconds">Since 1970.</param>
/// <param name="Nanoseconds">0..999999999.</param>
public readonly record struct ModelTime(long Seconds, uint Nanoseconds);

/// <summary>4096 bytes of a file that were written, and not freed since.</summary>
/// <param name="Bytes">Never changed; zeros past the end of the file.</param>
/// <param name="IsOffline">Released: not on the data device any more.</param>
public readonly record struct ModelBlock(byte[] Bytes, bool IsOffline);

/// <summary>A name in a directory.</summary>
/// <param name="Directory">The directory.</param>
/// <param name="Name">One character a byte.</param>
public readonly record struct ModelLink(ulong Directory, string Name);

/// <summary>One entry of a directory, without its name.</summary>
/// <param name="Id">Where it leads.</param>
/// <param name="Position">Place in listings: grows with each new entry of the directory.</param>
public readonly record struct ModelEntry(ulong Id, ulong Position);

/// <summary>An inode of the model, as it is after some operation. Never changes.</summary>
/// <remarks>Names are bytes, held as strings of one character (0..255) a byte, which sort as bytes do.</remarks>
public sealed record ModelInode
{
    /// <summary>Number that whoever made it chose; it need not be the ino.</summary>
    public required ulong Id { get; init; }

    /// <summary>Type and permissions.</summary>
    public required uint Mode { get; init; }

    /// <summary>Links; directories: 2 + subdirectories, 0 once removed.</summary>
    public uint Nlink { get; init; }

    /// <summary>Owner.</summary>
    public uint Uid { get; init; }

    /// <summary>Group.</summary>
    public uint Gid { get; init; }

    /// <summary>Device number.</summary>
    public uint Rdev { get; init; }

    /// <summary>Files: bytes. Symlinks: target and NUL. Directories: sum of the lengths of names.</summary>
    public ulong Size { get; init; }

    /// <summary>Project id, inherited from the directory.</summary>
    public ulong Project { get; init; }

    /// <summary>Last access that was set; reads do not count.</summary>
    public ModelTime Atime { get; init; }

    /// <summary>Last change of contents.</summary>
    public ModelTime Mtime { get; init; }

    /// <summary>Last change.</summary>
    public ModelTime Ctime { get; init; }

    /// <summary>Creation.</summary>
    public ModelTime Crtime { get; init; }

    /// <summary>Target of a symlink, one character a byte.</summary>
    public string Target { get; init; } = string.Empty;

    /// <summary>A truncation was interrupted: blocks past the end may be left.</summary>
    public bool IsTruncating { get; init; }

    /// <summary>Blocks of a file that were written, by number.</summary>
    public ImmutableSortedDictionary<ulong, ModelBlock> Blocks { get; init; } =
        ImmutableSortedDictionary<ulong, ModelBlock>.Empty;

    /// <summary>Entries of a directory by name.</summary>
    public ImmutableDictionary<string, ModelEntry> Entries { get; init; } =
        ImmutableDictionary<string, ModelEntry>.Empty;

    /// <summary>Position that the next entry gets.</summary>
    public ulong NextPosition { get; init; } = 2;

    /// <summary>Extended attributes by full name.</summary>
    public ImmutableSortedDictionary<string, byte[]> Xattrs { get; init; } =
        ImmutableSortedDictionary.Create<string, byte[]>(System.StringComparer.Ordinal);

    /// <summary>Names that lead here.</summary>
    public ImmutableList<ModelLink> Links { get; init; } = [];

    /// <summary>Handles that keep it alive without a name.</summary>
    public int Opens { get; init; }

    /// <summary>Blocks whose contents are on the data device.</summary>
    public ulong OnlineBlocks => (ulong)Blocks.Count - OfflineBlocks;

    /// <summary>Blocks that were released.</summary>
    public ulong OfflineBlocks { get; init; }

    /// <summary>Made without a name and never given one: the only inode without links that can be linked.</summary>
    public bool IsTmpfile { get; init; }

    /// <summary>It is a directory.</summary>
    public bool IsDirectory => (Mode & FileMode.TypeMask) == FileMode.Directory;

    /// <summary>It is a regular file.</summary>
    public bool IsRegular => (Mode & FileMode.TypeMask) == FileMode.Regular;

    /// <summary>It is a symbolic link.</summary>
    public bool IsSymlink => (Mode & FileMode.TypeMask) == FileMode.Symlink;
}

/// <summary>A whole file system of the model, as it is after some operation. Never changes.</summary>
/// <param name="Inodes">All that have a name or a handle, by id; the root has 1.</param>
public sealed record ModelState(ImmutableDictionary<ulong, ModelInode> Inodes)
{
    /// <summary>Id of the root.</summary>
    public const ulong RootId = FormatConstants.RootIno;

    /// <summary>The inode of an id, or null.</summary>
    public ModelInode? Find(ulong id) => Inodes.GetValueOrDefault(id);

    /// <summary>Where a name leads, or null.</summary>
    public ModelInode? Find(ulong directory, string name) =>
        Find(directory) is { } parent && parent.Entries.TryGetValue(name, out var entry) ? Find(entry.Id) : null;

    /// <summary>One of the paths to an inode, for messages.</summary>
    public string PathOf(ulong id)
    {
        string path = string.Empty;
        for (int depth = 0; id != RootId; depth++)
        {
            if (Find(id) is not { Links: [var link, ..] } || depth > 100_000)
                return $"(no name, id {id}){path}";
            path = "/" + link.Name + path;
            id = link.Directory;
        }

        return path.Length == 0 ? "/" : path;
    }
}
