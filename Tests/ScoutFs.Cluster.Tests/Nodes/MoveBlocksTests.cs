using System;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Moving blocks between files (archive §9.13; row move-blocks and traps 29, 31, 74 of engine §15).</summary>
internal sealed class MoveBlocksTests : MountedFixture
{
    [Test]
    public async Task Move_OfAWholeFile_LeavesAHoleAndChangesBothFiles()
    {
        byte[] contents = Random(10_000);
        ulong from = await MakeFileAsync("from", contents);
        ulong to = await CreateAsync("to");
        var before = await InodeAsync(from);
        Assert.That(await MoveAsync(from, 0, 10_000, to, 0), Is.EqualTo(FsError.None));
        Assert.That(await ContentsAsync(to), Is.EqualTo(contents));
        Assert.That(await ContentsAsync(from), Is.EqualTo(new byte[10_000]));
        var source = await InodeAsync(from);
        var target = await InodeAsync(to);
        Assert.That((source.OnlineBlocks.Value, target.OnlineBlocks.Value), Is.EqualTo((0UL, 3UL)));
        Assert.That(source.DataVersion.Value, Is.GreaterThan(before.DataVersion.Value));
        Assert.That(source.Version.Value, Is.GreaterThan(before.Version.Value));
        Assert.That((target.DataVersion.Value, target.Size.Value), Is.EqualTo((1UL, 10_000UL)));
        await SyncAsync();
        Assert.That(await ContentsAsync(to), Is.EqualTo(contents));
    }

    [Test]
    public async Task Move_WithBadArguments_IsRefusedInOrder()
    {
        ulong from = await MakeFileAsync("from", Random(10_000));
        ulong to = await CreateAsync("to");
        ulong directory = await MakeDirectoryAsync("d");
        ulong fifo = await CreateAsync("p", mode: FileMode.Fifo | 0x1ed);
        const ulong huge = ulong.MaxValue - Block + 1;
        Assert.That(await MoveAsync(from, 1, 0, from, 1), Is.EqualTo(FsError.None));
        Assert.That(await MoveAsync(from, huge, 2 * Block, from, 0), Is.EqualTo(FsError.Overflow));
        Assert.That(await MoveAsync(from, 0, 2 * Block, to, huge), Is.EqualTo(FsError.Overflow));
        Assert.That(await MoveAsync(from, 0, Block, from, Block), Is.EqualTo(FsError.Invalid));
        Assert.That(await MoveAsync(from, 1, Block, to, 0), Is.EqualTo(FsError.Invalid));
        Assert.That(await MoveAsync(from, 0, Block, to, 1), Is.EqualTo(FsError.Invalid));
        Assert.That(await MoveAsync(from, 0, 9_999, to, 0), Is.EqualTo(FsError.Invalid));
        Assert.That(await MoveAsync(from, 3 * Block, Block, to, 0), Is.EqualTo(FsError.None));
        Assert.That(await MoveAsync(from, 0, Block, directory, 0), Is.EqualTo(FsError.IsDirectory));
        Assert.That(await MoveAsync(from, 0, Block, fifo, 0), Is.EqualTo(FsError.Invalid));
        Assert.That(await MoveAsync(from, 0, Block, 1_000_000, 0), Is.EqualTo(FsError.NotFound));
        Assert.That(await MoveAsync(from, 0, Block, to, 1UL << 63), Is.EqualTo(FsError.FileTooLarge));
        Assert.That((await InodeAsync(to)).Size.Value, Is.Zero);
        Assert.That(await ContentsAsync(from), Is.EqualTo(Random(10_000)));
    }

    [Test]
    public async Task Move_OntoBlocksThatExist_KeepsWhatWasMovedBefore()
    {
        ulong from = await MakeFileAsync("from", Random(3 * 4096));
        ulong hole = await CreateAsync("hole");

        // Two extents in the source: block 0, and blocks 2..3.
        await WriteAsync(hole, 0, Random(4096));
        await WriteAsync(hole, 2 * Block, Random(8192, 6));
        ulong to = await CreateAsync("to");
        await WriteAsync(to, 3 * Block, new byte[1]);
        Assert.That(await MoveAsync(from, 0, 3 * Block, to, 2 * Block), Is.EqualTo(FsError.Invalid));
        Assert.That((await InodeAsync(from)).OnlineBlocks.Value, Is.EqualTo(3));
        Assert.That(await MoveAsync(hole, 0, 4 * Block, to, 0), Is.EqualTo(FsError.Invalid));
        Assert.That((await InodeAsync(hole)).OnlineBlocks.Value, Is.EqualTo(2));
        Assert.That((await ContentsAsync(to))[..4096], Is.EqualTo(Random(4096)));
    }

    [Test]
    public async Task Move_OfOfflineBlocks_IsRefused()
    {
        ulong offline = await MakeFileAsync("offline", new byte[2 * 4096]);
        ulong online = await MakeFileAsync("online", new byte[2 * 4096]);
        ulong version = await VersionAsync(offline);
        Assert.That(await Fs.ReleaseAsync(offline, 0, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await MoveAsync(offline, Block, Block, online, 2 * Block), Is.EqualTo(FsError.Offline));
        Assert.That(await MoveAsync(online, Block, Block, offline, 2 * Block), Is.EqualTo(FsError.Offline));
    }

    [Test]
    public async Task Move_BackwardsAndOfUnwrittenBlocks_KeepsTheirState()
    {
        ulong from = await CreateAsync("from");
        Assert.That(await Fs.FallocateAsync(from, 0, 4 * Block, false, None), Is.EqualTo(FsError.None));
        await WriteAsync(from, 3 * Block, Random(4096));
        ulong to = await CreateAsync("to");
        for (ulong block = 4; block-- > 0;)
            Assert.That(await MoveAsync(from, block * Block, Block, to, block * Block), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsAsync(to), Is.EqualTo("0-3u 3-4"));
        Assert.That((await InodeAsync(to)).OnlineBlocks.Value, Is.EqualTo(1));
        Assert.That(await ContentsAsync(to), Is.EqualTo(new byte[3 * 4096].Concat(Random(4096))));
        Assert.That(await ExtentsAsync(from), Is.Empty);
    }

    [Test]
    public async Task Move_OfATailIntoALongerFile_ShowsZerosBehindIt()
    {
        ulong from = await MakeFileAsync("from", Enumerable.Repeat((byte)0xee, 8192).ToArray());
        Assert.That((await Fs.TruncateAsync(from, 5000, None)).Error, Is.EqualTo(FsError.None));
        ulong to = await CreateAsync("to");
        Assert.That((await Fs.TruncateAsync(to, 100_000, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(await MoveAsync(from, 0, 5000, to, 4 * Block), Is.EqualTo(FsError.None));
        byte[] contents = await ContentsAsync(to);
        Assert.That(contents, Has.Length.EqualTo(100_000));
        Assert.That(contents.AsSpan(16_384, 5000).ContainsAnyExcept((byte)0xee), Is.False);
        Assert.That(contents.AsSpan(21_384).ContainsAnyExcept((byte)0), Is.False);
    }

    [Test]
    public async Task Move_OfNineFilesIntoOne_CombinesThem()
    {
        byte[] whole = Random(9 * 8192);
        ulong to = await CreateAsync("to");
        for (int i = 0; i < 9; i++)
        {
            ulong piece = await MakeFileAsync($"p{i}", whole[(i * 8192)..((i + 1) * 8192)]);
            Assert.That(
                await MoveAsync(piece, 0, 8192, to, (ulong)i * 8192), Is.EqualTo(FsError.None));
        }

        Assert.That(await ContentsAsync(to), Is.EqualTo(whole));
    }

    [Test]
    public async Task Move_OfManyFragmentsFromTheMiddleOfOne_GoesInBatches()
    {
        // Single blocks with holes between them, and one longer extent at the start (trap 29).
        ulong from = await CreateAsync("from");
        byte[] expected = new byte[120 * 4096];
        for (int block = 0; block < 120; block += block < 4 ? 1 : 2)
        {
            byte[] bytes = Random(4096, (ulong)block + 9);
            bytes.CopyTo(expected, block * 4096);
            await WriteAsync(from, (ulong)block * Block, bytes);
        }

        ulong to = await CreateAsync("to");
        ulong version = await VersionAsync(from);
        Assert.That(await MoveAsync(from, 2 * Block, 116 * Block, to, 7 * Block), Is.EqualTo(FsError.None));
        Assert.That(await VersionAsync(from) - version, Is.EqualTo(4));
        byte[] contents = await ContentsAsync(to);
        Assert.That(contents.AsSpan(7 * 4096).SequenceEqual(expected.AsSpan(2 * 4096, 116 * 4096)), Is.True);
        Assert.That(contents.AsSpan(0, 7 * 4096).ContainsAnyExcept((byte)0), Is.False);
        byte[] rest = await ContentsAsync(from);
        Assert.That(rest.AsSpan(0, 8192).SequenceEqual(expected.AsSpan(0, 8192)), Is.True);
        Assert.That(rest.AsSpan(118 * 4096).SequenceEqual(expected.AsSpan(118 * 4096, rest.Length - (118 * 4096))));
        await SyncAsync();
    }

    [Test]
    public async Task Staging_OfPieces_WakesReadersAndChangesNeitherVersionNorTimes()
    {
        byte[] contents = Random(6 * 4096);
        ulong to = await MakeFileAsync("to", contents);
        ulong version = await VersionAsync(to);
        Assert.That(await Fs.ReleaseAsync(to, 0, 6 * Block, version, None), Is.EqualTo(FsError.None));
        var before = await InodeAsync(to);
        byte[] read = new byte[contents.Length];
        var reading = Fs.ReadAsync(to, 0, read, None).AsTask();
        _ = await WaitersAsync(1);
        for (int i = 0; i < 3; i++)
        {
            ulong piece = await MakeFileAsync($"p{i}", contents[(i * 8192)..((i + 1) * 8192)]);
            ulong at = (ulong)i * 8192;
            Assert.That(await StageMoveAsync(piece, 8192, to, at, version + 1), Is.EqualTo(FsError.Stale));
            Assert.That(await StageMoveAsync(piece, 8192, to, at, version), Is.EqualTo(FsError.None));
            await UnlinkAsync($"p{i}");
        }

        Assert.That(await reading, Is.EqualTo((FsError.None, contents.Length)));
        Assert.That(read.AsSpan().SequenceEqual(contents), Is.True);
        var after = await InodeAsync(to);
        Assert.That((after.OnlineBlocks.Value, after.OfflineBlocks.Value), Is.EqualTo((6UL, 0UL)));
        Assert.That(
            (after.DataVersion, after.DataSeq, after.Version, after.Mtime, after.Ctime),
            Is.EqualTo((before.DataVersion, before.DataSeq, before.Version, before.Mtime, before.Ctime)));
        ulong another = await MakeFileAsync("another", new byte[4096]);
        Assert.That(await StageMoveAsync(another, Block, to, 0, version), Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public async Task Staging_IntoAllocatedOfflineBlocks_FreesWhatWasAllocated()
    {
        ulong to = await MakeFileAsync("to", new byte[2 * 4096]);
        ulong version = await VersionAsync(to);
        Assert.That(await Fs.ReleaseAsync(to, 0, 2 * Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.FallocateAsync(to, 0, 2 * Block, true, None), Is.EqualTo(FsError.None));
        ulong piece = await MakeFileAsync("piece", Random(8192));
        Assert.That(await StageMoveAsync(piece, 8192, to, 0, version), Is.EqualTo(FsError.None));
        Assert.That(await ContentsAsync(to), Is.EqualTo(Random(8192)));
    }

    [Test]
    public async Task Move_UnderRetention_IsRefusedExceptForStaging()
    {
        ulong kept = await MakeFileAsync("kept", Random(8192));
        ulong other = await MakeFileAsync("other", Random(8192));
        ulong version = await VersionAsync(kept);
        Assert.That(await Fs.ReleaseAsync(kept, 0, 8192, version, None), Is.EqualTo(FsError.None));
        Assert.That(
            (await Fs.RestoreAsync(kept, new ArchiveAttributes { IsRetained = true }, None)).Error,
            Is.EqualTo(FsError.None));
        Assert.That(await MoveAsync(other, 0, 8192, kept, 0), Is.EqualTo(FsError.NotPermitted));
        Assert.That(await StageMoveAsync(other, 8192, kept, 0, version), Is.EqualTo(FsError.None));
        Assert.That(await MoveAsync(kept, 0, 8192, other, 8192), Is.EqualTo(FsError.NotPermitted));
        Assert.That(await ContentsAsync(kept), Is.EqualTo(Random(8192)));
        Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero);
    }

    [Test]
    public async Task StagingMove_OfAHole_DoesNotGrowTheTarget()
    {
        ulong kept = await MakeFileAsync("kept", new byte[4096]);
        ulong hole = await CreateAsync("hole");
        Assert.That((await Fs.TruncateAsync(hole, 1 << 20, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(
            (await Fs.RestoreAsync(kept, new ArchiveAttributes { IsRetained = true }, None)).Error,
            Is.EqualTo(FsError.None));
        var before = await InodeAsync(kept);
        Assert.That(await StageMoveAsync(hole, 1 << 20, kept, 0, before.DataVersion), Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(kept)).Size.Value, Is.EqualTo(before.Size.Value));
    }

    private ValueTask<FsError> MoveAsync(ulong from, ulong fromOffset, ulong length, ulong to, ulong toOffset) =>
        Fs.MoveBlocksAsync(new BlockMove(from, fromOffset, length, to, toOffset, false, 0), None);

    private ValueTask<FsError> StageMoveAsync(ulong from, ulong length, ulong to, ulong toOffset, ulong version) =>
        Fs.MoveBlocksAsync(new BlockMove(from, 0, length, to, toOffset, true, version), None);
}
