using System;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>
/// What release, stage and punch make of extents (archive §9.5, §9.6, §9.15; rows simple-release-extents and
/// punch-offline, trap 31 of engine §15).
/// </summary>
internal sealed class ReleaseExtentsTests : MountedFixture
{
    private const ulong LastBlock = ulong.MaxValue - Block + 1;

    [Test]
    public async Task Release_OfTheWholeTwiceAndPastTheEnd_LeavesOneOfflineExtent()
    {
        ulong ino = await MakeFileAsync("f", new byte[10_000]);
        ulong version = await VersionAsync(ino);
        for (int i = 0; i < 2; i++)
        {
            Assert.That(await Fs.ReleaseAsync(ino, 0, 8 * Block, version, None), Is.EqualTo(FsError.None));
            Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-3o"));
        }

        ulong tail = await MakeFileAsync("tail", new byte[10_000]);
        version = await VersionAsync(tail);
        Assert.That(await Fs.ReleaseAsync(tail, 2 * Block, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsAsync(tail), Does.StartWith("0-2 2-3o"));
        Assert.That(await Fs.ReleaseAsync(tail, 1000 * Block, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsAsync(tail), Does.StartWith("0-2 2-3o"));
    }

    [Test]
    public async Task Release_WithBadArguments_IsRefused()
    {
        ulong ino = await MakeFileAsync("f", new byte[8192]);
        ulong directory = await MakeDirectoryAsync("d");
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 1, 0, version + 1, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ReleaseAsync(ino, 1, Block, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, 0, 1, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, LastBlock, 2 * Block, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, LastBlock, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ReleaseAsync(ino, 0, Block, version + 1, None), Is.EqualTo(FsError.Stale));
        Assert.That(await Fs.ReleaseAsync(directory, 0, Block, 0, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-2"));
    }

    [Test]
    public async Task Release_OfThreeSingleBlocksOfFiveInEveryOrder_MergesWhatBelongsTogether()
    {
        for (int order = 0; order < 125; order++)
        {
            ulong ino = await MakeFileAsync(FormattableString.Invariant($"f{order}"), Random(5 * 4096));
            ulong version = await VersionAsync(ino);
            char[] states = new string('d', 5).ToCharArray();
            foreach (int block in new[] { order % 5, order / 5 % 5, order / 25 })
            {
                Assert.That(
                    await Fs.ReleaseAsync(ino, (ulong)block * Block, Block, version, None), Is.EqualTo(FsError.None));
                states[block] = 'o';
                Assert.That(await ExtentsAsync(ino), Is.EqualTo(Runs(states)), $"order {order}");
            }

            Assert.That(
                await Fs.StageAsync(ino, 0, Random(5 * 4096), version, None), Is.EqualTo((FsError.None, 5 * 4096)));
            Assert.That(await VersionAsync(ino), Is.EqualTo(version));
            Assert.That(await ContentsAsync(ino), Is.EqualTo(Random(5 * 4096)));
        }
    }

    [Test]
    public async Task Release_OfSpacePastTheEnd_DoesNotMakeWritesWait()
    {
        ulong ino = await MakeFileAsync("f", new byte[4096]);
        Assert.That(await Fs.FallocateAsync(ino, 0, 8 * Block, true, None), Is.EqualTo(FsError.None));
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 4 * Block, 4 * Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-1 1-4u 4-8o"));
        await WriteAsync(ino, 5 * Block, Random(4096));
        byte[] read = new byte[4096];
        Assert.That(await Fs.ReadAsync(ino, 5 * Block, read, None), Is.EqualTo((FsError.None, 4096)));
        Assert.That(read, Is.EqualTo(Random(4096)));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-1 1-4u 4-5o 5-6 6-8ou"));
    }

    [Test]
    public async Task Stage_WithBadArguments_ChangesNothing()
    {
        ulong ino = await MakeFileAsync("f", new byte[(3 << 20) + 100]);
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 0, 4 << 20, version, None), Is.EqualTo(FsError.None));
        string before = await ExtentsAsync(ino);

        // The first two pieces would fit.
        Assert.That(await StageAsync(ino, 0, (3 << 20) + 101, version), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await StageAsync(ino, 0, (2 << 20) + 1, version), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await StageAsync(ino, 1, 4095, version), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await StageAsync(ino, LastBlock, 4096, version), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await StageAsync(ino, LastBlock, 8192, version), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await StageAsync(ino, 0, 4096, version + 1), Is.EqualTo((FsError.Stale, 0)));
        Assert.That(await StageAsync(ino, 1, 0, version), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await StageAsync(ino, 0, 0, version + 1), Is.EqualTo((FsError.None, 0)));
        Assert.That(
            await StageAsync(await MakeDirectoryAsync("d"), 0, 4096, 0),
            Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo(before));
        Assert.That(await StageAsync(ino, 3 << 20, 100, version), Is.EqualTo((FsError.None, 100)));
    }

    [Test]
    public async Task Punch_WithBadArguments_IsRefused()
    {
        ulong ino = await MakeFileAsync("f", new byte[2 * 4096]);
        ulong directory = await MakeDirectoryAsync("d");
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.PunchOfflineAsync(ino, 1, 0, version, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.PunchOfflineAsync(ino, 1, Block, version, None), Is.EqualTo(FsError.Overflow));
        Assert.That(await Fs.PunchOfflineAsync(ino, 0, 1, version, None), Is.EqualTo(FsError.Overflow));
        Assert.That(
            await Fs.PunchOfflineAsync(ino, LastBlock, 2 * Block, version, None), Is.EqualTo(FsError.Overflow));
        Assert.That(await Fs.PunchOfflineAsync(ino, 0, Block, version + 1, None), Is.EqualTo(FsError.Stale));
        Assert.That(await Fs.PunchOfflineAsync(directory, 0, Block, 0, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.PunchOfflineAsync(ino, 0, Block, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.PunchOfflineAsync(ino, 100 * Block, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-2"));
    }

    [Test]
    public async Task Punch_UpToAMappedExtent_KeepsWhatItHasDone()
    {
        ulong ino = await MakeFileAsync("f", new byte[6 * 4096]);
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 0, 6 * Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.PunchOfflineAsync(ino, Block, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await StageAsync(ino, 4 * Block, 4096, version), Is.EqualTo((FsError.None, 4096)));

        // Staging takes space for the rest of the extent (engine §8.3).
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-1o 2-4o 4-5 5-6ou"));
        var before = await InodeAsync(ino);
        Assert.That(await Fs.PunchOfflineAsync(ino, 0, 6 * Block, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("4-5 5-6ou"));
        var after = await InodeAsync(ino);
        Assert.That(
            (after.Size, after.DataVersion, after.DataSeq, after.Mtime, after.Ctime, after.OfflineBlocks.Value),
            Is.EqualTo((before.Size, before.DataVersion, before.DataSeq, before.Mtime, before.Ctime, 1UL)));

        // Space allocated to be staged into counts as mapped.
        Assert.That(
            await Fs.PunchOfflineAsync(ino, 5 * Block, Block, version, None), Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public async Task Punch_OfEveryOtherBlockOfManyExtents_GoesInBatches()
    {
        ulong ino = await CreateAsync("f");
        var restore = new ArchiveAttributes { DataVersion = 3, Size = 6UL << 30, IsOffline = true };
        Assert.That((await Fs.RestoreAsync(ino, restore, None)).Error, Is.EqualTo(FsError.None));
        const ulong step = 12UL << 20;
        for (ulong at = 0; at < 6UL << 30; at += step)
            Assert.That(await Fs.PunchOfflineAsync(ino, at, Block, 3, None), Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(ino)).OfflineBlocks.Value, Is.EqualTo((6UL << 18) - 512));
        Assert.That(await Fs.PunchOfflineAsync(ino, Block, 6UL << 30, 3, None), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsAsync(ino), Is.Empty);
        var inode = await InodeAsync(ino);
        Assert.That((inode.Size.Value, inode.OfflineBlocks.Value), Is.EqualTo((6UL << 30, 0UL)));
    }

    private static string Runs(char[] states)
    {
        var text = new System.Text.StringBuilder();
        for (int start = 0, end; start < states.Length; start = end)
        {
            end = start;
            while (end < states.Length && states[end] == states[start])
                end++;
            string kind = states[start] == 'o' ? "o" : "";
            _ = text.Append(FormattableString.Invariant($"{(start > 0 ? " " : "")}{start}-{end}{kind}"));
        }

        return text.ToString();
    }

    private ValueTask<(FsError Error, int Staged)> StageAsync(
        ulong ino, ulong offset, int length, ulong version) =>
        Fs.StageAsync(ino, offset, new byte[length], version, None);
}
