using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows simple-release-extents, punch-offline, setattr_more: extents as they are on disk.</summary>
internal sealed class OfflineExtentTests : AcceptanceFixture
{
    [Test]
    public async Task Release_OfTailPastEndAndTwice_HasExactExtents()
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, Random((3 * (int)Block) + 5));
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 3 * Block, Block, version, None), Is.EqualTo(FsError.None));
        await HasAsync(ino, "ooof");
        Assert.That(await Fs.ReleaseAsync(ino, 10 * Block, Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ReleaseAsync(ino, 3 * Block, Block, version, None), Is.EqualTo(FsError.None), "twice");
        await HasAsync(ino, "ooof");
        Assert.That(await Fs.FallocateAsync(ino, 0, 20 * Block, true, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ReleaseAsync(ino, 0, 4 * Block, version, None), Is.EqualTo(FsError.None));
        await HasAsync(ino, "ffff"); // What lies past the end is of no use any more.
        var after = await InodeAsync(ino);
        Assert.That((after.Size.Value, after.DataVersion.Value), Is.EqualTo(((3 * Block) + 5, version)));
    }

    [Test]
    public async Task Punch_OfPatterns_HasExactExtents()
    {
        ulong ino = await RestoreAsync("f", 10 * Block);
        ulong version = await VersionAsync(ino);
        foreach (ulong block in new ulong[] { 0, 4, 9, 5 })
            Assert.That(await Fs.PunchOfflineAsync(ino, block * Block, Block, version, None), Is.EqualTo(FsError.None));
        await HasAsync(ino, "-fff--fff");
        Assert.That(await Fs.PunchOfflineAsync(ino, 2 * Block, 6 * Block, version, None), Is.EqualTo(FsError.None));
        await HasAsync(ino, "-f------f");
        Assert.That((await InodeAsync(ino)).Size.Value, Is.EqualTo(10 * Block));

        // In the middle of a huge file, and many extents at a time.
        ulong huge = await RestoreAsync("huge", 6UL << 30);
        ulong blocks = (6UL << 30) / Block;
        version = await VersionAsync(huge);
        for (ulong i = 0; i < 100; i++)
        {
            Assert.That(
                await Fs.PunchOfflineAsync(huge, i * 10_000 * Block, Block, version, None), Is.EqualTo(FsError.None));
        }

        Assert.That(await CountsAsync(huge), Is.EqualTo((0UL, blocks - 100)));
        Assert.That(await ExtentsOnDiskAsync(huge), Has.Count.EqualTo(100));
        Assert.That(await Fs.PunchOfflineAsync(huge, 0, 6UL << 30, version, None), Is.EqualTo(FsError.None));
        Assert.That(await ExtentsOnDiskAsync(huge), Is.Empty);
    }

    [TestCase(10_007UL * 4096, 10_007UL)]
    [TestCase(4_000_000_000UL, 976_563UL)]
    [TestCase(1UL, 1UL)]
    [TestCase(1UL << 62, 1UL << 50)]
    public async Task Restore_OfManySizes_HasSoManyOfflineBlocks(ulong size, ulong blocks)
    {
        ulong ino = await RestoreAsync("f", size);
        Assert.That(await CountsAsync(ino), Is.EqualTo((0UL, blocks)));
        var extent = (await ExtentsOnDiskAsync(ino)).Single();
        Assert.That((extent.LogicalBlock, extent.CountBlocks, extent.IsOffline), Is.EqualTo((0UL, blocks, true)));
        var inode = await InodeAsync(ino);
        Assert.That((inode.Size.Value, inode.DataVersion.Value, inode.Ctime.Sec.Value), Is.EqualTo((size, 7UL, 67L)));
    }

    [Test]
    public async Task Restore_WithBadArguments_IsInvalid()
    {
        ulong ino = await CreateAsync("f");
        ulong directory = await MakeDirectoryAsync("d");
        ulong device = await CreateAsync("null", mode: FileMode.CharDevice | 0x1b6);
        var good = new ArchiveAttributes { DataVersion = 7, Size = 4096, IsOffline = true };
        await InvalidAsync(directory, good);
        await InvalidAsync(device, good);
        await InvalidAsync(ino, good with { DataVersion = 0 });
        await InvalidAsync(ino, good with { DataVersion = null });
        await InvalidAsync(ino, good with { Size = null });
        await InvalidAsync(ino, good with { Size = 0 });
        await WriteBlocksAsync(ino, 0);
        await InvalidAsync(ino, good);
        ulong allocated = await CreateAsync("allocated");
        Assert.That(await Fs.FallocateAsync(allocated, 0, Block, true, None), Is.EqualTo(FsError.None));
        await InvalidAsync(allocated, good);
    }

    private async Task InvalidAsync(ulong ino, ArchiveAttributes changes)
    {
        var before = await InodeAsync(ino);
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.Invalid));
        Assert.That(await InodeAsync(ino), Is.EqualTo(before));
    }

    private async Task<ulong> RestoreAsync(string name, ulong size)
    {
        ulong ino = await CreateAsync(name);
        var changes = new ArchiveAttributes
        {
            DataVersion = 7,
            Size = size,
            IsOffline = true,
            Ctime = new Timespec { Sec = 67, Nsec = 8 },
        };
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
        return ino;
    }

    // One letter a block: online, unwritten, offline, hole; and neighbours that are alike are one extent.
    private async Task HasAsync(ulong ino, string expected)
    {
        var extents = await ExtentsOnDiskAsync(ino);
        var blocks = new List<char>();
        FileExtent? last = null;
        foreach (var extent in extents)
        {
            while ((ulong)blocks.Count < extent.LogicalBlock)
                blocks.Add('-');
            char letter = extent.IsOffline ? 'f' : extent.IsUnwritten ? 'u' : 'o';
            Assert.That(
                last is { } one && one.EndBlock == extent.LogicalBlock && one.Flags == extent.Flags
                && (one.PhysicalBlock == 0 || one.PhysicalBlock + one.CountBlocks == extent.PhysicalBlock),
                Is.False, "merged");
            blocks.AddRange(Enumerable.Repeat(letter, (int)extent.CountBlocks));
            last = extent;
        }

        Assert.That(new string([.. blocks]), Is.EqualTo(expected));
    }
}
