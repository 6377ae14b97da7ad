using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>What Linux says about whole golden volumes (.fsinfo), from the merged view.</summary>
public sealed class GoldenTotalsTests
{
    private static IEnumerable<string> Names => GoldenVolume.Names;

    [TestCaseSource(nameof(Names))]
    public async Task QuotaRules_GoldenVolume_AreThoseThatLinuxLists(string name)
    {
        using var volume = await OpenAsync(name);
        var rules = new List<QuotaRuleItem>();
        await ScanAsync(volume, KeyZone.Quota, (_, value) => rules.Add(Disk.Ref<QuotaRuleItem>(value)));

        // Linux lists the rule that wins first (format §10.11).
        var lines = rules.OrderByDescending(Precedence).Select(Describe);
        Assert.That(lines, Is.EqualTo(Section(name, "# quota-list")));
    }

    [TestCaseSource(nameof(Names))]
    public async Task XattrTotals_GoldenVolume_AreThoseThatLinuxReads(string name)
    {
        using var volume = await OpenAsync(name);
        var totals = new SortedDictionary<ItemKey, (ulong Total, ulong Count)>();
        await ScanAsync(volume, KeyZone.XattrTotal, (key, value) =>
        {
            ref readonly var total = ref Disk.Ref<XattrTotalItem>(value);
            totals.Add(key, (total.Total, total.Count));
        });
        await SubtractOrphansAsync(volume, totals);
        var lines = totals.Select(
            total => $"{total.Key.First}.{total.Key.Second}.{total.Key.Third} = "
                + $"{total.Value.Total}, {total.Value.Count}");
        Assert.That(lines, Is.EqualTo(Section(name, "# read-xattr-totals")));
    }

    [TestCaseSource(nameof(Names))]
    public async Task XattrIndex_GoldenVolume_IsWhatLinuxReads(string name)
    {
        using var volume = await OpenAsync(name);
        var lines = new List<string>();
        await ScanAsync(volume, KeyZone.XattrIndex, (key, _) =>
        {
            Span<byte> packed = stackalloc byte[25];
            BinaryPrimitives.WriteUInt64BigEndian(packed, key.First);
            BinaryPrimitives.WriteUInt64BigEndian(packed[8..], key.Second);
            BinaryPrimitives.WriteUInt64BigEndian(packed[16..], key.Third);
            packed[24] = key.Fourth;
            ulong minor = BinaryPrimitives.ReadUInt64BigEndian(packed[1..]);
            ulong ino = BinaryPrimitives.ReadUInt64BigEndian(packed[9..]);
            lines.Add($"{packed[0]}.{minor} = {ino}");
        });
        Assert.That(lines, Is.EqualTo(Section(name, "# read-xattr-index 0.0.0 255.-1.-1")));
    }

    [TestCaseSource(nameof(Names))]
    public async Task Super_GoldenVolume_HasTheSizesOfStatfs(string name)
    {
        using var volume = await OpenAsync(name);
        var statfs = Section(name, "# statfs").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(words => words[0], words => words[1]);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(volume.FsidText, Is.EqualTo(statfs["fsid"]));
            Assert.That(volume.Super.TotalMetaBlocks.ToString(), Is.EqualTo(statfs["total_meta_blocks"]));
            Assert.That(volume.Super.TotalDataBlocks.ToString(), Is.EqualTo(statfs["total_data_blocks"]));
        }
    }

    private static async Task<OfflineVolume> OpenAsync(string name)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        return await OfflineVolume.OpenAsync(
            golden.Meta, golden.DataDevice, OfflineVolume.DefaultCacheBytes, CancellationToken.None);
    }

    // The mount that was asked had deleted them before.
    private static async Task SubtractOrphansAsync(
        OfflineVolume volume, SortedDictionary<ItemKey, (ulong Total, ulong Count)> totals)
    {
        var orphans = new List<ulong>();
        await ScanAsync(volume, KeyZone.Orphan, (key, _) => orphans.Add(key.Second));
        using var reader = new VolumeReader(volume);
        foreach (ulong ino in orphans)
        {
            foreach (var entry in await reader.ListXattrsAsync(ino, CancellationToken.None))
            {
                if ((entry.Tags & XattrTags.Totl) == 0)
                    continue;
                Assert.That(XattrName.TryParseTotal(entry.Name, out ulong a, out ulong b, out ulong c), Is.True);
                byte[]? value = await reader.ReadXattrAsync(ino, entry, CancellationToken.None);
                Assert.That(XattrName.TryParseNumber(value, out ulong number), Is.True);
                var key = Keys.XattrTotal(a, b, c);
                totals[key] = (totals[key].Total - number, totals[key].Count - 1);
            }
        }
    }

    private static async Task ScanAsync(OfflineVolume volume, byte zone, ItemAction onItem)
    {
        using var cursor = new ForestCursor(volume.Cache, volume.Roots);
        var end = new ItemKey(zone, ulong.MaxValue, byte.MaxValue, ulong.MaxValue, ulong.MaxValue, byte.MaxValue);
        var status = await cursor.SeekAsync(new ItemKey(zone, 0, 0), end, CancellationToken.None);
        while (status == BtreeStatus.Found)
        {
            onItem(cursor.Key, cursor.Value);
            status = await cursor.MoveNextAsync(CancellationToken.None);
        }

        Assert.That(status, Is.EqualTo(BtreeStatus.End));
    }

    private static List<string> Section(string name, string heading) => GoldenVolume.FsInfoText(name).Split('\n')
        .SkipWhile(line => line != heading).Skip(1)
        .TakeWhile(line => !line.StartsWith('#'))
        .Where(line => line.Length > 0)
        .ToList();

    // prio, then the parts of the name, as one number that sorts like the rules do.
    private static string Precedence(QuotaRuleItem rule)
    {
        var digits = new List<string> { $"{rule.Prio:x2}" };
        for (int i = 0; i < 3; i++)
            digits.Add($"{rule.NameVal[i].Value:x16}{rule.NameSource[i]:x2}{rule.NameFlags[i]:x2}");
        return string.Concat(digits);
    }

    private static string Describe(QuotaRuleItem rule)
    {
        var parts = Enumerable.Range(0, 3).Select(i =>
            $"{rule.NameVal[i]},{"LPUG"[rule.NameSource[i]]},{(rule.NameFlags[i] == 1 ? 'S' : '-')}");
        char op = rule.Op == 0 ? 'I' : 'D';
        char count = rule.RuleFlags == 1 ? 'C' : '-';
        return $"{rule.Prio,3} {string.Join(' ', parts)} {op} {rule.Limit} {count}";
    }

    private delegate void ItemAction(ItemKey key, ReadOnlySpan<byte> value);
}
