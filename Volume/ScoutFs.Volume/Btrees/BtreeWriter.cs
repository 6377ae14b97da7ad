using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>Changes a btree copy-on-write, in two passes (engine §2.3).</summary>
/// <remarks>
/// <para><b>Prepare</b> walks down to the leaf, leases every clean block that the change may touch (for a removal also
/// the neighbour that an under-filled block would take items from), and checks that blocks and buffers for the worst
/// case are there. It changes nothing and may be repeated until nothing is missing. <b>Apply</b> then walks again,
/// making blocks dirty, splitting and joining from the top down, so that a parent always has room for one more
/// reference; it cannot miss a block and cannot fail.</para>
/// <para>The neighbour is the one that prepare chose, even if a join higher up has since given the block another: items
/// always move from the neighbour into the block on the path, so both stay children of the same parent.</para>
/// <para>Not thread safe: belongs to one transaction, as its writer and allocator do.</para>
/// </remarks>
public sealed partial class BtreeWriter : IDisposable
{
    // Bytes of a value to make no room for: an item is to be removed.
    private const int NoRoom = -1;

    private readonly BlockCache _cache;
    private readonly BlockWriter _writer;
    private readonly IBlockAllocator _allocator;
    private readonly BlockLease[] _leases = new BlockLease[3 * FormatConstants.MaxBtreeHeight];
    private readonly BlockRef[] _siblings = new BlockRef[FormatConstants.MaxBtreeHeight];
    private readonly byte[] _scratch = new byte[FormatConstants.LargeBlockBytes];
    private int _leaseCount;

    /// <summary>Creates a writer of trees.</summary>
    public BtreeWriter(BlockCache cache, BlockWriter writer, IBlockAllocator allocator)
    {
        _cache = cache;
        _writer = writer;
        _allocator = allocator;
    }

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    private enum Change
    {
        Insert,
        Remove,
    }

    /// <summary>Adds or replaces an item.</summary>
    /// <param name="root">Root of the tree; its new version is returned.</param>
    /// <param name="key">Key.</param>
    /// <param name="seq">Version of the item, 0 in trees that have none.</param>
    /// <param name="flags">Flags of the item.</param>
    /// <param name="value">Value, at most 896 bytes.</param>
    /// <param name="cancellationToken">Honoured while blocks are read, never once changing has begun.</param>
    /// <returns>None and the new root; NoSpace, Corrupt, Stale, Io, NoBuffers or Cancelled and the old root.</returns>
    public async ValueTask<(FsError Error, BtreeRoot Root)> ForceAsync(
        BtreeRoot root,
        ItemKey key,
        ulong seq,
        byte flags,
        ReadOnlyMemory<byte> value,
        CancellationToken cancellationToken)
    {
        var error = await PrepareAsync(root, key, Change.Insert, cancellationToken);
        if (error == FsError.None)
            ApplyForce(ref root, key, seq, flags, value.Span);
        ReleaseLeases();
        return (error, root);
    }

    /// <summary>Removes an item.</summary>
    /// <param name="root">Root of the tree; its new version is returned.</param>
    /// <param name="key">Key.</param>
    /// <param name="cancellationToken">Honoured while blocks are read, never once changing has begun.</param>
    /// <returns>None and the new root; NotFound, NoSpace, Corrupt, Stale, Io, NoBuffers or Cancelled and the old
    /// root.</returns>
    public async ValueTask<(FsError Error, BtreeRoot Root)> RemoveAsync(
        BtreeRoot root, ItemKey key, CancellationToken cancellationToken)
    {
        var error = await PrepareAsync(root, key, Change.Remove, cancellationToken);
        if (error == FsError.None && !ContainsKey(root, key))
            error = FsError.NotFound;
        if (error == FsError.None)
            ApplyRemove(ref root, key);
        ReleaseLeases();
        return (error, root);
    }

    /// <inheritdoc/>
    public void Dispose() => ReleaseLeases();

    private async ValueTask<FsError> PrepareAsync(
        BtreeRoot root, ItemKey key, Change change, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReleaseLeases();
            var error = Prepare(root, key, change, out var needed);
            if (needed.IsNone)
                return error;
            var result = await _cache.LoadAsync(needed, BlockMagic.Btree, cancellationToken);
            Fault = result.Corruption;
            if (result.Error != FsError.None)
                return result.Error;
        }
    }

    // None with a needed block: load it and prepare again.
    private FsError Prepare(in BtreeRoot root, in ItemKey key, Change change, out BlockRef needed)
    {
        needed = default;
        Array.Clear(_siblings);
        if (root.Height > FormatConstants.MaxBtreeHeight || (root.Height == 0) != root.Ref.IsNone)
            return Fail(CorruptionSite.BtreeWriterRootShape, root.Ref.Blkno);

        // Worst cases: an insertion copies a block and splits one a level and grows the tree; a removal copies a block
        // and its neighbour a level.
        int worst = (2 * root.Height) + 2;
        if (root.Height + 1 > FormatConstants.MaxBtreeHeight)
            return FsError.NoSpace;
        if (_allocator.AvailableBlocks < worst || _allocator.FreeRoomBlocks < worst || _writer.RoomBlocks < worst)
            return FsError.NoSpace;

        var start = ItemKey.Min;
        var end = ItemKey.Max;
        var blockRef = root.Ref;
        for (int level = root.Height - 1; level >= 0; level--)
        {
            if (!TryPin(blockRef, out var bytes))
            {
                needed = blockRef;
                return FsError.None;
            }

            var block = new BtreeBlock(bytes);
            if (block.Level != level)
                return Fail(CorruptionSite.BtreeWriterLevel, blockRef.Blkno);
            int first = block.First();
            if (first != 0 && (block.Item(first).Key < start || block.Item(block.Last()).Key > end))
                return Fail(CorruptionSite.BtreeWriterKeyRange, blockRef.Blkno);
            if (level == 0)
                break;
            int child = block.LowerBound(key);
            if (child == 0)
                return Fail(CorruptionSite.BtreeWriterNoChild, blockRef.Blkno);
            int previous = block.Previous(child);
            if (previous != 0)
                start = block.Item(previous).Key.Next();
            end = block.Item(child).Key;
            blockRef = Child(block, child);
            if (change == Change.Remove && !TryPinSibling(block, child, blockRef, level - 1, out needed))
                return needed.IsNone ? Fail(CorruptionSite.BtreeWriterSibling, blockRef.Blkno) : FsError.None;
        }

        return FsError.None;
    }

    // Pins the neighbour of an under-filled child. False: it must be loaded (needed), or has a wrong level.
    private bool TryPinSibling(
        in BtreeBlock parent, int child, in BlockRef childRef, int level, out BlockRef needed)
    {
        needed = default;
        if (!TryPin(childRef, out var childBytes))
        {
            needed = childRef;
            return false;
        }

        if (new BtreeBlock(childBytes).Header.TotalItemBytes >= BtreeBlockEditor.JoinBytes)
            return true;
        int sibling = parent.Previous(child);
        if (sibling == 0)
            sibling = parent.Next(child);
        if (sibling == 0)
            return true;
        var siblingRef = Child(parent, sibling);
        if (!TryPin(siblingRef, out var bytes))
        {
            needed = siblingRef;
            return false;
        }

        _siblings[level] = siblingRef;
        return new BtreeBlock(bytes).Level == level;
    }

    private bool ContainsKey(in BtreeRoot root, in ItemKey key)
    {
        if (root.Height == 0)
            return false;
        var blockRef = root.Ref;
        while (true)
        {
            var block = new BtreeBlock(Pinned(blockRef));
            if (block.Level == 0)
                return block.FindInLeaf(key) != 0;
            blockRef = Child(block, block.LowerBound(key));
        }
    }

    private void ApplyForce(ref BtreeRoot root, in ItemKey key, ulong seq, byte flags, ReadOnlySpan<byte> value)
    {
        var leaf = DescendToInsert(ref root, key, value.Length, isRun: false, out _);
        int offset = leaf.View.FindInLeaf(key);
        if (offset == 0)
            leaf.Insert(key, seq, flags, value);
        else
            leaf.Update(offset, seq, flags, value);
    }

    // Makes the path dirty and splits full blocks on it; the leaf has room for the item, the parents for a split below.
    private BtreeBlockEditor DescendToInsert(
        scoped ref BtreeRoot root, scoped in ItemKey key, int valueBytes, bool isRun, out ItemKey leafEnd)
    {
        if (root.Height == 0)
        {
            var leaf = _writer.Create(ref root.Ref, BlockMagic.Btree, _allocator);
            BtreeBlockEditor.Initialise(leaf, 0);
            root.Height = 1;
        }

        leafEnd = ItemKey.Max;
        var block = new BtreeBlockEditor(Dirty(ref root.Ref));
        var parent = default(BtreeBlockEditor);
        bool hasParent = false;
        while (true)
        {
            int level = block.View.Level;
            bool hasRoom = level == 0
                ? block.HasRoom(valueBytes) || block.HasValueOfLength(key, valueBytes)
                : block.HasRoom(Disk.SizeOf<BlockRef>());
            hasRoom |= valueBytes == NoRoom;
            if (!hasRoom)
            {
                if (block.IsWorthCompacting)
                {
                    block.Compact(_scratch);
                }
                else
                {
                    if (!hasParent)
                        parent = Grow(ref root);
                    block = Split(block, parent, key, isRun, ref leafEnd);
                }
            }

            if (level == 0)
                return block;
            int child = block.View.LowerBound(key);
            leafEnd = block.View.Item(child).Key;
            var childRef = Child(block.View, child);
            var childBlock = new BtreeBlockEditor(Dirty(ref childRef));
            block.SetChild(child, childRef);
            parent = block;
            hasParent = true;
            block = childBlock;
        }
    }

    // Puts a new root over the old one: its one child keeps the whole key space.
    private BtreeBlockEditor Grow(scoped ref BtreeRoot root)
    {
        var child = root.Ref;
        var bytes = _writer.Create(ref root.Ref, BlockMagic.Btree, _allocator);
        BtreeBlockEditor.Initialise(bytes, root.Height);
        root.Height++;
        var editor = new BtreeBlockEditor(bytes);
        editor.Insert(ItemKey.Max, 0, 0, Disk.Bytes(in child));
        return editor;
    }

    // Moves the lower half into a new left neighbour; returns the half that covers the key.
    private BtreeBlockEditor Split(
        BtreeBlockEditor block, BtreeBlockEditor parent, scoped in ItemKey key, bool isRun, scoped ref ItemKey end)
    {
        bool isLeaf = block.View.Level == 0;
        int at = block.View.LowerBound(key);
        bool replaces = isLeaf && at != 0 && block.View.Item(at).Key == key;
        if (isRun && isLeaf && !replaces)
            return SplitLeafAt(block, parent, key, ref end);
        if (isRun && !isLeaf && at == block.View.Last())
            return SplitOffHighest(block, parent, key, 1);

        BlockRef leftRef = default;
        var left = CreateSibling(block, ref leftRef);
        block.MoveLowestTo(left, block.TotalItemBytes / 2);
        block.Compact(_scratch);
        var leftEnd = left.View.Item(left.View.Last()).Key;
        parent.Insert(leftEnd, 0, 0, Disk.Bytes(in leftRef));
        if (key > leftEnd)
            return block;
        end = leftEnd;
        return left;
    }

    // With keepsHeight the root stays however few children it has.
    private void ApplyRemove(ref BtreeRoot root, in ItemKey key, bool keepsHeight = false)
    {
        var leaf = DescendToRemove(ref root, key, keepsHeight);
        leaf.Remove(leaf.View.FindInLeaf(key));
        if (root.Height == 1 && leaf.NrItems == 0)
        {
            _writer.Free(root.Ref, _allocator);
            root = default;
        }
    }

    // Makes the path dirty and joins blocks on it that are filled too little.
    private BtreeBlockEditor DescendToRemove(scoped ref BtreeRoot root, scoped in ItemKey key, bool keepsHeight)
    {
        var block = new BtreeBlockEditor(Dirty(ref root.Ref));
        while (block.View.Level > 0)
        {
            int child = block.View.LowerBound(key);
            var childRef = Child(block.View, child);
            var childBlock = new BtreeBlockEditor(Dirty(ref childRef));
            block.SetChild(child, childRef);
            int level = childBlock.View.Level;
            if (!_siblings[level].IsNone && childBlock.TotalItemBytes < BtreeBlockEditor.JoinBytes)
            {
                Join(block, childBlock, key, _siblings[level]);
                bool isRoot = block.View.Level == root.Height - 1;
                if (isRoot && block.NrItems == 1 && !keepsHeight)
                {
                    var oldRoot = root.Ref;
                    root.Ref = childRef;
                    root.Height--;
                    _writer.Free(oldRoot, _allocator);
                }
            }

            block = childBlock;
        }

        return block;
    }

    // Takes items from the neighbour into the block on the path; frees the neighbour when that empties it.
    private void Join(
        BtreeBlockEditor parent, BtreeBlockEditor block, scoped in ItemKey key, BlockRef siblingRef)
    {
        int blockItem = parent.View.LowerBound(key);
        int siblingItem = FindChild(parent.View, blockItem, siblingRef, out bool isLeft);
        var sibling = new BtreeBlockEditor(Dirty(ref siblingRef));
        parent.SetChild(siblingItem, siblingRef);
        int bytes = sibling.TotalItemBytes <= 2 * BtreeBlockEditor.JoinBytes
            ? sibling.TotalItemBytes
            : BtreeBlockEditor.JoinBytes;
        if (!block.HasRoom(bytes + (2 * (56 + FormatConstants.MaxValueBytes))))
            block.Compact(_scratch);
        if (isLeft)
            sibling.MoveHighestTo(block, bytes);
        else
            sibling.MoveLowestTo(block, bytes);

        if (sibling.NrItems > 0)
        {
            // The left one of the two now ends earlier or later; the right one keeps its end.
            var left = isLeft ? sibling : block;
            parent.SetParentKey(isLeft ? siblingItem : blockItem, left.View.Item(left.View.Last()).Key);
            return;
        }

        var siblingEnd = parent.View.Item(siblingItem).Key;
        parent.Remove(siblingItem);
        _writer.Free(siblingRef, _allocator);
        if (!isLeft)
        {
            // The path's item may have moved in the array; the block now reaches to the end of its former neighbour.
            parent.SetParentKey(parent.View.LowerBound(key), siblingEnd);
        }
    }

    private static int FindChild(in BtreeBlock parent, int blockItem, in BlockRef siblingRef, out bool isLeft)
    {
        int previous = parent.Previous(blockItem);
        isLeft = previous != 0 && Child(parent, previous).SameAs(siblingRef);
        if (isLeft)
            return previous;
        int next = parent.Next(blockItem);
        Invariant.Require(next != 0 && Child(parent, next).SameAs(siblingRef));
        return next;
    }

    private static BlockRef Child(in BtreeBlock block, int offset) =>
        Disk.Ref<BlockRef>(block.Value(block.Item(offset)));

    private Span<byte> Dirty(scoped ref BlockRef blockRef) => _writer.TryGet(blockRef, out var block)
        ? block
        : _writer.Copy(ref blockRef, BlockMagic.Btree, Pinned(blockRef), _allocator);

    // Contents of a block that prepare has pinned, or that is dirty.
    private ReadOnlySpan<byte> Pinned(scoped in BlockRef blockRef)
    {
        if (_writer.TryGet(blockRef, out var dirty))
            return dirty;
        foreach (ref readonly var lease in _leases.AsSpan(0, _leaseCount))
        {
            ref readonly var header = ref Disk.Ref<BlockHeader>(lease.Bytes);
            if (header.Blkno == blockRef.Blkno && header.Seq == blockRef.Seq)
                return lease.Bytes;
        }

        throw new InvariantException("Invariant broken: a block is changed that prepare did not pin");
    }

    private bool TryPin(scoped in BlockRef blockRef, out ReadOnlySpan<byte> bytes)
    {
        if (_writer.TryGet(blockRef, out var dirty))
        {
            bytes = dirty;
            return true;
        }

        if (!_cache.TryGet(blockRef, BlockMagic.Btree, out var lease))
        {
            bytes = default;
            return false;
        }

        bytes = lease.Bytes;
        _leases[_leaseCount++] = lease;
        return true;
    }

    private FsError Fail(CorruptionSite site, ulong blkno)
    {
        Fault = new Corruption(site, blkno);
        return FsError.Corrupt;
    }

    private void ReleaseLeases()
    {
        for (int i = 0; i < _leaseCount; i++)
            _leases[i].Dispose();
        _leaseCount = 0;
    }
}
