using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Nodes;

/// <summary>A node that plays all parts, for tests of the engine: whatever fails throws.</summary>
public sealed class TestNode : IAsyncDisposable
{
    private readonly LocalNode _node;

    private TestNode(LocalNode node) => _node = node;

    /// <summary>The mount.</summary>
    public Mount Mount => _node.Mount;

    /// <summary>Its data side.</summary>
    public DataPort Data => _node.Mount.Data;

    /// <summary>Its operations.</summary>
    public FileSystem Fs => _node.Fs;

    /// <summary>Why the node was cut off from the volume; empty while it works.</summary>
    public string IsolationReason => _node.IsolationReason;

    /// <summary>Makes an empty volume in memory.</summary>
    /// <param name="metaBlocks">64 KiB blocks; less than 6 GiB count as low.</param>
    /// <param name="dataBlocks">4 KiB blocks.</param>
    public static async Task<(IBlockDevice Meta, IBlockDevice Data)> FormatAsync(
        ulong metaBlocks = 200_000, ulong dataBlocks = 3_000_000)
    {
        var meta = new MemoryBlockDevice("meta", (long)metaBlocks * FormatConstants.LargeBlockBytes);
        var data = new MemoryBlockDevice("data", (long)dataBlocks * FormatConstants.SmallBlockBytes);
        await FormatAsync(meta, data);
        return (meta, data);
    }

    /// <summary>Makes an empty volume.</summary>
    public static async Task FormatAsync(IBlockDevice meta, IBlockDevice data, ulong seed = 1)
    {
        var request = new FormatRequest
        {
            Slots = [new QuorumSlot(0, 0x7f000001, 4000)],
            AllowSmall = true,
        };
        var plan = FormatPlan.Create(
            request, (ulong)meta.SizeBytes, (ulong)data.SizeBytes, new Prng(seed), DateTimeOffset.UnixEpoch);
        await Formatter.FormatAsync(meta, data, plan, CancellationToken.None);
    }

    /// <summary>Starts a node; whoever had the volume before is known to be dead.</summary>
    public static async Task<TestNode> StartAsync(
        IBlockDevice meta,
        IBlockDevice data,
        ulong seed = 1,
        MountOptions? options = null,
        TimeProvider? time = null)
    {
        var node = new LocalNodeOptions
        {
            Mount = options ?? new MountOptions(),
            Settle = TimeSpan.Zero,
            Fencing = static (_, _) => new ValueTask<bool>(true),
        };
        var (error, started, message) = await LocalNode.StartAsync(
            meta, data, node, time ?? TimeProvider.System, new Prng(seed), CancellationToken.None);
        return new TestNode(started ?? throw new VolumeException(error, message));
    }

    /// <summary>Unmounts cleanly and stops.</summary>
    public async Task UnmountAsync()
    {
        var error = await _node.UnmountAsync();
        if (error != FsError.None)
            throw new VolumeException(error, $"Unmounting failed: {error}. {_node.IsolationReason}");
        await DisposeAsync();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _node.DisposeAsync();
}
