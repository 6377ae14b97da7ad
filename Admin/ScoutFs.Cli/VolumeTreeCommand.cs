using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>volume tree</c>: draws a subtree.</summary>
internal static class VolumeTreeCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("tree", "Draws what is below a directory, sorted by name.")
        {
            Examples =
            {
                new("volume tree --depth 2 meta.img data.img", "The two topmost levels"),
                new("volume tree --directories meta.img data.img /some/dir", "Directories only"),
            },
        };
        var operands = new VolumeOperands(command, "Top of the tree.");
        var depth = new Option<int?>("--depth", "-L") { HelpName = "N", Description = "Levels below PATH to show." };
        depth.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() < 0)
                result.AddError("--depth takes a number of levels, 0 or more");
        });
        var onlyDirectories = new Option<bool>("--directories", "-d") { Description = "Show directories only." };
        var isJson = CliJson.Option("Print one JSON object a path.");
        foreach (Option option in (Option[])[depth, onlyDirectories, isJson])
            command.Add(option);
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            await using var session = await operands.OpenAsync(parse, console, cancellationToken);
            var start = await operands.FindAsync(parse, session, followsLast: true, cancellationToken);
            var walk = new VolumeWalk(
                session.Reader,
                WalkOrder.Name,
                parse.GetValue(depth) ?? int.MaxValue,
                onlyDirectories: parse.GetValue(onlyDirectories));
            walk.Start(start);
            var counts = new TreeCounts();
            var hasMore = new List<bool>();
            var line = new JsonLine();
            while (await walk.MoveNextAsync(cancellationToken))
            {
                if (walk.Visit == WalkVisit.Problem)
                {
                    await console.Output.FlushAsync(cancellationToken);
                    session.ReportProblem(walk.Failure!);
                }

                if (walk.Visit != WalkVisit.Entry)
                    continue;
                bool isDirectory = (walk.Inode.Mode & FileMode.TypeMask) == FileMode.Directory;
                counts.Add(walk, isDirectory);
                if (parse.GetValue(isJson))
                {
                    line.BeginObject();
                    line.Member("depth", walk.Depth);
                    VolumeEntryText.WriteMembers(line, walk.Path.Span, walk.Ino, walk.Inode);
                    line.EndObject();
                    VolumeEntryText.Print(console, line);
                }
                else
                {
                    Draw(console, walk, hasMore, isDirectory);
                }
            }

            if (!parse.GetValue(isJson))
                console.Print(counts.ToString());
            return session.ExitCode;
        });
        return command;
    }

    private static void Draw(CliConsole console, VolumeWalk walk, List<bool> hasMore, bool isDirectory)
    {
        if (walk.Depth > 0)
        {
            hasMore.RemoveRange(walk.Depth - 1, hasMore.Count - (walk.Depth - 1));
            foreach (bool more in hasMore)
                console.Output.Write(more ? "│   " : "    ");
            bool isLast = walk.IsLastInDirectory;
            console.Output.Write(isLast ? "└── " : "├── ");
            hasMore.Add(!isLast);
        }

        VolumeEntryText.WritePath(console, walk.Depth == 0 ? walk.Path.Span : walk.Name);
        console.Print(isDirectory && walk.Name.Length > 0 ? "/" : string.Empty);
    }

    /// <summary>The last line.</summary>
    private sealed class TreeCounts
    {
        private long _directories;
        private long _others;
        private ulong _bytes;

        /// <summary>Counts a path; the top does not count.</summary>
        public void Add(VolumeWalk walk, bool isDirectory)
        {
            if (walk.Depth == 0)
                return;
            if (isDirectory)
                _directories++;
            else
                _others++;
            if ((walk.Inode.Mode & FileMode.TypeMask) == FileMode.Regular)
                _bytes = unchecked(_bytes + walk.Inode.Size.Value);
        }

        /// <inheritdoc/>
        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"\n{_directories} directories, {_others} other paths, {_bytes} bytes in files");
    }
}
