using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>
/// Where inodes are named (archive §9.4, §9.12; rows get-referring-entries and export-get-name-parent of engine §15).
/// </summary>
internal sealed class InodePathTests : MountedFixture
{
    [Test]
    public async Task Links_OfTheRootAndOfUnusedNumbers_AreNone()
    {
        Assert.That(await LinksAsync(Root), Is.Empty);
        Assert.That(await LinksAsync(1_000_000), Is.Empty);
        Assert.That((await Fs.FindPathAsync(Root, 0, 0, 4096, None)).Error, Is.EqualTo(FsError.NotFound));
        Assert.That((await Fs.GetParentAsync(Root, None)).Error, Is.EqualTo(FsError.NotFound));
    }

    [Test]
    public async Task Links_OfEachType_SayTypeAndPlace()
    {
        uint[] modes =
        [
            FileMode.Fifo, FileMode.CharDevice, FileMode.Directory, FileMode.BlockDevice, FileMode.Regular,
            FileMode.Symlink, FileMode.Socket,
        ];
        for (int i = 0; i < modes.Length; i++)
        {
            ulong ino = await CreateAsync($"n{i}", mode: modes[i] | 0x1ed, target: "t");
            var link = (await LinksAsync(ino)).Single();
            Assert.That((link.Directory, link.Type), Is.EqualTo((Root, (DirentType)i)));
            Assert.That(link.Pos, Is.EqualTo(2UL + (ulong)i));
            Assert.That(link.Name, Is.EqualTo(Name($"n{i}")));
        }
    }

    [Test]
    public async Task Links_InTenDirectories_ComeInOrderAndInPieces()
    {
        ulong ino = await CreateAsync("f");
        var expected = new List<ulong> { Root };
        for (int i = 0; i < 10; i++)
        {
            ulong directory = await MakeDirectoryAsync($"d{i}");
            expected.Add(directory);
            Assert.That(
                (await Fs.LinkAsync(ino, directory, Name("f"), false, None)).Error, Is.EqualTo(FsError.None));
        }

        expected.Sort();
        Assert.That((await LinksAsync(ino)).Select(static link => link.Directory), Is.EqualTo(expected));
        var links = new List<InodeLink>();
        var all = new List<ulong>();
        ulong at = 0;
        ulong pos = 0;
        for (bool isEnd = false; !isEnd;)
        {
            (var error, isEnd) = await Fs.ListLinksAsync(ino, at, pos, links, 3, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            all.AddRange(links.Select(static link => link.Directory));
            (at, pos) = (links[^1].Directory, links[^1].Pos + 1);
        }

        Assert.That(all, Is.EqualTo(expected));
        Assert.That(await Fs.ListLinksAsync(ino, at, pos, links, 3, None), Is.EqualTo((FsError.None, true)));
        Assert.That(links, Is.Empty);
    }

    [Test]
    public async Task Links_OfEveryLengthOfName_HaveTheName()
    {
        ulong ino = await CreateAsync("f");
        for (int length = 1; length <= 255; length++)
        {
            string name = new('x', length);
            Assert.That((await Fs.LinkAsync(ino, Root, Name(name), false, None)).Error, Is.EqualTo(FsError.None));
        }

        Assert.That(
            (await LinksAsync(ino)).Select(static link => link.Name.Length),
            Is.EqualTo(Enumerable.Range(1, 255).Prepend(1)));
    }

    [Test]
    public async Task Paths_OfEachLink_AreFoundOneAfterAnother()
    {
        ulong one = await MakeDirectoryAsync("one");
        ulong deep = await MakeDirectoryAsync("two", one);
        ulong ino = await CreateAsync("file", deep);
        Assert.That((await Fs.LinkAsync(ino, Root, Name("top"), false, None)).Error, Is.EqualTo(FsError.None));
        var paths = new List<string>();
        ulong at = 0;
        ulong pos = 0;
        while (true)
        {
            var (error, link, path) = await Fs.FindPathAsync(ino, at, pos, 4095, None);
            if (error == FsError.NotFound)
                break;
            Assert.That(error, Is.EqualTo(FsError.None));
            paths.Add(Encoding.UTF8.GetString(path));
            (at, pos) = (link.Directory, link.Pos + 1);
        }

        Assert.That(paths, Is.EqualTo(new[] { "top", "one/two/file" }));
        Assert.That((await Fs.FindPathAsync(ino, deep, 0, 12, None)).Error, Is.EqualTo(FsError.None));
        Assert.That((await Fs.FindPathAsync(ino, deep, 0, 11, None)).Error, Is.EqualTo(FsError.NameTooLong));
        Assert.That(
            await Fs.RenameAsync(one, Name("two"), Root, Name("moved"), false, None), Is.EqualTo(FsError.None));
        var (_, _, moved) = await Fs.FindPathAsync(ino, deep, 0, 4095, None);
        Assert.That(Encoding.UTF8.GetString(moved), Is.EqualTo("moved/file"));
        Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero);
    }

    [Test]
    public async Task Parent_AfterRemount_IsFoundByNumberAlone()
    {
        ulong directory = await MakeDirectoryAsync("dir");
        await RemountAsync();
        var (error, parent) = await Fs.GetParentAsync(directory, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That((parent.Directory, Encoding.UTF8.GetString(parent.Name)), Is.EqualTo((Root, "dir")));
    }

    [Test]
    public async Task Inodes_OfAGroup_AreThoseThatExist()
    {
        var inos = new List<ulong>();
        for (int i = 0; i < 5; i++)
            inos.Add(await MakeFileAsync($"f{i}", new byte[10]));
        Assert.That(await ListInodesAsync(inos[0] & ~1023UL, 100), Is.EqualTo(inos));
        Assert.That(await ListInodesAsync(inos[0] + 1, 2), Is.EqualTo(inos[1..3]));
        Assert.That(await ListInodesAsync(inos[^1] + 1, 100), Is.Empty);
        Assert.That(await ListInodesAsync(0, 100), Is.EqualTo(new[] { Root }));
        Assert.That(await ListInodesAsync(ulong.MaxValue, 100), Is.Empty);
        await UnlinkAsync("f2");
        await DrainAsync();
        Assert.That(await ListInodesAsync(inos[2], 1), Is.EqualTo(new[] { inos[3] }));
    }

    private async Task<List<InodeLink>> LinksAsync(ulong ino)
    {
        var links = new List<InodeLink>();
        Assert.That(await Fs.ListLinksAsync(ino, 0, 0, links, 1000, None), Is.EqualTo((FsError.None, true)));
        return links;
    }

    private async Task<List<ulong>> ListInodesAsync(ulong first, int limit)
    {
        var inos = new List<ulong>();
        Assert.That(await Fs.ListInodesAsync(first, inos, limit, None), Is.EqualTo(FsError.None));
        return inos;
    }
}
