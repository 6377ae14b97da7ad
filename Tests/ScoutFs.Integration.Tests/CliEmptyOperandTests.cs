using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cli;

namespace ScoutFs.Integration.Tests;

/// <summary>Empty operands, which shells make of variables that are not set, and faults that nobody foresaw.</summary>
internal sealed class CliEmptyOperandTests
{
    // Every operand of every command, so that a command to come is tested as well.
    private static IEnumerable<TestCaseData> Operands()
    {
        string[][] lines =
        [
            ["mkfs", "-Q", "0,10.0.0.1,5000", "META", "DATA"],
            ["print", "META"],
            ["check", "META", "DATA"],
            ["change-quorum-config", "-F", "-Q", "0,10.0.0.1,5000", "META"],
            ["change-format-version", "-F", "META", "DATA"],
            ["prepare-empty-data-device", "META", "DATA"],
            ["volume", "ls", "META", "DATA", "PATH"],
            ["volume", "tree", "META", "DATA", "PATH"],
            ["volume", "stat", "META", "DATA", "PATH"],
            ["volume", "cat", "META", "DATA", "PATH"],
            ["volume", "find", "META", "DATA", "PATH"],
            ["volume", "export", "META", "DATA", "PATH", "DEST"],
            ["volume", "export", "META", "DATA", "DEST"],
            ["volume", "import", "SRC", "META", "DATA", "PATH"],
            ["volume", "mkdir", "META", "DATA", "PATH"],
            ["volume", "put", "META", "DATA", "FILE", "PATH"],
            ["volume", "mv", "META", "DATA", "FROM", "TO"],
            ["volume", "rm", "META", "DATA", "PATH"],
            ["volume", "setxattr", "META", "DATA", "PATH", "NAME"],
            ["volume", "pack", "META", "DATA", "FILE"],
            ["volume", "unpack", "FILE", "META", "DATA"],
            ["tour", "DIR"],
            ["completion", "SHELL"],
        ];
        foreach (string[] line in lines)
        {
            foreach (string operand in line.Where(word => word.All(char.IsAsciiLetterUpper)))
                yield return new TestCaseData([line, operand]).SetArgDisplayNames(string.Join(' ', line), operand);
        }
    }

    [TestCaseSource(nameof(Operands))]
    public async Task Program_EmptyOperand_IsAUsageErrorThatNamesIt(string[] line, string operand)
    {
        string command = line[0] == "volume" ? $"volume {line[1]}" : line[0];
        string[] args = [.. line.Select(word => word == operand ? string.Empty : word)];
        (await CliRun.RunAsync(args)).ExpectUsageError(command, $"{operand} is empty");
    }

    [Test]
    public async Task Program_EmptyPathOfManifest_IsAUsageErrorThatNamesIt() =>
        (await CliRun.RunAsync("volume", "export", "--manifest", "META", "DATA", string.Empty)).ExpectUsageError(
            "volume export", "PATH is empty");

    [Test]
    public void Operands_EveryCommand_IsListedHere()
    {
        var listed = Operands().Select(test => (string[])test.Arguments[0]!).ToList();
        foreach (var command in Program.CreateRoot().Subcommands.SelectMany(Leaves).Where(leaf => !leaf.Hidden))
            Assert.That(listed.Any(line => line.Contains(command.Name)), Is.True, command.Name);
    }

    [Test]
    public async Task Run_UnforeseenException_IsOneLineAndTheCommandsExitCode()
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System);

        int exitCode = await CliErrors.RunAsync(
            "check", console, 2, () => throw new ArgumentOutOfRangeException("value", "Too large."));
        Assert.That(exitCode, Is.EqualTo(2));
        Assert.That(error.ToString().TrimEnd('\n'), Does.StartWith("scoutfs: check failed by a fault of this program")
            .And.Contains("ArgumentOutOfRangeException at ").And.EndsWith(": Too large.")
            .And.Not.Contains("\n").And.Not.Contains("Parameter"));
    }

    [Test]
    public async Task Program_UnforeseenExceptionOutsideOfACommand_IsOneLine()
    {
        await using var output = new BrokenStream();
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System);

        Assert.That(await Program.RunAsync(["--help"], console, CancellationToken.None), Is.EqualTo(1));
        Assert.That(error.ToString(), Does.Contain("InvalidTimeZoneException at ").And.EndWith(": Broken.\n"));
    }

    private static IEnumerable<Command> Leaves(Command command) =>
        command.Subcommands.Count == 0 ? [command] : command.Subcommands.SelectMany(Leaves);

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new InvalidTimeZoneException("Broken.");
    }
}
