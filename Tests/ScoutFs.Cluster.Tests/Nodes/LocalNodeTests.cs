using System;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Cluster.Tests.Quorum;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>One node that plays all parts, over frames and with records on disk.</summary>
internal sealed class LocalNodeTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly LocalNodeOptions Quick = new() { Settle = TimeSpan.Zero };

    [Test]
    public async Task Node_AfterCleanUnmount_LeavesNothingBehind()
    {
        var (meta, data) = await TestNode.FormatAsync();
        var node = await StartAsync(meta, data, Quick, 1);
        await CreateAsync(node, "kept");
        Assert.That(await node.UnmountAsync(), Is.EqualTo(FsError.None));
        await node.DisposeAsync();
        var (inspected, use) = await VolumeClaim.InspectAsync(meta, None);
        Assert.That((inspected, use!.IsInUse), Is.EqualTo((FsError.None, false)));
        await MountedFixture.CheckAsync(meta, data);

        node = await StartAsync(meta, data, Quick, 2);
        var (error, _, _) = await node.Fs.LookupAsync(1, Encoding.UTF8.GetBytes("kept"), None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(await node.UnmountAsync(), Is.EqualTo(FsError.None));
        await node.DisposeAsync();
    }

    // Whatever the leader has noted by then.
    [Test]
    public async Task Start_CancelledAtAnyWrite_GivesTheVolumeBack()
    {
        bool isStarted = false;
        for (int at = 3; !isStarted; at++)
        {
            var (meta, data) = await TestNode.FormatAsync();
            using var stop = new CancellationTokenSource();
            int last = at;
            var device = new HookedDevice(meta)
            {
                BeforeWrite = async write =>
                {
                    if (write == last)
                        await stop.CancelAsync();
                    return FsError.None;
                },
            };
            var (_, node, _) = await LocalNode.StartAsync(
                device, data, Quick, TimeProvider.System, new Prng(7), stop.Token);
            isStarted = node is not null;
            if (isStarted)
            {
                Assert.That(await node!.UnmountAsync(), Is.EqualTo(FsError.None));
                await node.DisposeAsync();
            }

            var (_, use) = await VolumeClaim.InspectAsync(meta, None);
            Assert.That(use!.IsInUse, Is.False, $"at write {at}");
        }
    }

    [Test]
    public async Task Node_OfACrashedVolume_IsRefusedUntilTheDeadAreConfirmed()
    {
        var (meta, data) = await TestNode.FormatAsync();
        var node = await StartAsync(meta, data, Quick, 1);
        await CreateAsync(node, "synced");
        Assert.That(await node.Fs.SyncAsync(None), Is.EqualTo(FsError.None));
        await CreateAsync(node, "lost");
        await node.DisposeAsync();

        var (error, refused, message) = await LocalNode.StartAsync(
            meta, data, Quick, TimeProvider.System, new Prng(2), None);
        Assert.That((error, refused), Is.EqualTo((FsError.VolumeInUse, (LocalNode?)null)));
        Assert.That(message, Does.Contain("in use").And.Contain("slot 0"));

        node = await StartAsync(meta, data, Quick with { Fencing = static (_, _) => new(true) }, 3);
        var (found, _, _) = await node.Fs.LookupAsync(1, Encoding.UTF8.GetBytes("synced"), None);
        var (lost, _, _) = await node.Fs.LookupAsync(1, Encoding.UTF8.GetBytes("lost"), None);
        Assert.That((found, lost), Is.EqualTo((FsError.None, FsError.NotFound)));
        Assert.That(await node.UnmountAsync(), Is.EqualTo(FsError.None));
        await node.DisposeAsync();
        await MountedFixture.CheckAsync(meta, data);
    }

    private static async Task<LocalNode> StartAsync(
        IBlockDevice meta, IBlockDevice data, LocalNodeOptions options, ulong seed)
    {
        var (error, node, message) = await LocalNode.StartAsync(
            meta, data, options, TimeProvider.System, new Prng(seed), None);
        Assert.That(error, Is.EqualTo(FsError.None), message);
        return node!;
    }

    private static async Task CreateAsync(LocalNode node, string name)
    {
        var (error, _, _) = await node.Fs.CreateAsync(
            1, Encoding.UTF8.GetBytes(name), FileMode.Regular | 0x1a4, 0, default, default, None);
        Assert.That(error, Is.EqualTo(FsError.None));
    }
}
