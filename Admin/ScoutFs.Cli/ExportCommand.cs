using System;
using System.CommandLine;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary><c>volume export</c>: copies a subtree out of a volume, or describes it.</summary>
internal static class ExportCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand(
            "export", "Copies a subtree out of the volume; with --manifest prints what is in it instead.")
        {
            Examples =
            {
                new("volume export meta.img data.img ./copy", "Copy everything into the new directory copy"),
                new("volume export meta.img data.img /some/file ./file", "Copy one file"),
                new("volume export --manifest meta.img data.img > manifest.jsonl", "Attributes, hashes of all paths"),
            },
            Notes =
            {
                "DEST becomes the copy of PATH. It must not exist, or be an empty directory; nothing is overwritten. "
                + "Copied are contents with their holes, mode, times, owner (as root), extended attributes, symbolic "
                + "and hard links, fifos, sockets and device nodes; what the system or user cannot make is counted in "
                + "a note. On Windows there is no place for mode, owner and extended attributes, and characters that "
                + "Windows does not allow in names are replaced as the mounted volume shows them.",
                "Files whose contents are offline (archived elsewhere) are left out and the exit code is 1, unless "
                + "--offline-as-holes is given. Damaged paths are left out and named; the exit code is 1 then, too.",
                "A manifest has one JSON object a path, sorted bytewise by path, with attributes, times in "
                + "nanoseconds, SHA-256 of contents and extended attributes.",
            },
        };
        var operands = new VolumeOperands(command, pathDescription: null);
        var paths = new Argument<string[]>("[PATH] DEST")
        {
            Description = "Top of the subtree, the root by default, and the place for the copy (not with --manifest).",
            Arity = new ArgumentArity(0, 2),
        };
        var isManifest = new Option<bool>("--manifest") { Description = "Print a manifest instead of copying." };
        var offlineAsHoles = new Option<bool>("--offline-as-holes")
        {
            Description = "Copy offline files with holes where their contents would be.",
        };
        var isJson = CliJson.Option("Print what was done as one JSON object.");
        command.Add(paths);
        command.Add(isManifest);
        command.Add(offlineAsHoles);
        command.Add(isJson);
        command.Validators.Add(result =>
        {
            string[] given = result.GetValue(paths) ?? [];
            int count = given.Length;
            for (int i = 0; i < count; i++)
            {
                bool isDest = i == count - 1 && !result.GetValue(isManifest);
                if (given[i].Length == 0)
                    result.AddError(CliArguments.EmptyMessage(isDest ? "DEST" : "PATH"));
            }

            if (result.GetValue(isManifest) && count > 1)
                result.AddError("--manifest takes no DEST, only PATH");
            if (!result.GetValue(isManifest) && count == 0)
                result.AddError("DEST is missing: where to put the copy");
        });
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            string[] given = parse.GetValue(paths) ?? [];
            await using var session = await operands.OpenAsync(parse, console, cancellationToken);
            bool hasPath = given.Length == (parse.GetValue(isManifest) ? 1 : 2);
            var top = await operands.FindAsync(
                parse, session, hasPath ? given[0] : "/", followsLast: false, cancellationToken);
            if (parse.GetValue(isManifest))
                return await PrintManifestAsync(session, console, top, cancellationToken);
            using var target = ExportTarget.Open(given[^1]);
            var summary = await CopyAsync(
                session, console, target, top, parse.GetValue(offlineAsHoles), cancellationToken);
            summary.Print(console, target.Destination, parse.GetValue(isJson));
            return session.ExitCode;
        });
        return command;
    }

    private static Task<ExportSummary> CopyAsync(
        VolumeSession session,
        CliConsole console,
        ExportTarget target,
        ResolvedPath top,
        bool offlineAsHoles,
        CancellationToken cancellationToken) =>
        CliProgress.RunAsync(console, isShown: true, async progress =>
        {
            var copier = new ExportCopier(session, target, progress, ExpectedBytes(session, top), offlineAsHoles);
            try
            {
                await copier.CopyAsync(top, cancellationToken);
            }
            catch (Exception exception) when (exception is OperationCanceledException or ExportException)
            {
                if (copier.Summary.CountPaths > 0)
                {
                    console.Note(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{target.Destination} is incomplete: {copier.Summary.CountPaths} paths were copied."));
                }

                throw;
            }

            return copier.Summary;
        });

    private static async Task<int> PrintManifestAsync(
        VolumeSession session, CliConsole console, ResolvedPath top, CancellationToken cancellationToken)
    {
        await console.Output.FlushAsync(cancellationToken);
        long total = ExpectedBytes(session, top);
        var writer = new ManifestWriter(session.Reader, console.OutputBytes);
        await CliProgress.RunAsync(console, isShown: !console.IsOutputTerminal, async progress =>
        {
            var report = new ImmediateProgress(progress, total);
            await writer.WriteAsync(top, session.ReportProblem, report, cancellationToken);
            return 0;
        });
        return session.ExitCode;
    }

    // What is stored: for a file its own blocks, for the whole volume all that are not free, else not known.
    private static long ExpectedBytes(VolumeSession session, in ResolvedPath top)
    {
        const ulong BlockBytes = FormatConstants.SmallBlockBytes;
        if ((top.Inode.Mode & FileMode.TypeMask) == FileMode.Regular)
            return Saturate(top.Inode.OnlineBlocks);
        if (top.Ino != FormatConstants.RootIno)
            return 0;
        ulong free = session.Volume.Super.DataAlloc.TotalLen + FormatConstants.FirstDataBlkno;
        foreach (var log in session.Volume.Roots.Logs)
            free = unchecked(free + log.DataAvail.TotalLen + log.DataFreed.TotalLen);
        ulong total = session.Volume.Super.TotalDataBlocks;
        return free < total ? Saturate(total - free) : 0;

        static long Saturate(ulong blocks) => (long)Math.Min(blocks, long.MaxValue / BlockBytes) * (long)BlockBytes;
    }

    /// <summary>Reports where it is called; the progress of .NET would do so later, on another thread.</summary>
    private sealed class ImmediateProgress(CliProgress progress, long totalBytes) : IProgress<WalkProgress>
    {
        public void Report(WalkProgress value) => progress.Report("Reading", value.Bytes, totalBytes);
    }
}
