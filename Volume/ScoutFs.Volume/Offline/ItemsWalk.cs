using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>One pass over all items: tells inodes apart and hands each item to its family.</summary>
/// <remarks>
/// Zone 16 orders items by inode and then by type, so everything about one inode is judged as its items pass by, in
/// constant memory. Everything between inodes goes to <see cref="ItemsCrossReferences"/>.
/// </remarks>
internal sealed class ItemsWalk : IItemSink
{
    private readonly ItemsGroup _group = new();
    private readonly ItemsInodes _inodes;
    private readonly ItemsXattrs _xattrs;
    private readonly ItemsDirectories _directories;
    private readonly ItemsSymlinks _symlinks;
    private readonly ItemsExtents _extents;
    private readonly ItemsIndexes _indexes;
    private readonly ItemsQuota _quota;
    private bool _isInGroup;

    /// <summary>Creates it for one pass.</summary>
    /// <param name="super">The super block of the items.</param>
    /// <param name="findings">Takes findings.</param>
    /// <param name="cross">Takes cross references.</param>
    /// <param name="extents">Takes data extents, or null.</param>
    public ItemsWalk(
        in SuperBlock super, ItemsFindings findings, ItemsCrossReferences cross, IExtentSink? extents)
    {
        _inodes = new ItemsInodes(super, findings, cross, _group);
        _xattrs = new ItemsXattrs(findings, cross, _group);
        _directories = new ItemsDirectories(findings, cross, _group);
        _symlinks = new ItemsSymlinks(findings, _group);
        _extents = new ItemsExtents(super, findings, extents, _group);
        _indexes = new ItemsIndexes(super, findings, cross);
        _quota = new ItemsQuota(super, findings);
    }

    /// <summary>Inode items so far.</summary>
    public ulong InodesSeen => _inodes.Seen;

    /// <inheritdoc/>
    public void OnItem(in ItemKey key, ulong seq, ReadOnlySpan<byte> value)
    {
        if (key.Zone == KeyZone.Fs)
        {
            OnFsItem(key, value);
            return;
        }

        // Zones and types that do not belong here are for whoever checks the trees (I39).
        switch (key.Zone)
        {
            case KeyZone.InodeIndex when key.Type is KeyType.MetaSeq or KeyType.DataSeq:
                _indexes.OnInodeIndex(key, value);
                break;
            case KeyZone.Orphan when key.Type == KeyType.Orphan:
                _indexes.OnOrphan(key, value);
                break;
            case KeyZone.Quota when key.Type == KeyType.QuotaRule:
                _quota.OnRule(key, value);
                break;
            case KeyZone.XattrTotal when key.Type == 0:
                _indexes.OnTotal(key, value);
                break;
            case KeyZone.XattrIndex when key.Type == 0:
                _indexes.OnXattrIndex(key, value);
                break;
        }
    }

    /// <summary>The pass is over.</summary>
    public void Finish()
    {
        EndGroup();
        _inodes.Finish();
    }

    private void OnFsItem(in ItemKey key, ReadOnlySpan<byte> value)
    {
        byte type = key.Type;
        if (type < KeyType.Inode || type > KeyType.DataExtent || (type & 3) != 0)
            return;
        if (!_isInGroup || key.First != _group.Ino)
        {
            EndGroup();
            BeginGroup(key.First);
        }

        if (type != KeyType.Inode)
            _group.AttachedItems++;
        switch (type)
        {
            case KeyType.Inode:
                _inodes.OnInode(key, value);
                break;
            case KeyType.Xattr:
                _xattrs.OnPart(key, value);
                break;
            case KeyType.Dirent:
                _directories.OnDirent(key, value);
                break;
            case KeyType.Readdir:
                _directories.OnReaddir(key, value);
                break;
            case KeyType.LinkBackref:
                _directories.OnBackref(key, value);
                break;
            case KeyType.Symlink:
                _symlinks.OnPart(key, value);
                break;
            default:
                _extents.OnExtent(key, value);
                break;
        }
    }

    private void BeginGroup(ulong ino)
    {
        _isInGroup = true;
        _group.Begin(ino);
        _xattrs.Begin();
        _directories.Begin();
        _symlinks.Begin();
        _extents.Begin();
    }

    // The inode comes first, as it may find out that the type is unclear; directories may find that, too.
    private void EndGroup()
    {
        if (!_isInGroup)
            return;
        _inodes.End();
        _xattrs.End();
        _directories.End(_extents.HasExtents);
        _symlinks.End();
        _extents.End();
        _isInGroup = false;
    }
}
