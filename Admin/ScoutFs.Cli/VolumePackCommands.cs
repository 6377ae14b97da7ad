using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>volume pack</c>, <c>volume unpack</c>: both devices of a volume in one small file, and back.</summary>
internal static class VolumePackCommands
{
    /// <summary>The command <c>pack</c>.</summary>
    public static Command CreatePack()
    {
        var meta = CliArguments.Meta();
        var data = CliArguments.Data();
        var file = new Argument<string>("FILE") { Description = "The packed volume to create; must not exist." };
        var command = new CliCommand(
            "pack",
            "Packs both devices of a volume into one compressed file, to keep it or to send it to somebody. File "
            + "contents are part of it.")
        {
            Examples = { new("volume pack meta.img data.img volume.packed", "Pack a volume") },
        };
        command.Add(meta);
        command.Add(data);
        command.Add(file);
        command.OnRun((parse, console, cancellationToken) => PackAsync(
            console,
            parse.GetRequiredValue(meta),
            parse.GetRequiredValue(data),
            parse.GetRequiredValue(file),
            cancellationToken));
        return command;
    }

    /// <summary>The command <c>unpack</c>.</summary>
    public static Command CreateUnpack()
    {
        var file = new Argument<string>("FILE") { Description = "The packed volume." };
        var meta = new Argument<string>("META") { Description = "Image file to create for the metadata device." };
        var data = new Argument<string>("DATA") { Description = "Image file to create for the data device." };
        var command = new CliCommand(
            "unpack",
            "Makes two image files of a packed volume. They are as large as the devices were, but take only the "
            + "space of "
            + "what is in them.")
        {
            Examples = { new("volume unpack volume.packed meta.img data.img", "Unpack a volume") },
        };
        command.Add(file);
        command.Add(meta);
        command.Add(data);
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            await UnpackAsync(
                console,
                parse.GetRequiredValue(file),
                parse.GetRequiredValue(meta),
                parse.GetRequiredValue(data),
                cancellationToken);
            return 0;
        });
        return command;
    }

    /// <summary>Creates two image files from a packed volume; none is left when that fails.</summary>
    public static async Task UnpackAsync(
        CliConsole console, string file, string metaPath, string dataPath, CancellationToken cancellationToken)
    {
        if (Directory.Exists(file))
            throw new VolumeException(FsError.IsDirectory, $"{file} is a directory, no packed volume.");
        var created = new List<string>();
        bool isDone = false;
        try
        {
            await UnpackAsync(console, file, metaPath, dataPath, created, cancellationToken);
            isDone = true;
        }
        finally
        {
            // Half a volume is of no use, may be taken for a whole one, and would be in the way of the next try.
            if (!isDone)
                created.ForEach(File.Delete);
        }
    }

    private static async Task UnpackAsync(
        CliConsole console,
        string file,
        string metaPath,
        string dataPath,
        List<string> created,
        CancellationToken cancellationToken)
    {
        await using var from = new FileStream(file, System.IO.FileMode.Open, FileAccess.Read);
        var sizes = await PackedVolume.ReadHeaderAsync(from, cancellationToken);
        await using var meta = Create(metaPath, sizes.MetaBytes);
        created.Add(metaPath);
        await using var data = Create(dataPath, sizes.DataBytes);
        created.Add(dataPath);
        _ = await CliProgress.RunAsync(console, isShown: true, async progress =>
        {
            var bytes = new ByteProgress(progress, "unpacking", sizes.MetaBytes + sizes.DataBytes);
            await PackedVolume.UnpackAsync(from, sizes, meta, data, bytes, cancellationToken);
            return 0;
        });
    }

    private static async Task<int> PackAsync(
        CliConsole console, string metaPath, string dataPath, string file, CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForReadingAsync(metaPath, cancellationToken);
        await using var data = await CliDevices.OpenForReadingAsync(dataPath, cancellationToken);
        await using var to = CreatePacked(file);
        bool isDone = false;
        try
        {
            _ = await CliProgress.RunAsync(console, isShown: true, async progress =>
            {
                var bytes = new ByteProgress(progress, "packing", meta.SizeBytes + data.SizeBytes);
                await PackedVolume.PackAsync(meta, data, to, bytes, cancellationToken);
                return 0;
            });
            isDone = true;
            return 0;
        }
        finally
        {
            // Half a packed volume is of no use, and would be in the way of the next try.
            if (!isDone)
                File.Delete(file);
        }
    }

    private static FileStream CreatePacked(string file)
    {
        // The parent first: .NET says of a file in its place that it is not there.
        string full = Path.GetFullPath(file);
        if (Path.GetDirectoryName(full) is { } parent && File.Exists(parent))
            throw new VolumeException(FsError.NotDirectory, $"{parent} is a file; {file} cannot be made in it.");
        try
        {
            return new FileStream(full, System.IO.FileMode.CreateNew, FileAccess.Write);
        }
        catch (IOException exception) when (CliErrors.ErrorOf(exception) == FsError.Exists)
        {
            throw new VolumeException(
                FsError.Exists, $"{file} exists already. Nothing is overwritten: name a new file.");
        }
    }

    private static RawBlockDevice Create(string path, long sizeBytes)
    {
        var opened = BlockDevices.Open(path, DeviceOpenOptions.ForWriting with { CreateSizeBytes = sizeBytes });
        return opened.Device ?? throw new VolumeException(opened.Error, opened.Message);
    }

    private sealed class ByteProgress(CliProgress progress, string phase, long totalBytes) : IProgress<long>
    {
        public void Report(long value) => progress.Report(phase, value, totalBytes);
    }
}
