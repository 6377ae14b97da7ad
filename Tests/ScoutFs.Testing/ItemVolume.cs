using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>A volume made of whatever items a test wants, valid or not, all in fs_root.</summary>
/// <remarks>Only what readers look at is there: no free blocks, no quorum blocks, no indexes.</remarks>
public sealed class ItemVolume
{
    /// <summary>Blocks of the data device; 64 and on may be used.</summary>
    public const ulong TotalDataBlocks = 4096;

    private const ulong Fsid = 0x726561646572;
    private const ulong TotalMetaBlocks = 1024;

    private ulong _nextBlkno = 16;

    /// <summary>The items.</summary>
    public SortedDictionary<ItemKey, byte[]> Items { get; } = [];

    /// <summary>1 or 2.</summary>
    public ulong FormatVersion { get; set; } = 2;

    /// <summary>The metadata device.</summary>
    public MemoryBlockDevice Meta { get; } =
        new("meta.img", (long)TotalMetaBlocks * FormatConstants.LargeBlockBytes);

    /// <summary>The data device; contents are written by the test.</summary>
    public MemoryBlockDevice Data { get; } =
        new("data.img", (long)TotalDataBlocks * FormatConstants.SmallBlockBytes);

    /// <summary>Blocks of the last tree that was written.</summary>
    public List<ulong> TreeBlocks { get; } = [];

    /// <summary>A name or target as bytes.</summary>
    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Adds an inode.</summary>
    public ItemVolume AddInode(ulong ino, uint mode, ulong size = 0, uint nlink = 1, uint flags = 0)
    {
        var inode = new InodeItem { Size = size, Mode = mode, Nlink = nlink, Flags = flags };
        Items[Keys.Inode(ino)] = Disk.Bytes(in inode).ToArray();
        return this;
    }

    /// <summary>Adds the inode of a directory.</summary>
    public ItemVolume AddDirectory(ulong ino) => AddInode(ino, FileMode.Directory | 0x1ed, nlink: 2);

    /// <summary>Adds the inode of a file.</summary>
    public ItemVolume AddFile(ulong ino, ulong size = 0) => AddInode(ino, FileMode.Regular | 0x1a4, size);

    /// <summary>Adds a symbolic link.</summary>
    public ItemVolume AddSymlink(ulong ino, string target)
    {
        byte[] stored = [.. Bytes(target), 0];
        AddInode(ino, FileMode.Symlink | 0x1ff, (ulong)stored.Length);
        for (int part = 0; part * 896 < stored.Length; part++)
            Items[Keys.Symlink(ino, (ulong)part)] = stored[(part * 896)..Math.Min(stored.Length, (part + 1) * 896)];
        return this;
    }

    /// <summary>Adds the three items of an entry.</summary>
    public ItemVolume Link(ulong dir, ulong pos, string name, ulong ino, DirentType type = DirentType.Regular) =>
        Link(dir, pos, Bytes(name), ino, type);

    /// <summary>Adds the items of an entry, with or without that of the target.</summary>
    public ItemVolume Link(ulong dir, ulong pos, byte[] name, ulong ino, DirentType type, bool withBackref = true)
    {
        var header = new DirentHeader { Ino = ino, Hash = NameHash.Compute(name), Pos = pos, Type = (byte)type };
        byte[] value = [.. Disk.Bytes(in header), .. name];
        Items[Keys.Dirent(dir, header.Hash, pos)] = value;
        Items[Keys.Readdir(dir, pos)] = value;
        if (withBackref)
            Items[Keys.LinkBackref(ino, dir, pos)] = value;
        return this;
    }

    /// <summary>Adds the parts of an extended attribute.</summary>
    public ItemVolume AddXattr(ulong ino, ulong id, string name, byte[] value)
    {
        byte[] nameBytes = Bytes(name);
        var header = new XattrHeader { NameLen = (byte)nameBytes.Length, ValLen = (ushort)value.Length };
        byte[] all = [.. Disk.Bytes(in header), .. nameBytes, .. value];
        for (int part = 0; part * 896 < all.Length; part++)
        {
            Items[Keys.Xattr(ino, XattrName.Hash(nameBytes), id, (byte)part)] =
                all[(part * 896)..Math.Min(all.Length, (part + 1) * 896)];
        }

        return this;
    }

    /// <summary>Adds an extent.</summary>
    public ItemVolume AddExtent(ulong ino, ulong logical, ulong count, ulong physical, byte flags = 0)
    {
        var item = new DataExtentItem { Blkno = physical, Flags = flags };
        Items[Keys.DataExtent(ino, logical + count - 1, count)] = Disk.Bytes(in item).ToArray();
        return this;
    }

    /// <summary>Writes the items into blocks that were not used before, and the super blocks.</summary>
    public async Task WriteAsync(int maxItemsPerBlock = int.MaxValue)
    {
        TreeBlocks.Clear();
        var loader = new TreeBulkLoader(Meta, Fsid, NextBlkno, maxItemsPerBlock);
        foreach (var (key, value) in Items)
            await loader.AddAsync(key, value, seq: 1);
        var root = await loader.FinishAsync();
        await WriteSuperAsync(Meta, SuperBlock.FlagMeta, root);
        await WriteSuperAsync(Data, 0, root);

        ulong NextBlkno()
        {
            TreeBlocks.Add(_nextBlkno);
            return _nextBlkno++;
        }
    }

    /// <summary>Destroys the blocks of the last tree that was written.</summary>
    public async Task OverwriteTreeAsync()
    {
        foreach (ulong blkno in TreeBlocks)
        {
            _ = await Meta.WriteAsync(
                (long)blkno * FormatConstants.LargeBlockBytes,
                new byte[FormatConstants.LargeBlockBytes],
                CancellationToken.None);
        }
    }

    /// <summary>Writes the volume and opens it.</summary>
    public async Task<OfflineVolume> OpenAsync(int maxItemsPerBlock = int.MaxValue)
    {
        await WriteAsync(maxItemsPerBlock);
        return await OfflineVolume.OpenAsync(Meta, Data, 4 << 20, CancellationToken.None);
    }

    private async Task WriteSuperAsync(MemoryBlockDevice device, ulong flags, BtreeRoot root)
    {
        byte[] block = new byte[FormatConstants.SmallBlockBytes];
        Fill();
        _ = await SmallBlocks.WriteAsync(device, FormatConstants.SuperBlkno, block, CancellationToken.None);

        void Fill()
        {
            ref var super = ref Disk.Ref<SuperBlock>(block.AsSpan());
            super.Header.Magic = (uint)BlockMagic.Super;
            super.Header.Fsid = Fsid;
            super.Header.Blkno = FormatConstants.SuperBlkno;
            super.FormatVersion = FormatVersion;
            super.Flags = flags;
            super.TotalMetaBlocks = TotalMetaBlocks;
            super.TotalDataBlocks = TotalDataBlocks;
            super.FsRoot = root;
        }
    }
}
