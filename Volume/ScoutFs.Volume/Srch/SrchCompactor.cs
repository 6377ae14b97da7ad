using System;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Srch;

/// <summary>Does one srch compaction request for the leader (engine §11.4, cluster §10, format §12.2).</summary>
/// <remarks>
/// <para>LOG sorts the entries of log files into one sorted file, in one request. SORTED merges sorted files, and
/// DELETE frees the blocks of inputs, from the bottom up; both go on where an earlier request stopped, whoever did it.
/// Equal entries cancel in pairs.</para>
/// <para>Works in blocks of its own, taken from the request. Whatever goes wrong, there is an answer to send: one that
/// says error makes the leader keep the request as it was.</para>
/// </remarks>
public sealed class SrchCompactor
{
    /// <summary>Dirty blocks after which a request is answered in part: 32 MiB.</summary>
    public const int DefaultMaxDirtyBlocks = 512;

    private const byte KindFlags = SrchCompact.FlagLog | SrchCompact.FlagSorted | SrchCompact.FlagDelete;
    private const int MinInputs = 2;
    private const int ReadAheadBlocks = 2;

    // Entries prepared for at a time, and the blocks that this, and lists, take at most.
    private const int ChunkEntries = 2000;
    private const int ChunkBlocks = 24;

    private readonly IBlockDevice _meta;
    private readonly BlockCache _cache;
    private readonly Prng _prng;
    private readonly int _maxDirtyBlocks;
    private readonly int _maxFreedBlocks;

    /// <summary>Creates a worker.</summary>
    /// <param name="meta">Metadata device, writable.</param>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="prng">Source of block seqs; must not repeat any, as a second fork of one name would.</param>
    /// <param name="maxDirtyBlocks">See <see cref="DefaultMaxDirtyBlocks"/>; fewer for tests.</param>
    /// <param name="maxFreedBlocks">Blocks that a request deletes at most, besides what its list can take.</param>
    public SrchCompactor(
        IBlockDevice meta,
        BlockCache cache,
        Prng prng,
        int maxDirtyBlocks = DefaultMaxDirtyBlocks,
        int maxFreedBlocks = int.MaxValue)
    {
        _meta = meta;
        _cache = cache;
        _prng = prng;
        _maxDirtyBlocks = maxDirtyBlocks;
        _maxFreedBlocks = maxFreedBlocks;
    }

    /// <summary>Does what a request asks for, or a part; the result is on the device when this returns.</summary>
    /// <returns>The answer to send: with DONE when the phase is complete, with ERROR and otherwise unchanged when
    /// something went wrong, which is returned besides.</returns>
    public async ValueTask<(SrchCompact Compact, FsError Error, Corruption Fault)> RunAsync(
        SrchCompact request, CancellationToken cancellationToken)
    {
        var (error, fault, compact) = await WorkAsync(request, cancellationToken);
        if (error == FsError.None)
            return (compact, error, default);
        request.Flags = (byte)(request.Flags | SrchCompact.FlagError);
        return (request, error, fault);
    }

    private static bool IsValid(in SrchCompact compact) =>
        compact.Nr is >= MinInputs and <= FormatConstants.SrchCompactInputs
        && (compact.Flags & ~KindFlags) == 0
        && BitOperations.PopCount(compact.Flags) == 1;

    private async ValueTask<(FsError Error, Corruption Fault, SrchCompact Compact)> WorkAsync(
        SrchCompact compact, CancellationToken cancellationToken)
    {
        if (!IsValid(compact))
            return (FsError.Corrupt, new Corruption(CorruptionSite.SrchCompactShape, compact.Id), compact);
        using var writer = new BlockWriter(_meta, CapacityFor(compact), _cache.Fsid, _prng);
        var (error, allocator, fault) = await ListAllocator.OpenAsync(
            _cache, writer, compact.MetaAvail, compact.MetaFreed, cancellationToken);
        if (allocator is null)
            return (error, fault, compact);
        var job = new Job(_cache, writer, allocator, _maxDirtyBlocks, _maxFreedBlocks);
        (error, fault, compact) = (compact.Flags & KindFlags) switch
        {
            SrchCompact.FlagLog => await job.SortAsync(compact, cancellationToken),
            SrchCompact.FlagSorted => await job.MergeAsync(compact, cancellationToken),
            _ => await job.DeleteAsync(compact, cancellationToken),
        };
        if (error == FsError.None)
            error = await writer.WriteAllAsync(cancellationToken);
        if (error == FsError.None)
            error = await _meta.FlushAsync(cancellationToken);
        if (error != FsError.None)
            return (error, fault, compact);
        compact.MetaAvail = allocator.Avail;
        compact.MetaFreed = allocator.Freed;
        return (FsError.None, default, compact);
    }

    // Sorted entries can take more blocks than unsorted ones, though hardly; no more than the list has.
    private int CapacityFor(in SrchCompact compact)
    {
        if ((compact.Flags & SrchCompact.FlagLog) == 0)
            return _maxDirtyBlocks + ChunkBlocks;
        ulong blocks = 0;
        for (int i = 0; i < compact.Nr; i++)
            blocks += Math.Min(FormatConstants.ListBlockEntries, compact.Inputs[i].File.Blocks.Value);
        return (int)Math.Min(FormatConstants.ListBlockEntries, (2 * blocks) + ChunkBlocks);
    }

    /// <summary>The work of one request.</summary>
    private sealed class Job
    {
        private readonly BlockCache _cache;
        private readonly BlockWriter _writer;
        private readonly ListAllocator _allocator;
        private readonly int _maxDirtyBlocks;
        private readonly int _maxFreedBlocks;
        private int _freedBlocks;

        public Job(
            BlockCache cache, BlockWriter writer, ListAllocator allocator, int maxDirtyBlocks, int maxFreedBlocks)
        {
            _cache = cache;
            _writer = writer;
            _allocator = allocator;
            _maxDirtyBlocks = maxDirtyBlocks;
            _maxFreedBlocks = maxFreedBlocks;
        }

        public async ValueTask<(FsError Error, Corruption Fault, SrchCompact Compact)> SortAsync(
            SrchCompact compact, CancellationToken cancellationToken)
        {
            var entries = new List<SrchEntry>();
            using var cursor = new SrchFileCursor(_cache, ReadAheadBlocks);
            for (int i = 0; i < compact.Nr; i++)
            {
                cursor.SetFile(compact.Inputs[i].File);
                var status = await cursor.MoveNextAsync(cancellationToken);
                for (; status == BtreeStatus.Found; status = await cursor.MoveNextAsync(cancellationToken))
                    entries.Add(cursor.Entry);
                if (status == BtreeStatus.Corrupt)
                    return (cursor.Error, cursor.Fault, compact);
            }

            SortAndCancel(entries);
            var log = new SrchLog(_cache, _writer, _allocator, default);
            for (int i = 0; i < entries.Count; i++)
            {
                if (log.PreparedEntries == 0)
                {
                    var error = await log.PrepareAsync(ChunkEntries, cancellationToken);
                    if (error != FsError.None)
                        return (error, log.Fault, compact);
                }

                log.Append(entries[i]);
            }

            compact.Out = log.File;
            compact.Flags = (byte)(compact.Flags | SrchCompact.FlagDone);
            return (FsError.None, default, compact);
        }

        public async ValueTask<(FsError Error, Corruption Fault, SrchCompact Compact)> MergeAsync(
            SrchCompact compact, CancellationToken cancellationToken)
        {
            using var inputs = new MergeInputs(_cache, compact);
            var log = new SrchLog(_cache, _writer, _allocator, compact.Out);
            var pending = default(SrchEntry);
            bool hasPending = false;
            bool isDone = false;
            var error = await inputs.StartAsync(cancellationToken);
            while (error == FsError.None && !isDone)
            {
                // Room for the pending entry is kept, so that stopping needs none.
                if (log.PreparedEntries < 2)
                {
                    if (IsToStop())
                        break;
                    error = await log.PrepareAsync(ChunkEntries, cancellationToken);
                    if (error != FsError.None)
                        return (error, log.Fault, compact);
                }

                isDone = !inputs.TryFindLeast(out int least);
                if (isDone)
                    break;
                var entry = inputs.Entry(least);
                error = await inputs.AdvanceAsync(least, cancellationToken);
                if (hasPending && entry == pending)
                {
                    hasPending = false;
                    continue;
                }

                if (hasPending)
                    log.Append(pending);
                pending = entry;
                hasPending = true;
            }

            if (error != FsError.None)
                return (error, inputs.Fault, compact);
            if (hasPending)
                log.Append(pending);
            compact.Out = log.File;
            inputs.StorePositions(ref compact);
            if (isDone)
                compact.Flags = (byte)(compact.Flags | SrchCompact.FlagDone);
            return (FsError.None, default, compact);
        }

        public async ValueTask<(FsError Error, Corruption Fault, SrchCompact Compact)> DeleteAsync(
            SrchCompact compact, CancellationToken cancellationToken)
        {
            for (int i = 0; i < compact.Nr; i++)
            {
                var (error, fault, input, isFreed) = await FreeFileAsync(compact.Inputs[i], cancellationToken);
                compact.Inputs[i] = input;
                if (error != FsError.None || !isFreed)
                    return (error, fault, compact);
            }

            compact.Flags = (byte)(compact.Flags | SrchCompact.FlagDone);
            return (FsError.None, default, compact);
        }

        private static void SortAndCancel(List<SrchEntry> entries)
        {
            var span = CollectionsMarshal.AsSpan(entries);
            span.Sort(default(EntryOrder));
            int kept = 0;
            for (int i = 0; i < span.Length;)
            {
                int next = i + 1;
                while (next < span.Length && span[next] == span[i])
                    next++;
                if (((next - i) & 1) == 1)
                    span[kept++] = span[i];
                i = next;
            }

            entries.RemoveRange(kept, entries.Count - kept);
        }

        private bool IsToStop() =>
            _writer.DirtyBlocks >= _maxDirtyBlocks
            || _allocator.AvailableBlocks < ChunkBlocks
            || _allocator.FreeRoomBlocks < ChunkBlocks;

        // Levels from the leaves up, each from left to right; nothing is changed, so the way down stays readable.
        private async ValueTask<(FsError Error, Corruption Fault, SrchCompactInput Input, bool IsFreed)> FreeFileAsync(
            SrchCompactInput input, CancellationToken cancellationToken)
        {
            if (!SrchRadix.IsShapeGood(input.File))
            {
                var fault = new Corruption(CorruptionSite.SrchDeleteShape, input.File.Ref.Blkno);
                return (FsError.Corrupt, fault, input, false);
            }

            int height = input.File.Height;
            while (height > 0 && input.Pos <= (ulong)height)
            {
                int level = Math.Max(1, (int)input.Pos.Value);
                if (level == height)
                {
                    if (RoomToFree() == 0)
                        return (FsError.None, default, input, false);
                    Free(input.File.Ref.Blkno);
                    input.Pos = (ulong)height + 1;
                    input.Blk = 0;
                    break;
                }

                if (input.Blk >= input.File.Blocks)
                {
                    input.Pos = (ulong)level + 1;
                    input.Blk = 0;
                    continue;
                }

                var status = SrchRadix.TryLease(
                    _cache, null, input.File, input.Blk, level, out var parent, out var needed, out var magic);
                if (status == BtreeStatus.Corrupt)
                {
                    var fault = new Corruption(CorruptionSite.SrchDeleteNoBlock, input.File.Ref.Blkno);
                    return (FsError.Corrupt, fault, input, false);
                }

                if (status == BtreeStatus.NeedBlock)
                {
                    var result = await _cache.LoadAsync(needed, magic, cancellationToken);
                    if (result.Error != FsError.None)
                        return (result.Error, result.Corruption, input, false);
                    continue;
                }

                bool hasRoom = FreeChildren(parent.Bytes, level, ref input);
                parent.Dispose();
                if (!hasRoom)
                    return (FsError.None, default, input, false);
            }

            return (FsError.None, default, input, true);
        }

        private bool FreeChildren(ReadOnlySpan<byte> parent, int level, ref SrchCompactInput input)
        {
            var refs = SrchRadix.Refs(parent);
            ulong span = SrchRadix.SpanOf(level);
            for (int i = SrchRadix.IndexAt(input.Blk, level); i < refs.Length && input.Blk < input.File.Blocks; i++)
            {
                if (RoomToFree() == 0)
                    return false;
                if (!refs[i].IsNone)
                    Free(refs[i].Blkno);
                input.Blk = (((input.Blk / span) + 1) * span);
            }

            return true;
        }

        private int RoomToFree() => Math.Min(_allocator.FreeRoomBlocks, _maxFreedBlocks - _freedBlocks);

        private void Free(ulong blkno)
        {
            _allocator.Free(blkno);
            _freedBlocks++;
        }
    }

    /// <summary>The sorted inputs, each at the entry that is its next.</summary>
    private sealed class MergeInputs : IDisposable
    {
        private readonly SrchFileCursor[] _cursors;
        private readonly bool[] _isAtEnd;
        private readonly SrchCompactInput[] _files;

        public MergeInputs(BlockCache cache, in SrchCompact compact)
        {
            _cursors = new SrchFileCursor[compact.Nr];
            _isAtEnd = new bool[compact.Nr];
            _files = new SrchCompactInput[compact.Nr];
            for (int i = 0; i < _cursors.Length; i++)
            {
                _files[i] = compact.Inputs[i];
                _cursors[i] = new SrchFileCursor(cache, ReadAheadBlocks);
                _cursors[i].SetFile(_files[i].File, _files[i].Blk, _files[i].Pos);
            }
        }

        public Corruption Fault { get; private set; }

        public ref readonly SrchEntry Entry(int input) => ref _cursors[input].Entry;

        public async ValueTask<FsError> StartAsync(CancellationToken cancellationToken)
        {
            var error = FsError.None;
            for (int i = 0; error == FsError.None && i < _cursors.Length; i++)
                error = await AdvanceAsync(i, cancellationToken);
            return error;
        }

        public async ValueTask<FsError> AdvanceAsync(int input, CancellationToken cancellationToken)
        {
            var status = await _cursors[input].MoveNextAsync(cancellationToken);
            _isAtEnd[input] = status == BtreeStatus.End;
            if (status != BtreeStatus.Corrupt)
                return FsError.None;
            Fault = _cursors[input].Fault;
            return _cursors[input].Error;
        }

        public bool TryFindLeast(out int least)
        {
            least = -1;
            for (int i = 0; i < _cursors.Length; i++)
            {
                if (!_isAtEnd[i] && (least < 0 || SrchEntry.Compare(Entry(i), Entry(least)) < 0))
                    least = i;
            }

            return least >= 0;
        }

        public void StorePositions(ref SrchCompact compact)
        {
            for (int i = 0; i < _cursors.Length; i++)
            {
                compact.Inputs[i].Blk = _isAtEnd[i] ? _files[i].File.Blocks : _cursors[i].EntryBlock;
                compact.Inputs[i].Pos = _isAtEnd[i] ? 0 : _cursors[i].EntryOffset;
            }
        }

        public void Dispose()
        {
            foreach (var cursor in _cursors)
                cursor.Dispose();
        }
    }

    private readonly struct EntryOrder : IComparer<SrchEntry>
    {
        public int Compare(SrchEntry x, SrchEntry y) => SrchEntry.Compare(x, y);
    }
}
