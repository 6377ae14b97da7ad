using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>What Linux scoutfs wrote, read by this implementation.</summary>
public sealed class GoldenVolumeTests
{
    private static IEnumerable<string> Names => GoldenVolume.Names;

    [TestCaseSource(nameof(Names))]
    public async Task Check_GoldenVolume_FindsKnownDeviationsOfLinuxOnly(string name)
    {
        var golden = await GoldenVolume.LoadAsync(name);

        var report = await VolumeChecker.CheckAsync(
            golden.Meta, golden.DataDevice, new CheckOptions(), null, CancellationToken.None);

        Assert.That(report.Findings.Where(f => f.Severity == FindingSeverity.Error), Is.Empty);
        Assert.That(report.Warnings.Keys, Is.SubsetOf(new[] { "I23", "I63" }));
        Assert.That(report.NotChecked, Is.Empty);
        Assert.That(report.Result, Is.EqualTo(CheckResult.Clean));
    }

    [TestCaseSource(nameof(Names))]
    public async Task Manifest_GoldenVolume_EqualsTheOneMadeOnLinux(string name)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        using var volume = await OfflineVolume.OpenAsync(
            golden.Meta, golden.DataDevice, OfflineVolume.DefaultCacheBytes, CancellationToken.None);
        using var reader = new VolumeReader(volume);
        using var output = new MemoryStream();
        var top = await new PathResolver(reader).ResolveAsync("/"u8.ToArray(), true, CancellationToken.None);
        await new ManifestWriter(reader, output).WriteAsync(top, Fail, null, CancellationToken.None);
        output.Position = 0;

        using var lines = new StreamReader(output);
        int count = 0;
        foreach (string expectedLine in GoldenVolume.Manifest(name))
        {
            count++;
            string? actualLine = await lines.ReadLineAsync();
            Assert.That(actualLine, Is.Not.Null, $"line {count}");
            if (!string.Equals(actualLine, expectedLine, StringComparison.Ordinal))
                AssertComparable(Parse(expectedLine), Parse(actualLine!));
        }

        Assert.That(await lines.ReadLineAsync(), Is.Null);
        Assert.That(count, Is.GreaterThan(0));
    }

    private static void Fail(VolumeException problem) => Assert.Fail(problem.Message);

    private static JsonObject Parse(string line) => JsonNode.Parse(line)!.AsObject();

    // Every field that the shipped manifest has, with the exceptions that Tests/Golden/README.md names.
    private static void AssertComparable(JsonObject expected, JsonObject actual)
    {
        string path = expected["path"]!.ToJsonString();
        Assert.That(actual["path"]!.ToJsonString(), Is.EqualTo(path));
        bool isQuick = !expected.ContainsKey("project_id");
        foreach (var (field, value) in expected)
        {
            // Quick manifests lack hidden attributes.
            if (field == "xattrs" && isQuick)
                AssertSubset(value!.AsObject(), actual[field]!.AsObject(), path);

            // Unwritten ranges appear as data or as hole, depending on the cache of the mount that was asked.
            else if (field != "data_segs" || !HasUnwritten(actual))
                Assert.That(Normal(actual[field]), Is.EqualTo(Normal(value)), $"{field} of {path}");
        }
    }

    private static void AssertSubset(JsonObject expected, JsonObject actual, string path)
    {
        foreach (var (name, value) in expected)
            Assert.That(Normal(actual[name]), Is.EqualTo(Normal(value)), $"xattr {name} of {path}");
    }

    // Written blocks are counted, unwritten ones are not: more data than that is unwritten.
    private static bool HasUnwritten(JsonObject entry)
    {
        long blocks = entry["data_segs"]!.AsArray().Sum(
            segment => (((long)segment![1]! + 4095) / 4096) - ((long)segment[0]! / 4096));
        return blocks * 8 > (long)entry["blocks"]!;
    }

    // As text with one spelling: the two programs escape different characters.
    private static string Normal(JsonNode? node) => node is null ? "null" : JsonSerializer.Serialize(node);
}
