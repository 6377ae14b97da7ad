using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row projects: project ids and who inherits them (archive §10.8).</summary>
internal sealed class ProjectsTests : AcceptanceFixture
{
    [Test]
    public async Task Project_OfNewInodes_IsTheDirectorys()
    {
        ulong directory = await MakeDirectoryAsync("d");
        Assert.That(await ProjectAsync(directory), Is.Zero);
        Assert.That(await ProjectAsync(await CreateAsync("before", directory)), Is.Zero);
        foreach (ulong project in new ulong[] { 1, int.MaxValue, uint.MaxValue, 1UL << 32, ulong.MaxValue })
        {
            await SetAsync(directory, project);
            Assert.That(await ProjectAsync(await CreateAsync($"f{project}", directory)), Is.EqualTo(project));
            ulong nested = await MakeDirectoryAsync($"d{project}", directory);
            Assert.That(await ProjectAsync(nested), Is.EqualTo(project));
            Assert.That(await ProjectAsync(await MakeDirectoryAsync("deeper", nested)), Is.EqualTo(project));
            var (error, unnamed, _) = await Fs.CreateAsync(
                nested, default, RegularMode, 0, default, default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            Assert.That(await ProjectAsync(unnamed), Is.EqualTo(project));
            Fs.Open(unnamed);
            Fs.Close(unnamed, hasNoLinks: true);
        }

        await RemountAsync();
        Assert.That(await ProjectAsync(directory), Is.EqualTo(ulong.MaxValue));
        await SetAsync(directory, 0);
        Assert.That(await ProjectAsync(await CreateAsync("after", directory)), Is.Zero);
        Assert.That(await ProjectAsync(await MakeDirectoryAsync("dafter", directory)), Is.Zero);
    }

    [Test]
    public async Task Project_OfAnInode_SurvivesRenameAndLink()
    {
        ulong from = await MakeDirectoryAsync("from");
        ulong to = await MakeDirectoryAsync("to");
        await SetAsync(from, 5);
        await SetAsync(to, 6);
        ulong ino = await CreateAsync("f", from);
        Assert.That((await Fs.LinkAsync(ino, to, Name("l"), false, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(
            await Fs.RenameAsync(from, Name("f"), to, Name("f"), false, None), Is.EqualTo(FsError.None));
        Assert.That(await ProjectAsync(ino), Is.EqualTo(5));
        Assert.That(
            (await Fs.RestoreAsync(ino, new ArchiveAttributes { Project = 9 }, None)).Error,
            Is.EqualTo(FsError.None));
        Assert.That(await ProjectAsync(ino), Is.EqualTo(9));
    }

    private async Task<ulong> ProjectAsync(ulong ino) => (await InodeAsync(ino)).Proj;

    private async Task SetAsync(ulong ino, ulong project) => Assert.That(
        (await Fs.SetAttributesAsync(ino, new AttributeChanges { Project = project }, None)).Error,
        Is.EqualTo(FsError.None));
}
