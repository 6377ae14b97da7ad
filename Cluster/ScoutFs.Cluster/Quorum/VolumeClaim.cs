using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Quorum;

/// <summary>Confirms that a holder can never write to either device again; false: it may still live.</summary>
public delegate ValueTask<bool> HolderFencing(VolumeHolder holder, CancellationToken cancellationToken);

/// <summary>A volume taken by one node that plays all parts, with the records that a cluster's member leaves.</summary>
/// <remarks>
/// <para>The node takes part in no election: it takes a volume that nobody holds, or whose holders are confirmed dead.
/// It writes BEGIN, TERM and ELECT of a new term before it reads what it is going to change, so that every other node,
/// Linux included, sees a leader there; and it looks once more at what others wrote meanwhile, so that of two nodes
/// that start together at least one finds the other and backs out. Two that were given the same slot, which a cluster
/// forbids, write the same block: the last look comes after a pause that is longer than the time between a read and a
/// write of one event, so that the earlier writer sees that it was overwritten.</para>
/// <para>Order: <see cref="TakeAsync"/>; start the leader; <see cref="RecordServingAsync"/>; now and then
/// <see cref="CheckAsync"/>; stop the leader; <see cref="ReleaseAsync"/>. A node that crashes leaves its records, which
/// makes the volume one in use. <see cref="CheckAsync"/> may run beside anything but <see cref="Dispose"/>.</para>
/// </remarks>
public sealed class VolumeClaim : IDisposable
{
    /// <summary>A pause that devices in working order never come near between a read and a write.</summary>
    public static readonly TimeSpan DefaultSettle = TimeSpan.FromMilliseconds(100);

    // Enough for any path through the tree of mounted clients, which is small.
    private const int CacheBlocks = 64;

    private readonly QuorumRecords _records;
    private readonly TimeProvider _time;
    private readonly int _slot;
    private readonly ulong _rid;
    private bool _isReleased;

    private VolumeClaim(
        QuorumRecords records, TimeProvider time, int slot, ulong rid, ulong term, VolumeUse formerUse)
    {
        _records = records;
        _time = time;
        _slot = slot;
        _rid = rid;
        Term = term;
        FormerUse = formerUse;
    }

    /// <summary>Term that the node leads in.</summary>
    public ulong Term { get; }

    /// <summary>
    /// Who held the volume before. All are confirmed dead; those with IsClient are the leader's to reclaim.
    /// </summary>
    public VolumeUse FormerUse { get; }

    /// <summary>Finds out who holds a volume; only reads.</summary>
    /// <returns>None; Corrupt or Stale when the metadata cannot be followed; or the device's error.</returns>
    public static async ValueTask<(FsError Error, VolumeUse? Use)> InspectAsync(
        IBlockDevice meta, CancellationToken cancellationToken)
    {
        var (error, super) = await ReadSuperAsync(meta, cancellationToken);
        if (error != FsError.None)
            return (error, null);
        using var records = new QuorumRecords(meta, super);
        return await InspectAsync(meta, super, records, cancellationToken);
    }

    /// <summary>Takes a volume.</summary>
    /// <param name="meta">Metadata device, writable; stays the caller's.</param>
    /// <param name="slot">A configured quorum slot, whose block the node writes.</param>
    /// <param name="rid">The node's mount; neither 0 nor all ones, and never used before.</param>
    /// <param name="fencing">Asked about every holder of a volume in use, before anything is written; null: a volume in
    /// use is refused.</param>
    /// <param name="settle">Pause before the last look; <see cref="DefaultSettle"/> unless nobody else can have the
    /// slot.</param>
    /// <param name="time">Clock for the records and the pause.</param>
    /// <param name="cancellationToken">Honoured until the first write.</param>
    /// <returns>None and the claim; VolumeInUse with who holds it; Invalid for a slot that is not configured; or a
    /// device's error.</returns>
    public static async ValueTask<(FsError Error, VolumeClaim? Claim, VolumeUse? Use)> TakeAsync(
        IBlockDevice meta,
        int slot,
        ulong rid,
        HolderFencing? fencing,
        TimeSpan settle,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        Invariant.Require(rid is not 0 and not ulong.MaxValue);
        var (error, super) = await ReadSuperAsync(meta, cancellationToken);
        if (error != FsError.None)
            return (error, null, null);
        var records = new QuorumRecords(meta, super);
        VolumeClaim? claim = null;
        try
        {
            if (records.Slots.All(configured => configured.Nr != slot))
                return (FsError.Invalid, null, null);
            (error, var use) = await InspectAsync(meta, super, records, cancellationToken);
            if (use is null)
                return (error, null, null);
            foreach (var holder in use.Holders)
            {
                if (fencing is null || !await fencing(holder, cancellationToken))
                    return (FsError.VolumeInUse, null, use);
            }

            cancellationToken.ThrowIfCancellationRequested();
            var taken = new VolumeClaim(records, time, slot, rid, use.Quorum.MaxTerm + 1, use);
            (error, var rivals) = await taken.RecordElectionAsync(settle);
            if (error == FsError.None)
                claim = taken;
            return (error, claim, rivals);
        }
        catch (OperationCanceledException)
        {
            return (FsError.Cancelled, null, null);
        }
        finally
        {
            if (claim is null)
                records.Dispose();
        }
    }

    /// <summary>The leader is up: earlier leaders need never be fenced again (cluster R8).</summary>
    public ValueTask<FsError> RecordServingAsync() => WriteAsync(QuorumEventKind.Fence, Term);

    /// <summary>Looks whether the volume is still this node's.</summary>
    /// <returns>None; Isolated when another mount has taken the slot or leads: nothing may be written any more; or the
    /// device's error, after which it is unknown.</returns>
    public async ValueTask<FsError> CheckAsync(CancellationToken cancellationToken)
    {
        var (error, snapshot) = await _records.ReadAllAsync(skipUnreadable: false, cancellationToken);
        if (error != FsError.None)
            return error;

        // One of the same term started together with us, has seen us and backs out.
        bool isLed = snapshot.TryFindLeader(out var leader) && leader.Term > Term;
        return IsOwnSlotOurs(snapshot) && !isLed ? FsError.None : FsError.Isolated;
    }

    /// <summary>Gives the volume back: after the leader's last write, which must be durable (cluster Q5).</summary>
    /// <returns>None; or why the records remain, so that the volume counts as one in use.</returns>
    public async ValueTask<FsError> ReleaseAsync()
    {
        Invariant.Require(!_isReleased);
        _isReleased = true;
        var error = await WriteAsync(QuorumEventKind.Stop, Term);
        return error == FsError.None ? await WriteAsync(QuorumEventKind.End, Term) : error;
    }

    /// <inheritdoc/>
    public void Dispose() => _records.Dispose();

    private static async ValueTask<(FsError Error, VolumeUse? Use)> InspectAsync(
        IBlockDevice meta, SuperBlock super, QuorumRecords records, CancellationToken cancellationToken)
    {
        var (error, quorum) = await records.ReadAllAsync(skipUnreadable: false, cancellationToken);
        if (error != FsError.None)
            return (error, null);
        (error, var clients) = await ReadClientsAsync(meta, super, cancellationToken);
        if (clients is not null)
            return (FsError.None, VolumeUse.Of(quorum, clients));

        // A leader that is at work replaces blocks under us. Then its record says enough.
        var use = VolumeUse.Of(quorum, []);
        return use.IsInUse && error != FsError.Cancelled ? (FsError.None, use) : (error, null);
    }

    private static async ValueTask<(FsError Error, SuperBlock Super)> ReadSuperAsync(
        IBlockDevice meta, CancellationToken cancellationToken)
    {
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        try
        {
            var error = await SmallBlocks.ReadAsync(
                meta, FormatConstants.SuperBlkno, block.Memory, cancellationToken);
            if (error != FsError.None)
                return (error, default);
            var bytes = block.GetSpan()[..FormatConstants.SmallBlockBytes];
            var fault = SmallBlocks.Verify(bytes, BlockMagic.Super, FormatConstants.SuperBlkno, 0);
            return (fault.IsFound ? FsError.Corrupt : FsError.None, Disk.Ref<SuperBlock>(bytes));
        }
        finally
        {
            pool.Return(block);
        }
    }

    private static async ValueTask<(FsError Error, List<(ulong Rid, MountedClient Client)>? Clients)> ReadClientsAsync(
        IBlockDevice meta, SuperBlock super, CancellationToken cancellationToken)
    {
        var clients = new List<(ulong Rid, MountedClient Client)>();
        using var cache = new BlockCache(
            meta, CacheBlocks, super.Header.Fsid, super.TotalMetaBlocks, BtreeShape.Verify);
        using var cursor = new BtreeCursor(cache);
        cursor.SetRoot(super.MountedClients);
        var status = await cursor.SeekAsync(ItemKey.Min, cancellationToken);
        while (status == BtreeStatus.Found)
        {
            if (cursor.Key.Zone != KeyZone.MountedClient || cursor.Value.Length < Disk.SizeOf<MountedClient>())
                return (FsError.Corrupt, null);
            clients.Add((cursor.Key.First, Disk.Ref<MountedClient>(cursor.Value)));
            status = await cursor.MoveNextAsync(cancellationToken);
        }

        if (status == BtreeStatus.End)
            return (FsError.None, clients);
        return (cursor.Error == FsError.None ? FsError.Corrupt : cursor.Error, null);
    }

    /// <summary>Writes BEGIN, TERM and ELECT, and looks for others who did so at the same time.</summary>
    private async ValueTask<(FsError Error, VolumeUse? Use)> RecordElectionAsync(TimeSpan settle)
    {
        // A slot that somebody has begun to use since it was looked at is not begun again.
        ulong seen = FormerUse.Quorum.Slots.First(slot => slot.Slot.Nr == _slot).Block.WriteNr;
        var error = await _records.WriteAsync(
            _slot, _rid, QuorumEventKind.Begin, Term - 1, _time.GetElapsedTime(0), seen);
        if (error == FsError.None)
            error = await WriteAsync(QuorumEventKind.Term, Term);
        if (error == FsError.None)
            error = await WriteAsync(QuorumEventKind.Elect, Term);
        if (error != FsError.None)
            return (error, null);
        if (settle > TimeSpan.Zero)
            await Task.Delay(settle, _time, CancellationToken.None);
        (error, var snapshot) = await _records.ReadAllAsync(skipUnreadable: false, CancellationToken.None);
        if (error != FsError.None)
            return (error, null);
        if (IsOwnSlotOurs(snapshot) && IsUnchangedElsewhere(snapshot))
            return (FsError.None, FormerUse);

        // Records of a slot that is no longer ours are not ours to write; ReleaseAsync leaves them alone.
        _ = await ReleaseAsync();
        var use = VolumeUse.Of(snapshot, []);
        return (FsError.VolumeInUse, use with { Holders = [.. use.Holders.Where(holder => holder.Rid != _rid)] });
    }

    private bool IsOwnSlotOurs(QuorumSnapshot snapshot)
    {
        foreach (var (slot, block) in snapshot.Slots)
        {
            if (slot.Nr != _slot)
                continue;
            var elect = QuorumSnapshot.Event(block, QuorumEventKind.Elect);
            return QuorumSnapshot.Event(block, QuorumEventKind.Begin).Rid == _rid
                && elect.Rid == _rid && elect.Term == Term;
        }

        return false;
    }

    private bool IsUnchangedElsewhere(QuorumSnapshot snapshot)
    {
        var before = FormerUse.Quorum.Slots;
        for (int i = 0; i < before.Count; i++)
        {
            if (before[i].Slot.Nr != _slot && snapshot.Slots[i].Block.WriteNr != before[i].Block.WriteNr)
                return false;
        }

        return true;
    }

    private ValueTask<FsError> WriteAsync(QuorumEventKind kind, ulong term) =>
        _records.WriteAsync(_slot, _rid, kind, term, _time.GetElapsedTime(0));
}
