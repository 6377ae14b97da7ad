using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>What an xattr that is set must or must not be before.</summary>
public enum XattrMode
{
    /// <summary>Anything.</summary>
    Any,

    /// <summary>It must not exist.</summary>
    Create,

    /// <summary>It must exist.</summary>
    Replace,
}

/// <summary>Sets or removes an xattr (archive §10.1–10.3).</summary>
/// <param name="ino">Inode number.</param>
/// <param name="name">Name with prefix.</param>
/// <param name="value">The value; null removes the xattr.</param>
/// <param name="mode">What it must be before.</param>
/// <param name="now">Time of the call.</param>
public struct SetXattrOperation(
    ulong ino, ReadOnlyMemory<byte> name, byte[]? value, XattrMode mode, Timespec now) : IOperation
{
    // An ACL that says no more than the mode is folded into it.
    private readonly byte[]? _stored = value is not null && name.Span.SequenceEqual(PosixAcl.AccessName)
        && PosixAcl.IsValid(value) && PosixAcl.IsTrivial(value)
        ? null
        : value;

    /// <summary>
    /// None; NotFound, NoXattr, Exists, Invalid, Unsupported, NotPermitted under retention, BufferTooSmall for a long
    /// name, FileTooLarge for a long value, Corrupt.
    /// </summary>
    public FsError Error { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        Error = value is null ? FsError.None : Xattrs.Check(name.Span, value, context.Volume.FormatVersion);
        if (Error != FsError.None)
            return true;
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error == FsError.None ? CheckAcl(inode.Item) : error;
        if (error == FsError.None && InodeAccess.IsRetained(inode.Item) && name.Span.StartsWith("user."u8))
            Error = FsError.NotPermitted;
        if (Error != FsError.None)
            return true;
        if (!Xattrs.Find(context, inode, name.Span, out bool isFound, out var xattr))
            return false;
        var tags = XattrName.TagsOf(name.Span);
        bool isAcl = IsAcl(name.Span);
        bool isRemovalOfNothing = !isFound && _stored is null;
        if (isRemovalOfNothing && isAcl && value is null)
            return true;
        if (isFound ? mode == XattrMode.Create : mode == XattrMode.Replace || value is null)
        {
            Error = isFound ? FsError.Exists : FsError.NoXattr;
            return true;
        }

        // A position in the index is there or not: setting it again changes nothing.
        if (isFound && value is not null && (tags & XattrTags.Indx) != 0)
            return true;
        byte[]? before = null;
        if (isFound)
        {
            before = (tags & XattrTags.Totl) != 0 ? new byte[xattr.ValueBytes] : [];
            if (before.Length > 0 && !Xattrs.ReadValue(context, inode, xattr, before, out error))
                return false;
            if (!Xattrs.PrepareParts(context, inode, xattr, out var partsError))
                return false;
            Error = error != FsError.None ? error : partsError;
            if (Error != FsError.None)
                return true;
        }

        if (!Xattrs.PrepareTags(context, tags) || !InodeAccess.Prepare(context, inode, changesData: false))
            return false;
        if (!context.Hold(isAllocating: value is not null))
            return false;

        int presentParts = isFound ? xattr.Parts : 0;
        ulong id = isFound ? xattr.Id : inode.Item.NextXattrId.Value;
        if (!isFound && _stored is not null)
            inode.Item.NextXattrId = id + 1;
        if (_stored is null)
        {
            Xattrs.RemoveParts(context, inode, xattr, 0, presentParts);
        }
        else
        {
            var written = new XattrRef(id, XattrName.Hash(name.Span), name.Length, _stored.Length);
            Xattrs.WriteParts(context, inode, written, presentParts, name.Span, _stored);
        }

        if (!isAcl)
            Xattrs.ApplyTags(context, inode, name.Span, id, before, value);
        else if (value is not null && name.Span.SequenceEqual(PosixAcl.AccessName))
            inode.Item.Mode = PosixAcl.ToMode(value, inode.Item.Mode);
        inode.Item.Ctime = now;
        InodeAccess.Store(context, ref inode, changesData: false);
        return true;
    }

    private static bool IsAcl(ReadOnlySpan<byte> name) =>
        name.SequenceEqual(PosixAcl.AccessName) || name.SequenceEqual(PosixAcl.DefaultName);

    private readonly FsError CheckAcl(in InodeItem item)
    {
        if (value is null || !IsAcl(name.Span))
            return FsError.None;
        bool isDefault = name.Span.SequenceEqual(PosixAcl.DefaultName);
        if ((item.Mode & FileMode.TypeMask) == FileMode.Symlink)
            return FsError.Unsupported;
        return !PosixAcl.IsValid(value) || (isDefault && !InodeAccess.IsDirectory(item))
            ? FsError.Invalid
            : FsError.None;
    }
}
