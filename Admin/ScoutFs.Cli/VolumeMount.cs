using System;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>A volume mounted in this process for one command, which changes it.</summary>
/// <remarks>
/// Failures are <see cref="VolumeException"/> with a sentence; a cancelled call throws
/// <see cref="OperationCanceledException"/>. Any thread.
/// </remarks>
internal sealed class VolumeMount : IPathNodes
{
    private readonly LocalNode _node;
    private readonly string _metaPath;

    private VolumeMount(LocalNode node, string metaPath)
    {
        _node = node;
        _metaPath = metaPath;
        Paths = new PathLookup(this);
    }

    /// <summary>The operations of the file system.</summary>
    public FileSystem Fs => _node.Fs;

    /// <summary>Its paths.</summary>
    public PathLookup Paths { get; }

    /// <summary>Mounts a volume, works, and unmounts it cleanly, also when the work fails or is interrupted.</summary>
    /// <param name="console">Where to say what is wrong.</param>
    /// <param name="operands">Which volume, and whether an old holder is known to be dead.</param>
    /// <param name="work">The work.</param>
    /// <param name="cancellationToken">Interrupts it.</param>
    public static async Task<T> RunAsync<T>(
        CliConsole console,
        VolumeMountOperands.Values operands,
        Func<VolumeMount, Task<T>> work,
        CancellationToken cancellationToken)
    {
        await using var meta = await CliDevices.OpenForWritingAsync(operands.Meta, cancellationToken);
        await using var data = await CliDevices.OpenForWritingAsync(operands.Data, cancellationToken);
        var prng = new Prng(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)));
        var options = new LocalNodeOptions { Fencing = operands.IsTakeOver ? TakeOverAsync : null };
        var (error, node, message) = await LocalNode.StartAsync(
            meta, data, options, console.Time, prng, cancellationToken);
        if (error == FsError.Cancelled)
            throw new OperationCanceledException(cancellationToken);
        if (node is null)
            throw new VolumeException(error, RefusalOf(error, message, operands));
        await using (node)
        {
            var mount = new VolumeMount(node, operands.Meta);
            try
            {
                T result = await work(mount);
                await mount.UnmountAsync();
                return result;
            }
            catch (Exception failure) when (failure is VolumeException or OperationCanceledException
                or System.IO.IOException or UnauthorizedAccessException)
            {
                // What the work says matters more; what was done before it failed is committed here.
                if (await node.UnmountAsync() != FsError.None)
                    console.Note($"{operands.Meta} could not be unmounted cleanly. {NextMount}");
                throw;
            }
        }

        ValueTask<bool> TakeOverAsync(VolumeHolder holder, CancellationToken token)
        {
            console.Note($"Taking over from {holder}, which is dead as --take-over says.");
            return new(true);
        }
    }

    /// <summary>Finds what a path as typed leads to.</summary>
    public ValueTask<ResolvedPath> FindAsync(string path, bool followsLast, CancellationToken cancellationToken) =>
        Paths.ResolveAsync(VolumePlace.Encode(path), followsLast, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<InodeItem> GetRootAsync(CancellationToken cancellationToken)
    {
        var (error, item) = await Fs.GetAttributesAsync(FormatConstants.RootIno, cancellationToken);
        return error == FsError.None ? item : throw Failure(error, "read the root directory");
    }

    /// <inheritdoc/>
    public async ValueTask<(ulong Ino, InodeItem Inode)?> FindAsync(
        ulong directory, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        var (error, ino, item) = await Fs.LookupAsync(directory, name, cancellationToken);
        if (error == FsError.NotFound)
            return null;
        return error == FsError.None
            ? (ino, item)
            : throw Failure(error, $"look up {NameText.Printable(name.Span)}");
    }

    /// <inheritdoc/>
    public async ValueTask<byte[]> ReadSymlinkAsync(
        ulong ino, InodeItem inode, CancellationToken cancellationToken)
    {
        var (error, target) = await Fs.ReadSymlinkAsync(ino, cancellationToken);
        return error == FsError.None ? target : throw Failure(error, $"read symbolic link inode {ino}");
    }

    /// <summary>Throws unless an operation succeeded.</summary>
    /// <param name="error">Its outcome.</param>
    /// <param name="verb">What it was to do: "create /a/b".</param>
    public void Require(FsError error, string verb)
    {
        if (error != FsError.None)
            throw Failure(error, verb);
    }

    /// <summary>The exception of an operation that failed.</summary>
    public Exception Failure(FsError error, string verb) => error switch
    {
        FsError.Cancelled => new OperationCanceledException(),
        FsError.Isolated => new VolumeException(
            error,
            $"Cannot {verb}: the volume on {_metaPath} was cut off ({_node.IsolationReason}). "
            + NextMount),
        FsError.NoSpace => new VolumeException(
            error,
            $"Cannot {verb}: no space is left on the volume of {_metaPath}. Remove files, or use larger devices."),
        FsError.Corrupt or FsError.Stale => new VolumeException(
            error, $"Cannot {verb}: {FsErrorTable.TextOf(error)}. \"scoutfs check\" tells what is wrong with it."),
        FsError.NotPermitted => new VolumeException(
            error, $"Cannot {verb}: the file is under retention and cannot be changed."),
        FsError.Offline => new VolumeException(
            error, $"Cannot {verb}: its contents are archived elsewhere. Stage it on a mounted volume first."),
        _ => new VolumeException(error, $"Cannot {verb}: {FsErrorTable.TextOf(error)}."),
    };

    private const string NextMount =
        "What was committed last is safe; run the command again with --take-over to recover the volume.";

    private static string RefusalOf(FsError error, string message, VolumeMountOperands.Values operands)
    {
        if (error != FsError.VolumeInUse)
            return message;
        return $"{message} Nothing was changed on {operands.Meta}. When you know that the holder is dead and stays so "
            + "(a crashed machine, say), --take-over recovers the volume and goes on. A holder that is alive would "
            + "be destroying the volume together with this command.";
    }

    private async ValueTask UnmountAsync()
    {
        var error = await _node.UnmountAsync();
        if (error != FsError.None)
            throw Failure(error, $"commit the last changes to {_metaPath} and unmount it");
    }
}
