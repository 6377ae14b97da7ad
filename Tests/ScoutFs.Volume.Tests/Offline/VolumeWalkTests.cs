using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class VolumeWalkTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Test]
    public async Task Walk_SlashSortsAfterDash_PathOrderIsBytewise()
    {
        var items = new ItemVolume().AddDirectory(1);
        items.AddDirectory(10).Link(1, 2, "a", 10, DirentType.Directory);
        items.AddFile(11).Link(10, 2, "x", 11);
        items.AddFile(12).Link(1, 3, "a-b", 12);
        items.AddFile(13).Link(1, 4, "a0", 13);
        using var volume = await items.OpenAsync();
        var byPath = await WalkAsync(volume, WalkOrder.Path);
        var byName = await WalkAsync(volume, WalkOrder.Name);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(byPath.Entries, Is.EqualTo(new[] { "/", "/a", "/a-b", "/a/x", "/a0" }));
            Assert.That(byName.Entries, Is.EqualTo(new[] { "/", "/a", "/a/x", "/a-b", "/a0" }));
            Assert.That(byName.Leaves, Is.EqualTo(new[] { "/a", "/" }));
        }
    }

    [Test]
    public async Task Walk_RandomTree_VisitsEveryPathInOrder(
        [Range(1, 12)] int seed, [Values(2, 5, 1 << 19)] int maxSteps, [Values] WalkOrder order)
    {
        var prng = new Prng((ulong)seed);
        var items = new ItemVolume().AddDirectory(1);
        var paths = new List<string> { "/" };
        MakeTree(prng, items, paths);
        using var volume = await items.OpenAsync(maxItemsPerBlock: 20);
        var result = await WalkAsync(volume, order, maxSteps: maxSteps);
        paths.Sort(string.CompareOrdinal);
        Assert.That(result.Problems, Is.Empty);
        if (order == WalkOrder.Path)
            Assert.That(result.Entries, Is.EqualTo(paths), $"seed {seed}");
        else
            Assert.That(result.Entries, Is.EquivalentTo(paths), $"seed {seed}");
        Assert.That(result.Leaves, Has.Count.EqualTo(items.Items.Count(IsDirectoryItem)), $"seed {seed}");
    }

    [Test]
    public async Task Walk_DepthLimited_StopsThere([Values] WalkOrder order)
    {
        var items = new ItemVolume().AddDirectory(1);
        items.AddDirectory(10).Link(1, 2, "a", 10, DirentType.Directory);
        items.AddDirectory(11).Link(10, 2, "b", 11, DirentType.Directory);
        items.AddFile(12).Link(11, 2, "c", 12);
        using var volume = await items.OpenAsync();
        var result = await WalkAsync(volume, order, maxDepth: 1);
        Assert.That(result.Entries, Is.EqualTo(new[] { "/", "/a" }));
    }

    [Test]
    public async Task Walk_DirectoryInsideItself_IsReportedAndLeft([Values] WalkOrder order)
    {
        // /a/b is /a again, and /a's back reference says so, too.
        var items = new ItemVolume().AddDirectory(1);
        items.AddDirectory(10).Link(1, 2, "a"u8.ToArray(), 10, DirentType.Directory, withBackref: false);
        items.Link(10, 2, "b", 10, DirentType.Directory);
        using var volume = await items.OpenAsync();
        var result = await WalkAsync(volume, order);
        var fromInside = await WalkAsync(volume, order, start: "/a");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.Entries, Is.EqualTo(new[] { "/", "/a" }));
            Assert.That(result.Problems.Single().Message, Does.Contain("/a").And.Contain("inode 10"));
            Assert.That(fromInside.Entries, Is.EqualTo(new[] { "/a", "/a/b" }));
            Assert.That(fromInside.Problems.Single().Message, Does.Contain("inside itself"));
        }
    }

    [Test]
    public async Task Walk_DirectoriesLinkedTwicePerLevel_IsNotWalkedExponentially()
    {
        var items = new ItemVolume().AddDirectory(1);
        for (ulong level = 0; level < 64; level++)
        {
            ulong parent = level == 0 ? 1 : 9 + level;
            items.AddDirectory(10 + level).Link(parent, 2, "x", 10 + level, DirentType.Directory);
            items.Link(parent, 3, "y"u8.ToArray(), 10 + level, DirentType.Directory, withBackref: false);
        }

        using var volume = await items.OpenAsync();
        var result = await WalkAsync(volume, WalkOrder.Path);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.Entries, Has.Count.EqualTo(1 + (2 * 64)));
            Assert.That(result.Problems, Has.Count.EqualTo(64));
        }
    }

    [Test]
    public async Task Walk_DamagedEntries_GoesOnBesideThem([Values] WalkOrder order)
    {
        var items = new ItemVolume().AddDirectory(1);
        items.Link(1, 2, "missing", 10);
        items.AddFile(11).Link(1, 3, "../../etc/passwd", 11);
        items.AddFile(12).Link(1, 4, "..", 12);
        items.AddFile(13).Link(1, 5, "called-directory", 13, DirentType.Directory);
        items.AddDirectory(14).Link(1, 6, "called-file", 14, DirentType.Regular);
        items.AddFile(15).Link(1, 7, "ok", 15);
        items.AddFile(16).Link(1, 8, "short-inode", 16);
        items.Items[Keys.Inode(16)] = new byte[3];
        items.AddDirectory(17).Link(1, 9, "z-unreadable", 17, DirentType.Directory);
        items.Items[Keys.Readdir(17, 2)] = new byte[3];
        using var volume = await items.OpenAsync();
        var result = await WalkAsync(volume, order);
        string all = string.Join('\n', result.Problems.Select(problem => problem.Message));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.Entries, Is.EqualTo(new[] { "/", "/ok", "/z-unreadable" }));
            Assert.That(result.Problems, Has.Count.EqualTo(7), all);
            Assert.That(all, Does.Contain("impossible name \"../../etc/passwd\""));
            Assert.That(all, Does.Contain("/called-directory"));
            Assert.That(all, Does.Contain("inode 16"));
            Assert.That(all, Does.Contain("directory inode 17"));
        }
    }

    [Test]
    public async Task Walk_TwoEntriesOfOneName_ShowsBothAndEnds([Values(2, 100)] int maxSteps)
    {
        var items = new ItemVolume().AddDirectory(1);
        for (ulong i = 0; i < 10; i++)
            items.AddFile(10 + i).Link(1, 2 + i, "same", 10 + i);
        using var volume = await items.OpenAsync();
        var result = await WalkAsync(volume, WalkOrder.Path, maxSteps: maxSteps);
        Assert.That(result.Entries, Has.Count.EqualTo(11));
    }

    [Test]
    public async Task SkipChildren_OfADirectory_NeitherVisitsNorLeavesIt()
    {
        var items = new ItemVolume().AddDirectory(1);
        items.AddDirectory(10).Link(1, 2, "a", 10, DirentType.Directory);
        items.AddFile(11).Link(10, 2, "x", 11);
        items.AddFile(12).Link(1, 3, "b", 12);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var walk = new VolumeWalk(reader, WalkOrder.Position);
        walk.Start(await new PathResolver(reader).ResolveAsync(default, false, None));
        var visits = new List<string>();
        while (await walk.MoveNextAsync(None))
        {
            visits.Add($"{walk.Visit} {Encoding.UTF8.GetString(walk.Path.Span)} {walk.Depth}");
            if (walk.Name.SequenceEqual("a"u8))
                walk.SkipChildren();
        }

        Assert.That(visits, Is.EqualTo(new[] { "Entry / 0", "Entry /a 1", "Entry /b 1", "Leave / 0" }));
    }

    private static bool IsDirectoryItem(KeyValuePair<ItemKey, byte[]> item) =>
        item.Key.Type == KeyType.Inode
        && (Disk.Ref<InodeItem>(item.Value.AsSpan()).Mode & FileMode.TypeMask) == FileMode.Directory;

    private static void MakeTree(Prng prng, ItemVolume items, List<string> paths)
    {
        var directories = new List<(ulong Ino, string Path)> { (1, string.Empty) };
        var used = new HashSet<string>();
        const string Letters = "a-/0";
        ulong ino = 10;
        for (int i = 0; i < 120; i++)
        {
            var (dir, path) = directories[prng.NextInt32(directories.Count)];
            string name = string.Concat(
                Enumerable.Range(0, 1 + prng.NextInt32(3)).Select(_ => Letters[prng.NextInt32(4)])).Replace('/', '.');
            if (name is "." or ".." || !used.Add(path + "/" + name))
                name = "n" + i.ToString(CultureInfo.InvariantCulture);
            bool isDirectory = prng.NextInt32(3) == 0;
            _ = isDirectory ? items.AddDirectory(ino) : items.AddFile(ino);
            var type = isDirectory ? DirentType.Directory : DirentType.Regular;
            items.Link(dir, 2 + (ulong)i, name, ino, type);
            paths.Add(path + "/" + name);
            if (isDirectory)
                directories.Add((ino, path + "/" + name));
            ino++;
        }
    }

    private static async Task<Visits> WalkAsync(
        OfflineVolume volume,
        WalkOrder order,
        int maxDepth = int.MaxValue,
        int maxSteps = VolumeWalk.MaxSteps,
        string start = "/")
    {
        using var reader = new VolumeReader(volume);
        var walk = new VolumeWalk(reader, order, maxDepth, maxSteps);
        walk.Start(await new PathResolver(reader).ResolveAsync(ItemVolume.Bytes(start), false, None));
        var visits = new Visits([], [], []);
        while (await walk.MoveNextAsync(None))
        {
            string path = Encoding.UTF8.GetString(walk.Path.Span);
            if (walk.Visit == WalkVisit.Entry)
                visits.Entries.Add(path);
            else if (walk.Visit == WalkVisit.Leave)
                visits.Leaves.Add(path);
            else
                visits.Problems.Add(walk.Failure!);
            Assert.That(visits.Entries, Has.Count.LessThan(1000));
        }

        return visits;
    }

    private sealed record Visits(List<string> Entries, List<string> Leaves, List<VolumeException> Problems);
}
