using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Numerics;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <summary>Bytes at a fixed place that are long enough to be no coincidence.</summary>
/// <param name="Name">See <see cref="DeviceSignature.Name"/>.</param>
/// <param name="OffsetBytes">Where.</param>
/// <param name="Bytes">Which.</param>
internal sealed record SignatureMark(string Name, long OffsetBytes, byte[] Bytes);

/// <summary>Marks of filesystems, volume managers, encryption and partition tables.</summary>
internal static class SignatureTable
{
    private const int ZfsLabelBytes = 256 << 10;

    private static readonly byte[] BootSignature = [0x55, 0xaa];

    /// <summary>All fixed marks.</summary>
    public static IReadOnlyList<SignatureMark> Marks { get; } =
    [
        Text("XFS filesystem", 0, "XFSB"),
        Text("XFS external log", 0x1c, "XFSL"),
        Text("btrfs filesystem", 0x10040, "_BHRfS_M"),
        Text("NTFS filesystem", 3, "NTFS    "),
        Text("exFAT filesystem", 3, "EXFAT   "),
        Text("ReFS filesystem", 3, "ReFS\0\0\0\0"),
        Text("BitLocker encryption", 3, "-FVE-FS-"),
        Text("LUKS encryption", 0, "LUKS\u00ba\u00be"),
        Text("LUKS encryption", 0x4000, "SKUL\u00ba\u00be"),
        Text("ISO 9660 filesystem", 0x8001, "CD001"),
        Text("UDF filesystem", 0x8001, "BEA01"),
        Text("UDF filesystem", 0x8801, "BEA01"),
        Text("squashfs filesystem", 0, "hsqs"),
        Text("JFS filesystem", 0x8000, "JFS1"),
        Text("reiserfs filesystem", 0x2034, "ReIsErFs"),
        Text("reiserfs filesystem", 0x10034, "ReIsErFs"),
        Text("reiserfs filesystem", 0x10034, "ReIsEr2Fs"),
        Text("reiserfs filesystem", 0x10034, "ReIsEr3Fs"),
        Text("reiser4 filesystem", 0x10000, "ReIsEr4"),
        Text("OCFS2 filesystem", 0x400, "OCFSV2"),
        Text("OCFS2 filesystem", 0x800, "OCFSV2"),
        Text("OCFS2 filesystem", 0x1000, "OCFSV2"),
        Text("OCFS2 filesystem", 0x2000, "OCFSV2"),
        Text("APFS container", 0x20, "NXSB"),
        Text("HFS+ filesystem", 0x400, "H+\0\u0004"),
        Text("HFSX filesystem", 0x400, "HX\0\u0005"),
        Text("Oracle ASM disk", 0x20, "ORCLDISK"),
        Text("Ceph BlueStore", 0, "bluestore block device"),
        Text("VDO volume", 0, "dmvdo001"),
        Text("dm-verity hash tree", 0, "verity\0\0"),
        Text("dm-integrity device", 0, "integrt\0"),
        Text("Stratis block device", 0x204, "!Stra0tis\u0086\u00ff\u0002^Arh"),
        Text("Windows dynamic disk", 0xc00, "PRIVHEAD"),
        new("f2fs filesystem", 0x400, [0x10, 0x20, 0xf5, 0xf2]),
        new("EROFS filesystem", 0x400, [0xe2, 0xe1, 0xf5, 0xe0]),
        new("GFS2 filesystem", 0x10000, [0x01, 0x16, 0x19, 0x70, 0, 0, 0, 1]),
        new("bcachefs filesystem", 0x1018, Hex("c68573f666ce90a9d96a60cf803df7ef")),
        new("bcache device", 0x1018, Hex("c68573f64e1a45ca8265f57f48ba6d81")),
        new("VMFS volume", 0x100000, [0x0d, 0xd0, 0x01, 0xc0]),
        new("md RAID member", 0, [0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]),
        new("md RAID member", 0x1000, [0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]),
    ];

    /// <summary>All marks that need more than a comparison.</summary>
    public static IReadOnlyList<Action<ProbedBytes, List<DeviceSignature>>> Looks { get; } =
    [
        LookForScoutFs, LookForExt, LookForBootSector, LookForGpt, LookForLvm, LookForMdAtEnd, LookForSwap, LookForZfs,
        LookForNilfs, LookForDynamicDiskAtEnd,
    ];

    private static SignatureMark Text(string name, long offsetBytes, string text) =>
        new(name, offsetBytes, System.Text.Encoding.Latin1.GetBytes(text));

    private static byte[] Hex(string digits) => Convert.FromHexString(digits);

    private static void LookForScoutFs(ProbedBytes bytes, List<DeviceSignature> found)
    {
        const long At = (long)FormatConstants.SuperBlkno * FormatConstants.SmallBlockBytes;
        var header = bytes.At(At, Disk.SizeOf<SuperBlock>());
        if (header.IsEmpty)
            return;
        ref readonly var super = ref Disk.Ref<SuperBlock>(header);
        if (super.Header.Magic != (uint)BlockMagic.Super)
            return;
        bool isMeta = (super.Flags & SuperBlock.FlagMeta) != 0;
        found.Add(new DeviceSignature($"scoutfs {(isMeta ? "metadata" : "data")} device", At));
    }

    /// <summary>The mark of ext is two bytes: block size and revision must make sense.</summary>
    private static void LookForExt(ProbedBytes bytes, List<DeviceSignature> found)
    {
        const long At = 0x400;
        if (bytes.Little16(At + 56) != 0xef53 || bytes.Little32(At + 24) > 6 || bytes.Little32(At + 76) > 1)
            return;
        const uint HasJournal = 0x4;
        const uint JournalDevice = 0x8;
        const uint OnlyExt4 = 0x40 | 0x80 | 0x200; // extents, 64bit, flex_bg
        const uint OnlyExt4ReadOnly = 0x8 | 0x10 | 0x20 | 0x40 | 0x400; // huge_file … extra_isize, metadata_csum
        uint incompatible = bytes.Little32(At + 96);
        string name = (incompatible & JournalDevice) != 0 ? "ext external journal"
            : (incompatible & OnlyExt4) != 0 || (bytes.Little32(At + 100) & OnlyExt4ReadOnly) != 0 ? "ext4 filesystem"
            : (bytes.Little32(At + 92) & HasJournal) != 0 ? "ext3 filesystem" : "ext2 filesystem";
        found.Add(new DeviceSignature(name, At + 56));
    }

    /// <summary>FAT, or a table of partitions, or a boot sector of something unknown.</summary>
    private static void LookForBootSector(ProbedBytes bytes, List<DeviceSignature> found)
    {
        const long At = 510;
        if (!bytes.Has(At, BootSignature) || found.Exists(signature => signature.OffsetBytes == 3))
            return;
        found.Add(
            new DeviceSignature(
                IsFat(bytes) ? "FAT filesystem" : IsPartitionTable(bytes) ? "MBR partition table" : "boot sector", At));
    }

    private static bool IsFat(ProbedBytes bytes)
    {
        bool hasJump = bytes.Byte(0) == 0xe9 || (bytes.Byte(0) == 0xeb && bytes.Byte(2) == 0x90);
        int sectorBytes = bytes.Little16(11);
        return hasJump && sectorBytes is >= 512 and <= 4096 && BitOperations.IsPow2(sectorBytes)
            && BitOperations.IsPow2((uint)bytes.Byte(13)) && bytes.Little16(14) > 0 && bytes.Byte(16) is 1 or 2
            && bytes.Byte(21) >= 0xf0;
    }

    /// <summary>Every entry is active or not, which is all that entries have in common; one at least is used.</summary>
    private static bool IsPartitionTable(ProbedBytes bytes)
    {
        bool isUsed = false;
        for (int entry = 446; entry < 510; entry += 16)
        {
            if ((bytes.Byte(entry) & 0x7f) != 0)
                return false;
            isUsed |= bytes.Byte(entry + 4) != 0;
        }

        return isUsed;
    }

    /// <summary>In the second and in the last sector, whatever the size of sectors.</summary>
    private static void LookForGpt(ProbedBytes bytes, List<DeviceSignature> found)
    {
        foreach (long at in new[] { 512, 4096, bytes.SizeBytes - 4096, bytes.SizeBytes - 512 })
        {
            if (bytes.Has(at, "EFI PART"u8))
                found.Add(new DeviceSignature(at <= 4096 ? "GPT partition table" : "GPT partition table (backup)", at));
        }
    }

    private static void LookForLvm(ProbedBytes bytes, List<DeviceSignature> found)
    {
        for (int at = 0; at < 4 * 512; at += 512)
        {
            if (bytes.Has(at, "LABELONE"u8) && bytes.Has(at + 24, "LVM2 001"u8))
                found.Add(new DeviceSignature("LVM2 physical volume", at));
        }
    }

    /// <summary>md metadata versions 1.0 and 0.90 lie at the end, aligned to 4 and 64 KiB.</summary>
    private static void LookForMdAtEnd(ProbedBytes bytes, List<DeviceSignature> found)
    {
        const uint Magic = 0xa92b4efc;
        long atVersion1 = (bytes.SizeBytes - 8192) & ~4095L;
        if (bytes.Little32(atVersion1) == Magic && bytes.Little32(atVersion1 + 4) == 1)
            found.Add(new DeviceSignature("md RAID member", atVersion1));
        long atVersion0 = (bytes.SizeBytes & ~65535L) - 65536;
        bool isVersion0 = bytes.Little32(atVersion0) == Magic && bytes.Little32(atVersion0 + 4) == 0;
        if (isVersion0 || (bytes.Big32(atVersion0) == Magic && bytes.Big32(atVersion0 + 4) == 0))
            found.Add(new DeviceSignature("md RAID member", atVersion0));
    }

    /// <summary>In the last bytes of the first page, whatever the size of pages.</summary>
    private static void LookForSwap(ProbedBytes bytes, List<DeviceSignature> found)
    {
        for (int pageBytes = 4096; pageBytes <= 65536; pageBytes *= 2)
        {
            int at = pageBytes - 10;
            if (bytes.Has(at, "SWAPSPACE2"u8) || bytes.Has(at, "SWAP-SPACE"u8))
                found.Add(new DeviceSignature("swap space", at));
            else if (bytes.Has(at, "S1SUSPEND"u8) || bytes.Has(at, "S2SUSPEND"u8))
                found.Add(new DeviceSignature("hibernation image", at));
        }
    }

    /// <summary>Two labels at either end, each with a ring of über blocks in its second half.</summary>
    private static void LookForZfs(ProbedBytes bytes, List<DeviceSignature> found)
    {
        const uint Magic = 0x00bab10c;
        long end = bytes.SizeBytes / ZfsLabelBytes * ZfsLabelBytes;
        foreach (long label in new[] { 0, ZfsLabelBytes, end - (2 * ZfsLabelBytes), end - ZfsLabelBytes })
        {
            for (long at = label + (ZfsLabelBytes / 2); at < label + ZfsLabelBytes; at += 1024)
            {
                ulong magic = bytes.Little64(at);
                if (magic != Magic && BinaryPrimitives.ReverseEndianness(magic) != Magic)
                    continue;
                found.Add(new DeviceSignature("ZFS pool member", at));
                break;
            }
        }
    }

    /// <summary>The mark of nilfs2 is two bytes: revision and the size of the super block must make sense.</summary>
    private static void LookForNilfs(ProbedBytes bytes, List<DeviceSignature> found)
    {
        const long At = 0x400;
        if (bytes.Little16(At + 6) == 0x3434 && bytes.Little32(At) == 2 && bytes.Little16(At + 8) is >= 128 and <= 1024)
            found.Add(new DeviceSignature("NILFS2 filesystem", At + 6));
    }

    /// <summary>Windows keeps a copy of a dynamic disk's header in the last sectors.</summary>
    private static void LookForDynamicDiskAtEnd(ProbedBytes bytes, List<DeviceSignature> found)
    {
        long at = bytes.SizeBytes - 512;
        if (bytes.Has(at, "PRIVHEAD"u8))
            found.Add(new DeviceSignature("Windows dynamic disk", at));
    }
}
