using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>A mounted volume that is imported into.</summary>
internal sealed class ImportTargetMounted(VolumeMount mount) : ImportTarget
{
    /// <inheritdoc/>
    public override bool IsDryRun => false;

    /// <inheritdoc/>
    public override int MaxCalls => 16;

    /// <inheritdoc/>
    public override ValueTask<InodeItem> GetRootAsync(CancellationToken cancellationToken) =>
        mount.GetRootAsync(cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<(ulong Ino, InodeItem Inode)?> FindAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken) =>
        mount.FindAsync(directory, name, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<byte[]> ReadSymlinkAsync(
        ulong ino, InodeItem inode, CancellationToken cancellationToken) =>
        mount.ReadSymlinkAsync(ino, inode, cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask<ulong> CreateAsync(
        ulong directory, byte[] name, ImportNode node, byte[] linkTarget, CancellationToken cancellationToken)
    {
        var creator = new Creator(node.Uid, node.Gid, mount.Fs.Now);
        var (error, ino, item) = await mount.Fs.CreateAsync(
            directory, name, node.Mode, node.Rdev, linkTarget, creator, cancellationToken);
        mount.Require(error, $"create {NameText.Printable(name)}");
        if (item.NextXattrId != 0UL)
            await RemoveInheritedAsync(ino, cancellationToken);
        return ino;
    }

    // A copy has the access control lists of its original, and none when that has none.
    private async ValueTask RemoveInheritedAsync(ulong ino, CancellationToken cancellationToken)
    {
        byte[][] names = ["system.posix_acl_access"u8.ToArray(), "system.posix_acl_default"u8.ToArray()];
        foreach (byte[] acl in names)
        {
            var error = await mount.Fs.SetXattrAsync(ino, acl, null, XattrMode.Any, cancellationToken);
            if (error != FsError.NoXattr)
                mount.Require(error, "remove an access control list that the directory passes on");
        }
    }

    /// <inheritdoc/>
    public override async ValueTask LinkAsync(
        ulong ino, ulong directory, byte[] name, CancellationToken cancellationToken)
    {
        var (error, _) = await mount.Fs.LinkAsync(ino, directory, name, isUnnamed: false, cancellationToken);
        mount.Require(error, $"make {NameText.Printable(name)} a hard link");
    }

    /// <inheritdoc/>
    public override async ValueTask UnlinkAsync(
        ulong directory, byte[] name, CancellationToken cancellationToken) =>
        mount.Require(
            await mount.Fs.UnlinkAsync(directory, name, isRmdir: false, cancellationToken),
            $"remove {NameText.Printable(name)}");

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(
        ulong ino, ulong offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            var (error, written) = await mount.Fs.WriteAsync(
                ino, offset, bytes, isAppend: false, clearsSetId: false, cancellationToken);
            mount.Require(error, $"write contents at byte {offset}");
            offset += (ulong)written;
            bytes = bytes[written..];
        }
    }

    /// <inheritdoc/>
    public override async ValueTask SetSizeAsync(ulong ino, ulong size, CancellationToken cancellationToken)
    {
        var (error, _) = await mount.Fs.TruncateAsync(ino, size, cancellationToken);
        mount.Require(error, $"set the size to {size} bytes");
    }

    /// <inheritdoc/>
    public override async ValueTask<string?> TrySetXattrAsync(
        ulong ino, ImportXattr xattr, bool isNew, CancellationToken cancellationToken)
    {
        byte[] value = xattr.Value!;
        if (!isNew)
        {
            var (readError, before) = await mount.Fs.GetXattrAsync(ino, xattr.Name, cancellationToken);
            if (readError == FsError.None && before.AsSpan().SequenceEqual(value))
                return null;
        }

        var error = await mount.Fs.SetXattrAsync(ino, xattr.Name, value, XattrMode.Any, cancellationToken);
        if (error is FsError.Unsupported or FsError.Invalid or FsError.BufferTooSmall or FsError.FileTooLarge)
            return FsErrorTable.TextOf(error);
        mount.Require(error, $"set extended attribute {NameText.Printable(xattr.Name)}");
        return null;
    }

    /// <inheritdoc/>
    public override async ValueTask SetAttributesAsync(
        ulong ino, AttributeChanges changes, CancellationToken cancellationToken)
    {
        var (error, _) = await mount.Fs.SetAttributesAsync(ino, changes, cancellationToken);
        mount.Require(error, "set mode, owner and times");
    }
}
