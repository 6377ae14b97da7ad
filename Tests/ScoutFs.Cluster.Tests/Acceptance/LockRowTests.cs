using System.Collections.Generic;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Tests.Nodes;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows lock-refleak, lock-shrink-consistency, lock-shrink-read-race: locks are given back, and again taken.
/// </summary>
internal sealed class LockRowTests : AcceptanceFixture
{
    private const int Directories = 100;

    // Each directory in a group of its own, so that there are more locks than may be idle.
    private static readonly MountOptions Few = new() { LockIdleCount = 32, InoAllocPerLock = 1 };

    // Engine §14 no. 67.
    [Test]
    public async Task Users_AfterRoundsOfEverything_AreNone()
    {
        for (int round = 0; round < 20; round++)
        {
            string name = $"f{round}";
            ulong directory = await MakeDirectoryAsync($"d{round}");
            ulong ino = await CreateAsync(name, directory);
            await WriteBlocksAsync(ino, 0, 3);
            await SetXattrAsync(ino, "scoutfs.totl.a.1.2.3", "1");
            await SetXattrAsync(ino, "scoutfs.indx.a.1.2", "");
            _ = await Fs.LinkAsync(ino, Root, Name($"l{round}"), false, None);
            await ReleaseAsync(ino);
            await StageAsync(ino, 0, Random(3 * (int)Block));
            _ = await Fs.TruncateAsync(ino, 100, None);
            _ = await Fs.ReadAsync(ino, 0, new byte[10], None);
            _ = await Fs.RenameAsync(directory, Name(name), Root, Name(name), false, None);

            // And what fails.
            _ = await Fs.RenameAsync(Root, Name("none"), directory, Name("x"), false, None);
            _ = await Fs.RenameAsync(Root, Name($"d{round}"), directory, Name("x"), false, None);
            _ = await TryCreateAsync(name);
            _ = await Fs.UnlinkAsync(Root, Name($"d{round}"), false, None);
            _ = await Fs.StageAsync(ino, 0, new byte[4096], 12345, None);
            _ = await TrySetXattrAsync(ino, "scoutfs.totl.a.1.2.3", Name("no number"));
            _ = await TrySetXattrAsync(ino, "user.none", null);
            await UnlinkAsync(name);
            if (round % 5 == 0)
                await SyncAsync();
            await DrainAsync();
            Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero, $"round {round}");
        }
    }

    [Test]
    public async Task Locks_GivenBackUnderPressure_KeepWhatWasChanged()
    {
        await RemountAsync(Few);
        var directories = await MakeDirectoriesAsync();
        for (uint round = 1; round <= 5; round++)
        {
            foreach (ulong directory in directories)
            {
                _ = await Fs.SetAttributesAsync(directory, new AttributeChanges { Uid = round }, None);
                Assert.That(
                    await TrySetXattrAsync(directory, "user.round", [(byte)round]), Is.EqualTo(FsError.None));
            }

            foreach (ulong directory in directories)
            {
                Assert.That((await InodeAsync(directory)).Uid.Value, Is.EqualTo(round));
                Assert.That((await Fs.GetXattrAsync(directory, Name("user.round"), None)).Value,
                    Is.EqualTo(new[] { (byte)round }));
            }
        }

        await SyncAsync();
        Assert.That(Node.Mount.Locks.Count, Is.LessThan(Directories));
    }

    [TestCase(1UL)]
    [TestCase(2UL)]
    public void Locks_GivenBackWhileOthersRead_NobodyHangs(ulong seed)
    {
        var world = new SimNode(seed, Few, SimLatency.Usual);
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            var fs = world.Node.Fs;
            var directories = new List<ulong>();
            for (int i = 0; i < Directories; i++)
                directories.Add(await world.CreateAsync($"d{i}", DirectoryMode));
            var callers = new List<Task>();
            for (int caller = 0; caller < 6; caller++)
            {
                var prng = world.Prng.Fork($"caller{caller}");
                bool isWriting = caller < 2;
                callers.Add(RepeatAsync(fs, directories, prng, isWriting));
            }

            await Task.WhenAll(callers);
            Assert.That(world.Node.Mount.Locks.CountUsers(), Is.Zero);
            await world.UnmountAsync();
        });
    }

    private static async Task RepeatAsync(FileSystem fs, List<ulong> directories, Prng prng, bool isWriting)
    {
        for (int i = 0; i < 200; i++)
        {
            ulong ino = directories[prng.NextInt32(directories.Count)];
            var (error, _) = isWriting
                ? await fs.SetAttributesAsync(ino, new AttributeChanges { Uid = (uint)i }, None)
                : await fs.GetAttributesAsync(ino, None);
            Assert.That(error, Is.EqualTo(FsError.None));
        }
    }

    private async Task<List<ulong>> MakeDirectoriesAsync()
    {
        var directories = new List<ulong>();
        for (int i = 0; i < Directories; i++)
            directories.Add(await CreateAsync($"d{i}", Root, FileMode.Directory | 0x1ed));
        return directories;
    }
}
