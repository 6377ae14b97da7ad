using System;
using System.CommandLine;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Cli;

/// <summary><c>volume cat</c>: writes the contents of a file to standard output.</summary>
internal static class VolumeCatCommand
{
    private const int PieceBytes = 1 << 20;

    private static readonly byte[] Zeros = new byte[65536];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new CliCommand("cat", "Writes the contents of a file to standard output.")
        {
            Examples =
            {
                new("volume cat meta.img data.img /some/file > copy", "Copy one file out"),
                new("volume cat --ino 1042 meta.img data.img | sha256sum", "By inode number"),
            },
            Notes =
            {
                "Holes are written as zeros. A file with contents that are offline (archived elsewhere) is refused "
                + "before anything is written.",
            },
        };
        var operands = new VolumeOperands(command, "The file.");
        command.OnRun(async (parse, console, cancellationToken) =>
        {
            await using var session = await operands.OpenAsync(parse, console, cancellationToken);
            var file = await operands.FindAsync(parse, session, followsLast: true, cancellationToken);
            RequireReadable(file);
            await console.Output.FlushAsync(cancellationToken);
            await WriteAsync(session, file, console.OutputBytes, cancellationToken);
            return 0;
        });
        return command;
    }

    private static void RequireReadable(in ResolvedPath file)
    {
        string path = NameText.Printable(file.Path);
        uint type = file.Inode.Mode & FileMode.TypeMask;
        if (type == FileMode.Directory)
            throw new VolumeException(FsError.IsDirectory, $"{path} is a directory; \"volume ls\" lists it.");
        if (type != FileMode.Regular)
            throw new VolumeException(FsError.Invalid, $"{path} is no regular file and has no contents.");
        if (file.Inode.OfflineBlocks.Value != 0)
        {
            throw new VolumeException(
                FsError.Offline,
                $"{path} is offline: {file.Inode.OfflineBlocks} of its blocks are archived elsewhere and must be "
                + "staged on a mounted volume first.");
        }
    }

    private static async Task WriteAsync(
        VolumeSession session, ResolvedPath file, Stream output, CancellationToken cancellationToken)
    {
        var contents = new FileContents(session.Reader, file.Ino, file.Inode);
        var pieces = new FilePieceReader(PieceBytes, 4);
        await pieces.StartAsync(contents, 0, contents.SizeBytes);
        try
        {
            ulong at = 0;
            while (await pieces.MoveNextAsync(cancellationToken))
            {
                await WriteZerosAsync(output, pieces.Piece.OffsetBytes - at, cancellationToken);
                if (pieces.Piece.IsOffline)
                {
                    throw new VolumeException(
                        FsError.Offline, $"{NameText.Printable(file.Path)} is offline from byte {at} on.");
                }

                await output.WriteAsync(pieces.Bytes, cancellationToken);
                at = pieces.Piece.EndBytes;
            }

            await WriteZerosAsync(output, contents.SizeBytes - at, cancellationToken);
            await output.FlushAsync(cancellationToken);
        }
        finally
        {
            await pieces.DrainAsync();
        }
    }

    private static async Task WriteZerosAsync(Stream output, ulong count, CancellationToken cancellationToken)
    {
        while (count > 0)
        {
            int part = (int)Math.Min(count, (ulong)Zeros.Length);
            await output.WriteAsync(Zeros.AsMemory(0, part), cancellationToken);
            count -= (ulong)part;
        }
    }
}
