using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Quorum;

/// <summary>The quorum blocks of a volume: reads all, writes one slot's, an event at a time (cluster §2.2).</summary>
/// <remarks>
/// <para>A write reads and verifies the block, changes one event, writes the 4096 bytes that devices write atomically,
/// and flushes. Only the mount that runs on a slot writes the slot's block; from its BEGIN on a block that says
/// otherwise stops it.</para>
/// <para>Any thread may call; calls are carried out one after the other, as a write must not overtake its read.</para>
/// </remarks>
public sealed class QuorumRecords : IDisposable
{
    private readonly IBlockDevice _meta;
    private readonly ulong _fsid;
    private readonly BlockPool _pool = new(1);
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>Creates access to the quorum blocks of a volume.</summary>
    /// <param name="meta">Metadata device; stays the caller's.</param>
    /// <param name="super">The volume's super block.</param>
    public QuorumRecords(IBlockDevice meta, in SuperBlock super)
    {
        _meta = meta;
        _fsid = super.Header.Fsid;
        Slots = QuorumSlot.Of(super.QuorumConfig);
    }

    /// <summary>Configured slots, ascending.</summary>
    public IReadOnlyList<QuorumSlot> Slots { get; }

    /// <summary>Reads and verifies a slot's block.</summary>
    /// <returns>None; Corrupt; or the device's error.</returns>
    public async ValueTask<(FsError Error, QuorumBlock Block)> ReadAsync(int slot, CancellationToken cancellationToken)
    {
        try
        {
            await _turn.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return (FsError.Cancelled, default);
        }

        var block = _pool.TryRent()!;
        try
        {
            var error = await ReadAsync(slot, block.Memory, cancellationToken);
            return (error, error == FsError.None ? Disk.Ref<QuorumBlock>(block.GetSpan()) : default);
        }
        finally
        {
            _pool.Return(block);
            _ = _turn.Release();
        }
    }

    /// <summary>Reads the blocks of all configured slots.</summary>
    /// <param name="skipUnreadable">Leave out blocks that cannot be read, which is right only where nothing depends on
    /// what they would say (a member's first term).</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <returns>None; or the first error.</returns>
    public async ValueTask<(FsError Error, QuorumSnapshot Snapshot)> ReadAllAsync(
        bool skipUnreadable, CancellationToken cancellationToken)
    {
        var slots = new List<(QuorumSlot Slot, QuorumBlock Block)>();
        foreach (var slot in Slots)
        {
            var (error, block) = await ReadAsync(slot.Nr, cancellationToken);
            if (error == FsError.None)
                slots.Add((slot, block));
            else if (!skipUnreadable || error == FsError.Cancelled)
                return (error, new QuorumSnapshot([]));
        }

        return (FsError.None, new QuorumSnapshot(slots));
    }

    /// <summary>Records an event durably.</summary>
    /// <param name="slot">The mount's own slot.</param>
    /// <param name="rid">The mount.</param>
    /// <param name="kind">What happened; Begin takes the slot over, all others need it to be the mount's.</param>
    /// <param name="term">Term of the event.</param>
    /// <param name="time">Any clock of the machine that never jumps; for people.</param>
    /// <param name="writeNr">The block must still be the one of this number of writes; null: whatever it is.</param>
    /// <returns>None; Io when another mount uses the slot; Corrupt; or the device's error. Then the event may be
    /// recorded or not.</returns>
    /// <remarks>Not cancellable: who stops in between does not know what others will read.</remarks>
    public async ValueTask<FsError> WriteAsync(
        int slot, ulong rid, QuorumEventKind kind, ulong term, TimeSpan time, ulong? writeNr = null)
    {
        await _turn.WaitAsync(CancellationToken.None);
        var block = _pool.TryRent()!;
        try
        {
            var error = await ReadAsync(slot, block.Memory, CancellationToken.None);
            if (error != FsError.None)
                return error;
            if (writeNr is { } expected && Disk.Ref<QuorumBlock>(block.GetSpan()).WriteNr != expected)
                return FsError.Io;
            if (!TryChange(block.GetSpan(), rid, kind, term, time))
                return FsError.Io;
            error = await SmallBlocks.WriteAsync(_meta, BlknoOf(slot), block.Memory, CancellationToken.None);
            return error == FsError.None ? await _meta.FlushAsync(CancellationToken.None) : error;
        }
        finally
        {
            _pool.Return(block);
            _ = _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        _turn.Dispose();
    }

    private static ulong BlknoOf(int slot) => FormatConstants.QuorumBlkno + (ulong)slot;

    private static bool TryChange(Span<byte> bytes, ulong rid, QuorumEventKind kind, ulong term, TimeSpan time)
    {
        ref var block = ref Disk.Ref<QuorumBlock>(bytes);
        if (kind != QuorumEventKind.Begin && block.Events[(int)QuorumEventKind.Begin].Rid != rid)
            return false;
        block.WriteNr = block.WriteNr.Value + 1;
        block.Events[(int)kind] = new QuorumEvent
        {
            WriteNr = block.WriteNr,
            Rid = rid,
            Term = term,
            Sec = (ulong)(time.Ticks / TimeSpan.TicksPerSecond),
            Nsec = (uint)(time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick),
        };
        return true;
    }

    private async ValueTask<FsError> ReadAsync(int slot, Memory<byte> into, CancellationToken cancellationToken)
    {
        Invariant.Require(slot is >= 0 and < FormatConstants.QuorumSlots);
        var error = await SmallBlocks.ReadAsync(_meta, BlknoOf(slot), into, cancellationToken);
        if (error != FsError.None)
            return error;
        var fault = SmallBlocks.Verify(
            into.Span[..FormatConstants.SmallBlockBytes], BlockMagic.Quorum, BlknoOf(slot), _fsid);
        return fault.IsFound ? FsError.Corrupt : FsError.None;
    }
}
