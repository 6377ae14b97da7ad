using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>Items that were written to one tree: fs_root, or one mount's log.</summary>
public sealed class SampleVolumeLayer
{
    /// <summary>The tree's items.</summary>
    public SortedDictionary<ItemKey, VolumeEditorItem> Items { get; } = [];

    /// <summary>Inodes created minus inodes deleted here.</summary>
    public long InodeCountDelta { get; set; }

    /// <summary>Greatest seq of an item.</summary>
    public ulong MaxItemSeq => Items.Count == 0 ? 0 : Items.Values.Max(item => item.Seq);
}

/// <summary>An inode of a sample: its item, and what is needed to change it.</summary>
public sealed class SampleVolumeInode
{
    private InodeItem _item;

    /// <summary>Inode number.</summary>
    public required ulong Ino { get; init; }

    /// <summary>Written with 160 bytes although the volume's version has 168.</summary>
    public bool IsShort { get; set; }

    /// <summary>The item.</summary>
    public ref InodeItem Item => ref _item;

    /// <summary>Type bits of the mode.</summary>
    public uint Type => Item.Mode & FileMode.TypeMask;
}

/// <summary>
/// A file system that exists as items only: operations on files become items in the tree that is chosen at the time,
/// the way mounts write them (format §9, §10), one after the other with rising seqs.
/// </summary>
/// <remarks>It knows no errors: the caller asks for things that are possible.</remarks>
public sealed class SampleVolumeTree
{
    private readonly ulong _formatVersion;
    private readonly Dictionary<ulong, SampleVolumeInode> _inodes = [];
    private readonly SortedDictionary<ItemKey, byte[]> _live = [];
    private SampleVolumeLayer _layer;
    private ulong _seq;

    /// <summary>Creates the tree that mkfs leaves: a root directory in fs_root.</summary>
    public SampleVolumeTree(ulong formatVersion)
    {
        _formatVersion = formatVersion;
        _layer = Merged;
        _seq = 1;
        var root = new SampleVolumeInode { Ino = FormatConstants.RootIno };
        root.Item.NextReaddirPos = 2;
        root.Item.Nlink = 2;
        root.Item.Mode = FileMode.Directory | 0x1ed;
        SetTimes(ref root.Item, 1_700_000_000);
        _inodes.Add(root.Ino, root);
        Put(Keys.MetaSeqIndex(0, root.Ino), []);
        PutInode(root);
        Merged.InodeCountDelta = 1;
    }

    /// <summary>fs_root.</summary>
    public SampleVolumeLayer Merged { get; } = new();

    /// <summary>Every item that exists now, totals left out.</summary>
    public IReadOnlyDictionary<ItemKey, byte[]> Live => _live;

    /// <summary>Every entry that was ever written for an xattr tagged srch, in that order.</summary>
    public List<SrchEntry> SrchEntries { get; } = [];

    /// <summary>Number the next inode gets.</summary>
    public ulong NextIno { get; set; } = FormatConstants.FirstFreeIno;

    /// <summary>Inodes that exist now.</summary>
    public IReadOnlyCollection<SampleVolumeInode> Inodes => _inodes.Values;

    /// <summary>Chooses where the following operations are written.</summary>
    /// <param name="layer">fs_root or a log.</param>
    /// <param name="seq">Seq of the transaction; not less than any before.</param>
    public void WriteTo(SampleVolumeLayer layer, ulong seq)
    {
        Invariant.Require(seq >= _seq);
        _layer = layer;
        _seq = seq;
    }

    /// <summary>Creates an inode with its first entry.</summary>
    public ulong Create(ulong dir, string name, uint mode, Action<SampleVolumeInode>? set = null)
    {
        ulong ino = CreateUnnamed(mode, inode =>
        {
            inode.Item.Nlink = (mode & FileMode.TypeMask) == FileMode.Directory ? 2u : 1u;
            set?.Invoke(inode);
        });
        AddEntry(dir, Encoding.UTF8.GetBytes(name), ino);
        return ino;
    }

    /// <summary>Creates an inode without a name; with nlink 0 unless told otherwise, and then as an orphan.</summary>
    public ulong CreateUnnamed(uint mode, Action<SampleVolumeInode>? set = null)
    {
        var inode = new SampleVolumeInode { Ino = NextIno++ };
        inode.Item.Mode = mode;
        inode.Item.MetaSeq = _seq;
        inode.Item.DataSeq = _seq;
        inode.Item.NextReaddirPos = 2;
        inode.Item.Uid = 1000;
        inode.Item.Gid = 100;
        SetTimes(ref inode.Item, 1_700_000_000 + (long)inode.Ino);
        set?.Invoke(inode);
        _inodes.Add(inode.Ino, inode);
        Put(Keys.MetaSeqIndex(_seq, inode.Ino), []);
        if (inode.Type == FileMode.Regular)
            Put(Keys.DataSeqIndex(_seq, inode.Ino), []);
        if (inode.Item.Nlink == 0)
            Put(Keys.Orphan(inode.Ino), []);
        PutInode(inode);
        _layer.InodeCountDelta++;
        return inode.Ino;
    }

    /// <summary>Creates a symlink (format §10.4).</summary>
    public ulong CreateSymlink(ulong dir, string name, string target)
    {
        byte[] stored = [.. Encoding.UTF8.GetBytes(target), 0];
        ulong ino = Create(dir, name, FileMode.Symlink | 0x1ff, inode => inode.Item.Size = (ulong)stored.Length);
        PutParts(stored, part => Keys.Symlink(ino, (ulong)part));
        return ino;
    }

    /// <summary>Adds a further name of an inode.</summary>
    public void Link(ulong dir, string name, ulong ino)
    {
        var inode = _inodes[ino];
        inode.Item.Nlink++;
        Save(inode);
        AddEntry(dir, Encoding.UTF8.GetBytes(name), ino);
    }

    /// <summary>Removes a name; the last one makes the inode an orphan.</summary>
    public ulong Unlink(ulong dir, string name)
    {
        ulong ino = RemoveEntry(dir, Encoding.UTF8.GetBytes(name));
        var inode = _inodes[ino];
        inode.Item.Nlink -= inode.Type == FileMode.Directory ? 2u : 1u;
        if (inode.Item.Nlink == 0)
            Put(Keys.Orphan(ino), []);
        Save(inode);
        return ino;
    }

    /// <summary>Moves an entry; it gets a new position.</summary>
    public void Rename(ulong fromDir, string from, ulong toDir, string to)
    {
        ulong ino = RemoveEntry(fromDir, Encoding.UTF8.GetBytes(from));
        AddEntry(toDir, Encoding.UTF8.GetBytes(to), ino);
        Save(_inodes[ino]);
    }

    /// <summary>Deletes an orphan for good, with everything attached to it.</summary>
    public void Destroy(ulong ino)
    {
        foreach (var (key, value) in ItemsOf(ino, KeyType.Xattr).Where(pair => pair.Key.Fourth == 0).ToList())
            RemoveXattr(ino, Encoding.UTF8.GetString(value.AsSpan(8, value[2])));
        foreach (byte type in (byte[])[KeyType.Symlink, KeyType.DataExtent])
        {
            foreach (var (key, _) in ItemsOf(ino, type).ToList())
                Delete(key);
        }

        var inode = _inodes[ino];
        Delete(Keys.MetaSeqIndex(inode.Item.MetaSeq, ino));
        if (inode.Type == FileMode.Regular)
            Delete(Keys.DataSeqIndex(inode.Item.DataSeq, ino));
        Delete(Keys.Orphan(ino));
        Delete(Keys.Inode(ino));
        _ = _inodes.Remove(ino);
        _layer.InodeCountDelta--;
    }

    /// <summary>Changes an inode's fields.</summary>
    public void Change(ulong ino, Action<SampleVolumeInode> change, bool isDataChanged = false)
    {
        var inode = _inodes[ino];
        change(inode);
        Save(inode, isDataChanged);
    }

    /// <summary>Replaces all data extents of a file, and its counts.</summary>
    /// <param name="ino">The file.</param>
    /// <param name="size">Its size in bytes.</param>
    /// <param name="extents">First logical block, blocks, data blkno or 0, flags.</param>
    public void SetExtents(ulong ino, ulong size, params (ulong Block, ulong Count, ulong Blkno, byte Flags)[] extents)
    {
        var inode = _inodes[ino];
        foreach (var (key, _) in ItemsOf(ino, KeyType.DataExtent).ToList())
            Delete(key);
        ulong online = 0;
        ulong offline = 0;
        foreach (var (block, count, blkno, flags) in extents)
        {
            var item = new DataExtentItem { Blkno = blkno, Flags = flags };
            Put(Keys.DataExtent(ino, block + count - 1, count), Disk.Bytes(in item).ToArray());
            if (blkno != 0 && (flags & DataExtentItem.FlagUnwritten) == 0)
                online += count;
            else if ((flags & DataExtentItem.FlagOffline) != 0)
                offline += count;
        }

        inode.Item.Size = size;
        inode.Item.OnlineBlocks = online;
        inode.Item.OfflineBlocks = offline;
        inode.Item.DataVersion = inode.Item.DataVersion + 1;
        Save(inode, isDataChanged: true);
    }

    /// <summary>Sets an xattr that does not exist yet, with what its tags ask for (format §10.5).</summary>
    public ulong SetXattr(ulong ino, string name, ReadOnlySpan<byte> value)
    {
        var inode = _inodes[ino];
        ulong id = inode.Item.NextXattrId;
        inode.Item.NextXattrId = id + 1;
        byte[] nameBytes = Encoding.UTF8.GetBytes(name);
        byte[] stored = [(byte)value.Length, (byte)(value.Length >> 8), (byte)nameBytes.Length, 0, 0, 0, 0, 0,
            .. nameBytes, .. value];
        uint hash = Crc32C.Compute(nameBytes);
        PutParts(stored, part => Keys.Xattr(ino, hash, id, (byte)part));
        FollowTags(ino, name, id, value, sign: 1);
        Save(inode);
        return id;
    }

    /// <summary>Removes an xattr.</summary>
    public void RemoveXattr(ulong ino, string name)
    {
        byte[] nameBytes = Encoding.UTF8.GetBytes(name);
        var parts = ItemsOf(ino, KeyType.Xattr)
            .Where(pair => pair.Key.Second == Crc32C.Compute(nameBytes)).ToList();
        ulong id = parts[0].Key.Third;
        byte[] value = [.. parts.SelectMany(part => part.Value).Skip(8 + nameBytes.Length)];
        foreach (var (key, _) in parts)
            Delete(key);
        FollowTags(ino, name, id, value, sign: -1);
        Save(_inodes[ino]);
    }

    /// <summary>Adds a quota rule; no two rules of a sample hash equally.</summary>
    public void AddQuotaRule(QuotaRuleItem rule) =>
        Put(Keys.QuotaRule(Fnv1a.Hash64(Disk.Bytes(in rule)), 0), Disk.Bytes(in rule).ToArray());

    /// <summary>Merges part of logs into fs_root the way a log merge does (format §9.6).</summary>
    public static void Merge(
        SampleVolumeLayer merged, IReadOnlyList<SampleVolumeLayer> inputs, ItemKey start, ItemKey end)
    {
        foreach (var item in Combine(inputs, start, end))
            MergeItem(merged.Items, item);
    }

    /// <summary>Puts one combined version into a merged tree.</summary>
    public static void MergeItem(IDictionary<ItemKey, VolumeEditorItem> merged, VolumeEditorItem item)
    {
        if (item.Key.Zone == KeyZone.XattrTotal)
        {
            var sum = Sum(merged.TryGetValue(item.Key, out var old) ? old.Value : new byte[16], item.Value);
            if (sum.AsSpan().ContainsAnyExcept((byte)0))
                merged[item.Key] = item with { Value = sum };
            else
                _ = merged.Remove(item.Key);
        }
        else if (item.IsDeletion)
        {
            _ = merged.Remove(item.Key);
        }
        else
        {
            merged[item.Key] = item;
        }
    }

    /// <summary>All versions of the inputs in a range, one a key.</summary>
    public static IEnumerable<VolumeEditorItem> Combine(
        IReadOnlyList<SampleVolumeLayer> inputs, ItemKey start, ItemKey end)
    {
        var versions = inputs.SelectMany(input => input.Items.Values)
            .Where(item => item.Key >= start && item.Key <= end)
            .GroupBy(item => item.Key);
        foreach (var group in versions)
        {
            var newest = group.MaxBy(item => item.Seq)!;
            yield return newest.Key.Zone == KeyZone.XattrTotal
                ? newest with { Value = group.Select(item => item.Value).Aggregate(Sum) }
                : newest;
        }
    }

    private static byte[] Sum(byte[] left, byte[] right)
    {
        byte[] sum = (byte[])left.Clone();
        ref var total = ref Disk.Ref<XattrTotalItem>(sum.AsSpan());
        var added = Disk.Ref<XattrTotalItem>(right);
        total.Total = total.Total + added.Total;
        total.Count = total.Count + added.Count;
        return sum;
    }

    private static void SetTimes(ref InodeItem item, long seconds)
    {
        item.Crtime.Sec = seconds;
        item.Mtime.Sec = seconds;
        item.Mtime.Nsec = 123_456_789;
        item.Ctime = item.Mtime;
        item.Atime = item.Mtime;
    }

    private static ulong Number(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? ulong.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
        : ulong.Parse(text, CultureInfo.InvariantCulture);

    private IEnumerable<KeyValuePair<ItemKey, byte[]>> ItemsOf(ulong ino, byte type) =>
        _live.Where(pair => pair.Key.Zone == KeyZone.Fs && pair.Key.First == ino && pair.Key.Type == type);

    private void AddEntry(ulong dir, byte[] name, ulong ino)
    {
        var parent = _inodes[dir];
        ulong pos = parent.Item.NextReaddirPos;
        parent.Item.NextReaddirPos = pos + 1;
        parent.Item.Size = parent.Item.Size + (ulong)name.Length;
        if (_inodes[ino].Type == FileMode.Directory)
            parent.Item.Nlink = parent.Item.Nlink + 1;
        ulong hash = NameHash.Compute(name);
        var header = new DirentHeader { Ino = ino, Hash = hash, Pos = pos, Type = (byte)TypeOf(_inodes[ino]) };
        byte[] value = [.. Disk.Bytes(in header), .. name];
        Put(Keys.Dirent(dir, hash, pos), value);
        Put(Keys.Readdir(dir, pos), value);
        Put(Keys.LinkBackref(ino, dir, pos), value);
        Save(parent);
    }

    private ulong RemoveEntry(ulong dir, byte[] name)
    {
        ulong hash = NameHash.Compute(name);
        var (key, value) = ItemsOf(dir, KeyType.Dirent).First(
            pair => pair.Key.Second == hash && pair.Value.AsSpan(32).SequenceEqual(name));
        ulong ino = Disk.Ref<DirentHeader>(value.AsSpan()).Ino;
        Delete(key);
        Delete(Keys.Readdir(dir, key.Third));
        Delete(Keys.LinkBackref(ino, dir, key.Third));
        var parent = _inodes[dir];
        parent.Item.Size = parent.Item.Size - (ulong)name.Length;
        if (_inodes[ino].Type == FileMode.Directory)
            parent.Item.Nlink = parent.Item.Nlink - 1;
        Save(parent);
        return ino;
    }

    private static DirentType TypeOf(SampleVolumeInode inode) => inode.Type switch
    {
        FileMode.Fifo => DirentType.Fifo,
        FileMode.CharDevice => DirentType.CharDevice,
        FileMode.Directory => DirentType.Directory,
        FileMode.BlockDevice => DirentType.BlockDevice,
        FileMode.Regular => DirentType.Regular,
        FileMode.Symlink => DirentType.Symlink,
        _ => DirentType.Socket,
    };

    private void PutParts(byte[] stored, Func<int, ItemKey> keyOf)
    {
        int part = 0;
        foreach (byte[] bytes in stored.Chunk(FormatConstants.MaxValueBytes))
            Put(keyOf(part++), bytes);
    }

    private void FollowTags(ulong ino, string name, ulong id, ReadOnlySpan<byte> value, long sign)
    {
        if (!name.StartsWith("scoutfs.", StringComparison.Ordinal))
            return;
        string[] fields = name.Split('.');
        foreach (string tag in fields.Skip(1).TakeWhile(field => field is "hide" or "srch" or "totl" or "indx"))
        {
            switch (tag)
            {
                case "srch":
                    SrchEntries.Add(new SrchEntry(Fnv1a.Hash64(Encoding.UTF8.GetBytes(name)), ino, id));
                    break;
                case "totl":
                    ulong amount = Number(Encoding.ASCII.GetString(value));
                    AddTotal(
                        Keys.XattrTotal(Number(fields[^3]), Number(fields[^2]), Number(fields[^1])),
                        amount * (ulong)sign,
                        (ulong)sign);
                    break;
                case "indx":
                    var key = Keys.XattrIndex((byte)Number(fields[^2]), Number(fields[^1]), ino, id);
                    if (sign > 0)
                        Put(key, []);
                    else
                        Delete(key);
                    break;
                default:
                    break;
            }
        }
    }

    private void AddTotal(in ItemKey key, ulong total, ulong count)
    {
        var delta = new XattrTotalItem { Total = total, Count = count };
        byte[] value = Disk.Bytes(in delta).ToArray();
        if (_layer.Items.TryGetValue(key, out var old))
            value = Sum(old.Value, value);
        if (_layer == Merged && !value.AsSpan().ContainsAnyExcept((byte)0))
            _ = _layer.Items.Remove(key);
        else
            _layer.Items[key] = new VolumeEditorItem(key, _seq, 0, value);
    }

    private void Save(SampleVolumeInode inode, bool isDataChanged = false)
    {
        Delete(Keys.MetaSeqIndex(inode.Item.MetaSeq, inode.Ino));
        inode.Item.MetaSeq = _seq;
        Put(Keys.MetaSeqIndex(_seq, inode.Ino), []);
        if (isDataChanged && inode.Type == FileMode.Regular)
        {
            Delete(Keys.DataSeqIndex(inode.Item.DataSeq, inode.Ino));
            inode.Item.DataSeq = _seq;
            Put(Keys.DataSeqIndex(_seq, inode.Ino), []);
        }

        inode.Item.Version = inode.Item.Version + 1;
        PutInode(inode);
    }

    private void PutInode(SampleVolumeInode inode)
    {
        int length = _formatVersion == 1 || inode.IsShort ? InodeItem.Version1Bytes : InodeItem.Version2Bytes;
        Put(Keys.Inode(inode.Ino), Disk.Bytes(in inode.Item)[..length].ToArray());
    }

    private void Put(in ItemKey key, byte[] value)
    {
        _layer.Items[key] = new VolumeEditorItem(key, _seq, 0, value);
        _live[key] = value;
    }

    private void Delete(in ItemKey key)
    {
        if (_layer == Merged)
            _ = _layer.Items.Remove(key);
        else
            _layer.Items[key] = new VolumeEditorItem(key, _seq, BtreeItem.FlagDeletion, []);
        _ = _live.Remove(key);
    }
}
