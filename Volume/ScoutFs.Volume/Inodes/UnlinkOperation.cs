using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Removes a name: of a file, or of an empty directory (engine §7.7).</summary>
/// <param name="directory">Directory.</param>
/// <param name="name">Name.</param>
/// <param name="isRmdir">A directory is to be removed, nothing else.</param>
/// <param name="now">Time of the call.</param>
public struct UnlinkOperation(ulong directory, ReadOnlyMemory<byte> name, bool isRmdir, Timespec now) : IOperation
{
    /// <summary>
    /// None; NotFound, NotDirectory, IsDirectory, NotEmpty, NotPermitted under retention, Corrupt.
    /// </summary>
    public FsError Error { get; private set; }

    /// <summary>Inode that the name led to.</summary>
    public ulong Ino { get; private set; }

    /// <summary>Links that are left; with 0 the inode is an orphan now.</summary>
    public uint LinksLeft { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        Error = Directories.CheckName(name.Span);
        if (Error != FsError.None)
            return true;
        if (!Directories.Load(context, directory, LockMode.Write, out var parent, out var error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;
        if (!Directories.FindEntry(context, parent, name.Span, out bool isFound, out var entry))
            return false;
        if (!isFound)
        {
            Error = FsError.NotFound;
            return true;
        }

        if (!InodeAccess.Load(context, entry.Ino, LockMode.Write, out var inode, out error))
            return false;
        Error = error != FsError.None ? FsError.Corrupt : Check(inode.Item);
        if (Error != FsError.None)
            return true;
        if (!Directories.PrepareRemoval(context, parent, inode, entry, out error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;

        uint left = isRmdir ? 0 : inode.Item.Nlink.Value - 1;
        ClusterLock? orphanLock = null;
        if ((left == 0 && !context.Lock(LockRange.Orphans, LockMode.WriteOnly, out orphanLock))
            || !InodeAccess.Prepare(context, parent, changesData: false)
            || !InodeAccess.Prepare(context, inode, changesData: false))
        {
            return false;
        }

        if (!context.Hold(isAllocating: false))
            return false;

        if (left == 0)
            context.Items.ForcePut(Keys.Orphan(entry.Ino), context.ItemSeq(orphanLock!, inode.Lock), default);
        Directories.RemoveEntry(context, ref parent, inode, entry, name.Length);
        inode.Item.Nlink = left;
        inode.Item.Ctime = now;
        if (isRmdir)
            parent.Item.Nlink = parent.Item.Nlink - 1;
        parent.Item.Mtime = parent.Item.Ctime = now;
        InodeAccess.Store(context, ref inode, changesData: false);
        InodeAccess.Store(context, ref parent, changesData: false);
        Ino = entry.Ino;
        LinksLeft = left;
        return true;
    }

    private readonly FsError Check(in InodeItem item)
    {
        bool isDirectory = InodeAccess.IsDirectory(item);
        if (isRmdir && !isDirectory)
            return FsError.NotDirectory;
        if (!isRmdir && isDirectory)
            return FsError.IsDirectory;
        if (isDirectory && item.Size != 0UL)
            return FsError.NotEmpty;
        if (item.Nlink == 0U)
            return FsError.Corrupt;
        return InodeAccess.IsRetained(item) ? FsError.NotPermitted : FsError.None;
    }
}
