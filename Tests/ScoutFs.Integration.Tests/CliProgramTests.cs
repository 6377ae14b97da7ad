using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cli;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests;

/// <summary>What all commands have in common: unknown commands, help, completion, failures, progress.</summary>
internal sealed class CliProgramTests
{
    [Test]
    public async Task Program_NoCommand_PrintsWhatItIsAndUsageAndExits1()
    {
        var run = (await CliRun.RunAsync()).Expect(1);
        Assert.That(run.Error, Does.StartWith("Creates, explains, checks and reads scoutfs volumes"));
        Assert.That(run.Error, Does.Contain("\nUsage: scoutfs COMMAND").And.Contain("  mkfs "));
        Assert.That(run.Error, Does.Not.Contain("unrecognized"));
        Assert.That(run.Output, Is.Empty);
    }

    [TestCase("")]
    [TestCase("frobnicate")]
    [TestCase("mkf")]
    public async Task Program_UnknownCommand_PrintsUsageAndExits1(string command)
    {
        var run = (await CliRun.RunAsync(command)).Expect(1);
        Assert.That(run.Error, Does.StartWith($"scoutfs: unrecognized command: '{command}'\nUsage: scoutfs COMMAND"));
        Assert.That(run.Error, Does.Contain("  mkfs "));
        Assert.That(run.Output, Is.Empty);
    }

    [Test]
    public async Task Program_GroupWithoutCommand_IsAUsageError() =>
        (await CliRun.RunAsync("volume")).ExpectUsageError("volume", "a command is missing; there are ls, ");

    [Test]
    public async Task Program_UnknownCommandOfGroup_IsAUsageError() =>
        (await CliRun.RunAsync("volume", "frob", "x")).ExpectUsageError("volume", "unrecognized command: 'frob'");

    [TestCaseSource(nameof(AllCommands))]
    public async Task Help_EveryCommand_ExplainsItselfWithExamples(string[] names)
    {
        var run = (await CliRun.RunAsync([.. names, "--help"])).Expect(0);
        Assert.That(run.Output, Does.Contain($"scoutfs {string.Join(' ', names)}"));
        Assert.That(run.Output, Does.Contain("Examples:\n"));
        Assert.That(run.Error, Is.Empty);
        Assert.That((await CliRun.RunAsync([.. names, "--usage"])).Expect(0).Output, Is.EqualTo(run.Output));
    }

    [TestCaseSource(nameof(AllCommands))]
    public void Help_EveryExample_IsAGoodCommandLine(string[] names)
    {
        var root = Program.CreateRoot();
        foreach (var example in Find(root, names).Examples)
        {
            // What a shell would do comes after these.
            string line = example.CommandLine.Split([" > ", " | ", " < "], StringSplitOptions.None)[0];
            var parse = root.Parse(line);
            Assert.That(parse.Errors.Select(error => error.Message), Is.Empty, line);
            Assert.That(parse.CommandResult.Command.Name, Is.EqualTo(names[^1]), line);
        }
    }

    [Test]
    public async Task Suggest_StartOfCommand_NamesCommands()
    {
        var run = await CliRun.RunAsync("[suggest:10]", "scoutfs ch");
        Assert.That(run.Expect(0).OutputLines, Is.EquivalentTo(
            new[] { "change-format-version", "change-quorum-config", "check" }));
    }

    [TestCase("bash")]
    [TestCase("zsh")]
    [TestCase("fish")]
    [TestCase("pwsh")]
    public async Task Completion_EveryShell_GetsAScript(string shell)
    {
        var run = (await CliRun.RunAsync("completion", shell)).Expect(0);
        Assert.That(run.Output, Does.Contain("[suggest:").And.Contain("scoutfs"));
    }

    [Test]
    [Platform("Linux")]
    public async Task Completion_Bash_OffersCommandsAndLeavesFilesToTheShell()
    {
        string script = (await CliRun.RunAsync("completion", "bash")).Expect(0).Output;
        string test = $$"""
            scoutfs() { printf '%s\n' --help check completion; }
            {{script}}
            COMP_WORDS=(scoutfs ch) COMP_CWORD=1 COMP_LINE="scoutfs ch" COMP_POINT=10
            _scoutfs_complete; echo "${COMPREPLY[*]}"
            COMP_WORDS=(scoutfs check --) COMP_CWORD=2 COMP_LINE="scoutfs check --" COMP_POINT=16
            _scoutfs_complete; echo "${COMPREPLY[*]}"
            COMP_WORDS=(scoutfs check me) COMP_CWORD=2 COMP_LINE="scoutfs check me" COMP_POINT=16
            _scoutfs_complete; echo "${COMPREPLY[*]}."
            """.ReplaceLineEndings("\n");
        var start = new ProcessStartInfo("bash", ["-c", test]) { RedirectStandardOutput = true };
        using var bash = Process.Start(start)!;
        string output = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        Assert.That(output, Is.EqualTo("check\n--help\n.\n"));
    }

    [Test]
    public async Task Completion_UnknownShell_IsAUsageError() =>
        (await CliRun.RunAsync("completion", "csh")).ExpectUsageError("completion", "csh");

    [Test]
    public async Task Program_UnknownOption_IsAUsageError() =>
        (await CliRun.RunAsync("print", "--frobnicate", "meta.img")).ExpectUsageError(
            "print", "unrecognized option '--frobnicate'");

    [TestCase("print", "--frobnicate")]
    [TestCase("print", "-1")]
    public async Task Program_OptionInPlaceOfOperand_IsAUsageError(string command, string option)
    {
        (await CliRun.RunAsync(command, option)).ExpectUsageError(command, $"unrecognized option '{option}'");
        (await CliRun.RunAsync(command, "--", option)).ExpectFailure(
            $"{command} failed: No such file or directory (2)", option);
    }

    [Test]
    public async Task Program_Interrupted_SaysSoAndExits130()
    {
        using var images = await CliImages.FormattedAsync();
        var run = await CliRun.RunAsync(new CancellationToken(true), "print", images.Meta);
        Assert.That(run.Expect(130).Error, Does.EndWith("scoutfs: print failed: Interrupted system call (4)\n"));
    }

    [Test]
    public async Task Program_NobodyReadsTheOutput_StopsQuietlyWith141()
    {
        using var images = await CliImages.FormattedAsync();
        await using var output = new CliOutput(new ClosedPipe());
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System);

        Assert.That(
            await Program.RunAsync(["print", "--json", images.Meta], console, CancellationToken.None),
            Is.EqualTo(141));
        Assert.That(error.ToString(), Is.Empty);
    }

    [TestCase("--json")]
    [TestCase("--layout")]
    public async Task Print_ReaderLeavesInTheMiddle_StopsQuietlyWith141(string option)
    {
        // Much more than a buffer of output, so that it breaks while blocks are printed.
        using var images = await CliImages.GoldenAsync("g1-basic");
        await using var output = new CliOutput(new ClosedPipe());
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System);

        Assert.That(
            await Program.RunAsync(["print", option, images.Meta], console, CancellationToken.None),
            Is.EqualTo(141));
        Assert.That(error.ToString(), Is.Empty);
    }

    [TestCase("completion", "bash")]
    [TestCase("print", "--json")]
    public async Task Program_OutputCannotBeWritten_FailsAndSaysSo(string command, string argument)
    {
        using var images = await CliImages.FormattedAsync();
        await using var output = new CliOutput(new FullDisk());
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System);
        string[] args = command == "print" ? [command, argument, images.Meta] : [command, argument];

        Assert.That(await Program.RunAsync(args, console, CancellationToken.None), Is.EqualTo(1));
        Assert.That(error.ToString(), Does.StartWith("Cannot write to standard output: No space left on device."));
    }

    [Test]
    public void Errors_EveryCode_HasErrnoAndText()
    {
        foreach (var error in Enum.GetValues<FsError>())
        {
            Assert.That(CliErrors.TextOf(error), Is.Not.Empty, error.ToString());
            Assert.That(CliErrors.NumberOf(error) == 0, Is.EqualTo(error == FsError.None), error.ToString());
        }
    }

    [Test]
    public async Task Progress_NoTerminal_IsALineEveryFiveSeconds()
    {
        var time = new ManualTime();
        using var output = new MemoryStream();
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, time);

        _ = await CliProgress.RunAsync(console, isShown: true, progress =>
        {
            for (int done = 0; done < 12; done++)
            {
                progress.Report("reading", done, 12);
                time.Ticks += TimeSpan.TicksPerSecond;
            }

            return Task.FromResult(0);
        });
        Assert.That(error.ToString(), Is.EqualTo("reading: 42% (5 of 12)\nreading: 83% (10 of 12)\n"));
    }

    [Test]
    public async Task PackAndUnpack_Volume_GivesTheSameVolume()
    {
        using var images = await CliImages.FormattedAsync();
        string packed = images.InDirectory("volume.packed");
        var (meta, data) = (images.InDirectory("meta2.img"), images.InDirectory("data2.img"));

        _ = (await CliRun.RunAsync("volume", "pack", images.Meta, images.Data, packed)).Expect(0);
        _ = (await CliRun.RunAsync("volume", "unpack", packed, meta, data)).Expect(0);
        Assert.That(new FileInfo(packed).Length, Is.LessThan(8192));
        Assert.That(
            (await CliRun.RunAsync("print", meta)).Expect(0).Output,
            Is.EqualTo((await CliRun.RunAsync("print", images.Meta)).Expect(0).Output));
        _ = (await CliRun.RunAsync("check", meta, data)).Expect(0);
        (await CliRun.RunAsync("volume", "unpack", packed, meta, data)).ExpectFailure(
            "unpack failed: File exists (17)", meta);
        (await CliRun.RunAsync("volume", "unpack", images.Meta, meta + "x", data + "x")).ExpectFailure(
            "unpack failed: Invalid argument (22)", string.Empty);
    }

    [Test]
    public async Task Unpack_Fails_LeavesNothingBehind()
    {
        using var images = await CliImages.FormattedAsync();
        string packed = images.InDirectory("volume.packed");
        _ = (await CliRun.RunAsync("volume", "pack", images.Meta, images.Data, packed)).Expect(0);
        CliImages.SetLength(packed, new FileInfo(packed).Length - 1);
        string meta = images.InDirectory("meta2.img");

        _ = (await CliRun.RunAsync("volume", "unpack", packed, meta, images.InDirectory("data2.img"))).Expect(1);
        _ = (await CliRun.RunAsync("volume", "unpack", packed, meta, images.Data)).Expect(1);
        Assert.That(
            images.Names(), Is.EquivalentTo(new[] { "meta.img", "data.img", "volume.packed" }));
    }

    private static IEnumerable<TestCaseData> AllCommands() => Walk(Program.CreateRoot(), []);

    private static IEnumerable<TestCaseData> Walk(Command command, string[] names)
    {
        foreach (var child in command.Subcommands)
        {
            string[] path = [.. names, child.Name];
            if (child.Subcommands.Count == 0)
                yield return new TestCaseData([path]).SetArgDisplayNames(string.Join(' ', path));
            foreach (var below in Walk(child, path))
                yield return below;
        }
    }

    private static CliCommand Find(Command command, IEnumerable<string> names)
    {
        foreach (string name in names)
            command = command.Subcommands.Single(child => child.Name == name);
        return (CliCommand)command;
    }

    private sealed class ClosedPipe : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("Broken pipe", 32);
    }

    private sealed class FullDisk : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) =>
            throw new IOException("No space left on device", 28);

        public override ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("No space left on device", 28);
    }

    private sealed class ManualTime : TimeProvider
    {
        public long Ticks { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Ticks;
    }
}
