using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Forest;

/// <summary>
/// Walks the file system's items as they are now: fs_root and every log tree merged in key order, the version with the
/// greatest seq winning, deletions hidden, totals added up (format §9.5).
/// </summary>
/// <remarks>
/// <para>A heap of tree cursors; an item costs one step of it and no allocation. Each tree holds one leaf of the cache,
/// so the cache needs at least <c>2 × sources + 16</c> blocks.</para>
/// <para>A search inside one lock range skips log trees whose bloom filter says no. Calls that answer
/// <see cref="BtreeStatus.NeedBlock"/> change nothing that matters: await <see cref="LoadAsync"/> and repeat them. One
/// cursor belongs to one caller at a time.</para>
/// </remarks>
public sealed class ForestCursor : IDisposable
{
    private readonly BlockCache _cache;
    private readonly IReadOnlyList<ForestSource> _sources;
    private readonly BtreeCursor[] _cursors;
    private readonly ItemKey[] _keys;
    private readonly int[] _heap;
    private readonly byte[] _totals = new byte[16];
    private int _heapCount;

    // Sources still to be positioned, _toMove[0.._toMoveCount-1]; those done have been taken off the end.
    private readonly int[] _toMove;
    private int _toMoveCount;
    private bool _isSeeking;
    private ItemKey _seekKey;
    private ItemKey _end;
    private int _neededSource;
    private BlockRef _neededBloom;

    private int _winner;
    private ulong _winnerSeq;
    private bool _isTotal;

    /// <summary>Creates a cursor over one state of the forest.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="roots">The state.</param>
    /// <param name="readAheadBlocks">Leaves a scan reads ahead in each tree, 0 for lookups.</param>
    public ForestCursor(BlockCache cache, ForestRoots roots, int readAheadBlocks = 0)
    {
        _cache = cache;
        _sources = roots.Sources;
        _cursors = new BtreeCursor[_sources.Count];
        _keys = new ItemKey[_sources.Count];
        _heap = new int[_sources.Count];
        _toMove = new int[_sources.Count];
        for (int i = 0; i < _cursors.Length; i++)
        {
            _cursors[i] = new BtreeCursor(cache, readAheadBlocks);
            _cursors[i].SetRoot(_sources[i].Root);
        }
    }

    /// <summary>What was wrong after <see cref="BtreeStatus.Corrupt"/>.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Why, after <see cref="BtreeStatus.Corrupt"/>: Corrupt, Stale, Io, NoBuffers or Cancelled.</summary>
    public FsError Error { get; private set; }

    /// <summary>Key of the current item; valid after Found until the next call.</summary>
    public ref readonly ItemKey Key => ref _keys[_winner];

    /// <summary>Seq of the winning version; for totals the greatest seq of all versions.</summary>
    public ulong Seq => _winnerSeq;

    /// <summary>Value of the current item; valid until the next call.</summary>
    public ReadOnlySpan<byte> Value => _isTotal ? _totals : _cursors[_winner].Value;

    /// <summary>Block the winning version is in, for messages.</summary>
    public ulong LeafBlkno => _cursors[_winner].LeafBlkno;

    /// <summary>Tree the winning version is in, for messages.</summary>
    public ForestSource Source => _sources[_winner];

    /// <summary>Moves to the first item in start..end (inclusive).</summary>
    /// <returns>Found, End, NeedBlock (load, then call <see cref="MoveNext"/>) or Corrupt.</returns>
    public BtreeStatus Seek(in ItemKey start, in ItemKey end)
    {
        _seekKey = start;
        _end = end;
        _isSeeking = true;
        _heapCount = 0;
        _toMoveCount = _sources.Count;
        for (int i = 0; i < _toMoveCount; i++)
            _toMove[i] = i;
        return MoveNext();
    }

    /// <summary>Moves to the next item, or goes on with what a missing block interrupted.</summary>
    /// <returns>Found, End, NeedBlock (load, then call this again) or Corrupt.</returns>
    public BtreeStatus MoveNext()
    {
        while (true)
        {
            var status = MoveSources();
            if (status != BtreeStatus.Found)
                return status;
            _isSeeking = false;
            if (_heapCount == 0 || _keys[_heap[0]] > _end)
                return BtreeStatus.End;
            if (!TakeVersions(out bool isLive))
                return BtreeStatus.Corrupt;
            if (isLive)
                return BtreeStatus.Found;
        }
    }

    /// <summary>Loads the block that the last call missed.</summary>
    /// <returns>None, or the error, which <see cref="Fault"/> describes.</returns>
    public async ValueTask<FsError> LoadAsync(CancellationToken cancellationToken)
    {
        if (!_neededBloom.IsNone)
        {
            var result = await _cache.LoadAsync(_neededBloom, BlockMagic.Bloom, cancellationToken);
            Error = result.Error;
            Fault = result.Corruption;
        }
        else
        {
            Error = await _cursors[_neededSource].LoadAsync(cancellationToken);
            Fault = _cursors[_neededSource].Fault;
        }

        return Error;
    }

    /// <summary><see cref="Seek"/> that waits for blocks; completes synchronously when all are cached.</summary>
    /// <returns>Found, End or Corrupt (also when a block could not be read: see <see cref="Error"/>).</returns>
    public ValueTask<BtreeStatus> SeekAsync(in ItemKey start, in ItemKey end, CancellationToken cancellationToken)
    {
        var status = Seek(start, end);
        return status == BtreeStatus.NeedBlock ? MoveNextSlowAsync(cancellationToken) : new(status);
    }

    /// <summary><see cref="MoveNext"/> that waits for blocks; completes synchronously when all are cached.</summary>
    /// <returns>Found, End or Corrupt (also when a block could not be read: see <see cref="Error"/>).</returns>
    public ValueTask<BtreeStatus> MoveNextAsync(CancellationToken cancellationToken)
    {
        var status = MoveNext();
        return status == BtreeStatus.NeedBlock ? MoveNextSlowAsync(cancellationToken) : new(status);
    }

    /// <summary>Gives all leaves back; the cursor can seek again.</summary>
    public void Release()
    {
        foreach (var cursor in _cursors)
            cursor.Release();
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

    // Positions every source that has to move and puts it into the heap.
    private BtreeStatus MoveSources()
    {
        while (_toMoveCount > 0)
        {
            int source = _toMove[_toMoveCount - 1];
            var status = _isSeeking ? SeekSource(source) : _cursors[source].MoveNext();
            if (status == BtreeStatus.NeedBlock)
            {
                _neededSource = source;
                return status;
            }

            if (status == BtreeStatus.Corrupt)
            {
                Error = _cursors[source].Error;
                Fault = _cursors[source].Fault;
                return status;
            }

            _toMoveCount--;
            if (status == BtreeStatus.Found)
            {
                _keys[source] = _cursors[source].Key;
                Push(source);
            }
        }

        return BtreeStatus.Found;
    }

    private BtreeStatus SeekSource(int source)
    {
        _neededBloom = default;
        var tree = _sources[source];
        if (tree.Layer != ForestLayer.Merged)
        {
            var lockStart = Keys.LockStart(_seekKey);
            if (lockStart == Keys.LockStart(_end))
            {
                // No bloom block: nothing was ever logged (format §9.4).
                if (tree.BloomRef.IsNone)
                    return BtreeStatus.End;
                if (!_cache.TryGet(tree.BloomRef, BlockMagic.Bloom, out var bloom))
                {
                    _neededBloom = tree.BloomRef;
                    return BtreeStatus.NeedBlock;
                }

                bool mayHave = new BloomProbe(lockStart).MayBeIn(bloom.Bytes);
                bloom.Dispose();
                if (!mayHave)
                    return BtreeStatus.End;
            }
        }

        return _cursors[source].Seek(_seekKey);
    }

    // Takes every version of the least key off the heap, chooses the winner and leaves the sources to be moved on.
    private bool TakeVersions(out bool isLive)
    {
        isLive = false;
        _toMoveCount = 0;
        int first = _heap[0];
        var key = _keys[first];
        _isTotal = key.Zone == KeyZone.XattrTotal;
        _winner = first;
        _winnerSeq = 0;
        var sum = default(TotalsSum);
        while (_heapCount > 0 && _keys[_heap[0]] == key)
        {
            int source = Pop();
            ref readonly var item = ref _cursors[source].Item;
            if (_toMoveCount == 0 || item.Seq > _winnerSeq)
            {
                _winner = source;
                _winnerSeq = item.Seq;
            }

            if (_isTotal)
            {
                var value = _cursors[source].Value;
                if (value.Length != _totals.Length)
                {
                    Error = FsError.Corrupt;
                    Fault = new Corruption(
                        CorruptionSite.ItemValueLength,
                        _cursors[source].LeafBlkno,
                        (ulong)_totals.Length,
                        (ulong)value.Length);
                    return false;
                }

                sum.Add(_sources[source].Layer, item.Seq, Disk.Ref<XattrTotalItem>(value));
            }

            _toMove[_toMoveCount++] = source;
        }

        if (_isTotal)
        {
            var result = sum.Result();
            Disk.Ref<XattrTotalItem>(_totals.AsSpan()) = result;
            isLive = result.Total != 0 || result.Count != 0;
        }
        else
        {
            isLive = (_cursors[_winner].Item.Flags & BtreeItem.FlagDeletion) == 0;
        }

        return true;
    }

    private void Push(int source)
    {
        int child = _heapCount++;
        while (child > 0)
        {
            int parent = (child - 1) / 2;
            if (!IsBefore(source, _heap[parent]))
                break;
            _heap[child] = _heap[parent];
            child = parent;
        }

        _heap[child] = source;
    }

    private int Pop()
    {
        int top = _heap[0];
        int last = _heap[--_heapCount];
        int parent = 0;
        while (true)
        {
            int child = (2 * parent) + 1;
            if (child >= _heapCount)
                break;
            if (child + 1 < _heapCount && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], last))
                break;
            _heap[parent] = _heap[child];
            parent = child;
        }

        _heap[parent] = last;
        return top;
    }

    // fs_root (source 0) comes first among equal keys, so that a tie with a log is decided for it (same content).
    private bool IsBefore(int left, int right)
    {
        int order = ItemKey.Compare(_keys[left], _keys[right]);
        return order != 0 ? order < 0 : left < right;
    }
}
