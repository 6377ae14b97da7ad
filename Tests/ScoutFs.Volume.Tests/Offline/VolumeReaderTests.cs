using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class VolumeReaderTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Test]
    public async Task FindInode_Missing_ReturnsNull()
    {
        using var volume = await new ItemVolume().AddDirectory(1).OpenAsync();
        using var reader = new VolumeReader(volume);
        var missing = await reader.FindInodeAsync(2, None);
        var failure = await Assert.ThrowsAsync<VolumeException>(() => reader.GetInodeAsync(2, None).AsTask());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(missing, Is.Null);
            Assert.That(failure!.Error, Is.EqualTo(FsError.NotFound));
            Assert.That(failure.Message, Does.Contain("inode 2").And.Contain("meta.img"));
        }
    }

    [TestCase(1UL, 160, true)]
    [TestCase(1UL, 168, false)]
    [TestCase(2UL, 160, true)]
    [TestCase(2UL, 168, true)]
    [TestCase(2UL, 167, false)]
    [TestCase(2UL, 0, false)]
    public async Task FindInode_SizeByVersion_IsAcceptedAsTheFormatSays(ulong version, int bytes, bool isGood)
    {
        var items = new ItemVolume { FormatVersion = version }.AddDirectory(1);
        var key = Keys.Inode(1);
        items.Items[key] = items.Items[key][..bytes];
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        if (isGood)
        {
            var inode = await reader.GetInodeAsync(1, None);
            Assert.That(inode.Nlink.Value, Is.EqualTo(2));
        }
        else
        {
            var failure = await Assert.ThrowsAsync<VolumeException>(() => reader.GetInodeAsync(1, None).AsTask());
            Assert.That(failure!.Fault.Site, Is.EqualTo(CorruptionSite.InodeSize));
        }
    }

    [Test]
    public async Task ReadDirectory_InPages_GivesEveryEntryInOrderOfPosition()
    {
        var items = new ItemVolume().AddDirectory(1);
        for (ulong i = 0; i < 100; i++)
            items.Link(1, 2 + (i * 3), $"name-{i}", 1000 + i);
        using var volume = await items.OpenAsync(maxItemsPerBlock: 7);
        using var reader = new VolumeReader(volume);
        var page = new List<DirectoryEntry>();
        var all = new List<DirectoryEntry>();
        ulong from = 0;
        bool hasMore = true;
        while (hasMore)
        {
            hasMore = await reader.ReadDirectoryAsync(1, from, page, 30, None);
            all.AddRange(page);
            from = all[^1].Pos + 1;
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(all.Select(entry => entry.Pos), Is.EqualTo(Enumerable.Range(0, 100).Select(i => 2 + (i * 3))));
            Assert.That(all[57].Name, Is.EqualTo(ItemVolume.Bytes("name-57")));
            Assert.That(all[57].Ino, Is.EqualTo(1057));
        }
    }

    [Test]
    public async Task FindEntry_AmongOthers_FindsByName()
    {
        var items = new ItemVolume().AddDirectory(1);
        items.Link(1, 2, "a", 10).Link(1, 3, [0xff, 0xfe], 11, DirentType.Fifo);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var entry = await reader.FindEntryAsync(1, new byte[] { 0xff, 0xfe }, None);
        var missing = await reader.FindEntryAsync(1, "b"u8.ToArray(), None);
        var tooLong = await reader.FindEntryAsync(1, new byte[256], None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(entry!.Value.Ino, Is.EqualTo(11));
            Assert.That(entry.Value.Type, Is.EqualTo(DirentType.Fifo));
            Assert.That(missing, Is.Null);
            Assert.That(tooLong, Is.Null);
        }
    }

    [TestCase(32)]
    [TestCase(288)]
    [TestCase(0)]
    public async Task ReadDirectory_EntryOfImpossibleLength_IsDamage(int valueBytes)
    {
        var items = new ItemVolume().AddDirectory(1);
        items.Items[Keys.Readdir(1, 2)] = new byte[valueBytes];
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var failure = await Assert.ThrowsAsync<VolumeException>(
            () => reader.ReadDirectoryAsync(1, 0, [], 10, None).AsTask());
        Assert.That(failure!.Fault.Site, Is.EqualTo(CorruptionSite.DirentShape));
    }

    [TestCase(1)]
    [TestCase(895)]
    [TestCase(896)]
    [TestCase(4095)]
    public async Task ReadSymlink_AnyLength_JoinsTheParts(int length)
    {
        string target = new('t', length);
        using var volume = await new ItemVolume().AddSymlink(5, target).OpenAsync();
        using var reader = new VolumeReader(volume);
        byte[] read = await reader.ReadSymlinkAsync(5, await reader.GetInodeAsync(5, None), None);
        Assert.That(read, Is.EqualTo(ItemVolume.Bytes(target)));
    }

    [Test]
    public async Task ReadSymlink_Damaged_SaysSo([Values] SymlinkDamage damage)
    {
        var items = new ItemVolume().AddSymlink(5, new string('t', 2000));
        switch (damage)
        {
            case SymlinkDamage.PartMissing:
                items.Items.Remove(Keys.Symlink(5, 1));
                break;
            case SymlinkDamage.PartShort:
                items.Items[Keys.Symlink(5, 1)] = new byte[895];
                break;
            case SymlinkDamage.PartTooMany:
                items.Items[Keys.Symlink(5, 3)] = new byte[10];
                break;
            case SymlinkDamage.NoNul:
                items.Items[Keys.Symlink(5, 2)][^1] = (byte)'t';
                break;
            case SymlinkDamage.TwoNuls:
                items.Items[Keys.Symlink(5, 0)][7] = 0;
                break;
            case SymlinkDamage.SizeZero:
                items.AddInode(5, FileMode.Symlink, 0);
                break;
            case SymlinkDamage.SizeHuge:
                items.AddInode(5, FileMode.Symlink, ulong.MaxValue);
                break;
        }

        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var inode = await reader.GetInodeAsync(5, None);
        var failure = await Assert.ThrowsAsync<VolumeException>(() => reader.ReadSymlinkAsync(5, inode, None).AsTask());
        Assert.That(failure!.Fault.Site, Is.EqualTo(CorruptionSite.SymlinkShape));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(882)]
    [TestCase(883)]
    [TestCase(65535)]
    public async Task ReadXattr_AnyLength_JoinsTheParts(int length)
    {
        byte[] value = new byte[length];
        new Prng(7).Fill(value);
        var items = new ItemVolume().AddXattr(5, 3, "user.x", value).AddXattr(5, 4, "user.other", [1])
            .AddXattr(5, 9, "scoutfs.hide.srch.y", [2]);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var list = await reader.ListXattrsAsync(5, None);
        var entry = list.Single(xattr => xattr.Id == 3);
        byte[]? byEntry = await reader.ReadXattrAsync(5, entry, None);
        byte[]? byName = await reader.FindXattrAsync(5, "user.x"u8.ToArray(), None);
        byte[]? missing = await reader.FindXattrAsync(5, "user.z"u8.ToArray(), None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list, Has.Count.EqualTo(3));
            Assert.That(list.Single(xattr => xattr.IsHidden).Tags, Is.EqualTo(XattrTags.Hide | XattrTags.Srch));
            Assert.That(entry.ValueBytes, Is.EqualTo(length));
            Assert.That(byEntry, Is.EqualTo(value));
            Assert.That(byName, Is.EqualTo(value));
            Assert.That(missing, Is.Null);
        }
    }

    [Test]
    public async Task ListXattrs_Damaged_SaysSo([Values] XattrDamage damage)
    {
        var items = new ItemVolume().AddXattr(5, 3, "user.x", new byte[2000]);
        uint hash = XattrName.Hash("user.x"u8);
        switch (damage)
        {
            case XattrDamage.FirstMissing:
                items.Items.Remove(Keys.Xattr(5, hash, 3, 0));
                break;
            case XattrDamage.MiddleMissing:
                items.Items.Remove(Keys.Xattr(5, hash, 3, 1));
                break;
            case XattrDamage.LastMissing:
                items.Items.Remove(Keys.Xattr(5, hash, 3, 2));
                break;
            case XattrDamage.FirstShort:
                items.Items[Keys.Xattr(5, hash, 3, 0)] = new byte[8];
                break;
            case XattrDamage.LastLong:
                items.Items[Keys.Xattr(5, hash, 3, 2)] = new byte[896];
                break;
            case XattrDamage.NameEmpty:
                items.Items[Keys.Xattr(5, hash, 3, 0)][2] = 0;
                break;
        }

        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var listing = await Assert.ThrowsAsync<VolumeException>(() => reader.ListXattrsAsync(5, None).AsTask());
        var finding = await Assert.ThrowsAsync<VolumeException>(
            () => reader.FindXattrAsync(5, "user.x"u8.ToArray(), None).AsTask());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(listing!.Fault.Site, Is.EqualTo(CorruptionSite.XattrShape));
            Assert.That(finding!.Fault.Site, Is.EqualTo(CorruptionSite.XattrShape));
        }
    }

    [TestCase(0UL, 1UL, 0UL, (byte)0)]
    [TestCase(0UL, 1UL, 0UL, (byte)2)]
    [TestCase(0UL, 1UL, 64UL, (byte)1)]
    [TestCase(0UL, 1UL, 64UL, (byte)4)]
    [TestCase(0UL, 1UL, 63UL, (byte)0)]
    [TestCase(0UL, 2UL, ItemVolume.TotalDataBlocks - 1, (byte)0)]
    [TestCase(0UL, 1UL, ulong.MaxValue, (byte)0)]
    [TestCase(0UL, 1UL << 63, 64UL, (byte)0)]
    [TestCase(1UL << 52, 1UL, 64UL, (byte)0)]
    [TestCase((1UL << 52) - 1, 2UL, 0UL, (byte)1)]
    public async Task ReadExtents_Invalid_SaysSo(ulong logical, ulong count, ulong physical, byte flags)
    {
        using var volume = await new ItemVolume().AddExtent(5, logical, count, physical, flags).OpenAsync();
        using var reader = new VolumeReader(volume);
        var failure = await Assert.ThrowsAsync<VolumeException>(
            () => reader.ReadExtentsAsync(5, 0, [], 10, None).AsTask());
        Assert.That(failure!.Fault.Site, Is.EqualTo(CorruptionSite.ExtentShape));
    }

    [Test]
    public async Task ReadExtents_Overlapping_SaysSo()
    {
        using var volume = await new ItemVolume().AddExtent(5, 0, 4, 100).AddExtent(5, 3, 2, 200).OpenAsync();
        using var reader = new VolumeReader(volume);
        var failure = await Assert.ThrowsAsync<VolumeException>(
            () => reader.ReadExtentsAsync(5, 0, [], 10, None).AsTask());
        Assert.That(failure!.Fault.Site, Is.EqualTo(CorruptionSite.ExtentShape));
    }

    [Test]
    public async Task Read_TreeRewrittenMeanwhile_GoesOnWithTheNewRoots()
    {
        var items = new ItemVolume().AddDirectory(1).Link(1, 2, "old", 10);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        volume.Cache.DropClean();
        await items.OverwriteTreeAsync();
        items.Link(1, 3, "new", 11);
        await items.WriteAsync();
        var entry = await reader.FindEntryAsync(1, "new"u8.ToArray(), None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(entry!.Value.Ino, Is.EqualTo(11));
            Assert.That(reader.Generation, Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Read_BlockDamagedAndRootsTheSame_Fails()
    {
        var items = new ItemVolume().AddDirectory(1);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        volume.Cache.DropClean();
        await items.OverwriteTreeAsync();
        var failure = await Assert.ThrowsAsync<VolumeException>(() => reader.GetInodeAsync(1, None).AsTask());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(failure!.Error, Is.EqualTo(FsError.Stale));
            Assert.That(failure.Message, Does.Contain("read inode 1").And.Contain("block 16").And.Contain("check"));
        }
    }

    [Test]
    public async Task Read_Cancelled_Throws()
    {
        using var volume = await new ItemVolume().AddDirectory(1).OpenAsync();
        using var reader = new VolumeReader(volume);
        volume.Cache.DropClean();
        Assert.That(
            () => reader.GetInodeAsync(1, new CancellationToken(true)).AsTask(),
            Throws.InstanceOf<OperationCanceledException>());
    }

    public enum SymlinkDamage
    {
        PartMissing,
        PartShort,
        PartTooMany,
        NoNul,
        TwoNuls,
        SizeZero,
        SizeHuge,
    }

    public enum XattrDamage
    {
        FirstMissing,
        MiddleMissing,
        LastMissing,
        FirstShort,
        LastLong,
        NameEmpty,
    }
}
