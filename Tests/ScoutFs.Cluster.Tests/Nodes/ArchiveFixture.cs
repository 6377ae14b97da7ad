using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Tests of what archive agents use: files that are made, filled and looked at in one call.</summary>
internal abstract class ArchiveFixture : MountedFixture
{
    protected const ulong Block = 4096;
    protected const ulong Root = FormatConstants.RootIno;

    protected static byte[] Random(int count, ulong seed = 5)
    {
        byte[] bytes = new byte[count];
        new Prng(seed).Fill(bytes);
        return bytes;
    }

    protected async Task<ulong> MakeAsync(string name, ulong directory = Root, uint type = FileMode.Regular)
    {
        var (error, ino, _) = await Fs.CreateAsync(directory, Name(name), type | 0x1ed, 0, Name("t"), default, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return ino;
    }

    protected async Task<ulong> MakeFileAsync(string name, byte[] contents)
    {
        ulong ino = await MakeAsync(name);
        await FillAsync(ino, 0, contents);
        return ino;
    }

    protected async Task FillAsync(ulong ino, ulong offset, byte[] bytes) => Assert.That(
        await Fs.WriteAsync(ino, offset, bytes, false, false, None), Is.EqualTo((FsError.None, bytes.Length)));

    protected async Task<InodeItem> StatAsync(ulong ino)
    {
        var (error, inode) = await Fs.GetAttributesAsync(ino, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        return inode;
    }

    protected async Task<byte[]> ContentsAsync(ulong ino)
    {
        byte[] bytes = new byte[(await StatAsync(ino)).Size];
        Assert.That(await Fs.ReadAsync(ino, 0, bytes, None), Is.EqualTo((FsError.None, bytes.Length)));
        return bytes;
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

    protected async Task SyncAsync() => Assert.That(await Fs.SyncAsync(None), Is.EqualTo(FsError.None));

    protected async Task SetAsync(ulong ino, string name, string? value) => Assert.That(
        await Fs.SetXattrAsync(
            ino, Name(name), value is null ? null : Name(value), ScoutFs.Volume.Inodes.XattrMode.Any, None),
        Is.EqualTo(FsError.None));
}
