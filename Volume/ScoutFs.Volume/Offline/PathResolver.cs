using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>What a path led to.</summary>
/// <param name="Ino">Inode number.</param>
/// <param name="Inode">The inode.</param>
/// <param name="Path">The path in canonical form: absolute in the volume, without links, dots, doubled slashes.</param>
public readonly record struct ResolvedPath(ulong Ino, InodeItem Inode, byte[] Path);

/// <summary>Paths to inodes and back.</summary>
/// <remarks>
/// Paths are bytes separated by slashes and always start at the volume's root, whether or not they begin with a slash.
/// Symbolic links inside a path are followed while they are relative: an absolute target names a place in the tree of
/// the machine that made it, and where the volume was mounted there is not known.
/// </remarks>
public sealed class PathResolver
{
    /// <summary>Directories on the way from the root to an inode; more are taken for damage.</summary>
    public const int MaxDepth = 65536;

    /// <summary>Symbolic links followed in one path, the limit of Linux.</summary>
    private const int MaxLinks = 40;

    private readonly VolumeReader _reader;

    /// <summary>Creates a resolver.</summary>
    public PathResolver(VolumeReader reader) => _reader = reader;

    /// <summary>Finds what a path leads to.</summary>
    /// <param name="path">Names separated by slashes; empty and "/" are the root.</param>
    /// <param name="followsLast">Whether a symbolic link at the very end is followed, too.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">Something on the way is missing, no directory, or damaged.</exception>
    public async ValueTask<ResolvedPath> ResolveAsync(
        ReadOnlyMemory<byte> path, bool followsLast, CancellationToken cancellationToken)
    {
        var root = await _reader.GetInodeAsync(FormatConstants.RootIno, cancellationToken);
        var way = new List<Step> { new(FormatConstants.RootIno, root, []) };
        var names = new Stack<byte[]>();
        int pendingBytes = Push(names, path.Span);
        int links = 0;
        while (names.TryPop(out byte[]? name))
        {
            pendingBytes -= name.Length;
            var here = way[^1];
            if (!IsDirectory(here.Inode))
            {
                throw new VolumeException(
                    FsError.NotDirectory, $"{NameText.Printable(PathOf(way))} is not a directory.");
            }

            if (name.AsSpan().SequenceEqual("."u8))
                continue;
            if (name.AsSpan().SequenceEqual(".."u8))
            {
                if (way.Count > 1)
                    way.RemoveAt(way.Count - 1);
                continue;
            }

            if (await _reader.FindEntryAsync(here.Ino, name, cancellationToken) is not { } entry)
            {
                way.Add(new Step(0, default, name));
                throw new VolumeException(
                    FsError.NotFound, $"There is no {NameText.Printable(PathOf(way))} in the volume.");
            }

            var inode = await _reader.RequireInodeAsync(entry.Ino, here.Ino, cancellationToken);
            way.Add(new Step(entry.Ino, inode, name));
            bool isLink = (inode.Mode & FileMode.TypeMask) == FileMode.Symlink;
            if (!isLink || (names.Count == 0 && !followsLast))
                continue;
            byte[] target = await _reader.ReadSymlinkAsync(entry.Ino, inode, cancellationToken);
            string link = NameText.Printable(PathOf(way));
            if (target.Length > 0 && target[0] == '/')
            {
                throw new VolumeException(
                    FsError.NotFound,
                    $"{link} is a symbolic link to the absolute path {NameText.Printable(target)}, which says "
                    + "nothing about this volume unless it is mounted. Name the path inside the volume instead.");
            }

            pendingBytes += Push(names, target);
            if (++links > MaxLinks || pendingBytes > MaxLinks * FormatConstants.MaxSymlinkBytes)
                throw new VolumeException(FsError.Invalid, $"{link}: too many symbolic links in one path.");
            way.RemoveAt(way.Count - 1);
        }

        return new ResolvedPath(way[^1].Ino, way[^1].Inode, PathOf(way));
    }

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

    private static bool IsDirectory(in InodeItem inode) => (inode.Mode & FileMode.TypeMask) == FileMode.Directory;

    private static int Push(Stack<byte[]> names, ReadOnlySpan<byte> path)
    {
        int bytes = 0;
        while (true)
        {
            int slash = path.LastIndexOf((byte)'/');
            byte[] name = path[(slash + 1)..].ToArray();
            bytes += name.Length;
            if (name.Length > 0)
                names.Push(name);

            // A slash at the end asks for a directory: the dot below it can only be found in one.
            else if (names.Count == 0 && slash > 0)
                names.Push("."u8.ToArray());
            if (slash < 0)
                return bytes;
            path = path[..slash];
        }
    }

    private static byte[] PathOf(List<Step> way)
    {
        if (way.Count == 1)
            return "/"u8.ToArray();
        var path = new List<byte>();
        for (int i = 1; i < way.Count; i++)
        {
            path.Add((byte)'/');
            path.AddRange(way[i].Name);
        }

        return [.. path];
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

    private readonly record struct Step(ulong Ino, InodeItem Inode, byte[] Name);
}
