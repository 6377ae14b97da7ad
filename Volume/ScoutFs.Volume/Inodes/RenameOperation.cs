using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Gives an entry another name or directory, replacing what is there (engine §7.6).</summary>
/// <remarks>
/// Between directories the caller holds the rename lock and has checked ancestors with
/// <see cref="GetParentOperation"/>: while it is held, no directory changes its parent.
/// </remarks>
/// <param name="oldDirectory">Directory of the entry.</param>
/// <param name="oldName">Its name.</param>
/// <param name="newDirectory">Directory it goes to.</param>
/// <param name="newName">New name.</param>
/// <param name="isNoReplace">Exists instead of replacing.</param>
/// <param name="now">Time of the call.</param>
public struct RenameOperation(
    ulong oldDirectory,
    ReadOnlyMemory<byte> oldName,
    ulong newDirectory,
    ReadOnlyMemory<byte> newName,
    bool isNoReplace,
    Timespec now) : IOperation
{
    /// <summary>
    /// None; NotFound, Exists, NotDirectory, IsDirectory, NotEmpty, NameTooLong, TooManyLinks, NotPermitted,
    /// Corrupt.
    /// </summary>
    public FsError Error { get; private set; }

    /// <summary>Inode that was moved.</summary>
    public ulong Ino { get; private set; }

    /// <summary>Inode that was replaced, or 0.</summary>
    public ulong ReplacedIno { get; private set; }

    /// <summary>Links that the replaced inode has left; with 0 it is an orphan now.</summary>
    public uint ReplacedLinksLeft { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        Error = Directories.CheckName(oldName.Span);
        if (Error == FsError.None)
            Error = Directories.CheckName(newName.Span);
        if (Error != FsError.None)
            return true;
        bool isOneDirectory = oldDirectory == newDirectory;
        if (!Directories.Load(context, oldDirectory, LockMode.Write, out var source, out var error)
            || !Directories.Load(context, newDirectory, LockMode.Write, out var target, out var targetError))
        {
            return false;
        }

        Error = error != FsError.None ? error : targetError;
        if (Error != FsError.None)
            return true;
        if (!Directories.FindEntry(context, source, oldName.Span, out bool isFound, out var entry)
            || !Directories.FindEntry(context, target, newName.Span, out bool isReplacing, out var replaced))
        {
            return false;
        }

        if (!isFound || (isReplacing && isNoReplace))
        {
            Error = isFound ? FsError.Exists : FsError.NotFound;
            return true;
        }

        // Two names of one inode: nothing happens.
        if (isReplacing && replaced.Ino == entry.Ino)
            return true;
        var victim = default(InodeHandle);
        if (!InodeAccess.Load(context, entry.Ino, LockMode.Write, out var inode, out error)
            || (isReplacing
                && !InodeAccess.Load(context, replaced.Ino, LockMode.Write, out victim, out targetError)))
        {
            return false;
        }

        bool isMissing = error != FsError.None || (isReplacing && targetError != FsError.None);
        Error = isMissing ? FsError.Corrupt : Check(inode.Item, target.Item, isReplacing, victim.Item, isOneDirectory);
        if (Error != FsError.None)
            return true;
        targetError = FsError.None;
        if (!Directories.PrepareRemoval(context, source, inode, entry, out error)
            || (isReplacing
                && !Directories.PrepareRemoval(context, target, victim, replaced, out targetError)))
        {
            return false;
        }

        Error = error != FsError.None ? error : targetError;
        if (Error != FsError.None)
            return true;
        bool isVictimDirectory = isReplacing && InodeAccess.IsDirectory(victim.Item);
        uint left = !isReplacing || isVictimDirectory ? 0 : victim.Item.Nlink.Value - 1;
        bool isOrphaned = isReplacing && left == 0;
        ClusterLock? orphanLock = null;
        if ((isOrphaned && !context.Lock(LockRange.Orphans, LockMode.WriteOnly, out orphanLock))
            || !InodeAccess.Prepare(context, source, changesData: false)
            || (!isOneDirectory && !InodeAccess.Prepare(context, target, changesData: false))
            || !InodeAccess.Prepare(context, inode, changesData: false)
            || (isReplacing && !InodeAccess.Prepare(context, victim, changesData: false)))
        {
            return false;
        }

        if (!context.Hold(isAllocating: true))
            return false;

        // One copy of the directory when both are the same.
        ref var into = ref source;
        if (!isOneDirectory)
            into = ref target;
        if (isReplacing)
        {
            if (isOrphaned)
            {
                context.Items.ForcePut(
                    Keys.Orphan(replaced.Ino), context.ItemSeq(orphanLock!, victim.Lock), default);
            }

            Directories.RemoveEntry(context, ref into, victim, replaced, newName.Length);
            victim.Item.Nlink = left;
            victim.Item.Ctime = now;
            if (isVictimDirectory)
                into.Item.Nlink = into.Item.Nlink - 1;
            InodeAccess.Store(context, ref victim, changesData: false);
        }

        Directories.RemoveEntry(context, ref source, inode, entry, oldName.Length);
        Directories.AddEntry(context, ref into, inode, newName.Span);
        if (!isOneDirectory && InodeAccess.IsDirectory(inode.Item))
        {
            source.Item.Nlink = source.Item.Nlink - 1;
            into.Item.Nlink = into.Item.Nlink + 1;
        }

        inode.Item.Ctime = now;
        source.Item.Mtime = source.Item.Ctime = now;
        InodeAccess.Store(context, ref inode, changesData: false);
        InodeAccess.Store(context, ref source, changesData: false);
        if (!isOneDirectory)
        {
            target.Item.Mtime = target.Item.Ctime = now;
            InodeAccess.Store(context, ref target, changesData: false);
        }

        Ino = entry.Ino;
        ReplacedIno = isReplacing ? replaced.Ino : 0;
        ReplacedLinksLeft = left;
        return true;
    }

    private static FsError Check(
        in InodeItem moved, in InodeItem target, bool isReplacing, in InodeItem victim, bool isOneDirectory)
    {
        if (InodeAccess.IsRetained(moved) || (isReplacing && InodeAccess.IsRetained(victim)))
            return FsError.NotPermitted;
        bool isDirectory = InodeAccess.IsDirectory(moved);
        if (isReplacing)
        {
            bool isVictimDirectory = InodeAccess.IsDirectory(victim);
            if (isDirectory && !isVictimDirectory)
                return FsError.NotDirectory;
            if (!isDirectory && isVictimDirectory)
                return FsError.IsDirectory;
            return isVictimDirectory && victim.Size != 0UL ? FsError.NotEmpty : FsError.None;
        }

        return isDirectory && !isOneDirectory && target.Nlink >= int.MaxValue
            ? FsError.TooManyLinks
            : FsError.None;
    }
}
