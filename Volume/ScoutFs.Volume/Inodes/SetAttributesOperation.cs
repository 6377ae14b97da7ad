using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Attributes to set; null leaves one alone. The size is <c>TruncateOperation</c>'s.</summary>
public readonly record struct AttributeChanges
{
    /// <summary>Permission bits, without the type.</summary>
    public uint? Permissions { get; init; }

    /// <summary>Owner.</summary>
    public uint? Uid { get; init; }

    /// <summary>Group.</summary>
    public uint? Gid { get; init; }

    /// <summary>Last access.</summary>
    public Timespec? Atime { get; init; }

    /// <summary>Last change of contents.</summary>
    public Timespec? Mtime { get; init; }

    /// <summary>Last change of the inode; the time of the call when null.</summary>
    public Timespec? Ctime { get; init; }

    /// <summary>Creation.</summary>
    public Timespec? Crtime { get; init; }

    /// <summary>Project id; needs format version 2.</summary>
    public ulong? Project { get; init; }
}

/// <summary>Sets attributes of an inode (engine §6.5).</summary>
/// <param name="ino">Inode number.</param>
/// <param name="changes">What to set.</param>
/// <param name="now">Time of the call.</param>
public struct SetAttributesOperation(ulong ino, AttributeChanges changes, Timespec now) : IOperation
{
    /// <summary>None; NotFound, NotPermitted under retention, Unsupported (project id in format version 1,
    /// permissions of a symlink), Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The inode, changed.</summary>
    public InodeItem Item { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error;
        if (error == FsError.None && InodeAccess.IsRetained(inode.Item))
            Error = FsError.NotPermitted;
        else if (error == FsError.None && changes.Project is not null && context.Volume.FormatVersion < 2)
            Error = FsError.Unsupported;
        else if (error == FsError.None && changes.Permissions is not null && InodeAccess.IsSymlink(inode.Item))
            Error = FsError.Unsupported;
        if (Error != FsError.None)
            return true;
        var xattr = default(XattrRef);
        byte[]? acl = null;
        if (changes.Permissions is not null && inode.Item.NextXattrId != 0UL)
        {
            if (!Xattrs.Find(context, inode, PosixAcl.AccessName, out bool hasAcl, out xattr))
                return false;
            if (hasAcl)
            {
                acl = new byte[xattr.ValueBytes];
                if (!Xattrs.ReadValue(context, inode, xattr, acl, out error))
                    return false;
                Error = error == FsError.None && !PosixAcl.IsValid(acl) ? FsError.Corrupt : error;
                if (Error != FsError.None)
                    return true;
            }
        }

        if (!InodeAccess.Prepare(context, inode, changesData: false))
            return false;
        if (!context.Hold(isAllocating: false))
            return false;

        if (acl is not null)
        {
            PosixAcl.Chmod(acl, changes.Permissions!.Value);
            Xattrs.WriteParts(context, inode, xattr, xattr.Parts, PosixAcl.AccessName, acl);
        }

        ref var item = ref inode.Item;
        if (changes.Permissions is { } permissions)
            item.Mode = (item.Mode & FileMode.TypeMask) | (permissions & FileMode.PermissionMask);
        item.Uid = changes.Uid ?? item.Uid.Value;
        item.Gid = changes.Gid ?? item.Gid.Value;
        item.Atime = changes.Atime ?? item.Atime;
        item.Mtime = changes.Mtime ?? item.Mtime;
        item.Crtime = changes.Crtime ?? item.Crtime;
        item.Proj = changes.Project ?? item.Proj.Value;
        item.Ctime = changes.Ctime ?? now;
        InodeAccess.Store(context, ref inode, changesData: false);
        Item = item;
        return true;
    }
}
