using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>volume import</c>: copies a tree of this machine into a volume.</summary>
internal static class ImportCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand(
            "import", "Copies a tree of this machine into the volume; a second run completes the first.")
        {
            Examples =
            {
                new("volume import ./photos meta.img data.img", "Into the root of the volume"),
                new("volume import /srv/project meta.img data.img /project", "Into /project, created if need be"),
                new("volume import --dry-run /srv/project meta.img data.img /project", "What that would do"),
            },
            Notes =
            {
                "PATH becomes the copy of SRC: of a directory, what is in it goes into PATH, and PATH gets its mode, "
                + "owner and times. PATH need not exist, but the directory above it must (see \"volume mkdir -p\"). A "
                + "file goes to PATH, or into PATH under its own name when that is a directory.",
                "Copied are contents with their holes, mode, owner, times of access and change in nanoseconds, "
                + "extended attributes (ACLs among them), symbolic and hard links, fifos, sockets and device nodes. "
                + "Attributes that may not be read or that a volume does not have are counted in a note. On Windows "
                + "there are no owner, mode and extended attributes to copy: files belong to root then.",
                "A file that is in the volume with the same size and time of change is taken for its copy; others of "
                + "that name are replaced, and nothing else is removed. So a run that was interrupted is completed by "
                + "the same command. Whatever fails is named, the rest goes on, and the exit code is 1.",
                "--dry-run opens the volume for reading only, so that it works on one in use, too.",
                VolumeMountOperands.MountNote,
            },
        };
        var source = new Argument<string>("SRC") { Description = "A directory or file of this machine." };
        command.Add(source);
        var operands = new VolumeMountOperands(command);
        var path = new Argument<string>("PATH")
        {
            Description = "Place in the volume, the root by default.",
            DefaultValueFactory = _ => "/",
        };
        var isDryRun = new Option<bool>("--dry-run", "-n")
        {
            Description = "Say what would be done, in numbers, and change nothing.",
        };
        var isOneFileSystem = new Option<bool>("--one-file-system", "-x")
        {
            Description = "Leave out what is mounted below SRC.",
        };
        var isJson = CliJson.Option("Print what was done as one JSON object.");
        command.Add(path);
        command.Add(isDryRun);
        command.Add(isOneFileSystem);
        command.Add(isJson);
        command.OnRun((parse, console, cancellationToken) =>
        {
            var import = new Import(
                console,
                operands.Read(parse),
                parse.GetRequiredValue(source),
                parse.GetRequiredValue(path),
                parse.GetValue(isOneFileSystem),
                parse.GetValue(isJson));
            return parse.GetValue(isDryRun)
                ? import.RunDryAsync(cancellationToken)
                : import.RunAsync(cancellationToken);
        });
        return command;
    }

    /// <summary>One run of the command.</summary>
    private sealed class Import(
        CliConsole console,
        VolumeMountOperands.Values operands,
        string source,
        string path,
        bool isOneFileSystem,
        bool isJson)
    {
        private readonly ImportSummary _summary = new(console);
        private readonly long _start = console.Time.GetTimestamp();

        public async Task<int> RunAsync(CancellationToken cancellationToken)
        {
            var folder = ImportFolder.Open(source, out byte[]? fileName);
            string destination = await VolumeMount.RunAsync(
                console,
                operands,
                mount => CopyAsync(folder, fileName, new ImportTargetMounted(mount), cancellationToken),
                cancellationToken);

            // What is told is committed: the volume has been unmounted.
            return Conclude(destination, isDryRun: false);
        }

        public async Task<int> RunDryAsync(CancellationToken cancellationToken)
        {
            var folder = ImportFolder.Open(source, out byte[]? fileName);
            await using var session = await VolumeSession.OpenAsync(
                console, operands.Meta, operands.Data, cancellationToken);
            string destination = await CopyAsync(
                folder, fileName, new ImportTargetDryRun(session.Reader), cancellationToken);
            return Conclude(destination, isDryRun: true);
        }

        private async Task<string> CopyAsync(
            ImportFolder folder, byte[]? fileName, ImportTarget target, CancellationToken cancellationToken)
        {
            var place = await FindPlaceAsync(target, fileName, cancellationToken);
            try
            {
                await CliProgress.RunAsync(console, isShown: true, async progress =>
                {
                    var copier = new ImportCopier(target, _summary, progress, VolumeFiles(), isOneFileSystem);
                    if (fileName is null)
                        await copier.CopyTreeAsync(folder, place, cancellationToken);
                    else
                        await copier.CopyOneAsync(folder, fileName, place, cancellationToken);
                    return 0;
                });
            }
            catch (Exception exception) when (exception is OperationCanceledException or VolumeException)
            {
                if (!target.IsDryRun && _summary.CountPaths > 0)
                {
                    console.Note(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{place.ShownPath} is incomplete: {_summary.CountPaths} paths were dealt with. The same "
                        + $"command goes on from there."));
                }

                throw;
            }

            return place.ShownPath;
        }

        private int Conclude(string destination, bool isDryRun)
        {
            _summary.Print(destination, console.Time.GetElapsedTime(_start), isDryRun, isJson);
            return _summary.CountFailed == 0 ? 0 : 1;
        }

        private async Task<VolumePlace> FindPlaceAsync(
            ImportTarget target, byte[]? fileName, CancellationToken cancellationToken)
        {
            byte[] bytes = VolumePlace.Encode(path);
            var place = await VolumePlace.FindAsync(target.Paths, target, bytes, cancellationToken);

            // A link to a directory stands for the directory, as it does for cp.
            bool isLink = place.Found is { } found
                && (found.Inode.Mode & Volume.Format.FileMode.TypeMask) == Volume.Format.FileMode.Symlink;
            if (isLink)
            {
                var resolved = await target.Paths.ResolveAsync(bytes, followsLast: true, cancellationToken);
                place = await VolumePlace.FindAsync(target.Paths, target, resolved.Path, cancellationToken);
            }

            if (fileName is null || !place.IsDirectory)
                return place;
            byte[] below = VolumePlace.Join(
                place.Name.Length == 0 ? [] : VolumePlace.Join(place.DirectoryPath, place.Name), fileName);
            return await VolumePlace.FindAsync(target.Paths, target, below, cancellationToken);
        }

        // Its own images must not be imported into it, which would never end.
        private HashSet<ImportId> VolumeFiles()
        {
            var files = new HashSet<ImportId>();
            if (!OperatingSystem.IsLinux())
                return files;
            foreach (string device in (string[])[operands.Meta, operands.Data])
            {
                if (ImportFolderLinux.TryIdentify(device) is { } id)
                    _ = files.Add(id);
            }

            return files;
        }
    }
}
