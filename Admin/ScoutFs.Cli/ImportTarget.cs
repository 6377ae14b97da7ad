using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>The volume that an import changes, or would change.</summary>
/// <remarks>
/// Inodes are named by number. Failures are <see cref="VolumeException"/>; a cancelled call throws
/// <see cref="OperationCanceledException"/>.
/// </remarks>
internal abstract class ImportTarget : IPathNodes
{
    /// <summary>Creates a target.</summary>
    protected ImportTarget() => Paths = new PathLookup(this);

    /// <summary>Nothing is changed: contents need not be read.</summary>
    public abstract bool IsDryRun { get; }

    /// <summary>Calls at a time that it takes.</summary>
    public abstract int MaxCalls { get; }

    /// <summary>Its paths.</summary>
    public PathLookup Paths { get; }

    /// <inheritdoc/>
    public abstract ValueTask<InodeItem> GetRootAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract ValueTask<(ulong Ino, InodeItem Inode)?> FindAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract ValueTask<byte[]> ReadSymlinkAsync(
        ulong ino, InodeItem inode, CancellationToken cancellationToken);

    /// <summary>Creates what a node describes, without contents and times.</summary>
    /// <param name="directory">Directory.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="node">Type, mode, owner, device number.</param>
    /// <param name="linkTarget">Target of a symbolic link.</param>
    /// <param name="cancellationToken">Ends a wait; then nothing was created.</param>
    /// <returns>Inode number.</returns>
    public abstract ValueTask<ulong> CreateAsync(
        ulong directory, byte[] name, ImportNode node, byte[] linkTarget, CancellationToken cancellationToken);

    /// <summary>Gives an inode another name.</summary>
    public abstract ValueTask LinkAsync(
        ulong ino, ulong directory, byte[] name, CancellationToken cancellationToken);

    /// <summary>Removes a name of anything but a directory.</summary>
    public abstract ValueTask UnlinkAsync(ulong directory, byte[] name, CancellationToken cancellationToken);

    /// <summary>Writes contents.</summary>
    public abstract ValueTask WriteAsync(
        ulong ino, ulong offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Sets the size.</summary>
    public abstract ValueTask SetSizeAsync(ulong ino, ulong size, CancellationToken cancellationToken);

    /// <summary>Gives an inode an extended attribute.</summary>
    /// <param name="ino">The inode.</param>
    /// <param name="xattr">Name and value.</param>
    /// <param name="isNew">The inode was just created and has none.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>Null, or why this volume cannot have it.</returns>
    public abstract ValueTask<string?> TrySetXattrAsync(
        ulong ino, ImportXattr xattr, bool isNew, CancellationToken cancellationToken);

    /// <summary>Sets mode, owner and times.</summary>
    public abstract ValueTask SetAttributesAsync(
        ulong ino, AttributeChanges changes, CancellationToken cancellationToken);
}
