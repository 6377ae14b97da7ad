using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Acceptance rows of engine §15 that one node can show; docs/ACCEPTANCE.md has the list.</summary>
internal abstract class AcceptanceFixture : MountedFixture
{
    protected const ulong Root = FormatConstants.RootIno;
    protected const ulong Block = FormatConstants.SmallBlockBytes;
    protected const uint RegularMode = FileMode.Regular | 0x1a4;
    protected const uint DirectoryMode = FileMode.Directory | 0x1ed;

    /// <summary>The count of a test: as in the row when SCOUTFS_ROWS is "full", which takes minutes.</summary>
    protected static int Count(int usual, int ofTheRow) =>
        Environment.GetEnvironmentVariable("SCOUTFS_ROWS") == "full" ? ofTheRow : usual;

    protected static byte[] Random(int count, ulong seed = 5)
    {
        byte[] bytes = new byte[count];
        new Prng(seed).Fill(bytes);
        return bytes;
    }

    protected async Task<ulong> CreateAsync(
        string name, ulong directory = Root, uint mode = RegularMode, uint uid = 0, uint gid = 0)
    {
        var (error, ino, _) = await TryCreateAsync(name, directory, mode, uid, gid);
        Assert.That(error, Is.EqualTo(FsError.None), name);
        return ino;
    }

    protected ValueTask<(FsError Error, ulong Ino, InodeItem Item)> TryCreateAsync(
        string name, ulong directory = Root, uint mode = RegularMode, uint uid = 0, uint gid = 0) =>
        Fs.CreateAsync(directory, Name(name), mode, 0, default, new Creator(uid, gid, Fs.Now), None);

    protected Task<ulong> MakeDirectoryAsync(string name, ulong directory = Root) =>
        CreateAsync(name, directory, DirectoryMode);

    protected async Task WriteAsync(ulong ino, ulong offset, byte[] bytes) => Assert.That(
        await Fs.WriteAsync(ino, offset, bytes, false, false, None), Is.EqualTo((FsError.None, bytes.Length)));

    protected async Task WriteBlocksAsync(ulong ino, ulong first, int count = 1) =>
        await WriteAsync(ino, first * Block, Random(count * (int)Block, first + 1));

    protected async Task<byte[]> ReadAsync(ulong ino, ulong offset, int length)
    {
        byte[] bytes = Random(length, 99);
        var (error, count) = await Fs.ReadAsync(ino, offset, bytes, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return bytes[..count];
    }

    protected async Task<InodeItem> InodeAsync(ulong ino)
    {
        var (error, inode) = await Fs.GetAttributesAsync(ino, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return inode;
    }

    protected async Task<ulong> VersionAsync(ulong ino) => (await InodeAsync(ino)).DataVersion;

    protected async Task<(ulong Online, ulong Offline)> CountsAsync(ulong ino)
    {
        var inode = await InodeAsync(ino);
        return (inode.OnlineBlocks, inode.OfflineBlocks);
    }

    /// <summary>Releases a whole file of the version that it has.</summary>
    protected async Task ReleaseAsync(ulong ino)
    {
        var inode = await InodeAsync(ino);
        ulong end = (inode.Size.Value + Block - 1) / Block * Block;
        Assert.That(await Fs.ReleaseAsync(ino, 0, end, inode.DataVersion, None), Is.EqualTo(FsError.None));
    }

    protected async Task StageAsync(ulong ino, ulong offset, byte[] bytes)
    {
        ulong version = await VersionAsync(ino);
        Assert.That(
            await Fs.StageAsync(ino, offset, bytes, version, None), Is.EqualTo((FsError.None, bytes.Length)));
    }

    protected async Task SyncAsync() => Assert.That(await Fs.SyncAsync(None), Is.EqualTo(FsError.None));

    protected async Task UnlinkAsync(string name, ulong directory = Root) => Assert.That(
        await Fs.UnlinkAsync(directory, Name(name), false, None), Is.EqualTo(FsError.None), name);

    protected async Task<FsError> SetXattrAsync(
        ulong ino, string name, byte[]? value, XattrMode mode = XattrMode.Any) =>
        await Fs.SetXattrAsync(ino, Name(name), value, mode, None);

    protected async Task<List<ListedEntry>> ListAsync(ulong directory, ulong from = 0, int batch = 100)
    {
        var all = new List<ListedEntry>();
        var entries = new List<ListedEntry>();
        for (bool isEnd = false; !isEnd;)
        {
            (var error, isEnd) = await Fs.ListAsync(directory, from, entries, batch, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            all.AddRange(entries);
            from = all.Count == 0 ? from : all[^1].Pos + 1;
        }

        return all;
    }

    /// <summary>Extents of a file as they are on disk, once everything is committed.</summary>
    protected async Task<List<FileExtent>> ExtentsAsync(ulong ino)
    {
        await SyncAsync();
        using var volume = await OfflineVolume.OpenAsync(Meta, Data, OfflineVolume.DefaultCacheBytes, None);
        using var reader = new VolumeReader(volume);
        var extents = new List<FileExtent>();
        Assert.That(await reader.ReadExtentsAsync(ino, 0, extents, int.MaxValue, None), Is.False);
        return extents;
    }

    protected async Task<DataWaiting[]> WaitersAsync(int count)
    {
        while (Fs.ListWaiting(0, 0, 1000).Count < count)
            await Task.Yield();
        return [.. Fs.ListWaiting(0, 0, 1000)];
    }

    protected async Task<WireStatFs> StatFsAsync()
    {
        var (error, counts) = await Fs.StatFsAsync(None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return counts;
    }

    protected async Task DrainAsync() =>
        Assert.That(await Node.Mount.Deletion.DrainAsync(), Is.EqualTo(FsError.None));

    protected static async Task ForEachAsync(int count, Func<int, Task> body) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(i => Task.Run(() => body(i))));
}
