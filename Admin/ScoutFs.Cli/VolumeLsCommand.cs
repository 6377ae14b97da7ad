using System.CommandLine;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>volume ls</c>: lists a directory.</summary>
internal static class VolumeLsCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("ls", "Lists the entries of a directory, hidden files included.")
        {
            Examples =
            {
                new("volume ls meta.img data.img", "List the root directory"),
                new("volume ls -l meta.img data.img /some/dir", "With attributes, one entry a line"),
                new("volume ls --json meta.img data.img /some/dir", "One JSON object an entry"),
            },
            Notes =
            {
                "With -l a line has mode, links, owner, group, size in bytes, mtime in UTC and name. After the mode, o "
                + "marks files whose contents are offline (archived elsewhere) and p those that are so in part.",
                "On a terminal, bytes that cannot be shown appear as \\xNN; into a pipe names are written as they are.",
            },
        };
        var operands = new VolumeOperands(command, "What to list. A file is listed itself.");
        var isLong = new Option<bool>("--long", "-l") { Description = "Show attributes." };
        var withIno = new Option<bool>("--inode", "-i") { Description = "Show inode numbers first." };
        var isItself = new Option<bool>("--directory", "-d") { Description = "List the directory itself." };
        var isUnsorted = new Option<bool>("--unsorted", "-U")
        {
            Description = "In the order of the directory instead of sorted by name; faster.",
        };
        var isJson = CliJson.Option("Print one JSON object an entry.");
        foreach (Option option in (Option[])[isLong, withIno, isItself, isUnsorted, isJson])
            command.Add(option);
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            await using var session = await operands.OpenAsync(parse, console, cancellationToken);
            bool isDirectoryOnly = parse.GetValue(isItself);
            bool followsLast = !isDirectoryOnly && !parse.GetValue(isLong);
            var start = await operands.FindAsync(parse, session, followsLast, cancellationToken);
            var walk = new VolumeWalk(
                session.Reader,
                parse.GetValue(isUnsorted) ? WalkOrder.Position : WalkOrder.Name,
                isDirectoryOnly ? 0 : 1);
            walk.Start(start);
            var line = new JsonLine();
            bool isDirectory = (start.Inode.Mode & FileMode.TypeMask) == FileMode.Directory;
            while (await walk.MoveNextAsync(cancellationToken))
            {
                if (walk.Visit == WalkVisit.Problem)
                {
                    await console.Output.FlushAsync(cancellationToken);
                    session.ReportProblem(walk.Failure!);
                    continue;
                }

                bool isStart = walk.Depth == 0 && isDirectory && !isDirectoryOnly;
                if (walk.Visit != WalkVisit.Entry || isStart)
                    continue;
                byte[]? target = parse.GetValue(isLong) || parse.GetValue(isJson)
                    ? await ReadTargetAsync(session, walk, cancellationToken)
                    : null;
                if (parse.GetValue(isJson))
                    PrintJson(console, line, walk, target);
                else
                    Print(console, walk, parse.GetValue(isLong), parse.GetValue(withIno), target);
            }

            return session.ExitCode;
        });
        return command;
    }

    private static async Task<byte[]?> ReadTargetAsync(
        VolumeSession session, VolumeWalk walk, CancellationToken cancellationToken)
    {
        try
        {
            return await VolumeEntryText.ReadTargetAsync(session.Reader, walk.Ino, walk.Inode, cancellationToken);
        }
        catch (VolumeException failure)
        {
            session.ReportProblem(failure);
            return null;
        }
    }

    private static void PrintJson(CliConsole console, JsonLine line, VolumeWalk walk, byte[]? target)
    {
        line.BeginObject();
        line.Member("name", walk.Name);
        VolumeEntryText.WriteMembers(line, walk.Path.Span, walk.Ino, walk.Inode);
        if (target is not null)
            line.Member("target", target);
        line.EndObject();
        VolumeEntryText.Print(console, line);
    }

    private static void Print(CliConsole console, VolumeWalk walk, bool isLong, bool withIno, byte[]? target)
    {
        if (withIno)
            console.Output.Write(string.Create(CultureInfo.InvariantCulture, $"{walk.Ino,12} "));
        if (isLong)
        {
            var inode = walk.Inode;
            console.Output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{VolumeEntryText.Mode(inode)} {inode.Nlink.Value,3} {inode.Uid.Value,5} {inode.Gid.Value,5} "));
            bool isDevice = (inode.Mode & FileMode.TypeMask) is FileMode.CharDevice or FileMode.BlockDevice;
            string size = isDevice
                ? string.Create(CultureInfo.InvariantCulture, $"{inode.Rdev >> 20}, {inode.Rdev & 0xfffff}")
                : inode.Size.ToString();
            console.Output.Write($"{size,12} {VolumeEntryText.Time(inode.Mtime)} ");
        }

        VolumeEntryText.WritePath(console, walk.Depth == 0 ? walk.Path.Span : walk.Name);
        if (target is not null)
        {
            console.Output.Write(" -> ");
            VolumeEntryText.WritePath(console, target);
        }

        console.Print(string.Empty);
    }
}
