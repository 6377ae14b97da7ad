using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>The file system of a volume, read without mounting it: inodes, names, attributes, extents.</summary>
/// <remarks>
/// <para>Invariants: 1. every answer comes from one committed state; different calls may see different states only
/// when <see cref="Generation"/> changed in between; 2. every call is bounded in time and memory by what it was asked
/// for, whatever the volume holds: what may be long is read in pages; 3. nothing is ever written.</para>
/// <para>A volume that others change meanwhile rewrites blocks under the reader. A block that does not match its
/// reference makes the reader fetch the current roots and repeat the call; if the roots are the same as before, the
/// block is damaged (format §3).</para>
/// <para>Names are bytes. Thread rules: one caller at a time, together with the <see cref="OfflineVolume"/>.</para>
/// </remarks>
public sealed partial class VolumeReader : IPathNodes, IDisposable
{
    /// <summary>
    /// Times one call starts over on newer roots. Each round means that the volume committed meanwhile; a call takes
    /// milliseconds and commits come some ten times a second, so that more rounds than this are not bad luck.
    /// </summary>
    private const int MaxReloads = 100;

    private readonly OfflineVolume _volume;
    private ForestCursor _cursor;

    /// <summary>Creates a reader of a volume, which stays the caller's.</summary>
    public VolumeReader(OfflineVolume volume)
    {
        _volume = volume;
        _cursor = NewCursor();
    }

    /// <summary>The volume.</summary>
    public OfflineVolume Volume => _volume;

    /// <summary>Counts the states of the volume that were read, from 0; grows when newer roots were needed.</summary>
    public int Generation { get; private set; }

    /// <summary>Reads an inode.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>The inode, or null if there is none of that number.</returns>
    /// <exception cref="VolumeException">It is damaged or cannot be read.</exception>
    public async ValueTask<InodeItem?> FindInodeAsync(ulong ino, CancellationToken cancellationToken)
    {
        var key = Keys.Inode(ino);
        for (int attempt = 0; ; attempt++)
        {
            switch (await _cursor.SeekAsync(key, key, cancellationToken))
            {
                case BtreeStatus.Found:
                    return ReadInode(ino);
                case BtreeStatus.End:
                    return null;
                default:
                    await RecoverAsync(attempt, "read", "inode", ino, cancellationToken);
                    break;
            }
        }
    }

    /// <summary>Reads an inode that the user named.</summary>
    /// <exception cref="VolumeException">There is none, it is damaged or cannot be read.</exception>
    public async ValueTask<InodeItem> GetInodeAsync(ulong ino, CancellationToken cancellationToken) =>
        await FindInodeAsync(ino, cancellationToken)
        ?? throw new VolumeException(FsError.NotFound, $"There is no inode {ino} on {_volume.Meta.Name}.");

    /// <summary>Reads an inode that an item of the volume refers to.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="dir">Directory that refers to it, for the message.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">It is missing or damaged or cannot be read.</exception>
    public async ValueTask<InodeItem> RequireInodeAsync(ulong ino, ulong dir, CancellationToken cancellationToken) =>
        await FindInodeAsync(ino, cancellationToken) ?? throw _volume.Failure(
            FsError.Corrupt,
            new Corruption(CorruptionSite.MissingInode, 0, ino, 0),
            $"follow an entry of directory inode {dir} to inode {ino}");

    /// <summary>Finds a name in a directory (format §10.2).</summary>
    /// <param name="dir">Inode number of the directory.</param>
    /// <param name="name">Name, 1..255 bytes.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>The entry, or null if there is none of that name.</returns>
    /// <exception cref="VolumeException">The directory is damaged or cannot be read.</exception>
    public async ValueTask<DirectoryEntry?> FindEntryAsync(
        ulong dir, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        if (name.Length is 0 or > FormatConstants.MaxNameBytes)
            return null;
        ulong hash = NameHash.Compute(name.Span);
        for (int attempt = 0; ; attempt++)
        {
            var status = await _cursor.SeekAsync(
                Keys.Dirent(dir, hash, 0), Keys.Dirent(dir, hash, ulong.MaxValue), cancellationToken);
            while (status == BtreeStatus.Found)
            {
                var entry = ReadDirent(dir, _cursor.Key.Third);
                if (name.Span.SequenceEqual(entry.Name))
                    return entry;
                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
                return null;
            await RecoverAsync(attempt, "look a name up in", "directory inode", dir, cancellationToken);
        }
    }

    /// <summary>Reads entries of a directory in order of their positions, as readdir gives them.</summary>
    /// <param name="dir">Inode number of the directory.</param>
    /// <param name="firstPos">Least position wanted; 0 for the start.</param>
    /// <param name="page">Receives the entries; cleared first.</param>
    /// <param name="maxEntries">Entries wanted, at least 1.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>True when the page is full: go on after its last position. False: that was the end.</returns>
    /// <exception cref="VolumeException">The directory is damaged or cannot be read.</exception>
    public async ValueTask<bool> ReadDirectoryAsync(
        ulong dir,
        ulong firstPos,
        List<DirectoryEntry> page,
        int maxEntries,
        CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            page.Clear();
            var status = await _cursor.SeekAsync(
                Keys.Readdir(dir, firstPos), Keys.Readdir(dir, ulong.MaxValue), cancellationToken);
            while (status == BtreeStatus.Found)
            {
                page.Add(ReadDirent(dir, _cursor.Key.Second));
                if (page.Count == maxEntries)
                    return true;
                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
                return false;
            await RecoverAsync(attempt, "read", "directory inode", dir, cancellationToken);
        }
    }

    /// <summary>Reads links to an inode from their back references, in order of directory and position.</summary>
    /// <param name="ino">Inode number of the target.</param>
    /// <param name="firstDir">Least directory wanted; 0 for the start.</param>
    /// <param name="firstPos">Least position wanted in that directory.</param>
    /// <param name="page">Receives the links; cleared first.</param>
    /// <param name="maxLinks">Links wanted, at least 1.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>True when the page is full: go on after its last link. False: that was the end.</returns>
    /// <exception cref="VolumeException">The links are damaged or cannot be read.</exception>
    public async ValueTask<bool> ReadLinksAsync(
        ulong ino,
        ulong firstDir,
        ulong firstPos,
        List<LinkBackref> page,
        int maxLinks,
        CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            page.Clear();
            var status = await _cursor.SeekAsync(
                Keys.LinkBackref(ino, firstDir, firstPos),
                Keys.LinkBackref(ino, ulong.MaxValue, ulong.MaxValue),
                cancellationToken);
            while (status == BtreeStatus.Found)
            {
                var key = _cursor.Key;
                page.Add(new LinkBackref(key.Second, key.Third, ReadDirent(key.Second, key.Third).Name));
                if (page.Count == maxLinks)
                    return true;
                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
                return false;
            await RecoverAsync(attempt, "read the links of", "inode", ino, cancellationToken);
        }
    }

    /// <summary>Reads the target of a symbolic link (format §10.4).</summary>
    /// <param name="ino">Inode number of the link.</param>
    /// <param name="inode">Its inode.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>1..4095 bytes, or none for the empty target.</returns>
    /// <exception cref="VolumeException">The link is damaged or cannot be read.</exception>
    public async ValueTask<byte[]> ReadSymlinkAsync(
        ulong ino, InodeItem inode, CancellationToken cancellationToken)
    {
        if (inode.Size.Value is 0 or > FormatConstants.MaxSymlinkBytes)
            throw SymlinkFailure(ino, 0, FormatConstants.MaxSymlinkBytes, inode.Size);
        byte[] stored = new byte[(int)inode.Size.Value];
        for (int attempt = 0; ; attempt++)
        {
            int filled = 0;
            ulong part = 0;
            var status = await _cursor.SeekAsync(
                Keys.Symlink(ino, 0), Keys.Symlink(ino, ulong.MaxValue), cancellationToken);
            while (status == BtreeStatus.Found)
            {
                int expected = Math.Min(FormatConstants.MaxValueBytes, stored.Length - filled);
                if (_cursor.Key.Second != part || _cursor.Value.Length != expected || expected == 0)
                    throw SymlinkFailure(ino, _cursor.LeafBlkno, (ulong)expected, (ulong)_cursor.Value.Length);
                _cursor.Value.CopyTo(stored.AsSpan(filled));
                filled += expected;
                part++;
                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
            {
                if (filled != stored.Length || stored.IndexOf((byte)0) != stored.Length - 1)
                    throw SymlinkFailure(ino, 0, (ulong)stored.Length, (ulong)filled);
                return stored[..^1];
            }

            await RecoverAsync(attempt, "read", "symbolic link inode", ino, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public ValueTask<InodeItem> GetRootAsync(CancellationToken cancellationToken) =>
        GetInodeAsync(FormatConstants.RootIno, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<(ulong Ino, InodeItem Inode)?> FindAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        if (await FindEntryAsync(directory, name, cancellationToken) is not { } entry)
            return null;
        return (entry.Ino, await RequireInodeAsync(entry.Ino, directory, cancellationToken));
    }

    /// <inheritdoc/>
    public void Dispose() => _cursor.Dispose();

    private ForestCursor NewCursor() => new(_volume.Cache, _volume.Roots);

    // After a scan has ended with Corrupt: returns when it is worth starting over on newer roots, throws otherwise.
    private async ValueTask RecoverAsync(
        int attempt, string doing, string what, ulong number, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var (error, fault) = (_cursor.Error, _cursor.Fault);
        if (error == FsError.Stale && attempt < MaxReloads)
        {
            _cursor.Dispose();
            bool hasChanged;
            try
            {
                hasChanged = await _volume.ReloadAsync(cancellationToken);
            }
            finally
            {
                _cursor = NewCursor();
                Generation++;
            }

            if (hasChanged)
                return;
        }

        throw _volume.Failure(error, fault, $"{doing} {what} {number}");
    }

    private VolumeException Damage(Corruption fault, string doing) =>
        _volume.Failure(FsError.Corrupt, fault, doing);

    private VolumeException SymlinkFailure(ulong ino, ulong blkno, ulong expected, ulong actual) => Damage(
        new Corruption(CorruptionSite.SymlinkShape, blkno, expected, actual),
        $"read symbolic link inode {ino}");

    // Version 1 volumes know one size; version 2 reads both (format §10.1).
    private InodeItem ReadInode(ulong ino)
    {
        var value = _cursor.Value;
        bool isVersion2 = _volume.Super.FormatVersion >= 2;
        if (value.Length != InodeItem.Version1Bytes && (!isVersion2 || value.Length != InodeItem.Version2Bytes))
        {
            int expected = isVersion2 ? InodeItem.Version2Bytes : InodeItem.Version1Bytes;
            throw Damage(
                new Corruption(CorruptionSite.InodeSize, _cursor.LeafBlkno, (ulong)expected, (ulong)value.Length),
                $"read inode {ino}");
        }

        var inode = default(InodeItem);
        value.CopyTo(Disk.MutableBytes(ref inode));
        return inode;
    }

    private DirectoryEntry ReadDirent(ulong dir, ulong pos)
    {
        var value = _cursor.Value;
        int nameBytes = value.Length - Disk.SizeOf<DirentHeader>();
        if (nameBytes is < 1 or > FormatConstants.MaxNameBytes)
        {
            throw Damage(
                new Corruption(
                    CorruptionSite.DirentShape, _cursor.LeafBlkno, FormatConstants.MaxNameBytes, (ulong)value.Length),
                $"read entry {pos} of directory inode {dir}");
        }

        ref readonly var header = ref Disk.Ref<DirentHeader>(value);
        return new DirectoryEntry(
            pos, header.Ino, (DirentType)header.Type, value[Disk.SizeOf<DirentHeader>()..].ToArray());
    }
}
