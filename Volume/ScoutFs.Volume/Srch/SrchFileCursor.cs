using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Srch;

/// <summary>Reads the entries of a committed srch file in the order in which they are stored.</summary>
/// <remarks>
/// Holds a lease on one leaf. Calls that answer <see cref="BtreeStatus.NeedBlock"/> change nothing: await
/// <see cref="LoadAsync"/> and repeat them. One caller at a time; moving allocates nothing.
/// </remarks>
public sealed class SrchFileCursor : IDisposable
{
    private readonly BlockCache _cache;
    private readonly int _readAheadBlocks;
    private SrchFile _file;
    private SrchEntry _rangeStart;
    private SrchEntry _rangeEnd;
    private bool _isSorted;
    private BlockLease _leaf;
    private ulong _block;
    private ulong _resumeAt;
    private int _at;
    private int _entryAt;
    private uint _taken;
    private SrchEntry _entry;
    private BlockRef _needed;
    private BlockMagic _neededMagic;
    private ulong _low;
    private ulong _high;

    /// <summary>Creates a cursor without a file.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="readAheadBlocks">Leaves to read ahead.</param>
    public SrchFileCursor(BlockCache cache, int readAheadBlocks = 0)
    {
        _cache = cache;
        _readAheadBlocks = readAheadBlocks;
    }

    /// <summary>The entry after Found.</summary>
    public ref readonly SrchEntry Entry => ref _entry;

    /// <summary>Logical block of the entry, as a compaction stores it.</summary>
    public ulong EntryBlock => _block;

    /// <summary>Byte offset of the entry in its block's encoding.</summary>
    public ulong EntryOffset => (ulong)_entryAt;

    /// <summary>What was wrong after Corrupt.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Why a block could not be had, after Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Chooses a file and where in it to start.</summary>
    /// <param name="file">The file.</param>
    /// <param name="block">Logical block to start in; the number of blocks means the end.</param>
    /// <param name="offset">Byte offset in the block's encoding where an entry starts or all end.</param>
    public void SetFile(in SrchFile file, ulong block = 0, ulong offset = 0)
    {
        Release();
        _file = file;
        _block = block;
        _resumeAt = offset;
        _isSorted = false;
        _rangeStart = default;
        _rangeEnd = new SrchEntry(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue);
        _low = 0;
        _high = 0;
    }

    /// <summary>Chooses a file and a range of entries; leaves without such entries are not decoded.</summary>
    /// <param name="file">The file.</param>
    /// <param name="isSorted">Entries ascend: the first leaf is searched for, and the range's end is the end.</param>
    /// <param name="start">Least entry wanted.</param>
    /// <param name="end">Greatest entry wanted.</param>
    public void SetFile(in SrchFile file, bool isSorted, in SrchEntry start, in SrchEntry end)
    {
        SetFile(file);
        _isSorted = isSorted;
        _rangeStart = start;
        _rangeEnd = end;
        _high = isSorted ? file.Blocks : 0;
    }

    /// <summary>Moves to the next entry that is in the range.</summary>
    /// <returns>Found, End, NeedBlock or Corrupt.</returns>
    public BtreeStatus MoveNext()
    {
        while (true)
        {
            if (!_leaf.IsHeld)
            {
                var status = OpenLeaf();
                if (status != BtreeStatus.Found)
                    return status;
            }

            ref readonly var leaf = ref Disk.Ref<SrchLeafHeader>(_leaf.Bytes);
            if (_taken == leaf.EntryNr)
            {
                if ((uint)_at != leaf.EntryBytes)
                    return Fail(CorruptionSite.SrchLeafBytes, leaf.Header.Blkno);
                NextLeaf();
                continue;
            }

            if (!Decode(leaf))
                return Fail(CorruptionSite.SrchLeafEntry, leaf.Header.Blkno);
            if (SrchEntry.Compare(_entry, _rangeEnd) > 0)
            {
                if (!_isSorted)
                    continue;
                _block = _file.Blocks;
                Release();
                return BtreeStatus.End;
            }

            if (SrchEntry.Compare(_entry, _rangeStart) >= 0)
                return BtreeStatus.Found;
        }
    }

    /// <summary><see cref="MoveNext"/> that waits for blocks; completes synchronously when all are cached.</summary>
    /// <returns>Found, End or Corrupt (also when a block could not be read: see <see cref="Error"/>).</returns>
    public ValueTask<BtreeStatus> MoveNextAsync(CancellationToken cancellationToken)
    {
        var status = MoveNext();
        return status == BtreeStatus.NeedBlock ? MoveNextSlowAsync(cancellationToken) : new(status);
    }

    /// <summary>Loads the block that the last call missed; then repeat that call.</summary>
    /// <returns>None, or the error, which <see cref="Fault"/> describes.</returns>
    public async ValueTask<FsError> LoadAsync(CancellationToken cancellationToken)
    {
        var result = await _cache.LoadAsync(_needed, _neededMagic, cancellationToken);
        Fault = result.Corruption;
        Error = result.Error;
        return result.Error;
    }

    /// <summary>Gives the leaf back and stays where it is.</summary>
    public void Release()
    {
        if (!_leaf.IsHeld)
            return;
        _resumeAt = (ulong)_at;
        _leaf.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    private async ValueTask<BtreeStatus> MoveNextSlowAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await LoadAsync(cancellationToken) != FsError.None)
                return BtreeStatus.Corrupt;
            var status = MoveNext();
            if (status != BtreeStatus.NeedBlock)
                return status;
        }
    }

    // Leases the next leaf that may have entries of the range and stands before the entry to go on with.
    private BtreeStatus OpenLeaf()
    {
        if (!SrchRadix.IsShapeGood(_file))
            return Fail(CorruptionSite.SrchCursorShape, _file.Ref.Blkno);
        var status = SearchFirstLeaf();
        if (status != BtreeStatus.Found)
            return status;
        while (_block < _file.Blocks)
        {
            status = LeaseLeaf(_block);
            if (status != BtreeStatus.Found)
                return status;
            ref readonly var leaf = ref Disk.Ref<SrchLeafHeader>(_leaf.Bytes);
            bool isWanted = leaf.EntryNr > 0
                && SrchEntry.Compare(leaf.First, _rangeEnd) <= 0
                && SrchEntry.Compare(leaf.Last, _rangeStart) >= 0;
            if (isWanted || _resumeAt > 0)
                return SkipTo(leaf, _resumeAt);
            NextLeaf();
        }

        return BtreeStatus.End;
    }

    // Bounds of leaves may be wider than their entries where pairs have been dropped, but they ascend.
    private BtreeStatus SearchFirstLeaf()
    {
        while (_low < _high)
        {
            ulong middle = _low + ((_high - _low) / 2);
            ulong probe = middle;
            while (true)
            {
                var status = LeaseLeaf(probe);
                if (status != BtreeStatus.Found)
                    return status;
                ref readonly var leaf = ref Disk.Ref<SrchLeafHeader>(_leaf.Bytes);
                bool isEmpty = leaf.EntryNr == 0;
                bool isBefore = SrchEntry.Compare(leaf.Last, _rangeStart) < 0;
                _leaf.Dispose();
                if (!isEmpty)
                {
                    if (isBefore)
                        _low = probe + 1;
                    else
                        _high = middle;
                    break;
                }

                // Empty leaves have no bounds: the next one decides.
                if (++probe == _high)
                {
                    _high = middle;
                    break;
                }
            }

            _block = _low;
        }

        return BtreeStatus.Found;
    }

    private BtreeStatus LeaseLeaf(ulong block)
    {
        var status = SrchRadix.TryLease(
            _cache, null, _file, block, 0, out _leaf, out _needed, out _neededMagic);
        if (status == BtreeStatus.Corrupt)
            return Fail(CorruptionSite.SrchCursorNoBlock, _file.Ref.Blkno);
        if (status == BtreeStatus.NeedBlock && _readAheadBlocks > 0 && _neededMagic == BlockMagic.SrchLeaf)
            ReadAhead(block);
        if (status == BtreeStatus.Found)
        {
            ref readonly var leaf = ref Disk.Ref<SrchLeafHeader>(_leaf.Bytes);
            if (leaf.EntryBytes > FormatConstants.SrchLastEntryStart + SrchEntryCodec.MaxBytes)
                return Fail(CorruptionSite.SrchLeafLength, leaf.Header.Blkno);
        }

        return status;
    }

    private void ReadAhead(ulong block)
    {
        var status = SrchRadix.TryLease(_cache, null, _file, block, 1, out var parent, out _, out _);
        if (status != BtreeStatus.Found)
            return;
        var refs = SrchRadix.Refs(parent.Bytes);
        int index = SrchRadix.IndexAt(block, 1);
        for (int i = 1; i <= _readAheadBlocks && index + i < refs.Length && !refs[index + i].IsNone; i++)
            _cache.Prefetch(refs[index + i], BlockMagic.SrchLeaf);
        parent.Dispose();
    }

    // Entries are relative to the one before, so the way to an offset is decoded.
    private BtreeStatus SkipTo(in SrchLeafHeader leaf, ulong offset)
    {
        _at = 0;
        _taken = 0;
        _entry = default;
        while ((ulong)_at < offset && _taken != leaf.EntryNr && Decode(leaf))
        {
        }

        return (ulong)_at == offset ? BtreeStatus.Found : Fail(CorruptionSite.SrchResumeOffset, leaf.Header.Blkno);
    }

    private bool Decode(in SrchLeafHeader leaf)
    {
        if (_at > FormatConstants.SrchLastEntryStart)
            return false;
        var encoded = SrchRadix.Encoded(_leaf.Bytes)[..(int)leaf.EntryBytes.Value];
        var previous = _entry;
        _entryAt = _at;
        int bytes = _at >= encoded.Length ? 0 : SrchEntryCodec.Decode(encoded[_at..], previous, out _entry);
        _at += bytes;
        _taken++;
        return bytes > 0;
    }

    private void NextLeaf()
    {
        _leaf.Dispose();
        _block++;
        _resumeAt = 0;
        _at = 0;
        _taken = 0;
        _entry = default;
    }

    private BtreeStatus Fail(CorruptionSite site, ulong blkno)
    {
        Fault = new Corruption(site, blkno);
        Error = FsError.Corrupt;
        _leaf.Dispose();
        return BtreeStatus.Corrupt;
    }
}
