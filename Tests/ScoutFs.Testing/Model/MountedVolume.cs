using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Our engine, mounted on simulated disks by a node that plays all parts.</summary>
public sealed class MountedVolume : IFsUnderTest
{
    private readonly CrashWorld _world;
    private readonly VolumeSubject _subject;
    private readonly FileSystemDriver _driver;
    private LocalNode _node;

    private MountedVolume(CrashWorld world, VolumeSubject subject, LocalNode node)
    {
        _world = world;
        _subject = subject;
        _node = node;
        _driver = new FileSystemDriver(node.Fs);
    }

    /// <summary>The node.</summary>
    public LocalNode Node => _node;

    /// <inheritdoc/>
    public string IsolationReason => _node.IsolationReason;

    /// <summary>Mounts a volume, also one that was not unmounted: whoever had it is known to be dead.</summary>
    /// <exception cref="VolumeException">It cannot be mounted.</exception>
    public static async Task<MountedVolume> MountAsync(CrashWorld world, VolumeSubject subject) =>
        new(world, subject, await StartAsync(world, subject));

    /// <inheritdoc/>
    public async Task UnmountAsync()
    {
        await _driver.CloseAllAsync();
        _subject.Count(_node.Leader.Super);
        var error = await _node.UnmountAsync();
        if (error != FsError.None)
            throw new VolumeException(error, $"Unmounting failed: {error}. {_node.IsolationReason}");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _node.DisposeAsync();

    /// <inheritdoc/>
    public Task<FsAnswer> ApplyAsync(FsOp op)
    {
        if (_subject.MergePerMille > 0 && _world.Prng.NextInt32(1000) < _subject.MergePerMille)
            _node.Leader.MergeStart.ForceFinalize = true;
        return op is RemountOp ? RemountAsync() : _driver.ApplyAsync(op);
    }

    private static async Task<LocalNode> StartAsync(CrashWorld world, VolumeSubject subject)
    {
        var (error, node, message) = await LocalNode.StartAsync(
            world.Meta.Open("node"),
            world.DataDisk.Open("node"),
            subject.Node,
            world.Time,
            new Prng(world.Prng.NextUInt64()),
            CancellationToken.None);
        return node ?? throw new VolumeException(error, message);
    }

    private async Task<FsAnswer> RemountAsync()
    {
        await UnmountAsync();
        await _node.DisposeAsync();
        _node = await StartAsync(_world, _subject);
        _driver.Fs = _node.Fs;
        return new FsAnswer { Error = FsError.None };
    }
}
