using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;

namespace ScoutFs.Testing.Model;

/// <summary>Makes a failing list of operations short, and keeps such lists as text.</summary>
public static class WorkloadShrinker
{
    /// <summary>Takes out as many operations as it can without the failure going away.</summary>
    /// <param name="operations">A list that fails.</param>
    /// <param name="fails">Runs a list from scratch and says whether it fails.</param>
    /// <param name="maxRuns">Lists to try at most.</param>
    public static async Task<IReadOnlyList<FsOp>> ShrinkAsync(
        IReadOnlyList<FsOp> operations, Func<IReadOnlyList<FsOp>, Task<bool>> fails, int maxRuns = 2000)
    {
        int part = Math.Max(operations.Count / 2, 1);
        while (maxRuns > 0)
        {
            bool isShorter = false;
            for (int start = 0; start < operations.Count && maxRuns-- > 0;)
            {
                List<FsOp> rest = [.. operations.Take(start), .. operations.Skip(start + part)];
                if (await fails(rest))
                {
                    operations = rest;
                    isShorter = true;
                }
                else
                {
                    start += part;
                }
            }

            if (part == 1 && !isShorter)
                break;
            part = Math.Max(part / 2, 1);
        }

        return operations;
    }

    /// <summary>One line an operation.</summary>
    public static string ToText(IEnumerable<FsOp> operations) =>
        string.Join('\n', operations.Select(static op => JsonSerializer.Serialize(op)));

    /// <summary>The operations of such a text.</summary>
    public static IReadOnlyList<FsOp> FromText(string text) =>
    [
        .. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => JsonSerializer.Deserialize<FsOp>(line)!),
    ];
}
