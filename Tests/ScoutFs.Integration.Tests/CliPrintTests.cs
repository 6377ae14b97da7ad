using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using NUnit.Framework;

namespace ScoutFs.Integration.Tests;

/// <summary>The command print: text, JSON, selection, damage.</summary>
internal sealed class CliPrintTests
{
    [Test]
    public async Task Print_EmptyVolume_ShowsEveryStructure()
    {
        using var images = await CliImages.FormattedAsync();
        var run = await CliRun.RunAsync("print", images.Meta);

        Assert.That(run.Expect(0).Output, Does.Contain("    total_meta_blocks: 262144\n"));
        Assert.That(run.Output, Does.Contain("    quorum_config.slots[0].addr: 10.0.0.1\n"));
        Assert.That(
            run.OutputLines.Count(line => line.StartsWith("quorum ", StringComparison.Ordinal)), Is.EqualTo(15));
        Assert.That(run.Output, Does.Contain("list_block server_meta_avail[0] "));
        Assert.That(run.Output, Does.Contain(" entries=4-1027\n"));
        Assert.That(run.Output, Does.Contain("item data_alloc "));
        Assert.That(run.Output, Does.Contain(" first=64 last=4194303 count=4194240"));
        Assert.That(run.Output, Does.Contain(" key=16.1.4.0.0.0 type=inode seq=1 ino=1 value.size=0 "));
        Assert.That(run.Error, Is.Empty);
    }

    [Test]
    public async Task Print_Json_IsOneObjectALine()
    {
        using var images = await CliImages.FormattedAsync();
        var records = Records(await CliRun.RunAsync("print", "--json", "--layout", images.Meta));

        Assert.That(records.Select(record => record["kind"].ToString()).Distinct(), Is.EquivalentTo(
            new[] { "super", "quorum", "tree", "block", "item", "list_block" }));
        var inode = records.Single(record => record.TryGetValue("type", out var type) && type.ToString() == "inode");
        Assert.That(inode["structure"].GetString(), Is.EqualTo("fs_root"));
        Assert.That(inode["value.nlink"].GetUInt64(), Is.EqualTo(2));
        Assert.That(inode["val_off"].GetUInt64(), Is.EqualTo(62344));
        Assert.That(inode["val_len"].GetUInt64(), Is.EqualTo(168));
        Assert.That(inode["left"].GetUInt64(), Is.EqualTo(16));
        var block = records.Single(record =>
            record["kind"].ToString() == "block" && record["structure"].ToString() == "fs_root");
        Assert.That(block["leaf_hash"].GetString(), Is.EqualTo("252:48 1040:104"));
        Assert.That(block["mid_free_len"].GetUInt64(), Is.EqualTo(62184));
    }

    [Test]
    public async Task Print_SkipLarge_LeavesOutItemsOfFiles()
    {
        using var images = await CliImages.GoldenAsync("g1-basic");
        var run = await CliRun.RunAsync("print", "-S", images.Meta);

        Assert.That(run.Expect(0).Output, Does.Contain("tree fs_root "));
        Assert.That(run.Output, Does.Contain("item logs_root "));
        Assert.That(run.Output, Does.Not.Contain("item fs_root "));
        Assert.That(run.Output, Does.Not.Contain(" item_root block="));
    }

    [Test]
    public async Task Print_OneInode_IsAllOfItAndNothingElse()
    {
        using var images = await CliImages.GoldenAsync("g1-basic");
        var records = Records(await CliRun.RunAsync("print", "--json", "--ino", "11423", images.Meta));

        Assert.That(records.Select(record => record["kind"].ToString()), Is.All.EqualTo("item"));
        Assert.That(records.Select(record => record["ino"].GetUInt64()), Is.All.EqualTo(11423));
        Assert.That(records.Select(record => record["type"].ToString()), Is.SupersetOf(
            new[] { "inode", "meta_seq index", "link backref" }));
    }

    [TestCase("super", "super")]
    [TestCase("meta_alloc[1]", "meta_alloc[1]")]
    [TestCase("srch", "srch_root")]
    public async Task Print_OneTree_IsNothingElse(string tree, string structure)
    {
        using var images = await CliImages.FormattedAsync();
        var records = Records(await CliRun.RunAsync("print", "--json", "--tree", tree, images.Meta));
        Assert.That(records, Is.Not.Empty);
        Assert.That(records.Select(record => record["structure"].ToString()), Is.All.EqualTo(structure));
    }

    [TestCase("is the start of no structure's name", "--tree", "nonsense")]
    [TestCase("zones are 0 to 255", "--zone", "256")]
    [TestCase("invalid 64bit value: 'x'", "--ino", "x")]
    public async Task Print_BadSelection_IsAUsageError(string diagnostic, params string[] options)
    {
        string[] args = ["print", .. options, "meta.img"];
        (await CliRun.RunAsync(args)).ExpectUsageError("print", diagnostic);
    }

    [Test]
    public async Task Print_DamagedSuper_IsShownAndFollowed()
    {
        using var images = await CliImages.FormattedAsync();
        CliImages.Write(images.Meta, 65536 + 4000, [1]);

        var run = (await CliRun.RunAsync("print", images.Meta)).Expect(1);
        Assert.That(run.Output, Does.Contain("problem super invariant=I1 "));
        Assert.That(run.Output, Does.Contain("item fs_root "));
    }

    [Test]
    public async Task Print_AbsurdTotals_TakesNoMemoryForThem()
    {
        using var images = await CliImages.FormattedAsync();
        CliImages.Write(images.Meta, 65536 + 96, [255, 255, 255, 255, 255, 255, 255, 127]);

        var run = (await CliRun.RunAsync("print", images.Meta)).Expect(1);
        Assert.That(run.Output, Does.Contain("total_meta_blocks: 9223372036854775807"));
        Assert.That(run.Output, Does.Contain("item fs_root "));
    }

    [Test]
    public async Task Print_DamagedBlocks_SaysWhatAndGoesOn()
    {
        using var images = await CliImages.FormattedAsync();
        CliImages.Write(images.Meta, (1029 * 65536) + 100, [0xff]);
        CliImages.Write(images.Meta, (18 * 4096) + 100, [0xff]);

        var run = (await CliRun.RunAsync("print", images.Meta)).Expect(1);
        Assert.That(run.Output, Does.Contain("problem meta_alloc[0] invariant=I10 where=block 1029 "));
        Assert.That(run.Output, Does.Contain("problem quorum[1] invariant=I8 "));
        Assert.That(run.Output, Does.Contain("item meta_alloc[1] "));
    }

    [Test]
    public async Task Print_TruncatedDevice_SaysWhatIsMissing()
    {
        using var images = await CliImages.FormattedAsync();
        CliImages.SetLength(images.Meta, 1030 * 65536);

        var run = (await CliRun.RunAsync("print", images.Meta)).Expect(1);
        Assert.That(run.Output, Does.Contain("problem meta_alloc[1] "));
        Assert.That(run.Output, Does.Contain("item meta_alloc[0] "));
    }

    [Test]
    public async Task Print_DataDevice_ShowsItsSuperBlock()
    {
        using var images = await CliImages.FormattedAsync();
        var run = (await CliRun.RunAsync("print", images.Data)).Expect(1);
        Assert.That(run.Output, Does.Contain("total_data_blocks: 4194304"));
        Assert.That(run.Output, Does.Contain("is the volume's data device"));
    }

    [Test]
    public async Task Print_NoVolume_Fails()
    {
        using var images = CliImages.Empty();
        (await CliRun.RunAsync("print", images.Meta)).ExpectFailure(
            "print failed: Input/output error (5)", "holds no scoutfs volume");
        (await CliRun.RunAsync("print", images.InDirectory("missing"))).ExpectFailure(
            "print failed: No such file or directory (2)", "missing");
    }

    private static List<Dictionary<string, JsonElement>> Records(CliRun run)
    {
        var records = new List<Dictionary<string, JsonElement>>();
        using var reader = new StringReader(run.Expect(0).Output);
        while (reader.ReadLine() is { } line)
            records.Add(JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(line)!);
        return records;
    }
}
