using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Who creates, and when.</summary>
/// <param name="Uid">Owner of what is created.</param>
/// <param name="Gid">Group, unless the directory passes its own on.</param>
/// <param name="Now">Time of the call.</param>
/// <param name="Umask">Permission bits that are not given, unless the directory has a default ACL.</param>
public readonly record struct Creator(uint Uid, uint Gid, Timespec Now, uint Umask = 0);

/// <summary>Creates an inode with a name, or without one (O_TMPFILE) (engine §6.4).</summary>
/// <remarks>The name is checked before anything is made, so a lost race leaves nothing behind.</remarks>
public struct CreateOperation : IOperation
{
    private const uint SetGid = 0x400;

    private readonly ulong _directory;
    private readonly ReadOnlyMemory<byte> _name;
    private readonly uint _mode;
    private readonly uint _rdev;
    private readonly Creator _creator;
    private readonly ReadOnlyMemory<byte> _target;
    private readonly InodeNumbers _numbers;
    private readonly bool _isUnnamed;
    private InodeItem _item;
    private byte[]? _inherited;

    /// <summary>Describes what to create.</summary>
    /// <param name="directory">Directory; for an unnamed file the one whose attributes it inherits.</param>
    /// <param name="name">Name, empty for an unnamed file.</param>
    /// <param name="mode">Type and permissions, before the umask.</param>
    /// <param name="rdev">Device number of a device.</param>
    /// <param name="target">Target of a symlink, without NUL.</param>
    /// <param name="creator">Who creates.</param>
    /// <param name="numbers">Pool for the type.</param>
    public CreateOperation(
        ulong directory,
        ReadOnlyMemory<byte> name,
        uint mode,
        uint rdev,
        ReadOnlyMemory<byte> target,
        in Creator creator,
        InodeNumbers numbers)
    {
        _directory = directory;
        _name = name;
        _mode = mode;
        _rdev = rdev;
        _target = target;
        _creator = creator;
        _numbers = numbers;
        _isUnnamed = name.IsEmpty;
    }

    /// <summary>None; Exists, NotFound, NotDirectory, NameTooLong, Invalid, TooManyLinks, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Number of the new inode.</summary>
    public ulong Ino { get; private set; }

    /// <summary>The new inode.</summary>
    public readonly InodeItem Item => _item;

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        uint type = _mode & FileMode.TypeMask;
        bool isDirectory = type == FileMode.Directory;
        Error = _isUnnamed ? FsError.None : Directories.CheckName(_name.Span);
        if (Error == FsError.None && type == FileMode.Symlink)
            Error = CheckTarget(_target.Span);
        if (Error != FsError.None)
            return true;
        var lockMode = _isUnnamed ? LockMode.Read : LockMode.Write;
        if (!Directories.Load(context, _directory, lockMode, out var parent, out var error))
            return false;
        if (error == FsError.None && isDirectory && parent.Item.Nlink == int.MaxValue)
            error = FsError.TooManyLinks;
        Error = error;
        if (error != FsError.None)
            return true;
        if (!_isUnnamed)
        {
            if (!Directories.FindEntry(context, parent, _name.Span, out bool isFound, out _))
                return false;
            if (isFound)
            {
                Error = FsError.Exists;
                return true;
            }
        }

        if (!FindDefaultAcl(context, parent) || !CheckQuota(context, parent, out error))
            return false;
        Error = error;
        if (error != FsError.None)
            return true;
        if (Ino == 0)
        {
            if (!_numbers.TryTake(out ulong ino))
            {
                context.Need(_numbers, releasesLocks: true);
                return false;
            }

            Ino = ino;
        }

        if (!context.Lock(LockRange.InodeGroup(Ino), LockMode.Write, out var clusterLock)
            || (!_isUnnamed && !InodeAccess.Prepare(context, parent, changesData: false))
            || !InodeAccess.PrepareNew(context, _mode)
            || !PrepareOrphan(context, out var orphanLock))
        {
            return false;
        }

        if (!context.Hold(isAllocating: true))
            return false;

        Apply(context, parent, clusterLock, orphanLock);
        return true;
    }

    private static FsError CheckTarget(ReadOnlySpan<byte> target)
    {
        if (target.Length >= FormatConstants.MaxSymlinkBytes)
            return FsError.NameTooLong;
        return target.IsEmpty || target.Contains((byte)0) ? FsError.Invalid : FsError.None;
    }

    private readonly bool CheckQuota(OperationContext context, in InodeHandle parent, out FsError error)
    {
        error = FsError.None;
        uint gid = (parent.Item.Mode & SetGid) != 0 ? parent.Item.Gid.Value : _creator.Gid;
        return context.Quota is null
            || context.Quota.Check(context, QuotaOp.Inode, parent.Item.Proj, _creator.Uid, gid, out error);
    }

    // Most directories never had an xattr.
    private bool FindDefaultAcl(OperationContext context, in InodeHandle parent)
    {
        _inherited = null;
        if (parent.Item.NextXattrId == 0UL || (_mode & FileMode.TypeMask) == FileMode.Symlink)
            return true;
        if (!Xattrs.Find(context, parent, PosixAcl.DefaultName, out bool isFound, out var xattr))
            return false;
        if (!isFound)
            return true;
        var acl = new byte[xattr.ValueBytes];
        if (!Xattrs.ReadValue(context, parent, xattr, acl, out var error))
            return false;
        _inherited = error == FsError.None && PosixAcl.IsValid(acl) ? acl : null;
        return true;
    }

    private readonly bool PrepareOrphan(OperationContext context, out ClusterLock? orphanLock)
    {
        orphanLock = null;
        return !_isUnnamed || context.Lock(LockRange.Orphans, LockMode.WriteOnly, out orphanLock);
    }

    private void Apply(
        OperationContext context, InodeHandle parent, ClusterLock clusterLock, ClusterLock? orphanLock)
    {
        uint type = _mode & FileMode.TypeMask;
        bool isDirectory = type == FileMode.Directory;
        byte[]? acl = (byte[]?)_inherited?.Clone();
        bool isPlain = type == FileMode.Symlink;
        uint mode = acl is not null
            ? PosixAcl.Inherit(acl, _mode)
            : isPlain ? _mode : _mode & ~(_creator.Umask & 0x1ff);
        bool inheritsGroup = (parent.Item.Mode & SetGid) != 0;
        var inode = new InodeHandle { Ino = Ino, Lock = clusterLock };
        ref var item = ref inode.Item;
        item.Mode = inheritsGroup && isDirectory ? mode | SetGid : mode;
        item.Uid = _creator.Uid;
        item.Gid = inheritsGroup ? parent.Item.Gid.Value : _creator.Gid;
        item.Nlink = _isUnnamed ? 0U : isDirectory ? 2U : 1U;
        item.Rdev = type is FileMode.CharDevice or FileMode.BlockDevice ? _rdev : 0;
        item.NextReaddirPos = 2;
        item.Atime = item.Mtime = item.Ctime = item.Crtime = _creator.Now;
        item.Proj = parent.Item.Proj;
        if (type == FileMode.Symlink)
        {
            item.Size = (ulong)_target.Length + 1;
            WriteTarget(context, inode);
        }

        if (acl is not null && !PosixAcl.IsTrivial(acl))
            AddXattr(context, ref inode, PosixAcl.AccessName, acl);
        if (acl is not null && isDirectory)
            AddXattr(context, ref inode, PosixAcl.DefaultName, _inherited);
        InodeAccess.StoreNew(context, ref inode);
        if (_isUnnamed)
        {
            context.Items.ForcePut(Keys.Orphan(Ino), context.ItemSeq(orphanLock!, clusterLock), default);
        }
        else
        {
            Directories.AddEntry(context, ref parent, inode, _name.Span);
            if (isDirectory)
                parent.Item.Nlink = parent.Item.Nlink + 1;
            parent.Item.Mtime = parent.Item.Ctime = _creator.Now;
            InodeAccess.Store(context, ref parent, changesData: false);
        }

        _item = inode.Item;
    }

    private static void AddXattr(
        OperationContext context, scoped ref InodeHandle inode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        ulong id = inode.Item.NextXattrId;
        inode.Item.NextXattrId = id + 1;
        var xattr = new XattrRef(id, XattrName.Hash(name), name.Length, value.Length);
        Xattrs.WriteParts(context, inode, xattr, 0, name, value);
    }

    private readonly void WriteTarget(OperationContext context, in InodeHandle inode)
    {
        Span<byte> part = stackalloc byte[FormatConstants.MaxValueBytes];
        int total = _target.Length + 1;
        ulong seq = context.ItemSeq(inode.Lock);
        for (int done = 0, number = 0; done < total; number++)
        {
            int length = Math.Min(part.Length, total - done);
            part.Clear();
            int text = Math.Min(length, _target.Length - done);
            _target.Span.Slice(done, text).CopyTo(part);
            context.Items.Put(Keys.Symlink(inode.Ino, (ulong)number), seq, part[..length]);
            done += length;
        }
    }
}
