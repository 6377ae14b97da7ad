using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row inode-items-updated: whatever an operation changes of an inode is in its item.</summary>
internal sealed class InodeItemsUpdatedTests : AcceptanceFixture
{
    [Test]
    public async Task Attributes_AfterEveryOperation_AreTheSameAfterARemount()
    {
        ulong directory = await MakeDirectoryAsync("d");
        ulong other = await MakeDirectoryAsync("other");
        await CheckAsync("truncate", directory, async () =>
        {
            ulong ino = await CreateAsync("truncated", directory);
            await WriteBlocksAsync(ino, 0, 3);
            _ = await Fs.TruncateAsync(ino, 5000, None);
            return ino;
        });
        await CheckAsync("release", directory, async () =>
        {
            ulong ino = await CreateAsync("released", directory);
            await WriteBlocksAsync(ino, 0, 3);
            await ReleaseAsync(ino);
            return ino;
        });
        await CheckAsync("stage", directory, async () =>
        {
            ulong ino = await CreateAsync("staged", directory);
            await WriteBlocksAsync(ino, 0, 3);
            await ReleaseAsync(ino);
            await StageAsync(ino, 0, Random(3 * 4096));
            return ino;
        });
        await CheckAsync("mknod", directory, async () =>
        {
            var (error, ino, _) = await Fs.CreateAsync(
                directory, Name("null"), FileMode.CharDevice | 0x1b6, 0x100003, default, default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            return ino;
        });
        await CheckAsync("link", directory, async () =>
        {
            ulong ino = await CreateAsync("linked", directory);
            Assert.That(
                (await Fs.LinkAsync(ino, directory, Name("again"), false, None)).Error, Is.EqualTo(FsError.None));
            return ino;
        });
        await CheckAsync("unlink", directory, async () =>
        {
            var (_, ino, _) = await Fs.LookupAsync(directory, Name("again"), None);
            await UnlinkAsync("again", directory);
            return ino;
        });
        await CheckAsync("symlink", directory, async () =>
        {
            var (error, ino, _) = await Fs.CreateAsync(
                directory, Name("sym"), FileMode.Symlink | 0x1ff, 0, Name("target"), default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            return ino;
        });
        await CheckAsync("rename", other, async () =>
        {
            var (_, ino, _) = await Fs.LookupAsync(directory, Name("linked"), None);
            Assert.That(
                await Fs.RenameAsync(directory, Name("linked"), other, Name("moved"), false, None),
                Is.EqualTo(FsError.None));
            return ino;
        });
        await CheckAsync("setattr", other, async () =>
        {
            ulong ino = await CreateAsync("set", other);
            var changes = new AttributeChanges
            {
                Permissions = 0x181,
                Uid = 7,
                Gid = 8,
                Project = 9,
                Atime = new Timespec { Sec = 1, Nsec = 2 },
                Mtime = new Timespec { Sec = 3, Nsec = 999_999_999 },
                Crtime = new Timespec { Sec = -5, Nsec = 6 },
            };
            Assert.That((await Fs.SetAttributesAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
            return ino;
        });
        await CheckAsync("xattr", other, async () =>
        {
            ulong ino = await CreateAsync("xattr", other);
            Assert.That(await TrySetXattrAsync(ino, "user.a", [1]), Is.EqualTo(FsError.None));
            Assert.That(await TrySetXattrAsync(ino, "user.b", [1]), Is.EqualTo(FsError.None));
            Assert.That(await TrySetXattrAsync(ino, "user.a", null), Is.EqualTo(FsError.None));
            return ino;
        });
    }

    // Engine §14 no. 59.
    [Test]
    public async Task Times_WithNanoseconds_AreKept()
    {
        ulong ino = await CreateAsync("f");
        var time = new Timespec { Sec = 1_700_000_000, Nsec = 123_456_789 };
        _ = await Fs.SetAttributesAsync(ino, new AttributeChanges { Atime = time, Mtime = time, Ctime = time }, None);
        await RemountAsync();
        var inode = await InodeAsync(ino);
        Assert.That((inode.Mtime.Sec.Value, inode.Mtime.Nsec.Value), Is.EqualTo((1_700_000_000L, 123_456_789U)));
        Assert.That(inode.Atime, Is.EqualTo(time));
        Assert.That(inode.Ctime, Is.EqualTo(time));
    }

    // Engine §14 no. 62.
    [Test]
    public async Task ArchiveTimes_WithoutAVersion_AreSet()
    {
        ulong ino = await CreateAsync("f");
        await WriteBlocksAsync(ino, 0);
        var time = new Timespec { Sec = 7, Nsec = 8 };
        var before = await InodeAsync(ino);
        var changes = new ArchiveAttributes { Ctime = time, Crtime = time };
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
        await RemountAsync();
        var after = await InodeAsync(ino);
        Assert.That((after.Ctime, after.Crtime), Is.EqualTo((time, time)));
        Assert.That((after.Size, after.DataVersion), Is.EqualTo((before.Size, before.DataVersion)));
    }

    private async Task CheckAsync(string what, ulong directory, Func<Task<ulong>> change)
    {
        ulong ino = await change();
        List<InodeItem> warm = [await InodeAsync(directory), await InodeAsync(ino)];
        await RemountAsync();
        Assert.That(await InodeAsync(directory), Is.EqualTo(warm[0]), what);
        Assert.That(await InodeAsync(ino), Is.EqualTo(warm[1]), what);
    }
}
