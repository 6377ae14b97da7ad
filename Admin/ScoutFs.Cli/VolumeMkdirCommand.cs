using System;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>volume mkdir</c>: makes directories.</summary>
internal static class VolumeMkdirCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("mkdir", "Makes directories in the volume.")
        {
            Examples =
            {
                new("volume mkdir meta.img data.img /inbox", "One directory"),
                new("volume mkdir -p meta.img data.img /a/b/c /a/d", "With all directories above them"),
            },
            Notes = { VolumeMountOperands.MountNote },
        };
        var operands = new VolumeMountOperands(command);
        var paths = VolumeChanges.PathsArgument("Directories to make.");
        var withParents = new Option<bool>("--parents", "-p")
        {
            Description = "Make missing directories above, too; it is no error that one exists.",
        };
        var mode = VolumeChanges.ModeOption("Permissions of the new directories, 0755 by default.");
        command.Add(paths);
        command.Add(withParents);
        command.Add(mode);
        command.OnRun((parse, console, cancellationToken) => VolumeChanges.RunAsync(
            console,
            operands.Read(parse),
            parse.GetRequiredValue(paths),
            (mount, path) => MakeAsync(
                mount,
                path,
                parse.GetValue(withParents),
                parse.GetValue(mode) ?? 0x1ed,
                cancellationToken),
            cancellationToken));
        return command;
    }

    private static async Task MakeAsync(
        VolumeMount mount, byte[] path, bool withParents, uint permissions, CancellationToken cancellationToken)
    {
        if (withParents && VolumePlace.Split(path) is { Name.Length: > 0 } split)
            await MakeAboveAsync(mount, split.Parent, permissions, cancellationToken);
        var place = await VolumePlace.FindAsync(mount.Paths, mount, path, cancellationToken);
        if (withParents && place.IsDirectory)
            return;
        if (place.Found is not null)
            throw new VolumeException(FsError.Exists, $"{place.ShownPath} exists already.");
        var creator = VolumeChanges.CreatorOf(mount);
        var (error, _, _) = await mount.Fs.CreateAsync(
            place.Directory, place.Name, FileMode.Directory | permissions, 0, default, creator, cancellationToken);
        mount.Require(error, $"make directory {place.ShownPath}");
    }

    // From the top down; what exists, also through links, is passed through.
    private static async Task MakeAboveAsync(
        VolumeMount mount, byte[] path, uint permissions, CancellationToken cancellationToken)
    {
        for (int end = 0; end < path.Length;)
        {
            int slash = path.AsSpan(end).IndexOf((byte)'/');
            end = slash < 0 ? path.Length : end + slash + 1;
            byte[] part = path.AsSpan(0, end).TrimEnd((byte)'/').ToArray();
            if (part.Length == 0)
                continue;
            try
            {
                _ = await mount.Paths.ResolveAsync(part, followsLast: true, cancellationToken);
            }
            catch (VolumeException failure) when (failure.Error == FsError.NotFound)
            {
                await MakeAsync(mount, part, withParents: false, permissions, cancellationToken);
            }
        }
    }
}
