using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Data;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Quota;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>
/// Attributes, waiters, status and handles as agents see them (archive §9.7, §9.8, §9.10, §9.14; row setattr_more and
/// traps 43, 62 of engine §15).
/// </summary>
internal sealed class ArchiveAttributeTests : MountedFixture
{
    [Test]
    public async Task SetattrMore_OfAnEmptyFile_SetsAllOfIt()
    {
        ulong ino = await CreateAsync("f");
        var ctime = new Timespec { Sec = 67_305_985, Nsec = 5 };
        var crtime = new Timespec { Sec = 1, Nsec = 999_999_999 };
        var changes = ArchiveAttributes.Older(0xbf00_0000_0000_0001, 4_000_000_000, true, ctime, crtime);
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
        var inode = await InodeAsync(ino);
        Assert.That(
            (inode.DataVersion.Value, inode.Size.Value, inode.OfflineBlocks.Value, inode.Ctime, inode.Crtime),
            Is.EqualTo((0xbf00_0000_0000_0001, 4_000_000_000UL, 976_563UL, ctime, crtime)));
        Assert.That(await ExtentsAsync(ino), Is.EqualTo("0-976563o"));
    }

    [Test]
    public async Task SetattrMore_WithTimesAlone_SetsThem()
    {
        ulong ino = await CreateAsync("f");
        var time = new Timespec { Sec = 7, Nsec = 8 };
        var changes = ArchiveAttributes.Older(0, 0, false, time, time);
        Assert.That((await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.None));
        var inode = await InodeAsync(ino);
        Assert.That((inode.Ctime, inode.Crtime, inode.DataVersion.Value), Is.EqualTo((time, time, 0UL)));
    }

    [Test]
    public async Task Restore_ThatCannotBe_IsRefused()
    {
        ulong empty = await CreateAsync("empty");
        ulong full = await MakeFileAsync("full", new byte[1]);
        ulong directory = await MakeDirectoryAsync("d");
        ulong device = await CreateAsync("c", mode: FileMode.CharDevice | 0x1ed);
        var sparse = new ArchiveAttributes { DataVersion = 1, Size = 10007 };
        await RefuseAsync(empty, sparse with { DataVersion = 0 });
        await RefuseAsync(empty, sparse with { DataVersion = null });
        await RefuseAsync(empty, sparse with { Size = 0, IsOffline = true });
        await RefuseAsync(empty, sparse with { Size = null, IsOffline = true });
        foreach (ulong other in new[] { full, directory, device })
        {
            await RefuseAsync(other, sparse);
            await RefuseAsync(other, new ArchiveAttributes { DataVersion = 1 });
            await RefuseAsync(other, new ArchiveAttributes { Size = 0 });
        }

        await RefuseAsync(directory, new ArchiveAttributes { IsRetained = true });
        var before = await InodeAsync(empty);
        Assert.That((await Fs.RestoreAsync(empty, default, None)).Error, Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(empty)).Version, Is.EqualTo(before.Version));

        // Blocks, but version 0 still.
        Assert.That(await Fs.FallocateAsync(empty, 0, Block, true, None), Is.EqualTo(FsError.None));
        await RefuseAsync(empty, sparse with { IsOffline = true });
        Assert.That((await Fs.RestoreAsync(empty, sparse, None)).Error, Is.EqualTo(FsError.None));
        Assert.That(await ContentsAsync(empty), Is.EqualTo(new byte[10007]));
        await RefuseAsync(empty, sparse);
    }

    [Test]
    public async Task Restore_UnderRetention_OnlyMayClearIt()
    {
        ulong ino = await CreateAsync("f");
        var retain = new ArchiveAttributes { IsRetained = true, Project = ulong.MaxValue };
        Assert.That((await Fs.RestoreAsync(ino, retain, None)).Error, Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(ino)).Proj.Value, Is.EqualTo(ulong.MaxValue));
        var project = new ArchiveAttributes { Project = 5 };
        Assert.That((await Fs.RestoreAsync(ino, project, None)).Error, Is.EqualTo(FsError.NotPermitted));
        Assert.That((await Fs.RestoreAsync(ino, retain, None)).Error, Is.EqualTo(FsError.NotPermitted));
        Assert.That(
            (await Fs.RestoreAsync(ino, project with { IsRetained = false }, None)).Error, Is.EqualTo(FsError.None));
        Assert.That((await InodeAsync(ino)).Proj.Value, Is.EqualTo(5));
    }

    [Test]
    public async Task Fields_ByMask_AreChecked()
    {
        ulong ino = await MakeFileAsync("f", new byte[5000]);
        var (error, inode) = await Fs.GetFieldsAsync(ino, AttributeFields.All, None);
        Assert.That((error, inode.Size.Value, inode.OnlineBlocks.Value), Is.EqualTo((FsError.None, 5000UL, 2UL)));
        Assert.That(
            (await Fs.GetFieldsAsync(ino, (AttributeFields)1024, None)).Error, Is.EqualTo(FsError.Invalid));
        Assert.That((await Fs.GetFieldsAsync(99_999, AttributeFields.None, None)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Waiters_ForOneBlock_AreListedAsOneAndFailTogether()
    {
        ulong ino = await MakeFileAsync("f", new byte[3 * 4096]);
        ulong version = await VersionAsync(ino);
        Assert.That(await Fs.ReleaseAsync(ino, 0, 3 * Block, version, None), Is.EqualTo(FsError.None));
        var reads = new List<Task<(FsError Error, int Read)>>();
        for (int i = 0; i < 3; i++)
            reads.Add(Fs.ReadAsync(ino, (ulong)(i / 2) * Block, new byte[1], None).AsTask());
        var writing = Fs.WriteAsync(ino, 0, new byte[1], false, false, None).AsTask();
        var resizing = Fs.TruncateAsync(ino, 100, None).AsTask();
        const DataWaitOp all = DataWaitOp.Read | DataWaitOp.Write | DataWaitOp.ChangeSize;
        while (Fs.ListWaiting(0, 0, 10) is not { Count: 2 } waiting || waiting[0].Op != all)
            await Task.Yield();
        Assert.That(
            Fs.ListWaiting(0, 0, 10),
            Is.EqualTo(new[] { new DataWaiting(ino, 0, all), new DataWaiting(ino, 1, DataWaitOp.Read) }));
        Assert.That(Fs.ListWaiting(0, 0, 1), Is.EqualTo(new[] { new DataWaiting(ino, 0, all) }));
        Assert.That(Fs.ListWaiting(ino, 0, 10), Is.EqualTo(new[] { new DataWaiting(ino, 1, DataWaitOp.Read) }));
        Assert.That(Fs.ListWaiting(ino, 1, 10), Is.Empty);

        Assert.That(Fail(ino, 0, 0, all), Is.EqualTo((FsError.None, 0)));
        Assert.That(Fail(ino, 0, 1, (DataWaitOp)8), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(Fail(ino, ulong.MaxValue, 2, all), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(Fail(5_000_000, 0, 1, all), Is.EqualTo((FsError.Stale, 0)));
        Assert.That(Fail(Root, 0, 1, all), Is.EqualTo((FsError.Invalid, 0)));
        Assert.That(Fail(ino, 2 * Block, Block, all), Is.EqualTo((FsError.None, 0)));
        Assert.That(Fail(ino, 100, 1, DataWaitOp.Read | DataWaitOp.Write), Is.EqualTo((FsError.None, 3)));
        Assert.That(Fail(ino, 4095, 2, all), Is.EqualTo((FsError.None, 2)));
        foreach (var read in reads)
            Assert.That(await read, Is.EqualTo((FsError.Io, 0)));
        Assert.That(await writing, Is.EqualTo((FsError.Io, 0)));
        Assert.That((await resizing).Error, Is.EqualTo(FsError.Io));
        Assert.That(Node.Mount.Locks.CountUsers(), Is.Zero);
    }

    [Test]
    public async Task Status_AndAllocators_AgreeWithTheCounts()
    {
        _ = await MakeFileAsync("f", new byte[100_000]);
        await SyncAsync();
        var (error, status) = await Fs.GetStatusAsync(None);
        Assert.That(error, Is.EqualTo(FsError.None));
        var details = new List<AllocatorDetail>();
        (error, var counts) = await Fs.StatFsAsync(None);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(await Fs.ListAllocatorsAsync(details, None), Is.EqualTo(FsError.None));
        Assert.That(
            (status.TotalMetaBlocks, status.TotalDataBlocks, status.ReservedMetaBlocks),
            Is.EqualTo((counts.TotalMetaBlocks.Value, counts.TotalDataBlocks.Value, 34_681UL)));
        Assert.That(status.Fsid, Is.Not.Zero);
        Assert.That(status.CommittedSeq, Is.Not.Zero);
        Assert.That(
            (Sum(details, isMeta: true), Sum(details, isMeta: false)),
            Is.EqualTo((counts.FreeMetaBlocks.Value, counts.FreeDataBlocks.Value)));
        Assert.That(details.Select(static detail => detail.Id).Distinct(), Is.EquivalentTo(new[] { 0UL, status.Rid }));
    }

    [Test]
    public async Task Handle_OfAnOpenInode_KeepsItUntilItIsClosed()
    {
        ulong ino = await MakeFileAsync("f", Random(5000));
        Assert.That((await Fs.OpenByHandleAsync(ino, None)).Error, Is.EqualTo(FsError.None));
        await UnlinkAsync("f");
        await DrainAsync();
        Assert.That(await ContentsAsync(ino), Is.EqualTo(Random(5000)));
        Assert.That((await Fs.OpenByHandleAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
        Fs.Close(ino, hasNoLinks: true);
        await DrainAsync();
        Assert.That((await Fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
        Assert.That((await Fs.OpenByHandleAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
    }

    [Test]
    public async Task QuotaRules_InPieces_AreListedInStorageOrder()
    {
        for (int i = 0; i < 20; i++)
        {
            var rule = new QuotaRuleItem { Limit = (ulong)i, Prio = (byte)i };
            Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.None));
        }

        var all = new List<QuotaRuleItem>();
        var (error, end) = await Fs.ListQuotaRulesAsync(default, all, 100, None);
        Assert.That((error, all.Count), Is.EqualTo((FsError.None, 20)));
        Assert.That(all.Select(static rule => (int)rule.Prio), Is.EquivalentTo(Enumerable.Range(0, 20)));
        var piece = new List<QuotaRuleItem>();
        var pieces = new List<QuotaRuleItem>();
        var at = default(QuotaRulePosition);
        do
        {
            (error, at) = await Fs.ListQuotaRulesAsync(at, piece, 6, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            pieces.AddRange(piece);
        }
        while (piece.Count > 0);
        Assert.That(pieces.Select(static rule => rule.Prio), Is.EqualTo(all.Select(static rule => rule.Prio)));
        Assert.That(at, Is.EqualTo(end));
        foreach (var rule in all)
            Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.None));
    }

    private static ulong Sum(List<AllocatorDetail> details, bool isMeta)
    {
        ulong sum = 0;
        foreach (var detail in details)
            sum += detail.IsMeta == isMeta ? detail.Blocks : 0;
        return sum;
    }

    private (FsError Error, int Count) Fail(ulong ino, ulong offset, ulong length, DataWaitOp ops) =>
        Fs.FailWaitingRange(ino, offset, length, ops, FsError.Io);

    private async Task RefuseAsync(ulong ino, ArchiveAttributes changes) => Assert.That(
        (await Fs.RestoreAsync(ino, changes, None)).Error, Is.EqualTo(FsError.Invalid));
}
