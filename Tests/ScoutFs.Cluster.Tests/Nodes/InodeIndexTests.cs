using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Walks of the inode indexes (archive §9.2, §9.3; row simple-inode-index of engine §15).</summary>
internal sealed class InodeIndexTests : MountedFixture
{
    private static readonly IndexedInode First = new(0, 0);
    private static readonly IndexedInode Last = new(ulong.MaxValue, ulong.MaxValue);

    [Test]
    public async Task Walk_OfANewVolume_HasTheRootBySeqZero()
    {
        Assert.That(await WalkAsync(InodeIndex.MetaSeq), Is.EqualTo(new[] { new IndexedInode(0, Root) }));
        Assert.That(await WalkAsync(InodeIndex.DataSeq), Is.Empty);
        var entries = new List<IndexedInode>();
        Assert.That(
            await Fs.WalkInodesAsync((InodeIndex)2, First, Last, entries, 10, None), Is.EqualTo(FsError.Invalid));
        Assert.That(
            await Fs.WalkInodesAsync(InodeIndex.MetaSeq, First, Last, entries, 0, None), Is.EqualTo(FsError.None));
        Assert.That(entries, Is.Empty);
    }

    [Test]
    public async Task Walk_OfFilesAndDirectories_HasFilesAloneByDataSeqInOrderOfChange()
    {
        ulong directory = await MakeDirectoryAsync("d");
        ulong one = await MakeFileAsync("one", new byte[1]);
        await SyncAsync();
        ulong two = await MakeFileAsync("two", new byte[1]);
        await SyncAsync();
        Assert.That(
            (await WalkAsync(InodeIndex.DataSeq)).Select(static entry => entry.Ino), Is.EqualTo(new[] { one, two }));
        Assert.That((await WalkAsync(InodeIndex.MetaSeq)).Select(static entry => entry.Ino), Does.Contain(directory));

        await SetXattrAsync(one, "user.x", "y");
        await SyncAsync();
        Assert.That((await WalkAsync(InodeIndex.MetaSeq))[^1].Ino, Is.EqualTo(one));
        Assert.That((await WalkAsync(InodeIndex.DataSeq))[^1].Ino, Is.EqualTo(two));
        await WriteAsync(one, 1, new byte[1]);
        await SyncAsync();
        Assert.That((await WalkAsync(InodeIndex.DataSeq))[^1].Ino, Is.EqualTo(one));
        await UnlinkAsync("one");
        await DrainAsync();
        await SyncAsync();
        Assert.That((await WalkAsync(InodeIndex.DataSeq)).Select(static entry => entry.Ino), Is.EqualTo(new[] { two }));
    }

    [Test]
    public async Task Walk_BeforeTheCommit_DoesNotShowDirtyInodes()
    {
        ulong unchanged = await CreateAsync("g");
        await SyncAsync();
        ulong ino = await CreateAsync("f");

        // The directory has changed, too.
        Assert.That(
            (await WalkAsync(InodeIndex.MetaSeq)).Select(static entry => entry.Ino), Is.EqualTo(new[] { unchanged }));
        await SyncAsync();
        Assert.That((await WalkAsync(InodeIndex.MetaSeq)).Select(static entry => entry.Ino), Does.Contain(ino));
        var (error, committed) = await Fs.GetCommittedSeqAsync(None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(ino)).MetaSeq.Value, Is.LessThanOrEqualTo(committed));
    }

    [Test]
    public async Task Walk_InPieces_GivesEachInodeOnce()
    {
        for (int i = 0; i < 50; i++)
        {
            _ = await CreateAsync($"f{i}");
            if (i % 10 == 0)
                await SyncAsync();
        }

        await SyncAsync();
        var whole = await WalkAsync(InodeIndex.MetaSeq);
        Assert.That(whole.Select(static entry => entry.Ino).Distinct().Count(), Is.EqualTo(whole.Count));
        Assert.That(whole, Has.Count.EqualTo(51));
        var pieces = new List<IndexedInode>();
        var piece = new List<IndexedInode>();
        var at = First;
        do
        {
            Assert.That(
                await Fs.WalkInodesAsync(InodeIndex.MetaSeq, at, Last, piece, 7, None), Is.EqualTo(FsError.None));
            pieces.AddRange(piece);
            at = piece.Count > 0 ? piece[^1] with { Ino = piece[^1].Ino + 1 } : at;
        }
        while (piece.Count > 0);
        Assert.That(pieces, Is.EqualTo(whole));
        var range = whole[10..20];
        Assert.That(
            await Fs.WalkInodesAsync(InodeIndex.MetaSeq, range[0], range[^1], piece, 100, None),
            Is.EqualTo(FsError.None));
        Assert.That(piece, Is.EqualTo(range));
    }

    [Test]
    public async Task Walk_AfterEachOfManyCommits_FindsTheChange()
    {
        ulong ino = await CreateAsync("f");
        var seen = default(IndexedInode);
        for (int i = 0; i < 100; i++)
        {
            await WriteAsync(ino, 0, new byte[1]);
            await SyncAsync();
            var entry = (await WalkAsync(InodeIndex.DataSeq)).Single();
            Assert.That(entry.Ino, Is.EqualTo(ino));
            Assert.That(entry.Seq, Is.GreaterThan(seen.Seq));
            seen = entry;
        }

        Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero);
    }

    private async Task<List<IndexedInode>> WalkAsync(InodeIndex index)
    {
        var entries = new List<IndexedInode>();
        Assert.That(await Fs.WalkInodesAsync(index, First, Last, entries, 1000, None), Is.EqualTo(FsError.None));
        return entries;
    }
}
