using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Acceptance rows of engine §15 that one node can show; docs/ACCEPTANCE.md has the list.</summary>
internal abstract class AcceptanceFixture : MountedFixture
{
    /// <summary>The count of a test: as in the row when SCOUTFS_ROWS is "full", which takes minutes.</summary>
    protected static int Count(int usual, int ofTheRow) =>
        Environment.GetEnvironmentVariable("SCOUTFS_ROWS") == "full" ? ofTheRow : usual;

    protected async Task WriteBlocksAsync(ulong ino, ulong first, int count = 1) =>
        await WriteAsync(ino, first * Block, Random(count * (int)Block, first + 1));

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
    protected async Task<List<FileExtent>> ExtentsOnDiskAsync(ulong ino)
    {
        await SyncAsync();
        using var volume = await OfflineVolume.OpenAsync(Meta, Data, OfflineVolume.DefaultCacheBytes, None);
        using var reader = new VolumeReader(volume);
        var extents = new List<FileExtent>();
        Assert.That(await reader.ReadExtentsAsync(ino, 0, extents, int.MaxValue, None), Is.False);
        return extents;
    }

    protected async Task<WireStatFs> StatFsAsync()
    {
        var (error, counts) = await Fs.StatFsAsync(None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return counts;
    }

    protected static async Task ForEachAsync(int count, Func<int, Task> body) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(i => Task.Run(() => body(i))));
}
