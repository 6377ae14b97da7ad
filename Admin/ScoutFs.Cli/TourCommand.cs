using System;
using System.CommandLine;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace ScoutFs.Cli;

/// <summary><c>tour</c>: unpacks the sample volume and shows the commands at work on it.</summary>
internal static class TourCommand
{
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
        var sample = await TourSample.OpenAsync(console, directory, cancellationToken);
        string program = ProgramPath();
        console.Print(
            "This sample volume was written by Linux scoutfs. Like every volume it has two devices, here image");
        console.Print(
            "files: metadata in the first, file contents in the second. They are as large as disks, but sparse.");
        console.Print($"  META     {sample.Meta}");
        console.Print($"  DATA     {sample.Data}");
        console.Print($"  scoutfs  {program}");
        foreach (var (text, arguments) in Steps)
        {
            console.Print(string.Empty);
            console.Print(text);
            console.Print($"$ scoutfs {string.Join(' ', arguments)}");
            string[] filled = Array.ConvertAll(arguments, argument => argument switch
            {
                "META" => sample.Meta,
                "DATA" => sample.Data,
                _ => argument,
            });
            await console.Output.FlushAsync(cancellationToken);
            int exitCode = await Program.RunAsync(filled, console, cancellationToken);
            if (exitCode != 0)
                return exitCode;

            // The file does not end its last line.
            if (arguments[1] == "cat")
                console.Print(string.Empty);
        }

        console.Print(string.Empty);
        console.Print(
            "Every command explains itself with --help. The sample stays where it is; to try something, for example:");
        console.Print($"$ {Quoted(program)} volume export {Quoted(sample.Meta)} {Quoted(sample.Data)} /links ./links");
        return 0;
    }

    // As it can be typed anywhere: a program that was just built is in no search path.
    private static string ProgramPath()
    {
        string beside = Path.Combine(
            AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "scoutfs.exe" : "scoutfs");
        return File.Exists(beside) ? beside : "scoutfs";
    }

    private static string Quoted(string path) =>
        path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;
}
