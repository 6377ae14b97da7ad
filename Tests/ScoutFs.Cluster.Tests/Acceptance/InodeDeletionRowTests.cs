using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows inode-deletion, orphan-inodes, o_tmpfile, persistent-item-vers.</summary>
internal sealed class InodeDeletionRowTests : AcceptanceFixture
{
    [Test]
    public async Task Inode_UnlinkedWhileOpen_IsReadableUntilItsLastClose()
    {
        byte[] contents = Random(10_000);
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, contents);
        Fs.Open(ino);
        Fs.Open(ino);
        await UnlinkAsync("f");
        await SyncAsync();
        Assert.That(await ReadAsync(ino, 0, 10_000), Is.EqualTo(contents));
        await WriteAsync(ino, 0, contents);
        Fs.Close(ino, hasNoLinks: true);
        await DrainAsync();
        Assert.That(await ReadAsync(ino, 0, 10_000), Is.EqualTo(contents));
        Fs.Close(ino, hasNoLinks: true);
        await DrainAsync();
        Assert.That((await Fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
        await SyncAsync();
        Assert.That((await StatFsAsync()).InodeCount.Value, Is.LessThanOrEqualTo(1));
    }

    [Test]
    public async Task Inode_ReplacedByARename_IsReadableWhileOpen()
    {
        ulong ino = await CreateAsync("old");
        await WriteBlocksAsync(ino, 0);
        Fs.Open(ino);
        _ = await CreateAsync("new");
        Assert.That(
            await Fs.RenameAsync(Root, Name("new"), Root, Name("old"), false, None), Is.EqualTo(FsError.None));
        Assert.That(await ReadAsync(ino, 0, 5000), Has.Length.EqualTo(4096));
        Fs.Close(ino, hasNoLinks: true);
        await DrainAsync();
        Assert.That((await Fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
    }

    // The mount that had them open died; engine §14 no. 42.
    [Test]
    public async Task Inodes_UnlinkedByADeadMount_AreStillWholeOrGone()
    {
        var inos = new List<ulong>();
        for (int i = 0; i < 50; i++)
        {
            ulong ino = await CreateAsync($"f{i}");
            await WriteBlocksAsync(ino, 0, 3);
            Assert.That(await TrySetXattrAsync(ino, "user.a", Random(3000)), Is.EqualTo(FsError.None));
            Fs.Open(ino);
            inos.Add(ino);
        }

        for (int i = 0; i < inos.Count; i++)
            await UnlinkAsync($"f{i}");
        await SyncAsync();
        await CrashAndMountAsync();
        Assert.That(await ListAsync(Root), Is.Empty);
        foreach (ulong ino in inos)
        {
            var (error, inode) = await Fs.GetAttributesAsync(ino, None);
            Assert.That(error, Is.AnyOf(FsError.None, FsError.NotFound));
            if (error == FsError.None)
                Assert.That((inode.Nlink.Value, inode.OnlineBlocks.Value), Is.EqualTo((0U, 3UL)));
        }

        // What a scan does for orphans that it finds.
        foreach (ulong ino in inos)
            Node.Mount.Deletion.Start(ino);
        await DrainAsync();
        foreach (ulong ino in inos)
            Assert.That((await Fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
    }

    // Engine §14 no. 37: however many try at a time, an inode is deleted, and counted, once.
    [Test]
    public async Task Inode_DeletedByManyAtATime_IsCountedOnce()
    {
        for (int round = 0; round < 20; round++)
        {
            ulong ino = await CreateAsync("f");
            await WriteBlocksAsync(ino, 0, 3);
            Fs.Open(ino);
            await UnlinkAsync("f");
            await ForEachAsync(4, async i =>
            {
                if (i == 0)
                    Fs.Close(ino, hasNoLinks: true);
                else
                    Node.Mount.Deletion.Start(ino);
                await DrainAsync();
            });
            await DrainAsync();
            Assert.That((await Fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
        }
    }

    // Engine §14 no. 64: the check at unmount would find them.
    [Test]
    public async Task Unmount_RightAfterUnlinkingThousands_LeavesNone()
    {
        for (int i = 0; i < 2000; i++)
            _ = await CreateAsync($"f{i}");
        await SyncAsync();
        for (int i = 0; i < 2000; i++)
            await UnlinkAsync($"f{i}");
        await RemountAsync();
        Assert.That(await ListAsync(Root), Is.Empty);
    }

    [TestCase(0x12U, 0x1edU)] // umask 022: 0755
    [TestCase(0x3fU, 0x1c0U)] // umask 077: 0700
    public async Task UnnamedFile_WithAUmask_HasTheModeThatAFileHas(uint umask, uint permissions)
    {
        var creator = new Volume.Inodes.Creator(0, 0, Fs.Now, umask);
        var (error, ino, _) = await Fs.CreateAsync(
            Root, default, Volume.Format.FileMode.Regular | 0x1ff, 0, default, creator, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Fs.Open(ino);
        Assert.That((await InodeAsync(ino)).Mode.Value, Is.EqualTo(Volume.Format.FileMode.Regular | permissions));
        Assert.That((await InodeAsync(ino)).Nlink.Value, Is.Zero);
        await WriteBlocksAsync(ino, 0);
        Assert.That((await Fs.LinkAsync(ino, Root, Name("named"), true, None)).Error, Is.EqualTo(FsError.None));
        Fs.Close(ino, hasNoLinks: false);
        await RemountAsync();
        var (_, found, inode) = await Fs.LookupAsync(Root, Name("named"), None);
        Assert.That((found, inode.Nlink.Value), Is.EqualTo((ino, 1U)));
        Assert.That(inode.Mode.Value, Is.EqualTo(Volume.Format.FileMode.Regular | permissions));
    }

    [Test]
    public async Task UnnamedPieces_MovedIntoAnOfflineFile_MakeItsContents()
    {
        const int PieceBytes = 256 * 1024;
        const int Pieces = 4;
        byte[] contents = Random((Pieces * PieceBytes) - 1000);
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, contents);
        await ReleaseAsync(ino);
        var before = await InodeAsync(ino);
        await ForEachAsync(Pieces, async piece =>
        {
            var (error, unnamed, _) = await Fs.CreateAsync(Root, default, RegularMode, 0, default, default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            Fs.Open(unnamed);
            int at = piece * PieceBytes;
            byte[] bytes = contents[at..Math.Min(contents.Length, at + PieceBytes)];
            await WriteAsync(unnamed, 0, bytes);
            var move = new BlockMove(
                unnamed, 0, (ulong)bytes.Length, ino, (ulong)at, true, before.DataVersion);
            Assert.That(await Fs.MoveBlocksAsync(move, None), Is.EqualTo(FsError.None));
            Fs.Close(unnamed, hasNoLinks: true);
        });
        await RemountAsync();
        byte[] read = await ReadAsync(ino, 0, contents.Length);
        Assert.That(read.AsSpan().SequenceEqual(contents), Is.True);
        var after = await InodeAsync(ino);
        Assert.That(
            (after.Size, after.DataVersion, after.Mtime),
            Is.EqualTo((before.Size, before.DataVersion, before.Mtime)));
    }

    [Test]
    public async Task Versions_OverRemounts_TheNewestWins()
    {
        const int Files = 10;
        ulong[] inos = new ulong[Files];
        for (int i = 0; i < Files; i++)
            inos[i] = await CreateAsync($"f{i}");

        // Locks are granted over and over, which moves seqs on.
        for (int mount = 1; mount <= 4; mount++)
        {
            for (int round = 0; round < 20; round++)
            {
                ulong ino = await CreateAsync($"t{mount}.{round}");
                await SyncAsync();
                Assert.That(ino, Is.Not.Zero);
            }

            var time = new Volume.Format.Timespec { Sec = 1000 * mount };
            foreach (ulong ino in inos.Where((_, i) => i % mount == 0))
            {
                var changes = new Volume.Inodes.AttributeChanges { Mtime = time };
                Assert.That((await Fs.SetAttributesAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
            }

            await RemountAsync();
            for (int i = 0; i < Files; i++)
            {
                int newest = Enumerable.Range(1, mount).Last(m => i % m == 0);
                Assert.That((await InodeAsync(inos[i])).Mtime.Sec.Value, Is.EqualTo(1000 * newest), $"{mount} {i}");
            }
        }
    }
}
