using System;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row offline-extent-waiting: who waits for staging, is listed, woken and failed (engine §8.9).</summary>
internal sealed class OfflineExtentWaitingTests : AcceptanceFixture
{
    private const int Blocks = 16;

    private byte[] _contents = null!;
    private ulong _ino;

    [SetUp]
    public async Task MakeOfflineFileAsync()
    {
        _contents = Random(Blocks * (int)Block);
        _ino = await CreateAsync("f");
        await WriteAsync(_ino, 0, _contents);
        await ReleaseAsync(_ino);
    }

    [TearDown]
    public void NobodyWaitsOrHoldsALock()
    {
        Assert.That(Fs.ListWaiting(0, 0, 10), Is.Empty);
        Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero);
    }

    [Test]
    public async Task Readers_OfTheSameAndOfOtherBlocks_AreListedByPlace()
    {
        Assert.That(Fs.ListWaiting(0, 0, 10), Is.Empty);
        var first = StartRead(0);
        Assert.That(await WaitersAsync(1), Is.EqualTo(new[] { Waiting(0, DataWaitOp.Read) }));
        var same = StartRead(0);
        var other = StartRead(3);
        Assert.That(
            await WaitersAsync(2), Is.EqualTo(new[] { Waiting(0, DataWaitOp.Read), Waiting(3, DataWaitOp.Read) }));
        Assert.That(Fs.ListWaiting(_ino, 0, 10), Is.EqualTo(new[] { Waiting(3, DataWaitOp.Read) }));
        Assert.That(Fs.ListWaiting(_ino, 3, 10), Is.Empty);
        Assert.That(Fs.ListWaiting(0, 0, 1), Is.EqualTo(new[] { Waiting(0, DataWaitOp.Read) }));
        await StageAsync(_ino, 0, _contents);
        foreach (var reading in new[] { first, same, other })
            Assert.That(await reading, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Waiters_OfOneBlock_AreListedWithAllTheyDo()
    {
        var reading = StartRead(0);
        var writing = Fs.WriteAsync(_ino, Block, new byte[1], false, false, None).AsTask();
        var truncating = Fs.TruncateAsync(_ino, 100, None).AsTask();
        const DataWaitOp All = DataWaitOp.Read | DataWaitOp.Write | DataWaitOp.ChangeSize;
        while (Fs.ListWaiting(0, 0, 10) is not [{ Op: All, Block: 0 }])
            await Task.Yield();

        // Staged, and all go on one after the other, in any order.
        await StageAsync(_ino, 0, _contents);
        Assert.That(await reading, Is.EqualTo(FsError.None));
        Assert.That((await writing).Error, Is.EqualTo(FsError.None));
        Assert.That((await truncating).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Reader_GivenUp_WaitsNoMore()
    {
        using var cancel = new CancellationTokenSource();
        var reading = Fs.ReadAsync(_ino, 0, new byte[1], cancel.Token).AsTask();
        await WaitersAsync(1);
        await cancel.CancelAsync();
        Assert.That((await reading).Error, Is.EqualTo(FsError.Cancelled));
    }

    // Engine §14 no. 7: the waiting truncation, too, must not give a lock back twice.
    [Test]
    public async Task Waiters_OfARange_AreFailedAndCounted()
    {
        var first = StartRead(0);
        var second = StartRead(0);
        var later = StartRead(9);
        var truncating = Fs.TruncateAsync(_ino, 100, None).AsTask();
        await WaitersAsync(2);
        while (Fs.ListWaiting(0, 0, 1)[0].Op != (DataWaitOp.Read | DataWaitOp.ChangeSize))
            await Task.Yield();
        Assert.That(Fs.FailWaiting(_ino, 1, 8, DataWaitOp.Read, FsError.Io), Is.Zero);
        Assert.That(Fs.FailWaiting(_ino, 0, 8, DataWaitOp.Write, FsError.Io), Is.Zero);
        Assert.That(Fs.FailWaiting(_ino, 0, 8, DataWaitOp.Read, FsError.Io), Is.EqualTo(2));
        Assert.That((await first, await second), Is.EqualTo((FsError.Io, FsError.Io)));
        Assert.That(Fs.FailWaiting(_ino, 0, 0, DataWaitOp.ChangeSize, FsError.Io), Is.EqualTo(1));
        Assert.That((await truncating).Error, Is.EqualTo(FsError.Io));
        Assert.That(Fs.FailWaiting(_ino, 0, ulong.MaxValue, DataWaitOp.Read, FsError.Io), Is.EqualTo(1));
        Assert.That(await later, Is.EqualTo(FsError.Io));
    }

    [Test]
    public async Task Reader_OfTheWholeFile_GoesOnAsBlocksAreStaged([Values] bool isBackwards)
    {
        byte[] read = new byte[_contents.Length];
        var reading = Fs.ReadAsync(_ino, 0, read, None).AsTask();
        await WaitersAsync(1);
        for (int i = 0; i < Blocks; i++)
        {
            Assert.That(reading.IsCompleted, Is.False);
            int at = (isBackwards ? Blocks - 1 - i : i) * (int)Block;
            await StageAsync(_ino, (ulong)at, _contents[at..(at + (int)Block)]);
        }

        Assert.That(await reading, Is.EqualTo((FsError.None, _contents.Length)));
        Assert.That(read, Is.EqualTo(_contents));
    }

    [Test]
    public async Task Truncate_ToTheSameSizeOrToNothing_DoesNotWait([Values] bool isToNothing)
    {
        ulong size = isToNothing ? 0UL : (ulong)_contents.Length;
        Assert.That((await Fs.TruncateAsync(_ino, size, None)).Error, Is.EqualTo(FsError.None));
        Assert.That((await CountsAsync(_ino)).Offline, Is.EqualTo(isToNothing ? 0 : Blocks));
    }

    [Test]
    public async Task Truncate_ToAnotherSize_WaitsForTheFirstOfflineBlockBelowIt([Values] bool isSmaller)
    {
        await StageAsync(_ino, 0, _contents[..(2 * (int)Block)]);
        ulong size = isSmaller ? 5 * Block : 100 * Block;
        var truncating = Fs.TruncateAsync(_ino, size, None).AsTask();
        Assert.That(await WaitersAsync(1), Is.EqualTo(new[] { Waiting(2, DataWaitOp.ChangeSize) }));
        int staged = isSmaller ? 5 : Blocks;
        await StageAsync(_ino, 2 * Block, _contents[(2 * (int)Block)..(staged * (int)Block)]);
        Assert.That((await truncating).Error, Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(_ino)).Size.Value, Is.EqualTo(size));
    }

    [Test]
    public async Task Truncate_BelowTheOfflineBlocks_DoesNotWait()
    {
        await StageAsync(_ino, 0, _contents[..(2 * (int)Block)]);
        Assert.That((await Fs.TruncateAsync(_ino, 2 * Block, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(await CountsAsync(_ino), Is.EqualTo((2UL, 0UL)));
    }

    // Engine §14 no. 30: the version is of the whole file.
    [Test]
    public async Task Write_WhereOnlyTheLastBlockIsOffline_Waits()
    {
        await StageAsync(_ino, 0, _contents[..((Blocks - 1) * (int)Block)]);
        var writing = Fs.WriteAsync(_ino, 0, new byte[100], false, false, None).AsTask();
        Assert.That(await WaitersAsync(1), Is.EqualTo(new[] { Waiting(Blocks - 1, DataWaitOp.Write) }));
        await StageAsync(_ino, (Blocks - 1) * Block, _contents[((Blocks - 1) * (int)Block)..]);
        Assert.That(await writing, Is.EqualTo((FsError.None, 100)));
        Assert.That(await ReadAsync(_ino, 100, _contents.Length), Is.EqualTo(_contents[100..]));
    }

    [Test]
    public async Task Waiters_OfATruncatedFile_GoOn()
    {
        var reading = Fs.ReadAsync(_ino, 0, new byte[10], None).AsTask();
        var writing = Fs.WriteAsync(_ino, 0, new byte[10], false, false, None).AsTask();
        while (Fs.ListWaiting(0, 0, 10) is not [{ Op: DataWaitOp.Read | DataWaitOp.Write }])
            await Task.Yield();
        Assert.That((await Fs.TruncateAsync(_ino, 0, None)).Error, Is.EqualTo(FsError.None));
        Assert.That((await reading).Error, Is.EqualTo(FsError.None));
        Assert.That(await writing, Is.EqualTo((FsError.None, 10)));
    }

    [Test]
    public async Task Readers_OfAPunchedFile_SeeZeros()
    {
        byte[] read = Random(10);
        var reading = Fs.ReadAsync(_ino, 0, read, None).AsTask();
        await WaitersAsync(1);
        ulong version = await VersionAsync(_ino);
        Assert.That(
            await Fs.PunchOfflineAsync(_ino, 0, Blocks * Block, version, None), Is.EqualTo(FsError.None));
        Assert.That(await reading, Is.EqualTo((FsError.None, 10)));
        Assert.That(read, Is.EqualTo(new byte[10]));
    }

    private DataWaiting Waiting(ulong block, DataWaitOp op) => new(_ino, block, op);

    private async Task<FsError> StartRead(ulong block)
    {
        byte[] read = new byte[Block];
        var (error, count) = await Fs.ReadAsync(_ino, block * Block, read, None);
        if (error != FsError.None)
            return error;
        Assert.That(read.AsSpan(0, count).SequenceEqual(_contents.AsSpan((int)(block * Block), count)), Is.True);
        return FsError.None;
    }
}
