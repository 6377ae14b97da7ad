using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;

namespace ScoutFs.Cli;

/// <summary>One line of help that shows a command at work.</summary>
/// <param name="CommandLine">What to type, without the program's name.</param>
/// <param name="Meaning">What it does, without a full stop.</param>
internal sealed record CliExample(string CommandLine, string Meaning);

/// <summary>A command that teaches (examples, notes) and fails the way all commands of this program fail.</summary>
internal sealed class CliCommand : Command
{
    /// <summary>Creates a command without options.</summary>
    /// <param name="name">As typed.</param>
    /// <param name="description">One or two sentences; the first stands in the list of commands.</param>
    public CliCommand(string name, string description)
        : base(name, description) => Validators.Add(CliArguments.RefuseEmpty);

    /// <summary>Examples, printed at the end of help.</summary>
    public List<CliExample> Examples { get; } = [];

    /// <summary>Paragraphs after the options: what the command reads and writes, its exit codes.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Sets what the command does; failures end as <see cref="CliErrors.RunAsync"/> says.</summary>
    /// <param name="run">The command: its exit code, 0 for success.</param>
    /// <param name="failureExitCode">Exit code of a failure, 1 unless the command's help says otherwise.</param>
    public void OnRun(Func<ParseResult, CliConsole, CancellationToken, Task<int>> run, int failureExitCode = 1) =>
        SetAction((parse, cancellationToken) =>
        {
            var console = (CliConsole)parse.InvocationConfiguration;
            return CliErrors.RunAsync(
                Name, console, failureExitCode, () => run(parse, console, cancellationToken));
        });
}
