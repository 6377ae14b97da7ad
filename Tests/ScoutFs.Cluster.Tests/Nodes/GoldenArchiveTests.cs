using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>What the engine says of a mounted volume that Linux wrote is what Linux says of it.</summary>
internal sealed class GoldenArchiveTests
{
    private const string Golden = "g4-archive";

    private static readonly CancellationToken None = CancellationToken.None;

    private GoldenVolume _volume = null!;
    private TestNode _node = null!;

    private FileSystem Fs => _node.Fs;

    [OneTimeSetUp]
    public async Task MountAsync()
    {
        _volume = await GoldenVolume.LoadAsync(Golden);
        _node = await TestNode.StartAsync(_volume.Meta, _volume.DataDevice);
    }

    [OneTimeTearDown]
    public async Task UnmountAndCheckAsync()
    {
        await _node.UnmountAsync();
        await MountedFixture.CheckAsync(_volume.Meta, _volume.DataDevice);
    }

    [Test]
    public async Task Totals_OfAVolumeOfLinux_AreEqual()
    {
        var totals = new List<XattrTotal>();
        Assert.That(await Fs.ListTotalsAsync(default, totals, 1000, None), Is.EqualTo(FsError.None));
        Assert.That(
            totals.Select(static total => FormattableString.Invariant(
                $"{total.Name.A}.{total.Name.B}.{total.Name.C} = {total.Total}, {total.Count}")),
            Is.EqualTo(Section("read-xattr-totals")));
    }

    [Test]
    public async Task XattrIndex_OfAVolumeOfLinux_IsEqual()
    {
        var last = new IndexedXattr(byte.MaxValue, ulong.MaxValue, ulong.MaxValue);
        var entries = new List<IndexedXattr>();
        Assert.That(
            await Fs.ListXattrIndexAsync(default, last, entries, 1000, None), Is.EqualTo(FsError.None));
        Assert.That(
            entries.Select(static entry => FormattableString.Invariant(
                $"{entry.Major}.{entry.Minor} = {entry.Ino}")),
            Is.EqualTo(Section("read-xattr-index")));
    }

    [Test]
    public async Task QuotaRules_OfAVolumeOfLinux_AreEqual()
    {
        var rules = new List<QuotaRuleItem>();
        Assert.That((await Fs.ListQuotaRulesAsync(default, rules, 1000, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(rules.Select(Text), Is.EquivalentTo(Section("quota-list").Select(static line => line.Trim())));
    }

    [Test]
    public async Task InodeIndexes_OfAVolumeOfLinux_HaveEveryInodeOnce()
    {
        foreach (var (index, field) in new[] { (InodeIndex.MetaSeq, "meta_seq"), (InodeIndex.DataSeq, "data_seq") })
        {
            var expected = new SortedSet<(ulong Seq, ulong Ino)>();
            foreach (var entry in Entries())
            {
                bool isListed = entry.TryGetProperty("stat_more", out var more)
                    && (index == InodeIndex.MetaSeq || entry.GetProperty("type").ValueEquals("reg"));
                if (isListed)
                    _ = expected.Add((more.GetProperty(field).GetUInt64(), entry.GetProperty("ino").GetUInt64()));
            }

            var walked = new List<IndexedInode>();
            Assert.That(
                await Fs.WalkInodesAsync(
                    index, default, new IndexedInode(ulong.MaxValue, ulong.MaxValue), walked, 100_000, None),
                Is.EqualTo(FsError.None));
            Assert.That(walked.Select(static entry => entry.Ino), Is.Unique);
            Assert.That(walked.Select(static entry => (entry.Seq, entry.Ino)), Is.Ordered);
            Assert.That(expected, Is.Not.Empty);
            Assert.That(expected, Is.SubsetOf(walked.Select(static entry => (entry.Seq, entry.Ino))));
        }
    }

    [Test]
    public async Task Paths_OfEveryInode_AreThoseOfTheManifest()
    {
        foreach (var group in Entries().GroupBy(static entry => entry.GetProperty("ino").GetUInt64()))
        {
            var paths = new List<string>();
            ulong directory = 0;
            ulong pos = 0;
            while (true)
            {
                var (error, link, path) = await Fs.FindPathAsync(group.Key, directory, pos, 65_535, None);
                if (error == FsError.NotFound)
                    break;
                Assert.That(error, Is.EqualTo(FsError.None));
                paths.Add("/" + Encoding.UTF8.GetString(path));
                (directory, pos) = (link.Directory, link.Pos + 1);
            }

            Assert.That(
                paths,
                Is.EquivalentTo(group.Select(static entry => entry.GetProperty("path").GetString()!).Where(
                    static path => path != "/")));
        }
    }

    [Test]
    public async Task Search_ForEachName_FindsAllThatHaveIt()
    {
        var inosByName = new Dictionary<string, SortedSet<ulong>>();
        foreach (var entry in Entries())
        {
            if (!entry.TryGetProperty("xattrs", out var xattrs))
                continue;
            foreach (var xattr in xattrs.EnumerateObject())
            {
                if ((XattrName.TagsOf(Encoding.UTF8.GetBytes(xattr.Name)) & XattrTags.Srch) == 0)
                    continue;
                if (!inosByName.TryGetValue(xattr.Name, out var inos))
                    inosByName.Add(xattr.Name, inos = []);
                _ = inos.Add(entry.GetProperty("ino").GetUInt64());
            }
        }

        Assert.That(inosByName, Is.Not.Empty);
        foreach (var (name, inos) in inosByName)
        {
            var found = new List<ulong>();
            Assert.That(
                await Fs.SearchXattrsAsync(Encoding.UTF8.GetBytes(name), 0, ulong.MaxValue, found, 1000, None),
                Is.EqualTo((FsError.None, true)));
            Assert.That(found, Is.EqualTo(inos), name);
        }
    }

    private static IEnumerable<JsonElement> Entries() =>
        GoldenVolume.Manifest(Golden).Select(static line => JsonSerializer.Deserialize<JsonElement>(line));

    // The lines below "# title …".
    private static List<string> Section(string title) =>
    [
        .. GoldenVolume.FsInfoText(Golden).Split('\n')
            .SkipWhile(line => !line.StartsWith("# " + title, StringComparison.Ordinal)).Skip(1)
            .TakeWhile(static line => !line.StartsWith('#')).Where(static line => line.Length > 0),
    ];

    private static string Text(QuotaRuleItem rule)
    {
        var text = new StringBuilder(FormattableString.Invariant($"{rule.Prio}"));
        for (int i = 0; i < 3; i++)
        {
            char source = "LPUG"[rule.NameSource[i]];
            char select = rule.NameFlags[i] == 1 ? 'S' : '-';
            _ = text.Append(FormattableString.Invariant($" {rule.NameVal[i].Value},{source},{select}"));
        }

        char op = rule.Op == 0 ? 'I' : 'D';
        char counts = rule.RuleFlags == 1 ? 'C' : '-';
        return text.Append(FormattableString.Invariant($" {op} {rule.Limit.Value} {counts}")).ToString();
    }
}
