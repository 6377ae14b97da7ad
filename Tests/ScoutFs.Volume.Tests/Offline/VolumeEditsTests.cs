using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class VolumeEditsTests
{
    private const long SuperOffset = 65536;

    private MemoryBlockDevice _meta = null!;
    private MemoryBlockDevice _data = null!;

    [SetUp]
    public async Task MakeVersion1VolumeAsync()
    {
        _meta = new MemoryBlockDevice("meta", 2048L * FormatConstants.LargeBlockBytes);
        _data = new MemoryBlockDevice("data", 4096L * FormatConstants.SmallBlockBytes);
        var request = new FormatRequest
        {
            Slots = [new QuorumSlot(0, 0x0a000001, 5000), new QuorumSlot(1, 0x0a000002, 5000)],
            FormatVersion = 1,
            AllowSmall = true,
        };
        var plan = FormatPlan.Create(
            request, (ulong)_meta.SizeBytes, (ulong)_data.SizeBytes, new Prng(1), DateTimeOffset.UnixEpoch);
        await Formatter.FormatAsync(_meta, _data, plan, CancellationToken.None);
    }

    [TearDown]
    public async Task DisposeDevicesAsync()
    {
        await _meta.DisposeAsync();
        await _data.DisposeAsync();
    }

    [Test]
    public async Task ChangeQuorumConfig_NewSlots_ReplacesAllAndRaisesVersion()
    {
        QuorumSlot[] slots = [new(1, 0x0a000009, 6000), new(14, 0x0a000002, 5000)];

        var written = await VolumeEdits.ChangeQuorumConfigAsync(_meta, slots, CancellationToken.None);

        using var volume = await OpenAsync();
        var super = volume.Super;
        Assert.That(QuorumSlot.Of(super.QuorumConfig), Is.EqualTo(slots));
        Assert.That(super.QuorumConfig.Version.Value, Is.EqualTo(2));
        Assert.That(super.Header.Seq.Value, Is.EqualTo(1));
        Assert.That(Disk.Bytes(in super).SequenceEqual(Disk.Bytes(in written)), Is.True);
    }

    [Test]
    public async Task ChangeQuorumConfig_UnknownBytes_AreKept()
    {
        // The tail of slot 0, that of slot 1, and a byte past the structure.
        await EditSuperAsync(_meta, block => block[120 + 20] = block[152 + 20] = block[2000] = 0xab);

        _ = await VolumeEdits.ChangeQuorumConfigAsync(
            _meta, [new(0, 0x0a000001, 5000), new(1, 0x0a000009, 5000)], CancellationToken.None);

        byte[] block = await ReadSuperAsync(_meta);
        Assert.That(block[120 + 20], Is.EqualTo(0xab), "slot 0 did not change");
        Assert.That(block[152 + 20], Is.Zero, "slot 1 did");
        Assert.That(block[2000], Is.EqualTo(0xab));
    }

    [Test]
    public async Task ChangeQuorumConfig_BadSlots_WritesNothing()
    {
        byte[] before = await ReadSuperAsync(_meta);
        Assert.That(
            async () => await VolumeEdits.ChangeQuorumConfigAsync(_meta, [], CancellationToken.None),
            Throws.InstanceOf<VolumeException>().With.Property("Error").EqualTo(FsError.Invalid));
        Assert.That(await ReadSuperAsync(_meta), Is.EqualTo(before));
    }

    [Test]
    public async Task ChangeFormatVersion_Version1_RaisesBothSupers()
    {
        var (super, isChanged) = await VolumeEdits.ChangeFormatVersionAsync(_meta, _data, 2, CancellationToken.None);

        Assert.That(isChanged, Is.True);
        Assert.That(super.FormatVersion.Value, Is.EqualTo(2));
        using var volume = await OpenAsync();
        Assert.That(volume.Super.FormatVersion.Value, Is.EqualTo(2));
    }

    [Test]
    public async Task ChangeFormatVersion_SameVersion_WritesNothing()
    {
        var log = new WriteLog();
        var (super, isChanged) = await VolumeEdits.ChangeFormatVersionAsync(
            log.Record(_meta, 0), log.Record(_data, 1), 1, CancellationToken.None);

        Assert.That(isChanged, Is.False);
        Assert.That(super.FormatVersion.Value, Is.EqualTo(1));
        Assert.That(log.Count, Is.Zero);
    }

    [Test]
    public async Task ChangeFormatVersion_Downgrade_IsNotPermitted()
    {
        _ = await VolumeEdits.ChangeFormatVersionAsync(_meta, _data, 2, CancellationToken.None);
        Assert.That(
            async () => await VolumeEdits.ChangeFormatVersionAsync(_meta, _data, 1, CancellationToken.None),
            Throws.InstanceOf<VolumeException>().With.Property("Error").EqualTo(FsError.NotPermitted));
    }

    [Test]
    public async Task ChangeFormatVersion_CutOffAnywhere_IsFinishedByRunningItAgain([Range(0, 4)] int cut)
    {
        var log = new WriteLog();
        var (liveMeta, liveData) = (await CopyAsync(_meta), await CopyAsync(_data));
        _ = await VolumeEdits.ChangeFormatVersionAsync(
            log.Record(liveMeta, 0), log.Record(liveData, 1), 2, CancellationToken.None);
        Assert.That(log.Count, Is.EqualTo(4));
        await log.ReplayAsync(cut, [_meta, _data], () => false);

        // Never both: mounts refuse supers that differ, and nobody uses version 2 before both say so.
        ulong metaVersion = await VersionAsync(_meta);
        Assert.That(metaVersion, Is.EqualTo(cut < 3 ? 1 : 2));
        Assert.That(await VersionAsync(_data), Is.EqualTo(cut < 1 ? 1 : 2));

        _ = await VolumeEdits.ChangeFormatVersionAsync(_meta, _data, 2, CancellationToken.None);
        Assert.That(await VersionAsync(_meta), Is.EqualTo(2));
        Assert.That(await VersionAsync(_data), Is.EqualTo(2));
    }

    [Test]
    public async Task ChangeFormatVersion_DeviceOfOtherVolume_IsRefused()
    {
        await EditSuperAsync(_data, block => block[60] ^= 1);
        Assert.That(
            async () => await VolumeEdits.ChangeFormatVersionAsync(_meta, _data, 2, CancellationToken.None),
            Throws.InstanceOf<VolumeException>().With.Message.Contains("different volumes"));
    }

    [Test]
    public async Task AllWriters_VolumeInUse_RefuseAndWriteNothing()
    {
        await BeginQuorumAsync(slot: 1);
        var log = new WriteLog();
        var (meta, data) = (log.Record(_meta, 0), log.Record(_data, 1));

        AssertInUse(async () =>
            await VolumeEdits.ChangeQuorumConfigAsync(meta, [new(0, 0x0a000001, 1)], CancellationToken.None));
        AssertInUse(async () => await VolumeEdits.ChangeFormatVersionAsync(meta, data, 2, CancellationToken.None));
        AssertInUse(async () => await VolumeEdits.PrepareEmptyDataDeviceAsync(meta, data, CancellationToken.None));
        Assert.That(log.Count, Is.Zero);
    }

    [Test]
    public async Task PrepareEmptyDataDevice_CleanEmptyVolume_NewDeviceBelongsToIt()
    {
        _data = new MemoryBlockDevice("new data", 5000L * FormatConstants.SmallBlockBytes);

        _ = await VolumeEdits.PrepareEmptyDataDeviceAsync(_meta, _data, CancellationToken.None);

        using var volume = await OpenAsync();
        var copy = await OfflineVolume.ReadSuperAsync(_data, false, new byte[4096], CancellationToken.None);
        Assert.That(copy.Seq.Value, Is.EqualTo(volume.Super.Seq.Value));
        Assert.That(copy.TotalDataBlocks.Value, Is.EqualTo(4096));
        Assert.That(copy.QuorumConfig.Version.Value, Is.Zero);
        Assert.That(copy.FsRoot.Height, Is.Zero);
    }

    [Test]
    public async Task PrepareEmptyDataDevice_TooSmallDevice_IsRefused()
    {
        var small = new MemoryBlockDevice("small", 4095L * FormatConstants.SmallBlockBytes);
        var problems = await VolumeEdits.CheckForEmptyDataDeviceAsync(_meta, small, CancellationToken.None);
        Assert.That(problems.Select(problem => problem.Error), Is.EqualTo(new[] { FsError.TooSmall }));
        Assert.That(
            async () => await VolumeEdits.PrepareEmptyDataDeviceAsync(_meta, small, CancellationToken.None),
            Throws.InstanceOf<VolumeException>());
        Assert.That(small.AllocatedChunks, Is.Zero);
    }

    [TestCase("g0-empty", new FsError[0])]
    [TestCase("g1-basic", new[] { FsError.Invalid })]
    public async Task CheckForEmptyDataDevice_Golden_FindsDataInUse(string name, FsError[] expected)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        var problems = await VolumeEdits.CheckForEmptyDataDeviceAsync(
            golden.Meta, golden.DataDevice, CancellationToken.None);
        Assert.That(problems.Select(problem => problem.Error), Is.EqualTo(expected));
    }

    private static void AssertInUse(Func<Task> action) => Assert.That(
        async () => await action(),
        Throws.InstanceOf<VolumeException>().With.Property("Error").EqualTo(FsError.VolumeInUse));

    private async Task<OfflineVolume> OpenAsync() =>
        await OfflineVolume.OpenAsync(_meta, _data, OfflineVolume.DefaultCacheBytes, CancellationToken.None);

    private async Task BeginQuorumAsync(int slot)
    {
        byte[] block = new byte[4096];
        ulong blkno = FormatConstants.QuorumBlkno + (ulong)slot;
        _ = await SmallBlocks.ReadAsync(_meta, blkno, block, CancellationToken.None);
        ref var quorum = ref Disk.Ref<QuorumBlock>(block.AsSpan());
        quorum.WriteNr = 1;
        quorum.Events[(int)QuorumEventKind.Begin].WriteNr = 1;
        _ = await SmallBlocks.WriteAsync(_meta, blkno, block, CancellationToken.None);
    }

    private static async Task<ulong> VersionAsync(IBlockDevice device) =>
        Disk.Ref<SuperBlock>((await ReadSuperAsync(device)).AsSpan()).FormatVersion;

    private static async Task<byte[]> ReadSuperAsync(IBlockDevice device)
    {
        byte[] block = new byte[4096];
        Assert.That(await device.ReadAsync(SuperOffset, block, CancellationToken.None), Is.EqualTo(FsError.None));
        return block;
    }

    private static async Task EditSuperAsync(IBlockDevice device, Action<byte[]> edit)
    {
        byte[] block = await ReadSuperAsync(device);
        edit(block);
        _ = await SmallBlocks.WriteAsync(device, FormatConstants.SuperBlkno, block, CancellationToken.None);
    }

    private static async Task<MemoryBlockDevice> CopyAsync(MemoryBlockDevice from)
    {
        var to = new MemoryBlockDevice(from.Name, from.SizeBytes);
        for (long at = 0; from.TryFindAllocated(at, out long start, out long end); at = end)
        {
            byte[] bytes = new byte[end - start];
            _ = await from.ReadAsync(start, bytes, CancellationToken.None);
            _ = await to.WriteAsync(start, bytes, CancellationToken.None);
        }

        return to;
    }
}
