using System.CommandLine;

namespace ScoutFs.Cli;

/// <summary><c>volume</c>: what is in a volume. Commands that only read open it, the others mount it.</summary>
internal static class VolumeCommands
{
    /// <summary>Creates the group.</summary>
    public static Command Create()
    {
        var group = new CliCommand(
            "volume",
            "Works with what is in a volume, without a mount of the system. Lists, searches and copies out; copies in, "
            + "makes, moves and removes.")
        {
            Examples =
            {
                new("volume ls -l meta.img data.img /some/dir", "List a directory"),
                new("volume export meta.img data.img /some/dir ./copy", "Copy a subtree out of the volume"),
                new("volume import ./tree meta.img data.img /some/dir", "Copy a tree into the volume"),
            },
            Notes =
            {
                "Paths start at the root of the volume; the leading slash may be left out. Symbolic links inside a "
                + "path are followed while they are relative. --ino N names an inode by its number instead.",
                "import, mkdir, put, mv, rm and setxattr change the volume: they mount it in this process. All others "
                + "write nothing to it.",
            },
        };
        group.Add(VolumeLsCommand.Create());
        group.Add(VolumeTreeCommand.Create());
        group.Add(VolumeStatCommand.Create());
        group.Add(VolumeCatCommand.Create());
        group.Add(VolumeFindCommand.Create());
        group.Add(ExportCommand.Create());
        group.Add(ImportCommand.Create());
        group.Add(VolumeMkdirCommand.Create());
        group.Add(VolumePutCommand.Create());
        group.Add(VolumeMvCommand.Create());
        group.Add(VolumeRmCommand.Create());
        group.Add(VolumeSetxattrCommand.Create());
        group.Add(VolumePackCommands.CreatePack());
        group.Add(VolumePackCommands.CreateUnpack());
        return group;
    }
}
