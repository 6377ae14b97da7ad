using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class FormatterTests
{
    private const long SmallMeta = 2048L * FormatConstants.LargeBlockBytes;
    private const long SmallData = 4096L * FormatConstants.SmallBlockBytes;

    [Test]
    public async Task Format_SizesAndIdsOfReference_EqualsReferenceByteForByte()
    {
        var golden = await GoldenVolume.LoadAsync("g0-empty");
        using var reference = await OpenAsync(golden.Meta, golden.DataDevice);
        var meta = new MemoryBlockDevice("meta", golden.Meta.SizeBytes);
        var data = new MemoryBlockDevice("data", golden.DataDevice.SizeBytes);

        await Formatter.FormatAsync(meta, data, PlanLike(reference), CancellationToken.None);

        Assert.That(await DifferencesAsync(golden.Meta, meta, isMeta: true), Is.Empty);
        Assert.That(await DifferencesAsync(golden.DataDevice, data, isMeta: false), Is.Empty);
    }

    [TestCase(1UL, 160)]
    [TestCase(2UL, 168)]
    public async Task Format_AnyVersion_MakesReadableRoot(ulong version, int inodeBytes)
    {
        var (meta, data) = SmallDevices();
        await Formatter.FormatAsync(
            meta, data, Plan(SmallRequest() with { FormatVersion = version }), CancellationToken.None);

        using var volume = await OpenAsync(meta, data);
        var (error, item, _) = await BtreeReader.LookupAsync(
            volume.Cache, volume.Super.FsRoot, Keys.Inode(FormatConstants.RootIno), CancellationToken.None);
        using var root = item;
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(root.Value.Length, Is.EqualTo(inodeBytes));
        Assert.That(volume.Super.FormatVersion.Value, Is.EqualTo(version));
        Assert.That(volume.IsInUse, Is.False);
    }

    [Test]
    public async Task Format_OddFreeSpace_FirstTreeTakesTheOddBlock()
    {
        var (meta, data) = SmallDevices();
        await Formatter.FormatAsync(meta, data, Plan(SmallRequest()), CancellationToken.None);

        using var volume = await OpenAsync(meta, data);
        var super = volume.Super;
        Assert.That(super.MetaAlloc[0].TotalLen.Value, Is.EqualTo(509));
        Assert.That(super.MetaAlloc[1].TotalLen.Value, Is.EqualTo(508));
        Assert.That(super.DataAlloc.TotalLen.Value, Is.EqualTo(4096 - 64));
    }

    [Test]
    public async Task Format_ZoneOption_IsStoredAndMarkedSet()
    {
        var request = SmallRequest() with { DataAllocZoneBlocks = FormatPlan.MinZoneBlocks };
        var meta = new MemoryBlockDevice("meta", SmallMeta);
        var data = new MemoryBlockDevice("data", (long)FormatPlan.MinZoneBlocks * 4096);
        var plan = FormatPlan.Create(request, SmallMeta, (ulong)data.SizeBytes, new Prng(1), DateTimeOffset.UnixEpoch);
        await Formatter.FormatAsync(meta, data, plan, CancellationToken.None);

        using var volume = await OpenAsync(meta, data);
        var options = volume.Super.VolumeOptions;
        Assert.That(options.SetBits.Value, Is.EqualTo(1));
        Assert.That(options.Values[0].Value, Is.EqualTo(FormatPlan.MinZoneBlocks));
    }

    [Test]
    public async Task Format_OverGarbage_WritesNothingElse()
    {
        var (meta, data) = SmallDevices();
        byte[] garbage = Filled(0xee);
        await WriteAsync(meta, 0, garbage);
        await WriteAsync(meta, 32768, garbage);
        await WriteAsync(meta, 4 * 65536, garbage);
        await WriteAsync(data, 0, garbage);
        await WriteAsync(data, 17 * 4096, garbage);

        await Formatter.FormatAsync(meta, data, Plan(SmallRequest()), CancellationToken.None);

        Assert.That(await ReadAsync(meta, 0), Is.EqualTo(garbage));
        Assert.That(await ReadAsync(meta, 32768), Is.EqualTo(garbage));
        Assert.That(await ReadAsync(meta, 4 * 65536), Is.EqualTo(garbage));
        Assert.That(await ReadAsync(data, 0), Is.EqualTo(garbage));
        Assert.That(await ReadAsync(data, 17 * 4096), Is.EqualTo(garbage));
    }

    [Test]
    public async Task Format_CutOffAnywhere_LeavesNoVolumeOrTheWholeNewOne([Values(1UL, 2UL, 3UL)] ulong seed)
    {
        var (oldMeta, oldData) = SmallDevices();
        await Formatter.FormatAsync(oldMeta, oldData, Plan(SmallRequest(), seed: 100), CancellationToken.None);
        var log = new WriteLog();
        var (liveMeta, liveData) = (await CopyAsync(oldMeta), await CopyAsync(oldData));
        var plan = Plan(SmallRequest(), seed: 200);
        await Formatter.FormatAsync(log.Record(liveMeta, 0), log.Record(liveData, 1), plan, CancellationToken.None);

        var random = new Prng(seed);
        int wholeAfter = 0;
        for (int cut = 2; cut <= log.Count; cut++)
        {
            var (meta, data) = (await CopyAsync(oldMeta), await CopyAsync(oldData));
            await log.ReplayAsync(cut, [meta, data], () => random.NextInt32(2) == 0);
            if (await TryOpenAsync(meta, data) is not { } volume)
                continue;
            using (volume)
            {
                wholeAfter++;
                Assert.That(volume.Super.Header.Fsid.Value, Is.EqualTo(plan.Fsid), $"cut {cut}");
                Assert.That(await DifferencesAsync(liveMeta, meta, isMeta: true), Is.Empty, $"cut {cut}");
                Assert.That(await DifferencesAsync(liveData, data, isMeta: false), Is.Empty, $"cut {cut}");
            }
        }

        // The last write may be there before its flush, and is after it.
        Assert.That(wholeAfter, Is.InRange(1, 2));
    }

    [Test]
    public async Task Format_CancelledBefore_WritesNothing()
    {
        var (meta, data) = SmallDevices();
        var plan = Plan(SmallRequest());

        Assert.That(
            async () => await Formatter.FormatAsync(meta, data, plan, new CancellationToken(true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(meta.AllocatedChunks, Is.Zero);
        await Task.CompletedTask;
    }

    private static FormatRequest SmallRequest() => new()
    {
        Slots = [new QuorumSlot(0, 0x0a000001, 5000), new QuorumSlot(7, 0x0a000002, 5000)],
        AllowSmall = true,
    };

    private static (MemoryBlockDevice Meta, MemoryBlockDevice Data) SmallDevices() =>
        (new MemoryBlockDevice("meta", SmallMeta), new MemoryBlockDevice("data", SmallData));

    private static FormatPlan Plan(FormatRequest request, ulong seed = 1) =>
        FormatPlan.Create(request, SmallMeta, SmallData, new Prng(seed), DateTimeOffset.UnixEpoch);

    private static FormatPlan PlanLike(OfflineVolume volume)
    {
        var super = volume.Super;
        var request = new FormatRequest { Slots = QuorumSlot.Of(super.QuorumConfig), AllowSmall = true };
        return FormatPlan.Create(
            request,
            (ulong)volume.Meta.SizeBytes,
            (ulong)volume.DataDevice!.SizeBytes,
            new Prng(1),
            DateTimeOffset.UnixEpoch) with
        {
            Fsid = super.Header.Fsid,
            Uuid = Guid.Parse(volume.UuidText),

            // What the reference's print says of the root inode: 1795423795.996390000.
            Created = DateTimeOffset.UnixEpoch.AddTicks(17954237959963900),
        };
    }

    private static async Task<OfflineVolume> OpenAsync(IBlockDevice meta, IBlockDevice data) =>
        await OfflineVolume.OpenAsync(meta, data, OfflineVolume.DefaultCacheBytes, CancellationToken.None);

    private static async Task<OfflineVolume?> TryOpenAsync(IBlockDevice meta, IBlockDevice data)
    {
        try
        {
            return await OpenAsync(meta, data);
        }
        catch (VolumeException)
        {
            return null;
        }
    }

    // Blocks that differ, what the reference writes at random or wrongly left out.
    private static async Task<List<string>> DifferencesAsync(
        MemoryBlockDevice expected, MemoryBlockDevice actual, bool isMeta)
    {
        var differences = new List<string>();
        var chunks = new SortedSet<long>();
        Collect(expected, chunks);
        Collect(actual, chunks);
        foreach (long chunk in chunks)
        {
            byte[] left = await ReadAsync(expected, chunk * 65536, 65536);
            byte[] right = await ReadAsync(actual, chunk * 65536, 65536);
            if (chunk == 1)
            {
                for (int small = 0; small < 65536; small += 4096)
                {
                    MaskSmall(left.AsSpan(small, 4096));
                    MaskSmall(right.AsSpan(small, 4096));
                }
            }
            else if (isMeta)
            {
                MaskLarge(left);
                MaskLarge(right);
            }

            for (int small = 0; small < 65536; small += 4096)
            {
                if (!left.AsSpan(small, 4096).SequenceEqual(right.AsSpan(small, 4096)))
                    differences.Add($"{expected.Name} byte {(chunk * 65536) + small}");
            }
        }

        return differences;
    }

    private static void Collect(MemoryBlockDevice device, SortedSet<long> chunks)
    {
        for (long at = 0; device.TryFindAllocated(at, out long start, out long end); at = end)
        {
            for (long chunk = start / 65536; chunk * 65536 < end; chunk++)
                _ = chunks.Add(chunk);
        }
    }

    private static void MaskSmall(Span<byte> block)
    {
        ref var header = ref Disk.Ref<BlockHeader>(block);
        if (header.Magic != (uint)BlockMagic.Super)
            return;
        header.Crc = 0;
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            var address = block.Slice(120 + (32 * slot), 32);
            if (address[0] == InetAddress.FamilyIPv4)
                address[8..].Clear();
        }
    }

    private static void MaskLarge(Span<byte> block)
    {
        ref var header = ref Disk.Ref<BtreeBlockHeader>(block);
        if (header.Header.Magic != (uint)BlockMagic.Btree)
            return;
        header.Header.Crc = 0;
        for (int i = 0; i < header.NrItems; i++)
            Disk.Ref<BtreeItem>(block, BtreeBlock.OffsetOf(i)).Node.Height = 0;
    }

    private static async Task<MemoryBlockDevice> CopyAsync(MemoryBlockDevice from)
    {
        var to = new MemoryBlockDevice(from.Name, from.SizeBytes);
        for (long at = 0; from.TryFindAllocated(at, out long start, out long end); at = end)
        {
            byte[] bytes = await ReadAsync(from, start, (int)(end - start));
            await WriteAsync(to, start, bytes);
        }

        return to;
    }

    private static byte[] Filled(byte value)
    {
        byte[] bytes = new byte[4096];
        Array.Fill(bytes, value);
        return bytes;
    }

    private static async Task WriteAsync(MemoryBlockDevice device, long offset, byte[] bytes) =>
        Assert.That(await device.WriteAsync(offset, bytes, CancellationToken.None), Is.EqualTo(FsError.None));

    private static async Task<byte[]> ReadAsync(MemoryBlockDevice device, long offset, int length = 4096)
    {
        byte[] bytes = new byte[length];
        Assert.That(await device.ReadAsync(offset, bytes, CancellationToken.None), Is.EqualTo(FsError.None));
        return bytes;
    }
}
