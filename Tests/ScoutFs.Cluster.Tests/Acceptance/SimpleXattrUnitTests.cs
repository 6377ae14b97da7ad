using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row simple-xattr-unit: names, values, flags, tags (archive §10.2, §10.3).</summary>
internal sealed class SimpleXattrUnitTests : AcceptanceFixture
{
    private const int MaxValue = FormatConstants.MaxXattrValueBytes;
    private const int PartBytes = FormatConstants.MaxValueBytes;
    private const int HeaderBytes = 8;

    [Test]
    public async Task Names_OfEveryLength_AreKept()
    {
        ulong ino = await CreateAsync("f");
        for (int length = 6; length <= 255; length++)
            Assert.That(await TrySetXattrAsync(ino, NameOf(length), Random(length)), Is.EqualTo(FsError.None));
        await RemountAsync();
        for (int length = 6; length <= 255; length++)
            await IsAsync(ino, NameOf(length), Random(length));
        var (error, listed) = await Fs.ListXattrsAsync(ino, None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(
            listed.Select(one => Encoding.UTF8.GetString(one.Name)),
            Is.EquivalentTo(Enumerable.Range(6, 250).Select(NameOf)));
        Assert.That(await TrySetXattrAsync(ino, NameOf(256), []), Is.EqualTo(FsError.BufferTooSmall));
    }

    [Test]
    public async Task Values_OfRandomLengths_AreKept()
    {
        var prng = new Prng(11);
        ulong ino = await CreateAsync("f");
        Dictionary<string, byte[]> expected = [];
        for (int i = 0; i < 60; i++)
        {
            string name = NameOf(6 + prng.NextInt32(250));
            byte[] value = Random(prng.NextInt32(MaxValue + 1), (ulong)i);
            Assert.That(await TrySetXattrAsync(ino, name, value), Is.EqualTo(FsError.None));
            expected[name] = value;
        }

        await RemountAsync();
        foreach (var (name, value) in expected)
            await IsAsync(ino, name, value);
        Assert.That(
            await TrySetXattrAsync(ino, "user.a", new byte[MaxValue + 1]), Is.EqualTo(FsError.FileTooLarge));
    }

    // Engine §14 no. 45: nothing of the longer value is left; the check at unmount counts parts.
    [Test]
    public async Task Value_ReplacedByLongerAndShorter_HasNoOldParts()
    {
        const string Name = "user.resized";
        int first = PartBytes - HeaderBytes - Name.Length;
        int[] around = [-1, 0, 1];
        int[] borders = [.. around.SelectMany(by => new[] { first + by, first + PartBytes + by, PartBytes + by })];
        int[] lengths =
        [
            MaxValue, 1, PartBytes, PartBytes + 1, MaxValue, 0, 3, .. borders, MaxValue - 1, .. borders.Reverse(),
        ];
        ulong ino = await CreateAsync("f");
        foreach (bool isSynced in new[] { false, true })
        {
            foreach (int length in lengths)
            {
                Assert.That(await TrySetXattrAsync(ino, Name, Random(length)), Is.EqualTo(FsError.None));
                if (isSynced)
                    await SyncAsync();
                await IsAsync(ino, Name, Random(length));
            }
        }

        Assert.That((await Fs.ListXattrsAsync(ino, None)).Names, Has.Count.EqualTo(1));
        Assert.That((await InodeAsync(ino)).NextXattrId.Value, Is.EqualTo(1), "a replaced xattr keeps its id");
        await RemountAsync();
        await IsAsync(ino, Name, Random(lengths[^1]));
    }

    // Engine §14 no. 46.
    [Test]
    public async Task Value_OfGreatestLengthOnTheLastInodeOfAGroup_IsRead()
    {
        ulong ino = 0;
        for (int i = 0; ino % 1024 != 1023; i++)
            ino = await CreateAsync($"f{i}");
        Assert.That(await TrySetXattrAsync(ino, NameOf(255), Random(MaxValue)), Is.EqualTo(FsError.None));
        await RemountAsync();
        await IsAsync(ino, NameOf(255), Random(MaxValue));
    }

    [Test]
    public async Task Modes_CreateAndReplace_CheckWhatIsThere()
    {
        ulong ino = await CreateAsync("f");
        Assert.That(await TrySetXattrAsync(ino, "user.a", [1], XattrMode.Replace), Is.EqualTo(FsError.NoXattr));
        Assert.That(await TrySetXattrAsync(ino, "user.a", [1], XattrMode.Create), Is.EqualTo(FsError.None));
        Assert.That(await TrySetXattrAsync(ino, "user.a", [2], XattrMode.Create), Is.EqualTo(FsError.Exists));
        await IsAsync(ino, "user.a", [1]);
        Assert.That(await TrySetXattrAsync(ino, "user.a", [], XattrMode.Replace), Is.EqualTo(FsError.None));
        await IsAsync(ino, "user.a", []);
        Assert.That(await TrySetXattrAsync(ino, "user.a", null), Is.EqualTo(FsError.None));
        Assert.That(await TrySetXattrAsync(ino, "user.a", null), Is.EqualTo(FsError.NoXattr));
        Assert.That((await Fs.GetXattrAsync(ino, Name("user.a"), None)).Error, Is.EqualTo(FsError.NoXattr));
    }

    [TestCase("trusted.a", FsError.None)]
    [TestCase("security.a", FsError.None)]
    [TestCase("other.a", FsError.Unsupported)]
    [TestCase("user", FsError.Unsupported)]
    [TestCase("system.a", FsError.Unsupported)]
    [TestCase("scoutfs.short", FsError.None)] // Shorter than a prefix, a tag and a byte: an ordinary one.
    [TestCase("scoutfs.unknown", FsError.Invalid)]
    [TestCase("scoutfs.hide.a", FsError.None)]
    [TestCase("scoutfs.srch.a", FsError.None)]
    [TestCase("scoutfs.hide.hide.a", FsError.Invalid)]
    [TestCase("scoutfs.hide.srch.a", FsError.None)]
    [TestCase("scoutfs.srch.hide.a", FsError.None)]
    [TestCase("scoutfs.srch.hide.srch.a", FsError.Invalid)]
    [TestCase("scoutfs.totl.indx.a.1.2", FsError.Invalid)]
    [TestCase("scoutfs.hide.a.srch.b", FsError.None)] // The first that is no tag ends the list.
    public async Task Name_WithTags_IsCheckedAndCreatesNothingWhenRefused(string name, FsError expected)
    {
        ulong ino = await CreateAsync("f");
        Assert.That(await TrySetXattrAsync(ino, name, []), Is.EqualTo(expected));
        var (_, listed) = await Fs.ListXattrsAsync(ino, None);
        Assert.That(listed, Has.Count.EqualTo(expected == FsError.None ? 1 : 0));
        Assert.That(
            listed.Count(one => one.IsHidden),
            Is.EqualTo(name.Contains("hide.", StringComparison.Ordinal) ? listed.Count : 0));
    }

    private static string NameOf(int length) => "user." + new string('n', length - 5);

    private async Task IsAsync(ulong ino, string name, byte[] value)
    {
        var (error, read) = await Fs.GetXattrAsync(ino, Name(name), None);
        Assert.That(error, Is.EqualTo(FsError.None), name);
        Assert.That(read.AsSpan().SequenceEqual(value), Is.True, $"{name}: {read.Length} bytes of {value.Length}");
    }
}
