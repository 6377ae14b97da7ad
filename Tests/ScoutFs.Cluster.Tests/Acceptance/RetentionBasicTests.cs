using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row retention-basic: what a retained file allows (archive §10.7).</summary>
/// <remarks>That only an administrator may set and clear it is the caller's to check.</remarks>
internal sealed class RetentionBasicTests : AcceptanceFixture
{
    private const FsError Refused = FsError.NotPermitted;

    [Test]
    public async Task Retention_OfADirectory_IsInvalid()
    {
        ulong directory = await MakeDirectoryAsync("d");
        Assert.That(await RetainAsync(directory, true), Is.EqualTo(FsError.Invalid));
        Assert.That(await RetainAsync(directory, false), Is.EqualTo(FsError.Invalid));
    }

    // Engine §14 no. 74: fallocate, too.
    [Test]
    public async Task Changes_OfARetainedFile_AreRefusedUntilItIsCleared()
    {
        ulong ino = await CreateAsync("f");
        _ = await CreateAsync("other");
        await WriteBlocksAsync(ino, 0, 2);
        Assert.That(await RetainAsync(ino, true), Is.EqualTo(FsError.None));
        var before = await InodeAsync(ino);
        await ChangeAsync(ino, Refused);
        Assert.That(await InodeAsync(ino), Is.EqualTo(before));
        Assert.That(
            (await Fs.RestoreAsync(ino, new ArchiveAttributes { Project = 5 }, None)).Error, Is.EqualTo(Refused));
        Assert.That(await RetainAsync(ino, true), Is.EqualTo(Refused));
        Assert.That(await Fs.PunchOfflineAsync(ino, 0, Block, before.DataVersion, None), Is.EqualTo(Refused));
        Assert.That(
            await Fs.RenameAsync(1, Name("other"), 1, Name("f"), false, None), Is.EqualTo(Refused), "as a target");
        Assert.That(await Fs.UnlinkAsync(Root, Name("f"), false, None), Is.EqualTo(Refused));

        await RemountAsync();
        Assert.That(await ReadAsync(ino, 0, 10), Has.Length.EqualTo(10));
        Assert.That((await Fs.LinkAsync(ino, Root, Name("l"), false, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(await TrySetXattrAsync(ino, "scoutfs.hide.state", [1]), Is.EqualTo(FsError.None));
        Assert.That(await TrySetXattrAsync(ino, "trusted.state", [1]), Is.EqualTo(FsError.None));
        byte[] contents = await ReadAsync(ino, 0, 2 * (int)Block);
        await ReleaseAsync(ino);
        await StageAsync(ino, 0, contents);

        Assert.That(await RetainAsync(ino, false), Is.EqualTo(FsError.None));
        await ChangeAsync(ino, FsError.None);
        await UnlinkAsync("l");
        await UnlinkAsync("renamed");
    }

    private async Task<FsError> RetainAsync(ulong ino, bool isRetained) =>
        (await Fs.RestoreAsync(ino, new ArchiveAttributes { IsRetained = isRetained }, None)).Error;

    private async Task ChangeAsync(ulong ino, FsError expected)
    {
        Assert.That(await Fs.FallocateAsync(ino, 0, 10 * Block, false, None), Is.EqualTo(expected));
        Assert.That((await Fs.WriteAsync(ino, 0, new byte[1], false, false, None)).Error, Is.EqualTo(expected));
        Assert.That((await Fs.TruncateAsync(ino, 5, None)).Error, Is.EqualTo(expected));
        Assert.That((await Fs.TruncateAsync(ino, 100, None)).Error, Is.EqualTo(expected));
        Assert.That(
            (await Fs.SetAttributesAsync(ino, new AttributeChanges { Mtime = Fs.Now, Atime = Fs.Now }, None)).Error,
            Is.EqualTo(expected));
        Assert.That(
            (await Fs.SetAttributesAsync(ino, new AttributeChanges { Permissions = 0x1ff }, None)).Error,
            Is.EqualTo(expected));
        Assert.That(
            (await Fs.SetAttributesAsync(ino, new AttributeChanges { Uid = 1, Gid = 1 }, None)).Error,
            Is.EqualTo(expected));
        Assert.That(await TrySetXattrAsync(ino, "user.a", [1]), Is.EqualTo(expected));
        Assert.That(
            await Fs.RenameAsync(1, Name("f"), 1, Name("renamed"), false, None), Is.EqualTo(expected));
    }
}
