using System.CommandLine;
using System.CommandLine.Parsing;
using System.Linq;

namespace ScoutFs.Cli;

/// <summary>Operands that several commands have, named and explained the same everywhere.</summary>
internal static class CliArguments
{
    /// <summary>The metadata device.</summary>
    public static Argument<string> Meta() => new("META")
    {
        Description = "Metadata device: a block device or an image file (on Windows also \\\\.\\PhysicalDriveN).",
    };

    /// <summary>The data device.</summary>
    public static Argument<string> Data() => new("DATA")
    {
        Description = "Data device of the same volume: a block device or an image file.",
    };

    /// <summary>
    /// Refuses empty operands, which is what a shell makes of a variable that is not set: no path is empty, and to take
    /// it for the working directory or the root would be a guess.
    /// </summary>
    public static void RefuseEmpty(CommandResult result)
    {
        foreach (var operand in result.Children.OfType<ArgumentResult>())
        {
            // Which operand it is among several in one, only the command knows.
            bool isOne = operand.Argument.Arity.MaximumNumberOfValues == 1;
            if (isOne && operand.Tokens.Any(token => token.Value.Length == 0))
                result.AddError(EmptyMessage(operand.Argument.Name));
        }
    }

    /// <summary>What to say of an empty operand.</summary>
    public static string EmptyMessage(string name) => $"{name} is empty; a word is missing there";

    /// <summary>The flag by which the user says that nobody has the volume mounted.</summary>
    public static Option<bool> Offline() => new("--offline", "-F")
    {
        Description = "Says that the volume is not mounted anywhere; required.",
        Required = true,
    };

    /// <summary>Refuses command lines without that flag: the library takes an absent one for false.</summary>
    public static void RequireOffline(Command command, Option<bool> offline) =>
        command.Validators.Add(result =>
        {
            if (!result.GetValue(offline))
                result.AddError("--offline (-F) is required; it says that the volume is not mounted anywhere");
        });
}
