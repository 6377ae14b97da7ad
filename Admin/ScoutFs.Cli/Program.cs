using System;
using System.CommandLine;
using System.CommandLine.Help;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace ScoutFs.Cli;

/// <summary>The program <c>scoutfs</c>: registers the commands, runs one, answers an exit code.</summary>
/// <remarks>
/// Exit codes: 0 success; 1 the command failed, or there is no such command; 64 wrong usage; 130 interrupted. A command
/// may have codes of its own, which its help names (<c>check</c> does). 141: nobody reads the output any more.
/// </remarks>
internal static class Program
{
    /// <summary>The exit code of wrong usage, sysexits' EX_USAGE.</summary>
    internal const int ExitUsage = 64;

    /// <summary>The exit code of a command that the user interrupted: 128 + SIGINT, as shells have it.</summary>
    internal const int ExitInterrupted = 130;

    /// <summary>The exit code when nobody reads the output any more: 128 + SIGPIPE.</summary>
    internal const int ExitBrokenPipe = 141;

    private const int HelpColumns = 100;

    private static async Task<int> Main(string[] args)
    {
        using var interrupt = new CancellationTokenSource();
        var console = CliConsole.OfProcess();
        using var interruptSignal = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var terminateSignal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        return await RunAsync(args, console, interrupt.Token);

        void Interrupt(PosixSignalContext context)
        {
            // A second signal is not waited for: the system then does what it always does.
            if (interrupt.IsCancellationRequested)
                return;
            context.Cancel = true;
            console.Note("Interrupted: stopping after the block in work. Interrupt again to stop at once.");
            interrupt.Cancel();
        }
    }

    /// <summary>Runs the program; tests call it as well.</summary>
    /// <param name="args">The command line without the program's name.</param>
    /// <param name="console">Where output goes.</param>
    /// <param name="cancellationToken">Interrupts the command.</param>
    /// <returns>The exit code.</returns>
    internal static async Task<int> RunAsync(string[] args, CliConsole console, CancellationToken cancellationToken)
    {
        try
        {
            return await RunUnguardedAsync(args, console, cancellationToken);
        }
        catch (OutputClosedException)
        {
            return ExitBrokenPipe;
        }
        catch (Exception exception)
        {
            CliErrors.ReportFault(console, "reading the command line", exception);
            return 1;
        }
    }

    /// <summary>The root command with everything registered, in the order that help lists it.</summary>
    internal static RootCommand CreateRoot()
    {
        var root = new RootCommand(
            "Creates, explains, checks and reads scoutfs volumes that are not mounted.\n\n"
            + "A volume has a metadata device and a data device; both are block devices or image files. "
            + "Options may follow operands, and a lone -- ends options.");
        Command[] commands =
        [
            MkfsCommand.Create(),
            PrintCommand.Create(),
            CheckCommand.Create(),
            ChangeQuorumConfigCommand.Create(),
            ChangeFormatVersionCommand.Create(),
            PrepareEmptyDataDeviceCommand.Create(),
            VolumeCommands.Create(),
            TourCommand.Create(),
            CompletionCommand.Create(),
        ];
        foreach (var command in commands)
            root.Add(command);

        // The program runs once a process, so its own name is known only here.
        root.HelpName = "scoutfs";
        AddTeachingHelp(root);
        return root;
    }

    private static async Task<int> RunUnguardedAsync(
        string[] args, CliConsole console, CancellationToken cancellationToken)
    {
        var root = CreateRoot();
        var parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        int exitCode;
        bool isGood = parse.Action is not null && parse.Errors.Count == 0
            && CliErrors.FindUnknownOption(parse, args) is null;
        if (!isGood && parse.Action is not CliHelpAction)
            exitCode = CliErrors.ReportUsage(root, parse, args, console);
        else
            exitCode = await parse.InvokeAsync(console, cancellationToken);
        return await CliErrors.FlushAsync(console, exitCode);
    }

    private static void AddTeachingHelp(RootCommand root)
    {
        // The library's own names for help include -h and /h, which options and paths of commands have.
        _ = root.Options.Remove(root.Options.OfType<HelpOption>().Single());
        var plain = new HelpAction { MaxWidth = HelpColumns };
        root.Add(new HelpOption("--help", "-?", "--usage") { Action = new CliHelpAction(plain) });
    }
}
