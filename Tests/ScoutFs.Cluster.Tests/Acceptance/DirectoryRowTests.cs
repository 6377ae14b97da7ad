using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows createmany-large-names, createmany-rename-large-dir, renameat2-noreplace; traps of names.</summary>
internal sealed class DirectoryRowTests : AcceptanceFixture
{
    [Test]
    public async Task Create_ManyLargeNamesByManyCallers_ListsThemAll()
    {
        int names = Count(1_000, 100_000);
        const int Callers = 4;
        ulong[] directories = new ulong[Callers];
        for (int i = 0; i < Callers; i++)
            directories[i] = await MakeDirectoryAsync($"d{i}");
        await ForEachAsync(Callers, async i =>
        {
            for (int n = 0; n < names; n++)
                _ = await CreateAsync(LargeName(n), directories[i]);
        });
        await RemountAsync();
        foreach (ulong directory in directories)
        {
            var entries = await ListAsync(directory, batch: 1000);
            Assert.That(entries, Has.Count.EqualTo(names));
            Assert.That((await InodeAsync(directory)).Size.Value, Is.EqualTo((ulong)(200 * names)));
            var (error, ino, _) = await Fs.LookupAsync(directory, entries[names / 2].Name, None);
            Assert.That((error, ino), Is.EqualTo((FsError.None, entries[names / 2].Ino)));
        }
    }

    // Engine §14 no. 68.
    [Test]
    public async Task Rename_ThereAndBackInALargeDirectory_Succeeds()
    {
        int entries = Count(20_000, 1_220_608);
        int renames = Count(300, 5000);
        ulong directory = await MakeDirectoryAsync("large");
        for (int i = 0; i < entries; i++)
            _ = await CreateAsync($"entry{i}", directory);
        for (int i = 0; i < renames; i++)
        {
            byte[] name = Name($"entry{i * (entries / renames)}");
            Assert.That(
                await Fs.RenameAsync(directory, name, directory, Name("moved"), false, None),
                Is.EqualTo(FsError.None));
            Assert.That(
                await Fs.RenameAsync(directory, Name("moved"), directory, name, false, None),
                Is.EqualTo(FsError.None));
        }

        await SyncAsync();
        Assert.That(await ListAsync(directory, batch: 1000), Has.Count.EqualTo(entries));
    }

    [Test]
    public async Task RenameWithoutReplacing_OfManyToOneName_SucceedsOnce()
    {
        const int Callers = 4;
        for (int round = 0; round < 100; round++)
        {
            for (int i = 0; i < Callers; i++)
                _ = await CreateAsync($"from{i}");
            var errors = new FsError[Callers];
            await ForEachAsync(Callers, async i => errors[i] =
                await Fs.RenameAsync(Root, Name($"from{i}"), Root, Name("to"), true, None));
            Assert.That(errors.Count(static error => error == FsError.None), Is.EqualTo(1), $"round {round}");
            Assert.That(errors.Count(static error => error == FsError.Exists), Is.EqualTo(Callers - 1));
            Assert.That(await ListAsync(Root), Has.Count.EqualTo(Callers));
            foreach (var entry in await ListAsync(Root))
                Assert.That(await Fs.UnlinkAsync(Root, entry.Name, false, None), Is.EqualTo(FsError.None));
        }
    }

    // Engine §14 no. 35: of many who make, remove or rename one name at a time, one wins.
    [Test]
    public async Task Name_FoughtForByMany_HasOneWinner()
    {
        const int Callers = 4;
        for (int round = 0; round < 50; round++)
        {
            var made = new FsError[Callers];
            await ForEachAsync(Callers, async i => made[i] = (await TryCreateAsync("name")).Error);
            Assert.That(made.Count(static error => error == FsError.None), Is.EqualTo(1));
            var removed = new FsError[Callers];
            await ForEachAsync(Callers, async i => removed[i] = await Fs.UnlinkAsync(Root, Name("name"), false, None));
            Assert.That(removed.Count(static error => error == FsError.None), Is.EqualTo(1));
            Assert.That(removed.Count(static error => error == FsError.NotFound), Is.EqualTo(Callers - 1));
        }

        Assert.That(await ListAsync(Root), Is.Empty);
    }

    // Engine §14 no. 26.
    [Test]
    public async Task Rename_OverAHardLink_ChangesTheOthersCtime()
    {
        ulong replaced = await CreateAsync("target");
        Assert.That((await Fs.LinkAsync(replaced, Root, Name("other"), false, None)).Error, Is.EqualTo(FsError.None));
        _ = await CreateAsync("source");
        var before = await InodeAsync(replaced);
        Assert.That(
            await Fs.RenameAsync(Root, Name("source"), Root, Name("target"), false, None), Is.EqualTo(FsError.None));
        var after = await InodeAsync(replaced);
        Assert.That(after.Nlink.Value, Is.EqualTo(1));
        Assert.That(
            (after.Ctime.Sec.Value, after.Ctime.Nsec.Value),
            Is.GreaterThan((before.Ctime.Sec.Value, before.Ctime.Nsec.Value)));
    }

    // Engine §14 no. 58: the root has no back reference.
    [Test]
    public async Task Rename_IntoTheRoot_Succeeds()
    {
        ulong directory = await MakeDirectoryAsync("d");
        ulong inner = await MakeDirectoryAsync("inner", directory);
        _ = await CreateAsync("file", inner);
        Assert.That(
            await Fs.RenameAsync(inner, Name("file"), Root, Name("file"), false, None), Is.EqualTo(FsError.None));
        Assert.That(
            await Fs.RenameAsync(directory, Name("inner"), Root, Name("inner"), false, None),
            Is.EqualTo(FsError.None));
        Assert.That(
            await Fs.RenameAsync(Root, Name("d"), inner, Name("d"), false, None), Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(Root)).Nlink.Value, Is.EqualTo(3));
    }

    // Engine §14 no. 57.
    [Test]
    public async Task Inodes_OfANewVolume_ShareNoGroupWithTheRoot()
    {
        Assert.That(await CreateAsync("f"), Is.GreaterThanOrEqualTo(1024));
        Assert.That(await MakeDirectoryAsync("d"), Is.GreaterThanOrEqualTo(1024));
    }

    private static string LargeName(int number) => $"{number:d8}".PadRight(200, (char)('a' + (number % 26)));
}
