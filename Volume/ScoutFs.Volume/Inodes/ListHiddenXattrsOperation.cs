using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Lists a batch of an inode's hidden xattrs in storage order (archive §10.3).</summary>
/// <param name="ino">Inode number.</param>
/// <param name="fromHash">Hash of the place to start from.</param>
/// <param name="fromId">Id of the place to start from.</param>
/// <param name="names">Receives xattrs.</param>
/// <param name="limitBytes">Bytes that the names may have, each with a NUL.</param>
public struct ListHiddenXattrsOperation(
    ulong ino, uint fromHash, ulong fromId, List<ListedXattr> names, int limitBytes) : IOperation
{
    private uint _hash = fromHash;
    private ulong _id = fromId;
    private int _bytes;

    /// <summary>None; NotFound, BufferTooSmall when not even one name fits, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error;
        while (Error == FsError.None)
        {
            if (!Xattrs.Next(context, inode, _hash, _id, out bool isFound, out var xattr, out var name))
                return false;
            if (!isFound)
                return true;
            if ((XattrName.TagsOf(name) & XattrTags.Hide) != 0)
            {
                if (_bytes + name.Length + 1 > limitBytes)
                {
                    Error = names.Count == 0 ? FsError.BufferTooSmall : FsError.None;
                    return true;
                }

                _bytes += name.Length + 1;
                names.Add(new ListedXattr(name.ToArray(), xattr.Hash, xattr.Id));
            }

            _hash = xattr.Hash;
            _id = xattr.Id + 1;
        }

        return true;
    }
}
