using System.CommandLine;

namespace ScoutFs.Cli;

/// <summary><c>volume</c>: commands that look into a volume without mounting it.</summary>
internal static class VolumeCommands
{
    /// <summary>Creates the group.</summary>
    public static Command Create()
    {
        var group = new CliCommand(
            "volume",
            "Looks into a volume that is not mounted. Lists, searches and copies out what is in it; nothing is written "
            + "to the volume.")
        {
            Examples =
            {
                new("volume ls -l meta.img data.img /some/dir", "List a directory"),
                new("volume export meta.img data.img /some/dir ./copy", "Copy a subtree out of the volume"),
            },
            Notes =
            {
                "Paths start at the root of the volume; the leading slash may be left out. Symbolic links inside a "
                + "path are followed while they are relative. --ino N names an inode by its number instead.",
            },
        };
        group.Add(VolumeLsCommand.Create());
        group.Add(VolumeTreeCommand.Create());
        group.Add(VolumeStatCommand.Create());
        group.Add(VolumeCatCommand.Create());
        group.Add(VolumeFindCommand.Create());
        group.Add(ExportCommand.Create());
        group.Add(VolumePackCommands.CreatePack());
        group.Add(VolumePackCommands.CreateUnpack());
        return group;
    }
}
