using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>A volume opened for reading: answers what is there, and only counts numbers up for what would be made.
/// </summary>
internal sealed class ImportTargetDryRun(VolumeReader reader) : ImportTarget
{
    // No inode number of a volume is that high.
    private const ulong FirstImaginary = 1UL << 63;

    private ulong _nextImaginary = FirstImaginary;

    /// <inheritdoc/>
    public override bool IsDryRun => true;

    /// <inheritdoc/>
    public override int MaxCalls => 1;

    /// <inheritdoc/>
    public override ValueTask<InodeItem> GetRootAsync(CancellationToken cancellationToken) =>
        reader.GetRootAsync(cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<(ulong Ino, InodeItem Inode)?> FindAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken) =>
        directory >= FirstImaginary ? default : reader.FindAsync(directory, name, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<byte[]> ReadSymlinkAsync(
        ulong ino, InodeItem inode, CancellationToken cancellationToken) =>
        reader.ReadSymlinkAsync(ino, inode, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<ulong> CreateAsync(
        ulong directory, byte[] name, ImportNode node, byte[] linkTarget, CancellationToken cancellationToken) =>
        new(_nextImaginary++);

    /// <inheritdoc/>
    public override ValueTask LinkAsync(
        ulong ino, ulong directory, byte[] name, CancellationToken cancellationToken) => default;

    /// <inheritdoc/>
    public override ValueTask UnlinkAsync(ulong directory, byte[] name, CancellationToken cancellationToken) =>
        default;

    /// <inheritdoc/>
    public override ValueTask WriteAsync(
        ulong ino, ulong offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => default;

    /// <inheritdoc/>
    public override ValueTask SetSizeAsync(ulong ino, ulong size, CancellationToken cancellationToken) => default;

    /// <inheritdoc/>
    public override ValueTask<string?> TrySetXattrAsync(
        ulong ino, ImportXattr xattr, bool isNew, CancellationToken cancellationToken) => default;

    /// <inheritdoc/>
    public override ValueTask SetAttributesAsync(
        ulong ino, AttributeChanges changes, CancellationToken cancellationToken) => default;
}
