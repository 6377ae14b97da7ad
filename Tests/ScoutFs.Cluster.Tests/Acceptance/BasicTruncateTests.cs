using System;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row basic-truncate: no old bytes behind an end (engine §14 no. 32), sizes (engine §6.5).</summary>
internal sealed class BasicTruncateTests : AcceptanceFixture
{
    [Test]
    public async Task Truncate_ToTheMiddleOfABlockAndBack_LeavesZeros([Values] bool isCold, [Values] bool isWritten)
    {
        ulong ino = await CreateAsync("f");
        await WriteAsync(ino, 0, Random(8192));
        if (isCold)
            await RemountAsync();
        await TruncateAsync(ino, 6144);
        if (isCold)
            await RemountAsync();
        if (isWritten)
            await WriteAsync(ino, 12287, [7]);
        else
            await TruncateAsync(ino, 12288);
        await RemountAsync();
        byte[] read = await ReadAsync(ino, 0, 20_000);
        Assert.That(read, Has.Length.EqualTo(12288));
        Assert.That(read.AsSpan(0, 6144).SequenceEqual(Random(8192).AsSpan(0, 6144)), Is.True);
        Assert.That(read.AsSpan(6144, 12287 - 6144).ContainsAnyExcept((byte)0), Is.False);
        Assert.That(read[^1], Is.EqualTo(isWritten ? 7 : 0));
    }

    [Test]
    public async Task Truncate_ToTheSameSize_FreesPreallocationAndKeepsTheVersion()
    {
        ulong ino = await CreateAsync("f");
        await WriteBlocksAsync(ino, 0, 3);
        Assert.That(await Fs.FallocateAsync(ino, 0, 100 * Block, true, None), Is.EqualTo(FsError.None));
        var before = await InodeAsync(ino);
        await SyncAsync();
        await TruncateAsync(ino, 3 * Block);
        Assert.That(await ExtentsOnDiskAsync(ino), Has.Count.EqualTo(1));
        var after = await InodeAsync(ino);
        Assert.That(after.DataVersion, Is.EqualTo(before.DataVersion));
        Assert.That((after.Flags.Value, after.OnlineBlocks.Value), Is.EqualTo((0U, 3UL)));
    }

    [Test]
    public async Task Truncate_OfManyExtents_FreesThemAll()
    {
        ulong ino = await CreateAsync("f");
        for (ulong block = 0; block < 500; block++)
            await WriteBlocksAsync(ino, 2 * block);
        ulong free = (await StatFsAfterSyncAsync()).FreeDataBlocks;
        await TruncateAsync(ino, 1);
        Assert.That(await CountsAsync(ino), Is.EqualTo((1UL, 0UL)));
        Assert.That(await ExtentsOnDiskAsync(ino), Has.Count.EqualTo(1));
        Assert.That((await StatFsAfterSyncAsync()).FreeDataBlocks.Value, Is.EqualTo(free + 499));
    }

    private async Task<Volume.Format.WireStatFs> StatFsAfterSyncAsync()
    {
        await SyncAsync();
        return await StatFsAsync();
    }

    private async Task TruncateAsync(ulong ino, ulong size)
    {
        var (error, inode) = await Fs.TruncateAsync(ino, size, None);
        Assert.That((error, inode.Size.Value), Is.EqualTo((FsError.None, size)));
    }
}
