using System;
using System.CommandLine;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>META DATA [PATH] and --ino, as every command of the group takes them.</summary>
internal sealed class VolumeOperands
{
    private readonly Argument<string> _meta = CliArguments.Meta();
    private readonly Argument<string> _data = CliArguments.Data();
    private readonly Argument<string>? _path;
    private readonly Option<ulong?> _ino;

    /// <summary>Adds the operands to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="pathDescription">What PATH is; null when the command reads its operands after DATA itself.</param>
    public VolumeOperands(Command command, string? pathDescription)
    {
        command.Add(_meta);
        command.Add(_data);
        if (pathDescription is not null)
        {
            _path = new Argument<string>("PATH")
            {
                Description = pathDescription,
                DefaultValueFactory = _ => "/",
            };
            command.Add(_path);
        }

        _ino = CliNumbers.NumberOption("N", "--ino");
        _ino.Description = "The inode of this number instead of PATH.";
        command.Add(_ino);
    }

    /// <summary>Opens the volume and warns when it looks in use.</summary>
    public Task<VolumeSession> OpenAsync(
        ParseResult parse, CliConsole console, CancellationToken cancellationToken) => VolumeSession.OpenAsync(
            console, parse.GetRequiredValue(_meta), parse.GetRequiredValue(_data), cancellationToken);

    /// <summary>Finds what PATH or --ino names.</summary>
    /// <param name="parse">The command line.</param>
    /// <param name="session">The volume.</param>
    /// <param name="followsLast">Whether a symbolic link at the end of PATH is followed.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">It is not there.</exception>
    public Task<ResolvedPath> FindAsync(
        ParseResult parse, VolumeSession session, bool followsLast, CancellationToken cancellationToken) =>
        FindAsync(parse, session, parse.GetRequiredValue(_path!), followsLast, cancellationToken);

    /// <summary>Finds what a path or --ino names.</summary>
    public async Task<ResolvedPath> FindAsync(
        ParseResult parse,
        VolumeSession session,
        string path,
        bool followsLast,
        CancellationToken cancellationToken)
    {
        if (parse.GetValue(_ino) is { } ino)
        {
            var inode = await session.Reader.GetInodeAsync(ino, cancellationToken);
            var paths = await session.Resolver.FindPathsAsync(ino, 1, cancellationToken);
            return new ResolvedPath(ino, inode, paths.FirstOrDefault() ?? PathOfUnlinked(ino));
        }

        if (!NameText.TryEncode(path, out byte[] bytes))
        {
            throw new VolumeException(
                FsError.Invalid,
                "PATH is no text that a name can have. Name the inode with --ino instead.");
        }

        return await session.Resolver.ResolveAsync(bytes, followsLast, cancellationToken);
    }

    /// <summary>True when --ino was given.</summary>
    public bool HasIno(ParseResult parse) => parse.GetValue(_ino) is not null;

    private static byte[] PathOfUnlinked(ulong ino) =>
        System.Text.Encoding.ASCII.GetBytes(FormattableString.Invariant($"/(unlinked inode {ino})"));
}
