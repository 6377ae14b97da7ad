using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace ScoutFs.Cli;

/// <summary>Prints the library's help, then the command's notes and examples.</summary>
internal sealed class CliHelpAction : SynchronousCommandLineAction
{
    private readonly HelpAction _plain;

    /// <summary>Wraps the library's help.</summary>
    public CliHelpAction(HelpAction plain) => _plain = plain;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int exitCode = _plain.Invoke(parseResult);
        if (parseResult.CommandResult.Command is not CliCommand command)
            return exitCode;
        var output = parseResult.InvocationConfiguration.Output;
        foreach (string note in command.Notes)
        {
            output.WriteLine(note);
            output.WriteLine();
        }

        if (command.Examples.Count == 0)
            return exitCode;
        output.WriteLine("Examples:");
        foreach (var example in command.Examples)
        {
            output.WriteLine($"  # {example.Meaning}");
            output.WriteLine($"  scoutfs {example.CommandLine}");
        }

        output.WriteLine();
        return exitCode;
    }
}
