using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>
/// Xattrs with tags (archive §9.9, §9.14, §10.3–10.5; rows totl-xattr-tag, totl-delta-inject, basic-xattr-indx and
/// srch-basic-functionality of engine §15).
/// </summary>
internal sealed class TaggedXattrTests : MountedFixture
{
    private static readonly IndexedXattr IndexFirst = new(0, 0, 0);
    private static readonly IndexedXattr IndexLast = new(byte.MaxValue, ulong.MaxValue, ulong.MaxValue);

    [Test]
    public async Task Totals_ThroughSetUpdateRemoveDelete_AreTheSums()
    {
        ulong one = await CreateAsync("one");
        ulong two = await CreateAsync("two");
        Assert.That(await TotalsAsync(), Is.Empty);
        await SetXattrAsync(one, "scoutfs.totl.a.1.2.3", "10");
        await SetXattrAsync(two, "scoutfs.totl.b.1.0x2.03", "0x10");
        await SetXattrAsync(two, "scoutfs.totl.b.0.0.0", "1");
        Assert.That(await TotalsAsync(), Is.EqualTo(new[] { Total(0, 0, 0, 1, 1), Total(1, 2, 3, 26, 2) }));
        await SetXattrAsync(one, "scoutfs.totl.a.1.2.3", "4");
        Assert.That(await TotalsAsync(), Is.EqualTo(new[] { Total(0, 0, 0, 1, 1), Total(1, 2, 3, 20, 2) }));
        await SetXattrAsync(one, "scoutfs.totl.a.1.2.3", null);
        Assert.That(await TotalsAsync(), Is.EqualTo(new[] { Total(0, 0, 0, 1, 1), Total(1, 2, 3, 16, 1) }));
        await UnlinkAsync("two");
        await DrainAsync();
        Assert.That(await TotalsAsync(), Is.Empty);
    }

    [Test]
    public async Task Totals_WithinOneTransactionAndInPieces_AreComplete()
    {
        ulong ino = await CreateAsync("f");
        for (int i = 0; i < 200; i++)
            await SetXattrAsync(ino, FormattableString.Invariant($"scoutfs.totl.x.{i / 50}.{i}.{ulong.MaxValue}"), "7");
        await SetXattrAsync(ino, FormattableString.Invariant($"scoutfs.totl.x.0.0.{ulong.MaxValue}"), null);
        var all = await TotalsAsync();
        Assert.That(all, Has.Count.EqualTo(199));
        Assert.That(all.All(static total => total is { Total: 7, Count: 1 }), Is.True);
        var pieces = new List<XattrTotal>();
        var piece = new List<XattrTotal>();
        var at = new TotalName(0, 0, 0);
        do
        {
            Assert.That(await Fs.ListTotalsAsync(at, piece, 13, None), Is.EqualTo(FsError.None));
            pieces.AddRange(piece);
            if (piece.Count > 0)
                at = new TotalName(piece[^1].Name.A, piece[^1].Name.B + 1, 0);
        }
        while (piece.Count > 0);
        Assert.That(pieces, Is.EqualTo(all));
    }

    [TestCase("scoutfs.totl.1.2", "1")]
    [TestCase("scoutfs.totl.a.1.2.x", "1")]
    [TestCase("scoutfs.totl.a.1.2.18446744073709551616", "1")]
    [TestCase("scoutfs.totl.a.1.2.+3", "1")]
    [TestCase("scoutfs.totl.a.1..3", "1")]
    [TestCase("scoutfs.totl.a.1.2.3", "")]
    [TestCase("scoutfs.totl.a.1.2.3", "x")]
    [TestCase("scoutfs.totl.a.1.2.3", "1\n")]
    [TestCase("scoutfs.totl.a.1.2.3", "000000000000000000000001")]
    [TestCase("scoutfs.totl.indx.a.1.2.3", "1")]
    [TestCase("scoutfs.totl.totl.a.1.2.3", "1")]
    [TestCase("scoutfs.indx.a.256.1", "")]
    [TestCase("scoutfs.indx.a.1", "")]
    [TestCase("scoutfs.indx.a.1.2", "1")]
    [TestCase("scoutfs.other.a.1.2.3", "1")]
    public async Task Set_OfAMalformedNameOrValue_IsInvalidAndLeavesNothing(string name, string value)
    {
        ulong ino = await CreateAsync("f");
        Assert.That(
            await Fs.SetXattrAsync(ino, Name(name), Name(value), XattrMode.Any, None), Is.EqualTo(FsError.Invalid));
        Assert.That((await Fs.ListXattrsAsync(ino, None)).Names, Is.Empty);
        Assert.That(await TotalsAsync(), Is.Empty);
        Assert.That(await IndexAsync(IndexFirst, IndexLast), Is.Empty);
    }

    [Test]
    public async Task Inject_ThereAndBack_LeavesTheXattrsSum()
    {
        ulong ino = await CreateAsync("f");
        var name = new TotalName(1, 2, 3);
        await SetXattrAsync(ino, "scoutfs.totl.a.1.2.3", "42");
        Assert.That(await Fs.InjectTotalAsync(name, 128, 2, None), Is.EqualTo(FsError.None));
        Assert.That(await TotalsAsync(), Is.EqualTo(new[] { Total(1, 2, 3, 170, 3) }));
        await SetXattrAsync(ino, "scoutfs.totl.a.1.2.3", null);
        Assert.That(await TotalsAsync(), Is.EqualTo(new[] { Total(1, 2, 3, 128, 2) }));
        Assert.That(
            await Fs.InjectTotalAsync(name, unchecked(0UL - 128), unchecked(0UL - 2), None),
            Is.EqualTo(FsError.None));
        Assert.That(await TotalsAsync(), Is.Empty);
    }

    [Test]
    public async Task Index_ThroughSetRemoveDelete_HasWhatExists()
    {
        ulong one = await CreateAsync("one");
        ulong two = await CreateAsync("two");
        await SetXattrAsync(two, "scoutfs.indx.a.0.0", "");
        await SetXattrAsync(one, "scoutfs.indx.b.255.18446744073709551615", "");
        await SetXattrAsync(one, "scoutfs.indx.c.7.300", "");
        await SetXattrAsync(one, "scoutfs.indx.d.7.300", "");
        await SetXattrAsync(two, "scoutfs.indx.c.7.300", "");
        await SetXattrAsync(two, "scoutfs.indx.c.7.300", "");
        var all = new[]
        {
            new IndexedXattr(0, 0, two), new IndexedXattr(7, 300, one), new IndexedXattr(7, 300, two),
            new IndexedXattr(255, ulong.MaxValue, one),
        };
        Assert.That(await IndexAsync(IndexFirst, IndexLast), Is.EqualTo(all));
        Assert.That(await IndexAsync(all[1], all[2]), Is.EqualTo(all[1..3]));
        Assert.That(await IndexAsync(all[1], all[1]), Is.EqualTo(all[1..2]));
        Assert.That(await IndexAsync(all[0] with { Ino = two + 1 }, IndexLast, 2), Is.EqualTo(all[1..3]));
        var entries = new List<IndexedXattr>();
        Assert.That(
            await Fs.ListXattrIndexAsync(all[1], all[0], entries, 10, None), Is.EqualTo(FsError.Invalid));

        // One of two names at a place.
        await SetXattrAsync(one, "scoutfs.indx.c.7.300", null);
        Assert.That(await IndexAsync(IndexFirst, IndexLast), Is.EqualTo(all));
        await SetXattrAsync(one, "scoutfs.indx.d.7.300", null);
        Assert.That(await IndexAsync(all[1], all[1]), Is.Empty);
        await UnlinkAsync("two");
        await DrainAsync();
        Assert.That(await IndexAsync(IndexFirst, IndexLast), Is.EqualTo(all[3..]));
    }

    [Test]
    public async Task Search_AfterCommits_FindsThoseThatHaveIt()
    {
        byte[] name = Name("scoutfs.srch.x");
        var inos = new List<ulong>();
        for (int i = 0; i < 60; i++)
        {
            ulong ino = await CreateAsync(FormattableString.Invariant($"f{i}"));
            inos.Add(ino);
            await SetXattrAsync(ino, "scoutfs.srch.x", "1");
            await SetXattrAsync(ino, "scoutfs.srch.other", "1");
            await SetXattrAsync(ino, "scoutfs.srch.x", "2");
            if (i % 20 == 0)
                await SyncAsync();
        }

        await SyncAsync();
        await SearchAsync(name, 0, ulong.MaxValue, 1000, true, inos);
        await SearchAsync(name, inos[5], inos[9], 1000, true, inos[5..10]);
        await SearchAsync(name, 0, ulong.MaxValue, 7, false, inos[..7]);
        for (int i = 0; i < 60; i += 2)
            await SetXattrAsync(inos[i], "scoutfs.srch.x", null);
        await UnlinkAsync("f1");
        await DrainAsync();
        await SyncAsync();
        var left = inos.Where((_, i) => i % 2 == 1 && i != 1).ToList();
        await SearchAsync(name, 0, ulong.MaxValue, 1000, true, left);
        await SearchAsync(Name("scoutfs.srch.none"), 0, ulong.MaxValue, 10, true, []);
        var found = new List<ulong>();
        foreach (string bad in new[] { "user.x", "scoutfs.hide.x", "scoutfs.srch.srch.x", new string('x', 256) })
        {
            Assert.That(
                (await Fs.SearchXattrsAsync(Name(bad), 0, 1, found, 10, None)).Error, Is.EqualTo(FsError.Invalid));
        }

        Assert.That(await Fs.SearchXattrsAsync(name, 2, 1, found, 10, None), Is.EqualTo((FsError.None, false)));
        Assert.That(await Fs.SearchXattrsAsync(name, 1, 2, found, 0, None), Is.EqualTo((FsError.None, false)));
    }

    [Test]
    public async Task HiddenList_InPieces_HasHiddenXattrsAlone()
    {
        ulong ino = await CreateAsync("f");
        var expected = new SortedSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < 30; i++)
        {
            string name = i.ToString(CultureInfo.InvariantCulture).PadLeft(3, 'x');
            await SetXattrAsync(ino, "user." + name, "1");
            await SetXattrAsync(ino, "scoutfs.hide." + name, "1");
            _ = expected.Add("scoutfs.hide." + name);
        }

        var found = new SortedSet<string>(StringComparer.Ordinal);
        var piece = new List<ListedXattr>();
        uint hash = 0;
        ulong id = 0;
        while (true)
        {
            Assert.That(await Fs.ListHiddenXattrsAsync(ino, hash, id, piece, 40, None), Is.EqualTo(FsError.None));
            if (piece.Count == 0)
                break;
            Assert.That(piece, Has.Count.LessThanOrEqualTo(2));
            foreach (var xattr in piece)
                Assert.That(found.Add(System.Text.Encoding.UTF8.GetString(xattr.Name)), Is.True);
            (hash, id) = (piece[^1].Hash, piece[^1].Id + 1);
        }

        Assert.That(found, Is.EqualTo(expected));
        Assert.That(
            await Fs.ListHiddenXattrsAsync(ino, 0, 0, piece, 16, None), Is.EqualTo(FsError.BufferTooSmall));
    }

    private static XattrTotal Total(ulong a, ulong b, ulong c, ulong total, ulong count) =>
        new(new TotalName(a, b, c), total, count);

    private async Task<List<XattrTotal>> TotalsAsync()
    {
        await SyncAsync();
        Assert.That(await Fs.ForgetWeakReadsAsync(None), Is.EqualTo(FsError.None));
        var totals = new List<XattrTotal>();
        Assert.That(await Fs.ListTotalsAsync(default, totals, 1000, None), Is.EqualTo(FsError.None));
        return totals;
    }

    private async Task<List<IndexedXattr>> IndexAsync(IndexedXattr first, IndexedXattr last, int limit = 1000)
    {
        await SyncAsync();
        Assert.That(await Fs.ForgetWeakReadsAsync(None), Is.EqualTo(FsError.None));
        var entries = new List<IndexedXattr>();
        Assert.That(await Fs.ListXattrIndexAsync(first, last, entries, limit, None), Is.EqualTo(FsError.None));
        return entries;
    }

    private async Task SearchAsync(
        byte[] name, ulong first, ulong last, int limit, bool isEnd, List<ulong> expected)
    {
        var inos = new List<ulong>();
        Assert.That(
            await Fs.SearchXattrsAsync(name, first, last, inos, limit, None), Is.EqualTo((FsError.None, isEnd)));
        Assert.That(inos, Is.EqualTo(expected));
    }
}
