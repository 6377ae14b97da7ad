using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests.Devices;

/// <summary>What <see cref="IBlockDevice"/> promises, asked of every kind of device.</summary>
[TestFixture(DiskKind.Memory)]
[TestFixture(DiskKind.Image)]
[TestFixture(DiskKind.ImageInMemory)]
[TestFixture(DiskKind.Loop)]
public sealed class BlockDeviceContractTests(DiskKind kind)
{
    private const long SizeBytes = 32 << 20;

    private TestDisk _disk = null!;
    private IBlockDevice _device = null!;
    private AlignedBlocks _blocks = null!;

    [SetUp]
    public void SetUp()
    {
        _blocks = new AlignedBlocks(128);
        _disk = TestDisk.Create(kind, SizeBytes);
        _device = _disk.Open();
    }

    [TearDown]
    public async Task TearDownAsync()
    {
        _blocks.Dispose();

        // Where such a disk cannot be made nothing else is set up.
        if (_device is null)
            return;
        await _device.DisposeAsync();
        await _disk.DisposeAsync();
    }

    [Test]
    public void Open_Disk_HasItsSizeAndName()
    {
        Assert.That(_device.SizeBytes, Is.EqualTo(SizeBytes));
        Assert.That(_device.AlignmentBytes, Is.EqualTo(4096));
        Assert.That(_device.IsWritable);
        Assert.That(_device.Name, Is.EqualTo(_disk.Path));
    }

    [Test]
    public async Task Read_NeverWritten_GivesZeros()
    {
        var block = Rent();
        block.Span.Fill(1);
        Assert.That(await _device.ReadAsync(SizeBytes - 65536, block, default), Is.EqualTo(FsError.None));
        Assert.That(block.Span.ContainsAnyExcept((byte)0), Is.False);
    }

    [Test]
    public async Task ReadAndWrite_RandomTransfers_MatchAModel()
    {
        const int ModelBytes = 4 << 20;
        var prng = new Prng(20);
        var model = new byte[ModelBytes];
        Memory<byte>[] blocks = [.. Enumerable.Range(0, 16).Select(_ => Rent())];
        for (int round = 0; round < 500; round++)
        {
            Memory<byte>[] buffers =
                [.. blocks[..(1 + prng.NextInt32(16))].Select(block => block[..(4096 * (1 + prng.NextInt32(16)))])];
            int lengthBytes = buffers.Sum(buffer => buffer.Length);
            int atBytes = prng.NextInt32(((ModelBytes - lengthBytes) / 4096) + 1) * 4096;
            FsError error;
            if (prng.NextInt32(2) == 0)
            {
                int filled = atBytes;
                foreach (var buffer in buffers)
                {
                    prng.Fill(buffer.Span[..64]);
                    buffer.Span[64..].Fill((byte)round);
                    buffer.Span.CopyTo(model.AsSpan(filled));
                    filled += buffer.Length;
                }

                error = buffers.Length == 1
                    ? await _device.WriteAsync(atBytes, buffers[0], default)
                    : await _device.WriteAsync(
                        atBytes, [.. buffers.Select(buffer => (ReadOnlyMemory<byte>)buffer)], default);
                Assert.That(error, Is.EqualTo(FsError.None));
                continue;
            }

            error = buffers.Length == 1
                ? await _device.ReadAsync(atBytes, buffers[0], default)
                : await _device.ReadAsync(atBytes, buffers, default);
            Assert.That(error, Is.EqualTo(FsError.None));
            foreach (var buffer in buffers)
            {
                bool isEqual = buffer.Span.SequenceEqual(model.AsSpan(atBytes, buffer.Length));
                Assert.That(isEqual, $"round {round}, byte {atBytes}");
                atBytes += buffer.Length;
            }
        }

        Assert.That(await _device.FlushAsync(default), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task ReadAndWrite_MoreBuffersThanTheKernelTakes_TransferAll()
    {
        // 3000 buffers of one block each; IOV_MAX is 1024.
        var (blocks, other) = (Rent(), Rent());
        for (int i = 0; i < 16; i++)
            blocks.Span.Slice(i * 4096, 4096).Fill((byte)(i + 1));
        ReadOnlyMemory<byte>[] write =
            [.. Enumerable.Range(0, 3000).Select(i => (ReadOnlyMemory<byte>)blocks.Slice(i % 16 * 4096, 4096))];
        Assert.That(await _device.WriteAsync(65536, write, default), Is.EqualTo(FsError.None));
        for (int i = 0; i < 3000; i += 16)
        {
            int count = Math.Min(16, 3000 - i) * 4096;
            long atBytes = 65536 + (i * 4096L);
            Assert.That(await _device.ReadAsync(atBytes, other[..count], default), Is.EqualTo(FsError.None));
            Assert.That(other.Span[..count].SequenceEqual(blocks.Span[..count]), $"buffer {i}");
        }

        Memory<byte>[] read = [.. Enumerable.Range(0, 3000).Select(i => other.Slice(i % 16 * 4096, 4096))];
        other.Span.Clear();
        Assert.That(await _device.ReadAsync(65536, read, default), Is.EqualTo(FsError.None));
        Assert.That(other.Span.SequenceEqual(blocks.Span));
    }

    [Test]
    public async Task ReadAndWrite_Nothing_Succeeds()
    {
        Assert.That(await _device.ReadAsync(0, Memory<byte>.Empty, default), Is.EqualTo(FsError.None));
        Assert.That(await _device.WriteAsync(SizeBytes, ReadOnlyMemory<byte>.Empty, default), Is.EqualTo(FsError.None));
        Memory<byte>[] noRead = [];
        ReadOnlyMemory<byte>[] noWrite = [];
        Assert.That(await _device.ReadAsync(0, noRead, default), Is.EqualTo(FsError.None));
        Assert.That(await _device.WriteAsync(0, noWrite, default), Is.EqualTo(FsError.None));
    }

    [TestCase(1, 4096)]
    [TestCase(512, 4096)]
    [TestCase(-512, 4096)]
    [TestCase(0, 512)]
    [TestCase(4096, 4095)]
    public async Task ReadAndWrite_NotAligned_TransferNothing(long offsetBytes, int lengthBytes)
    {
        var block = Rent();
        block.Span.Fill(1);
        var part = block[..lengthBytes];
        Assert.That(await _device.WriteAsync(offsetBytes, part, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(
            await _device.WriteAsync(offsetBytes, new ReadOnlyMemory<byte>[] { part }, default),
            Is.EqualTo(FsError.Misaligned));
        Assert.That(await _device.ReadAsync(offsetBytes, part, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(
            await _device.ReadAsync(offsetBytes, new[] { part }, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(block.Span.ContainsAnyExcept((byte)1), Is.False);
        await RequireZerosAsync();
    }

    [Test]
    public async Task ReadAndWrite_OneBufferNotAligned_TransferNothing()
    {
        var block = Rent();
        block.Span.Fill(1);
        Memory<byte>[] halves = [block[..2048], block.Slice(4096, 2048)];
        Assert.That(await _device.ReadAsync(0, halves, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(
            await _device.WriteAsync(0, [halves[0], (ReadOnlyMemory<byte>)halves[1]], default),
            Is.EqualTo(FsError.Misaligned));
        Assert.That(block.Span.ContainsAnyExcept((byte)1), Is.False);
        await RequireZerosAsync();
    }

    [TestCase(SizeBytes, 4096)]
    [TestCase(SizeBytes - 4096, 8192)]
    [TestCase(-4096, 4096)]
    [TestCase(-4096, 8192)]
    [TestCase(long.MaxValue - 4095, 8192)]
    [TestCase(long.MinValue, 4096)]
    public async Task ReadAndWrite_PastTheEnd_TransferNothing(long offsetBytes, int lengthBytes)
    {
        var block = Rent();
        block.Span.Fill(1);
        var part = block[..lengthBytes];
        Assert.That(await _device.WriteAsync(offsetBytes, part, default), Is.EqualTo(FsError.OutOfRange));
        Assert.That(
            await _device.WriteAsync(offsetBytes, new ReadOnlyMemory<byte>[] { part }, default),
            Is.EqualTo(FsError.OutOfRange));
        Assert.That(await _device.ReadAsync(offsetBytes, part, default), Is.EqualTo(FsError.OutOfRange));
        Assert.That(
            await _device.ReadAsync(offsetBytes, new[] { part }, default), Is.EqualTo(FsError.OutOfRange));
        Assert.That(block.Span.ContainsAnyExcept((byte)1), Is.False);
        await RequireZerosAsync();
    }

    [Test]
    public async Task ReadAndWrite_Cancelled_TransferNothing()
    {
        var cancelled = new CancellationToken(canceled: true);
        var block = Rent();
        block.Span.Fill(1);
        Assert.That(await _device.WriteAsync(0, block, cancelled), Is.EqualTo(FsError.Cancelled));
        Assert.That(await _device.ReadAsync(0, block, cancelled), Is.EqualTo(FsError.Cancelled));
        Assert.That(await _device.ReadAsync(0, new[] { block }, cancelled), Is.EqualTo(FsError.Cancelled));
        Assert.That(block.Span.ContainsAnyExcept((byte)1), Is.False);
        await RequireZerosAsync();
    }

    [Test]
    public async Task ReadAndWrite_ManyAtATime_DoNotMix()
    {
        async Task TransferAsync(int number)
        {
            var block = Rent();
            long atBytes = number * 131072L;
            for (int round = 0; round < 8; round++)
            {
                block.Span.Fill((byte)(number + round));
                Assert.That(await _device.WriteAsync(atBytes, block, default), Is.EqualTo(FsError.None));
                block.Span.Clear();
                Assert.That(await _device.ReadAsync(atBytes, block, default), Is.EqualTo(FsError.None));
                Assert.That(block.Span.ContainsAnyExcept((byte)(number + round)), Is.False);
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 100).Select(number => Task.Run(() => TransferAsync(number))));
    }

    [Test]
    public async Task FindAllocated_AfterWrites_CoversThem()
    {
        var block = Rent();
        block.Span.Fill(1);
        Assert.That(await _device.WriteAsync(8 << 20, block[..4096], default), Is.EqualTo(FsError.None));
        Assert.That(await _device.WriteAsync(SizeBytes - 4096, block[..4096], default), Is.EqualTo(FsError.None));
        var ranges = new List<(long Start, long End)>();
        for (long at = 0; ((IAllocatedRanges)_device).TryFindAllocated(at, out long start, out long end); at = end)
        {
            Assert.That(start, Is.AtLeast(at));
            Assert.That(end, Is.GreaterThan(start).And.AtMost(SizeBytes));
            Assert.That((start % 4096, end % 4096), Is.EqualTo((0, 0)));
            ranges.Add((start, end));
        }

        foreach (long written in new[] { 8L << 20, SizeBytes - 4096 })
            Assert.That(ranges.Exists(range => range.Start <= written && range.End >= written + 4096));
        if (OperatingSystem.IsLinux() && kind != DiskKind.Loop)
            Assert.That(ranges.Sum(range => range.End - range.Start), Is.AtMost(1 << 20));
    }

    private Memory<byte> Rent() => _blocks.Rent();

    private async Task RequireZerosAsync()
    {
        var block = Rent();
        foreach (long at in new[] { 0, SizeBytes - 65536 })
        {
            Assert.That(await _device.ReadAsync(at, block, default), Is.EqualTo(FsError.None));
            Assert.That(block.Span.ContainsAnyExcept((byte)0), Is.False);
        }
    }
}
