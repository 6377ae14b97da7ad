using System;
using System.CommandLine;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary><c>volume setxattr</c>: sets and removes extended attributes.</summary>
internal static class VolumeSetxattrCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("setxattr", "Sets an extended attribute of a path; with -x removes it.")
        {
            Examples =
            {
                new("volume setxattr meta.img data.img /letter user.colour blue", "Text"),
                new("volume setxattr meta.img data.img /letter user.key 0x00ff", "Bytes"),
                new("volume setxattr meta.img data.img /letter scoutfs.hide.srch.backup 1", "Searchable"),
                new("volume setxattr -x meta.img data.img /letter user.colour", "Remove it"),
            },
            Notes =
            {
                "VALUE is text in UTF-8; with 0x before it hexadecimal, with 0s before it base64, as setfattr has it. "
                + "Names begin with user., trusted., security. or scoutfs.; the tags of scoutfs. (hide, srch, totl, "
                + "indx) do what they do on a mounted volume. A symbolic link at the end of PATH is not followed.",
                VolumeMountOperands.MountNote,
            },
        };
        var operands = new VolumeMountOperands(command);
        var path = new Argument<string>("PATH") { Description = "The file, directory or link." };
        var name = new Argument<string>("NAME") { Description = "Name of the attribute, with its prefix." };
        var value = new Argument<string?>("VALUE")
        {
            Description = "Its value, empty by default; not with -x.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var isRemoval = new Option<bool>("--remove", "-x") { Description = "Remove the attribute." };
        command.Add(path);
        command.Add(name);
        command.Add(value);
        command.Add(isRemoval);
        command.Validators.Add(result =>
        {
            string? given = result.GetValue(value);
            if (result.GetValue(isRemoval) && given is not null)
                result.AddError("-x takes no VALUE");
            else if (given is not null && TryDecode(given) is null)
                result.AddError($"'{given}' is no value: hexadecimal digits in pairs follow 0x, base64 follows 0s");
        });
        command.OnRun((parse, console, cancellationToken) =>
        {
            byte[]? bytes = parse.GetValue(isRemoval) ? null : TryDecode(parse.GetValue(value) ?? string.Empty);
            return VolumeMount.RunAsync(
                console,
                operands.Read(parse),
                mount => SetAsync(
                    mount, parse.GetRequiredValue(path), parse.GetRequiredValue(name), bytes, cancellationToken),
                cancellationToken);
        });
        return command;
    }

    private static byte[]? TryDecode(string text)
    {
        try
        {
            if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
                return Convert.FromHexString(text.AsSpan(2));
            return text.StartsWith("0s", StringComparison.OrdinalIgnoreCase)
                ? Convert.FromBase64String(text[2..])
                : Encoding.UTF8.GetBytes(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static async Task<int> SetAsync(
        VolumeMount mount, string path, string name, byte[]? value, CancellationToken cancellationToken)
    {
        var found = await mount.FindAsync(path, followsLast: false, cancellationToken);
        string shown = NameText.Printable(found.Path);
        if (name.StartsWith("system.", StringComparison.Ordinal))
        {
            throw new VolumeException(
                FsError.Unsupported,
                $"{name} of {shown} is an access control list, which goes together with the mode. Set it with setfacl "
                + "on a mounted volume, or import a file that has it.");
        }

        byte[] bytes = VolumePlace.Encode(name);
        var error = await mount.Fs.SetXattrAsync(found.Ino, bytes, value, XattrMode.Any, cancellationToken);
        string verb = $"{(value is null ? "remove" : "set")} {name} of {shown}";
        ThrowIfNamed(error);
        mount.Require(error, verb);
        return 0;

        void ThrowIfNamed(FsError outcome)
        {
            string? reason = outcome switch
            {
                FsError.NoXattr => "it has no such attribute",
                FsError.Unsupported => "attributes begin with user., trusted., security. or scoutfs.; the tag indx "
                    + "needs format version 2",
                FsError.Invalid => "the tags of the name, or the value, are not what the tags allow",
                FsError.BufferTooSmall => "a name has 255 bytes at most",
                FsError.FileTooLarge => "a value has 65535 bytes at most",
                _ => null,
            };
            if (reason is not null)
                throw new VolumeException(outcome, $"Cannot {verb}: {reason}.");
        }
    }
}
