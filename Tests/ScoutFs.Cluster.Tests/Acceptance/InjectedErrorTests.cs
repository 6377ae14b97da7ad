using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Devices that fail once, at each of their operations (engine §14 no. 53, 67, 69, 70).</summary>
internal sealed class InjectedErrorTests
{
    private const ulong Root = FormatConstants.RootIno;
    private const uint RegularMode = FileMode.Regular | 0x1a4;

    private static readonly CancellationToken None = CancellationToken.None;

    // The check at unmount adds all xattrs up.
    [Test]
    public void Commit_ThatFailsOnce_AddsTotalsOnce([Values] bool isFlush)
    {
        var world = new SimNode(1, new MountOptions());
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            var fs = world.Node.Fs;
            for (int nth = 1; nth <= 25; nth++)
            {
                ulong ino = await world.CreateAsync($"f{nth}", RegularMode);
                await SetTotalAsync(fs, ino, nth);
                Assert.That(await fs.SyncAsync(None), Is.EqualTo(FsError.None));
                await SetTotalAsync(fs, ino, 10 * nth);
                _ = await fs.WriteAsync(ino, 0, new byte[5000], false, false, None);
                world.Faults.FailAt(isFlush ? SimIoKinds.Flush : SimIoKinds.Write, nth);
                Assert.That(await fs.SyncAsync(None), Is.EqualTo(FsError.None));
                world.Faults.Clear();
            }

            await world.UnmountAsync();
        });
    }

    [Test]
    public void Operations_ThatCannotRead_HoldNothingAfterwards()
    {
        var world = new SimNode(2, new MountOptions());
        world.Run(async () =>
        {
            await world.FormatAsync();
            for (int nth = 1; nth <= 40; nth++)
            {
                await world.MountAsync();
                var fs = world.Node.Fs;
                world.Faults.FailAt(SimIoKinds.Read, nth, 2);
                await UseAsync(fs, nth);
                _ = await world.Node.Mount.Deletion.DrainAsync();
                Assert.That(world.Node.Mount.Locks.CountUsers(), Is.Zero, $"failed at read {nth}");
                world.Faults.Clear();
                if (world.Node.IsolationReason.Length > 0)
                    await world.AbandonAsync();
                else
                    await world.UnmountAsync();
            }
        });
    }

    // Each call is given up after some steps of the world: it has happened, or nothing has.
    [Test]
    public void Operations_ThatAreCancelled_AreDoneOrNot()
    {
        var world = new SimNode(3, new MountOptions(), SimLatency.Usual);
        world.Run(async () =>
        {
            await world.FormatAsync();
            for (int round = 0; round < 40; round++)
            {
                await world.MountAsync();
                var fs = world.Node.Fs;
                using var cancel = new CancellationTokenSource();
                byte[] from = Name($"a{round}");
                byte[] to = Name($"b{round}");
                _ = await world.CreateAsync($"a{round}", RegularMode);
                var renaming = fs.RenameAsync(Root, from, Root, to, false, cancel.Token).AsTask();
                var linking = fs.LinkAsync(Root, Root, Name("x"), false, cancel.Token).AsTask();
                var making = fs.CreateAsync(
                    Root, Name($"c{round}"), RegularMode, 0, default, default, cancel.Token).AsTask();
                if (round % 4 != 0)
                    await world.PauseAsync();
                Cancel(cancel);
                var renamed = await renaming;
                Assert.That(renamed, Is.AnyOf(FsError.None, FsError.Cancelled));
                _ = await linking;
                var (made, _, _) = await making;
                var (hasFrom, _, _) = await fs.LookupAsync(Root, from, None);
                var (hasTo, _, _) = await fs.LookupAsync(Root, to, None);
                var (hasMade, _, _) = await fs.LookupAsync(Root, Name($"c{round}"), None);
                Assert.That(hasFrom == FsError.None, Is.EqualTo(renamed != FsError.None));
                Assert.That(hasTo == FsError.None, Is.EqualTo(renamed == FsError.None));
                Assert.That(hasMade == FsError.None, Is.EqualTo(made == FsError.None));
                Assert.That(world.Node.Mount.Locks.CountUsers(), Is.Zero);
                await world.UnmountAsync();
            }
        });
    }

    // At once: the asynchronous way would go to a thread of the pool.
    private static void Cancel(CancellationTokenSource source) => source.Cancel();

    private static byte[] Name(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static async Task SetTotalAsync(FileSystem fs, ulong ino, int value)
    {
        byte[] text = Name(value.ToString(CultureInfo.InvariantCulture));
        Assert.That(
            await fs.SetXattrAsync(ino, Name("scoutfs.totl.x.1.2.3"), text, XattrMode.Any, None),
            Is.EqualTo(FsError.None));
    }

    private static async Task UseAsync(FileSystem fs, int round)
    {
        var (_, ino, _) = await fs.CreateAsync(Root, Name($"f{round}"), RegularMode, 0, default, default, None);
        _ = await fs.WriteAsync(ino, 0, new byte[100_000], false, false, None);
        _ = await fs.SetXattrAsync(ino, Name("user.a"), new byte[5000], XattrMode.Any, None);
        (_, ulong older, var inode) = await fs.LookupAsync(Root, Name($"f{round - 1}"), None);
        _ = await fs.ReadAsync(older, 0, new byte[50_000], None);
        _ = await fs.ReleaseAsync(older, 0, 8192, inode.DataVersion, None);
        _ = await fs.StageAsync(older, 0, new byte[8192], inode.DataVersion, None);
        _ = await fs.TruncateAsync(older, 5000, None);
        _ = await fs.TruncateAsync(older, 3, None);
        _ = await fs.FallocateAsync(older, 0, 100_000, false, None);
        _ = await fs.RenameAsync(Root, Name($"f{round - 1}"), Root, Name("moved"), false, None);
        _ = await fs.UnlinkAsync(Root, Name("moved"), false, None);
        _ = await fs.SyncAsync(None);
    }
}
