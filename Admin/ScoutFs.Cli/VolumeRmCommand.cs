using System.Collections.Generic;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>volume rm</c>: removes files and trees.</summary>
internal static class VolumeRmCommand
{
    private const int PageEntries = 256;

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand(
            "rm", "Removes files from the volume; with -r directories with all that is in them.")
        {
            Examples =
            {
                new("volume rm meta.img data.img /inbox/letter", "One file"),
                new("volume rm -r meta.img data.img /inbox", "A tree"),
            },
            Notes =
            {
                "Symbolic links are removed, not followed. Files under retention stay, are named, and make the exit "
                + "code 1.",
                VolumeMountOperands.MountNote,
            },
        };
        var operands = new VolumeMountOperands(command);
        var paths = VolumeChanges.PathsArgument("What to remove.");
        var isRecursive = new Option<bool>("--recursive", "-r")
        {
            Description = "Remove directories with all that is in them.",
        };
        var isForced = new Option<bool>("--force", "-f") { Description = "It is no error that a path does not exist." };
        command.Add(paths);
        command.Add(isRecursive);
        command.Add(isForced);
        command.OnRun((parse, console, cancellationToken) => CliProgress.RunAsync(
            console,
            isShown: true,
            progress =>
            {
                var removal = new Removal(console, progress, parse.GetValue(isRecursive), parse.GetValue(isForced));
                return VolumeChanges.RunAsync(
                    console,
                    operands.Read(parse),
                    parse.GetRequiredValue(paths),
                    (mount, path) => removal.RemoveAsync(mount, path, cancellationToken),
                    cancellationToken);
            }));
        return command;
    }

    /// <summary>One run of the command.</summary>
    private sealed class Removal(CliConsole console, CliProgress progress, bool isRecursive, bool isForced)
    {
        private long _count;

        public async Task RemoveAsync(VolumeMount mount, byte[] path, CancellationToken cancellationToken)
        {
            VolumePlace place;
            try
            {
                place = await VolumePlace.FindAsync(mount.Paths, mount, path, cancellationToken);
                if (place.Found is null)
                    throw new VolumeException(FsError.NotFound, $"There is no {place.ShownPath} in the volume.");
            }
            catch (VolumeException failure) when (isForced && failure.Error == FsError.NotFound)
            {
                return;
            }

            if (place.Name.Length == 0)
                throw new VolumeException(FsError.Invalid, "The root directory cannot be removed.");
            if (!place.IsDirectory)
            {
                await UnlinkAsync(mount, place.Directory, place.Name, false, place.ShownPath, cancellationToken);
                return;
            }

            if (!isRecursive)
            {
                throw new VolumeException(
                    FsError.IsDirectory, $"{place.ShownPath} is a directory; -r removes it with all that is in it.");
            }

            await RemoveTreeAsync(mount, place, cancellationToken);
        }

        // Without recursion, which a deep tree would break. A directory is listed until nothing is left in it.
        private async Task RemoveTreeAsync(VolumeMount mount, VolumePlace place, CancellationToken cancellationToken)
        {
            var way = new Stack<Level>();
            way.Push(new Level(
                place.Directory, place.Name, place.Found!.Value.Ino,
                VolumePlace.Join(place.DirectoryPath, place.Name)));
            var page = new List<ListedEntry>();
            long failed = 0;
            while (way.TryPeek(out var here))
            {
                var (error, _) = await mount.Fs.ListAsync(
                    here.Ino, here.NextPos, page, PageEntries, cancellationToken);
                mount.Require(error, $"list {NameText.Printable(here.Path)}");
                bool isEmpty = page.Count == 0;
                foreach (var entry in page)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    here.NextPos = entry.Pos + 1;
                    byte[] path = VolumePlace.Join(here.Path, entry.Name);
                    if (entry.Type == DirentType.Directory)
                    {
                        way.Push(new Level(here.Ino, entry.Name, entry.Ino, path));
                        break;
                    }

                    if (!await TryUnlinkAsync(mount, here.Ino, entry.Name, false, path, cancellationToken))
                    {
                        failed++;
                        here.HasLeftovers = true;
                    }
                }

                if (!isEmpty)
                    continue;
                _ = way.Pop();
                if (here.HasLeftovers
                    || !await TryUnlinkAsync(mount, here.Directory, here.Name, true, here.Path, cancellationToken))
                {
                    failed += here.HasLeftovers ? 0 : 1;
                    if (way.TryPeek(out var above))
                        above.HasLeftovers = true;
                }
            }

            if (failed > 0)
            {
                throw new VolumeException(
                    FsError.NotEmpty, $"{place.ShownPath} is not removed: {failed} paths in it could not be.");
            }
        }

        private async Task<bool> TryUnlinkAsync(
            VolumeMount mount,
            ulong directory,
            byte[] name,
            bool isDirectory,
            byte[] path,
            CancellationToken cancellationToken)
        {
            try
            {
                await UnlinkAsync(
                    mount, directory, name, isDirectory, NameText.Printable(path), cancellationToken);
                return true;
            }
            catch (VolumeException failure) when (failure.Error is FsError.NotPermitted or FsError.NotEmpty
                or FsError.Corrupt)
            {
                console.Note(failure.Message);
                return false;
            }
        }

        private async Task UnlinkAsync(
            VolumeMount mount,
            ulong directory,
            byte[] name,
            bool isDirectory,
            string shown,
            CancellationToken cancellationToken)
        {
            var error = await mount.Fs.UnlinkAsync(directory, name, isDirectory, cancellationToken);
            mount.Require(error, $"remove {shown}");
            progress.Report("Removing, paths", ++_count, 0);
        }

        /// <summary>A directory on the way down.</summary>
        private sealed class Level(ulong directory, byte[] name, ulong ino, byte[] path)
        {
            public ulong Directory => directory;

            public byte[] Name => name;

            public ulong Ino => ino;

            public byte[] Path => path;

            public ulong NextPos { get; set; }

            public bool HasLeftovers { get; set; }
        }
    }
}
