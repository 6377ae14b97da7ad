using System.Collections.Generic;
using System.CommandLine;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>Quorum slots on command lines (<c>-Q NR,ADDR,PORT</c>), and what commands print of a new volume.</summary>
internal static class CliQuorum
{
    /// <summary>The option that takes slots; may be repeated.</summary>
    public static Option<QuorumSlot[]> Option() => new("--quorum-slot", "-Q")
    {
        HelpName = "NR,ADDR,PORT",
        Description = "Quorum slot: number 0 to 14, IPv4 address and port of the mount that uses it. Repeat for each.",
        Required = true,
        AllowMultipleArgumentsPerToken = false,
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result =>
        {
            var slots = new List<QuorumSlot>();
            foreach (var token in result.Tokens)
            {
                if (TryParse(token.Value, out var slot) is { } fault)
                    result.AddError(fault);
                slots.Add(slot);
            }

            return [.. slots];
        },
    };

    /// <summary>Reads one slot.</summary>
    /// <returns>Null, or what is wrong with it.</returns>
    public static string? TryParse(string text, out QuorumSlot slot)
    {
        slot = default;
        string[] parts = text.Split(',');
        if (parts.Length != 3)
            return $"'{text}' is no quorum slot: it takes NR,ADDR,PORT, for example 0,10.0.0.1,5000";
        if (CliNumbers.TryParse(parts[0], out ulong nr) is not null || nr > 14)
            return $"'{parts[0]}' is no quorum slot number: it is 0 to 14";
        if (!QuorumSlot.TryParseAddress(parts[1], out uint address))
            return $"'{parts[1]}' is no IPv4 address";
        if (CliNumbers.TryParse(parts[2], out ulong port) is not null || port is 0 or > ushort.MaxValue)
            return $"'{parts[2]}' is no port: it is 1 to 65535";
        slot = new QuorumSlot((int)nr, address, (ushort)port);
        return null;
    }

    /// <summary>The lines about slots at the end of a volume's description.</summary>
    public static void PrintSlots(CliConsole console, IReadOnlyList<QuorumSlot> slots)
    {
        for (int i = 0; i < slots.Count; i++)
            PrintField(console, i == 0 ? "quorum slots:" : string.Empty, slots[i].ToString());
    }

    /// <summary>One line of a volume's description (archive §12.3).</summary>
    public static void PrintField(CliConsole console, string label, string value) =>
        console.Print($"  {label,-24}{value}");
}
