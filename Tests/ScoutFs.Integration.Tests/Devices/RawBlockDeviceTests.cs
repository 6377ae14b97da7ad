using System;
using System.Globalization;
using System.IO;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Devices;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests.Devices;

/// <summary>Opening, exclusiveness, failures: what only real devices have.</summary>
/// <remarks>
/// Tests for Linux carry the attribute: one that ignores itself by an exception hangs those after it under Wine.
/// </remarks>
public sealed class RawBlockDeviceTests
{
    private const long SizeBytes = 16 << 20;

    private DirectoryInfo _folder = null!;
    private AlignedBlocks _blocks = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = Directory.CreateTempSubdirectory("scoutfs-");
        _blocks = new AlignedBlocks(32);
    }

    [TearDown]
    public void TearDown()
    {
        _blocks.Dispose();
        _folder.Delete(recursive: true);
    }

    [Test]
    public async Task Open_Create_MakesSparseFile()
    {
        string path = At("new.img");
        await using (var device = TestDisk.OpenPath(path, Creating(1L << 40)))
        {
            Assert.That(device.SizeBytes, Is.EqualTo(1L << 40));
            Assert.That(device.IsImage);
            var block = Rent();
            block.Span.Fill(1);
            Assert.That(await device.WriteAsync((1L << 40) - 4096, block[..4096], default), Is.EqualTo(FsError.None));
            Assert.That(await device.FlushAsync(default), Is.EqualTo(FsError.None));
        }

        Assert.That(new FileInfo(path).Length, Is.EqualTo(1L << 40));
        await using var again = TestDisk.OpenPath(path, DeviceOpenOptions.ForReading);
        var read = Rent();
        Assert.That(await again.ReadAsync((1L << 40) - 65536, read, default), Is.EqualTo(FsError.None));
        Assert.That(read.Span[..^4096].ContainsAnyExcept((byte)0), Is.False);
        Assert.That(read.Span[^4096..].ContainsAnyExcept((byte)1), Is.False);
    }

    [Test]
    public async Task Open_CreateExisting_IsRefused()
    {
        await File.WriteAllTextAsync(At("a.img"), "precious");
        Require(FsError.Exists, At("a.img"), Creating(8192), "exists already");
        Require(FsError.Exists, _folder.FullName, Creating(8192), "exists already");
        Assert.That(await File.ReadAllTextAsync(At("a.img")), Is.EqualTo("precious"));
    }

    [TestCase(0)]
    [TestCase(-4096)]
    [TestCase(4097)]
    public void Open_CreateOddSize_IsRefused(long sizeBytes)
    {
        Require(FsError.Invalid, At("a.img"), Creating(sizeBytes), "multiple of 4096");
        Assert.That(File.Exists(At("a.img")), Is.False);
    }

    [Test]
    [Platform("Linux")]
    public void Open_CreateTooLarge_LeavesNothingBehind()
    {
        var result = BlockDevices.Open(At("a.img"), Creating(long.MaxValue - 4095));
        Assert.That(result.Error, Is.EqualTo(FsError.Io));
        Assert.That(result.Message, Does.Contain(At("a.img")));
        Assert.That(File.Exists(At("a.img")), Is.False);
    }

    [Test]
    public void Open_CreateInMissingFolder_IsRefused() =>
        Require(FsError.DeviceNotFound, At(Path.Combine("none", "a.img")), Creating(8192), "cannot be created");

    [Test]
    public void Open_Missing_IsNotFound()
    {
        Require(FsError.DeviceNotFound, At("none.img"), DeviceOpenOptions.ForReading, "Check the path");
        Require(FsError.DeviceNotFound, At("none.img"), DeviceOpenOptions.ForWriting, "Check the path");
        File.WriteAllText(At("file"), "");
        Require(FsError.DeviceNotFound, At(Path.Combine("file", "x")), DeviceOpenOptions.ForReading, "Check the path");
    }

    [Test]
    public void Open_Directory_IsUnsupported() =>
        Require(FsError.Unsupported, _folder.FullName, DeviceOpenOptions.ForReading, "is a directory");

    [Test]
    public void Open_CharacterDevice_IsUnsupported()
    {
        if (OperatingSystem.IsWindows())
            Require(FsError.Unsupported, @"\\.\NUL", DeviceOpenOptions.ForReading, "is no disk");
        else
            Require(FsError.Unsupported, "/dev/zero", DeviceOpenOptions.ForWriting, "is a character device");
    }

    [Test]
    [Platform("Linux")]
    public void Open_NamedPipe_IsUnsupportedAndDoesNotWait()
    {
        if (!TestDisk.TryRun("mkfifo", out string text, At("pipe")))
            Assert.Ignore(text);
        Require(FsError.Unsupported, At("pipe"), DeviceOpenOptions.ForReading, "is a named pipe");
    }

    [TestCase(0)]
    [TestCase(4095)]
    public void Open_LessThanABlock_IsTooSmall(int sizeBytes)
    {
        File.WriteAllBytes(At("a.img"), new byte[sizeBytes]);
        Require(FsError.TooSmall, At("a.img"), DeviceOpenOptions.ForReading, $"has {sizeBytes} bytes");
    }

    [Test]
    public async Task Open_OddSize_IsRoundedDown()
    {
        await File.WriteAllBytesAsync(At("a.img"), new byte[(3 * 4096) + 4095]);
        await using var device = TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForReading);
        Assert.That(device.SizeBytes, Is.EqualTo(3 * 4096));
        Assert.That(await device.ReadAsync(2 * 4096, Rent()[..4096], default), Is.EqualTo(FsError.None));
        Assert.That(await device.ReadAsync(3 * 4096, Rent()[..4096], default), Is.EqualTo(FsError.OutOfRange));
    }

    [Test]
    public async Task Open_ForReading_RefusesWrites()
    {
        MakeImage("a.img");
        await using var device = TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForReading);
        Assert.That(device.IsWritable, Is.False);
        var block = Rent();
        Assert.That(await device.WriteAsync(0, block, default), Is.EqualTo(FsError.ReadOnly));
        Assert.That(
            await device.WriteAsync(0, new ReadOnlyMemory<byte>[] { block }, default), Is.EqualTo(FsError.ReadOnly));
        Assert.That(await device.FlushAsync(default), Is.EqualTo(FsError.ReadOnly));
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_SymbolicLink_IsFollowed()
    {
        MakeImage("a.img");
        File.CreateSymbolicLink(At("link"), At("a.img"));
        await using var device = TestDisk.OpenPath(At("link"), DeviceOpenOptions.ForWriting);
        Assert.That(device.SizeBytes, Is.EqualTo(SizeBytes));
        Assert.That(device.Name, Is.EqualTo(At("link")));
    }

    [Test]
    [Platform("Linux")]
    public void Open_NotPermitted_IsDenied()
    {
        TestDisk.RequireRoot();
        MakeImage("a.img");

        // Permissions do not bind root; the immutable flag does.
        if (!TestDisk.TryRun("chattr", out string text, "+i", At("a.img")))
            Assert.Ignore(text);
        try
        {
            Require(FsError.AccessDenied, At("a.img"), DeviceOpenOptions.ForWriting, "Run this program as root");
            Assert.That(BlockDevices.Open(At("a.img"), DeviceOpenOptions.ForReading).Error, Is.EqualTo(FsError.None));
        }
        finally
        {
            Assert.That(TestDisk.TryRun("chattr", out text, "-i", At("a.img")), text);
        }
    }

    [Test]
    public async Task Open_ImageExclusivelyTwice_NamesTheProcess()
    {
        MakeImage("a.img");
        await using (TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForWriting))
        {
            string holder = OperatingSystem.IsLinux()
                ? $"process {Environment.ProcessId.ToString(CultureInfo.InvariantCulture)} ("
                : "another program";
            Require(FsError.DeviceBusy, At("a.img"), DeviceOpenOptions.ForWriting, holder);
            Require(FsError.DeviceBusy, At("a.img"), new DeviceOpenOptions { Exclusive = true }, holder);
            if (OperatingSystem.IsLinux())
                await TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForReading).DisposeAsync();
            else
                Require(FsError.DeviceBusy, At("a.img"), DeviceOpenOptions.ForReading, holder);
        }

        await TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForWriting).DisposeAsync();
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_ImageUnderLoopDevice_NamesTheLoopDevice()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes);
        Require(FsError.DeviceBusy, disk.ImagePath, DeviceOpenOptions.ForWriting, $"it is set up as {disk.Path}.");
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_DiskExclusivelyTwice_IsBusy()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes);
        await using (disk.Open(DeviceOpenOptions.ForWriting))
        {
            Require(FsError.DeviceBusy, disk.Path, DeviceOpenOptions.ForWriting, "another program has opened it");
            await disk.Open(DeviceOpenOptions.ForReading).DisposeAsync();
        }

        await disk.Open(DeviceOpenOptions.ForWriting).DisposeAsync();
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_MountedDiskExclusively_NamesTheMountPoint()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes);
        string mountPoint = _folder.CreateSubdirectory("mount point").FullName;
        if (!TestDisk.TryRun("mkfs.ext4", out string text, "-q", disk.Path)
            || !TestDisk.TryRun("mount", out text, disk.Path, mountPoint))
            Assert.Ignore(text);
        try
        {
            Require(FsError.DeviceBusy, disk.Path, DeviceOpenOptions.ForWriting, $"it is mounted at {mountPoint}.");
        }
        finally
        {
            Assert.That(TestDisk.TryRun("umount", out text, mountPoint), text);
        }
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_DiskWithMountedPartition_NamesThePartition()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes, "--partscan");
        string mountPoint = _folder.CreateSubdirectory("mount").FullName;
        // Told to the kernel, not written to the disk: not every kernel reads partition tables.
        string script = $"addpart {disk.Path} 1 2048 {(SizeBytes / 512) - 2048} && mkfs.ext4 -q {disk.Path}p1 "
            + $"&& mount {disk.Path}p1 {mountPoint}";
        if (!TestDisk.TryRun("sh", out string text, "-c", script))
            Assert.Ignore(text);
        try
        {
            string partition = Path.GetFileName(disk.Path) + "p1";
            Require(
                FsError.DeviceBusy,
                disk.Path,
                DeviceOpenOptions.ForWriting,
                $"its partition {partition} is mounted at {mountPoint}.");
        }
        finally
        {
            Assert.That(TestDisk.TryRun("umount", out text, mountPoint), text);
        }
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_WriteProtectedDisk_IsReadOnly()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes, "--read-only");
        Require(FsError.ReadOnly, disk.Path, DeviceOpenOptions.ForWriting, "is write protected");
        await using var device = disk.Open(DeviceOpenOptions.ForReading);
        Assert.That(device.SizeBytes, Is.EqualTo(SizeBytes));
        Assert.That(device.IsImage, Is.False);
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_LargeSectors_IsMisaligned()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes, "--sector-size", "8192");
        Require(FsError.Misaligned, disk.Path, DeviceOpenOptions.ForReading, "has sectors of 8192 bytes");
    }

    [Test]
    [Platform("Linux")]
    public async Task Open_SectorsOfABlock_Works()
    {
        await using var disk = TestDisk.Create(DiskKind.Loop, SizeBytes, "--sector-size", "4096");
        await using var device = disk.Open(DeviceOpenOptions.ForWriting);
        var block = Rent();
        Assert.That(await device.WriteAsync(4096, block[..4096], default), Is.EqualTo(FsError.None));
        Assert.That(await device.ReadAsync(4096, block[..4096], default), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task ReadAndWrite_AddressNotAligned_TransferNothing()
    {
        MakeImage("a.img");
        await using var device = TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForWriting);
        if (!device.IsDirect)
            Assert.Ignore(device.Note!);
        var shifted = Rent().Slice(512, 4096);
        shifted.Span.Fill(1);
        Assert.That(await device.WriteAsync(0, shifted, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(await device.ReadAsync(0, shifted, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(
            await device.WriteAsync(0, [Rent(), (ReadOnlyMemory<byte>)shifted], default),
            Is.EqualTo(FsError.Misaligned));
        Assert.That(await device.ReadAsync(0, new[] { Rent(), shifted }, default), Is.EqualTo(FsError.Misaligned));
        Assert.That(shifted.Span.ContainsAnyExcept((byte)1), Is.False);
        var written = Rent();
        Assert.That(await device.ReadAsync(0, written, default), Is.EqualTo(FsError.None));
        Assert.That(written.Span.ContainsAnyExcept((byte)0), Is.False);
    }

    [Test]
    [Platform("Linux")]
    public async Task Read_FileCutOffMeanwhile_IsAnIoErrorWithReason()
    {
        MakeImage("a.img");
        await using var device = TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForReading);
        Assert.That(device.LastIoError, Is.Null);
        using (var file = File.OpenWrite(At("a.img")))
            file.SetLength(1 << 20);
        Assert.That(await device.ReadAsync(1 << 20, Rent(), default), Is.EqualTo(FsError.Io));
        Assert.That(
            device.LastIoError,
            Is.EqualTo($"Cannot read {device.Name} at byte 1048576: the device ends there; it was made smaller while "
                + "it was open."));
        Assert.That(await device.ReadAsync((1 << 20) - 4096, Rent()[..8192], default), Is.EqualTo(FsError.Io));
        Memory<byte>[] buffers = [Rent()[..4096], Rent()[..4096], Rent()[..4096]];
        Assert.That(await device.ReadAsync((1 << 20) - 8192, buffers, default), Is.EqualTo(FsError.Io));
    }

    [Test]
    [Platform("Linux")]
    public async Task Write_NoRoomBelow_IsAnIoErrorWithReason()
    {
        TestDisk.RequireRoot();
        string small = _folder.CreateSubdirectory("small").FullName;
        if (!TestDisk.TryRun("mount", out string text, "-t", "tmpfs", "-o", "size=1M", "none", small))
            Assert.Ignore(text);
        try
        {
            await using var device = TestDisk.OpenPath(Path.Combine(small, "a.img"), Creating(SizeBytes));
            FsError error = FsError.None;
            var block = Rent();
            block.Span.Fill(1);
            for (long at = 0; at < SizeBytes && error == FsError.None; at += 65536)
                error = await device.WriteAsync(at, block, default);
            Assert.That(error, Is.EqualTo(FsError.Io));
            Assert.That(device.LastIoError, Does.StartWith($"Cannot write {device.Name} at byte "));
        }
        finally
        {
            Assert.That(TestDisk.TryRun("umount", out text, small), text);
        }
    }

    [Test]
    public async Task ReadAndWrite_SteadyState_AllocateNothing()
    {
        MakeImage("a.img");
        await using var device = TestDisk.OpenPath(At("a.img"), DeviceOpenOptions.ForWriting);
        var block = Rent();
        async Task<long> MeasureAsync(int rounds)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < rounds; i++)
            {
                // Assertions allocate.
                if (await device.WriteAsync(i % 200 * 65536L, block, default) != FsError.None
                    || await device.ReadAsync(i % 200 * 65536L, block, default) != FsError.None)
                    Assert.Fail("no transfer");
            }

            return GC.GetTotalAllocatedBytes(precise: true) - before;
        }

        // Away from the runner's context, which allocates for every continuation.
        await Task.Run(() => MeasureAsync(500));
        long allocated = await Task.Run(() => MeasureAsync(1000));
        await TestContext.Out.WriteLineAsync($"{allocated} bytes allocated by 2000 transfers of one buffer");
        if (OperatingSystem.IsLinux())
            Assert.That(allocated, Is.LessThan(2000 * 8), "the smallest object has 24 bytes");
    }

    [Test]
    public async Task Pack_HugeSparseImages_GivesThemBack()
    {
        await using var meta = TestDisk.OpenPath(At("meta.img"), Creating(1L << 40));
        await using var data = TestDisk.OpenPath(At("data.img"), Creating(1L << 41));
        var block = Rent();
        block.Span.Fill(7);
        Assert.That(await meta.WriteAsync(65536, block, default), Is.EqualTo(FsError.None));
        Assert.That(await data.WriteAsync((1L << 41) - 4096, block[..4096], default), Is.EqualTo(FsError.None));
        if (OperatingSystem.IsWindows() && meta.TryFindAllocated(1 << 20, out _, out _))
            Assert.Ignore("This filesystem does not tell where its holes are.");

        using var packed = new MemoryStream();
        await PackedVolume.PackAsync(meta, data, packed, progress: null, default);
        packed.Position = 0;
        var sizes = await PackedVolume.ReadHeaderAsync(packed, default);
        await using var newMeta = TestDisk.OpenPath(At("new-meta.img"), Creating(sizes.MetaBytes));
        await using var newData = TestDisk.OpenPath(At("new-data.img"), Creating(sizes.DataBytes));
        await PackedVolume.UnpackAsync(packed, sizes, newMeta, newData, progress: null, default);

        var read = Rent();
        Assert.That(await newMeta.ReadAsync(65536, read, default), Is.EqualTo(FsError.None));
        Assert.That(read.Span.SequenceEqual(block.Span));
        Assert.That(await newData.ReadAsync((1L << 41) - 65536, read, default), Is.EqualTo(FsError.None));
        Assert.That(read.Span[..^4096].ContainsAnyExcept((byte)0), Is.False);
        Assert.That(read.Span[^4096..].ContainsAnyExcept((byte)7), Is.False);
    }

    private static DeviceOpenOptions Creating(long sizeBytes) => DeviceOpenOptions.ForWriting with
    {
        CreateSizeBytes = sizeBytes,
    };

    private static void Require(FsError error, string path, DeviceOpenOptions options, string part)
    {
        var result = BlockDevices.Open(path, options);
        Assert.That(result.Error, Is.EqualTo(error), result.Message);
        Assert.That(result.IsOpen, Is.False);
        Assert.That(result.Message, Does.Contain(path).And.Contain(part).And.EndsWith("."));
    }

    private string At(string name) => Path.Combine(_folder.FullName, name);

    private void MakeImage(string name)
    {
        using var file = File.Create(At(name));
        file.SetLength(SizeBytes);
    }

    private Memory<byte> Rent() => _blocks.Rent();
}
