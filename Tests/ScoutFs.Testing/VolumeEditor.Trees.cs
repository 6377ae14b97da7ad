using System;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>Changes an item and its value in place.</summary>
public delegate void VolumeItemEdit(ref BtreeItem item, Span<byte> value);

/// <content>Trees and their items.</content>
public sealed partial class VolumeEditor
{
    /// <summary>Roots of all trees that hold file system items: fs_root and the logs.</summary>
    public IEnumerable<BtreeRoot> ForestRoots =>
        Logs.Select(log => log.ItemRoot).Prepend(Super.FsRoot).Where(root => !root.IsEmpty);

    /// <summary>All log trees items.</summary>
    public IEnumerable<LogTrees> Logs =>
        Items(Super.LogsRoot).Select(item => Disk.Ref<LogTrees>(item.Value.AsSpan()));

    /// <summary>Blocks from the root to the leaf whose range contains a key.</summary>
    public IReadOnlyList<ulong> Path(in BtreeRoot root, in ItemKey key)
    {
        List<ulong> path = [root.Ref.Blkno];
        for (int level = root.Height - 1; level > 0; level--)
        {
            var block = new BtreeBlock(ReadLarge(path[^1]));
            path.Add(Disk.Ref<BlockRef>(block.Value(block.Item(block.LowerBound(key)))).Blkno);
        }

        return path;
    }

    /// <summary>All blocks of a tree at a level, in key order.</summary>
    public IReadOnlyList<ulong> BlocksAt(in BtreeRoot root, int level)
    {
        List<ulong> blocks = root.IsEmpty ? [] : [root.Ref.Blkno];
        for (int at = root.Height - 1; at > level; at--)
            blocks = [.. blocks.SelectMany(Children)];
        return blocks;
    }

    /// <summary>All items of a tree in key order.</summary>
    public IEnumerable<VolumeEditorItem> Items(BtreeRoot root) => BlocksAt(root, 0).SelectMany(ItemsOf);

    /// <summary>The items of one block, leaf or parent, in key order.</summary>
    public List<VolumeEditorItem> ItemsOf(ulong blkno)
    {
        var block = new BtreeBlock(ReadLarge(blkno));
        List<VolumeEditorItem> items = [];
        for (int offset = block.First(); offset != 0; offset = block.Next(offset))
        {
            ref readonly var item = ref block.Item(offset);
            items.Add(new VolumeEditorItem(item.Key, item.Seq, item.Flags, block.Value(item).ToArray()));
        }

        return items;
    }

    /// <summary>The item of a tree, or null.</summary>
    public VolumeEditorItem? Find(in BtreeRoot root, ItemKey key) =>
        root.IsEmpty ? null : ItemsOf(Path(root, key)[^1]).FirstOrDefault(item => item.Key == key);

    /// <summary>Writes a block of a tree anew from changed items: sorted, packed, all links right.</summary>
    public void Rebuild(ulong blkno, Action<List<VolumeEditorItem>> edit)
    {
        byte[] block = ReadLarge(blkno);
        var header = Disk.Ref<BtreeBlockHeader>(block.AsSpan());
        var items = ItemsOf(blkno);
        edit(items);
        items.Sort((left, right) => ItemKey.Compare(left.Key, right.Key));
        var builder = new BtreeBlockBuilder(block, header.Level);
        foreach (var item in items)
        {
            if (!builder.TryAdd(item.Key, item.Seq, item.Flags, item.Value))
                throw new InvalidOperationException($"Block {blkno} has no room for the edit; choose another target.");
        }

        builder.Finish(header.Header.Fsid, blkno, header.Header.Seq);
        WriteLarge(blkno, block);
    }

    /// <summary>Adds an item to a tree that has none with its key.</summary>
    public void Insert(in BtreeRoot root, VolumeEditorItem item) => Rebuild(Path(root, item.Key)[^1], items =>
    {
        Invariant.Require(items.TrueForAll(other => other.Key != item.Key));
        items.Add(item);
    });

    /// <summary>Removes an item from a tree.</summary>
    public void Remove(in BtreeRoot root, ItemKey key) => Rebuild(Path(root, key)[^1], items =>
    {
        if (items.RemoveAll(item => item.Key == key) != 1 || items.Count == 0)
            throw new InvalidOperationException($"Cannot remove {key}: it does not exist, or is alone in its leaf.");
    });

    /// <summary>Replaces an item; its key may change.</summary>
    public void Replace(in BtreeRoot root, ItemKey key, Func<VolumeEditorItem, VolumeEditorItem> change)
    {
        var old = Find(root, key) ?? throw new InvalidOperationException($"There is no item {key}.");
        var changed = change(old);
        if (changed.Key == key)
        {
            Rebuild(Path(root, key)[^1], items => items[items.FindIndex(item => item.Key == key)] = changed);
            return;
        }

        // In this order, because a leaf must not become empty in between.
        Insert(root, changed);
        Remove(root, key);
    }

    /// <summary>Replaces an item's value.</summary>
    public void ReplaceValue(in BtreeRoot root, ItemKey key, Func<byte[], byte[]> change) =>
        Replace(root, key, item => item with { Value = change((byte[])item.Value.Clone()) });

    /// <summary>Changes an item where it lies, without touching anything else of its block.</summary>
    public void EditItem(in BtreeRoot root, in ItemKey key, VolumeItemEdit edit)
    {
        var wanted = key;
        EditLarge(Path(root, key)[^1], block =>
        {
            int offset = new BtreeBlock(block).FindInLeaf(wanted);
            if (offset == 0)
                throw new InvalidOperationException($"There is no item {wanted}.");
            ref var item = ref Disk.Ref<BtreeItem>(block.AsSpan(), offset);
            edit(ref item, block.AsSpan(item.ValOff, item.ValLen));
        });
    }

    /// <summary>Changes an item's value, which is a struct, where it lies.</summary>
    public void EditValue<T>(in BtreeRoot root, in ItemKey key, VolumeEdit<T> edit)
        where T : unmanaged
        => EditItem(root, key, (ref BtreeItem item, Span<byte> value) => edit(ref Disk.Ref<T>(value)));

    /// <summary>Tree that holds the version of a file system item that counts (format §9.5).</summary>
    /// <exception cref="InvalidOperationException">The item does not exist.</exception>
    public BtreeRoot TreeOf(ItemKey key)
    {
        var newest = ForestRoots
            .Select(root => (Root: root, Item: Find(root, key)))
            .Where(version => version.Item is not null)
            .MaxBy(version => version.Item!.Seq);
        return newest.Item is null || newest.Item.IsDeletion
            ? throw new InvalidOperationException($"There is no item {key}.")
            : newest.Root;
    }

    /// <summary>The version of a file system item that counts, or null; not for totals.</summary>
    public VolumeEditorItem? FindLive(ItemKey key)
    {
        var newest = ForestRoots.Select(root => Find(root, key)).OfType<VolumeEditorItem>().MaxBy(item => item.Seq);
        return newest is null || newest.IsDeletion ? null : newest;
    }

    /// <summary>Every file system item that exists, in key order; of totals only one version.</summary>
    public IReadOnlyList<VolumeEditorItem> LiveItems() =>
    [
        .. ForestRoots.SelectMany(Items)
            .GroupBy(item => item.Key)
            .Select(versions => versions.MaxBy(item => item.Seq)!)
            .Where(item => !item.IsDeletion)
            .OrderBy(item => item.Key),
    ];

    /// <summary>Changes the version of a file system item that counts, where it lies.</summary>
    public void EditLive<T>(ItemKey key, VolumeEdit<T> edit)
        where T : unmanaged
        => EditValue(TreeOf(key), key, edit);

    /// <summary>Replaces the value of the version of a file system item that counts.</summary>
    public void ReplaceLive(ItemKey key, Func<byte[], byte[]> change) =>
        ReplaceValue(TreeOf(key), key, change);

    /// <summary>Removes every version of a file system item.</summary>
    public void RemoveLive(ItemKey key)
    {
        _ = TreeOf(key);
        foreach (var root in ForestRoots.ToList())
        {
            if (Find(root, key) is not null)
                Remove(root, key);
        }
    }

    /// <summary>The value of a live item as a struct.</summary>
    public T Live<T>(ItemKey key)
        where T : unmanaged
        => Disk.Ref<T>(FindLive(key)!.Value.AsSpan());

    /// <summary>An inode.</summary>
    public InodeItem Inode(ulong ino)
    {
        var item = default(InodeItem);
        FindLive(Keys.Inode(ino))!.Value.CopyTo(Disk.MutableBytes(ref item));
        return item;
    }

    /// <summary>Changes an inode item.</summary>
    public void EditInode(ulong ino, VolumeEdit<InodeItem> edit) => ReplaceLive(Keys.Inode(ino), value =>
    {
        var item = default(InodeItem);
        value.CopyTo(Disk.MutableBytes(ref item));
        edit(ref item);
        return Disk.Bytes(in item)[..value.Length].ToArray();
    });

    /// <summary>A log trees item.</summary>
    public LogTrees Log(ulong rid, ulong nr) =>
        Disk.Ref<LogTrees>(Find(Super.LogsRoot, Keys.LogTrees(rid, nr))!.Value.AsSpan());

    /// <summary>Changes a log trees item.</summary>
    public void EditLog(ulong rid, ulong nr, VolumeEdit<LogTrees> edit) =>
        EditValue(Super.LogsRoot, Keys.LogTrees(rid, nr), edit);

    private IEnumerable<ulong> Children(ulong parent) =>
        ItemsOf(parent).Select(item => Disk.Ref<BlockRef>(item.Value.AsSpan()).Blkno.Value);
}
