using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Srch;

/// <summary>Appends entries to a srch file within one transaction, copy-on-write (format §12.1).</summary>
/// <remarks>
/// <para><see cref="PrepareAsync"/> waits for what appending needs: it makes the way to the file's last leaf dirty and
/// sees to it that there are blocks for so many entries. <see cref="Append"/> then neither waits nor fails. What was
/// prepared holds until the writer forgets its blocks; then a new instance goes on from <see cref="File"/>.</para>
/// <para>Any order of entries makes a log file, ascending order a sorted one. Not thread safe: it belongs to the
/// transaction of its writer and allocator, and while <see cref="PrepareAsync"/> runs nobody else may use them.</para>
/// </remarks>
public sealed class SrchLog
{
    // Entries that fit into a leaf, however long their encodings are.
    private const int MinLeafEntries = FormatConstants.SrchLastEntryStart / SrchEntryCodec.MaxBytes;

    private readonly BlockCache _cache;
    private readonly BlockWriter _writer;
    private readonly IBlockAllocator _allocator;
    private SrchFile _file;
    private BlockRef _tail;

    /// <summary>Goes on with a file as it was committed last.</summary>
    public SrchLog(BlockCache cache, BlockWriter writer, IBlockAllocator allocator, in SrchFile file)
    {
        _cache = cache;
        _writer = writer;
        _allocator = allocator;
        _file = file;
    }

    /// <summary>The file as of now; part of what the transaction commits.</summary>
    public SrchFile File => _file;

    /// <summary>Entries that can be appended without preparing again.</summary>
    public int PreparedEntries { get; private set; }

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Sees to it that entries can be appended.</summary>
    /// <param name="entries">How many, at least 1.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None; NoSpace when blocks, room for freed ones or buffers do not suffice; Corrupt, Stale, Io, NoBuffers
    /// or Cancelled. After an error the file has the same entries, though perhaps in moved blocks.</returns>
    public async ValueTask<FsError> PrepareAsync(int entries, CancellationToken cancellationToken)
    {
        Invariant.Require(entries > 0);
        if (PreparedEntries >= entries)
            return FsError.None;
        if (!SrchRadix.IsShapeGood(_file))
            return Fail(CorruptionSite.SrchLogShape, _file.Ref.Blkno);

        // New leaves with the parents above them, and the copies of the way to the last leaf.
        int leaves = (entries / MinLeafEntries) + 1;
        int blocks = leaves + (leaves / FormatConstants.SrchParentRefs) + (2 * SrchRadix.MaxHeight);
        if (_allocator.AvailableBlocks < blocks
            || _allocator.FreeRoomBlocks < SrchRadix.MaxHeight
            || _writer.RoomBlocks < blocks)
        {
            return FsError.NoSpace;
        }

        for (int level = _file.Height - 1; level >= 0; level--)
        {
            var error = await DirtyAsync(level, cancellationToken);
            if (error != FsError.None)
                return error;
        }

        PreparedEntries = entries;
        return FsError.None;
    }

    /// <summary>Appends an entry; <see cref="PreparedEntries"/> must not be 0.</summary>
    public void Append(in SrchEntry entry)
    {
        Invariant.Require(PreparedEntries > 0);
        PreparedEntries--;
        if (_tail.IsNone || Disk.Ref<SrchLeafHeader>(Dirty(_tail)).EntryBytes > FormatConstants.SrchLastEntryStart)
            AddLeaf();
        var block = Dirty(_tail);
        ref var leaf = ref Disk.Ref<SrchLeafHeader>(block);
        int bytes = SrchEntryCodec.Encode(SrchRadix.Encoded(block)[(int)leaf.EntryBytes.Value..], leaf.Tail, entry);
        bool isFirst = leaf.EntryNr == 0;
        if (isFirst || SrchEntry.Compare(entry, leaf.First) < 0)
            leaf.First = entry;
        if (isFirst || SrchEntry.Compare(entry, leaf.Last) > 0)
            leaf.Last = entry;
        leaf.Tail = entry;
        leaf.EntryNr = leaf.EntryNr + 1;
        leaf.EntryBytes = leaf.EntryBytes + (uint)bytes;
        if (_file.Entries == 0 || SrchEntry.Compare(entry, _file.First) < 0)
            _file.First = entry;
        if (_file.Entries == 0 || SrchEntry.Compare(entry, _file.Last) > 0)
            _file.Last = entry;
        _file.Entries = _file.Entries + 1;
    }

    // Everything above is dirty already.
    private async ValueTask<FsError> DirtyAsync(int level, CancellationToken cancellationToken)
    {
        ulong last = _file.Blocks - 1;
        while (true)
        {
            var status = SrchRadix.TryLease(
                _cache, _writer, _file, last, level, out var lease, out var needed, out var magic);
            if (status == BtreeStatus.Corrupt)
                return Fail(CorruptionSite.SrchLogNoBlock, _file.Ref.Blkno);
            if (status == BtreeStatus.Found)
            {
                var error = level == 0 ? CheckTail(lease.Bytes) : FsError.None;
                if (error == FsError.None)
                    MakeDirty(level, lease.Bytes);
                lease.Dispose();
                return error;
            }

            var result = await _cache.LoadAsync(needed, magic, cancellationToken);
            Fault = result.Corruption;
            if (result.Error != FsError.None)
                return result.Error;
        }
    }

    private FsError CheckTail(ReadOnlySpan<byte> block)
    {
        ref readonly var leaf = ref Disk.Ref<SrchLeafHeader>(block);
        return leaf.EntryBytes <= FormatConstants.SrchLastEntryStart + SrchEntryCodec.MaxBytes
            ? FsError.None
            : Fail(CorruptionSite.SrchLogTail, leaf.Header.Blkno);
    }

    private void MakeDirty(int level, ReadOnlySpan<byte> contents)
    {
        ulong last = _file.Blocks - 1;
        ref var blockRef = ref _file.Ref;
        for (int at = _file.Height - 1; at > level; at--)
            blockRef = ref SrchRadix.Refs(Dirty(blockRef))[SrchRadix.IndexAt(last, at)];
        if (!_writer.TryGet(blockRef, out _))
            _ = _writer.Copy(ref blockRef, SrchRadix.MagicAt(level), contents, _allocator);
        if (level == 0)
            _tail = blockRef;
    }

    private void AddLeaf()
    {
        ulong block = _file.Blocks;
        int height = SrchRadix.HeightFor(block);
        if (_file.Height == 0)
        {
            _ = _writer.Create(ref _file.Ref, BlockMagic.SrchLeaf, _allocator);
            _file.Height = 1;
        }

        for (; _file.Height < height; _file.Height++)
        {
            var child = _file.Ref;
            var root = _writer.Create(ref _file.Ref, BlockMagic.SrchParent, _allocator);
            SrchRadix.Refs(root)[0] = child;
        }

        ref var blockRef = ref _file.Ref;
        for (int level = _file.Height - 1; level > 0; level--)
        {
            blockRef = ref SrchRadix.Refs(Dirty(blockRef))[SrchRadix.IndexAt(block, level)];
            if (blockRef.IsNone)
                _ = _writer.Create(ref blockRef, SrchRadix.MagicAt(level - 1), _allocator);
        }

        _file.Blocks = block + 1;
        _tail = blockRef;
    }

    private Span<byte> Dirty(in BlockRef blockRef)
    {
        bool isDirty = _writer.TryGet(blockRef, out var block);
        Invariant.Require(isDirty);
        return block;
    }

    private FsError Fail(CorruptionSite site, ulong blkno)
    {
        Fault = new Corruption(site, blkno);
        return FsError.Corrupt;
    }
}
