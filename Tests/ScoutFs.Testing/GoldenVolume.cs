using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Testing;

/// <summary>A volume that Linux wrote, in memory, with what Linux says is in it; see Tests/Golden/README.md.</summary>
/// <remarks>The files lie beside the test program (Golden/), also when it was published and runs elsewhere.</remarks>
public sealed class GoldenVolume
{
    private GoldenVolume(string name, MemoryBlockDevice meta, MemoryBlockDevice data)
    {
        Name = name;
        Meta = meta;
        DataDevice = data;
    }

    /// <summary>Names of all golden volumes, in ordinal order.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["g0-empty", "g1-basic", "g2-multi", "g3-large-dir", "g4-archive", "g5-crash", "g8-srch"];

    /// <summary>Name of the volume, "g1-basic".</summary>
    public string Name { get; }

    /// <summary>The metadata device, the caller's to change.</summary>
    public MemoryBlockDevice Meta { get; }

    /// <summary>The data device, the caller's to change.</summary>
    public MemoryBlockDevice DataDevice { get; }

    /// <summary>Unpacks a volume; takes up to 50 MB of memory, but g8 100 MB, g3 200, g2 800 and g5 1150.</summary>
    public static async Task<GoldenVolume> LoadAsync(string name, CancellationToken cancellationToken = default)
    {
        await using var from = File.OpenRead(PathOf(name, ".packed"));
        var sizes = await PackedVolume.ReadHeaderAsync(from, cancellationToken);
        var meta = new MemoryBlockDevice(name + "/meta", sizes.MetaBytes);
        var data = new MemoryBlockDevice(name + "/data", sizes.DataBytes);
        await PackedVolume.UnpackAsync(from, sizes, meta, data, progress: null, cancellationToken);
        return new GoldenVolume(name, meta, data);
    }

    /// <summary>The manifest: one JSON object a path, sorted bytewise by path.</summary>
    public static IEnumerable<string> Manifest(string name)
    {
        using var packed = File.OpenRead(PathOf(name, ".jsonl.br"));
        using var brotli = new BrotliStream(packed, CompressionMode.Decompress);
        using var reader = new StreamReader(brotli);
        while (reader.ReadLine() is { } line)
            yield return line;
    }

    /// <summary>What statfs, df, quota rules, xattr totals and the xattr index said, as text.</summary>
    public static string FsInfoText(string name) => File.ReadAllText(PathOf(name, ".fsinfo"));

    /// <summary>Path of one of the files.</summary>
    /// <param name="name">"g1-basic".</param>
    /// <param name="suffix">".packed", ".jsonl.br" or ".fsinfo".</param>
    public static string PathOf(string name, string suffix)
    {
        if (!Names.Contains(name))
            throw new ArgumentException($"There is no golden volume {name}.", nameof(name));
        return Path.Combine(AppContext.BaseDirectory, "Golden", name + suffix);
    }
}
