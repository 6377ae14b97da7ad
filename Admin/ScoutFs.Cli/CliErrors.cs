using System;
using System.Collections.Frozen;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>How commands fail (archive §12.1): diagnostics, then one line with errno, on standard error.</summary>
internal static class CliErrors
{
    // Numbers and texts of Linux, also on Windows: scripts compare them.
    private static readonly FrozenDictionary<FsError, (int Number, string Text)> Table =
        new Dictionary<FsError, (int, string)>
        {
            [FsError.None] = (0, "Success"),
            [FsError.NotFound] = (2, "No such file or directory"),
            [FsError.Exists] = (17, "File exists"),
            [FsError.NotDirectory] = (20, "Not a directory"),
            [FsError.IsDirectory] = (21, "Is a directory"),
            [FsError.Invalid] = (22, "Invalid argument"),
            [FsError.Io] = (5, "Input/output error"),
            [FsError.OutOfRange] = (5, "Input/output error"),
            [FsError.Stale] = (116, "Stale file handle"),
            [FsError.Corrupt] = (5, "Input/output error"),
            [FsError.NoBuffers] = (12, "Cannot allocate memory"),
            [FsError.NoSpace] = (28, "No space left on device"),
            [FsError.DeviceNotFound] = (2, "No such file or directory"),
            [FsError.AccessDenied] = (13, "Permission denied"),
            [FsError.DeviceBusy] = (16, "Device or resource busy"),
            [FsError.TooSmall] = (22, "Invalid argument"),
            [FsError.ForeignSignature] = (22, "Invalid argument"),
            [FsError.ReadOnly] = (30, "Read-only file system"),
            [FsError.Misaligned] = (22, "Invalid argument"),
            [FsError.Unsupported] = (95, "Operation not supported"),
            [FsError.VolumeInUse] = (16, "Device or resource busy"),
            [FsError.NotPermitted] = (1, "Operation not permitted"),
            [FsError.Offline] = (61, "No data available"),
            [FsError.Cancelled] = (4, "Interrupted system call"),
            [FsError.Isolated] = (67, "Link has been severed"),
            [FsError.NotEmpty] = (39, "Directory not empty"),
            [FsError.TooManyLinks] = (31, "Too many links"),
            [FsError.NameTooLong] = (36, "File name too long"),
            [FsError.QuotaExceeded] = (122, "Disk quota exceeded"),
            [FsError.NoXattr] = (61, "No data available"),
            [FsError.BufferTooSmall] = (34, "Numerical result out of range"),
            [FsError.FileTooLarge] = (27, "File too large"),
            [FsError.WouldBlock] = (11, "Resource temporarily unavailable"),
            [FsError.PastEnd] = (6, "No such device or address"),
            [FsError.Loop] = (40, "Too many levels of symbolic links"),
            [FsError.Overflow] = (75, "Value too large for defined data type"),
        }.ToFrozenDictionary();

    /// <summary>errno of a code, as on Linux; total, which a test proves.</summary>
    public static int NumberOf(FsError error) => Table[error].Number;

    /// <summary>The C library's text of that errno.</summary>
    public static string TextOf(FsError error) => Table[error].Text;

    /// <summary>The code of an errno of Linux; an input or output error when there is none of that meaning.</summary>
    public static FsError ErrorOfNumber(int number) => number switch
    {
        1 => FsError.NotPermitted,
        2 => FsError.NotFound,
        4 => FsError.Cancelled,
        12 => FsError.NoBuffers,
        13 => FsError.AccessDenied,
        16 or 26 => FsError.DeviceBusy,
        17 or 39 => FsError.Exists,
        20 => FsError.NotDirectory,
        21 => FsError.IsDirectory,
        22 or 27 or 36 or 40 => FsError.Invalid,
        28 or 122 => FsError.NoSpace,
        30 => FsError.ReadOnly,
        38 or 95 => FsError.Unsupported,
        _ => FsError.Io,
    };

    /// <summary>The code of what .NET throws for files.</summary>
    public static FsError ErrorOf(Exception exception) => exception switch
    {
        ExportException export => export.Error,
        ImportException import => import.Error,
        FileNotFoundException or DirectoryNotFoundException => FsError.NotFound,
        UnauthorizedAccessException { InnerException: IOException inner } => ErrorOf(inner),
        UnauthorizedAccessException => FsError.AccessDenied,
        ArgumentException or NotSupportedException or PathTooLongException => FsError.Invalid,
        IOException when (exception.HResult >> 16) == unchecked((short)0x8007) =>
            ErrorOfWindowsNumber(exception.HResult & 0xffff),
        IOException => ErrorOfNumber(exception.HResult),
        _ => FsError.Io,
    };

    /// <summary>Runs a command and reports its failure.</summary>
    /// <param name="name">The command, for the last line.</param>
    /// <param name="console">Where to report.</param>
    /// <param name="failureExitCode">Exit code of a failure.</param>
    /// <param name="run">The command.</param>
    public static async Task<int> RunAsync(
        string name, CliConsole console, int failureExitCode, Func<Task<int>> run)
    {
        FsError error;
        try
        {
            return await run();
        }
        catch (OutputClosedException)
        {
            return Program.ExitBrokenPipe;
        }
        catch (VolumeException exception)
        {
            if (exception.Error != FsError.Cancelled)
                console.Note(exception.Message);
            error = exception.Error;
        }
        catch (OperationCanceledException)
        {
            error = FsError.Cancelled;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // From files on this side: what is exported, packed or unpacked.
            console.Note(MessageOf(exception));
            error = ErrorOf(exception);
        }
        catch (Exception exception)
        {
            ReportFault(console, name, exception);
            return await FlushAsync(console, failureExitCode);
        }

        int exitCode = error == FsError.Cancelled ? Program.ExitInterrupted : failureExitCode;
        exitCode = await FlushAsync(console, exitCode);
        console.Note($"scoutfs: {name} failed: {TextOf(error)} ({NumberOf(error)})");
        return exitCode;
    }

    /// <summary>
    /// Reports what no command foresees, a fault of this program, in one line that says all a report of it needs.
    /// </summary>
    public static void ReportFault(CliConsole console, string name, Exception exception)
    {
        string place = exception.StackTrace?.Split('\n')[0].Trim() ?? "at an unknown place";
        string text = MessageOf(exception).ReplaceLineEndings(" ");
        console.Note($"scoutfs: {name} failed by a fault of this program, please report it: "
            + $"{exception.GetType().Name} {place}: {text}");
    }

    /// <summary>What an exception of .NET says, without the name of the parameter that .NET adds.</summary>
    public static string MessageOf(Exception exception)
    {
        string message = exception.Message;
        int end = exception is ArgumentException ? message.IndexOf(" (Parameter '", StringComparison.Ordinal) : -1;
        return end < 0 ? message : message[..end];
    }

    /// <summary>Writes what is still in the output's buffer.</summary>
    /// <returns>The exit code given; 141 when nobody reads the output any more, 1 when it cannot be written.</returns>
    public static async Task<int> FlushAsync(CliConsole console, int exitCode)
    {
        try
        {
            await console.Output.FlushAsync();
            return exitCode;
        }
        catch (OutputClosedException)
        {
            return Program.ExitBrokenPipe;
        }
        catch (IOException exception)
        {
            console.Note(exception.Message);
            return exitCode == 0 ? 1 : exitCode;
        }
    }

    /// <summary>Reports a command line that cannot be understood (archive §12.1).</summary>
    /// <returns>64, or 1 without a known command.</returns>
    public static int ReportUsage(RootCommand root, ParseResult parse, string[] args, CliConsole console)
    {
        var command = parse.CommandResult.Command;
        if (command == root)
        {
            if (args.Length > 0)
                console.Note($"scoutfs: unrecognized command: '{args[0]}'");
            else
                console.Note($"{root.Description}\n");
            WriteUsage(root, console.Error);
            return 1;
        }

        string name = NameOf(parse);
        foreach (string message in MessagesOf(parse, args))
            console.Note($"{name}: {message}");
        console.Note($"Try `scoutfs {name} --help' for more information.");
        return Program.ExitUsage;
    }

    /// <summary>
    /// The first option that the command does not have. The library takes such a word for an operand; a file whose name
    /// looks like an option is named behind a lone --.
    /// </summary>
    public static string? FindUnknownOption(ParseResult parse, string[] args)
    {
        var operands = parse.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(result => result.Tokens)
            .Select(token => token.Value)
            .Concat(parse.UnmatchedTokens)
            .ToHashSet();
        return args.TakeWhile(arg => arg != "--")
            .FirstOrDefault(arg => arg.Length > 1 && arg[0] == '-' && operands.Contains(arg));
    }

    private static FsError ErrorOfWindowsNumber(int number) => number switch
    {
        2 or 3 => FsError.NotFound,
        5 => FsError.AccessDenied,
        19 => FsError.ReadOnly,
        32 or 33 => FsError.DeviceBusy,
        39 or 112 => FsError.NoSpace,
        80 or 183 => FsError.Exists,
        123 => FsError.Invalid,
        267 => FsError.NotDirectory,
        1314 => FsError.NotPermitted,
        _ => FsError.Io,
    };

    private static IEnumerable<string> MessagesOf(ParseResult parse, string[] args)
    {
        var command = parse.CommandResult.Command;
        if (FindUnknownOption(parse, args) is { } option)
            return [$"unrecognized option '{option}'"];
        if (command.Action is not null)
            return parse.Errors.Select(error => error.Message).Distinct();
        string known = string.Join(", ", command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name));
        return parse.UnmatchedTokens.Count > 0
            ? [$"unrecognized command: '{parse.UnmatchedTokens[0]}'; there are {known}"]
            : [$"a command is missing; there are {known}"];
    }

    private static string NameOf(ParseResult parse)
    {
        var names = new Stack<string>();
        var result = parse.CommandResult;
        while (result?.Parent is not null)
        {
            names.Push(result.Command.Name);
            result = result.Parent as CommandResult;
        }

        return string.Join(' ', names);
    }

    private static void WriteUsage(RootCommand root, TextWriter writer)
    {
        writer.WriteLine("Usage: scoutfs COMMAND [OPTIONS] [OPERANDS]");
        writer.WriteLine();
        writer.WriteLine("Commands:");
        int width = root.Subcommands.Max(command => command.Name.Length);
        foreach (var command in root.Subcommands.Where(command => !command.Hidden))
            writer.WriteLine($"  {command.Name.PadRight(width)}  {FirstSentence(command.Description)}");
        writer.WriteLine();
        writer.WriteLine("\"scoutfs COMMAND --help\" explains a command and shows examples.");
    }

    private static string FirstSentence(string? text)
    {
        int end = text?.IndexOf(". ", StringComparison.Ordinal) ?? -1;
        return end < 0 ? text ?? string.Empty : text![..(end + 1)];
    }
}
