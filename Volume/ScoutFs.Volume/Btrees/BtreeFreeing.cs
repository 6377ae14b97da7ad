using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>
/// Frees the blocks of a whole tree step by step, without changing or reading its leaves (engine §2.7).
/// </summary>
/// <remarks>
/// <para>Progress is a key: in every parent the children whose item key is smaller are freed with all below them. When
/// the last child of a parent is freed, the parent goes with it, and so do ancestors that have nothing else left, level
/// 1 included. The reference leaves level 1 behind; where it stopped, the parent that it was in goes, too.</para>
/// <para>The key must be committed together with the freed list: a block that is freed twice ruins the
/// allocator.</para>
/// </remarks>
public sealed class BtreeFreeing
{
    private readonly BlockCache _cache;
    private readonly BlockRef[] _path = new BlockRef[FormatConstants.MaxBtreeHeight];
    private readonly ItemKey[] _ends = new ItemKey[FormatConstants.MaxBtreeHeight];
    private readonly bool[] _isLast = new bool[FormatConstants.MaxBtreeHeight];

    /// <summary>Creates a worker.</summary>
    public BtreeFreeing(BlockCache cache) => _cache = cache;

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Frees blocks from where an earlier call stopped.</summary>
    /// <param name="root">Root of the tree.</param>
    /// <param name="key">Progress so far: <see cref="ItemKey.Min"/> at first.</param>
    /// <param name="allocator">Takes the blocks.</param>
    /// <param name="budgetBlocks">Blocks to free at most; more than the tree has levels, else nothing happens.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>
    /// None, the progress (<see cref="ItemKey.Max"/>: everything is freed) and the blocks freed; Corrupt, Stale, Io,
    /// NoBuffers or Cancelled: progress and count say what had been freed before.
    /// </returns>
    public async ValueTask<(FsError Error, ItemKey Key, int Freed)> FreeAsync(
        BtreeRoot root,
        ItemKey key,
        IBlockAllocator allocator,
        int budgetBlocks,
        CancellationToken cancellationToken)
    {
        int freed = 0;
        if (root.Height == 0 || key == ItemKey.Max)
            return (FsError.None, ItemKey.Max, 0);
        if (root.Height > FormatConstants.MaxBtreeHeight || root.Ref.IsNone)
            return (Fail(CorruptionSite.BtreeFreeingRoot, root.Ref.Blkno), key, 0);
        if (root.Height == 1)
        {
            if (budgetBlocks < 1 || allocator.FreeRoomBlocks < 1)
                return (FsError.None, key, 0);
            allocator.Free(root.Ref.Blkno);
            return (FsError.None, ItemKey.Max, 1);
        }

        while (key != ItemKey.Max)
        {
            var error = Descend(root, ref key, out var parent, out var needed);
            if (error != FsError.None)
                return (error, key, freed);
            if (!needed.IsNone)
            {
                var result = await _cache.LoadAsync(needed, BlockMagic.Btree, cancellationToken);
                Fault = result.Corruption;
                if (result.Error != FsError.None)
                    return (result.Error, key, freed);
            }
            else if (parent.IsHeld)
            {
                bool hasBudget = FreeChildren(root.Height, parent, ref key, allocator, budgetBlocks, ref freed);
                parent.Dispose();
                if (!hasBudget)
                    break;
            }
        }

        return (FsError.None, key, freed);
    }

    // Leases the parent of leaves in which to go on, or moves the progress past a parent whose children are all freed.
    private FsError Descend(in BtreeRoot root, ref ItemKey key, out BlockLease parent, out BlockRef needed)
    {
        needed = root.Ref;
        var end = ItemKey.Max;
        bool isLast = true;
        for (int level = root.Height - 1; ; level--)
        {
            if (!_cache.TryGet(needed, BlockMagic.Btree, out parent))
                return FsError.None;
            var block = new BtreeBlock(parent.Bytes);
            if (block.Level != level || block.NrItems == 0)
            {
                parent.Dispose();
                return Fail(CorruptionSite.BtreeFreeingLevel, needed.Blkno);
            }

            _path[level] = needed;
            _ends[level] = end;
            _isLast[level] = isLast;
            needed = default;
            if (level == 1)
                return FsError.None;
            int child = block.LowerBound(key);
            if (child == 0)
            {
                // Left by another writer, who has freed this parent with its last child.
                key = After(end);
                parent.Dispose();
                return FsError.None;
            }

            end = block.Item(child).Key;
            isLast = block.Next(child) == 0;
            needed = Disk.Ref<BlockRef>(block.Value(block.Item(child)));
            parent.Dispose();
        }
    }

    // False: the budget is used up.
    private bool FreeChildren(
        int height, in BlockLease parent, ref ItemKey key, IBlockAllocator allocator, int budgetBlocks, ref int freed)
    {
        var block = new BtreeBlock(parent.Bytes);
        int child = block.LowerBound(key);
        while (true)
        {
            // The parent goes with its last child, and so on upwards. Without a child left another writer was here, who
            // freed what is above, though not level 1.
            bool isLast = child != 0 && block.Next(child) == 0;
            int parents = child == 0 ? 1 : isLast ? PendingParents(height) : 0;
            int count = parents + (child == 0 ? 0 : 1);
            if (freed + count > budgetBlocks || allocator.FreeRoomBlocks < count)
                return false;
            if (child != 0)
                allocator.Free(Disk.Ref<BlockRef>(block.Value(block.Item(child))).Blkno);
            for (int level = 1; level <= parents; level++)
                allocator.Free(_path[level].Blkno);
            freed += count;
            if (parents > 0)
            {
                key = After(_ends[parents]);
                return true;
            }

            key = After(block.Item(child).Key);
            child = block.Next(child);
        }
    }

    private static ItemKey After(in ItemKey key) => key == ItemKey.Max ? ItemKey.Max : key.Next();

    private int PendingParents(int height)
    {
        int level = 1;
        while (level + 1 < height && _isLast[level])
            level++;
        return level;
    }

    private FsError Fail(CorruptionSite site, ulong blkno)
    {
        Fault = new Corruption(site, blkno);
        return FsError.Corrupt;
    }
}
