using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Checks super and quorum blocks (format §4, §5; I1 to I9).</summary>
internal static class SuperCheck
{
    private const string MetaName = "metadata super block";
    private const string DataName = "data super block";

    /// <summary>Reads and checks the metadata device's super block.</summary>
    /// <returns>The super block, or null when nothing can be found through it.</returns>
    /// <exception cref="VolumeException">The device cannot be read or is no volume at all.</exception>
    public static async ValueTask<SuperBlock?> CheckMetaAsync(
        IBlockDevice meta, Memory<byte> buffer, IFindingSink findings, CancellationToken cancellationToken)
    {
        var super = await ReadAsync(meta, MetaName, buffer, findings, isMeta: true, cancellationToken);
        if (super is not { } good)
            return null;
        if ((good.Flags & SuperBlock.FlagMeta) == 0)
            findings.Report("I2", MetaName, string.Empty, "The flag META is not set.");
        CheckMetaSize(good, meta, MetaName, findings);
        CheckSlots(good, findings);
        CheckOptions(good, findings);
        return good;
    }

    /// <summary>Checks the data device's super block against the metadata device's.</summary>
    public static async ValueTask CheckDataAsync(
        IBlockDevice metaDevice,
        IBlockDevice data,
        SuperBlock meta,
        Memory<byte> buffer,
        IFindingSink findings,
        CancellationToken cancellationToken)
    {
        CheckDataSize(meta, data, MetaName, findings);
        var super = await ReadAsync(data, DataName, buffer, findings, isMeta: false, cancellationToken);
        if (super is not { } good)
            return;
        if ((good.Flags & SuperBlock.FlagMeta) != 0)
            findings.Report("I2", DataName, string.Empty, "The flag META is set.");
        if (!Disk.Bytes(in good.Uuid).SequenceEqual(Disk.Bytes(in meta.Uuid)))
            Differ("uuid", OfflineVolume.FormatUuid(good), OfflineVolume.FormatUuid(meta));
        if (good.Header.Fsid != meta.Header.Fsid)
            Differ("fsid", Hex(good.Header.Fsid), Hex(meta.Header.Fsid));
        if (good.FormatVersion != meta.FormatVersion)
            Differ("format version", good.FormatVersion.ToString(), meta.FormatVersion.ToString());

        // The copy keeps the sizes of mkfs while the volume grows. What fits in neither is reported once, and of
        // another volume's device nothing more is said.
        if (good.Header.Fsid == meta.Header.Fsid && good.TotalMetaBlocks > meta.TotalMetaBlocks)
            CheckMetaSize(good, metaDevice, DataName, findings);
        if (good.Header.Fsid == meta.Header.Fsid && good.TotalDataBlocks > meta.TotalDataBlocks)
            CheckDataSize(good, data, DataName, findings);

        void Differ(string field, string there, string here) => findings.Report(
            "I3", DataName, string.Empty, $"The {field} is {there}, the metadata super block has {here}.");
    }

    /// <summary>Checks all quorum blocks.</summary>
    public static async ValueTask CheckQuorumAsync(
        IBlockDevice meta,
        SuperBlock super,
        Memory<byte> buffer,
        IFindingSink findings,
        CancellationToken cancellationToken)
    {
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            string structure = string.Create(CultureInfo.InvariantCulture, $"quorum block {slot}");
            ulong blkno = FormatConstants.QuorumBlkno + (ulong)slot;
            var error = await SmallBlocks.ReadAsync(meta, blkno, buffer, cancellationToken);
            if (error != FsError.None)
            {
                findings.Report("I8", structure, string.Empty, $"It cannot be read: {FsErrorTable.TextOf(error)}.");
                continue;
            }

            var fault = SmallBlocks.Verify(buffer.Span, BlockMagic.Quorum, blkno, super.Header.Fsid);
            if (fault.IsFound)
                findings.Report("I8", structure, string.Empty, fault.Describe() + ".");
            else
                CheckEvents(buffer.Span, structure, findings);
        }
    }

    private static async ValueTask<SuperBlock?> ReadAsync(
        IBlockDevice device,
        string structure,
        Memory<byte> buffer,
        IFindingSink findings,
        bool isMeta,
        CancellationToken cancellationToken)
    {
        string role = isMeta ? "metadata" : "data";
        if (device.SizeBytes < (long)(FormatConstants.SuperBlkno + 1) * FormatConstants.SmallBlockBytes)
        {
            throw new VolumeException(
                FsError.TooSmall, $"The {role} device {device.Name} is too small to hold a scoutfs super block.");
        }

        var error = await SmallBlocks.ReadAsync(device, FormatConstants.SuperBlkno, buffer, cancellationToken);
        if (error != FsError.None)
        {
            throw new VolumeException(
                error, $"Cannot read the super block of {role} device {device.Name}: {FsErrorTable.TextOf(error)}.");
        }

        var block = buffer.Span[..FormatConstants.SmallBlockBytes];
        var fault = SmallBlocks.Verify(block, BlockMagic.Super, FormatConstants.SuperBlkno, 0);
        if (fault.IsFound)
        {
            // A device of something else, named by mistake, is not a damaged volume: nothing of a super block is there.
            ref readonly var claimed = ref Disk.Ref<SuperBlock>(block);
            bool looksLikeSuper = fault.Site != CorruptionSite.SmallBlockMagic
                || claimed.Header.Blkno == FormatConstants.SuperBlkno;
            if (!looksLikeSuper)
            {
                throw new VolumeException(
                    FsError.Corrupt,
                    $"{device.Name} holds no scoutfs volume: there is no super block at byte 65536. Check the path.",
                    fault);
            }

            findings.Report("I1", structure, string.Empty, fault.Describe() + ".");
            if (fault.Site != CorruptionSite.SmallBlockBlkno)
                return null;
        }

        var super = Disk.Ref<SuperBlock>(block);
        if (super.FormatVersion < FormatConstants.MinFormatVersion
            || super.FormatVersion > FormatConstants.MaxFormatVersion)
        {
            findings.Report(
                "I1",
                structure,
                string.Empty,
                $"Format version {super.FormatVersion} is not supported; this program knows versions "
                + $"{FormatConstants.MinFormatVersion} to {FormatConstants.MaxFormatVersion}.");
            return null;
        }

        if (block[Disk.SizeOf<SuperBlock>()..].ContainsAnyExcept((byte)0))
        {
            findings.Report(
                "I1", structure, string.Empty, "Bytes after the structure are not zero.", FindingSeverity.Warning);
        }

        return super;
    }

    private static void CheckMetaSize(
        in SuperBlock super, IBlockDevice device, string structure, IFindingSink findings) =>
        CheckSize(
            super.TotalMetaBlocks, FormatConstants.LargeBlockBytes, device, structure, "total_meta_blocks", findings);

    private static void CheckDataSize(
        in SuperBlock super, IBlockDevice device, string structure, IFindingSink findings) =>
        CheckSize(
            super.TotalDataBlocks, FormatConstants.SmallBlockBytes, device, structure, "total_data_blocks", findings);

    private static void CheckSize(
        ulong blocks, int blockBytes, IBlockDevice device, string structure, string field, IFindingSink findings)
    {
        if (blocks <= (ulong)(device.SizeBytes / blockBytes))
            return;
        var volumeBytes = (UInt128)blocks * (uint)blockBytes;
        findings.Report(
            "I4",
            structure,
            field,
            $"The device {device.Name} has {device.SizeBytes} bytes, but the volume says {volumeBytes} bytes "
            + $"({blocks} blocks of {blockBytes}): it is truncated, or not the whole device.");
    }

    private static void CheckSlots(in SuperBlock super, IFindingSink findings)
    {
        var addresses = new Dictionary<(uint, ushort), int>();
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            var address = super.QuorumConfig.Slots[slot];
            string where = string.Create(CultureInfo.InvariantCulture, $"slot {slot}");
            if (address.Family == InetAddress.FamilyNone)
            {
                if (Disk.Bytes(in address).ContainsAnyExcept((byte)0))
                {
                    findings.Report(
                        "I6", "quorum configuration", where, "The unused slot is not zero.", FindingSeverity.Warning);
                }
            }
            else if (address.Family != InetAddress.FamilyIPv4)
            {
                findings.Report("I6", "quorum configuration", where, $"Address family {address.Family} is unknown.");
            }
            else if (address.Addr == 0 || address.Addr == uint.MaxValue || address.Port == 0)
            {
                findings.Report("I6", "quorum configuration", where, "The address or port is not usable.");
            }
            else if (!addresses.TryAdd((address.Addr, address.Port), slot))
            {
                int other = addresses[(address.Addr, address.Port)];
                findings.Report(
                    "I6",
                    "quorum configuration",
                    where,
                    $"It has the same address and port as slot {other}.");
            }
        }

        if (addresses.Count == 0)
            findings.Report("I6", "quorum configuration", string.Empty, "No slot is configured.");
    }

    private static void CheckOptions(in SuperBlock super, IFindingSink findings)
    {
        ulong known = 1UL << VolumeOptions.DataAllocZoneBlocks;
        ulong bits = super.VolumeOptions.SetBits;
        if ((bits & ~known) != 0)
            findings.Report("I7", "volume options", "set_bits", $"Unknown options are set: 0x{bits & ~known:x}.");
        for (int i = 0; i < FormatConstants.VolumeOptions; i++)
        {
            bool isSet = (bits & known & (1UL << i)) != 0;
            ulong value = super.VolumeOptions.Values[i];
            string where = string.Create(CultureInfo.InvariantCulture, $"option {i}");
            if (!isSet && value != 0 && (bits & (1UL << i)) == 0)
            {
                // Readers ignore the value of a known option that is not set.
                var severity = i == VolumeOptions.DataAllocZoneBlocks ? FindingSeverity.Warning : FindingSeverity.Error;
                findings.Report(
                    "I7",
                    "volume options",
                    where,
                    $"The option is not set but has value {value}.",
                    severity);
            }
        }
    }

    private static void CheckEvents(ReadOnlySpan<byte> block, string structure, IFindingSink findings)
    {
        ref readonly var quorum = ref Disk.Ref<QuorumBlock>(block);
        ulong greatest = 0;
        for (int i = 0; i < 6; i++)
        {
            ulong writeNr = quorum.Events[i].WriteNr;
            greatest = Math.Max(greatest, writeNr);
            if (writeNr > quorum.WriteNr)
            {
                findings.Report(
                    "I9",
                    structure,
                    $"event {(QuorumEventKind)i}",
                    $"write_nr {writeNr} is greater than the block's {quorum.WriteNr.Value}.");
            }
        }

        if (greatest < quorum.WriteNr)
        {
            findings.Report(
                "I9", structure, string.Empty, $"write_nr is {quorum.WriteNr.Value}, the last event has {greatest}.");
        }

        if (block[Disk.SizeOf<QuorumBlock>()..FormatConstants.SmallBlockBytes].ContainsAnyExcept((byte)0))
        {
            findings.Report(
                "I8", structure, string.Empty, "Bytes after the structure are not zero.", FindingSeverity.Warning);
        }
    }

    private static string Hex(ulong value) => value.ToString("x16", CultureInfo.InvariantCulture);
}
