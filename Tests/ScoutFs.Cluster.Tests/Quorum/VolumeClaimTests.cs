using System;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Testing;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Quorum;

/// <summary>Taking a volume, refusing one in use, and what the quorum blocks say afterwards.</summary>
internal sealed class VolumeClaimTests
{
    private const ulong OurRid = 0x1111;
    private const ulong OtherRid = 0x2222;

    private VolumeEditor _volume = null!;

    [SetUp]
    public void CopyVolume()
    {
        _volume = SampleVolume.Plain.Edit();
        _volume.EditSuper((ref super) => super.QuorumConfig.Slots[2] = new InetAddress
        {
            Family = InetAddress.FamilyIPv4,
            Port = 6000,
            Addr = 0x0a000003,
        });
    }

    [Test]
    public async Task Take_CleanVolume_RecordsALeaderUntilItIsReleased()
    {
        var device = new HookedDevice(_volume.Meta);
        using (var claim = await TakeAsync(device))
        {
            Assert.That(claim.Term, Is.EqualTo(1));
            Assert.That(device.CountWrites, Is.EqualTo(3));
            Assert.That(device.CountFlushes, Is.EqualTo(3));
            Assert.That(Terms(), Is.EqualTo(new ulong[] { 0, 1, 1, 0, 0, 0 }));
            Assert.That(await claim.RecordServingAsync(), Is.EqualTo(FsError.None));
            Assert.That(await claim.CheckAsync(default), Is.EqualTo(FsError.None));
            var (_, use) = await VolumeClaim.InspectAsync(_volume.Meta, default);
            Assert.That(
                use!.Holders.Single().ToString(),
                Is.EqualTo("leader of term 1, mount 0000000000001111, slot 0, 127.0.0.1:12345"));
            Assert.That(await claim.ReleaseAsync(), Is.EqualTo(FsError.None));
        }

        Assert.That(Terms(), Is.EqualTo(new ulong[] { 0, 1, 1, 1, 1, 1 }));
        Assert.That((await VolumeClaim.InspectAsync(_volume.Meta, default)).Use!.IsInUse, Is.False);
        using var offline = await OfflineVolume.OpenAsync(_volume.Meta, _volume.Data, 1 << 20, default);
        Assert.That(offline.IsInUse, Is.False);
        using var again = await TakeAsync(_volume.Meta, OtherRid);
        Assert.That(again.Term, Is.EqualTo(2));
    }

    [Test]
    public async Task Take_VolumeInUse_IsRefusedWithItsHolderAndWritesNothing()
    {
        using var claim = await TakeAsync(_volume.Meta);
        var device = new HookedDevice(_volume.Meta);
        var (error, second, use) = await VolumeClaim.TakeAsync(
            device, 2, OtherRid, fencing: null, default, TimeProvider.System, default);
        Assert.That(error, Is.EqualTo(FsError.VolumeInUse));
        Assert.That(second, Is.Null);
        var holder = use!.Holders.Single();
        Assert.That((holder.Kind, holder.Rid, holder.Slot), Is.EqualTo((VolumeHolderKind.Leader, OurRid, (int?)0)));
        Assert.That(holder.Time, Is.GreaterThan(TimeSpan.Zero));
        Assert.That(device.CountWrites, Is.Zero);
    }

    [Test]
    public async Task Take_HolderNotConfirmedDead_WritesNothing()
    {
        using var claim = await TakeAsync(_volume.Meta);
        var device = new HookedDevice(_volume.Meta);
        var (error, _, _) = await VolumeClaim.TakeAsync(
            device, 0, OtherRid, (_, _) => new(false), default, TimeProvider.System, default);
        Assert.That(error, Is.EqualTo(FsError.VolumeInUse));
        Assert.That(device.CountWrites, Is.Zero);
    }

    [TestCase(0)]
    [TestCase(2)]
    public async Task Take_HolderConfirmedDead_TakesOver(int slot)
    {
        using var dead = await TakeAsync(_volume.Meta);
        await dead.RecordServingAsync();
        var (error, claim, use) = await VolumeClaim.TakeAsync(
            _volume.Meta,
            slot,
            OtherRid,
            (holder, _) => new(holder.Rid == OurRid),
            default,
            TimeProvider.System,
            default);
        Assert.That(error, Is.EqualTo(FsError.None));
        using (claim)
        {
            Assert.That(claim!.Term, Is.EqualTo(2));
            Assert.That(use!.Holders.Single().Rid, Is.EqualTo(OurRid));
            Assert.That(await claim.RecordServingAsync(), Is.EqualTo(FsError.None));
            Assert.That(await claim.CheckAsync(default), Is.EqualTo(FsError.None));

            // The one that was thought dead sees that it must not write.
            Assert.That(await dead.CheckAsync(default), Is.EqualTo(FsError.Isolated));
            Assert.That(await claim.ReleaseAsync(), Is.EqualTo(FsError.None));
        }
    }

    [Test]
    public async Task Inspect_VolumeOfMounts_NamesThemAll()
    {
        var (error, use) = await VolumeClaim.InspectAsync(SampleVolume.Busy.Edit().Meta, default);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(
            use!.Holders.Select(holder => (holder.Kind, holder.Rid, holder.IsClient)),
            Is.EqualTo(new[]
            {
                (VolumeHolderKind.Leader, SampleVolume.RidA, true),
                (VolumeHolderKind.Member, SampleVolume.RidB, true),
            }));
    }

    [Test]
    public async Task Take_SlotThatIsNotConfigured_IsRefused()
    {
        // H-9.
        var (error, _, _) = await VolumeClaim.TakeAsync(
            _volume.Meta, 1, OurRid, fencing: null, default, TimeProvider.System, default);
        Assert.That(error, Is.EqualTo(FsError.Invalid));
    }

    [Test]
    public async Task Take_DamagedQuorumBlock_IsRefused()
    {
        VolumeEditor.EditSmall(_volume.Meta, FormatConstants.QuorumBlkno + 2, block => block[300] ^= 1, false);
        var (error, _, _) = await VolumeClaim.TakeAsync(
            _volume.Meta, 0, OurRid, fencing: null, default, TimeProvider.System, default);
        Assert.That(error, Is.EqualTo(FsError.Corrupt));
    }

    [Test]
    public void Take_AnotherNodeInBetween_NeverBothSucceed(
        [Values(0, 1, 2)] int write, [Values(0, 2)] int slot)
    {
        VolumeClaim? rival = null;
        Task? rivalry = null;
        var scheduler = new SimScheduler();
        var time = new SimTime(scheduler);
        var device = new HookedDevice(_volume.Meta);
        device.BeforeWrite = at =>
        {
            // It comes as far as its pause, and goes on when we are done.
            if (at == write)
                rivalry = TakeRivalAsync();
            return new(FsError.None);
        };
        async Task TakeRivalAsync() => (_, rival, _) = await VolumeClaim.TakeAsync(
            _volume.Meta, slot, OtherRid, fencing: null, VolumeClaim.DefaultSettle, time, default);

        scheduler.Run(async () =>
        {
            var (error, claim, use) = await VolumeClaim.TakeAsync(
                device, 0, OurRid, fencing: null, default, time, default);
            if (claim is null)
            {
                Assert.That(error, Is.EqualTo(FsError.VolumeInUse).Or.EqualTo(FsError.Io));
                Assert.That(use is null || use.Holders.Any(holder => holder.Rid == OtherRid), Is.True);
            }

            await rivalry!;
            Assert.That(claim is not null && rival is not null, Is.False);
            if (rival is not null)
                Assert.That(await rival.CheckAsync(default), Is.EqualTo(FsError.None));
            if (claim is not null)
                Assert.That(await claim.CheckAsync(default), Is.EqualTo(FsError.None));
            claim?.Dispose();
            rival?.Dispose();
        });
    }

    [Test]
    public void Take_TwoNodesOnSlowDisks_NeverBothSucceed(
        [Range(1, 60)] int seed, [Values(0, 2)] int slot)
    {
        var prng = new Prng((ulong)seed);
        var scheduler = new SimScheduler(prng.Fork("order"));
        var time = new SimTime(scheduler);
        async Task<VolumeClaim?> TakeOneAsync(int ownSlot, ulong rid)
        {
            var device = new HookedDevice(_volume.Meta)
            {
                BeforeWrite = async _ =>
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(prng.NextInt32(90)), time);
                    return FsError.None;
                },
            };
            await Task.Delay(TimeSpan.FromMilliseconds(prng.NextInt32(300)), time);
            return (await VolumeClaim.TakeAsync(
                device, ownSlot, rid, fencing: null, VolumeClaim.DefaultSettle, time, default)).Claim;
        }

        scheduler.Run(async () =>
        {
            var claims = await Task.WhenAll(TakeOneAsync(0, OurRid), TakeOneAsync(slot, OtherRid));
            Assert.That(claims.Count(claim => claim is not null), Is.LessThanOrEqualTo(1));
            foreach (var claim in claims)
            {
                if (claim is not null)
                    Assert.That(await claim.CheckAsync(default), Is.EqualTo(FsError.None));
                claim?.Dispose();
            }
        });
    }

    [Test]
    public async Task Take_WriteFails_LeavesAVolumeInUse([Values(1, 2)] int write)
    {
        var device = new HookedDevice(_volume.Meta);
        device.BeforeWrite = at => new(at == write ? FsError.Io : FsError.None);
        var (error, claim, _) = await VolumeClaim.TakeAsync(
            device, 0, OurRid, fencing: null, default, TimeProvider.System, default);
        Assert.That(error, Is.EqualTo(FsError.Io));
        Assert.That(claim, Is.Null);
        var (_, use) = await VolumeClaim.InspectAsync(_volume.Meta, default);
        Assert.That(use!.Holders.Single().Rid, Is.EqualTo(OurRid));
    }

    [Test]
    public async Task Check_NewerLeaderElsewhere_SaysIsolated()
    {
        using var claim = await TakeAsync(_volume.Meta);
        _volume.EditQuorum(2, (ref block) =>
        {
            block.WriteNr = 1;
            block.Events[(int)QuorumEventKind.Elect] = new QuorumEvent { WriteNr = 1, Rid = OtherRid, Term = 2 };
        });
        Assert.That(await claim.CheckAsync(default), Is.EqualTo(FsError.Isolated));
    }

    [Test]
    public async Task Release_SlotTakenByAnother_LeavesItsRecordsAlone()
    {
        using var claim = await TakeAsync(_volume.Meta);
        _volume.EditQuorum(0, (ref block) =>
            block.Events[(int)QuorumEventKind.Begin] = new QuorumEvent { WriteNr = 9, Rid = OtherRid });
        Assert.That(await claim.CheckAsync(default), Is.EqualTo(FsError.Isolated));
        Assert.That(await claim.RecordServingAsync(), Is.EqualTo(FsError.Io));
        Assert.That(await claim.ReleaseAsync(), Is.EqualTo(FsError.Io));
        Assert.That(Terms()[(int)QuorumEventKind.Stop], Is.Zero);
    }

    private static async Task<VolumeClaim> TakeAsync(IBlockDevice meta, ulong rid = OurRid)
    {
        var (error, claim, use) = await VolumeClaim.TakeAsync(
            meta, 0, rid, fencing: null, default, TimeProvider.System, default);
        Assert.That(error, Is.EqualTo(FsError.None));
        Assert.That(use!.IsInUse, Is.False);
        return claim!;
    }

    private ulong[] Terms()
    {
        byte[] bytes = VolumeEditor.ReadSmall(_volume.Meta, FormatConstants.QuorumBlkno);
        var block = Disk.Ref<QuorumBlock>(bytes.AsSpan());
        return [.. Enumerable.Range(0, 6).Select(kind => block.Events[kind].Term.Value)];
    }
}
