using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>Writes a valid volume of any number of files directly, block after block, in constant memory.</summary>
/// <remarks>
/// <c>/d00000000…/f00000000…</c>: one level of directories with files of one extent each. A file costs seven
/// items: inode, directory entry, position, back reference, extent and two index entries. All items are in fs_root.
/// </remarks>
public sealed class GeneratedVolume
{
    private const ulong Fsid = 0x67656e6572617465;
    private const ulong ItemSeq = 2;
    private const ulong TransSeq = 2;
    private const int InitialAvail = 1024;

    private readonly IBlockDevice _meta;
    private readonly IBlockDevice _data;
    private readonly ulong _directories;
    private readonly ulong _filesPerDirectory;
    private readonly ulong _blocksPerFile;
    private readonly Memory<byte> _scratch = AlignedBuffer.Create(FormatConstants.LargeBlockBytes);

    private ulong _nextBlkno = FormatConstants.FirstMetaBlkno;

    private GeneratedVolume(
        IBlockDevice meta, IBlockDevice data, ulong directories, ulong filesPerDirectory, ulong blocksPerFile)
    {
        _meta = meta;
        _data = data;
        _directories = directories;
        _filesPerDirectory = filesPerDirectory;
        _blocksPerFile = blocksPerFile;
    }

    /// <summary>Items in the file system tree of a volume of these dimensions.</summary>
    public static ulong ItemCount(ulong directories, ulong filesPerDirectory) =>
        2 + (5 * directories) + (7 * directories * filesPerDirectory);

    /// <summary>Bytes of metadata device that a volume of these dimensions needs, generously.</summary>
    public static long MetaBytes(ulong directories, ulong filesPerDirectory) =>
        (long)(((directories * filesPerDirectory / 60) + (directories / 20) + 4096) * FormatConstants.LargeBlockBytes);

    /// <summary>Bytes of data device that a volume of these dimensions needs.</summary>
    public static long DataBytes(ulong directories, ulong filesPerDirectory, ulong blocksPerFile = 1) =>
        (long)(((directories * filesPerDirectory * blocksPerFile) + 4096) * FormatConstants.SmallBlockBytes);

    /// <summary>Builds the volume; the devices' old contents outside of what is written do not matter.</summary>
    /// <remarks>File contents are whatever the data device holds.</remarks>
    public static Task BuildAsync(
        IBlockDevice meta,
        IBlockDevice data,
        ulong directories,
        ulong filesPerDirectory,
        ulong blocksPerFile = 1) =>
        new GeneratedVolume(meta, data, directories, filesPerDirectory, blocksPerFile).BuildAsync();

    private static byte[] FileName(ulong number) =>
        Encoding.ASCII.GetBytes("f" + number.ToString("d8", CultureInfo.InvariantCulture));

    private static byte[] DirectoryName(ulong number) =>
        Encoding.ASCII.GetBytes("d" + number.ToString("d8", CultureInfo.InvariantCulture));

    private static byte[] Dirent(ulong ino, byte[] name, ulong pos, DirentType type)
    {
        var value = new byte[32 + name.Length];
        ref var header = ref Disk.Ref<DirentHeader>(value.AsSpan());
        header.Ino = ino;
        header.Hash = NameHash.Compute(name);
        header.Pos = pos;
        header.Type = (byte)type;
        name.CopyTo(value, 32);
        return value;
    }

    private static byte[] Inode(ulong size, uint nlink, uint mode, ulong onlineBlocks, ulong nextPos)
    {
        var time = new Timespec { Sec = 1_700_000_000, Nsec = 123 };
        var inode = new InodeItem
        {
            Size = size,
            MetaSeq = TransSeq,
            DataSeq = TransSeq,
            OnlineBlocks = onlineBlocks,
            NextReaddirPos = nextPos,
            Nlink = nlink,
            Mode = mode,
            Atime = time,
            Ctime = time,
            Mtime = time,
            Crtime = time,
        };
        return Disk.Bytes(in inode).ToArray();
    }

    private async Task BuildAsync()
    {
        ulong totalMeta = (ulong)_meta.SizeBytes / FormatConstants.LargeBlockBytes;
        ulong totalData = (ulong)_data.SizeBytes / FormatConstants.SmallBlockBytes;
        var fsRoot = await BuildFsRootAsync();
        ulong firstFreeData =
            FormatConstants.FirstDataBlkno + (_directories * _filesPerDirectory * _blocksPerFile);
        var dataAlloc = await BuildFreeAsync(firstFreeData, totalData - firstFreeData);
        var avail = await BuildAvailAsync();
        ulong allocBlkno = _nextBlkno++;
        var metaAlloc = await BuildFreeAsync(_nextBlkno, totalMeta - _nextBlkno, allocBlkno);
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
            await WriteQuorumAsync(slot);
        await WriteSuperAsync(_data, 0, totalMeta, totalData, fsRoot, dataAlloc, metaAlloc, avail);
        await WriteSuperAsync(_meta, SuperBlock.FlagMeta, totalMeta, totalData, fsRoot, dataAlloc, metaAlloc, avail);
    }

    private async Task<BtreeRoot> BuildFsRootAsync()
    {
        var loader = new TreeBulkLoader(_meta, Fsid, () => _nextBlkno++);
        ulong inosPerDirectory = _filesPerDirectory + 1;
        await loader.AddAsync(Keys.MetaSeqIndex(TransSeq, FormatConstants.RootIno), default, ItemSeq);
        for (ulong i = 0; i < _directories * inosPerDirectory; i++)
            await loader.AddAsync(Keys.MetaSeqIndex(TransSeq, FormatConstants.FirstFreeIno + i), default, ItemSeq);
        for (ulong i = 0; i < _directories * inosPerDirectory; i++)
        {
            if (i % inosPerDirectory != 0)
                await loader.AddAsync(Keys.DataSeqIndex(TransSeq, FormatConstants.FirstFreeIno + i), default, ItemSeq);
        }

        var children = new List<(byte[] Name, ulong Ino)>();
        for (ulong d = 0; d < _directories; d++)
            children.Add((DirectoryName(d), FormatConstants.FirstFreeIno + (d * inosPerDirectory)));
        await AddDirectoryAsync(
            loader, FormatConstants.RootIno, children, DirentType.Directory, 2 + (uint)_directories);
        for (ulong d = 0; d < _directories; d++)
        {
            ulong dir = FormatConstants.FirstFreeIno + (d * inosPerDirectory);
            children.Clear();
            for (ulong f = 0; f < _filesPerDirectory; f++)
                children.Add((FileName(f), dir + 1 + f));
            await AddDirectoryAsync(loader, dir, children, DirentType.Regular, 2);
            await loader.AddAsync(
                Keys.LinkBackref(dir, FormatConstants.RootIno, 2 + d),
                Dirent(dir, DirectoryName(d), 2 + d, DirentType.Directory),
                ItemSeq);
            for (ulong f = 0; f < _filesPerDirectory; f++)
                await AddFileAsync(loader, dir, f, (d * _filesPerDirectory) + f, _blocksPerFile);
        }

        return await loader.FinishAsync();
    }

    private static async Task AddDirectoryAsync(
        TreeBulkLoader loader, ulong dir, List<(byte[] Name, ulong Ino)> children, DirentType type, uint nlink)
    {
        ulong size = 0;
        var byHash = new List<(ulong Hash, ulong Pos)>(children.Count);
        for (int i = 0; i < children.Count; i++)
        {
            size += (ulong)children[i].Name.Length;
            byHash.Add((NameHash.Compute(children[i].Name), 2 + (ulong)i));
        }

        byHash.Sort();
        uint mode = FileMode.Directory | 0x1ed;
        await loader.AddAsync(Keys.Inode(dir), Inode(size, nlink, mode, 0, 2 + (ulong)children.Count), ItemSeq);
        foreach (var (hash, pos) in byHash)
        {
            var (name, ino) = children[(int)(pos - 2)];
            await loader.AddAsync(Keys.Dirent(dir, hash, pos), Dirent(ino, name, pos, type), ItemSeq);
        }

        for (int i = 0; i < children.Count; i++)
        {
            ulong pos = 2 + (ulong)i;
            var (name, ino) = children[i];
            await loader.AddAsync(Keys.Readdir(dir, pos), Dirent(ino, name, pos, type), ItemSeq);
        }
    }

    private static async Task AddFileAsync(
        TreeBulkLoader loader, ulong dir, ulong number, ulong index, ulong blocks)
    {
        ulong ino = dir + 1 + number;
        await loader.AddAsync(
            Keys.Inode(ino),
            Inode(blocks * FormatConstants.SmallBlockBytes, 1, FileMode.Regular | 0x1a4, blocks, 2),
            ItemSeq);
        await loader.AddAsync(
            Keys.LinkBackref(ino, dir, 2 + number),
            Dirent(ino, FileName(number), 2 + number, DirentType.Regular),
            ItemSeq);
        var extent = new DataExtentItem { Blkno = FormatConstants.FirstDataBlkno + (index * blocks) };
        await loader.AddAsync(Keys.DataExtent(ino, blocks - 1, blocks), Disk.Bytes(in extent).ToArray(), ItemSeq);
    }

    private async Task<AllocRoot> BuildFreeAsync(ulong start, ulong count, ulong blkno = 0)
    {
        var loader = new TreeBulkLoader(_meta, Fsid, () => blkno != 0 ? blkno : _nextBlkno++);
        await loader.AddAsync(Keys.FreeByLocation(start + count - 1, count), default);
        await loader.AddAsync(Keys.FreeBySize(start + count - 1, count), default);
        return new AllocRoot { TotalLen = count, Root = await loader.FinishAsync() };
    }

    private async Task<AllocListHead> BuildAvailAsync()
    {
        ulong blkno = _nextBlkno++;
        Fill(blkno);
        await WriteLargeAsync(blkno);
        _nextBlkno += InitialAvail;
        return new AllocListHead
        {
            Ref = new BlockRef(blkno, 1),
            TotalNr = InitialAvail,
            FirstNr = InitialAvail,
        };

        void Fill(ulong listBlkno)
        {
            _scratch.Span.Clear();
            ref var list = ref Disk.Ref<AllocListBlock>(_scratch.Span);
            list.Header.Magic = (uint)BlockMagic.AllocList;
            list.Header.Fsid = Fsid;
            list.Header.Seq = 1;
            list.Header.Blkno = listBlkno;
            list.Nr = InitialAvail;
            var entries = Disk.Slice<Le64>(_scratch.Span, 56, InitialAvail);
            for (int i = 0; i < InitialAvail; i++)
                entries[i] = listBlkno + 1 + (ulong)i;
            list.Header.Crc = Crc32C.Compute(_scratch.Span[4..]);
        }
    }

    private async Task WriteLargeAsync(ulong blkno)
    {
        var error = await _meta.WriteAsync(
            (long)blkno * FormatConstants.LargeBlockBytes, _scratch, CancellationToken.None);
        Invariant.Require(error == FsError.None);
    }

    private async Task WriteQuorumAsync(int slot)
    {
        _scratch.Span.Clear();
        Stamp(BlockMagic.Quorum, FormatConstants.QuorumBlkno + (ulong)slot);
        await WriteSmallAsync(_meta, FormatConstants.QuorumBlkno + (ulong)slot);
    }

    private async Task WriteSuperAsync(
        IBlockDevice device,
        ulong flags,
        ulong totalMeta,
        ulong totalData,
        BtreeRoot fsRoot,
        AllocRoot dataAlloc,
        AllocRoot metaAlloc,
        AllocListHead avail)
    {
        _scratch.Span.Clear();
        Fill();
        Stamp(BlockMagic.Super, FormatConstants.SuperBlkno);
        await WriteSmallAsync(device, FormatConstants.SuperBlkno);

        void Fill()
        {
            ref var super = ref Disk.Ref<SuperBlock>(_scratch.Span);
            super.FormatVersion = 2;
            super.Flags = flags;
            super.Uuid[0] = 1;
            super.Seq = ItemSeq + 1;
            super.NextIno = FormatConstants.FirstFreeIno + (_directories * (_filesPerDirectory + 1));
            super.InodeCount = 1 + (_directories * (_filesPerDirectory + 1));
            super.TotalMetaBlocks = totalMeta;
            super.TotalDataBlocks = totalData;
            super.QuorumConfig.Version = 1;
            super.QuorumConfig.Slots[0] = new InetAddress { Family = 1, Port = 12345, Addr = 0x7f000001 };
            super.MetaAlloc[0] = metaAlloc;
            super.DataAlloc = dataAlloc;
            super.ServerMetaAvail[0] = avail;
            super.FsRoot = fsRoot;
        }
    }

    private void Stamp(BlockMagic magic, ulong blkno)
    {
        ref var header = ref Disk.Ref<BlockHeader>(_scratch.Span);
        header.Magic = (uint)magic;
        header.Fsid = Fsid;
        header.Seq = 1;
        header.Blkno = blkno;
        header.Crc = Crc32C.Compute(_scratch.Span[4..FormatConstants.SmallBlockBytes]);
    }

    private async Task WriteSmallAsync(IBlockDevice device, ulong blkno)
    {
        var error = await device.WriteAsync(
            (long)blkno * FormatConstants.SmallBlockBytes,
            _scratch[..FormatConstants.SmallBlockBytes],
            CancellationToken.None);
        Invariant.Require(error == FsError.None);
    }
}
