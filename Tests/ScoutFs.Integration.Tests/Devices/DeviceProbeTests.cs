using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Devices;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests.Devices;

public sealed class DeviceProbeTests
{
    private const long SizeBytes = 64 << 20;

    private static IEnumerable<TestCaseData> FixedMarks => SignatureTable.Marks.Select(
        mark => new TestCaseData(mark.Name, mark.OffsetBytes, mark.Bytes).SetArgDisplayNames(
            mark.Name, $"{mark.OffsetBytes:x}"));

    [TestCaseSource(nameof(FixedMarks))]
    public async Task Find_FixedMark_IsFound(string name, long offsetBytes, byte[] mark)
    {
        var found = await FindAsync(SizeBytes, (offsetBytes, mark));
        Assert.That(found, Is.EqualTo(new[] { new DeviceSignature(name, offsetBytes) }));
    }

    [TestCase(4096)]
    [TestCase(8192)]
    [TestCase(1 << 20)]
    [TestCase(SizeBytes)]
    public async Task Find_Zeros_FindsNothing(long sizeBytes) =>
        Assert.That(await FindAsync(sizeBytes), Is.Empty);

    [Test]
    public async Task Find_RandomBytes_FindsNothing()
    {
        // Short marks must not be found by chance: 64 devices full of noise.
        for (ulong seed = 0; seed < 64; seed++)
        {
            var noise = new byte[2 << 20];
            new Prng(seed).Fill(noise);
            Assert.That(await FindAsync(2 << 20, (0, noise)), Is.Empty, $"seed {seed}");
        }
    }

    [TestCase("g0-empty")]
    [TestCase("g4-archive")]
    public async Task Find_ScoutFs_NamesTheRole(string name)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        var (meta, data) = (
            await DeviceProbe.FindAsync(golden.Meta, default), await DeviceProbe.FindAsync(golden.DataDevice, default));
        Assert.That(meta.Found, Is.EqualTo(new[] { new DeviceSignature("scoutfs metadata device", 65536) }));
        Assert.That(data.Found, Is.EqualTo(new[] { new DeviceSignature("scoutfs data device", 65536) }));
    }

    [TestCase(512)]
    [TestCase(4096)]
    public async Task Find_GptAtBothEnds_NamesBoth(int sectorBytes)
    {
        byte[] mark = "EFI PART"u8.ToArray();
        var found = await FindAsync(SizeBytes, (sectorBytes, mark), (SizeBytes - sectorBytes, mark));
        Assert.That(
            found,
            Is.EqualTo(
                new[]
                {
                    new DeviceSignature("GPT partition table", sectorBytes),
                    new DeviceSignature("GPT partition table (backup)", SizeBytes - sectorBytes),
                }));
    }

    [Test]
    public async Task Find_BootSignature_IsJudgedByWhatIsBefore()
    {
        byte[] sector = new byte[512];
        sector[510] = 0x55;
        sector[511] = 0xaa;
        Assert.That((await FindAsync(SizeBytes, (0, sector)))[0].Name, Is.EqualTo("boot sector"));
        sector[446 + 16 + 4] = 0x83;
        Assert.That((await FindAsync(SizeBytes, (0, sector)))[0].Name, Is.EqualTo("MBR partition table"));
        sector[446] = 0x12;
        Assert.That((await FindAsync(SizeBytes, (0, sector)))[0].Name, Is.EqualTo("boot sector"));
        sector[511] = 0;
        Assert.That(await FindAsync(SizeBytes, (0, sector)), Is.Empty);
    }

    [TestCase(-8192L, 1, false)]
    [TestCase(-65536L, 0, false)]
    [TestCase(-65536L, 0, true)]
    public async Task Find_MdAtTheEnd_IsFound(long fromEndBytes, byte version, bool isBigEndian)
    {
        byte[] mark = isBigEndian
            ? [0xa9, 0x2b, 0x4e, 0xfc, 0, 0, 0, version]
            : [0xfc, 0x4e, 0x2b, 0xa9, version, 0, 0, 0];
        var found = await FindAsync(SizeBytes, (SizeBytes + fromEndBytes, mark));
        Assert.That(found, Is.EqualTo(new[] { new DeviceSignature("md RAID member", SizeBytes + fromEndBytes) }));
    }

    [TestCase(0, false)]
    [TestCase(256 << 10, true)]
    [TestCase(SizeBytes - (512 << 10), false)]
    [TestCase(SizeBytes - (256 << 10), true)]
    public async Task Find_ZfsLabel_IsFoundAtEitherEnd(long labelBytes, bool isBigEndian)
    {
        byte[] mark = [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0];
        if (isBigEndian)
            Array.Reverse(mark);
        long at = labelBytes + (128 << 10) + (5 * 1024);

        // A device need not end where a label would.
        var found = await FindAsync(SizeBytes + 12288, (at, mark));

        Assert.That(found, Is.EqualTo(new[] { new DeviceSignature("ZFS pool member", at) }));
    }

    [Test]
    public async Task Find_DynamicDiskAtTheEnd_IsFound()
    {
        var found = await FindAsync(SizeBytes, (SizeBytes - 512, "PRIVHEAD"u8.ToArray()));
        Assert.That(found[0].Name, Is.EqualTo("Windows dynamic disk"));
    }

    [TestCase(4096)]
    [TestCase(16384)]
    [TestCase(65536)]
    public async Task Find_SwapOfAnyPageSize_IsFound(int pageBytes)
    {
        var found = await FindAsync(SizeBytes, (pageBytes - 10, "SWAPSPACE2"u8.ToArray()));
        Assert.That(found, Is.EqualTo(new[] { new DeviceSignature("swap space", pageBytes - 10) }));
    }

    [Test]
    public async Task Find_SmallDevice_NamesEachMarkOnce()
    {
        var found = await FindAsync(65536, (0, "XFSB"u8.ToArray()), (4096 - 10, "SWAPSPACE2"u8.ToArray()));
        Assert.That(found.Select(signature => signature.Name), Is.EqualTo(new[] { "XFS filesystem", "swap space" }));
    }

    /// <summary>All layouts of Linux RAID; none where the kernel has no such driver, which mdadm needs.</summary>
    private static IEnumerable<TestCaseData> MadeByMdadm()
        => File.Exists("/proc/mdstat")
            ? new[] { "1.2", "1.1", "1.0", "0.90" }.Select(layout => new TestCaseData(
                "md RAID member", $"mdadm -C {{3}} -l 1 -n 2 -f -R -e {layout} {{2}} missing && mdadm -S {{3}}"))
            : [];

    [Platform("Linux")]
    [TestCase("ext4 filesystem", "mkfs.ext4 -q {0}")]
    [TestCase("ext3 filesystem", "mkfs.ext3 -q {0}")]
    [TestCase("ext2 filesystem", "mkfs.ext2 -q {0}")]
    [TestCase("ext external journal", "mke2fs -q -O journal_dev {0}")]
    [TestCase("XFS filesystem", "mkfs.xfs -q {0}")]
    [TestCase("btrfs filesystem", "mkfs.btrfs -q {0}")]
    [TestCase("FAT filesystem", "mkfs.vfat -F 12 {0} 4096")]
    [TestCase("FAT filesystem", "mkfs.vfat -F 16 {0}")]
    [TestCase("FAT filesystem", "mkfs.vfat -F 32 {0}")]
    [TestCase("exFAT filesystem", "mkfs.exfat {0}")]
    [TestCase("NTFS filesystem", "mkntfs -q -F {0}")]
    [TestCase("swap space", "mkswap {0}")]
    [TestCase("f2fs filesystem", "mkfs.f2fs -q {0}")]
    [TestCase("NILFS2 filesystem", "mkfs.nilfs2 -q {0}")]
    [TestCase("OCFS2 filesystem", "mkfs.ocfs2 -q -F -M local --fs-features=local {0}")]
    [TestCase("GFS2 filesystem", "mkfs.gfs2 -q -O -p lock_nolock -J 8 {0}")]
    [TestCase("JFS filesystem", "mkfs.jfs -q {0}")]
    [TestCase("reiserfs filesystem", "mkfs.reiserfs -q -ff {0}")]
    [TestCase("UDF filesystem", "mkfs.udf {0}")]
    [TestCase("UDF filesystem", "mkfs.udf -b 4096 {0}")]
    [TestCase("ISO 9660 filesystem", "genisoimage -quiet -o {0} {1}")]
    [TestCase("squashfs filesystem", "mksquashfs {1} {0} -noappend -quiet")]
    [TestCase("EROFS filesystem", "mkfs.erofs {0} {1}")]
    [TestCase("MBR partition table", "echo 2048,,L | sfdisk -q {0}")]
    [TestCase("GPT partition table,GPT partition table (backup),MBR partition table", "sgdisk -n 1 {0}")]
    [TestCase("LUKS encryption", "echo secret | cryptsetup luksFormat -q --type luks1 --iter-time 1 {0} -")]
    [TestCase(
        "LUKS encryption",
        "echo secret | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 {0} -")]
    [TestCase("LVM2 physical volume", "pvcreate -q -f --devices {2} {2}")]
    [TestCaseSource(nameof(MadeByMdadm))]
    public async Task Find_MadeByItsTool_IsFound(string names, string command)
    {
        bool needsDisk = command.Contains("{2}", StringComparison.Ordinal);
        await using var disk = TestDisk.Create(needsDisk ? DiskKind.Loop : DiskKind.Image, 384 << 20);
        var source = Directory.CreateTempSubdirectory("scoutfs-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(source.FullName, "file"), "contents");
            string line = string.Format(
                null, command, disk.ImagePath, source.FullName, disk.Path, "/dev/md/scoutfs-probe");
            if (!TestDisk.TryRun("sh", out string text, "-c", line))
                Assert.Ignore(text);
            await using var device = disk.Open(DeviceOpenOptions.ForReading);

            var result = await DeviceProbe.FindAsync(device, default);

            Assert.That(result.Error, Is.EqualTo(FsError.None));
            Assert.That(
                result.Found.Select(signature => signature.Name).Distinct().Order(),
                Is.EqualTo(names.Split(',')),
                string.Join(", ", result.Found));
        }
        finally
        {
            source.Delete(recursive: true);
        }
    }

    [Test]
    public async Task Find_ReadFails_SaysSo()
    {
        var result = await DeviceProbe.FindAsync(
            new MemoryBlockDevice("memory", 4096), new CancellationToken(canceled: true));
        Assert.That(result.Error, Is.EqualTo(FsError.Cancelled));
        Assert.That(result.Found, Is.Empty);
    }

    private static async Task<IReadOnlyList<DeviceSignature>> FindAsync(
        long sizeBytes, params (long OffsetBytes, byte[] Bytes)[] contents)
    {
        var device = new MemoryBlockDevice("memory", sizeBytes);
        foreach (var (offsetBytes, bytes) in contents)
        {
            long start = offsetBytes / 4096 * 4096;
            var padded = new byte[(int)(((offsetBytes + bytes.Length + 4095) / 4096 * 4096) - start)];
            Assert.That(await device.ReadAsync(start, padded, default), Is.EqualTo(FsError.None));
            bytes.CopyTo(padded, offsetBytes - start);
            Assert.That(await device.WriteAsync(start, padded, default), Is.EqualTo(FsError.None));
        }

        var result = await DeviceProbe.FindAsync(device, default);
        Assert.That(result.Error, Is.EqualTo(FsError.None));
        return result.Found;
    }
}
