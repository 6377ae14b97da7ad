using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>Walks a committed btree in ascending key order over the block cache.</summary>
/// <remarks>
/// <para>Holds a lease on one leaf and nothing else; the next leaf is found again from the root by the key after the
/// leaf's range, so that neither a path nor sibling pointers have to be kept. Every block is checked against the range
/// that its parent gives it, which also bounds every walk over a hostile tree: keys only grow.</para>
/// <para>Calls that answer <see cref="BtreeStatus.NeedBlock"/> change nothing: await <see cref="LoadAsync"/> and repeat
/// them. One cursor belongs to one caller at a time; it is reused, moving it allocates nothing.</para>
/// </remarks>
public sealed class BtreeCursor : IDisposable
{
    private readonly BlockCache _cache;
    private readonly BlockWriter? _writer;
    private readonly int _readAheadBlocks;
    private BtreeRoot _root;
    private BlockLease _leaf;
    private int _offset;
    private ItemKey _leafEnd;
    private ItemKey _advanceTo;
    private bool _isAdvancing;
    private BlockRef _needed;

    /// <summary>Creates a cursor without a tree.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="readAheadBlocks">Leaves to read ahead of a scan, 0 for point lookups.</param>
    public BtreeCursor(BlockCache cache, int readAheadBlocks = 0)
    {
        _cache = cache;
        _readAheadBlocks = readAheadBlocks;
    }

    /// <summary>Creates a cursor over trees of an open transaction: sees its dirty blocks too.</summary>
    /// <remarks>Release it before the tree is changed.</remarks>
    public BtreeCursor(BlockCache cache, BlockWriter writer)
    {
        _cache = cache;
        _writer = writer;
    }

    /// <summary>What was wrong after <see cref="BtreeStatus.Corrupt"/>.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Why a block could not be had, after <see cref="BtreeStatus.Corrupt"/>.</summary>
    public FsError Error { get; private set; }

    /// <summary>Block the current item is in, for messages.</summary>
    public ulong LeafBlkno => Block.Header.Header.Blkno;

    /// <summary>The current item; valid after Found until the next call.</summary>
    public ref readonly BtreeItem Item => ref Block.Item(_offset);

    /// <summary>The current item's key.</summary>
    public ref readonly ItemKey Key => ref Block.Item(_offset).Key;

    /// <summary>The current item's value; valid until the next call.</summary>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            var block = Block;
            return block.Value(block.Item(_offset));
        }
    }

    private BtreeBlock Block => new(_leaf.Bytes);

    /// <summary>Chooses the tree; positions nowhere.</summary>
    public void SetRoot(in BtreeRoot root)
    {
        Release();
        _root = root;
    }

    /// <summary>Moves to the first item whose key is not less than <paramref name="key"/>.</summary>
    /// <returns>Found, End, NeedBlock or Corrupt.</returns>
    public BtreeStatus Seek(in ItemKey key)
    {
        _isAdvancing = false;
        return SeekFromRoot(key);
    }

    /// <summary>Moves to the item after the current one.</summary>
    /// <returns>Found, End, NeedBlock or Corrupt.</returns>
    public BtreeStatus MoveNext()
    {
        if (!_isAdvancing)
        {
            if (!_leaf.IsHeld)
                return BtreeStatus.End;
            int next = Block.Next(_offset);
            if (next != 0)
            {
                _offset = next;
                return BtreeStatus.Found;
            }

            if (_leafEnd == ItemKey.Max)
            {
                Release();
                return BtreeStatus.End;
            }

            _advanceTo = _leafEnd.Next();
            _isAdvancing = true;
        }

        var status = SeekFromRoot(_advanceTo);
        if (status != BtreeStatus.NeedBlock)
            _isAdvancing = false;
        return status;
    }

    /// <summary>Loads the block that the last call missed; then repeat that call.</summary>
    /// <returns>None, or the error, which <see cref="Fault"/> describes.</returns>
    public async ValueTask<FsError> LoadAsync(CancellationToken cancellationToken)
    {
        var result = await _cache.LoadAsync(_needed, BlockMagic.Btree, cancellationToken);
        Fault = result.Corruption;
        Error = result.Error;
        return result.Error;
    }

    /// <summary><see cref="Seek"/> that waits for blocks; completes synchronously when all are cached.</summary>
    /// <returns>Found, End or Corrupt (also when a block could not be read: see <see cref="Error"/>).</returns>
    public ValueTask<BtreeStatus> SeekAsync(in ItemKey key, CancellationToken cancellationToken)
    {
        var status = Seek(key);
        return status == BtreeStatus.NeedBlock ? SeekSlowAsync(key, cancellationToken) : new(status);
    }

    /// <summary><see cref="MoveNext"/> that waits for blocks; completes synchronously when all are cached.</summary>
    /// <returns>Found, End or Corrupt (also when a block could not be read: see <see cref="Error"/>).</returns>
    public ValueTask<BtreeStatus> MoveNextAsync(CancellationToken cancellationToken)
    {
        var status = MoveNext();
        return status == BtreeStatus.NeedBlock ? MoveNextSlowAsync(cancellationToken) : new(status);
    }

    /// <summary>Gives the leaf back; the cursor can be used again.</summary>
    public void Release()
    {
        _leaf.Dispose();
        _offset = 0;
        _isAdvancing = false;
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    private async ValueTask<BtreeStatus> SeekSlowAsync(ItemKey key, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await LoadAsync(cancellationToken) != FsError.None)
                return BtreeStatus.Corrupt;
            var status = Seek(key);
            if (status != BtreeStatus.NeedBlock)
                return status;
        }
    }

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

    // Descends until a leaf has an item at or after the key; skips the rest of leaves (and empty leaves) by going on
    // from the root with the key after their range.
    private BtreeStatus SeekFromRoot(ItemKey key)
    {
        while (true)
        {
            _leaf.Dispose();
            var status = BtreeDescent.Descend(
                _cache, _writer, _root, key, _readAheadBlocks, out _leaf, out _, out _leafEnd, out _needed,
                out var fault);
            if (status == BtreeStatus.Corrupt)
            {
                Fault = fault;
                Error = FsError.Corrupt;
            }

            if (status != BtreeStatus.Found)
                return status;
            _offset = Block.LowerBound(key);
            if (_offset != 0)
                return BtreeStatus.Found;
            if (_leafEnd == ItemKey.Max)
            {
                Release();
                return BtreeStatus.End;
            }

            key = _leafEnd.Next();

            // Without this a load in the middle of the skip would start over from the caller's key: correct, but a
            // tree with many empty leaves would be walked again and again.
            _advanceTo = key;
        }
    }
}
