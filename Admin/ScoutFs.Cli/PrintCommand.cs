using System.CommandLine;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>print</c>: shows every structure of a volume's metadata.</summary>
internal static class PrintCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var meta = CliArguments.Meta();
        var skip = new Option<bool>("--skip-likely-huge", "-S")
        {
            Description = "Leave out what is large: items of fs_root and log trees, free extents, entries.",
        };
        var tree = new Option<string?>("--tree")
        {
            HelpName = "NAME",
            Description = "Only structures whose name starts with this: super, quorum, fs_root, logs_root, log_merge, "
                + "mounted_clients, srch, meta_alloc, data_alloc, server_meta, log_trees.",
        };
        var zone = CliNumbers.NumberOption("ZONE", "--zone");
        zone.Description = "Only items of this zone, for example 16 for everything of inodes.";
        var ino = CliNumbers.NumberOption("N", "--ino");
        ino.Description = "Only items that belong to this inode.";
        var json = CliJson.Option("Print one JSON object a line for each structure.");
        var command = new CliCommand(
            "print",
            "Shows every structure of a volume's metadata as it is on the device, each version of an item in its tree. "
            + "Goes on past damage.")
        {
            Examples =
            {
                new("print -S meta.img", "The super block, quorum blocks and small trees"),
                new("print --tree log_trees --ino 1042 meta.img", "What the logs hold of an inode"),
            },
            Notes = { "The layout of the text may change; programs read --json." },
        };
        command.Add(meta);
        foreach (var option in new Option[] { skip, tree, zone, ino, json })
            command.Add(option);
        command.OnRun((parse, console, cancellationToken) => RunAsync(
            console,
            parse.GetRequiredValue(meta),
            new DumpOptions
            {
                SkipsLarge = parse.GetValue(skip),
                Tree = parse.GetValue(tree),
                Zone = parse.GetValue(zone) is { } number ? (byte)System.Math.Min(number, byte.MaxValue) : null,
                Ino = parse.GetValue(ino),
            },
            parse.GetValue(json),
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        CliConsole console, string metaPath, DumpOptions options, bool isJson, CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForReadingAsync(metaPath, cancellationToken);
        long problems = 0;
        await VolumeDumper.DumpAsync(meta, options, OnRecord, cancellationToken);
        return problems == 0 ? 0 : 1;

        void OnRecord(DumpRecord record)
        {
            problems += record.Kind == "problem" ? 1 : 0;
            if (isJson)
                CliJson.WriteLine(console, writer => Write(writer, record));
            else
                Print(console, record);
        }
    }

    private static void Print(CliConsole console, DumpRecord record)
    {
        var output = console.Output;
        output.Write(record.Kind);
        output.Write(' ');
        output.Write(record.Structure);
        bool isLong = record.Kind is "super" or "quorum";
        foreach (var field in record.Fields)
        {
            output.Write(isLong ? "\n    " : " ");
            output.Write(field.Name);
            output.Write(isLong ? ": " : "=");
            output.Write(field.Text);
        }

        output.Write('\n');
    }

    private static void Write(Utf8JsonWriter writer, DumpRecord record)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", record.Kind);
        writer.WriteString("structure", record.Structure);
        foreach (var field in record.Fields)
        {
            writer.WritePropertyName(field.Name);
            if (field.IsNumber)
                writer.WriteRawValue(field.Text);
            else
                writer.WriteStringValue(field.Text);
        }

        writer.WriteEndObject();
    }
}
