using System;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Release, stage, punch, restore, fallocate and seek (engine §8; acceptance rows of engine §15).</summary>
internal sealed class ArchiveOperationTests : MountedFixture
{
    [Test]
    public async Task BlockCounts_ThroughWriteReleaseStageTruncate_AreTheReferences()
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, new byte[4096]);
        Assert.That(await CountsAsync(ino), Is.EqualTo((1UL, 0UL)));
        await WriteAsync(ino, 0, new byte[4096]);
        Assert.That(await CountsAsync(ino), Is.EqualTo((1UL, 0UL)));
        await WriteAsync(ino, 4096, new byte[4096]);
        Assert.That(await CountsAsync(ino), Is.EqualTo((2UL, 0UL)));
        ulong version = await VersionAsync(ino);
        foreach (ulong length in new ulong[] { 2 * Block, 2 * Block, 16 * Block })
        {
            Assert.That(await Fs.ReleaseAsync(ino, 0, length, version, None), Is.EqualTo(FsError.None));
            Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, 2UL)));
        }

        for (int i = 0; i < 2; i++)
        {
            Assert.That(await Fs.StageAsync(ino, 0, new byte[8192], version, None), Is.EqualTo((FsError.None, 8192)));
            Assert.That(await CountsAsync(ino), Is.EqualTo((2UL, 0UL)));
        }

        Assert.That(await VersionAsync(ino), Is.EqualTo(version));
        ulong large = await CreateAsync("large");
        await WriteAsync(large, 0, new byte[1 << 20]);
        Assert.That(await CountsAsync(large), Is.EqualTo((256UL, 0UL)));
        var (error, _) = await Fs.TruncateAsync(large, 512 << 10, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(await CountsAsync(large), Is.EqualTo((128UL, 0UL)));
    }

    [Test]
    public async Task Read_OfReleasedFile_WaitsUntilItIsStaged()
    {
        byte[] contents = Random(10_000);
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, contents);
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 0, 3 * Block, version, None), Is.EqualTo(FsError.None));
        byte[] read = new byte[contents.Length];
        var reading = Fs.ReadAsync(ino, 0, read, None).AsTask();
        _ = await WaitersAsync(1);
        Assert.That(Fs.ListWaiting(0, 0, 10), Is.EqualTo(new[] { new DataWaiting(ino, 0, DataWaitOp.Read) }));
        Assert.That(reading.IsCompleted, Is.False);
        Assert.That(await Fs.StageAsync(ino, 0, contents, version + 1, None), Is.EqualTo((FsError.Stale, 0)));
        Assert.That(
            await Fs.StageAsync(ino, 0, contents, version, None), Is.EqualTo((FsError.None, contents.Length)));
        Assert.That(await reading, Is.EqualTo((FsError.None, contents.Length)));
        Assert.That(read.AsSpan().SequenceEqual(contents), Is.True);
        Assert.That(Fs.ListWaiting(0, 0, 10), Is.Empty);
    }

    [Test]
    public async Task Write_ToPartOfAReleasedFile_WaitsAndCanBeFailed()
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, new byte[5 * 4096]);
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 4 * Block, Block, version, None), Is.EqualTo(FsError.None));
        var writing = Fs.WriteAsync(ino, 0, new byte[100], false, false, None).AsTask();
        _ = await WaitersAsync(1);
        Assert.That(Fs.ListWaiting(0, 0, 10)[0], Is.EqualTo(new DataWaiting(ino, 4, DataWaitOp.Write)));
        Assert.That(Fs.FailWaiting(ino, 0, 10, DataWaitOp.Read, FsError.Io), Is.Zero);
        Assert.That(Fs.FailWaiting(ino, 0, 10, DataWaitOp.Write, FsError.Io), Is.EqualTo(1));
        Assert.That(await writing, Is.EqualTo((FsError.Io, 0)));
        Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero);
    }

    [Test]
    public async Task ReleaseOfEachBlock_InAnyOrder_MergesExtents()
    {
        ulong[] order = [2, 0, 4, 1, 3];
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, new byte[5 * 4096]);
        ulong version = await VersionAsync(ino);
        for (int i = 0; i < order.Length; i++)
        {
            Assert.That(
                await Fs.ReleaseAsync(ino, order[i] * Block, Block, version, None), Is.EqualTo(FsError.None));
            Assert.That(await CountsAsync(ino), Is.EqualTo((4UL - (ulong)i, 1UL + (ulong)i)));
        }

        Assert.That(await Fs.PunchOfflineAsync(ino, Block, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, 4UL)));
        Assert.That(await Fs.SeekAsync(ino, 0, true, None), Is.EqualTo((FsError.None, Block)));
        Assert.That(await Fs.SeekAsync(ino, Block, false, None), Is.EqualTo((FsError.None, 2 * Block)));
        Assert.That(await Fs.ReleaseAsync(ino, 1, Block, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, 0, 0, version, None), Is.EqualTo(FsError.None));
        Assert.That(
            await Fs.ReleaseAsync(ino, ulong.MaxValue - Block + 1, 2 * Block, version, None),
            Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public async Task RestoreThenStage_OfAnOfflineFile_GivesItsContents()
    {
        byte[] contents = Random(9_000);
        ulong ino = await CreateAsync("f");
        var changes = new ArchiveAttributes { DataVersion = 7, Size = (ulong)contents.Length, IsOffline = true };
        Assert.That(
            (await Fs.RestoreAsync(ino, changes with { DataVersion = 0 }, None)).Error,
            Is.EqualTo(FsError.Invalid));
        Assert.That((await Fs.RestoreAsync(ino, changes with { Size = 0 }, None)).Error, Is.EqualTo(FsError.Invalid));
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, 3UL)));
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.FallocateAsync(ino, 0, Block, true, None), Is.EqualTo(FsError.None));
        Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, 3UL)));
        Assert.That(
            await Fs.StageAsync(ino, 0, contents, 7, None), Is.EqualTo((FsError.None, contents.Length)));
        byte[] read = new byte[contents.Length];
        Assert.That(await Fs.ReadAsync(ino, 0, read, None), Is.EqualTo((FsError.None, contents.Length)));
        Assert.That(read.AsSpan().SequenceEqual(contents), Is.True);
    }

    [Test]
    public async Task Fallocate_GrowsSizeAndVersion_ReadsZerosAndIsAHole()
    {
        ulong ino = await CreateAsync("f");
        Assert.That(await Fs.FallocateAsync(ino, 0, 100 * Block, true, None), Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(ino)).Size.Value, Is.Zero);
        Assert.That(await Fs.FallocateAsync(ino, 0, 100_000, false, None), Is.EqualTo(FsError.None));
        var inode = await InodeAsync(ino);
        Assert.That((inode.Size.Value, inode.OnlineBlocks.Value), Is.EqualTo((100_000UL, 0UL)));
        Assert.That(inode.DataVersion.Value, Is.GreaterThan(0));
        Assert.That((await Fs.SeekAsync(ino, 0, false, None)).Error, Is.EqualTo(FsError.PastEnd));
        byte[] read = Random(100_000);
        Assert.That(await Fs.ReadAsync(ino, 0, read, None), Is.EqualTo((FsError.None, 100_000)));
        Assert.That(read.AsSpan().ContainsAnyExcept((byte)0), Is.False);
        Assert.That(
            await Fs.FallocateAsync(ino, ulong.MaxValue, 2, false, None), Is.EqualTo(FsError.Invalid));
        Assert.That(
            await Fs.FallocateAsync(ino, 1UL << 63, 2, false, None), Is.EqualTo(FsError.FileTooLarge));
        Assert.That(await Fs.FallocateAsync(ino, 7, 0, false, None), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Truncate_InTheMiddleOfABlock_LeavesNoOldBytes()
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, Enumerable.Repeat((byte)0xee, 8192).ToArray());
        await SyncAsync();
        _ = await Fs.TruncateAsync(ino, 6144, None);
        _ = await Fs.TruncateAsync(ino, 12288, None);
        await SyncAsync();
        byte[] read = new byte[12288];
        Assert.That(await Fs.ReadAsync(ino, 0, read, None), Is.EqualTo((FsError.None, 12288)));
        Assert.That(read.AsSpan(0, 6144).ContainsAnyExcept((byte)0xee), Is.False);
        Assert.That(read.AsSpan(6144).ContainsAnyExcept((byte)0), Is.False);
    }

    [Test]
    public async Task Retention_ForbidsChanges_ButReleaseAndStage()
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, new byte[4096]);
        ulong version = await VersionAsync(ino);
        var retain = new ArchiveAttributes { IsRetained = true };
        Assert.That((await Fs.RestoreAsync(ino, retain, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(
            await Fs.WriteAsync(ino, 0, new byte[1], false, false, None), Is.EqualTo((FsError.NotPermitted, 0)));
        Assert.That((await Fs.TruncateAsync(ino, 0, None)).Error, Is.EqualTo(FsError.NotPermitted));
        Assert.That(await Fs.FallocateAsync(ino, 0, 1, false, None), Is.EqualTo(FsError.NotPermitted));
        Assert.That(await Fs.UnlinkAsync(1, Name("f"), false, None), Is.EqualTo(FsError.NotPermitted));
        Assert.That(await Fs.RenameAsync(1, Name("f"), 1, Name("g"), false, None), Is.EqualTo(FsError.NotPermitted));
        Assert.That(await Fs.ReleaseAsync(ino, 0, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.StageAsync(ino, 0, new byte[4096], version, None), Is.EqualTo((FsError.None, 4096)));
        var clear = new ArchiveAttributes { IsRetained = false };
        Assert.That((await Fs.RestoreAsync(ino, clear, None)).Error, Is.EqualTo(FsError.None));
        await UnlinkAsync("f");
    }
}
