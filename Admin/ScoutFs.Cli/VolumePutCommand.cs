using System;
using System.CommandLine;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary><c>volume put</c>: writes one file.</summary>
internal static class VolumePutCommand
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("put", "Writes one file, or what comes from standard input, into the volume.")
        {
            Examples =
            {
                new("volume put meta.img data.img ./letter /inbox/letter", "A file"),
                new("volume put meta.img data.img - /inbox/now", "What comes from standard input"),
            },
            Notes =
            {
                "Only contents are copied (\"volume import\" copies everything). They replace those of a file PATH, "
                + "which keeps its owner, mode and extended attributes; a new file belongs to the user. They are "
                + "written beside PATH first and take its name when they are complete. When PATH is a directory, the "
                + "file goes into it under its own name.",
                VolumeMountOperands.MountNote,
            },
        };
        var operands = new VolumeMountOperands(command);
        var source = new Argument<string>("FILE") { Description = "A file of this machine; - for standard input." };
        var path = new Argument<string>("PATH") { Description = "Its path in the volume." };
        var mode = VolumeChanges.ModeOption("Permissions; those of the file replaced, or 0644, by default.");
        command.Add(source);
        command.Add(path);
        command.Add(mode);
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            string name = parse.GetRequiredValue(source);
            await using var input = name == "-" ? console.OpenInput() : File.OpenRead(name);
            return await VolumeMount.RunAsync(
                console,
                operands.Read(parse),
                async mount =>
                {
                    var place = await FindPlaceAsync(
                        mount, VolumePlace.Encode(parse.GetRequiredValue(path)), name, cancellationToken);
                    await PutAsync(mount, input, place, parse.GetValue(mode), cancellationToken);
                    return 0;
                },
                cancellationToken);
        });
        return command;
    }

    private static async Task<VolumePlace> FindPlaceAsync(
        VolumeMount mount, byte[] path, string name, CancellationToken cancellationToken)
    {
        var place = await VolumePlace.FindAsync(mount.Paths, mount, path, cancellationToken);
        if (place.IsDirectory && name != "-")
        {
            byte[] below = VolumePlace.Join(
                place.Name.Length == 0 ? [] : VolumePlace.Join(place.DirectoryPath, place.Name),
                VolumePlace.Encode(Path.GetFileName(name)));
            place = await VolumePlace.FindAsync(mount.Paths, mount, below, cancellationToken);
        }

        if (place.IsDirectory)
            throw new VolumeException(FsError.IsDirectory, $"{place.ShownPath} is a directory; name a file.");
        if (place.Found is { } found && (found.Inode.Mode & FileMode.TypeMask) != FileMode.Regular)
        {
            throw new VolumeException(
                FsError.Invalid, $"{place.ShownPath} is no regular file. Remove it first, or name another path.");
        }

        return place;
    }

    // An unnamed file would not do: there is no call that gives it a name that is taken.
    private static async Task PutAsync(
        VolumeMount mount, Stream input, VolumePlace place, uint? mode, CancellationToken cancellationToken)
    {
        uint permissions = mode ?? (place.Found?.Inode.Mode & FileMode.PermissionMask) ?? 0x1a4;
        byte[] name = TemporaryName(place.Name);
        var (error, ino, _) = await mount.Fs.CreateAsync(
            place.Directory,
            name,
            FileMode.Regular | permissions,
            0,
            default,
            VolumeChanges.CreatorOf(mount),
            cancellationToken);
        mount.Require(error, $"create {place.ShownPath}");
        try
        {
            await CopyAsync(mount, input, ino, place.ShownPath, cancellationToken);
            if (place.Found is { } old)
                await KeepAttributesAsync(mount, old.Ino, ino, permissions, place.ShownPath, cancellationToken);
            error = await mount.Fs.RenameAsync(
                place.Directory, name, place.Directory, place.Name, isNoReplace: false, cancellationToken);
            mount.Require(error, $"give the new file the name {place.ShownPath}");
        }
        catch
        {
            _ = await mount.Fs.UnlinkAsync(place.Directory, name, isRmdir: false, CancellationToken.None);
            throw;
        }
    }

    private static byte[] TemporaryName(byte[] name)
    {
        byte[] random = System.Text.Encoding.ASCII.GetBytes(Guid.NewGuid().ToString("N"));
        int kept = Math.Min(name.Length, Volume.Format.FormatConstants.MaxNameBytes - random.Length - 6);
        return [(byte)'.', .. name.AsSpan(0, kept), .. ".put."u8, .. random];
    }

    private static async Task CopyAsync(
        VolumeMount mount, Stream input, ulong ino, string shown, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferBytes];
        ulong at = 0;
        while (true)
        {
            int length = await input.ReadAtLeastAsync(
                buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
            if (length == 0)
                return;
            var (error, _) = await mount.Fs.WriteAsync(
                ino, at, buffer.AsMemory(0, length), isAppend: false, clearsSetId: false, cancellationToken);
            mount.Require(error, $"write {shown} at byte {at}");
            at += (ulong)length;
        }
    }

    private static async Task KeepAttributesAsync(
        VolumeMount mount, ulong from, ulong to, uint permissions, string shown, CancellationToken cancellationToken)
    {
        var (error, old) = await mount.Fs.GetAttributesAsync(from, cancellationToken);
        mount.Require(error, $"read the attributes of {shown}");
        (error, var names) = await mount.Fs.ListXattrsAsync(from, cancellationToken);
        mount.Require(error, $"list the extended attributes of {shown}");
        foreach (var xattr in names)
        {
            (error, byte[] value) = await mount.Fs.GetXattrAsync(from, xattr.Name, cancellationToken);
            if (error == FsError.None)
                error = await mount.Fs.SetXattrAsync(to, xattr.Name, value, XattrMode.Any, cancellationToken);
            mount.Require(error, $"keep extended attribute {NameText.Printable(xattr.Name)} of {shown}");
        }

        (error, _) = await mount.Fs.SetAttributesAsync(
            to,
            new AttributeChanges
            {
                Permissions = permissions,
                Uid = old.Uid.Value,
                Gid = old.Gid.Value,
                Crtime = old.Crtime,
                Project = old.Proj.Value == 0 ? null : old.Proj.Value,
            },
            cancellationToken);
        mount.Require(error, $"keep owner and mode of {shown}");
    }
}
