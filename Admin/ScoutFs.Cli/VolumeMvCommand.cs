using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>volume mv</c>: renames.</summary>
internal static class VolumeMvCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("mv", "Renames or moves a file or directory in the volume.")
        {
            Examples =
            {
                new("volume mv meta.img data.img /inbox/letter /outbox", "Into a directory that exists"),
                new("volume mv -n meta.img data.img /a /b", "Unless /b exists"),
            },
            Notes =
            {
                "When TO is a directory, FROM goes into it under its own name; else a file TO is replaced. Symbolic "
                + "links at the end of FROM and TO are moved and replaced, not followed.",
                VolumeMountOperands.MountNote,
            },
        };
        var operands = new VolumeMountOperands(command);
        var from = new Argument<string>("FROM") { Description = "What to move." };
        var to = new Argument<string>("TO") { Description = "Its new path, or the directory to move it into." };
        var isNoReplace = new Option<bool>("--no-replace", "-n") { Description = "Replace nothing." };
        command.Add(from);
        command.Add(to);
        command.Add(isNoReplace);
        command.OnRun((parse, console, cancellationToken) => VolumeMount.RunAsync(
            console,
            operands.Read(parse),
            mount => MoveAsync(
                mount,
                VolumePlace.Encode(parse.GetRequiredValue(from)),
                VolumePlace.Encode(parse.GetRequiredValue(to)),
                parse.GetValue(isNoReplace),
                cancellationToken),
            cancellationToken));
        return command;
    }

    private static async Task<int> MoveAsync(
        VolumeMount mount, byte[] from, byte[] to, bool isNoReplace, CancellationToken cancellationToken)
    {
        var source = await VolumePlace.FindAsync(mount.Paths, mount, from, cancellationToken);
        if (source.Found is null)
            throw new VolumeException(FsError.NotFound, $"There is no {source.ShownPath} in the volume.");
        if (source.Name.Length == 0)
            throw new VolumeException(FsError.Invalid, "The root directory cannot be moved.");
        var target = await VolumePlace.FindAsync(mount.Paths, mount, to, cancellationToken);
        if (target.IsDirectory)
        {
            byte[] directory = target.Name.Length == 0 ? [] : VolumePlace.Join(target.DirectoryPath, target.Name);
            target = await VolumePlace.FindAsync(
                mount.Paths, mount, VolumePlace.Join(directory, source.Name), cancellationToken);
        }

        if (target.Found is not null && isNoReplace)
            throw new VolumeException(FsError.Exists, $"{target.ShownPath} exists already.");
        string verb = $"move {source.ShownPath} to {target.ShownPath}";
        var error = await mount.Fs.RenameAsync(
            source.Directory, source.Name, target.Directory, target.Name, isNoReplace, cancellationToken);
        if (error == FsError.Invalid)
            throw new VolumeException(error, $"Cannot {verb}: a directory cannot be moved into itself.");
        mount.Require(error, verb);
        return 0;
    }
}
