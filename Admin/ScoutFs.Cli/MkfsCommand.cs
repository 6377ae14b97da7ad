using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>mkfs</c>: creates a volume (archive §12.3).</summary>
internal static class MkfsCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var meta = CliArguments.Meta();
        var data = CliArguments.Data();
        var slots = CliQuorum.Option();
        var metaSize = CliNumbers.SizeOption("SIZE", "--max-meta-size", "-m");
        metaSize.Description = "Use at most this much of the metadata device (suffixes K, M, G, T, P).";
        var dataSize = CliNumbers.SizeOption("SIZE", "--max-data-size", "-d");
        dataSize.Description = "Use at most this much of the data device.";
        var zone = CliNumbers.NumberOption("BLOCKS", "--data-alloc-zone-blocks", "-z");
        zone.Description = "Zone of 4 KiB blocks that mounts allocate data from separately.";
        var version = CliNumbers.NumberOption("VERS", "--format-version", "-V");
        version.Description = "Format version, 1 or 2. [default: 2]";
        var force = new Option<bool>("--force", "-f")
        {
            Description = "Overwrite whatever the devices hold, even a volume that is mounted elsewhere.",
        };
        var small = new Option<bool>("--allow-small-size", "-A")
        {
            Description = "Allow devices of less than 64 GiB: for trials.",
        };
        var json = CliJson.Option("Print what was created as one JSON document.");
        var command = new CliCommand(
            "mkfs",
            "Creates a volume on two devices. Everything they hold is lost; devices that hold something recognisable "
            + "are refused.")
        {
            Examples =
            {
                new("mkfs -Q 0,10.0.0.1,5000 /dev/sdb /dev/sdc", "A volume with one quorum member"),
                new("mkfs -A -Q 0,127.0.0.1,5000 meta.img data.img", "A small one in image files, for trials"),
            },
            Notes =
            {
                "Devices and image files must exist and have 64 GiB or more each, unless -A is given; \"truncate -s 16G"
                + " meta.img\" makes an empty image that takes no space.",
            },
        };
        foreach (var option in new Option[] { slots, metaSize, dataSize, zone, version, force, small, json })
            command.Add(option);
        command.Add(meta);
        command.Add(data);
        command.OnRun((parse, console, cancellationToken) => RunAsync(
            console,
            parse.GetRequiredValue(meta),
            parse.GetRequiredValue(data),
            new FormatRequest
            {
                Slots = parse.GetRequiredValue(slots),
                MetaLimitBytes = parse.GetValue(metaSize),
                DataLimitBytes = parse.GetValue(dataSize),
                DataAllocZoneBlocks = parse.GetValue(zone),
                FormatVersion = parse.GetValue(version) ?? FormatConstants.MaxFormatVersion,
                AllowSmall = parse.GetValue(small),
            },
            parse.GetValue(force),
            parse.GetValue(json),
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        CliConsole console,
        string metaPath,
        string dataPath,
        FormatRequest request,
        bool isForced,
        bool isJson,
        CancellationToken cancellationToken)
    {
        RequireTwoDevices(metaPath, dataPath);
        await using var meta = await CliDevices.OpenForWritingAsync(metaPath, cancellationToken);
        await using var data = await CliDevices.OpenForWritingAsync(dataPath, cancellationToken);
        var metaHeld = await CliSignatures.FindAsync(meta, cancellationToken);
        var dataHeld = await CliSignatures.FindAsync(data, cancellationToken);
        if (!isForced)
        {
            RequireEmpty(meta, metaHeld);
            RequireEmpty(data, dataHeld);
        }

        var random = new Prng(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)));
        var plan = FormatPlan.Create(
            request, (ulong)meta.SizeBytes, (ulong)data.SizeBytes, random, console.Time.GetUtcNow());
        foreach (var note in plan.Notes)
        {
            if (note.IsDiagnostic || isJson)
                console.Note(note.Text);
            else
                console.Print(note.Text);
        }

        await Formatter.FormatAsync(meta, data, plan, cancellationToken);
        if (isJson)
            CliJson.WriteDocument(console, writer => Write(writer, plan, metaPath, dataPath));
        else
            Print(console, plan, metaPath, dataPath);
        NoteWhatIsLeft(console, meta, metaHeld);
        NoteWhatIsLeft(console, data, dataHeld);
        return 0;
    }

    private static void RequireTwoDevices(string metaPath, string dataPath)
    {
        if (Path.GetFullPath(metaPath) == Path.GetFullPath(dataPath))
        {
            throw new VolumeException(
                FsError.Invalid, $"{metaPath} is given twice. A volume needs two devices: metadata, then data.");
        }
    }

    private static void RequireEmpty(IBlockDevice device, IReadOnlyList<DeviceSignature> found)
    {
        if (found.Count == 0)
            return;
        throw new VolumeException(
            FsError.ForeignSignature,
            $"{device.Name} already holds something: {CliSignatures.TextOf(found)}. Check the path; --force overwrites "
            + "it.");
    }

    // A volume leaves most of its devices as they are, so that other programs may still take them for what they were.
    private static void NoteWhatIsLeft(CliConsole console, IBlockDevice device, IReadOnlyList<DeviceSignature> found)
    {
        var left = found.Where(signature => !CliSignatures.IsScoutFs(signature)).ToList();
        if (left.Count == 0)
            return;
        console.Note(
            $"{device.Name} still has marks of what it held ({CliSignatures.TextOf(left)}), which may mislead other "
            + "programs. \"wipefs -a\" before mkfs removes them.");
    }

    private static void Print(CliConsole console, FormatPlan plan, string metaPath, string dataPath)
    {
        console.Print("Created scoutfs filesystem:");
        CliQuorum.PrintField(console, "meta device path:", metaPath);
        CliQuorum.PrintField(console, "data device path:", dataPath);
        CliQuorum.PrintField(console, "fsid:", plan.Fsid.ToString("x16", CultureInfo.InvariantCulture));
        CliQuorum.PrintField(console, "uuid:", plan.Uuid.ToString("D"));
        CliQuorum.PrintField(
            console, "format version:", plan.FormatVersion.ToString(CultureInfo.InvariantCulture));
        CliQuorum.PrintField(
            console,
            "64KB metadata blocks:",
            SizeText.OfCount(plan.TotalMetaBlocks, FormatConstants.LargeBlockBytes));
        CliQuorum.PrintField(
            console, "4KB data blocks:", SizeText.OfCount(plan.TotalDataBlocks, FormatConstants.SmallBlockBytes));
        CliQuorum.PrintField(console, "quorum config version:", "1");
        CliQuorum.PrintSlots(console, plan.Slots);
    }

    private static void Write(Utf8JsonWriter writer, FormatPlan plan, string metaPath, string dataPath)
    {
        writer.WriteStartObject();
        writer.WriteString("meta_device", metaPath);
        writer.WriteString("data_device", dataPath);
        writer.WriteString("fsid", plan.Fsid.ToString("x16", CultureInfo.InvariantCulture));
        writer.WriteString("uuid", plan.Uuid);
        writer.WriteNumber("format_version", plan.FormatVersion);
        writer.WriteNumber("total_meta_blocks", plan.TotalMetaBlocks);
        writer.WriteNumber("total_data_blocks", plan.TotalDataBlocks);
        writer.WriteStartArray("quorum_slots");
        foreach (var slot in plan.Slots)
            writer.WriteStringValue(slot.ToString());
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
