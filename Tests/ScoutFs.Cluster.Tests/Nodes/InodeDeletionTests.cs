using System;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Deletions of inodes in the background (engine §6.8).</summary>
internal sealed class InodeDeletionTests : ArchiveFixture
{
    // The deletion uses the group's lock and runs operations that need it, while it is being taken away.
    [Test]
    public async Task Deletion_WhileAnotherMountWantsTheGroup_Ends()
    {
        var mount = Node.Mount;
        ulong ino = await MakeAsync("f");
        for (int i = 0; i < 200; i++)
            await SetAsync(ino, FormattableString.Invariant($"user.{i}"), "x");
        Assert.That(await Fs.UnlinkAsync(Root, Name("f"), false, None), Is.EqualTo(FsError.None));
        for (bool isSent = false; !isSent;)
        {
            lock (mount.Gate)
            {
                if (mount.Locks.CountUsers() == 0)
                    continue;
                mount.Locks.OnInvalidate(
                    123_456,
                    new WireLock { Key = LockRange.InodeGroup(ino).Start, OldMode = (byte)LockMode.Write });
                isSent = true;
            }
        }

        var drained = mount.Deletion.DrainAsync().AsTask();
        Assert.That(await drained.WaitAsync(TimeSpan.FromMinutes(1)), Is.EqualTo(FsError.None));
        Assert.That(mount.Locks.CountUsers(), Is.Zero);
    }
}
