using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Devices;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests;

/// <summary>Two image files in a directory of their own, deleted with it.</summary>
internal sealed class CliImages : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("scoutfs-test-").FullName;

    /// <summary>The metadata device's image.</summary>
    public string Meta => InDirectory("meta.img");

    /// <summary>The data device's image.</summary>
    public string Data => InDirectory("data.img");

    /// <summary>Creates empty images, which take no space.</summary>
    public static CliImages Empty(long metaBytes = 16L << 30, long dataBytes = 16L << 30)
    {
        var images = new CliImages();
        SetLength(images.Meta, metaBytes);
        SetLength(images.Data, dataBytes);
        return images;
    }

    /// <summary>Creates images with an empty volume.</summary>
    public static async Task<CliImages> FormattedAsync(int version = 2)
    {
        var images = Empty();
        var run = await CliRun.RunAsync(
            "mkfs", "-A", "-V", $"{version}", "-Q", "0,10.0.0.1,5000", images.Meta, images.Data);
        _ = run.Expect(0);
        return images;
    }

    /// <summary>Creates images of a volume that Linux wrote.</summary>
    public static async Task<CliImages> GoldenAsync(string name)
    {
        var images = new CliImages();
        var run = await CliRun.RunAsync(
            "volume", "unpack", GoldenVolume.PathOf(name, ".packed"), images.Meta, images.Data);
        _ = run.Expect(0);
        return images;
    }

    /// <summary>A path beside the images.</summary>
    public string InDirectory(string name) => Path.Combine(_directory, name);

    /// <summary>Names of everything beside the images, and of them.</summary>
    public IEnumerable<string> Names() => Directory.EnumerateFileSystemEntries(_directory)
        .Select(path => Path.GetFileName(path)!);

    /// <summary>Makes or cuts a file.</summary>
    public static void SetLength(string path, long bytes)
    {
        using var file = new FileStream(path, System.IO.FileMode.OpenOrCreate, FileAccess.Write);
        file.SetLength(bytes);
    }

    /// <summary>The first bytes of a file, the super block among them.</summary>
    public static async Task<byte[]> HeadAsync(string path)
    {
        var bytes = new byte[1 << 17];
        await using var file = File.OpenRead(path);
        await file.ReadExactlyAsync(bytes);
        return bytes;
    }

    /// <summary>Overwrites bytes of a file.</summary>
    public static void Write(string path, long offsetBytes, ReadOnlySpan<byte> bytes)
    {
        using var file = new FileStream(path, System.IO.FileMode.Open, FileAccess.Write);
        file.Position = offsetBytes;
        file.Write(bytes);
    }

    /// <summary>Makes the volume look as if a mount had not ended: BEGIN of slot 0 without END.</summary>
    public async Task MarkInUseAsync()
    {
        await using IBlockDevice meta = BlockDevices.Open(Meta, DeviceOpenOptions.ForWriting).Device!;
        var block = AlignedBuffer.Create(FormatConstants.SmallBlockBytes);
        _ = await SmallBlocks.ReadAsync(meta, FormatConstants.QuorumBlkno, block, CancellationToken.None);
        Change(block.Span);
        var error = await SmallBlocks.WriteAsync(meta, FormatConstants.QuorumBlkno, block, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None));

        static void Change(Span<byte> bytes)
        {
            ref var quorum = ref Disk.Ref<QuorumBlock>(bytes);
            quorum.WriteNr = 1;
            quorum.Events[(int)QuorumEventKind.Begin].WriteNr = 1;
        }
    }

    /// <summary>Deletes the directory.</summary>
    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
