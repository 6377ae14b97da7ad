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

    private IBlockDevice _meta = null!;
    private IBlockDevice _data = null!;

    protected TestNode Node { get; private set; } = null!;

    protected FileSystem Fs => Node.Fs;

    [SetUp]
    public async Task MountAsync()
    {
        (_meta, _data) = await TestNode.FormatAsync();
        Node = await TestNode.StartAsync(_meta, _data);
    }

    [TearDown]
    public async Task UnmountAndCheckAsync()
    {
        await Node.UnmountAsync();
        await CheckAsync(_meta, _data);
        await _data.DisposeAsync();
        await _meta.DisposeAsync();
    }

    /// <summary>Nothing may be wrong with a volume, nothing leaked.</summary>
    public static async Task CheckAsync(IBlockDevice meta, IBlockDevice data)
    {
        var report = await VolumeChecker.CheckAsync(meta, data, new CheckOptions(), null, None);
        Assert.That(report.Findings.Select(static finding => finding.ToString()), Is.Empty);
    }

    protected static byte[] Name(string text) => Encoding.UTF8.GetBytes(text);
}
