using System;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Reads an xattr's value.</summary>
/// <param name="ino">Inode number.</param>
/// <param name="name">Name with prefix.</param>
public struct GetXattrOperation(ulong ino, ReadOnlyMemory<byte> name) : IOperation
{
    /// <summary>None, NotFound for the inode, NoXattr or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The value.</summary>
    public byte[] Value { get; private set; } = [];

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;
        if (!Xattrs.Find(context, inode, name.Span, out bool isFound, out var xattr))
            return false;
        if (!isFound)
        {
            Error = FsError.NoXattr;
            return true;
        }

        var value = new byte[xattr.ValueBytes];
        if (!Xattrs.ReadValue(context, inode, xattr, value, out error))
            return false;
        Error = error;
        Value = value;
        return true;
    }
}
