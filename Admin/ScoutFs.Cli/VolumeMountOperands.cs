using System.CommandLine;

namespace ScoutFs.Cli;

/// <summary>META DATA and --take-over, as every command has them that changes a volume by mounting it.</summary>
internal sealed class VolumeMountOperands
{
    /// <summary>Said by every command of these in its help.</summary>
    public const string MountNote =
        "The volume is mounted in this process while the command runs, and unmounted cleanly at its end, also when it "
        + "fails or is interrupted. A volume that is mounted, or was not unmounted cleanly, is refused with who holds "
        + "it. After a crash, --take-over says that this holder is dead: what it had committed is recovered.";

    private readonly Argument<string> _meta = CliArguments.Meta();
    private readonly Argument<string> _data = CliArguments.Data();
    private readonly Option<bool> _takeOver = new("--take-over")
    {
        Description = "Says that whoever holds the volume is dead and stays so; recovers the volume first.",
    };

    /// <summary>Adds the operands to a command.</summary>
    public VolumeMountOperands(Command command)
    {
        command.Add(_meta);
        command.Add(_data);
        command.Add(_takeOver);
    }

    /// <summary>What was typed.</summary>
    public Values Read(ParseResult parse) => new(
        parse.GetRequiredValue(_meta), parse.GetRequiredValue(_data), parse.GetValue(_takeOver));

    /// <summary>A volume, and whether its holder is known to be dead.</summary>
    internal readonly record struct Values(string Meta, string Data, bool IsTakeOver);
}
