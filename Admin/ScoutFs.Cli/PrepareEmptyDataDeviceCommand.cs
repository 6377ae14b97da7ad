using System.CommandLine;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>prepare-empty-data-device</c>: makes an empty device a volume's data device (archive §12.2).</summary>
internal static class PrepareEmptyDataDeviceCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var meta = CliArguments.Meta();
        var data = new Argument<string?>("DATA")
        {
            Description = "The new data device; may be left out with --check.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var check = new Option<bool>("--check", "-c")
        {
            Description = "Only say whether it could be done.",
        };
        var command = new CliCommand(
            "prepare-empty-data-device",
            "Makes an empty device the data device of a volume without file contents. The volume must be unmounted "
            + "cleanly, and everything on its old data device released.")
        {
            Examples =
            {
                new("prepare-empty-data-device -c /dev/sdb", "Can the volume take a new data device?"),
                new("prepare-empty-data-device /dev/sdb /dev/sdd", "Give it one"),
            },
        };
        command.Add(check);
        command.Add(meta);
        command.Add(data);
        command.Validators.Add(result =>
        {
            if (!result.GetValue(check) && result.GetValue(data) is null)
                result.AddError("DATA is missing; only --check works without it");
        });
        command.OnRun((parse, console, cancellationToken) => parse.GetValue(check)
            ? CheckAsync(console, parse.GetRequiredValue(meta), parse.GetValue(data), cancellationToken)
            : PrepareAsync(parse.GetRequiredValue(meta), parse.GetValue(data)!, cancellationToken));
        return command;
    }

    private static async Task<int> CheckAsync(
        CliConsole console, string metaPath, string? dataPath, CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForReadingAsync(metaPath, cancellationToken);
        IBlockDevice? data = dataPath is null
            ? null
            : await CliDevices.OpenForReadingAsync(dataPath, cancellationToken);
        var problems = await VolumeEdits.CheckForEmptyDataDeviceAsync(meta, data, cancellationToken);
        if (data is not null)
            await data.DisposeAsync();
        foreach (var problem in problems)
            console.Note(problem.Sentence);
        if (problems.Count == 0)
        {
            console.Print("All checks passed.");
            return 0;
        }

        throw new VolumeException(
            problems[0].Error == FsError.None ? FsError.Invalid : problems[0].Error,
            "Errors were found that must be addressed before a new empty data device could be prepared and used.");
    }

    // The device of this very volume may be prepared again: its contents were found to be nothing.
    private static async Task RequireNothingToLoseAsync(
        IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken)
    {
        var found = await CliSignatures.FindAsync(data, cancellationToken);
        if (found.Count == 0)
            return;
        if (found.All(CliSignatures.IsScoutFs))
        {
            var buffer = AlignedBuffer.Create(FormatConstants.SmallBlockBytes);
            var super = await OfflineVolume.ReadSuperAsync(meta, isMeta: true, buffer, cancellationToken);
            var old = await OfflineVolume.ReadSuperAsync(data, isMeta: false, buffer, cancellationToken);
            if (OfflineVolume.FormatUuid(super) == OfflineVolume.FormatUuid(old))
                return;
        }

        throw new VolumeException(
            FsError.ForeignSignature,
            $"{data.Name} already holds something: {CliSignatures.TextOf(found)}. Check the path; if nothing of it is "
            + "needed, erase it first (\"wipefs -a\" for other filesystems, or zeros over its first MiB).");
    }

    private static async Task<int> PrepareAsync(
        string metaPath, string dataPath, CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForWritingAsync(metaPath, cancellationToken);
        await using var data = await CliDevices.OpenForWritingAsync(dataPath, cancellationToken);
        await RequireNothingToLoseAsync(meta, data, cancellationToken);
        _ = await VolumeEdits.PrepareEmptyDataDeviceAsync(meta, data, cancellationToken);
        return 0;
    }
}
