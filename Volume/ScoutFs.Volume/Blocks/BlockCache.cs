using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Blocks;

/// <summary>Checks the inner structure of a freshly read block, so that later accesses need no checks.</summary>
/// <param name="magic">Type of the block; types without inner structure are answered with no corruption.</param>
/// <param name="block">The block's bytes; header and checksum are good already.</param>
public delegate Corruption BlockShapeVerifier(BlockMagic magic, ReadOnlySpan<byte> block);

/// <summary>Outcome of reading a block.</summary>
/// <param name="Error">None, Stale, Corrupt, Io, NoBuffers or Cancelled.</param>
/// <param name="Corruption">What did not match, for Stale, Corrupt and Io.</param>
public readonly record struct BlockReadResult(FsError Error, Corruption Corruption = default);

/// <summary>Cache of large metadata blocks, found by reference and verified before anybody sees them.</summary>
/// <remarks>
/// <para>Invariants: 1. a block that can be leased has a good checksum, header and inner shape; 2. leased blocks do not
/// move, change or leave; 3. memory is fixed at construction: <c>capacityBlocks</c> × 64 KiB.</para>
/// <para>Stale rule (engine §1.1): a cached copy that does not match the reference is dropped and the block is read
/// once more; only what the device then says counts. Failed reads are never cached.</para>
/// <para>Eviction is a clock with second chance; leased and loading blocks are skipped. When nothing can be evicted the
/// answer is <see cref="FsError.NoBuffers"/>, at once.</para>
/// <para>Thread safe. Hits take one latch and allocate nothing.</para>
/// </remarks>
public sealed class BlockCache : IDisposable
{
    // Constant after construction.
    private readonly IBlockDevice _device;
    private readonly BlockShapeVerifier _verifyShape;
    private readonly BlockPool _pool;
    private readonly CachedBlock[] _slots;

    // Guarded by _latch.
    private readonly Lock _latch = new();
    private readonly Dictionary<ulong, CachedBlock> _byBlkno;
    private readonly Dictionary<ulong, Task<BlockReadResult>> _loads = [];
    private int _clockHand;
    private bool _isDisposed;

    /// <summary>Creates a cache over a metadata device.</summary>
    /// <param name="device">Metadata device; stays the caller's.</param>
    /// <param name="capacityBlocks">Blocks to hold, at least 4.</param>
    /// <param name="fsid">The volume's fsid, which every block must carry.</param>
    /// <param name="totalMetaBlocks">Blocks of the volume; references beyond are corrupt.</param>
    /// <param name="verifyShape">Check of inner structure, see <see cref="BlockShapeVerifier"/>.</param>
    public BlockCache(
        IBlockDevice device,
        int capacityBlocks,
        ulong fsid,
        ulong totalMetaBlocks,
        BlockShapeVerifier verifyShape)
    {
        Invariant.Require(capacityBlocks >= 4);
        _device = device;
        _verifyShape = verifyShape;
        Fsid = fsid;
        TotalMetaBlocks = Math.Min(totalMetaBlocks, (ulong)device.SizeBytes / FormatConstants.LargeBlockBytes);
        _pool = new BlockPool(capacityBlocks);
        _byBlkno = new Dictionary<ulong, CachedBlock>(capacityBlocks);
        _slots = new CachedBlock[capacityBlocks];
        for (int i = 0; i < capacityBlocks; i++)
        {
            var block = _pool.TryRent();
            Invariant.Require(block is not null);
            _slots[i] = new CachedBlock(block);
        }
    }

    /// <summary>The volume's fsid.</summary>
    public ulong Fsid { get; }

    /// <summary>Large blocks that may be referred to: 2..this-1.</summary>
    public ulong TotalMetaBlocks { get; private set; }

    /// <summary>Blocks the cache can hold.</summary>
    public int CapacityBlocks => _slots.Length;

    /// <summary>Blocks read from the device so far.</summary>
    public long BlocksRead { get; private set; }

    /// <summary>Leases that are out now; zero when everything has been given back.</summary>
    public int LeasesOut
    {
        get
        {
            int count = 0;
            foreach (var slot in _slots)
                count += Volatile.Read(ref slot.LeaseCount);
            return count;
        }
    }

    /// <summary>Leases a block if it is cached and matches the reference.</summary>
    /// <returns>False: the caller awaits <see cref="LoadAsync"/> and asks again.</returns>
    public bool TryGet(in BlockRef blockRef, BlockMagic magic, out BlockLease lease)
    {
        lock (_latch)
        {
            if (_byBlkno.TryGetValue(blockRef.Blkno, out var slot) && Matches(slot, blockRef, magic))
            {
                _ = Interlocked.Increment(ref slot.LeaseCount);
                slot.IsAccessed = true;
                lease = new BlockLease(slot);
                return true;
            }
        }

        lease = default;
        return false;
    }

    /// <summary>Brings a block into the cache, sharing the read with others who want it.</summary>
    /// <remarks>Cancellation is honoured before the read starts; a read that others share is never cut short.</remarks>
    /// <returns>None, or why the block cannot be had.</returns>
    public ValueTask<BlockReadResult> LoadAsync(
        BlockRef blockRef, BlockMagic magic, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return new(new BlockReadResult(FsError.Cancelled));
        ulong blkno = blockRef.Blkno;
        if (blkno < FormatConstants.FirstMetaBlkno || blkno >= TotalMetaBlocks)
        {
            return new(new BlockReadResult(
                FsError.Corrupt,
                new Corruption(CorruptionSite.BlockOutsideDevice, blkno, TotalMetaBlocks, blkno)));
        }

        return new(StartLoadAsync(blockRef, magic));
    }

    /// <summary>Starts to read a block that will be wanted soon; errors show when it is asked for.</summary>
    public void Prefetch(in BlockRef blockRef, BlockMagic magic)
    {
        ulong blkno = blockRef.Blkno;
        if (blkno < FormatConstants.FirstMetaBlkno || blkno >= TotalMetaBlocks)
            return;
        lock (_latch)
        {
            // Blocks that are being read cannot be evicted: reading ahead must leave room for who needs a block now.
            if (_byBlkno.ContainsKey(blkno) || _loads.ContainsKey(blkno) || _loads.Count >= _slots.Length / 2)
                return;
        }

        _ = StartLoadAsync(blockRef, magic);
    }

    /// <summary>Takes a copy of a block that was just written to the device, so that it need not be read.</summary>
    /// <param name="block">All 65536 bytes, checksum included, as written.</param>
    /// <remarks>Silently does nothing when no place is free, or while the blkno is being read.</remarks>
    public void Adopt(ReadOnlySpan<byte> block)
    {
        ref readonly var header = ref Disk.Ref<BlockHeader>(block);
        Invariant.Require(header.Fsid == Fsid && block.Length == FormatConstants.LargeBlockBytes);
        ulong blkno = header.Blkno;
        lock (_latch)
        {
            Invariant.Require(!_isDisposed);
            if (_loads.ContainsKey(blkno))
                return;
            if (_byBlkno.Remove(blkno, out var old) && Volatile.Read(ref old.LeaseCount) == 0)
                Forget(old);
            var slot = TakeSlot();
            if (slot is null)
                return;
            block.CopyTo(slot.Block.GetSpan());
            slot.Blkno = blkno;
            slot.Seq = header.Seq;
            slot.Magic = (BlockMagic)header.Magic.Value;
            slot.IsAccessed = true;
            _byBlkno.Add(blkno, slot);
        }
    }

    /// <summary>Lets references reach further: the volume has grown on its device.</summary>
    public void Grow(ulong totalMetaBlocks)
    {
        lock (_latch)
        {
            totalMetaBlocks = Math.Min(totalMetaBlocks, (ulong)_device.SizeBytes / FormatConstants.LargeBlockBytes);
            TotalMetaBlocks = Math.Max(TotalMetaBlocks, totalMetaBlocks);
        }
    }

    /// <summary>Forgets every block that is not leased, so that the next lookups read the device.</summary>
    public void DropClean()
    {
        lock (_latch)
        {
            foreach (var slot in _slots)
            {
                if (!slot.IsLoading && Volatile.Read(ref slot.LeaseCount) == 0)
                    Forget(slot);
            }
        }
    }

    /// <summary>Frees the memory. No lease may be out; blocks that are still being read follow when they are.</summary>
    public void Dispose()
    {
        lock (_latch)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            foreach (var slot in _slots)
            {
                Invariant.Require(Volatile.Read(ref slot.LeaseCount) == 0);
                if (!slot.IsLoading)
                    _pool.Return(slot.Block);
            }

            if (_loads.Count == 0)
                _pool.Dispose();
        }
    }

    private static bool Matches(CachedBlock slot, in BlockRef blockRef, BlockMagic magic) =>
        !slot.IsLoading && slot.Seq == blockRef.Seq && slot.Magic == magic;

    private Task<BlockReadResult> StartLoadAsync(BlockRef blockRef, BlockMagic magic)
    {
        CachedBlock? slot;
        TaskCompletionSource<BlockReadResult> done;
        lock (_latch)
        {
            Invariant.Require(!_isDisposed);
            if (_loads.TryGetValue(blockRef.Blkno, out var running))
                return running;
            if (_byBlkno.TryGetValue(blockRef.Blkno, out slot))
            {
                if (Matches(slot, blockRef, magic))
                    return Task.FromResult(default(BlockReadResult));

                // An old generation of this blkno, or one under another reference: what is on the device decides.
                if (Volatile.Read(ref slot.LeaseCount) == 0)
                    Forget(slot);
                else
                    _ = _byBlkno.Remove(blockRef.Blkno);
            }

            slot = TakeSlot();
            if (slot is null)
                return Task.FromResult(new BlockReadResult(FsError.NoBuffers));
            slot.IsLoading = true;
            done = new TaskCompletionSource<BlockReadResult>();
            _loads.Add(blockRef.Blkno, done.Task);
        }

        _ = LoadSlotAsync(slot, blockRef, magic, done);
        return done.Task;
    }

    private async Task LoadSlotAsync(
        CachedBlock slot,
        BlockRef blockRef,
        BlockMagic magic,
        TaskCompletionSource<BlockReadResult> done)
    {
        BlockReadResult result;
        try
        {
            var error = await _device.ReadAsync(
                (long)(blockRef.Blkno * FormatConstants.LargeBlockBytes), slot.Block.Memory, CancellationToken.None);
            result = error == FsError.None
                ? Verify(slot.Block.GetSpan(), blockRef, magic)
                : new BlockReadResult(error, new Corruption(CorruptionSite.BlockUnreadable, blockRef.Blkno));
        }
        catch (Exception exception)
        {
            Complete(slot, blockRef, magic, isGood: false);
            done.SetException(exception);
            return;
        }

        Complete(slot, blockRef, magic, result.Error == FsError.None);
        done.SetResult(result);
    }

    private void Complete(CachedBlock slot, in BlockRef blockRef, BlockMagic magic, bool isGood)
    {
        lock (_latch)
        {
            BlocksRead++;
            slot.IsLoading = false;
            _ = _loads.Remove(blockRef.Blkno);
            if (_isDisposed)
            {
                // Read ahead for nobody: what Dispose had to leave.
                _pool.Return(slot.Block);
                if (_loads.Count == 0)
                    _pool.Dispose();
                return;
            }

            if (!isGood)
                return;
            slot.Blkno = blockRef.Blkno;
            slot.Seq = blockRef.Seq;
            slot.Magic = magic;
            slot.IsAccessed = true;
            _byBlkno[slot.Blkno] = slot;
        }
    }

    private BlockReadResult Verify(ReadOnlySpan<byte> block, in BlockRef blockRef, BlockMagic magic)
    {
        var corruption = VerifyHeader(block, blockRef, magic, Fsid);
        if (corruption.IsFound)
            return new BlockReadResult(FsError.Stale, corruption);
        corruption = _verifyShape(magic, block);
        return corruption.IsFound
            ? new BlockReadResult(FsError.Corrupt, corruption)
            : default;
    }

    /// <summary>Checks checksum and header of a large block against its reference (format §3).</summary>
    public static Corruption VerifyHeader(
        ReadOnlySpan<byte> block, in BlockRef blockRef, BlockMagic magic, ulong fsid)
    {
        ref readonly var header = ref Disk.Ref<BlockHeader>(block);
        ulong blkno = blockRef.Blkno;
        uint crc = Crc32C.Compute(block[4..]);
        if (header.Crc != crc)
            return new Corruption(CorruptionSite.BlockCrc, blkno, crc, header.Crc);
        if (header.Magic != (uint)magic)
            return new Corruption(CorruptionSite.BlockMagic, blkno, (uint)magic, header.Magic);
        if (header.Fsid != fsid)
            return new Corruption(CorruptionSite.BlockFsid, blkno, fsid, header.Fsid);
        if (header.Blkno != blkno)
            return new Corruption(CorruptionSite.BlockBlkno, blkno, blkno, header.Blkno);
        return header.Seq != blockRef.Seq
            ? new Corruption(CorruptionSite.BlockSeq, blkno, blockRef.Seq, header.Seq)
            : default;
    }

    // Under _latch.
    private CachedBlock? TakeSlot()
    {
        for (int step = 0; step < 2 * _slots.Length; step++)
        {
            var slot = _slots[_clockHand];
            _clockHand = (_clockHand + 1) % _slots.Length;
            if (slot.IsLoading || Volatile.Read(ref slot.LeaseCount) != 0)
                continue;
            if (slot.Blkno != 0 && slot.IsAccessed)
            {
                slot.IsAccessed = false;
                continue;
            }

            Forget(slot);
            return slot;
        }

        return null;
    }

    // Under _latch. A slot whose blkno was taken over by a newer generation is no longer in the dictionary.
    private void Forget(CachedBlock slot)
    {
        if (slot.Blkno != 0 && _byBlkno.TryGetValue(slot.Blkno, out var current) && current == slot)
            _ = _byBlkno.Remove(slot.Blkno);
        slot.Blkno = 0;
        slot.IsAccessed = false;
    }
}
