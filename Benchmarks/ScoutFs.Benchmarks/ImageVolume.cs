using System;
using System.IO;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Mounting;

namespace ScoutFs.Benchmarks;

/// <summary>A fresh volume in image files of a directory, mounted; both are removed at the end.</summary>
internal sealed class ImageVolume : IAsyncDisposable
{
    private readonly string _directory;

    private ImageVolume(string directory, RawBlockDevice meta, RawBlockDevice data, TestNode node)
    {
        _directory = directory;
        Meta = meta;
        Data = data;
        Node = node;
    }

    /// <summary>Metadata device.</summary>
    public RawBlockDevice Meta { get; }

    /// <summary>Data device.</summary>
    public RawBlockDevice Data { get; }

    /// <summary>The node that has it mounted.</summary>
    public TestNode Node { get; }

    /// <summary>Makes and mounts one.</summary>
    public static async Task<ImageVolume> CreateAsync(string parent, long metaBytes, long dataBytes)
    {
        string directory = Directory.CreateDirectory(Path.Combine(parent, "scoutfs-benchmark")).FullName;
        var meta = CreateDevice(Path.Combine(directory, "meta.img"), metaBytes);
        var data = CreateDevice(Path.Combine(directory, "data.img"), dataBytes);
        await TestNode.FormatAsync(meta, data);
        return new ImageVolume(directory, meta, data, await TestNode.StartAsync(meta, data, 1, new MountOptions()));
    }

    /// <summary>Creates an image file and opens it.</summary>
    public static RawBlockDevice CreateDevice(string path, long sizeBytes)
    {
        var opened = BlockDevices.Open(path, DeviceOpenOptions.ForWriting with { CreateSizeBytes = sizeBytes });
        return opened.Device ?? throw new IOException(opened.Message);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Node.UnmountAsync();
        await Meta.DisposeAsync();
        await Data.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
