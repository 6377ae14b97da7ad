using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class PackedVolumeTests
{
    private const long MetaBytes = 1 << 20;
    private const long DataBytes = (3 << 20) + 4096;

    [TestCase(true)]
    [TestCase(false)]
    public async Task RoundTrip_ScatteredBlocks_GivesEqualDevices(bool knowsHoles)
    {
        var (meta, data) = (await ScatterAsync("meta", MetaBytes, 1), await ScatterAsync("data", DataBytes, 2));

        byte[] packed = knowsHoles
            ? await PackAsync(meta, data)
            : await PackAsync(new OpaqueDevice(meta), new OpaqueDevice(data));
        var (newMeta, newData) = await UnpackAsync(packed);

        Assert.That(await ReadAllAsync(newMeta), Is.EqualTo(await ReadAllAsync(meta)));
        Assert.That(await ReadAllAsync(newData), Is.EqualTo(await ReadAllAsync(data)));
    }

    [Test]
    public async Task Pack_ZerosThatAreAllocated_LeavesThemOut()
    {
        var (meta, data) = Devices();
        await WriteAsync(meta, 0, new byte[65536]);
        await WriteAsync(data, 4096, Filled(7));

        byte[] packed = await PackAsync(meta, data);
        var (newMeta, newData) = await UnpackAsync(packed);

        Assert.That(packed, Has.Length.LessThan(150));
        Assert.That(newMeta.AllocatedChunks, Is.Zero);
        Assert.That(newData.AllocatedChunks, Is.EqualTo(1));
    }

    [Test]
    public async Task Pack_HugeDeviceWithHoles_SkipsThem()
    {
        var meta = new MemoryBlockDevice("meta", 1L << 42);
        var data = new ScriptedRanges(1L << 50, [(3L << 40, (3L << 40) + 8192), ((1L << 50) - 4096, 1L << 50)]);
        var progress = new List<long>();

        byte[] packed = await PackAsync(meta, data, new ListProgress(progress));

        Assert.That(data.ReadsAt, Is.EqualTo(new[] { 3L << 40, (1L << 50) - 4096 }));
        Assert.That(progress[^1], Is.EqualTo((1L << 42) + (1L << 50)));
        Assert.That(progress, Is.Ordered);
        using var from = new MemoryStream(packed);
        Assert.That(
            await PackedVolume.ReadHeaderAsync(from, default),
            Is.EqualTo(new PackedVolumeSizes(1L << 42, 1L << 50)));
    }

    [Test]
    public async Task Pack_ReadFails_NamesDeviceAndPlace()
    {
        var (meta, data) = Devices();
        var broken = new OpaqueDevice(data) { Failure = FsError.Io, FailsFromBytes = 131072 };

        var thrown = await Assert.ThrowsAsync<VolumeException>(async () => await PackAsync(meta, broken));

        Assert.That(thrown!.Error, Is.EqualTo(FsError.Io));
        Assert.That(thrown.Message, Is.EqualTo("Cannot read data at byte 131072: input/output error on the device."));
    }

    [Test]
    public async Task Pack_EmptyDevice_IsRefused()
    {
        var thrown = await Assert.ThrowsAsync<VolumeException>(
            async () => await PackAsync(new MemoryBlockDevice("meta", 0), new MemoryBlockDevice("data", 4096)));
        Assert.That(thrown!.Error, Is.EqualTo(FsError.TooSmall));
    }

    [Test]
    public async Task Pack_Cancelled_Stops()
    {
        var (meta, data) = Devices();
        await Assert.CatchAsync<OperationCanceledException>(
            async () => await PackedVolume.PackAsync(
                meta, data, Stream.Null, null, new CancellationToken(canceled: true)).AsTask());
    }

    [Test]
    public async Task Unpack_SlowStream_GivesTheSame()
    {
        var (meta, data) = (await ScatterAsync("meta", MetaBytes, 3), await ScatterAsync("data", DataBytes, 4));
        byte[] packed = await PackAsync(meta, data);

        var (newMeta, _) = await UnpackAsync(new OneByteStream(packed));

        Assert.That(await ReadAllAsync(newMeta), Is.EqualTo(await ReadAllAsync(meta)));
    }

    [Test]
    public async Task Unpack_SmallerDevice_IsRefusedBeforeWriting()
    {
        var (meta, data) = Devices();
        await WriteAsync(meta, 0, Filled(1));
        using var from = new MemoryStream(await PackAsync(meta, data));
        var sizes = await PackedVolume.ReadHeaderAsync(from, default);
        var target = new MemoryBlockDevice("target", MetaBytes);
        var small = new MemoryBlockDevice("small", DataBytes - 4096);

        var thrown = await Assert.ThrowsAsync<VolumeException>(
            async () => await PackedVolume.UnpackAsync(from, sizes, target, small, null, default));

        Assert.That(thrown!.Error, Is.EqualTo(FsError.TooSmall));
        Assert.That(thrown.Message, Does.StartWith("small has "));
        Assert.That(target.AllocatedChunks, Is.Zero);
    }

    [Test]
    public async Task Unpack_WriteFails_NamesDeviceAndPlace()
    {
        var (meta, data) = Devices();
        await WriteAsync(meta, 65536, Filled(1));
        using var from = new MemoryStream(await PackAsync(meta, data));
        var sizes = await PackedVolume.ReadHeaderAsync(from, default);
        var broken = new OpaqueDevice(meta) { Failure = FsError.ReadOnly };

        var thrown = await Assert.ThrowsAsync<VolumeException>(
            async () => await PackedVolume.UnpackAsync(from, sizes, broken, data, null, default));

        Assert.That(thrown!.Error, Is.EqualTo(FsError.ReadOnly));
        Assert.That(thrown.Message, Is.EqualTo("Cannot write meta at byte 65536: device was opened read-only."));
    }

    [Test]
    public async Task Unpack_CutOffAnywhere_SaysSo()
    {
        byte[] packed = await SamplePackAsync();
        for (int length = 0; length < packed.Length; length++)
        {
            var thrown = await Assert.ThrowsAsync<VolumeException>(async () => await UnpackAsync(packed[..length]));
            Assert.That(
                thrown!.Error, Is.EqualTo(length < 8 ? FsError.Invalid : FsError.Corrupt), $"cut to {length} bytes");
        }
    }

    [Test]
    public async Task Unpack_AnyBitFlipped_IsFound()
    {
        byte[] packed = await SamplePackAsync();
        for (int bit = 0; bit < packed.Length * 8; bit++)
        {
            byte[] damaged = [.. packed];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            var thrown = await Assert.ThrowsAsync<VolumeException>(
                async () => await UnpackAsync(new MemoryStream(damaged), maxBytes: 1 << 24), $"bit {bit}");
            Assert.That(
                thrown!.Error,
                Is.AnyOf(FsError.Corrupt, FsError.Invalid, FsError.Unsupported, FsError.TooSmall), $"bit {bit}");
        }
    }

    [Test]
    public async Task Unpack_SomethingBehindTheEnd_IsFound()
    {
        byte[] packed = await SamplePackAsync();
        var thrown = await Assert.ThrowsAsync<VolumeException>(async () => await UnpackAsync([.. packed, 0]));
        Assert.That(thrown!.Message, Does.Contain("something follows its end"));
    }

    [TestCase(0ul, 4096ul)]
    [TestCase(4096ul, 0ul)]
    [TestCase(4097ul, 4096ul)]
    [TestCase(4096ul, 1ul << 62)]
    [TestCase(ulong.MaxValue & ~4095ul, 4096ul)]
    public async Task ReadHeader_SizesThatMakeNoSense_AreRefused(ulong metaBytes, ulong dataBytes)
    {
        var thrown = await Assert.ThrowsAsync<VolumeException>(
            async () => await UnpackAsync(Craft(metaBytes, dataBytes, [])));
        Assert.That(thrown!.Error, Is.EqualTo(FsError.Corrupt));
    }

    [TestCase(0ul, 17u)] // More than a buffer.
    [TestCase(0ul, uint.MaxValue)]
    [TestCase(5ul, 0u)] // Nothing, which would go on for ever.
    [TestCase(16ul, 1u)] // Past the end.
    [TestCase(15ul, 2u)]
    [TestCase(ulong.MaxValue, 1u)]
    [TestCase(1ul << 52, 1u)] // Wraps when turned into bytes.
    [TestCase(1ul, 1u)] // Not behind the one before.
    [TestCase(3ul, 1u)]
    public async Task Unpack_ExtentOutOfPlace_IsRefused(ulong block, uint count)
    {
        byte[] body = [.. Extent(2, 2), .. Extent(block, count), .. Extent(0, 0), .. Extent(0, 0)];

        var thrown = await Assert.ThrowsAsync<VolumeException>(
            async () => await UnpackAsync(Craft(16 * 4096, 16 * 4096, body)));

        Assert.That(thrown!.Error, Is.EqualTo(FsError.Corrupt));
        Assert.That(thrown.Message, Does.Contain($"an extent of {count} blocks at block {block} is out of place"));
    }

    [Test]
    public async Task Unpack_ContentsEndEarly_IsRefused()
    {
        byte[][] bodies =
        [
            [], [.. Extent(0, 0)], [.. Extent(0, 0), 0], [.. Extent(0, 0), .. Extent(1, 1)[..^1]],
        ];
        foreach (byte[] body in bodies)
        {
            var thrown = await Assert.ThrowsAsync<VolumeException>(
                async () => await UnpackAsync(Craft(65536, 65536, body)));
            Assert.That(thrown!.Message, Does.Contain("its contents end early"));
        }
    }

    [Test]
    public async Task Unpack_ContentsGoOn_IsRefusedAtTheFirstByte()
    {
        // A hundred megabytes that compress to a few hundred bytes: not to be unpacked to see where they end.
        byte[] body = [.. Extent(0, 0), .. Extent(0, 0), .. new byte[100 << 20]];
        byte[] packed = Craft(65536, 65536, body);

        long before = GC.GetTotalAllocatedBytes(precise: true);
        var thrown = await Assert.ThrowsAsync<VolumeException>(async () => await UnpackAsync(packed));

        Assert.That(thrown!.Message, Does.Contain("there is more in it than two devices"));
        Assert.That(GC.GetTotalAllocatedBytes(precise: true) - before, Is.LessThan(1 << 20));
    }

    [Test]
    public async Task Unpack_CraftedPack_IsRead()
    {
        byte[] body = [.. Extent(2, 2), .. Extent(4, 1), .. Extent(0, 0), .. Extent(15, 1), .. Extent(0, 0)];

        var (meta, data) = await UnpackAsync(Craft(16 * 4096, 16 * 4096, body));

        Assert.That(await ReadAllAsync(meta), Is.EqualTo(Expected(2, 3, 4)));
        Assert.That(await ReadAllAsync(data), Is.EqualTo(Expected(15)));
    }

    [TestCase("g0-empty", 16, 16, 1)]
    [TestCase("g1-basic", 16, 16, 305)]
    [TestCase("g2-multi", 16, 32, 4938)]
    [TestCase("g3-large-dir", 16, 16, 74929)]
    [TestCase("g4-archive", 16, 16, 122)]
    [TestCase("g5-crash", 16, 32, 6488)]
    [TestCase("g8-srch", 16, 16, 8709)]
    public async Task Unpack_GoldenVolume_HasBothSuperBlocks(string name, int metaGiB, int dataGiB, int paths)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        var buffer = new byte[FormatConstants.SmallBlockBytes];

        var meta = await OfflineVolume.ReadSuperAsync(golden.Meta, isMeta: true, buffer, default);
        var data = await OfflineVolume.ReadSuperAsync(golden.DataDevice, isMeta: false, buffer, default);

        Assert.That(golden.Meta.SizeBytes, Is.EqualTo((long)metaGiB << 30));
        Assert.That(golden.DataDevice.SizeBytes, Is.EqualTo((long)dataGiB << 30));
        Assert.That(data.Header.Fsid, Is.EqualTo(meta.Header.Fsid));
        Assert.That(GoldenVolume.Manifest(name).Count(), Is.EqualTo(paths));
        Assert.That(GoldenVolume.Manifest(name).First(), Does.StartWith("""{"path": "/", "ino": 1, """));
        Assert.That(GoldenVolume.FsInfoText(name), Does.StartWith("# statfs\nfsid  "));
    }

    private static (MemoryBlockDevice Meta, MemoryBlockDevice Data) Devices() =>
        (new MemoryBlockDevice("meta", MetaBytes), new MemoryBlockDevice("data", DataBytes));

    private static async Task<byte[]> SamplePackAsync()
    {
        var (meta, data) = Devices();
        await WriteAsync(meta, 8192, Filled(1));
        await WriteAsync(data, DataBytes - 4096, Filled(2));
        return await PackAsync(meta, data);
    }

    private static async Task<MemoryBlockDevice> ScatterAsync(string name, long sizeBytes, ulong seed)
    {
        var prng = new Prng(seed);
        var device = new MemoryBlockDevice(name, sizeBytes);
        var block = new byte[4096];
        for (long at = 0; at < sizeBytes; at += 4096)
        {
            if (prng.NextInt32(3) != 0)
                continue;
            block[prng.NextInt32(4096)] = (byte)(1 + prng.NextInt32(255));
            await WriteAsync(device, at, block);
        }

        return device;
    }

    private static byte[] Filled(byte value)
    {
        var block = new byte[4096];
        block.AsSpan().Fill(value);
        return block;
    }

    private static byte[] Expected(params int[] blocks)
    {
        var bytes = new byte[16 * 4096];
        foreach (int block in blocks)
            bytes.AsSpan(block * 4096, 4096).Fill(0x5a);
        return bytes;
    }

    private static byte[] Extent(ulong block, uint count)
    {
        var bytes = new byte[12 + (Math.Min(count, 17) * 4096)];
        bytes.AsSpan(12).Fill(0x5a);
        BitConverter.TryWriteBytes(bytes, block);
        BitConverter.TryWriteBytes(bytes.AsSpan(8), count);
        return bytes;
    }

    /// <summary>A pack with any header and contents, and the right digest.</summary>
    private static byte[] Craft(ulong metaBytes, ulong dataBytes, byte[] body)
    {
        using var packed = new MemoryStream();
        packed.Write("SCOUTPAK"u8);
        packed.Write([1, 0, 0, 0, 0, 0, 0, 0]);
        packed.Write(BitConverter.GetBytes(metaBytes));
        packed.Write(BitConverter.GetBytes(dataBytes));
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            brotli.Write(body);
        packed.Write(SHA256.HashData(packed.ToArray()));
        return packed.ToArray();
    }

    private static async Task WriteAsync(MemoryBlockDevice device, long offsetBytes, byte[] bytes) =>
        Assert.That(await device.WriteAsync(offsetBytes, bytes, default), Is.EqualTo(FsError.None));

    private static async Task<byte[]> ReadAllAsync(MemoryBlockDevice device)
    {
        var bytes = new byte[device.SizeBytes];
        Assert.That(await device.ReadAsync(0, bytes, default), Is.EqualTo(FsError.None));
        return bytes;
    }

    private static async Task<byte[]> PackAsync(IBlockDevice meta, IBlockDevice data, IProgress<long>? progress = null)
    {
        using var to = new MemoryStream();
        await PackedVolume.PackAsync(meta, data, to, progress, default);
        return to.ToArray();
    }

    private static Task<(MemoryBlockDevice Meta, MemoryBlockDevice Data)> UnpackAsync(byte[] packed) =>
        UnpackAsync(new MemoryStream(packed));

    private static async Task<(MemoryBlockDevice Meta, MemoryBlockDevice Data)> UnpackAsync(
        Stream from, long maxBytes = long.MaxValue)
    {
        var sizes = await PackedVolume.ReadHeaderAsync(from, default);
        var meta = new MemoryBlockDevice("meta", Math.Min(sizes.MetaBytes, maxBytes));
        var data = new MemoryBlockDevice("data", Math.Min(sizes.DataBytes, maxBytes));
        await PackedVolume.UnpackAsync(from, sizes, meta, data, null, default);
        return (meta, data);
    }

    private sealed class ListProgress(List<long> reports) : IProgress<long>
    {
        public void Report(long value) => reports.Add(value);
    }

    /// <summary>Hides where its device has holes, and fails on demand.</summary>
    private class OpaqueDevice(MemoryBlockDevice device) : IBlockDevice
    {
        public FsError Failure { get; init; }

        public long FailsFromBytes { get; init; }

        public string Name => device.Name;

        public virtual long SizeBytes => device.SizeBytes;

        public bool IsWritable => true;

        public virtual ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken token) =>
            Fails(offsetBytes) ? new(Failure) : device.ReadAsync(offsetBytes, buffer, token);

        public ValueTask<FsError> ReadAsync(
            long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken token) =>
            Fails(offsetBytes) ? new(Failure) : device.ReadAsync(offsetBytes, buffers, token);

        public ValueTask<FsError> WriteAsync(long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken token) =>
            Fails(offsetBytes) ? new(Failure) : device.WriteAsync(offsetBytes, buffer, token);

        public ValueTask<FsError> WriteAsync(
            long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken token) =>
            Fails(offsetBytes) ? new(Failure) : device.WriteAsync(offsetBytes, buffers, token);

        public ValueTask<FsError> FlushAsync(CancellationToken token) => device.FlushAsync(token);

        public ValueTask DisposeAsync() => device.DisposeAsync();

        private bool Fails(long offsetBytes) => Failure != FsError.None && offsetBytes >= FailsFromBytes;
    }

    /// <summary>A huge device of ones in a few places, which remembers where it was read.</summary>
    private sealed class ScriptedRanges(long sizeBytes, (long Start, long End)[] ranges)
        : OpaqueDevice(new MemoryBlockDevice("scripted", 0)), IAllocatedRanges
    {
        public List<long> ReadsAt { get; } = [];

        public override long SizeBytes => sizeBytes;

        public bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes)
        {
            (startBytes, endBytes) = ranges.FirstOrDefault(range => range.End > fromBytes);
            startBytes = Math.Max(startBytes, fromBytes);
            return endBytes > 0;
        }

        public override ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken token)
        {
            ReadsAt.Add(offsetBytes);
            buffer.Span.Fill(1);
            return new(FsError.None);
        }
    }

    /// <summary>Gives one byte at a time, as a pipe may.</summary>
    private sealed class OneByteStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(1, buffer.Length)], cancellationToken);
    }
}
