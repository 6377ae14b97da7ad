using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cli;
using ScoutFs.Testing;

namespace ScoutFs.Integration.Tests;

/// <summary>Runs command lines in this process, on golden volumes as image files in a folder that goes away.</summary>
internal sealed class VolumeCommandLine : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("scoutfs-volume-");

    /// <summary>A path in the folder.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Metadata image of a golden volume.</summary>
    public string Meta(string golden) => PathOf(golden + "-meta.img");

    /// <summary>Data image of a golden volume.</summary>
    public string Data(string golden) => PathOf(golden + "-data.img");

    /// <summary>Makes the images of a golden volume.</summary>
    public async Task UnpackAsync(string golden)
    {
        var result = await RunAsync(
            "volume", "unpack", GoldenVolume.PathOf(golden, ".packed"), Meta(golden), Data(golden));
        if (result.ExitCode != 0)
            throw new InvalidOperationException(result.Error);
    }

    /// <summary>Runs a command of the group volume on a golden volume.</summary>
    /// <param name="golden">Which one.</param>
    /// <param name="command">"ls", "stat".</param>
    /// <param name="rest">Options and further operands.</param>
    public Task<CommandResult> RunOnAsync(string golden, string command, params string[] rest) =>
        RunAsync(["volume", command, Meta(golden), Data(golden), .. rest]);

    /// <summary>Runs a command line, its output going into a pipe.</summary>
    public static async Task<CommandResult> RunAsync(params string[] arguments)
    {
        using var output = new MemoryStream();
        using var error = new StringWriter();
        var console = NewConsole(output, error);
        int exitCode = await Program.RunAsync(arguments, console, CancellationToken.None);
        return new CommandResult(exitCode, output.ToArray(), error.ToString());
    }

    /// <summary>A console that is no terminal.</summary>
    public static CliConsole NewConsole(Stream output, TextWriter error) =>
        new(output, error, isOutputTerminal: false, isErrorTerminal: false, TimeProvider.System);

    /// <summary>A value as it is spelt: names that are not UTF-8 are no strings of .NET.</summary>
    public static string RawText(JsonNode? node) => node!.GetValue<JsonElement>().GetRawText();

    /// <inheritdoc/>
    public void Dispose()
    {
        // Names that are not UTF-8 are none for .NET, which cannot remove them.
        if (OperatingSystem.IsLinux())
        {
            using var process = Process.Start("rm", ["-rf", _folder.FullName]);
            process.WaitForExit();
            return;
        }

        _folder.Delete(recursive: true);
    }

    /// <summary>What a command line did.</summary>
    internal sealed record CommandResult(int ExitCode, byte[] Output, string Error)
    {
        /// <summary>Output as text.</summary>
        public string Text => Encoding.UTF8.GetString(Output);

        /// <summary>Lines of the output.</summary>
        public string[] Lines => Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
