using System;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>volume find</c>: searches a subtree.</summary>
internal static class VolumeFindCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("find", "Finds paths by name, size, age, extended attribute or offline state.")
        {
            Examples =
            {
                new("volume find --name '*.log' meta.img data.img /var", "By name"),
                new("volume find --type f --size +1G --offline meta.img data.img", "Large archived files"),
                new("volume find --mtime -7d meta.img data.img", "Changed in the last week"),
                new("volume find --xattr 'scoutfs.*' -0 meta.img data.img | xargs -0 …", "Names with any bytes"),
            },
            Notes =
            {
                "Everything given must hold. SIZE is in bytes or has a suffix K, M, G, T, P: +SIZE is more, -SIZE "
                + "less, SIZE exactly that many bytes. AGE is a number with s, m, h or d (days, also without): +AGE is "
                + "older, -AGE younger. WHEN is a date and time like 2026-11-25 or 2026-11-25T12:30:00Z, in UTC.",
                "On a terminal, bytes that cannot be shown appear as \\xNN; into a pipe paths are written as they are.",
            },
        };
        var operands = new VolumeOperands(command, "Where to search.");
        var options = new VolumeFindOptions(command);
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            var criteria = options.Read(parse, console.Time);
            await using var session = await operands.OpenAsync(parse, console, cancellationToken);
            var output = new Output(console, parse.GetValue(options.IsJson), parse.GetValue(options.EndsWithNul));
            if (operands.HasIno(parse))
                await FindInodeAsync(session, parse, operands, criteria, output, cancellationToken);
            else
                await WalkAsync(session, parse, operands, options, criteria, output, cancellationToken);
            return session.ExitCode;
        });
        return command;
    }

    private static async Task WalkAsync(
        VolumeSession session,
        ParseResult parse,
        VolumeOperands operands,
        VolumeFindOptions options,
        FindCriteria criteria,
        Output output,
        CancellationToken cancellationToken)
    {
        var start = await operands.FindAsync(parse, session, followsLast: false, cancellationToken);
        var finder = new VolumeFinder(session.Reader, criteria, parse.GetValue(options.MaxDepth) ?? int.MaxValue);
        finder.Walk.Start(start);
        while (await finder.MoveNextAsync(cancellationToken))
        {
            if (finder.Failure is { } failure)
                session.ReportProblem(failure);
            else
                output.Print(finder.Walk.Path.Span, finder.Walk.Ino, finder.Walk.Inode);
        }
    }

    // The back references lead from the inode to its paths, without a search.
    private static async Task FindInodeAsync(
        VolumeSession session,
        ParseResult parse,
        VolumeOperands operands,
        FindCriteria criteria,
        Output output,
        CancellationToken cancellationToken)
    {
        var found = await operands.FindAsync(parse, session, followsLast: false, cancellationToken);
        var finder = new VolumeFinder(session.Reader, criteria);
        foreach (byte[] path in await session.Resolver.FindPathsAsync(found.Ino, int.MaxValue, cancellationToken))
        {
            var name = path.AsMemory(path.AsSpan().LastIndexOf((byte)'/') + 1);
            if (criteria.IsMatch(name.Span, found.Ino, found.Inode)
                && await finder.HasXattrAsync(found.Ino, cancellationToken))
            {
                output.Print(path, found.Ino, found.Inode);
            }
        }
    }

    /// <summary>Prints what was found.</summary>
    private sealed class Output(CliConsole console, bool isJson, bool endsWithNul)
    {
        private static readonly byte[] Nul = [0];
        private readonly JsonLine _line = new();

        public void Print(ReadOnlySpan<byte> path, ulong ino, in InodeItem inode)
        {
            if (isJson)
            {
                _line.BeginObject();
                VolumeEntryText.WriteMembers(_line, path, ino, inode);
                _line.EndObject();
                VolumeEntryText.Print(console, _line);
            }
            else if (endsWithNul)
            {
                console.OutputBytes.Write(path);
                console.OutputBytes.Write(Nul);
            }
            else
            {
                VolumeEntryText.WritePath(console, path);
                console.Print(string.Empty);
            }
        }
    }
}
