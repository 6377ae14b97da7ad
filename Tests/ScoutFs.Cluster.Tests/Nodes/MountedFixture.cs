using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Tests that each have an empty mounted volume, which must be clean once it is unmounted.</summary>
internal abstract class MountedFixture
{
    protected const ulong Root = FormatConstants.RootIno;
    protected const ulong Block = FormatConstants.SmallBlockBytes;
    protected const uint RegularMode = FileMode.Regular | 0x1a4;
    protected const uint DirectoryMode = FileMode.Directory | 0x1ed;

    protected static readonly CancellationToken None = CancellationToken.None;

    private ulong _mounts;

    protected TestNode Node { get; private set; } = null!;

    protected FileSystem Fs => Node.Fs;

    protected IBlockDevice Meta { get; private set; } = null!;

    protected IBlockDevice Data { get; private set; } = null!;

    [SetUp]
    public async Task MountAsync()
    {
        (Meta, Data) = await FormatAsync();
        await StartAsync();
    }

    [TearDown]
    public async Task UnmountAndCheckAsync()
    {
        await Node.UnmountAsync();
        await CheckAsync(Meta, Data);
        await Data.DisposeAsync();
        await Meta.DisposeAsync();
    }

    /// <summary>Nothing may be wrong with a volume, nothing leaked.</summary>
    public static async Task CheckAsync(IBlockDevice meta, IBlockDevice data)
    {
        var report = await VolumeChecker.CheckAsync(meta, data, new CheckOptions(), null, None);
        Assert.That(report.Findings.Select(static finding => finding.ToString()), Is.Empty);
    }

    /// <summary>Makes the volume of each test.</summary>
    protected virtual Task<(IBlockDevice Meta, IBlockDevice Data)> FormatAsync() => TestNode.FormatAsync();

    /// <summary>Unmounts cleanly and mounts again: nothing is cached after this.</summary>
    protected async Task RemountAsync(MountOptions? options = null)
    {
        await Node.UnmountAsync();
        await StartAsync(options);
    }

    /// <summary>Stops without unmounting, and mounts again once the dead mount is confirmed dead.</summary>
    protected async Task CrashAndMountAsync(MountOptions? options = null)
    {
        await Node.DisposeAsync();
        await StartAsync(options);
    }

    protected async Task StartAsync(MountOptions? options = null) =>
        Node = await TestNode.StartAsync(Meta, Data, ++_mounts, options);

    protected static byte[] Name(string text) => Encoding.UTF8.GetBytes(text);

    protected static byte[] Random(int count, ulong seed = 5)
    {
        byte[] bytes = new byte[count];
        new Prng(seed).Fill(bytes);
        return bytes;
    }

    protected ValueTask<(FsError Error, ulong Ino, InodeItem Item)> TryCreateAsync(
        string name,
        ulong directory = Root,
        uint mode = RegularMode,
        uint uid = 0,
        uint gid = 0,
        uint umask = 0,
        string target = "") =>
        Fs.CreateAsync(directory, Name(name), mode, 0, Name(target), new Creator(uid, gid, Fs.Now, umask), None);

    protected async Task<ulong> CreateAsync(
        string name,
        ulong directory = Root,
        uint mode = RegularMode,
        uint uid = 0,
        uint gid = 0,
        uint umask = 0,
        string target = "")
    {
        var (error, ino, _) = await TryCreateAsync(name, directory, mode, uid, gid, umask, target);
        Assert.That(error, Is.EqualTo(FsError.None), name);
        return ino;
    }

    protected Task<ulong> MakeDirectoryAsync(string name, ulong directory = Root) =>
        CreateAsync(name, directory, DirectoryMode);

    protected async Task<ulong> MakeFileAsync(string name, byte[] contents)
    {
        ulong ino = await CreateAsync(name);
        await WriteAsync(ino, 0, contents);
        return ino;
    }

    protected async Task UnlinkAsync(string name, ulong directory = Root) => Assert.That(
        await Fs.UnlinkAsync(directory, Name(name), false, None), Is.EqualTo(FsError.None), name);

    protected async Task WriteAsync(ulong ino, ulong offset, byte[] bytes) => Assert.That(
        await Fs.WriteAsync(ino, offset, bytes, false, false, None), Is.EqualTo((FsError.None, bytes.Length)));

    /// <summary>What is read into a buffer that had other contents.</summary>
    protected async Task<byte[]> ReadAsync(ulong ino, ulong offset, int length)
    {
        byte[] bytes = Random(length, 99);
        var (error, count) = await Fs.ReadAsync(ino, offset, bytes, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return bytes[..count];
    }

    /// <summary>All of a file.</summary>
    protected async Task<byte[]> ContentsAsync(ulong ino)
    {
        int length = (int)(await InodeAsync(ino)).Size.Value;
        byte[] bytes = await ReadAsync(ino, 0, length);
        Assert.That(bytes, Has.Length.EqualTo(length));
        return bytes;
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

    /// <summary>The file's extents as start, end, "o"ffline and "u"nwritten, without device blocks.</summary>
    protected async Task<string> ExtentsAsync(ulong ino)
    {
        var extents = new List<DataExtent>();
        var (error, isLast) = await Fs.ListExtentsAsync(ino, 0, ulong.MaxValue, extents, 1000, None);
        Assert.That((error, isLast), Is.EqualTo((FsError.None, true)));
        return string.Join(' ', extents.Select(static extent => FormattableString.Invariant(
            $"{extent.Start}-{extent.End}{(extent.IsOffline ? "o" : "")}{(extent.IsUnwritten ? "u" : "")}")));
    }

    protected async Task<FsError> TrySetXattrAsync(
        ulong ino, string name, byte[]? value, XattrMode mode = XattrMode.Any) =>
        await Fs.SetXattrAsync(ino, Name(name), value, mode, None);

    protected async Task SetXattrAsync(ulong ino, string name, string? value) => Assert.That(
        await TrySetXattrAsync(ino, name, value is null ? null : Name(value)), Is.EqualTo(FsError.None));

    /// <summary>A committed file that adds to a total.</summary>
    protected async Task<ulong> MakeTotalAsync(string value, string name = "1.2.3")
    {
        ulong ino = await CreateAsync($"total{name}");
        await SetXattrAsync(ino, $"scoutfs.totl.x.{name}", value);
        await SyncAsync();
        return ino;
    }

    /// <summary>A rule for the total 1.2.3, whoever it is.</summary>
    protected static QuotaRuleItem QuotaRule(byte prio = 0, byte op = 0, ulong limit = 0)
    {
        var rule = new QuotaRuleItem { Prio = prio, Op = op, Limit = limit };
        rule.NameVal[0] = 1;
        rule.NameVal[1] = 2;
        rule.NameVal[2] = 3;
        return rule;
    }

    protected async Task SyncAsync() => Assert.That(await Fs.SyncAsync(None), Is.EqualTo(FsError.None));

    /// <summary>Waits until all that can be deleted is.</summary>
    protected async Task DrainAsync() =>
        Assert.That(await Node.Mount.Deletion.DrainAsync(), Is.EqualTo(FsError.None));

    /// <summary>All that wait for offline blocks, once there are so many.</summary>
    protected async Task<DataWaiting[]> WaitersAsync(int count)
    {
        while (Fs.ListWaiting(0, 0, 1000).Count < count)
            await Task.Yield();
        return [.. Fs.ListWaiting(0, 0, 1000)];
    }
}
