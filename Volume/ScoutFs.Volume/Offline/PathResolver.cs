using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Paths to inodes and back.</summary>
public sealed class PathResolver
{
    /// <summary>Directories on the way from the root to an inode; more are taken for damage.</summary>
    public const int MaxDepth = 65536;

    private readonly VolumeReader _reader;
    private readonly PathLookup _lookup;

    /// <summary>Creates a resolver.</summary>
    public PathResolver(VolumeReader reader)
    {
        _reader = reader;
        _lookup = new PathLookup(reader);
    }

    /// <summary>Finds what a path leads to; see <see cref="PathLookup.ResolveAsync"/>.</summary>
    /// <exception cref="VolumeException">Something on the way is missing, no directory, or damaged.</exception>
    public ValueTask<ResolvedPath> ResolveAsync(
        ReadOnlyMemory<byte> path, bool followsLast, CancellationToken cancellationToken) =>
        _lookup.ResolveAsync(path, followsLast, cancellationToken);

    /// <summary>Finds paths of an inode through its back references.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="maxPaths">Paths wanted at most; an inode may have two thousand million.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>Paths in the order of the back references; empty for unlinked inodes.</returns>
    /// <exception cref="VolumeException">A directory on the way is damaged or cannot be read.</exception>
    public async ValueTask<List<byte[]>> FindPathsAsync(ulong ino, int maxPaths, CancellationToken cancellationToken)
    {
        var paths = new List<byte[]>();
        if (ino == FormatConstants.RootIno)
        {
            paths.Add("/"u8.ToArray());
            return paths;
        }

        const int PageLinks = 256;
        var page = new List<LinkBackref>();
        (ulong Dir, ulong Pos) next = default;
        bool hasMore = true;
        while (hasMore && paths.Count < maxPaths)
        {
            int wanted = Math.Min(PageLinks, maxPaths - paths.Count);
            hasMore = await _reader.ReadLinksAsync(ino, next.Dir, next.Pos, page, wanted, cancellationToken);
            foreach (var link in page)
            {
                paths.Add(await FindPathAsync(link, cancellationToken));
                next = link.Pos == ulong.MaxValue ? (link.Dir + 1, 0) : (link.Dir, link.Pos + 1);
            }
        }

        return paths;
    }

    // From one link up to the root. Directories have one link each.
    private async ValueTask<byte[]> FindPathAsync(LinkBackref link, CancellationToken cancellationToken)
    {
        var names = new List<byte[]> { link.Name };
        var page = new List<LinkBackref>(1);
        ulong dir = link.Dir;
        while (dir != FormatConstants.RootIno)
        {
            _ = await _reader.ReadLinksAsync(dir, 0, 0, page, 1, cancellationToken);
            if (page.Count == 0)
            {
                throw new VolumeException(
                    FsError.Corrupt,
                    $"Directory inode {dir} on {_reader.Volume.Meta.Name} has no link to it, so that no path leads "
                    + "there. The volume is damaged.");
            }

            if (names.Count == MaxDepth)
            {
                throw new VolumeException(
                    FsError.Corrupt,
                    $"There are more than {MaxDepth} directories above inode {dir} on "
                    + $"{_reader.Volume.Meta.Name}: they form a loop. The volume is damaged.");
            }

            names.Add(page[0].Name);
            dir = page[0].Dir;
        }

        var path = new List<byte>();
        for (int i = names.Count - 1; i >= 0; i--)
        {
            path.Add((byte)'/');
            path.AddRange(names[i]);
        }

        return [.. path];
    }
}
