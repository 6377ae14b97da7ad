using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Removes the first xattr of an inode without links, with all that its tags entail (engine §6.8).</summary>
/// <param name="ino">Inode number.</param>
public struct DeleteXattrOperation(ulong ino) : IOperation
{
    /// <summary>None; NotFound, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>No xattr is left.</summary>
    public bool IsDone { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error;
        IsDone = error != FsError.None || inode.Item.Nlink != 0U;
        if (IsDone)
            return true;
        if (!Xattrs.Next(context, inode, 0, 0, out bool isFound, out var xattr, out var found))
            return false;
        IsDone = !isFound;
        if (IsDone)
            return true;
        byte[] name = found.ToArray();
        var tags = XattrName.TagsOf(name);
        byte[] value = (tags & XattrTags.Totl) != 0 ? new byte[xattr.ValueBytes] : [];
        error = FsError.None;
        if ((value.Length > 0 && !Xattrs.ReadValue(context, inode, xattr, value, out error))
            || !Xattrs.PrepareParts(context, inode, xattr, out var partsError)
            || !Xattrs.PrepareTags(context, tags)
            || !InodeAccess.Prepare(context, inode, changesData: false))
        {
            return false;
        }

        Error = error != FsError.None ? error : partsError;
        if (Error != FsError.None)
            return true;
        if (!context.Hold(isAllocating: false))
            return false;

        Xattrs.RemoveParts(context, inode, xattr, 0, xattr.Parts);
        Xattrs.ApplyTags(context, inode, name, xattr.Id, value, null);
        InodeAccess.Store(context, ref inode, changesData: false);
        return true;
    }
}
