using System.CommandLine;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>change-quorum-config</c>: replaces the quorum slots of a volume (archive §12.2).</summary>
internal static class ChangeQuorumConfigCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var meta = CliArguments.Meta();
        var slots = CliQuorum.Option();
        var offline = CliArguments.Offline();
        var command = new CliCommand(
            "change-quorum-config",
            "Replaces all quorum slots of a volume. The volume must be unmounted cleanly everywhere.")
        {
            Examples =
            {
                new("change-quorum-config -F -Q 0,10.0.0.1,5000 -Q 1,10.0.0.2,5000 /dev/sdb", "Two members"),
            },
        };
        command.Add(offline);
        CliArguments.RequireOffline(command, offline);
        command.Add(slots);
        command.Add(meta);
        command.OnRun((parse, console, cancellationToken) => RunAsync(
            console, parse.GetRequiredValue(meta), parse.GetRequiredValue(slots), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        CliConsole console, string metaPath, QuorumSlot[] slots, CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForWritingAsync(metaPath, cancellationToken);
        var super = await VolumeEdits.ChangeQuorumConfigAsync(meta, slots, cancellationToken);
        console.Print("Successfully changed quorum config for scoutfs filesystem:");
        CliQuorum.PrintField(console, "meta device path:", metaPath);
        CliQuorum.PrintField(
            console, "fsid:", super.Header.Fsid.Value.ToString("x16", CultureInfo.InvariantCulture));
        CliQuorum.PrintField(console, "uuid:", OfflineVolume.FormatUuid(super));
        CliQuorum.PrintField(
            console,
            "quorum config version:",
            super.QuorumConfig.Version.Value.ToString(CultureInfo.InvariantCulture));
        CliQuorum.PrintSlots(console, QuorumSlot.Of(super.QuorumConfig));
        return 0;
    }
}
