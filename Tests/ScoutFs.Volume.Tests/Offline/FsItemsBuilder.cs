using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>
/// A file system as nothing but its items and srch entries: made healthy by its methods, then changed item by item.
/// </summary>
internal sealed class FsItemsBuilder : ICheckPasses, IFindingSink, IExtentSink
{
    public const ulong Root = FormatConstants.RootIno;

    private readonly List<Finding> _findings = [];
    private ulong _nextIno = FormatConstants.FirstFreeIno;
    private ulong _nextBlkno = FormatConstants.FirstDataBlkno;
    private SuperBlock _super;

    public FsItemsBuilder(ulong formatVersion = 2)
    {
        _super.FormatVersion = formatVersion;
        _super.Seq = 1000;
        _super.TotalDataBlocks = 1 << 20;
        AddInode(Root, FileMode.Directory | 0x1ed, 0);
        EditInode(Root, static (ref InodeItem inode) => inode.Nlink = 2);
    }

    public delegate void InodeEdit(ref InodeItem inode);

    public ref SuperBlock Super => ref _super;

    public SortedDictionary<ItemKey, byte[]> Items { get; } = [];

    public List<SrchEntry> SrchEntries { get; } = [];

    public List<(ulong Ino, ulong FirstBlock, ulong Blkno, ulong Count)> Extents { get; } = [];

    public IReadOnlyList<Finding> Findings => _findings;

    /// <summary>Inodes that the super block counts; set to what is there by whoever makes inodes.</summary>
    public ulong InodeCount { get; set; }

    public int PassesMade { get; private set; }

    /// <summary>A small file system in which everything occurs.</summary>
    public static FsItemsBuilder Healthy(ulong formatVersion = 2)
    {
        var fs = new FsItemsBuilder(formatVersion);
        ulong docs = fs.AddDirectory(Root, "docs");
        _ = fs.AddDirectory(docs, "empty");
        ulong text = fs.AddFile(docs, "a.txt");
        fs.AddLink(Root, "hard link to a.txt", text);
        fs.AddLink(docs, "another", text);
        ulong data = fs.AddFile(docs, "b.bin");
        fs.AddExtent(data, 0, 10, 0);
        fs.AddExtent(data, 10, 5, DataExtentItem.FlagUnwritten);
        fs.AddExtent(data, 100, 7, DataExtentItem.FlagOffline | DataExtentItem.FlagUnwritten);
        fs.AddExtent(data, 107, 1000, DataExtentItem.FlagOffline);
        fs.AddExtent(data, (1UL << 52) - 1, 1, 0);
        _ = fs.AddSymlink(Root, "short", "docs/a.txt");
        _ = fs.AddSymlink(Root, "long", new string('x', 2000));
        _ = fs.Add(Root, "fifo", FileMode.Fifo);
        _ = fs.Add(Root, "socket", FileMode.Socket);
        _ = fs.Add(Root, "char", FileMode.CharDevice);
        _ = fs.Add(Root, "block", FileMode.BlockDevice);
        _ = fs.AddFile(Root, "\u00e9t\u00e9");
        ulong gone = fs.AddFile(Root, "gone");
        fs.AddExtent(gone, 0, 4, 0);
        fs.SetXattr(gone, "user.left", "x");
        fs.Unlink(gone);
        fs.Unlink(fs.AddDirectory(Root, "gone too"));
        fs.SetXattr(text, "user.small", "value");
        fs.SetXattr(text, "user.empty", string.Empty);
        fs.SetXattr(text, "user.large", new string('v', 5000));
        fs.SetXattr(text, "user.exact", new string('v', (2 * 896) - 8 - 10));
        fs.SetXattr(text, "scoutfs.hide.secret", "1");
        fs.SetXattr(text, "scoutfs.totl.a.1.2.3", "100");
        fs.SetXattr(data, "scoutfs.totl.b.1.2.3", "0x10");
        fs.SetXattr(data, "scoutfs.hide.totl.srch.c.7.8.9", "5");
        fs.SetXattr(text, "scoutfs.srch.found", "1");
        fs.SetXattr(docs, "scoutfs.srch.found", "2");
        fs.SrchEntries.Add(new SrchEntry(77, text, 50));
        fs.SrchEntries.Add(new SrchEntry(77, text, 50));
        if (formatVersion < 2)
            return fs;
        fs.SetXattr(text, "scoutfs.indx.k.5.1234567890123", string.Empty);
        fs.SetXattr(data, "scoutfs.indx.255.18446744073709551615", string.Empty);
        fs.AddQuotaRule(static (ref QuotaRuleItem rule) => rule.Limit = 10);
        fs.AddQuotaRule(static (ref QuotaRuleItem rule) =>
        {
            rule.Op = 1;
            rule.NameSource[0] = 1;
            rule.NameFlags[0] = 1;
            rule.NameVal[0] = 5;
        });
        return fs;
    }

    public delegate void QuotaEdit(ref QuotaRuleItem rule);

    public ulong AddDirectory(ulong dir, string name)
    {
        ulong ino = Add(dir, name, FileMode.Directory);
        EditInode(ino, static (ref InodeItem inode) => inode.Nlink = 2);
        EditInode(dir, static (ref InodeItem inode) => inode.Nlink = inode.Nlink + 1);
        return ino;
    }

    public ulong AddFile(ulong dir, string name) => Add(dir, name, FileMode.Regular);

    public ulong AddSymlink(ulong dir, string name, string target)
    {
        ulong ino = Add(dir, name, FileMode.Symlink);
        byte[] bytes = [.. Encoding.UTF8.GetBytes(target), 0];
        EditInode(ino, (ref InodeItem inode) => inode.Size = (ulong)bytes.Length);
        ulong part = 0;
        foreach (byte[] piece in bytes.Chunk(896))
            Items[Keys.Symlink(ino, part++)] = piece;
        return ino;
    }

    public ulong Add(ulong dir, string name, uint type)
    {
        ulong ino = _nextIno++;
        AddInode(ino, type | 0x1a4, 10 + (ino % 100));
        AddEntry(dir, Encoding.UTF8.GetBytes(name), ino);
        return ino;
    }

    public void AddLink(ulong dir, string name, ulong ino)
    {
        AddEntry(dir, Encoding.UTF8.GetBytes(name), ino);
        EditInode(ino, static (ref InodeItem inode) => inode.Nlink = inode.Nlink + 1);
    }

    /// <summary>Takes the only entry of an inode away; the inode stays, waiting to be deleted.</summary>
    public void Unlink(ulong ino)
    {
        var (dir, pos) = EntriesOf(ino).Single();
        var backref = Keys.LinkBackref(ino, dir, pos);
        byte[] value = Items[backref];
        bool isDirectory = value[24] == (byte)DirentType.Directory;
        EditInode(dir, (ref InodeItem inode) =>
        {
            inode.Size = inode.Size - (ulong)(value.Length - 32);
            inode.Nlink = inode.Nlink - (isDirectory ? 1u : 0);
        });
        Remove(backref);
        Remove(Keys.Readdir(dir, pos));
        Remove(Keys.Dirent(dir, Disk.Ref<DirentHeader>(value.AsSpan()).Hash, pos));
        EditInode(ino, static (ref InodeItem inode) => inode.Nlink = 0);
        Items[Keys.Orphan(ino)] = [];
    }

    public IEnumerable<(ulong Dir, ulong Pos)> EntriesOf(ulong ino) =>
        Items.Keys.Where(key => key.Zone == KeyZone.Fs && key.First == ino && key.Type == KeyType.LinkBackref)
            .Select(key => (key.Second.Value, key.Third.Value));

    public void AddExtent(ulong ino, ulong firstBlock, ulong count, byte flags)
    {
        bool isMapped = flags != DataExtentItem.FlagOffline;
        var extent = new DataExtentItem { Flags = flags, Blkno = isMapped ? _nextBlkno : 0 };
        if (isMapped)
            _nextBlkno += count + 1;
        Items[Keys.DataExtent(ino, firstBlock + count - 1, count)] = Disk.Bytes(in extent).ToArray();
        EditInode(ino, (ref InodeItem inode) =>
        {
            if (isMapped && (flags & DataExtentItem.FlagUnwritten) == 0)
                inode.OnlineBlocks = inode.OnlineBlocks + count;
            else if ((flags & DataExtentItem.FlagOffline) != 0)
                inode.OfflineBlocks = inode.OfflineBlocks + count;
        });
    }

    /// <summary>Sets an xattr and everything its tags ask for.</summary>
    public ulong SetXattr(ulong ino, string nameText, string value)
    {
        byte[] name = Encoding.UTF8.GetBytes(nameText);
        ulong id = 0;
        EditInode(ino, (ref InodeItem inode) =>
        {
            id = inode.NextXattrId;
            inode.NextXattrId = id + 1;
        });
        SetXattrItems(ino, name, id, Encoding.UTF8.GetBytes(value));
        var tags = XattrName.TagsOf(name);
        if (tags.HasFlag(XattrTags.Srch))
            SrchEntries.Add(new SrchEntry(XattrName.SrchHash(name), ino, id));
        if (tags.HasFlag(XattrTags.Totl))
        {
            _ = XattrName.TryParseTotal(name, out ulong a, out ulong b, out ulong c);
            _ = XattrName.TryParseNumber(Encoding.UTF8.GetBytes(value), out ulong number);
            AddTotal(Keys.XattrTotal(a, b, c), number, 1);
        }

        if (tags.HasFlag(XattrTags.Indx))
        {
            _ = XattrName.TryParseIndex(name, out byte major, out ulong minor);
            Items[Keys.XattrIndex(major, minor, ino, id)] = [];
        }

        return id;
    }

    public void SetXattrItems(ulong ino, byte[] name, ulong id, byte[] value)
    {
        byte[] header = [(byte)value.Length, (byte)(value.Length >> 8), (byte)name.Length, 0, 0, 0, 0, 0];
        byte[] all = [.. header, .. name, .. value];
        byte part = 0;
        foreach (byte[] piece in all.Chunk(896))
            Items[Keys.Xattr(ino, XattrName.Hash(name), id, part++)] = piece;
    }

    public void AddTotal(ItemKey key, ulong total, ulong count)
    {
        if (!Items.TryGetValue(key, out byte[]? value))
            Items[key] = value = new byte[16];
        ref var item = ref Disk.Ref<XattrTotalItem>(value.AsSpan());
        item.Total = item.Total + total;
        item.Count = item.Count + count;
        if (item.Total == 0 && item.Count == 0)
            Remove(key);
    }

    public ItemKey AddQuotaRule(QuotaEdit edit, ulong collision = 0)
    {
        var rule = default(QuotaRuleItem);
        edit(ref rule);
        byte[] value = Disk.Bytes(in rule).ToArray();
        var key = Keys.QuotaRule(Fnv1a.Hash64(value), collision);
        Items[key] = value;
        return key;
    }

    public void EditInode(ulong ino, InodeEdit edit)
    {
        byte[] value = Items[Keys.Inode(ino)];
        var inode = default(InodeItem);
        value.CopyTo(Disk.MutableBytes(ref inode));
        edit(ref inode);
        Disk.Bytes(in inode)[..value.Length].CopyTo(value);
    }

    public InodeItem Inode(ulong ino)
    {
        var copy = default(InodeItem);
        EditInode(ino, (ref InodeItem inode) => copy = inode);
        return copy;
    }

    public void Edit(ItemKey key, Action<byte[]> edit) => edit(Items[key]);

    public void Resize(ItemKey key, int bytes)
    {
        byte[] value = Items[key];
        Array.Resize(ref value, bytes);
        Items[key] = value;
    }

    public void Remove(ItemKey key)
    {
        if (!Items.Remove(key))
            throw new KeyNotFoundException(key.ToString());
    }

    public void Move(ItemKey from, ItemKey to)
    {
        byte[] value = Items[from];
        Remove(from);
        Items.Add(to, value);
    }

    /// <summary>Key of an inode's first (or only) item of a type.</summary>
    public ItemKey First(ulong ino, byte type, int skip = 0) =>
        Items.Keys.Where(key => key.Zone == KeyZone.Fs && key.First == ino && key.Type == type).Skip(skip).First();

    /// <summary>Inode that an entry of a directory leads to.</summary>
    public ulong Lookup(string path)
    {
        ulong ino = Root;
        foreach (string name in path.Split('/'))
            ino = Disk.Ref<DirentHeader>(Items[DirentOf(ino, name)].AsSpan()).Ino;
        return ino;
    }

    public ItemKey DirentOf(ulong dir, string nameText)
    {
        byte[] name = Encoding.UTF8.GetBytes(nameText);
        ulong hash = NameHash.Compute(name);
        return Items.Single(item => item.Key.Zone == KeyZone.Fs && item.Key.First == dir
            && item.Key.Type == KeyType.Dirent && item.Key.Second == hash
            && item.Value.AsSpan(32).SequenceEqual(name)).Key;
    }

    public ItemKey XattrOf(ulong ino, string name, byte part = 0) => Items.Keys.Single(
        key => key.Zone == KeyZone.Fs && key.First == ino && key.Type == KeyType.Xattr && key.Fourth == part
            && key.Second == XattrName.Hash(Encoding.UTF8.GetBytes(name)));

    /// <summary>Checks everything.</summary>
    public List<Finding> Check(bool itemsComplete = true, bool srchComplete = true, ulong seed = 1)
    {
        _findings.Clear();
        Extents.Clear();
        PassesMade = 0;
        var check = new FsItemsCheck(_super, this, this, new Prng(seed));
        Pass(check);
        foreach (var entry in SrchEntries)
            check.OnSrchEntry(entry);
        var finish = check.FinishAsync(
            this, new CheckScope(itemsComplete, srchComplete, InodeCount), CancellationToken.None);
        if (!finish.IsCompletedSuccessfully)
            throw new InvalidOperationException("The check waited, or failed.");
        return [.. _findings];
    }

    public void Pass(IItemSink sink)
    {
        foreach (var (key, value) in Items)
            sink.OnItem(key, 1, value);
    }

    ValueTask ICheckPasses.PassItemsAsync(IItemSink sink, CancellationToken cancellationToken)
    {
        PassesMade++;
        Pass(sink);
        return default;
    }

    ValueTask ICheckPasses.PassSrchEntriesAsync(ISrchEntrySink sink, CancellationToken cancellationToken)
    {
        foreach (var entry in SrchEntries)
            sink.OnSrchEntry(entry);
        return default;
    }

    void IFindingSink.Report(
        string invariant, string structure, string where, string what, FindingSeverity severity) =>
        _findings.Add(new Finding(invariant, severity, structure, where, what, string.Empty));

    void IExtentSink.OnDataExtent(ulong ino, ulong firstBlock, ulong blkno, ulong count) =>
        Extents.Add((ino, firstBlock, blkno, count));

    private void AddInode(ulong ino, uint mode, ulong seq)
    {
        var inode = new InodeItem
        {
            Mode = mode,
            Nlink = 1,
            MetaSeq = seq,
            DataSeq = seq,
            NextReaddirPos = 2,
        };
        int bytes = _super.FormatVersion == 1 ? InodeItem.Version1Bytes : InodeItem.Version2Bytes;
        Items[Keys.Inode(ino)] = Disk.Bytes(in inode)[..bytes].ToArray();
        Items[Keys.MetaSeqIndex(seq, ino)] = [];
        if ((mode & FileMode.TypeMask) == FileMode.Regular)
            Items[Keys.DataSeqIndex(seq, ino)] = [];
        InodeCount++;
        _super.NextIno = Math.Max(_super.NextIno, ino + 1);
    }

    private void AddEntry(ulong dir, byte[] name, ulong ino)
    {
        ulong pos = 0;
        EditInode(dir, (ref InodeItem inode) =>
        {
            pos = inode.NextReaddirPos;
            inode.NextReaddirPos = pos + 1;
            inode.Size = inode.Size + (ulong)name.Length;
        });
        byte[] value = new byte[32 + name.Length];
        ref var header = ref Disk.Ref<DirentHeader>(value.AsSpan());
        header.Ino = ino;
        header.Hash = NameHash.Compute(name);
        header.Pos = pos;
        header.Type = TypeOf(Inode(ino).Mode & FileMode.TypeMask);
        name.CopyTo(value, 32);
        Items[Keys.Dirent(dir, header.Hash, pos)] = value;
        Items[Keys.Readdir(dir, pos)] = [.. value];
        Items[Keys.LinkBackref(ino, dir, pos)] = [.. value];
    }

    private static byte TypeOf(uint type) => type switch
    {
        FileMode.Fifo => 0,
        FileMode.CharDevice => 1,
        FileMode.Directory => 2,
        FileMode.BlockDevice => 3,
        FileMode.Regular => 4,
        FileMode.Symlink => 5,
        _ => 6,
    };
}
