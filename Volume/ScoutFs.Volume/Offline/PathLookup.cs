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

/// <summary>What paths lead through: directories and symbolic links, of a volume opened or mounted.</summary>
/// <remarks>Failures are <see cref="VolumeException"/>.</remarks>
public interface IPathNodes
{
    /// <summary>Reads the root inode.</summary>
    ValueTask<InodeItem> GetRootAsync(CancellationToken cancellationToken);

    /// <summary>Finds a name in a directory; null when it is not there.</summary>
    ValueTask<(ulong Ino, InodeItem Inode)?> FindAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken);

    /// <summary>Reads the target of a symbolic link.</summary>
    ValueTask<byte[]> ReadSymlinkAsync(ulong ino, InodeItem inode, CancellationToken cancellationToken);
}

/// <summary>Follows paths.</summary>
/// <remarks>
/// Paths are bytes separated by slashes and always start at the volume's root, whether or not they begin with a slash.
/// Symbolic links inside a path are followed while they are relative: an absolute target names a place in the tree of
/// the machine that made it, and where the volume was mounted there is not known.
/// </remarks>
public sealed class PathLookup
{
    /// <summary>Symbolic links followed in one path, the limit of Linux.</summary>
    private const int MaxLinks = 40;

    private readonly IPathNodes _nodes;

    /// <summary>Creates a lookup.</summary>
    public PathLookup(IPathNodes nodes) => _nodes = nodes;

    /// <summary>Finds what a path leads to.</summary>
    /// <param name="path">Names separated by slashes; empty and "/" are the root.</param>
    /// <param name="followsLast">Whether a symbolic link at the very end is followed, too.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">Something on the way is missing, no directory, or damaged.</exception>
    public async ValueTask<ResolvedPath> ResolveAsync(
        ReadOnlyMemory<byte> path, bool followsLast, CancellationToken cancellationToken)
    {
        var root = await _nodes.GetRootAsync(cancellationToken);
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

            if (await _nodes.FindAsync(here.Ino, name, cancellationToken) is not { } found)
            {
                way.Add(new Step(0, default, name));
                throw new VolumeException(
                    FsError.NotFound, $"There is no {NameText.Printable(PathOf(way))} in the volume.");
            }

            way.Add(new Step(found.Ino, found.Inode, name));
            bool isLink = (found.Inode.Mode & FileMode.TypeMask) == FileMode.Symlink;
            if (!isLink || (names.Count == 0 && !followsLast))
                continue;
            byte[] target = await _nodes.ReadSymlinkAsync(found.Ino, found.Inode, cancellationToken);
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

    private readonly record struct Step(ulong Ino, InodeItem Inode, byte[] Name);
}
