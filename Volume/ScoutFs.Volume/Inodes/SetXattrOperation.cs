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
    /// <summary>
    /// None; NotFound, NoXattr, Exists, Invalid, Unsupported, NotPermitted under retention, BufferTooSmall for a long
    /// name, FileTooLarge for a long value, NoSpace, Corrupt.
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
        Error = error;
        if (error == FsError.None && InodeAccess.IsRetained(inode.Item) && name.Span.StartsWith("user."u8))
            Error = FsError.NotPermitted;
        if (Error != FsError.None)
            return true;
        if (!Xattrs.Find(context, inode, name.Span, out bool isFound, out var xattr))
            return false;
        var tags = XattrName.TagsOf(name.Span);
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
        var hold = context.Hold(isAllocating: value is not null);
        if (hold != HoldResult.Held)
        {
            Error = FsError.NoSpace;
            return hold == HoldResult.NoSpace;
        }

        int presentParts = isFound ? xattr.Parts : 0;
        ulong id = isFound ? xattr.Id : inode.Item.NextXattrId.Value;
        if (!isFound)
            inode.Item.NextXattrId = id + 1;
        if (value is null)
        {
            Xattrs.RemoveParts(context, inode, xattr, 0, presentParts);
        }
        else
        {
            var written = new XattrRef(id, XattrName.Hash(name.Span), name.Length, value.Length);
            Xattrs.WriteParts(context, inode, written, presentParts, name.Span, value);
        }

        Xattrs.ApplyTags(context, inode, name.Span, id, before, value);
        inode.Item.Ctime = now;
        InodeAccess.Store(context, ref inode, changesData: false);
        return true;
    }
}
