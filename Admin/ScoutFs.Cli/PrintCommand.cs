using System;
using System.CommandLine;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>print</c>: shows every structure of a volume's metadata.</summary>
internal static class PrintCommand
{
    // How names of structures begin.
    private static readonly string[] Heads =
    [
        "super", "quorum", "fs_root", "logs_root", "log_trees", "log_merge", "merge", "mounted_clients", "srch",
        "meta_alloc", "data_alloc", "server_meta",
    ];

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
            Description = $"Only structures whose name starts with this: {string.Join(", ", Heads)}.",
        };
        var zone = CliNumbers.NumberOption("ZONE", "--zone");
        zone.Description = "Only items of this zone, for example 16 for everything of inodes.";
        var ino = CliNumbers.NumberOption("N", "--ino");
        ino.Description = "Only items that belong to this inode.";
        var layout = new Option<bool>("--layout")
        {
            Description = "Also where items and values lie in their blocks, the links between them, leaf hashes.",
        };
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
            Notes =
            {
                "The layout of the text may change; programs read --json.",
                "With --zone or --ino only items are printed. Exit code 1: something could not be read, and stands "
                + "among the output as a problem.",
            },
        };
        tree.CompletionSources.Add(Heads);
        tree.Validators.Add(result =>
        {
            string name = result.GetValueOrDefault<string?>() ?? string.Empty;
            if (!Array.Exists(Heads, head => IsPrefix(head, name) || IsPrefix(name, head)))
                result.AddError($"'{name}' is the start of no structure's name: {string.Join(", ", Heads)}");
        });
        zone.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<ulong?>() > byte.MaxValue)
                result.AddError("zones are 0 to 255");
        });
        command.Add(meta);
        foreach (var option in new Option[] { skip, layout, tree, zone, ino, json })
            command.Add(option);
        command.OnRun((parse, console, cancellationToken) => RunAsync(
            console,
            parse.GetRequiredValue(meta),
            new DumpOptions
            {
                SkipsLarge = parse.GetValue(skip),
                ShowsLayout = parse.GetValue(layout),
                Tree = parse.GetValue(tree),
                Zone = (byte?)parse.GetValue(zone),
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
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ExceptionDispatchInfo? outputFailure = null;
        long problems = 0;

        // Where the records themselves scroll by there is no need of progress, and no place for it.
        return await CliProgress.RunAsync(console, isShown: !console.IsOutputTerminal, async progress =>
        {
            try
            {
                await VolumeDumper.DumpAsync(meta, options, OnRecord, new BlockProgress(progress), stop.Token);
            }
            catch (OperationCanceledException) when (outputFailure is not null)
            {
                // Thrown below.
            }

            outputFailure?.Throw();
            return problems == 0 ? 0 : 1;
        });

        void OnRecord(DumpRecord record)
        {
            problems += record.Kind == "problem" ? 1 : 0;
            if (outputFailure is not null)
                return;
            try
            {
                if (isJson)
                    CliJson.WriteLine(console, writer => Write(writer, record));
                else
                    Print(console, record);
            }
            catch (Exception exception)
            {
                // The dump holds a block while it tells of it, and must be left where it lets go of it.
                outputFailure = ExceptionDispatchInfo.Capture(exception);
                stop.Cancel();
            }
        }
    }

    private static bool IsPrefix(string prefix, string text) => text.StartsWith(prefix, StringComparison.Ordinal);

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

    private sealed class BlockProgress(CliProgress progress) : IProgress<CheckProgress>
    {
        public void Report(CheckProgress value) => progress.Report(value.Phase, value.BlocksDone, value.BlocksTotal);
    }
}
