using System.Threading.Tasks;
using NUnit.Framework;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row basic-block-counts: online, offline and POSIX blocks.</summary>
internal sealed class BasicBlockCountsTests : AcceptanceFixture
{
    [Test]
    public async Task Counts_WriteReleaseStageTruncate_AreTheListedOnes()
    {
        ulong file = await CreateAsync("f");
        byte[] contents = Random(8192);
        await WriteAsync(file, 0, contents[..4096]);
        await IsAsync(file, 1, 0, 8);
        await WriteAsync(file, 0, contents[..4096]);
        await IsAsync(file, 1, 0, 8);
        await WriteAsync(file, 4096, contents[4096..]);
        await IsAsync(file, 2, 0, 16);
        foreach (ulong length in new ulong[] { 8192, 8192, 65536 })
        {
            ulong version = await VersionAsync(file);
            Assert.That((await Fs.ReleaseAsync(file, 0, length, version, None)).ToString(), Is.EqualTo("None"));
            await IsAsync(file, 0, 2, 16);
        }

        await StageAsync(file, 0, contents);
        await IsAsync(file, 2, 0, 16);
        await StageAsync(file, 0, contents);
        await IsAsync(file, 2, 0, 16);

        ulong large = await CreateAsync("large");
        await WriteAsync(large, 0, Random(1 << 20));
        await IsAsync(large, 256, 0, 2048);
        _ = await Fs.TruncateAsync(large, 512 << 10, None);
        await IsAsync(large, 128, 0, 1024);

        ulong sparse = await CreateAsync("sparse");
        await WriteAsync(sparse, 1UL << 40, contents[..4096]);
        await IsAsync(sparse, 1, 0, 8);
        await IsAsync(await CreateAsync("empty"), 0, 0, 0);
        await IsAsync(await MakeDirectoryAsync("dir"), 0, 0, 0);
    }

    private async Task IsAsync(ulong ino, ulong online, ulong offline, ulong posix)
    {
        var counts = await CountsAsync(ino);
        Assert.That((counts.Online, counts.Offline, (counts.Online + counts.Offline) * 8),
            Is.EqualTo((online, offline, posix)));
    }
}
