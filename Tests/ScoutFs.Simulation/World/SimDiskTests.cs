using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Simulation.World;

public sealed class SimDiskTests
{
    private const int Page = SimPage.SizeBytes;
    private const long Size = 64L << 30;

    [Test]
    public async Task Read_WrittenFarOut_CostsOnlyWhatWasWritten()
    {
        var disk = new SimDisk("disk", Size);
        var view = disk.Open("a");

        await WriteAsync(view, Size - (2 * Page), 7, pages: 2);

        Assert.That(await ReadAsync(disk.Open("b"), Size - Page), Is.EqualTo(7));
        Assert.That(await ReadAsync(view, 0), Is.Zero);
        bool isFound = view.TryFindAllocated(0, out long start, out long end);
        Assert.That((isFound, start, end), Is.EqualTo((true, Size - (2 * Page), Size)));
        Assert.That(GC.GetTotalMemory(forceFullCollection: true), Is.LessThan(200L << 20));
    }

    [Test]
    public async Task Cut_FlushedWrites_Survive([Range(1, 20)] int seed)
    {
        var faults = new SimFaults((ulong)seed);
        var disk = new SimDisk("disk", Size, faults);
        var view = disk.Open("a");
        await WriteAsync(view, 0, 1);
        Assert.That(await view.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.None));
        await WriteAsync(view, 0, 2);

        faults.Cut();
        faults.Restore();

        Assert.That(await ReadAsync(disk.Open("b"), 0), Is.AnyOf(1, 2));
        Assert.That(disk.CountVolatile, Is.Zero);
    }

    [Test]
    public async Task Cut_UnflushedWrites_AnySubsetSurvives()
    {
        var outcomes = new HashSet<string>();
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var faults = new SimFaults(seed);
            var disk = new SimDisk("disk", Size, faults);
            var view = disk.Open("a");
            for (int i = 0; i < 3; i++)
                await WriteAsync(view, i * Page, (byte)(i + 1));
            faults.Cut();
            faults.Restore();
            var after = disk.Open("b");
            var (first, second) = (await ReadAsync(after, 0), await ReadAsync(after, Page));
            _ = outcomes.Add($"{first}{second}{await ReadAsync(after, 2 * Page)}");
        }

        Assert.That(outcomes, Is.EquivalentTo(new[] { "000", "100", "020", "003", "120", "103", "023", "123" }));
    }

    [TestCase(512)]
    [TestCase(4096)]
    public async Task Cut_TornWrites_LeavePiecesOfTheAtomicSize(int atomicBytes)
    {
        int torn = 0;
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var faults = new SimFaults(seed);
            var disk = new SimDisk("disk", Size, faults) { AtomicBytes = atomicBytes, WholePage = 2 };
            var view = disk.Open("a");
            await WriteAsync(view, 0, 1, pages: 4);
            _ = await view.FlushAsync(CancellationToken.None);
            await WriteAsync(view, 0, 2, pages: 4);
            faults.Cut();
            faults.Restore();
            var bytes = AlignedBuffer.Create(4 * Page);
            _ = await disk.Open("b").ReadAsync(0, bytes, CancellationToken.None);
            var pieces = new HashSet<byte>();
            for (int at = 0; at < bytes.Length; at += atomicBytes)
            {
                byte first = bytes.Span[at];
                Assert.That(bytes.Span.Slice(at, atomicBytes).IndexOfAnyExcept(first), Is.Negative);
                _ = pieces.Add(first);
            }

            Assert.That(pieces, Is.SubsetOf(new byte[] { 1, 2 }));
            Assert.That(bytes.Span.Slice(2 * Page, Page).IndexOfAnyExcept(bytes.Span[2 * Page]), Is.Negative);
            torn += pieces.Count == 2 ? 1 : 0;
        }

        Assert.That(torn, Is.GreaterThan(10));
    }

    [Test]
    public async Task CutAtWrite_Nth_StopsTheWorldAtThatWrite()
    {
        var faults = new SimFaults { CutAtWrite = 3 };
        var meta = new SimDisk("meta", Size, faults);
        var data = new SimDisk("data", Size, faults);
        var view = meta.Open("a");
        var other = data.Open("a");
        await WriteAsync(view, 0, 1);
        await WriteAsync(other, 0, 1);

        var third = view.WriteAsync(Page, AlignedBuffer.Create(Page), CancellationToken.None).AsTask();

        Assert.That(faults.PowerLost.IsCompleted, Is.True);
        Assert.That(third.IsCompleted, Is.False);
        Assert.That(other.FlushAsync(CancellationToken.None).AsTask().IsCompleted, Is.False);
        Assert.That(other.ReadAsync(0, AlignedBuffer.Create(Page), default).AsTask().IsCompleted, Is.False);
        Assert.That(() => meta.Open("b"), Throws.TypeOf<InvariantException>());
    }

    [Test]
    public async Task CutAtFlush_Nth_MakesNothingDurableForSure()
    {
        var lost = 0;
        for (ulong seed = 1; seed <= 40; seed++)
        {
            var faults = new SimFaults(seed) { CutAtFlush = 2 };
            var disk = new SimDisk("disk", Size, faults);
            var view = disk.Open("a");
            await WriteAsync(view, 0, 1);
            Assert.That(await view.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.None));
            await WriteAsync(view, 0, 2);
            Assert.That(view.FlushAsync(CancellationToken.None).AsTask().IsCompleted, Is.False);
            faults.Restore();
            lost += await ReadAsync(disk.Open("b"), 0) == 1 ? 1 : 0;
        }

        Assert.That(lost, Is.InRange(5, 35));
    }

    [Test]
    public async Task FailAt_NthWrite_FailsOnceAndMayHaveWrittenPart()
    {
        var faults = new SimFaults();
        var disk = new SimDisk("disk", Size, faults);
        var view = disk.Open("a");
        faults.FailAt(SimIoKinds.Write, 2);

        await WriteAsync(view, 0, 1);
        var failed = await view.WriteAsync(0, Filled(2, 1), CancellationToken.None);
        byte between = await ReadAsync(view, 0);
        await WriteAsync(view, 0, 3);

        Assert.That(failed, Is.EqualTo(FsError.Io));
        Assert.That(between, Is.AnyOf(1, 2));
        Assert.That(await ReadAsync(view, 0), Is.EqualTo(3));
        Assert.That(faults.Failed, Is.EqualTo(1));
    }

    [Test]
    public async Task FailAt_Flush_KeepsWritesVolatileUntilTheNext()
    {
        var faults = new SimFaults();
        var disk = new SimDisk("disk", Size, faults);
        var view = disk.Open("a");
        faults.FailAt(SimIoKinds.Flush, 1);
        await WriteAsync(view, 0, 1);

        Assert.That(await view.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.Io));
        Assert.That(disk.CountVolatile, Is.EqualTo(1));
        Assert.That(await view.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.None));
        Assert.That(disk.CountVolatile, Is.Zero);
    }

    [Test]
    public async Task Fence_OneOfTwoViews_StopsOnlyThatOne()
    {
        var disk = new SimDisk("disk", Size);
        var fenced = disk.Open("a");
        var other = disk.Open("b");
        await WriteAsync(fenced, 0, 1);

        fenced.Fence();

        Assert.That(await fenced.WriteAsync(0, Filled(2, 1), CancellationToken.None), Is.EqualTo(FsError.Isolated));
        Assert.That(
            await fenced.ReadAsync(0, AlignedBuffer.Create(Page), CancellationToken.None),
            Is.EqualTo(FsError.Isolated));
        Assert.That(await fenced.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.Isolated));
        Assert.That(await ReadAsync(other, 0), Is.EqualTo(1));
    }

    [Test]
    public void Fence_WriteUnderWay_NeverChangesTheDiskLater([Range(1, 10)] int seed)
    {
        var scheduler = new SimScheduler();
        var time = new SimTime(scheduler);
        var disk = new SimDisk("disk", Size, null, scheduler, SimLatency.Slow, (ulong)seed);
        scheduler.Run(async () =>
        {
            var fenced = disk.Open("a");
            var other = disk.Open("b");
            var write = fenced.WriteAsync(0, Filled(1, 1), CancellationToken.None).AsTask();
            fenced.Fence(FsError.Io);
            byte atOnce = await ReadAsync(other, 0);
            await Task.Delay(TimeSpan.FromMinutes(1), time);
            Assert.That(await ReadAsync(other, 0), Is.EqualTo(atOnce));
            Assert.That(await write, Is.EqualTo(FsError.Io));
        });
    }

    [Test]
    public void Latency_ManyWrites_CompleteInAnotherOrder()
    {
        var scheduler = new SimScheduler();
        var disk = new SimDisk("disk", Size, null, scheduler, SimLatency.Usual);
        var order = new List<int>();
        scheduler.Run(() => Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            await WriteAsync(disk.Open("a"), i * Page, (byte)i);
            order.Add(i);
        })));

        Assert.That(order, Is.Not.Ordered);
        Assert.That(order, Is.EquivalentTo(Enumerable.Range(0, 20)));
        Assert.That(scheduler.NowTicks, Is.GreaterThan(500));
    }

    [Test]
    public void Flush_WriteCompletesMeanwhile_LeavesThatVolatile()
    {
        var scheduler = new SimScheduler();
        var disk = new SimDisk("disk", Size, null, scheduler, new SimLatency(100, 100, 0));
        scheduler.Run(async () =>
        {
            var view = disk.Open("a");
            await WriteAsync(view, 0, 1);
            var write = WriteAsync(view, Page, 2);
            var flush = view.FlushAsync(CancellationToken.None).AsTask();
            await write;
            Assert.That(await flush, Is.EqualTo(FsError.None));
            Assert.That(disk.CountVolatile, Is.EqualTo(1));
        });
    }

    [Test]
    public async Task ForkAfterCut_TheDiskItself_GoesOnUntouched()
    {
        var disk = new SimDisk("disk", Size);
        var view = disk.Open("a");
        await WriteAsync(view, 0, 1);
        var prng = new Prng(1);
        var found = new HashSet<byte>();
        for (int i = 0; i < 50; i++)
            _ = found.Add(await ReadAsync(disk.ForkAfterCut(prng).Open("x"), 0));
        var copy = disk.Fork();
        await WriteAsync(copy.Open("x"), 0, 9);

        Assert.That(found, Is.EquivalentTo(new byte[] { 0, 1 }));
        Assert.That(await ReadAsync(view, 0), Is.EqualTo(1));
        Assert.That(disk.CountVolatile, Is.EqualTo(1));
    }

    [Test]
    public async Task Open_ReadOnlyDisk_RefusesChanges()
    {
        var disk = new SimDisk("disk", Size) { IsReadOnly = true };
        var view = disk.Open("a");

        Assert.That(view.IsWritable, Is.False);
        Assert.That(await view.WriteAsync(0, Filled(1, 1), CancellationToken.None), Is.EqualTo(FsError.ReadOnly));
        Assert.That(await view.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.ReadOnly));
        Assert.That(await ReadAsync(view, 0), Is.Zero);
    }

    [Test]
    public async Task Check_BadRequests_AreRefusedAsRealDevicesDo()
    {
        var view = new SimDisk("disk", Size).Open("a");
        var buffer = AlignedBuffer.Create(2 * Page);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        Assert.That(await view.ReadAsync(1, buffer, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(await view.ReadAsync(0, buffer[..100], default), Is.EqualTo(FsError.Misaligned));
        Assert.That(await view.ReadAsync(0, buffer[512..(512 + Page)], default), Is.EqualTo(FsError.Misaligned));
        Assert.That(await view.WriteAsync(Size - Page, buffer, default), Is.EqualTo(FsError.OutOfRange));
        Assert.That(await view.WriteAsync(0, buffer, cancelled.Token), Is.EqualTo(FsError.Cancelled));
    }

    private static Memory<byte> Filled(byte value, int pages)
    {
        var buffer = AlignedBuffer.Create(pages * Page);
        buffer.Span.Fill(value);
        return buffer;
    }

    private static async Task WriteAsync(SimDiskView view, long offsetBytes, byte value, int pages = 1) =>
        Assert.That(
            await view.WriteAsync(offsetBytes, Filled(value, pages), CancellationToken.None), Is.EqualTo(FsError.None));

    private static async Task<byte> ReadAsync(SimDiskView view, long offsetBytes)
    {
        var buffer = AlignedBuffer.Create(Page);
        Assert.That(await view.ReadAsync(offsetBytes, buffer, CancellationToken.None), Is.EqualTo(FsError.None));
        byte value = buffer.Span[0];
        Assert.That(buffer.Span.IndexOfAnyExcept(value), Is.Negative);
        return value;
    }
}
