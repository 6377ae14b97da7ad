using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>An item of a leased leaf; dispose to give the leaf back.</summary>
public struct ItemLease : IDisposable
{
    private readonly int _offset;
    private BlockLease _leaf;

    /// <summary>Takes over the lease of a leaf whose item lies at a byte offset.</summary>
    internal ItemLease(BlockLease leaf, int offset)
    {
        _leaf = leaf;
        _offset = offset;
    }

    /// <summary>The item; valid until disposed.</summary>
    public readonly ref readonly BtreeItem Item => ref new BtreeBlock(_leaf.Bytes).Item(_offset);

    /// <summary>The item's value; valid until disposed.</summary>
    public readonly ReadOnlySpan<byte> Value
    {
        get
        {
            var block = new BtreeBlock(_leaf.Bytes);
            return block.Value(block.Item(_offset));
        }
    }

    /// <summary>Gives the leaf back.</summary>
    public void Dispose() => _leaf.Dispose();
}

/// <summary>Exact lookups in committed btrees.</summary>
public static class BtreeReader
{
    /// <summary>Looks a key up through the leaf hash; never waits, allocates nothing.</summary>
    /// <returns>Found (dispose the item), End, NeedBlock (load <paramref name="needed"/>) or Corrupt.</returns>
    public static BtreeStatus TryLookup(
        BlockCache cache,
        in BtreeRoot root,
        in ItemKey key,
        out ItemLease item,
        out BlockRef needed,
        out Corruption fault)
    {
        item = default;
        var status = BtreeDescent.Descend(cache, null, root, key, 0, out var leaf, out _, out _, out needed, out fault);
        if (status != BtreeStatus.Found)
            return status;
        int offset = new BtreeBlock(leaf.Bytes).FindInLeaf(key);
        if (offset == 0)
        {
            leaf.Dispose();
            return BtreeStatus.End;
        }

        item = new ItemLease(leaf, offset);
        return BtreeStatus.Found;
    }

    /// <summary>Looks a key up, reading blocks as needed.</summary>
    /// <returns>The item with None, else NotFound, Corrupt, Stale, Io, NoBuffers, Cancelled and the damage.</returns>
    public static async ValueTask<(FsError Error, ItemLease Item, Corruption Fault)> LookupAsync(
        BlockCache cache, BtreeRoot root, ItemKey key, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (TryLookup(cache, root, key, out var item, out var needed, out var fault))
            {
                case BtreeStatus.Found:
                    return (FsError.None, item, default);
                case BtreeStatus.End:
                    return (FsError.NotFound, default, default);
                case BtreeStatus.Corrupt:
                    return (FsError.Corrupt, default, fault);
                default:
                    var loaded = await cache.LoadAsync(needed, BlockMagic.Btree, cancellationToken);
                    if (loaded.Error != FsError.None)
                        return (loaded.Error, default, loaded.Corruption);
                    break;
            }
        }
    }
}
