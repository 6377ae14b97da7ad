using System;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>What commands have in common that change paths of a volume one after the other.</summary>
internal static class VolumeChanges
{
    /// <summary>PATH..., one or more.</summary>
    public static Argument<string[]> PathsArgument(string description)
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = description,
            Arity = ArgumentArity.OneOrMore,
        };
        paths.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
            {
                if (token.Value.Length == 0)
                    result.AddError(CliArguments.EmptyMessage("PATH"));
            }
        });
        return paths;
    }

    /// <summary>--mode with permissions in octal.</summary>
    public static Option<uint?> ModeOption(string description) => new("--mode", "-m")
    {
        HelpName = "MODE",
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            uint mode = 0;
            foreach (char digit in text)
            {
                if (digit is < '0' or > '7' || text.Length > 5)
                    mode = uint.MaxValue;
                else if (mode != uint.MaxValue)
                    mode = (mode * 8) + (uint)(digit - '0');
            }

            if (text.Length == 0 || mode > FileMode.PermissionMask)
                result.AddError($"'{text}' is no mode: it is octal, 0 to 7777, for example 0750");
            return mode;
        },
    };

    /// <summary>The user, as the owner of what is created now.</summary>
    public static Creator CreatorOf(VolumeMount mount) => OperatingSystem.IsWindows()
        ? new Creator(0, 0, mount.Fs.Now)
        : new Creator(ExportNative.EffectiveUser(), ExportNative.EffectiveGroup(), mount.Fs.Now);

    /// <summary>Mounts the volume and changes paths; one that fails is reported, and the others are changed.</summary>
    /// <returns>Exit code.</returns>
    public static Task<int> RunAsync(
        CliConsole console,
        VolumeMountOperands.Values operands,
        string[] paths,
        Func<VolumeMount, byte[], Task> change,
        CancellationToken cancellationToken) => VolumeMount.RunAsync(
        console,
        operands,
        async mount =>
        {
            VolumeException? only = null;
            foreach (string path in paths)
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    await change(mount, VolumePlace.Encode(path));
                }
                catch (VolumeException failure) when (failure.Error is not (FsError.Isolated or FsError.NoSpace))
                {
                    // The last is reported with its errno, as that of a command that does one thing.
                    if (only is not null)
                        console.Note(only.Message);
                    only = failure;
                }
            }

            return only is null ? 0 : throw only;
        },
        cancellationToken);
}
