using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;

namespace ScoutFs.Integration.Tests;

/// <summary>The tour, and that it owns the files it makes and no others.</summary>
internal sealed class CliTourTests
{
    private const string Meta = "scoutfs-sample-meta.img";
    private const string Data = "scoutfs-sample-data.img";

    [Test]
    public async Task Tour_NewDirectory_ShowsEveryStepAndKeepsTheSample()
    {
        using var images = CliImages.Empty(4096, 4096);
        string directory = images.InDirectory("tour");

        var run = (await CliRun.RunAsync("tour", directory)).Expect(0);
        foreach (string command in new[] { "tree", "stat", "cat", "find" })
            Assert.That(run.Output, Does.Contain($"$ scoutfs volume {command} META DATA"));
        Assert.That(run.Output, Does.Contain(": clean, 0 errors, 1 warnings\n"));
        Assert.That(run.Output, Does.Contain("/hard/orig\nhardlinked content\n\nWhich files"));
        Assert.That(NamesIn(directory), Is.EquivalentTo(new[] { Meta, Data }));

        // A second tour uses what is there.
        _ = (await CliRun.RunAsync("tour", directory)).Expect(0);
    }

    [Test]
    public async Task Tour_OtherImagesInTheDirectory_AreNotTouched()
    {
        // Names that a user would give to images are no names of the tour's.
        using var images = await CliImages.FormattedAsync();
        byte[] before = await CliImages.HeadAsync(images.Meta);
        _ = (await CliRun.RunAsync("tour", Path.GetDirectoryName(images.Meta)!)).Expect(0);
        Assert.That(await CliImages.HeadAsync(images.Meta), Is.EqualTo(before));
        Assert.That(images.Names(), Is.EquivalentTo(new[] { "meta.img", "data.img", Meta, Data }));
    }

    [TestCase(true, true)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    public async Task Tour_OthersFilesHaveItsNames_IsRefusedAndChangesNothing(bool hasMeta, bool hasData)
    {
        using var images = await CliImages.FormattedAsync();
        string directory = Path.GetDirectoryName(images.Meta)!;
        if (hasMeta)
            File.Move(images.Meta, Path.Combine(directory, Meta));
        if (hasData)
            File.Move(images.Data, Path.Combine(directory, Data));
        string[] before = [.. images.Names()];

        (await CliRun.RunAsync("tour", directory)).ExpectFailure(
            "tour failed: File exists (17)", "are not the tour's sample");
        Assert.That(images.Names(), Is.EquivalentTo(before));
    }

    [Test]
    public async Task Tour_VolumeOverTheSample_IsRefused()
    {
        using var images = CliImages.Empty(4096, 4096);
        string directory = images.InDirectory("tour");
        _ = (await CliRun.RunAsync("tour", directory)).Expect(0);
        var (meta, data) = (Path.Combine(directory, Meta), Path.Combine(directory, Data));
        _ = (await CliRun.RunAsync("mkfs", "-f", "-A", "-Q", "0,10.0.0.1,5000", meta, data)).Expect(0);

        (await CliRun.RunAsync("tour", directory)).ExpectFailure("tour failed: File exists (17)", "belongs to");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Tour_Interrupted_LeavesNothingBehind(bool isDirectoryThere)
    {
        using var images = CliImages.Empty(4096, 4096);
        string directory = images.InDirectory("tour");
        if (isDirectoryThere)
            _ = Directory.CreateDirectory(directory);

        _ = (await CliRun.RunAsync(new CancellationToken(true), "tour", directory)).Expect(130);
        Assert.That(Directory.Exists(directory), Is.EqualTo(isDirectoryThere));
        Assert.That(isDirectoryThere && NamesIn(directory).Length > 0, Is.False);
    }

    [Test]
    public async Task Tour_FileInPlaceOfTheDirectory_IsRefused()
    {
        using var images = CliImages.Empty(4096, 4096);
        (await CliRun.RunAsync("tour", images.Meta)).ExpectFailure("tour failed: Not a directory (20)", "is a file");
    }

    private static string[] NamesIn(string directory) =>
        [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path)!)];
}
