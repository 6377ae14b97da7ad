using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>The engine over a real leader, used as a filesystem.</summary>
internal sealed class EngineTests : MountedFixture
{
    [Test]
    public async Task Files_AfterRemount_AreAllThere()
    {
        ulong directory = await MakeDirectoryAsync("dir");
        byte[] contents = Random(300_000, 7);
        for (int i = 0; i < 100; i++)
        {
            ulong ino = await CreateAsync($"file{i}", directory);
            await WriteAsync(ino, 100, contents);
        }

        await Node.UnmountAsync();
        await CheckAsync(Meta, Data);

        await StartAsync();
        var (error, found, _) = await Fs.LookupAsync(directory, Name("file57"), None);
        Assert.That(error, Is.EqualTo(FsError.None));
        byte[] read = new byte[contents.Length + 500];
        (error, int count) = await Fs.ReadAsync(found, 0, read, None);
        Assert.That((error, count), Is.EqualTo((FsError.None, contents.Length + 100)));
        Assert.That(read[100..(100 + contents.Length)].SequenceEqual(contents), Is.True);
        var entries = new List<ListedEntry>();
        (error, bool isEnd) = await Fs.ListAsync(directory, 0, entries, 1000, None);
        Assert.That((error, isEnd, entries.Count), Is.EqualTo((FsError.None, true, 100)));
        foreach (var entry in entries)
            Assert.That(await Fs.UnlinkAsync(directory, entry.Name, false, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.UnlinkAsync(Root, Name("dir"), true, None), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Commit_WhileOthersReadIntoASmallCache_KeepsItsOrder()
    {
        await RemountAsync(new MountOptions { ItemCacheBytes = 1 << 20 });
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
                var (error, _, _) = await Fs.LookupAsync(Root, Name($"f{prng.NextInt32(known)}"), None);
                Assert.That(error, Is.EqualTo(FsError.None));
            }
        });
        for (int i = 0; i < 20_000; i++)
        {
            _ = await CreateAsync($"f{i}");
            Volatile.Write(ref made, i + 1);
            if (i % 500 == 0)
                await SyncAsync();
        }

        Volatile.Write(ref isDone, true);
        await reader;
    }

    [Test]
    public async Task Write_LargerThanTheSpaceInMemory_FetchesMoreAtOnce()
    {
        ulong ino = await MakeFileAsync("f", new byte[4096]);
        ulong left = Node.Mount.Transaction.DataSpace.FreeBlocks;
        Assert.That(
            await Fs.FallocateAsync(ino, 1 << 20, (left - 100) * 4096, true, None), Is.EqualTo(FsError.None));
        Assert.That(Node.Mount.Transaction.DataSpace.FreeBlocks, Is.LessThan(256));
        long commits = Node.Mount.Transaction.CommitCount;
        await WriteAsync(ino, 1UL << 40, new byte[1 << 20]);
        Assert.That(Node.Mount.Transaction.CommitCount, Is.EqualTo(commits));
    }
}
