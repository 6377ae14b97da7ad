using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Our engine, mounted on simulated disks by a node that plays all parts.</summary>
public sealed class MountedVolume : IFsUnderTest
{
    private readonly CrashWorld _world;
    private readonly FileSystemDriver _driver;
    private LocalNode _node;

    private MountedVolume(CrashWorld world, LocalNode node)
    {
        _world = world;
        _node = node;
        _driver = new FileSystemDriver(node.Fs);
    }

    /// <summary>Small caches, so that they overflow; several thousand mounts a minute must be made.</summary>
    public static LocalNodeOptions SmallOptions { get; } = new()
    {
        Mount = new MountOptions
        {
            BlockCacheBytes = 16 << 20,
            ItemCacheBytes = 4 << 20,
            DataBufferBytes = 8 << 20,
            DataPreallocBlocks = 16,
        },
        Fencing = static (_, _) => new ValueTask<bool>(true),
    };

    /// <summary>The node.</summary>
    public LocalNode Node => _node;

    /// <inheritdoc/>
    public string IsolationReason => _node.IsolationReason;

    /// <summary>Mounts a volume, also one that was not unmounted: whoever had it is known to be dead.</summary>
    /// <exception cref="VolumeException">It cannot be mounted.</exception>
    public static async Task<MountedVolume> MountAsync(CrashWorld world) =>
        new(world, await StartAsync(world));

    /// <inheritdoc/>
    public async Task UnmountAsync()
    {
        await _driver.CloseAllAsync();
        var error = await _node.UnmountAsync();
        if (error != FsError.None)
            throw new VolumeException(error, $"Unmounting failed: {error}. {_node.IsolationReason}");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _node.DisposeAsync();

    /// <inheritdoc/>
    public Task<FsAnswer> ApplyAsync(FsOp op) => op is RemountOp ? RemountAsync() : _driver.ApplyAsync(op);

    private static async Task<LocalNode> StartAsync(CrashWorld world)
    {
        var (error, node, message) = await LocalNode.StartAsync(
            world.Meta.Open("node"),
            world.DataDisk.Open("node"),
            SmallOptions,
            world.Time,
            new Prng(world.Prng.NextUInt64()),
            CancellationToken.None);
        return node ?? throw new VolumeException(error, message);
    }

    private async Task<FsAnswer> RemountAsync()
    {
        await UnmountAsync();
        await _node.DisposeAsync();
        _node = await StartAsync(_world);
        _driver.Fs = _node.Fs;
        return new FsAnswer { Error = FsError.None };
    }
}
