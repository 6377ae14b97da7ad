using System.CommandLine;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>change-format-version</c>: raises the format version of a volume (archive §12.2).</summary>
internal static class ChangeFormatVersionCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var meta = CliArguments.Meta();
        var data = CliArguments.Data();
        var offline = CliArguments.Offline();
        var version = CliNumbers.NumberOption("VERS", "--format-version", "-V");
        version.Description = "The new version. [default: 2, the latest]";
        var command = new CliCommand(
            "change-format-version",
            "Raises the format version of a volume. It cannot be lowered again, and every mount must know the new "
            + "version. The volume must be unmounted cleanly everywhere.")
        {
            Examples = { new("change-format-version -F -V 2 /dev/sdb /dev/sdc", "Raise to version 2") },
        };
        command.Add(offline);
        CliArguments.RequireOffline(command, offline);
        command.Add(version);
        command.Add(meta);
        command.Add(data);
        command.OnRun((parse, console, cancellationToken) => RunAsync(
            console,
            parse.GetRequiredValue(meta),
            parse.GetRequiredValue(data),
            parse.GetValue(version) ?? FormatConstants.MaxFormatVersion,
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        CliConsole console, string metaPath, string dataPath, ulong version, CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForWritingAsync(metaPath, cancellationToken);
        await using var data = await CliDevices.OpenForWritingAsync(dataPath, cancellationToken);
        var (super, isChanged) = await VolumeEdits.ChangeFormatVersionAsync(meta, data, version, cancellationToken);
        if (!isChanged)
        {
            console.Print(string.Create(
                CultureInfo.InvariantCulture,
                $"both metadata and data device format version are already {version}, nothing to do."));
            return 0;
        }

        console.Print("Successfully updated format version for scoutfs filesystem:");
        CliQuorum.PrintField(console, "meta device path:", metaPath);
        CliQuorum.PrintField(console, "data device path:", dataPath);
        CliQuorum.PrintField(
            console, "fsid:", super.Header.Fsid.Value.ToString("x16", CultureInfo.InvariantCulture));
        CliQuorum.PrintField(console, "uuid:", OfflineVolume.FormatUuid(super));
        CliQuorum.PrintField(
            console, "format version:", super.FormatVersion.Value.ToString(CultureInfo.InvariantCulture));
        return 0;
    }
}
