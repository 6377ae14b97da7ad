using System;
using System.CommandLine;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>tour</c>: unpacks the sample volume and shows the commands at work on it.</summary>
internal static class TourCommand
{
    private const string Sample = "g1-basic.packed";

    // What the tour shows, in order: a sentence, and the command line after the device names were filled in.
    private static readonly (string Text, string[] Arguments)[] Steps =
    [
        ("What does it hold? The first level of the tree:", ["volume", "tree", "META", "DATA", "--depth", "1"]),
        ("Everything about one file: attributes, other names, where its blocks are:",
            ["volume", "stat", "META", "DATA", "/hard/orig"]),
        ("Its contents:", ["volume", "cat", "META", "DATA", "/hard/orig"]),
        ("Which files are larger than 1 MiB?",
            ["volume", "find", "META", "DATA", "--size", "+1M"]),
        ("Is the volume sound? Every invariant of the format is checked:", ["check", "META", "DATA"]),
    ];

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var directory = new Argument<string?>("DIR")
        {
            Description = "Where to put the sample's two image files. [default: a new temporary directory]",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new CliCommand(
            "tour",
            "Shows what this program does, on a sample volume that Linux scoutfs wrote. Needs about 30 MiB of disk.")
        {
            Examples = { new("tour ./sample", "Take the tour and keep the sample in a directory of your own") },
        };
        command.Add(directory);
        command.OnRun((parse, console, cancellationToken) =>
            RunAsync(console, parse.GetValue(directory), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        CliConsole console, string? directory, CancellationToken cancellationToken)
    {
        string packed = FindSample();
        string target = directory is null
            ? Directory.CreateTempSubdirectory("scoutfs-tour-").FullName
            : Directory.CreateDirectory(directory).FullName;
        string meta = Path.Combine(target, "meta.img");
        string data = Path.Combine(target, "data.img");
        if (!File.Exists(meta) || !File.Exists(data))
            await VolumePackCommands.UnpackAsync(console, packed, meta, data, cancellationToken);
        console.Print(
            "This sample volume was written by Linux scoutfs. Like every volume it has two devices, here image");
        console.Print(
            "files: metadata in the first, file contents in the second. They are as large as disks, but sparse.");
        console.Print($"  META {meta}");
        console.Print($"  DATA {data}");
        foreach (var (text, arguments) in Steps)
        {
            console.Print(string.Empty);
            console.Print(text);
            console.Print($"$ scoutfs {string.Join(' ', arguments)}");
            string[] filled = Array.ConvertAll(arguments, argument => argument switch
            {
                "META" => meta,
                "DATA" => data,
                _ => argument,
            });
            await console.Output.FlushAsync(cancellationToken);
            int exitCode = await Program.RunAsync(filled, console, cancellationToken);
            if (exitCode != 0)
                return exitCode;
        }

        console.Print(string.Empty);
        console.Print(
            "Every command explains itself with --help. The sample stays where it is; to try something, for example:");
        console.Print($"$ scoutfs volume export {meta} {data} /links ./links");
        return 0;
    }

    private static string FindSample()
    {
        string beside = Path.Combine(AppContext.BaseDirectory, Sample);
        if (File.Exists(beside))
            return beside;
        throw new VolumeException(
            FsError.NotFound,
            $"The sample volume {Sample} is not beside the program ({AppContext.BaseDirectory}). Build it from a "
            + "clone.");
    }
}
