using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Tests that each have an empty mounted volume, which must be clean once it is unmounted.</summary>
internal abstract class MountedFixture
{
    protected static readonly CancellationToken None = CancellationToken.None;

    private ulong _mounts;

    protected TestNode Node { get; private set; } = null!;

    protected FileSystem Fs => Node.Fs;

    protected IBlockDevice Meta { get; private set; } = null!;

    protected IBlockDevice Data { get; private set; } = null!;

    [SetUp]
    public async Task MountAsync()
    {
        (Meta, Data) = await FormatAsync();
        await StartAsync();
    }

    [TearDown]
    public async Task UnmountAndCheckAsync()
    {
        await Node.UnmountAsync();
        await CheckAsync(Meta, Data);
        await Data.DisposeAsync();
        await Meta.DisposeAsync();
    }

    /// <summary>Nothing may be wrong with a volume, nothing leaked.</summary>
    public static async Task CheckAsync(IBlockDevice meta, IBlockDevice data)
    {
        var report = await VolumeChecker.CheckAsync(meta, data, new CheckOptions(), null, None);
        Assert.That(report.Findings.Select(static finding => finding.ToString()), Is.Empty);
    }

    /// <summary>Makes the volume of each test.</summary>
    protected virtual Task<(IBlockDevice Meta, IBlockDevice Data)> FormatAsync() => TestNode.FormatAsync();

    /// <summary>Unmounts cleanly and mounts again: nothing is cached after this.</summary>
    protected async Task RemountAsync(MountOptions? options = null)
    {
        await Node.UnmountAsync();
        await StartAsync(options);
    }

    /// <summary>Stops without unmounting, and mounts again once the dead mount is confirmed dead.</summary>
    protected async Task CrashAndMountAsync(MountOptions? options = null)
    {
        await Node.DisposeAsync();
        await StartAsync(options);
    }

    private async Task StartAsync(MountOptions? options = null) =>
        Node = await TestNode.StartAsync(Meta, Data, ++_mounts, options);

    protected static byte[] Name(string text) => Encoding.UTF8.GetBytes(text);
}
