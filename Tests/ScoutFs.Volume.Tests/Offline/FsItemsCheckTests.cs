using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>The check of a file system's items as a whole.</summary>
[TestFixture]
internal sealed class FsItemsCheckTests
{
    private static readonly uint[] SpecialTypes = [FileMode.Fifo, FileMode.Socket, FileMode.CharDevice];

    [TestCase(1ul)]
    [TestCase(2ul)]
    public void Check_HealthyFileSystem_FindsNothing(ulong formatVersion) =>
        FsItemsAssert.IsClean(FsItemsBuilder.Healthy(formatVersion));

    [Test]
    public void Check_RandomHealthyFileSystems_FindsNothing()
    {
        for (ulong seed = 1; seed <= 60; seed++)
        {
            var fs = Grow(new Prng(seed), 150);
            string findings = string.Join('\n', fs.Check(seed: seed));
            Assert.That(findings, Is.Empty, $"seed {seed}");
            Assert.That(fs.PassesMade, Is.Zero, $"seed {seed}");
        }
    }

    [Test]
    public void Check_AnyItemMissing_FindsAtMostOneInvariant()
    {
        var healthy = FsItemsBuilder.Healthy();
        var twiceTagged = healthy.XattrOf(healthy.Lookup("docs/b.bin"), "scoutfs.hide.totl.srch.c.7.8.9");
        var bad = new List<string>();
        foreach (var key in healthy.Items.Keys.ToList())
        {
            if (key == twiceTagged)
                continue;

            // Nothing says that a rule, a small xattr or an unwritten extent has to be there.
            bool mayBeAbsent = key.Zone == KeyZone.Quota
                || (key.Zone == KeyZone.Fs && key.Type is KeyType.Xattr or KeyType.DataExtent);
            byte[] value = healthy.Items[key];
            healthy.Remove(key);
            AddIfUnclear(bad, healthy, $"without {key}", !mayBeAbsent);
            healthy.Items[key] = value;
        }

        Assert.That(string.Join('\n', bad.Take(20)), Is.Empty);
    }

    [TestCase(0x01)]
    [TestCase(0x80)]
    [TestCase(0xff)]
    public void Check_AnyByteChanged_FindsAtMostOneInvariant(byte change)
    {
        var healthy = FsItemsBuilder.Healthy();
        var bad = new List<string>();
        foreach (var (key, value) in healthy.Items)
        {
            for (int at = 0; at < value.Length; at++)
            {
                value[at] ^= change;
                AddIfUnclear(bad, healthy, $"byte {at} of {key}", mustFind: false);
                value[at] ^= change;
            }
        }

        Assert.That(string.Join('\n', bad.Take(20)), Is.Empty);
    }

    [Test]
    public void Check_AnyValueResized_FindsAtMostOneInvariant()
    {
        var healthy = FsItemsBuilder.Healthy();
        var bad = new List<string>();
        foreach (var key in healthy.Items.Keys.ToList())
        {
            byte[] value = healthy.Items[key];
            foreach (int bytes in new[] { 0, value.Length - 1, value.Length + 1, 896 })
            {
                if (bytes < 0 || bytes == value.Length)
                    continue;
                healthy.Resize(key, bytes);
                AddIfUnclear(bad, healthy, $"{bytes} bytes of {key}", mustFind: true);
                healthy.Items[key] = value;
            }
        }

        Assert.That(string.Join('\n', bad.Take(20)), Is.Empty);
    }

    [Test]
    public void Check_RandomItems_NeverThrows()
    {
        var random = new Prng(0x5ca1ab1e);
        byte[] zones = [KeyZone.InodeIndex, KeyZone.Orphan, KeyZone.Quota, KeyZone.XattrTotal, KeyZone.XattrIndex];
        for (int round = 0; round < 300; round++)
        {
            var fs = new FsItemsBuilder();
            for (int i = 0; i < 200; i++)
            {
                bool isFs = random.NextInt32(4) != 0;
                byte zone = isFs ? KeyZone.Fs : zones[random.NextInt32(zones.Length)];
                byte type = isFs ? (byte)(4 * (1 + random.NextInt32(7))) : (byte)(4 * random.NextInt32(3));
                var key = new ItemKey(
                    zone, AnyNumber(random), type, AnyNumber(random), AnyNumber(random), (byte)random.NextInt32(3));
                byte[] value = new byte[AnyLength(random)];
                random.Fill(value);
                if (random.NextInt32(2) == 0)
                    value.AsSpan(0, Math.Min(value.Length, 32)).Clear();
                fs.Items[key] = value;
            }

            fs.Super.NextIno = AnyNumber(random);
            fs.Super.TotalDataBlocks = AnyNumber(random);
            Assert.That(fs.Check(seed: (ulong)round), Is.Not.Empty);
        }
    }

    [Test]
    public void Check_ManyFaults_ListsThemOfAllKinds()
    {
        var random = new Prng(77);
        var healthy = Grow(new Prng(5), 3000);
        foreach (var key in healthy.Items.Keys.ToList())
        {
            if (random.NextInt32(3) == 0)
                healthy.Remove(key);
        }

        string[] invariants = [.. healthy.Check().Select(finding => finding.Invariant).Distinct()];
        Assert.That(invariants, Is.SupersetOf(new[] { "I79", "I90", "I93", "I94", "I96", "I97", "I100", "I101" }));
        Assert.That(healthy.PassesMade, Is.EqualTo(1), "all fits into one round");
    }

    [Test]
    public void Check_MoreFaultsThanAreKept_SaysSo()
    {
        var fs = new FsItemsBuilder();
        for (ulong i = 0; i < 10_000; i++)
        {
            fs.Items[Keys.MetaSeqIndex(1, 5000 + i)] = [];
            fs.Items[Keys.XattrTotal(1, i, 3)] = new byte[] { 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
            fs.Items[Keys.XattrIndex(1, 2, i, 3)] = [];
            fs.SrchEntries.Add(new SrchEntry(1, i, 3));
            fs.Items[Keys.Readdir(1, 2 + i)] = new byte[33];
        }

        var findings = fs.Check();
        foreach (string invariant in new[] { "I79", "I90", "I93", "I95", "I97" })
        {
            var ofInvariant = findings.Where(finding => finding.Invariant == invariant).ToList();
            Assert.That(ofInvariant, Has.Count.InRange(4096, 4098), invariant);
            Assert.That(ofInvariant[^1].What, Does.StartWith("More "), invariant);
        }
    }

    [Test]
    public void Check_FaultsOfMoreObjectsThanOneRoundTakes_MakesMoreRounds()
    {
        // 200,000 objects, of which every tenth is wrong: all buckets differ, and no round can take them all.
        var fs = new FsItemsBuilder();
        fs.Super.NextIno = 1_000_000;
        for (ulong i = 0; i < 200_000; i++)
        {
            fs.Items[Keys.XattrIndex(1, 2, 1000 + i, 3)] = [];
            if (i % 10 != 0)
                fs.Items[Keys.Xattr(1000 + i, XattrName.Hash("scoutfs.indx.1.2"u8), 3, 0)] = IndexXattr;
        }

        var findings = fs.Check();
        Assert.That(fs.PassesMade, Is.EqualTo(FsItemsCheck.MaxRounds));
        Assert.That(findings.Count(finding => finding.Invariant == "I95"), Is.EqualTo(4097));
    }

    [Test]
    public void Check_ItemsLost_ConcludesNothingFromAbsence()
    {
        var random = new Prng(31);
        for (ulong seed = 1; seed <= 30; seed++)
        {
            var fs = Grow(new Prng(seed), 200);
            foreach (var key in fs.Items.Keys.ToList())
            {
                if (random.NextInt32(4) == 0)
                    fs.Remove(key);
            }

            string findings = string.Join('\n', fs.Check(itemsComplete: false));
            Assert.That(findings, Is.Empty, $"seed {seed}");
            Assert.That(fs.PassesMade, Is.Zero);
        }
    }

    [Test]
    public void Check_ItemsLost_StillReportsWhatIsThere()
    {
        var fs = FsItemsBuilder.Healthy();
        fs.Resize(Keys.Inode(fs.Lookup("fifo")), 3);
        Assert.That(
            fs.Check(itemsComplete: false).Select(finding => finding.Invariant), Is.EqualTo(new[] { "I91" }));
    }

    [Test]
    public void OnItem_HealthyItems_AllocatesNothing()
    {
        var items = Grow(new Prng(9), 2000);
        var check = new FsItemsCheck(items.Super, items, items, new Prng(1));
        (ItemKey Key, byte[] Value)[] list = [.. items.Items.Select(item => (item.Key, item.Value))];
        items.Extents.EnsureCapacity(10_000);
        PassAll(check, list.AsSpan(0, 10));
        long before = GC.GetAllocatedBytesForCurrentThread();
        PassAll(check, list.AsSpan(10));
        foreach (var entry in items.SrchEntries)
            check.OnSrchEntry(entry);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(200), "but for the enumerator");
    }

    [Test]
    public async Task Check_GeneratedVolume_FindsNothing()
    {
        var meta = new MemoryBlockDevice("meta", GeneratedVolume.MetaBytes(20, 50));
        var data = new MemoryBlockDevice("data", GeneratedVolume.DataBytes(20, 50));
        await GeneratedVolume.BuildAsync(meta, data, 20, 50);
        using var volume = await OfflineVolume.OpenAsync(
            meta, data, OfflineVolume.DefaultCacheBytes, CancellationToken.None);
        var fs = new FsItemsBuilder();
        fs.Items.Clear();
        var check = new FsItemsCheck(volume.Super, fs, fs, new Prng(1));
        using var cursor = new ForestCursor(volume.Cache, volume.Roots);
        var status = await cursor.SeekAsync(ItemKey.Min, ItemKey.Max, CancellationToken.None);
        for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(CancellationToken.None))
            check.OnItem(cursor.Key, cursor.Seq, cursor.Value);
        Assert.That(status, Is.EqualTo(BtreeStatus.End));
        await check.FinishAsync(fs, new CheckScope(true, true, volume.Super.InodeCount), CancellationToken.None);
        Assert.That(string.Join('\n', fs.Findings), Is.Empty);
        Assert.That(fs.PassesMade, Is.Zero);
        Assert.That(fs.Extents, Has.Count.EqualTo(1000));
        Assert.That(check.InodesSeen, Is.EqualTo(1021));
    }

    private static byte[] IndexXattr => [0, 0, 16, 0, 0, 0, 0, 0, .. "scoutfs.indx.1.2"u8];

    private static void PassAll(FsItemsCheck check, ReadOnlySpan<(ItemKey Key, byte[] Value)> items)
    {
        foreach (ref readonly var item in items)
            check.OnItem(item.Key, 1, item.Value);
    }

    private static ulong AnyNumber(Prng random) => random.NextInt32(4) switch
    {
        0 => random.NextUInt64(),
        1 => ulong.MaxValue - random.NextUInt64(3),
        _ => random.NextUInt64(6),
    };

    private static int AnyLength(Prng random) => random.NextInt32(3) switch
    {
        0 => random.NextInt32(897),
        1 => 32 + random.NextInt32(10),
        _ => new[] { 0, 7, 8, 16, 48, 160, 168, 896 }[random.NextInt32(8)],
    };

    /// <summary>A healthy file system after some random operations.</summary>
    private static FsItemsBuilder Grow(Prng random, int operations)
    {
        var fs = new FsItemsBuilder(1 + random.NextUInt64(2));
        var directories = new List<ulong> { FsItemsBuilder.Root };
        var files = new List<ulong>();
        var xattrs = new HashSet<(ulong, string)>();
        ulong nextBlock = 0;
        for (int i = 0; i < operations; i++)
        {
            ulong dir = directories[random.NextInt32(directories.Count)];
            string name = AnyName(random, i);
            switch (random.NextInt32(files.Count == 0 ? 2 : 9))
            {
                case 0:
                    directories.Add(fs.AddDirectory(dir, name));
                    break;
                case 1:
                    files.Add(fs.AddFile(dir, name));
                    break;
                case 2:
                    _ = fs.AddSymlink(dir, name, new string('t', random.NextInt32(4096)));
                    break;
                case 3:
                    fs.AddLink(dir, name, files[random.NextInt32(files.Count)]);
                    break;
                case 4:
                    _ = fs.Add(dir, name, SpecialTypes[random.NextInt32(SpecialTypes.Length)]);
                    break;
                case 5:
                    byte flags = (byte)random.NextInt32(4);
                    nextBlock += 1 + random.NextUInt64(1000);
                    ulong count = 1 + random.NextUInt64(50);
                    fs.AddExtent(files[random.NextInt32(files.Count)], nextBlock, count, flags);
                    nextBlock += count;
                    break;
                case 6:
                    ulong file = files[random.NextInt32(files.Count)];
                    if (fs.EntriesOf(file).Count() == 1)
                    {
                        fs.Unlink(file);
                        _ = files.Remove(file);
                    }

                    break;
                default:
                    SetRandomXattr(fs, random, xattrs, files[random.NextInt32(files.Count)]);
                    break;
            }
        }

        return fs;
    }

    private static string AnyName(Prng random, int number)
    {
        string unique = number.ToString(CultureInfo.InvariantCulture);
        return unique.PadRight(unique.Length + random.NextInt32(40), 'n');
    }

    private static void SetRandomXattr(
        FsItemsBuilder fs, Prng random, HashSet<(ulong Ino, string Name)> xattrs, ulong ino)
    {
        string[] names =
        [
            "user.a", "user.long" + new string('n', 240), "scoutfs.hide.a", "scoutfs.srch.a", "scoutfs.srch.hide.b",
            "scoutfs.totl.1.2.3", "scoutfs.totl.srch.x.1.2.3", "scoutfs.hide.totl.0x10.020.5", "scoutfs.indx.1.2",
            "scoutfs.indx.srch.7.3",
        ];
        string name = names[random.NextInt32(names.Length)];
        bool isIndexed = name.Contains("indx", StringComparison.Ordinal);
        if ((isIndexed && fs.Super.FormatVersion == 1) || !xattrs.Add((ino, name)))
            return;
        string value = name.Contains("totl", StringComparison.Ordinal)
            ? random.NextUInt64().ToString(CultureInfo.InvariantCulture)
            : isIndexed ? string.Empty : new string('v', random.NextInt32(3000));
        _ = fs.SetXattr(ino, name, value);
    }

    private static void AddIfUnclear(List<string> bad, FsItemsBuilder fs, string fault, bool mustFind)
    {
        var findings = fs.Check();
        int invariants = findings.Select(finding => finding.Invariant).Distinct().Count();
        if (invariants > 1 || (mustFind && invariants == 0))
            bad.Add($"{fault}: {string.Join("\n    ", findings)}");
    }
}
