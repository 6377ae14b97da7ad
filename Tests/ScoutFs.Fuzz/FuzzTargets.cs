using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Fuzz;

/// <summary>Every parser of what is on disk.</summary>
/// <remarks>
/// What is checked in memory is called directly. What is reached only through a volume is put into the smallest sample,
/// in the place where such a block or item belongs, with a good header and checksum: no fuzzer would get past them.
/// </remarks>
internal static class FuzzTargets
{
    /// <summary>All targets.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("btree-block", "a btree block", Sync(RunBtreeBlock), () => FuzzVolumes.LargeAsync(BlockMagic.Btree)),
        new("btree-root", "a btree block, as the root of fs_root", RunFsRootAsync, () =>
            FuzzVolumes.LargeAsync(BlockMagic.Btree)),
        new("super", "a super block", RunSuperAsync, () => FuzzVolumes.SmallAsync(FormatConstants.SuperBlkno, 1)),
        new("quorum", "a quorum block", RunQuorumAsync, () => FuzzVolumes.SmallAsync(FormatConstants.QuorumBlkno, 3)),
        new("list-block", "a block of an allocator list", RunListAsync, () =>
            FuzzVolumes.LargeAsync(BlockMagic.AllocList)),
        new("bloom-block", "a bloom block", RunBloomAsync, () => FuzzVolumes.LargeAsync(BlockMagic.Bloom)),
        new("srch-leaf", "a leaf of a srch file", RunSrchLeafAsync, () => FuzzVolumes.LargeAsync(BlockMagic.SrchLeaf)),
        new("srch-entries", "encoded srch entries", Sync(RunSrchEntries), SrchEntriesAsync),
        new("xattr", "header, name and value of an xattr, cut into parts", RunXattrAsync, () =>
            FuzzVolumes.ValuesAsync(KeyType.Xattr)),
        new("xattr-name", "name of an xattr", Sync(RunXattrName), XattrNamesAsync),
        new("dirent", "value of a directory entry", RunDirentAsync, () => FuzzVolumes.ValuesAsync(KeyType.Dirent)),
        new("inode", "value of an inode", RunInodeAsync, () => FuzzVolumes.ValuesAsync(KeyType.Inode)),
        new("symlink", "target of a symlink, cut into parts", RunSymlinkAsync, () =>
            FuzzVolumes.ValuesAsync(KeyType.Symlink)),
        new("extent", "last block, length, and value of a data extent", RunExtentAsync, ExtentsAsync),
        new("log-trees", "value of a log trees item", RunLogTreesAsync, LogTreesAsync),
        new("packed", "a packed volume", RunPackedAsync, FuzzVolumes.PackedAsync),
        new("packed-body", "contents of a packed volume, not compressed", RunPackedBodyAsync, PackedBodiesAsync),
        new("volume", "a seed for changes all over a volume", RunVolumeAsync, VolumesAsync),
    ];

    /// <summary>A target by name, or null.</summary>
    public static FuzzTarget? Find(string name) => All.FirstOrDefault(target => target.Name == name);

    private static Func<byte[], Task> Sync(Action<byte[]> run) => input =>
    {
        run(input);
        return Task.CompletedTask;
    };

    private static byte[] Resize(byte[] input, int length)
    {
        byte[] block = new byte[length];
        input.AsSpan(0, Math.Min(input.Length, length)).CopyTo(block);
        return block;
    }

    private static void RunBtreeBlock(byte[] input)
    {
        byte[] bytes = Resize(input, FormatConstants.LargeBlockBytes);
        if (BtreeShape.Verify(bytes).IsFound)
            return;
        var block = new BtreeBlock(bytes);
        int forwards = 0;
        for (int offset = block.First(); offset != 0; offset = block.Next(offset))
        {
            forwards++;
            ref readonly var item = ref block.Item(offset);
            Invariant.Require(block.Value(item).Length == item.ValLen);
            Invariant.Require(block.LowerBound(item.Key) == offset);
            if (block.Level != 0)
                continue;

            // The hash may lack items, but what it finds is what was asked for.
            int found = block.FindInLeaf(item.Key);
            Invariant.Require(found == 0 || block.Item(found).Key == item.Key);
        }

        int backwards = 0;
        for (int offset = block.Last(); offset != 0; offset = block.Previous(offset))
            backwards++;
        Invariant.Require(forwards == block.NrItems && backwards == block.NrItems);
    }

    private static Task RunFsRootAsync(byte[] input) => InBlockAsync(
        input, BlockMagic.Btree, volume => volume.BlocksAt(volume.Super.FsRoot, 0)[0]);

    private static Task RunListAsync(byte[] input) => InBlockAsync(
        input, BlockMagic.AllocList, volume => volume.Log(SampleVolume.RidA, 1).MetaFreed.Ref.Blkno);

    private static Task RunBloomAsync(byte[] input) => InBlockAsync(
        input, BlockMagic.Bloom, volume => volume.Log(SampleVolume.RidA, 1).BloomRef.Blkno);

    private static Task RunSrchLeafAsync(byte[] input) => InBlockAsync(
        input, BlockMagic.SrchLeaf, volume => volume.Log(SampleVolume.RidA, 1).SrchFile.Ref.Blkno);

    private static async Task InBlockAsync(byte[] input, BlockMagic magic, Func<VolumeEditor, ulong> place)
    {
        var volume = SampleVolume.Tiny.Edit();
        ulong blkno = place(volume);
        byte[] block = Resize(input, FormatConstants.LargeBlockBytes);
        volume.ReadLarge(blkno).AsSpan(0, 32).CopyTo(block);
        Disk.Ref<BlockHeader>(block.AsSpan()).Magic = (uint)magic;
        volume.WriteLarge(blkno, block);
        await UseAsync(volume);
    }

    private static async Task RunSuperAsync(byte[] input)
    {
        var volume = SampleVolume.Tiny.Edit();
        byte[] block = Resize(input, FormatConstants.SmallBlockBytes);
        ref var header = ref Disk.Ref<BlockHeader>(block.AsSpan());
        header.Magic = (uint)BlockMagic.Super;
        header.Blkno = FormatConstants.SuperBlkno;
        header.Fsid = volume.Super.Header.Fsid;
        VolumeEditor.EditSmall(volume.Meta, FormatConstants.SuperBlkno, old => block.CopyTo(old, 0));

        // Both supers must name one volume, or nothing behind would be reached.
        volume.EditDataSuper((ref SuperBlock data) =>
        {
            data.Uuid = Disk.Ref<SuperBlock>(block.AsSpan()).Uuid;
            data.FormatVersion = Disk.Ref<SuperBlock>(block.AsSpan()).FormatVersion;
        });
        await UseAsync(volume);
    }

    private static async Task RunQuorumAsync(byte[] input)
    {
        var volume = SampleVolume.Tiny.Edit();
        byte[] block = Resize(input, FormatConstants.SmallBlockBytes);
        VolumeEditor.EditSmall(volume.Meta, FormatConstants.QuorumBlkno, old =>
        {
            block.AsSpan(32).CopyTo(old.AsSpan(32));
        });
        await UseAsync(volume);
    }

    private static void RunSrchEntries(byte[] input)
    {
        // Room behind, as in a block, where no entry starts so late that it could end outside.
        var previous = default(SrchEntry);
        Span<byte> encoded = stackalloc byte[SrchEntryCodec.MaxBytes];
        for (int offset = 0; offset < input.Length;)
        {
            int length = SrchEntryCodec.Decode(input.AsSpan(offset), previous, out var entry);
            if (length == 0)
                return;
            Invariant.Require(length is >= 2 and <= SrchEntryCodec.MaxBytes);
            int shortest = SrchEntryCodec.Encode(encoded, previous, entry);
            Invariant.Require(shortest <= length);
            Invariant.Require(SrchEntryCodec.Decode(encoded[..shortest], previous, out var again) == shortest);
            Invariant.Require(again == entry);
            previous = entry;
            offset += length;
        }
    }

    private static Task RunXattrAsync(byte[] input) => InItemsAsync(
        volume => SampleVolume.Tiny.Inos["dir/file"],
        (ino, root, volume) =>
        {
            var name = input.Length > 8 ? input.AsSpan(8, Math.Min(input[2], input.Length - 8)) : default;
            var parts = input.Chunk(FormatConstants.MaxValueBytes).Take(20).ToList();
            for (int part = 0; part < parts.Count; part++)
                Put(volume, root, Keys.Xattr(ino, XattrName.Hash(name), 50, (byte)part), parts[part]);
        });

    private static void RunXattrName(byte[] input)
    {
        if (input.Length > FormatConstants.MaxNameBytes)
            return;
        var tags = XattrName.TagsOf(input);
        _ = XattrName.TryParseTotal(input, out _, out _, out _);
        _ = XattrName.TryParseIndex(input, out _, out _);
        _ = XattrName.TryParseNumber(input, out _);
        Invariant.Require(tags == 0 || input.Length >= XattrName.MinTaggedBytes);
    }

    private static Task RunDirentAsync(byte[] input) => InItemsAsync(
        volume => SampleVolume.Tiny.Inos["dir"],
        (dir, root, volume) =>
        {
            byte[] value = input[..Math.Min(input.Length, FormatConstants.MaxValueBytes)];
            var header = Disk.Ref<DirentHeader>(Resize(value, 32).AsSpan());
            Put(volume, root, Keys.Dirent(dir, header.Hash, header.Pos), value);
            Put(volume, root, Keys.Readdir(dir, header.Pos), value);
            Put(volume, root, Keys.LinkBackref(header.Ino, dir, header.Pos), value);
        });

    private static Task RunInodeAsync(byte[] input) => InItemsAsync(
        volume => SampleVolume.Tiny.Inos["dir/file"],
        (ino, root, volume) => Put(volume, root, Keys.Inode(ino), input));

    private static Task RunSymlinkAsync(byte[] input) => InItemsAsync(
        volume => SampleVolume.Tiny.Inos["link"],
        (ino, root, volume) =>
        {
            var parts = input.Chunk(FormatConstants.MaxValueBytes).Take(10).ToList();
            for (int part = 0; part < parts.Count; part++)
                Put(volume, root, Keys.Symlink(ino, (ulong)part), parts[part]);
            volume.EditInode(ino, (ref InodeItem inode) => inode.Size = (ulong)input.Length);
        });

    private static Task RunExtentAsync(byte[] input) => InItemsAsync(
        volume => SampleVolume.Tiny.Inos["dir/file"],
        (ino, root, volume) =>
        {
            byte[] bytes = Resize(input, 16 + Math.Clamp(input.Length - 16, 0, 64));
            var numbers = Disk.Slice<Le64>(bytes.AsSpan(), 0, 2);
            Put(volume, root, Keys.DataExtent(ino, numbers[0], numbers[1]), bytes[16..]);
        });

    private static async Task RunLogTreesAsync(byte[] input)
    {
        var volume = SampleVolume.Tiny.Edit();
        byte[] value = input.Length > FormatConstants.MaxValueBytes ? input[..FormatConstants.MaxValueBytes] : input;
        volume.ReplaceValue(volume.Super.LogsRoot, Keys.LogTrees(SampleVolume.RidA, 1), _ => value);
        await UseAsync(volume);
    }

    private static async Task RunPackedAsync(byte[] input)
    {
        const long maxBytes = 1L << 34;
        try
        {
            using var from = new MemoryStream(input);
            var sizes = await PackedVolume.ReadHeaderAsync(from, CancellationToken.None);
            if (sizes.MetaBytes > maxBytes || sizes.DataBytes > maxBytes)
                return;
            await PackedVolume.UnpackAsync(
                from,
                sizes,
                new VolumeEditorDevice("meta", sizes.MetaBytes),
                new VolumeEditorDevice("data", sizes.DataBytes),
                null,
                CancellationToken.None);
        }
        catch (VolumeException)
        {
            // What is no packed volume is refused.
        }
    }

    /// <summary>Compresses and signs the input, which a fuzzer cannot do by chance.</summary>
    private static async Task RunPackedBodyAsync(byte[] input)
    {
        using var compressed = new MemoryStream();
        await using (var body = new BrotliStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            await body.WriteAsync(input);
        byte[] file =
        [
            .. "SCOUTPAK"u8, 1, 0, 0, 0, 0, 0, 0, 0, .. Bytes(16UL << 20), .. Bytes(4UL << 20),
            .. compressed.ToArray(),
        ];
        await RunPackedAsync([.. file, .. SHA256.HashData(file)]);
    }

    private static async Task RunVolumeAsync(byte[] input)
    {
        var volume = SampleVolume.Tiny.Edit();
        var random = new Prng(Fnv1a.Hash64(input));
        var mutator = new VolumeEditorMutator(volume, random);
        for (int changes = 1 + (input.Length % 8); changes > 0; changes--)
            mutator.Mutate();
        await UseAsync(volume);
    }

    private static async Task InItemsAsync(
        Func<VolumeEditor, ulong> inodeOf, Action<ulong, BtreeRoot, VolumeEditor> put)
    {
        var volume = SampleVolume.Tiny.Edit();
        try
        {
            put(inodeOf(volume), volume.Super.FsRoot, volume);
        }
        catch (InvalidOperationException)
        {
            // There is no room for so much in one leaf.
            return;
        }

        await UseAsync(volume);
    }

    private static void Put(VolumeEditor volume, BtreeRoot root, ItemKey key, byte[] value)
    {
        byte[] stored = value.Length > FormatConstants.MaxValueBytes ? value[..FormatConstants.MaxValueBytes] : value;
        volume.Rebuild(volume.Path(root, key)[^1], items =>
        {
            _ = items.RemoveAll(item => item.Key == key);

            // Newer than the log's version, if there is one.
            items.Add(new VolumeEditorItem(key, 15, 0, stored));
        });
    }

    private static async Task UseAsync(VolumeEditor volume)
    {
        foreach (var (_, use) in VolumeEditorProbe.Uses)
            await use(volume.Meta, volume.Data, CancellationToken.None);
    }

    private static async Task<IReadOnlyList<byte[]>> SrchEntriesAsync() =>
        [.. (await FuzzVolumes.LargeAsync(BlockMagic.SrchLeaf)).Select(leaf =>
            leaf[SampleVolumeSrch.EntriesOffset..(SampleVolumeSrch.EntriesOffset + 400)])];

    private static async Task<IReadOnlyList<byte[]>> XattrNamesAsync() =>
        [.. (await FuzzVolumes.ValuesAsync(KeyType.Xattr)).Select(value => value[8..(8 + value[2])])];

    private static async Task<IReadOnlyList<byte[]>> ExtentsAsync()
    {
        List<byte[]> extents = [];
        foreach (var volume in await FuzzVolumes.AllAsync())
        {
            extents.AddRange(volume.LiveItems()
                .Where(item => item.Key.Zone == KeyZone.Fs && item.Key.Type == KeyType.DataExtent)
                .Take(12)
                .Select(item => (byte[])[.. Bytes(item.Key.Second), .. Bytes(item.Key.Third), .. item.Value]));
        }

        return extents;
    }

    private static async Task<IReadOnlyList<byte[]>> PackedBodiesAsync()
    {
        byte[] file = (await FuzzVolumes.PackedAsync())[0];
        using var compressed = new MemoryStream(file[PackedVolume.HeaderBytes..^SHA256.HashSizeInBytes]);
        using var body = new BrotliStream(compressed, CompressionMode.Decompress);
        using var plain = new MemoryStream();
        await body.CopyToAsync(plain);

        // A body of two empty devices, one with one small extent, and a real one.
        byte[] nothing = new byte[2 * 12];
        byte[] one = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, .. new byte[4096], .. nothing];
        return [nothing, one, plain.ToArray()];
    }

    private static byte[] Bytes(Le64 number) => Disk.Bytes(in number).ToArray();

    private static async Task<IReadOnlyList<byte[]>> LogTreesAsync() =>
        [.. (await FuzzVolumes.AllAsync()).SelectMany(volume => volume.Items(volume.Super.LogsRoot))
            .Select(item => item.Value)];

    private static Task<IReadOnlyList<byte[]>> VolumesAsync() =>
        Task.FromResult<IReadOnlyList<byte[]>>([.. Enumerable.Range(1, 8).Select(length => new byte[length])]);
}
