using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>The engine over a real leader, used as a filesystem.</summary>
internal sealed class EngineTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Test]
    public async Task Files_AfterRemount_AreAllThere()
    {
        var (meta, data) = await TestNode.FormatAsync();
        var node = await TestNode.StartAsync(meta, data);
        var (error, directory, _) = await node.Fs.CreateAsync(
            1, Name("dir"), FileMode.Directory | 0x1ed, 0, default, default, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        byte[] contents = new byte[300_000];
        new Prng(7).Fill(contents);
        for (int i = 0; i < 100; i++)
        {
            (error, ulong ino, _) = await node.Fs.CreateAsync(
                directory, Name($"file{i}"), FileMode.Regular | 0x1a4, 0, default, default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            (error, int written) = await node.Fs.WriteAsync(ino, 100, contents, false, false, None);
            Assert.That((error, written), Is.EqualTo((FsError.None, contents.Length)));
        }

        await node.UnmountAsync();
        await MountedFixture.CheckAsync(meta, data);

        node = await TestNode.StartAsync(meta, data, seed: 2);
        (error, ulong found, _) = await node.Fs.LookupAsync(directory, Name("file57"), None);
        Assert.That(error, Is.EqualTo(FsError.None));
        byte[] read = new byte[contents.Length + 500];
        (error, int count) = await node.Fs.ReadAsync(found, 0, read, None);
        Assert.That((error, count), Is.EqualTo((FsError.None, contents.Length + 100)));
        Assert.That(read[100..(100 + contents.Length)].SequenceEqual(contents), Is.True);
        var entries = new List<ListedEntry>();
        (error, bool isEnd) = await node.Fs.ListAsync(directory, 0, entries, 1000, None);
        Assert.That((error, isEnd, entries.Count), Is.EqualTo((FsError.None, true, 100)));
        foreach (var entry in entries)
            Assert.That(await node.Fs.UnlinkAsync(directory, entry.Name, false, None), Is.EqualTo(FsError.None));
        Assert.That(await node.Fs.UnlinkAsync(1, Name("dir"), true, None), Is.EqualTo(FsError.None));
        await node.UnmountAsync();
        await MountedFixture.CheckAsync(meta, data);
    }

    [Test]
    public async Task Commit_WhileOthersReadIntoASmallCache_KeepsItsOrder()
    {
        var (meta, data) = await TestNode.FormatAsync();
        var options = new MountOptions { ItemCacheBytes = 1 << 20 };
        var node = await TestNode.StartAsync(meta, data, options: options);
        bool isDone = false;
        int made = 0;
        var reader = Task.Run(async () =>
        {
            var prng = new Prng(3);
            while (!Volatile.Read(ref isDone))
            {
                int known = Volatile.Read(ref made);
                if (known == 0)
                    continue;
                var (error, _, _) = await node.Fs.LookupAsync(1, Name($"f{prng.NextInt32(known)}"), None);
                Assert.That(error, Is.EqualTo(FsError.None));
            }
        });
        for (int i = 0; i < 20_000; i++)
        {
            var (error, _, _) = await node.Fs.CreateAsync(
                1, Name($"f{i}"), FileMode.Regular | 0x1a4, 0, default, default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            Volatile.Write(ref made, i + 1);
            if (i % 500 == 0)
                Assert.That(await node.Fs.SyncAsync(None), Is.EqualTo(FsError.None));
        }

        Volatile.Write(ref isDone, true);
        await reader;
        await node.UnmountAsync();
        await MountedFixture.CheckAsync(meta, data);
    }

    [Test]
    public async Task Write_LargerThanTheSpaceInMemory_FetchesMoreAtOnce()
    {
        var (meta, data) = await TestNode.FormatAsync();
        var node = await TestNode.StartAsync(meta, data);
        var (_, ino, _) = await node.Fs.CreateAsync(
            1, Name("f"), FileMode.Regular | 0x1a4, 0, default, default, None);
        Assert.That(
            await node.Fs.WriteAsync(ino, 0, new byte[4096], false, false, None), Is.EqualTo((FsError.None, 4096)));
        ulong left = node.Mount.Transaction.DataSpace.FreeBlocks;
        Assert.That(
            await node.Fs.FallocateAsync(ino, 1 << 20, (left - 100) * 4096, true, None), Is.EqualTo(FsError.None));
        Assert.That(node.Mount.Transaction.DataSpace.FreeBlocks, Is.LessThan(256));
        long commits = node.Mount.Transaction.CommitCount;
        byte[] bytes = new byte[1 << 20];
        Assert.That(
            await node.Fs.WriteAsync(ino, 1UL << 40, bytes, false, false, None),
            Is.EqualTo((FsError.None, bytes.Length)));
        Assert.That(node.Mount.Transaction.CommitCount, Is.EqualTo(commits));
        await node.UnmountAsync();
        await MountedFixture.CheckAsync(meta, data);
    }

    private static byte[] Name(string text) => Encoding.UTF8.GetBytes(text);
}
