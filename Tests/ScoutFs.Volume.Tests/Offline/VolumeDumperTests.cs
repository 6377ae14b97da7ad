using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>The dump against what the reference's own print says of the same volumes.</summary>
public sealed class VolumeDumperTests
{
    [Test]
    public async Task Dump_SuperAndQuorumOfG1_SayWhatTheReferencePrints()
    {
        var records = await DumpAsync("g1-basic", new DumpOptions { SkipsLarge = true });

        var super = records.Single(record => record.Kind == "super").Fields;
        Assert.That(super["header.fsid"], Is.EqualTo("9ba7817bdc51089c"));
        Assert.That(super["header.seq"], Is.EqualTo("16"));
        Assert.That(super["next_ino"], Is.EqualTo("21504"));
        Assert.That(super["seq"], Is.EqualTo("15"));
        Assert.That(super["meta_alloc[0].total_len"], Is.EqualTo("107020"));
        Assert.That(super["meta_alloc[1].root.ref.blkno"], Is.EqualTo("44"));
        Assert.That(super["server_meta_avail[1].first_nr"], Is.EqualTo("8136"));
        Assert.That(super["server_meta_freed[0].total_nr"], Is.EqualTo("12"));
        Assert.That(super["quorum_config.slots[0].port"], Is.EqualTo("19700"));
        var quorum = records.First(record => record.Kind == "quorum").Fields;
        Assert.That(quorum["write_nr"], Is.EqualTo("6"));
        Assert.That(quorum["events[5].rid"], Is.EqualTo("a3c917364e356d80"));
        Assert.That(quorum["events[0].nsec"], Is.EqualTo("364921728"));
        Assert.That(records.Count(record => record.Kind == "quorum"), Is.EqualTo(15));
    }

    [TestCase("g2-multi")]
    [TestCase("g4-archive")]
    [TestCase("g8-srch")]
    public async Task Dump_GoldenVolume_HasEveryTreeAndNoProblem(string name)
    {
        var records = await DumpAsync(name, new DumpOptions());

        Assert.That(records.Where(record => record.Kind == "problem"), Is.Empty);
        var trees = records.Where(record => record.Kind == "tree").Select(record => record.Structure).ToList();
        Assert.That(trees, Is.SupersetOf(new[] { "logs_root", "fs_root", "srch_root", "data_alloc" }));
        int logTrees = records.Count(record => record.Structure == "logs_root" && record.Kind == "item");
        Assert.That(trees.Count(tree => tree.EndsWith(" item_root", StringComparison.Ordinal)), Is.EqualTo(logTrees));
    }

    // Counted in what the reference prints: blocks of trees, their items with references to children, srch entries.
    [TestCase("g0-empty", 4, 8, 0)]
    [TestCase("g1-basic", 21, 2695, 0)]
    [TestCase("g2-multi", 114, 38954, 0)]
    [TestCase("g4-archive", 10, 1231, 112)]
    [TestCase("g8-srch", 244, 72716, 18750)]
    public async Task Dump_GoldenVolume_HasAsManyStructuresAsTheReferencePrints(
        string name, int blocks, int items, int srchEntries)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        var counts = new Dictionary<string, int>();
        await VolumeDumper.DumpAsync(
            golden.Meta,
            new DumpOptions(),
            record => counts[record.Kind] = counts.GetValueOrDefault(record.Kind) + 1,
            progress: null,
            CancellationToken.None);

        Assert.That(counts["block"], Is.EqualTo(blocks));
        Assert.That(counts["item"] + counts.GetValueOrDefault("reference"), Is.EqualTo(items));
        Assert.That(counts.GetValueOrDefault("srch_entry"), Is.EqualTo(srchEntries));
    }

    [Test]
    public async Task Dump_LayoutOfATree_IsWhatTheReferencePrints()
    {
        var records = await DumpAsync("g4-archive", new DumpOptions { Tree = "meta_alloc[0]", ShowsLayout = true });

        var block = records.Single(record => record.Kind == "block").Fields;
        Assert.That(block["header.crc"], Is.EqualTo("9204aef6"));
        Assert.That(block["header.blkno"], Is.EqualTo("1041"));
        Assert.That(block["total_item_bytes"], Is.EqualTo("112"));
        Assert.That(block["mid_free_len"], Is.EqualTo("62352"));
        Assert.That(block["item_root"], Is.EqualTo("16"));
        Assert.That(block["leaf_hash"], Is.EqualTo("716:48 909:104"));
        string[] layout = ["offset", "parent", "left", "right", "avl_height", "first", "last", "count"];
        var items = records.Where(record => record.Kind == "item")
            .Select(record => string.Join(' ', layout.Select(name => record.Fields[name])));
        Assert.That(items, Is.EqualTo(new[]
        {
            "104 16 0 0 1 24568 131587 107020",
            "48 0 72 0 2 24568 131587 107020",
        }));
        Assert.That(records[^1].Fields["order"], Is.EqualTo("5"));
    }

    [Test]
    public async Task Dump_SrchEntries_AreThoseThatTheReferencePrints()
    {
        var records = await DumpAsync("g4-archive", new DumpOptions { Tree = "srch" });

        var entries = records.Where(record => record.Kind == "srch_entry")
            .Select(record => $"{record.Fields["hash"]}.{record.Fields["ino"]}.{record.Fields["id"]}")
            .ToList();
        Assert.That(entries, Has.Count.EqualTo(112));
        Assert.That(entries[0], Is.EqualTo("9eff5f9b858dcca0.11287.0"));
        Assert.That(entries[1], Is.EqualTo("1d1e6858c1dbc991.11287.6"));
        Assert.That(entries[111], Is.EqualTo("902e855903ba24d9.11352.0"));
    }

    [Test]
    public async Task Dump_XattrIndexItem_TellsWhatItsKeyMeans()
    {
        var records = await DumpAsync("g4-archive", new DumpOptions { Zone = KeyZone.XattrIndex });

        const string Key = "14.109.0.6917529027641081900.3674937295934324736.1";
        var item = records.First(record => record.Fields["key"] == Key);
        string[] names = ["major", "minor", "ino", "xattr_id", "type"];
        Assert.That(
            names.Select(name => item.Fields[name]), Is.EqualTo(new[] { "0", "28000", "11315", "1", "xattr index" }));
    }

    [Test]
    public async Task Dump_OneInode_ShowsItsItemsOnly()
    {
        var records = await DumpAsync("g1-basic", new DumpOptions { Tree = "log_trees", Ino = 11423 });

        var items = records.Where(record => record.Kind == "item").ToList();
        Assert.That(items, Is.Not.Empty);
        Assert.That(items.Count(item => item.Fields["type"] == "inode"), Is.EqualTo(1));
        Assert.That(items.Count(item => item.Fields["type"] == "link backref"), Is.EqualTo(13));
        Assert.That(items.Select(item => item.Fields["key"]), Has.All.Contains(".11423."));
    }

    [Test]
    public async Task Dump_UnreadableTreeBlock_SaysSoAndGoesOn()
    {
        var golden = await GoldenVolume.LoadAsync("g1-basic");
        using var volume = await OfflineVolume.OpenAsync(
            golden.Meta, golden.DataDevice, OfflineVolume.DefaultCacheBytes, CancellationToken.None);
        long offset = (long)(volume.Super.DataAlloc.Root.Ref.Blkno * FormatConstants.LargeBlockBytes);
        _ = await golden.Meta.WriteAsync(offset, new byte[4096], CancellationToken.None);

        var records = await DumpAsync(golden, new DumpOptions());

        var problem = records.Single(record => record.Kind == "problem");
        Assert.That(problem.Structure, Is.EqualTo("data_alloc"));
        Assert.That(problem.Fields["invariant"], Is.EqualTo("I10"));
        Assert.That(records.Any(record => record.Structure == "fs_root" && record.Kind == "item"), Is.True);
    }

    private static async Task<List<Copy>> DumpAsync(string name, DumpOptions options) =>
        await DumpAsync(await GoldenVolume.LoadAsync(name), options);

    private static async Task<List<Copy>> DumpAsync(GoldenVolume golden, DumpOptions options)
    {
        var records = new List<Copy>();
        await VolumeDumper.DumpAsync(
            golden.Meta,
            options,
            record => records.Add(new Copy(
                record.Kind, record.Structure, record.Fields.ToDictionary(field => field.Name, field => field.Text))),
            progress: null,
            CancellationToken.None);
        return records;
    }

    private sealed record Copy(string Kind, string Structure, Dictionary<string, string> Fields);
}
