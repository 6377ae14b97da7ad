using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows basic-bad-mounts and setup-error-teardown.</summary>
internal sealed class BasicBadMountsTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly LocalNodeOptions Good = new() { Settle = TimeSpan.Zero };

    private static readonly LocalNodeOptions[] BadOptions =
    [
        Mounted(new MountOptions { DataPreallocBlocks = 0 }),
        Mounted(new MountOptions { DataPreallocBlocks = 1UL << 52 }),
        Mounted(new MountOptions { InoAllocPerLock = 0 }),
        Mounted(new MountOptions { InoAllocPerLock = 1025 }),
        Mounted(new MountOptions { LockIdleCount = 31 }),
        Mounted(new MountOptions { LockIdleCount = 100_001 }),
        Mounted(new MountOptions { OrphanScanDelay = TimeSpan.FromMilliseconds(99) }),
        Mounted(new MountOptions { OrphanScanDelay = TimeSpan.FromMilliseconds(60_001) }),
        Mounted(new MountOptions { SrchCompactDelay = TimeSpan.FromMilliseconds(999), LockIdleCount = 100 }),
        Good with { Slot = 7 },
    ];

    private IBlockDevice _meta = null!;
    private IBlockDevice _data = null!;

    [SetUp]
    public async Task FormatAsync() => (_meta, _data) = await TestNode.FormatAsync();

    [TearDown]
    public async Task NothingIsMountedAndALaterMountIsFineAsync()
    {
        var (error, use) = await VolumeClaim.InspectAsync(_meta, None);
        Assert.That((error, use!.IsInUse), Is.EqualTo((FsError.None, false)));
        var mounted = await TestNode.StartAsync(_meta, _data, 9);
        await mounted.UnmountAsync();
        await MountedFixture.CheckAsync(_meta, _data);
    }

    [TestCaseSource(nameof(BadOptions))]
    public async Task Mount_OptionOutOfRange_IsInvalid(LocalNodeOptions options)
    {
        var (error, node, message) = await StartAsync(_meta, _data, options);
        Assert.That((error, node), Is.EqualTo((FsError.Invalid, (LocalNode?)null)));
        Assert.That(message, Is.Not.Empty);
    }

    [Test]
    public async Task Mount_DevicesSwapped_Fails() => await FailsAsync(_data, _meta);

    [Test]
    public async Task Mount_MetadataTwice_Fails() => await FailsAsync(_meta, _meta);

    [Test]
    public async Task Mount_DataTwice_Fails() => await FailsAsync(_data, _data);

    [Test]
    public async Task Mount_DataDeviceOfAnotherVolume_Fails()
    {
        var other = new MemoryBlockDevice("other meta", _meta.SizeBytes);
        var otherData = new MemoryBlockDevice("other data", _data.SizeBytes);
        await TestNode.FormatAsync(other, otherData, seed: 2);
        await FailsAsync(_meta, otherData);
    }

    [Test]
    public async Task Mount_DeviceWithoutAVolume_Fails() =>
        await FailsAsync(_meta, new MemoryBlockDevice("blank", _data.SizeBytes));

    [Test]
    public async Task Mount_CancelledWhileADeviceDoesNotAnswer_EndsAndLeavesNothing(
        [Range(0, 12)] int reads)
    {
        using var cancel = new CancellationTokenSource();
        var stuck = new StuckDevice(_meta, reads, cancel);
        var (error, node, _) = await LocalNode.StartAsync(
            stuck, _data, Good, TimeProvider.System, new Prng(3), cancel.Token);
        Assert.That(error, Is.EqualTo(cancel.IsCancellationRequested ? FsError.Cancelled : FsError.None));
        if (node is null)
            return;
        Assert.That(await node.UnmountAsync(), Is.EqualTo(FsError.None));
        await node.DisposeAsync();
    }

    private static LocalNodeOptions Mounted(MountOptions options) => Good with { Mount = options };

    private static async Task<(FsError Error, LocalNode? Node, string Message)> StartAsync(
        IBlockDevice meta, IBlockDevice data, LocalNodeOptions options) =>
        await LocalNode.StartAsync(meta, data, options, TimeProvider.System, new Prng(3), None);

    private static async Task FailsAsync(IBlockDevice meta, IBlockDevice data)
    {
        var (error, node, message) = await StartAsync(meta, data, Good);
        if (node is not null)
            await node.DisposeAsync();
        Assert.That(error, Is.Not.EqualTo(FsError.None));
        Assert.That(message, Is.Not.Empty);
    }

    // After some reads, the next one ends only when its caller gives up, which it does at once.
    private sealed class StuckDevice(IBlockDevice device, int reads, CancellationTokenSource cancel) : IBlockDevice
    {
        private int _left = reads;

        public string Name => device.Name;

        public long SizeBytes => device.SizeBytes;

        public bool IsWritable => true;

        public async ValueTask<FsError> ReadAsync(
            long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken) =>
            await StickAsync(cancellationToken) ?? await device.ReadAsync(offsetBytes, buffer, cancellationToken);

        public async ValueTask<FsError> ReadAsync(
            long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
            await StickAsync(cancellationToken) ?? await device.ReadAsync(offsetBytes, buffers, cancellationToken);

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) =>
            device.WriteAsync(offsetBytes, buffer, cancellationToken);

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken) =>
            device.WriteAsync(offsetBytes, buffers, cancellationToken);

        public ValueTask<FsError> FlushAsync(CancellationToken cancellationToken) =>
            device.FlushAsync(cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private async Task<FsError?> StickAsync(CancellationToken cancellationToken)
        {
            if (--_left >= 0 || !cancellationToken.CanBeCanceled)
                return null;
            await cancel.CancelAsync();
            return cancellationToken.IsCancellationRequested ? FsError.Cancelled : null;
        }
    }
}
