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

public sealed class PathResolverTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [TestCase("", true, "/", 1UL)]
    [TestCase("/", true, "/", 1UL)]
    [TestCase("//", true, "/", 1UL)]
    [TestCase("/d", true, "/d", 10UL)]
    [TestCase("d//f", true, "/d/f", 11UL)]
    [TestCase("/d/", true, "/d", 10UL)]
    [TestCase("/d/./f", true, "/d/f", 11UL)]
    [TestCase("/d/../d/f", true, "/d/f", 11UL)]
    [TestCase("/../..", true, "/", 1UL)]
    [TestCase("/to-d", true, "/d", 10UL)]
    [TestCase("/to-d", false, "/to-d", 12UL)]
    [TestCase("/to-d/", false, "/d", 10UL)]
    [TestCase("/to-d/f", false, "/d/f", 11UL)]
    [TestCase("/d/up", true, "/d/f", 11UL)]
    public async Task Resolve_ExistingPath_IsFound(string path, bool followsLast, string canonical, ulong ino)
    {
        using var volume = await NewVolume().OpenAsync();
        using var reader = new VolumeReader(volume);
        var found = await new PathResolver(reader).ResolveAsync(ItemVolume.Bytes(path), followsLast, None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Encoding.UTF8.GetString(found.Path), Is.EqualTo(canonical));
            Assert.That(found.Ino, Is.EqualTo(ino));
        }
    }

    [TestCase("/x", FsError.NotFound, "/x")]
    [TestCase("/d/x/y", FsError.NotFound, "/d/x")]
    [TestCase("/d/f/y", FsError.NotDirectory, "/d/f")]
    [TestCase("/d/f/", FsError.NotDirectory, "/d/f")]
    [TestCase("/loop", FsError.Invalid, "too many symbolic links")]
    [TestCase("/abs", FsError.NotFound, "/mnt/other")]
    public async Task Resolve_NoSuchPath_NamesWhatIsMissing(string path, FsError error, string text)
    {
        using var volume = await NewVolume().OpenAsync();
        using var reader = new VolumeReader(volume);
        var failure = await Assert.ThrowsAsync<VolumeException>(
            () => new PathResolver(reader).ResolveAsync(ItemVolume.Bytes(path), true, None).AsTask());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(failure!.Error, Is.EqualTo(error));
            Assert.That(failure.Message, Does.Contain(text));
        }
    }

    [Test]
    public async Task FindPaths_SeveralLinks_GivesEachOne()
    {
        var items = NewVolume();
        for (ulong i = 0; i < 600; i++)
            items.Link(10, 100 + i, $"link-{i}", 11);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var resolver = new PathResolver(reader);
        var all = await resolver.FindPathsAsync(11, int.MaxValue, None);
        var some = await resolver.FindPathsAsync(11, 3, None);
        var root = await resolver.FindPathsAsync(1, 3, None);
        var none = await resolver.FindPathsAsync(999, 3, None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(all.Select(Encoding.UTF8.GetString).Distinct().Count(), Is.EqualTo(601));
            Assert.That(Encoding.UTF8.GetString(all[^1]), Is.EqualTo("/d/link-599"));
            Assert.That(some, Has.Count.EqualTo(3));
            Assert.That(Encoding.UTF8.GetString(root.Single()), Is.EqualTo("/"));
            Assert.That(none, Is.Empty);
        }
    }

    [Test]
    public async Task FindPaths_DirectoriesInALoop_EndsWithAnError()
    {
        var items = new ItemVolume().AddDirectory(1).AddDirectory(10).AddDirectory(11).AddFile(12);
        items.Link(10, 2, "a", 11, DirentType.Directory).Link(11, 2, "b", 10, DirentType.Directory);
        items.Link(10, 3, "f", 12);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var failure = await Assert.ThrowsAsync<VolumeException>(
            () => new PathResolver(reader).FindPathsAsync(12, 1, None).AsTask());
        Assert.That(failure!.Message, Does.Contain("loop"));
    }

    private static ItemVolume NewVolume()
    {
        var items = new ItemVolume().AddDirectory(1);
        items.AddDirectory(10).Link(1, 2, "d", 10, DirentType.Directory);
        items.AddFile(11).Link(10, 2, "f", 11);
        items.AddSymlink(12, "d").Link(1, 3, "to-d", 12, DirentType.Symlink);
        items.AddSymlink(13, "../to-d/f").Link(10, 3, "up", 13, DirentType.Symlink);
        items.AddSymlink(14, "loop").Link(1, 4, "loop", 14, DirentType.Symlink);
        items.AddSymlink(15, "/mnt/other").Link(1, 5, "abs", 15, DirentType.Symlink);
        return items;
    }
}
