using System;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cli;

namespace ScoutFs.Integration.Tests;

/// <summary>What a command did: it runs inside the test program, with its output caught.</summary>
/// <param name="ExitCode">Exit code.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    /// <summary>Lines of standard output, without the last line's end.</summary>
    public string[] OutputLines => Output.TrimEnd('\n').Split('\n');

    /// <summary>Runs <c>scoutfs</c> with arguments.</summary>
    public static Task<CliRun> RunAsync(params string[] args) => RunAsync(CancellationToken.None, args);

    /// <summary>Runs <c>scoutfs</c> and interrupts it by a token.</summary>
    public static async Task<CliRun> RunAsync(CancellationToken cancellationToken, params string[] args)
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System);
        int exitCode = await Program.RunAsync(args, console, cancellationToken);
        return new CliRun(exitCode, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    /// <summary>Fails the test, with everything that was printed, unless the exit code is as expected.</summary>
    public CliRun Expect(int exitCode)
    {
        Assert.That(ExitCode, Is.EqualTo(exitCode), $"{Output}\n{Error}");
        return this;
    }

    /// <summary>Fails the test unless the command failed as archive §12.1 says.</summary>
    /// <param name="last">The line with errno: "mkfs failed: Invalid argument (22)".</param>
    /// <param name="diagnostic">Part of what is told before it.</param>
    public void ExpectFailure(string last, string diagnostic)
    {
        _ = Expect(1);
        Assert.That(Error, Does.EndWith($"scoutfs: {last}\n"));
        Assert.That(Error, Does.Contain(diagnostic));
    }

    /// <summary>Fails the test unless the command line was refused.</summary>
    /// <param name="command">The command that refuses it.</param>
    /// <param name="diagnostic">Part of the reason.</param>
    public void ExpectUsageError(string command, string diagnostic)
    {
        _ = Expect(64);
        Assert.That(Output, Is.Empty);
        Assert.That(Error, Does.StartWith($"{command}: ").And.Contains(diagnostic));
        Assert.That(Error, Does.EndWith($"Try `scoutfs {command} --help' for more information.\n"));
    }
}
