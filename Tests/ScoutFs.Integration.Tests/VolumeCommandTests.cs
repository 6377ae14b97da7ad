using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;

namespace ScoutFs.Integration.Tests;

/// <summary>The commands that look into a volume, on what Linux wrote and against what Linux says about it.</summary>
[TestFixture]
internal sealed class VolumeCommandTests
{
    private const string Basic = "g1-basic";
    private const string Archive = "g4-archive";
    private const string Crash = "g5-crash";

    private readonly VolumeCommandLine _cli = new();

    [OneTimeSetUp]
    public async Task UnpackAsync()
    {
        await _cli.UnpackAsync(Basic);
        await _cli.UnpackAsync(Archive);
    }

    [OneTimeTearDown]
    public void Remove() => _cli.Dispose();

    [Test]
    public async Task Ls_Directory_ListsByName()
    {
        var result = await _cli.RunOnAsync(Basic, "ls", "/special");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.Zero);
            Assert.That(result.Lines, Is.EqualTo(new[] { "blk", "chr", "chrbig", "fifo", "sock" }));
        }
    }

    [Test]
    public async Task Ls_Long_ShowsAttributes()
    {
        var result = await _cli.RunOnAsync(Basic, "ls", "-l", "/special");
        Assert.That(result.Lines[2], Is.EqualTo(
            "crw-------    1     0     0 4095, 1048575 2026-11-23 08:31:36 chrbig"));
    }

    [Test]
    public async Task Ls_NamesOfAnyBytes_ComeThroughAPipeAsTheyAre()
    {
        var result = await _cli.RunOnAsync(Basic, "ls", "/names");
        var json = await _cli.RunOnAsync(Basic, "ls", "--json", "/names");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.Output.AsSpan().IndexOf((byte)0xff), Is.GreaterThanOrEqualTo(0));
            Assert.That(json.Text, Does.Contain("\\udcff"));
            Assert.That(json.Lines, Has.Length.EqualTo(
                Manifest(Basic).Count(entry => Parent(entry) == "\"/names")));
        }
    }

    [Test]
    public async Task Tree_Whole_CountsWhatTheManifestHolds()
    {
        var result = await _cli.RunOnAsync(Basic, "tree");
        var entries = Manifest(Basic).Skip(1).ToList();
        int directories = entries.Count(entry => (string)entry["type"]! == "dir");
        Assert.That(result.Lines[^1], Does.StartWith(
            $"{directories} directories, {entries.Count - directories} other paths"));
    }

    [TestCase(Basic, 40)]
    [TestCase(Archive, 10)]
    public async Task Stat_EveryFewPaths_SaysWhatTheManifestSays(string golden, int step)
    {
        var entries = Manifest(golden).ToList();
        for (int i = 0; i < entries.Count; i += step)
        {
            var entry = entries[i];
            var result = await _cli.RunOnAsync(golden, "stat", "--json", "--ino", entry["ino"]!.ToString());
            Assert.That(result.ExitCode, Is.Zero, result.Error);
            var stat = JsonNode.Parse(result.Text)!;
            string[] same = ["ino", "type", "mode", "uid", "gid", "size", "nlink", "mtime", "atime", "ctime"];
            foreach (string field in same)
                Assert.That(stat[field]!.ToJsonString(), Is.EqualTo(entry[field]!.ToJsonString()), field);
            var paths = stat["paths"]!.AsArray().Select(VolumeCommandLine.RawText);
            Assert.That(paths, Does.Contain(VolumeCommandLine.RawText(entry["path"])));
        }
    }

    [Test]
    public async Task Cat_Files_HaveTheHashesOfTheManifest()
    {
        var files = Manifest(Basic).Where(
            entry => entry["sha256"] is not null && Parent(entry) is "\"/d" or "\"/data").ToList();
        Assert.That(files, Has.Count.GreaterThan(20));
        foreach (var file in files.Where(file => (long)file["size"]! < 32 << 20))
        {
            var result = await _cli.RunOnAsync(Basic, "cat", (string)file["path"]!);
            Assert.That(
                Convert.ToHexStringLower(SHA256.HashData(result.Output)),
                Is.EqualTo((string)file["sha256"]!),
                (string)file["path"]!);
        }
    }

    [TestCase("/more/huge", "offline", "(61)")]
    [TestCase("/more", "directory", "(21)")]
    [TestCase("/proj/sub/ff", "no regular file", "(22)")]
    [TestCase("/nothing", "/nothing", "(2)")]
    public async Task Cat_WhatHasNoContents_SaysWhy(string path, string text, string number)
    {
        var result = await _cli.RunOnAsync(Archive, "cat", path);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Output, Is.Empty);
            Assert.That(result.Error, Does.Contain(text).And.Contain(number));
        }
    }

    [Test]
    public async Task Find_EachPredicate_GivesWhatTheManifestHolds()
    {
        using (Assert.EnterMultipleScope())
        {
            await AssertFoundAsync(Basic, entry => Name(entry).StartsWith("size-", StringComparison.Ordinal),
                "--name", "size-*");
            await AssertFoundAsync(Basic, entry => (string)entry["type"]! == "lnk", "--type", "l");
            await AssertFoundAsync(Basic, entry => (decimal)entry["size"]! > 1048576, "--size", "+1M");
            await AssertFoundAsync(Basic, entry => (decimal)entry["size"]! < 4096, "--size", "-4K");
            await AssertFoundAsync(Basic, entry => (decimal)entry["size"]! == 4096, "--size", "4096");
            await AssertFoundAsync(Basic, entry => Mtime(entry) >= 1_795_422_697_000_000_000,
                "--newer", "2026-11-23T08:31:37Z");
            await AssertFoundAsync(Basic, entry => Mtime(entry) < 1_795_422_697_000_000_000,
                "--older", "2026-11-23T08:31:37Z");
            await AssertFoundAsync(Archive, entry => Offline(entry) > 0, "--offline");
            await AssertFoundAsync(Archive, entry => (string)entry["type"]! == "reg" && Offline(entry) == 0,
                "--online");
            await AssertFoundAsync(Archive, HasBetaXattr, "--xattr", "scoutfs.hide.srch.beta*");
            await AssertFoundAsync(Basic, entry => (long)entry["ino"]! == 11423, "--ino", "11423");
            await AssertFoundAsync(Basic, _ => false, "--mtime", "+365000d");
            await AssertFoundAsync(Basic, entry => Depth(entry) <= 1, "--max-depth", "1");
        }
    }

    [TestCase("--size", "1X")]
    [TestCase("--mtime", "7")]
    [TestCase("--newer", "yesterday")]
    [TestCase("--type", "x")]
    [TestCase("--max-depth", "-1")]
    public async Task Find_NonsenseValue_IsWrongUsage(string option, string value)
    {
        var result = await _cli.RunOnAsync(Basic, "find", option, value);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.EqualTo(64));
            Assert.That(result.Error, Does.Contain("volume find"));
        }
    }

    [Test]
    public async Task Ls_VolumeOfACrash_WarnsAndGoesOn()
    {
        await _cli.UnpackAsync(Crash);
        var result = await _cli.RunOnAsync(Crash, "ls");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.Zero);
            Assert.That(result.Error, Does.Contain("in use"));
            Assert.That(result.Lines, Has.Length.EqualTo(4));
        }
    }

    private static IEnumerable<JsonObject> Manifest(string golden) =>
        GoldenVolume.Manifest(golden).Select(line => JsonNode.Parse(line)!.AsObject());

    private static string PathText(JsonObject entry) => VolumeCommandLine.RawText(entry["path"]).Trim('"');

    private static string Name(JsonObject entry) => PathText(entry)[(PathText(entry).LastIndexOf('/') + 1)..];

    private static string Parent(JsonObject entry) => "\"" + PathText(entry)[..PathText(entry).LastIndexOf('/')];

    private static int Depth(JsonObject entry) => PathText(entry) == "/" ? 0 : PathText(entry).Count(c => c == '/');

    private static decimal Mtime(JsonObject entry) =>
        decimal.Parse((string)entry["mtime"]!, CultureInfo.InvariantCulture);

    private static long Offline(JsonObject entry) => (long?)entry["stat_more"]?["offline_blocks"] ?? 0;

    private static bool HasBetaXattr(JsonObject entry) => entry["xattrs"] is JsonObject xattrs
        && xattrs.Any(xattr => xattr.Key.StartsWith("scoutfs.hide.srch.beta", StringComparison.Ordinal));

    private async Task AssertFoundAsync(string golden, Func<JsonObject, bool> isWanted, params string[] options)
    {
        var result = await _cli.RunOnAsync(golden, "find", ["--json", .. options]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var found = result.Lines.Select(line => PathText(JsonNode.Parse(line)!.AsObject()));
        var wanted = Manifest(golden).Where(isWanted).Select(PathText);
        Assert.That(found, Is.EquivalentTo(wanted), string.Join(' ', options));
    }
}
