using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row simple-readdir: positions, and listings that begin anywhere (engine §7.3, §14 no. 25).</summary>
internal sealed class SimpleReaddirTests : AcceptanceFixture
{
    private const int Names = 36;

    [Test]
    public async Task Positions_OfNewEntries_CountFromTwo()
    {
        await MakeNamesAsync();
        var entries = await ListAsync(Root);
        Assert.That(entries.Select(entry => entry.Pos), Is.EqualTo(Enumerable.Range(2, Names).Select(i => (ulong)i)));
        Assert.That(entries.Select(entry => entry.Name), Is.EqualTo(Enumerable.Range(0, Names).Select(NameOf)));
        Assert.That((await ListAsync(Root, 20)).Select(entry => entry.Pos), Is.EqualTo(
            Enumerable.Range(20, Names - 18).Select(i => (ulong)i)));
        Assert.That((await ListAsync(Root, 0, batch: 7)).Count, Is.EqualTo(Names));
        Assert.That((await ListAsync(Root, ulong.MaxValue)).Count, Is.Zero);
    }

    [Test]
    public async Task Listing_AfterAMiddleThirdIsRemoved_GoesOnFromEveryCursor()
    {
        await MakeNamesAsync();
        for (int i = 12; i < 24; i++)
            Assert.That(await Fs.UnlinkAsync(Root, NameOf(i), false, None), Is.EqualTo(FsError.None));
        ulong[] left = [.. (await ListAsync(Root)).Select(entry => entry.Pos)];
        Assert.That(left, Has.Length.EqualTo(24));
        for (ulong cursor = 0; cursor < Names + 5; cursor++)
        {
            foreach (int batch in new[] { 1, 5, 100 })
            {
                Assert.That(
                    (await ListAsync(Root, cursor, batch)).Select(entry => entry.Pos),
                    Is.EqualTo(left.Where(pos => pos >= cursor)), $"from {cursor}, {batch} at a time");
            }
        }

        // Positions are never given again; a renamed entry has a new one.
        await CreateAsync("next");
        Assert.That((await ListAsync(Root))[^1].Pos, Is.EqualTo(Names + 2));
        Assert.That(
            await Fs.RenameAsync(Root, NameOf(0), Root, Name("renamed"), false, None), Is.EqualTo(FsError.None));
        var entries = await ListAsync(Root);
        Assert.That((entries[0].Pos, entries[^1].Pos), Is.EqualTo((3, Names + 3)));
    }

    private static byte[] NameOf(int i) => Name(i < 26 ? $"{(char)('a' + i)}" : $"{i - 26}");

    private async Task MakeNamesAsync()
    {
        for (int i = 0; i < Names; i++)
        {
            var (error, _, _) = await Fs.CreateAsync(Root, NameOf(i), RegularMode, 0, default, default, None);
            Assert.That(error, Is.EqualTo(FsError.None));
        }
    }
}
