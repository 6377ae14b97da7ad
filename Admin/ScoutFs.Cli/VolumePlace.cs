using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>A name in a directory of a volume, whether or not there is something of that name.</summary>
/// <param name="Directory">Inode number of the directory.</param>
/// <param name="DirectoryPath">Its path.</param>
/// <param name="Name">The name; empty for the root itself.</param>
/// <param name="Found">What has the name, or null.</param>
internal readonly record struct VolumePlace(
    ulong Directory, byte[] DirectoryPath, byte[] Name, (ulong Ino, InodeItem Inode)? Found)
{
    /// <summary>Path for messages.</summary>
    public string ShownPath => Name.Length == 0 ? "/" : NameText.Printable(Join(DirectoryPath, Name));

    /// <summary>True for a directory.</summary>
    public bool IsDirectory =>
        Found is { } found && (found.Inode.Mode & FileMode.TypeMask) == FileMode.Directory;

    /// <summary>Text of the command line as a path.</summary>
    /// <exception cref="VolumeException">No name can be like that.</exception>
    public static byte[] Encode(string path) => NameText.TryEncode(path, out byte[] bytes)
        ? bytes
        : throw new VolumeException(FsError.Invalid, $"'{path}' is no text that a path can have.");

    /// <summary>A name below a path.</summary>
    public static byte[] Join(ReadOnlySpan<byte> path, ReadOnlySpan<byte> name) =>
        path.Length <= 1 ? [(byte)'/', .. name] : [.. path, (byte)'/', .. name];

    /// <summary>Finds the directory of a path's last name, and what has that name.</summary>
    /// <param name="paths">Follows the path.</param>
    /// <param name="nodes">Where it leads through.</param>
    /// <param name="path">The path.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">The directory is not there; or the last name is "." or "..".</exception>
    public static async ValueTask<VolumePlace> FindAsync(
        PathLookup paths, IPathNodes nodes, byte[] path, CancellationToken cancellationToken)
    {
        var (parent, name) = Split(path);
        if (name.Length == 0)
        {
            var root = await nodes.GetRootAsync(cancellationToken);
            return new VolumePlace(FormatConstants.RootIno, [], [], (FormatConstants.RootIno, root));
        }

        if (!DirectoryEntry.IsUsable(name))
        {
            throw new VolumeException(
                name.Length > FormatConstants.MaxNameBytes ? FsError.NameTooLong : FsError.Invalid,
                $"{NameText.Printable(path)} does not end in a name of 1 to {FormatConstants.MaxNameBytes} bytes "
                + "other than \".\" and \"..\". Write the path without dots at its end.");
        }

        var directory = await paths.ResolveAsync(parent, followsLast: true, cancellationToken);
        if ((directory.Inode.Mode & FileMode.TypeMask) != FileMode.Directory)
        {
            throw new VolumeException(
                FsError.NotDirectory, $"{NameText.Printable(directory.Path)} is not a directory.");
        }

        var found = await nodes.FindAsync(directory.Ino, name, cancellationToken);
        return new VolumePlace(directory.Ino, directory.Path, name, found);
    }

    /// <summary>The path of the directory and the last name; slashes at the end do not count.</summary>
    public static (byte[] Parent, byte[] Name) Split(ReadOnlySpan<byte> path)
    {
        path = path.TrimEnd((byte)'/');
        int slash = path.LastIndexOf((byte)'/');
        return (path[..(slash + 1)].ToArray(), path[(slash + 1)..].ToArray());
    }
}
