using System;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Deletions of inodes in the background (engine §6.8).</summary>
internal sealed class InodeDeletionTests : MountedFixture
{
    // The deletion uses the group's lock and runs operations that need it, while it is being taken away. A read of the
    // file's blocks keeps it from ending before.
    [Test]
    public async Task Deletion_WhileAnotherMountWantsTheGroup_Ends()
    {
        var mount = Node.Mount;
        ulong ino = await MakeFileAsync("f", new byte[4096]);
        for (int i = 0; i < 200; i++)
            await SetXattrAsync(ino, FormattableString.Invariant($"user.{i}"), "x");
        lock (mount.Gate)
            Node.Data.BeginRead(ino);
        Assert.That(await Fs.UnlinkAsync(Root, Name("f"), false, None), Is.EqualTo(FsError.None));
        var drained = mount.Deletion.DrainAsync().AsTask();
        while (!TakeAway(mount, ino))
            await Task.Yield();
        lock (mount.Gate)
            Node.Data.EndRead(ino);
        Assert.That(await drained.WaitAsync(TimeSpan.FromMinutes(1)), Is.EqualTo(FsError.None));
        Assert.That(mount.Locks.CountUsers(), Is.Zero);
    }

    private static bool TakeAway(Mount mount, ulong ino)
    {
        lock (mount.Gate)
        {
            if (mount.Locks.CountUsers() == 0)
                return false;
            mount.Locks.OnInvalidate(
                123_456,
                new WireLock { Key = LockRange.InodeGroup(ino).Start, OldMode = (byte)LockMode.Write });
            return true;
        }
    }
}
