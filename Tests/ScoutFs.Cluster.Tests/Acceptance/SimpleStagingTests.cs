using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows simple-staging, stage-release-race-alloc, stage-multi-part.</summary>
internal sealed class SimpleStagingTests : AcceptanceFixture
{
    private const ulong Last = ulong.MaxValue - Block + 1;

    private static readonly (ulong Offset, int Length)[] BadRanges =
    [
        (1, 4096), // unaligned
        (4096, 4097), // ends in the middle of a block that is not the last
        (0, 3 * 4096), // past the end
        (4096, 2 * 4096), // past the end
        (3 * 4096, 4096), // behind the end
        (Last, 4096), // ends at 2^64
        (Last, 2 * 4096), // wraps
        (Last - Block, 4096),
    ];

    [Test]
    public async Task Contents_ReleasedAndStagedBlockwise_AreTheSame([Values(1, 1024)] int blocks)
    {
        byte[] contents = Random(blocks * (int)Block);
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, contents);
        var before = await InodeAsync(ino);
        for (int cycle = 0; cycle < 9; cycle++)
        {
            await ReleaseAsync(ino);
            Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, (ulong)blocks)));
            await RemountAsync();
            for (int at = 0; at < contents.Length; at += 64 * (int)Block)
            {
                int length = Math.Min(contents.Length - at, 64 * (int)Block);
                await StageAsync(ino, (ulong)at, contents[at..(at + length)]);
            }

            Assert.That(await CountsAsync(ino), Is.EqualTo(((ulong)blocks, 0UL)));
            if (cycle % 2 == 0)
                await RemountAsync();
            Assert.That((await ReadAsync(ino, 0, contents.Length)).AsSpan().SequenceEqual(contents), Is.True);
        }

        var after = await InodeAsync(ino);
        Assert.That(after.MetaSeq.Value, Is.GreaterThan(before.MetaSeq.Value));
        Assert.That(after.Version.Value, Is.GreaterThan(before.Version.Value));
        Assert.That(after.DataSeq, Is.EqualTo(before.DataSeq));
        Assert.That(after.DataVersion, Is.EqualTo(before.DataVersion));
        Assert.That(after.Size, Is.EqualTo(before.Size));
        Assert.That((after.Mtime, after.Ctime), Is.EqualTo((before.Mtime, before.Ctime)));
    }

    // Engine §14 no. 31.
    [TestCaseSource(nameof(BadRanges))]
    public async Task Stage_OfABadRange_IsInvalidAndChangesNothing((ulong Offset, int Length) range)
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, Random(8000));
        await ReleaseAsync(ino);
        var before = await InodeAsync(ino);
        Assert.That(
            await Fs.StageAsync(ino, range.Offset, Random(range.Length), before.DataVersion, None),
            Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(await InodeAsync(ino), Is.EqualTo(before));
    }

    [Test]
    public async Task Stage_OfTheTailAlone_IsEnoughForIt()
    {
        byte[] contents = Random(8000);
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, contents);
        await ReleaseAsync(ino);
        await StageAsync(ino, 4096, contents[4096..]);
        Assert.That(await CountsAsync(ino), Is.EqualTo((1UL, 1UL)));
        Assert.That(await ReadAsync(ino, 4096, 8000), Is.EqualTo(contents[4096..]));
    }

    [Test]
    public async Task Stage_OfNothing_KeepsTheFileOffline()
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, Random(8000));
        await ReleaseAsync(ino);
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.StageAsync(ino, 0, default, version, None), Is.EqualTo((FsError.None, 0)));
        Assert.That(await Fs.StageAsync(ino, Last, default, version, None), Is.EqualTo((FsError.None, 0)));
        Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, 2UL)));
    }

    [Test]
    public async Task StageAndRelease_OfADevice_AreRefused()
    {
        ulong ino = await CreateAsync("null", mode: FileMode.CharDevice | 0x1b6);
        Assert.That((await Fs.StageAsync(ino, 0, new byte[4096], 0, None)).Error, Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, 0, 4096, 0, None), Is.EqualTo(FsError.Invalid));
    }

    // Engine §14 no. 31.
    [Test]
    public async Task Ranges_ThatWrap_AreRefusedEverywhere()
    {
        ulong ino = await CreateAsync("f");
        await WriteBlocksAsync(ino, 0, 2);
        ulong version = await VersionAsync(ino);
        var before = await InodeAsync(ino);
        foreach (ulong offset in new ulong[] { 0, 1, Block, Last - Block, Last, Last + 1, ulong.MaxValue })
        {
            Assert.That(await Fs.ReleaseAsync(ino, offset, 0, version, None), Is.EqualTo(FsError.None));
            Assert.That(await Fs.PunchOfflineAsync(ino, offset, 0, version, None), Is.EqualTo(FsError.None));
            Assert.That(
                await Fs.StageAsync(ino, offset, default, version, None),
                Is.EqualTo((offset % Block == 0 ? FsError.None : FsError.Invalid, 0)));
            Assert.That(await Fs.FallocateAsync(ino, offset, 0, false, None), Is.EqualTo(FsError.None));
            Assert.That(await Fs.WriteAsync(ino, offset, default, false, false, None), Is.EqualTo((FsError.None, 0)));
        }

        Assert.That(await Fs.ReleaseAsync(ino, Last, 2 * Block, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, 2 * Block, Last, version, None), Is.EqualTo(FsError.Invalid));
        Assert.That(await Fs.ReleaseAsync(ino, Last, Block, version, None), Is.EqualTo(FsError.None), "ends at 2^64");
        Assert.That(
            await Fs.PunchOfflineAsync(ino, Last, 2 * Block, version, None), Is.EqualTo(FsError.Overflow));
        Assert.That(
            await Fs.FallocateAsync(ino, ulong.MaxValue, 2, false, None), Is.EqualTo(FsError.Invalid));
        Assert.That(
            await Fs.FallocateAsync(ino, long.MaxValue, 1, false, None), Is.EqualTo(FsError.FileTooLarge));
        Assert.That(
            (await Fs.WriteAsync(ino, ulong.MaxValue, new byte[2], false, false, None)).Error,
            Is.EqualTo(FsError.FileTooLarge));
        Assert.That((await Fs.TruncateAsync(ino, ulong.MaxValue, None)).Error, Is.EqualTo(FsError.FileTooLarge));
        Assert.That(await Fs.ReadAsync(ino, ulong.MaxValue, new byte[2], None), Is.EqualTo((FsError.None, 0)));
        Assert.That(await InodeAsync(ino), Is.EqualTo(before));
    }

    [Test]
    public async Task StageAndRelease_OfManyFilesAtATime_KeepTheirContents()
    {
        const int Files = 4;
        var inos = new List<ulong>();
        for (int i = 0; i < Files; i++)
            inos.Add(await CreateAsync($"f{i}"));
        await ForEachAsync(Files, async i =>
        {
            byte[] contents = Random(1 << 20, (ulong)i);
            await WriteAsync(inos[i], 0, contents);
            for (int round = 0; round < 40; round++)
            {
                await ReleaseAsync(inos[i]);
                await StageAsync(inos[i], 0, contents);
                byte[] read = await ReadAsync(inos[i], 0, contents.Length);
                Assert.That(read.AsSpan().SequenceEqual(contents), Is.True, $"file {i}, round {round}");
                if (round % 10 == i)
                    await SyncAsync();
            }
        });
    }

    [Test]
    public async Task Read_WhileTheFileIsStagedInParts_SeesItsContents()
    {
        const int PartBytes = 1 << 20;
        const int Parts = 24;
        ulong ino = await CreateAsync("f");
        for (int part = 0; part < Parts; part++)
            await WriteAsync(ino, (ulong)part * PartBytes, Random(PartBytes, (ulong)part));
        await ReleaseAsync(ino);
        var comparing = Task.Run(async () =>
        {
            for (int part = 0; part < Parts; part++)
            {
                byte[] read = await ReadAsync(ino, (ulong)part * PartBytes, PartBytes);
                Assert.That(read.AsSpan().SequenceEqual(Random(PartBytes, (ulong)part)), Is.True, $"part {part}");
            }
        });
        for (int part = 0; part < Parts; part++)
            await StageAsync(ino, (ulong)part * PartBytes, Random(PartBytes, (ulong)part));
        await comparing;
        Assert.That(await CountsAsync(ino), Is.EqualTo(((ulong)Parts * PartBytes / Block, 0UL)));
    }
}
