using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>A part of a tree that somebody else may change on their own.</summary>
/// <param name="Root">The part: a tree of height 2, or the whole tree when that is not higher.</param>
/// <param name="IsWhole">It is the whole tree.</param>
/// <param name="Start">First key it can have.</param>
/// <param name="End">Last key it can have, inclusive.</param>
public readonly record struct BtreeSubtree(BtreeRoot Root, bool IsWhole, ItemKey Start, ItemKey End);

/// <content>Parts of fs_root that are handed out to be merged into (engine §2.2).</content>
public sealed partial class BtreeWriter
{
    private const int SubtreeHeight = 2;

    /// <summary>Finds the parent of leaves that covers a key, as a tree of its own.</summary>
    /// <returns>None; Corrupt, Stale, Io, NoBuffers or Cancelled.</returns>
    public async ValueTask<(FsError Error, BtreeSubtree Subtree)> FindSubtreeAsync(
        BtreeRoot root, ItemKey key, CancellationToken cancellationToken)
    {
        if (root.Height <= SubtreeHeight)
            return (FsError.None, new BtreeSubtree(root, true, ItemKey.Min, ItemKey.Max));
        var error = await PrepareAsync(root, key, Change.Insert, cancellationToken);
        var subtree = error == FsError.None ? FindPinnedSubtree(root, key) : default;
        ReleaseLeases();
        return (error, subtree);
    }

    /// <summary>Puts a changed part back; its old blocks are accounted for by who changed it.</summary>
    /// <param name="root">Root of the tree; its new version is returned.</param>
    /// <param name="key">A key that the part covers.</param>
    /// <param name="subtree">The changed part.</param>
    /// <param name="cancellationToken">Honoured while blocks are read.</param>
    /// <returns>None; Invalid when the part's height does not fit its place; NoSpace, Corrupt, Stale, Io, NoBuffers or
    /// Cancelled.</returns>
    public async ValueTask<(FsError Error, BtreeRoot Root)> ReplaceSubtreeAsync(
        BtreeRoot root, ItemKey key, BtreeRoot subtree, CancellationToken cancellationToken)
    {
        if (root.Height <= SubtreeHeight)
            return (FsError.None, subtree);
        if (subtree.Height != SubtreeHeight)
            return (FsError.Invalid, root);
        var error = await PrepareAsync(root, key, Change.Insert, cancellationToken);
        if (error == FsError.None)
            ApplyReplace(ref root, key, subtree.Ref);
        ReleaseLeases();
        return (error, root);
    }

    /// <summary>
    /// Splits what is too full for another split below, and joins what is too empty, on the way to a key.
    /// </summary>
    /// <returns>None; NoSpace, Corrupt, Stale, Io, NoBuffers or Cancelled.</returns>
    public async ValueTask<(FsError Error, BtreeRoot Root)> RebalanceAsync(
        BtreeRoot root, ItemKey key, CancellationToken cancellationToken)
    {
        if (root.Height == 0)
            return (FsError.None, root);
        var error = await PrepareAsync(root, key, Change.Insert, cancellationToken);
        if (error == FsError.None)
            _ = DescendToInsert(ref root, key, FormatConstants.MaxValueBytes, isRun: false, out _);
        if (error == FsError.None)
            error = await PrepareAsync(root, key, Change.Remove, cancellationToken);
        if (error == FsError.None)
            _ = DescendToRemove(ref root, key, keepsHeight: false);
        ReleaseLeases();
        return (error, root);
    }

    private BtreeSubtree FindPinnedSubtree(in BtreeRoot root, in ItemKey key)
    {
        var start = ItemKey.Min;
        var end = ItemKey.Max;
        var blockRef = root.Ref;
        var block = new BtreeBlock(Pinned(blockRef));
        while (block.Level >= SubtreeHeight)
        {
            int child = block.LowerBound(key);
            int previous = block.Previous(child);
            if (previous != 0)
                start = block.Item(previous).Key.Next();
            end = block.Item(child).Key;
            blockRef = Child(block, child);
            block = new BtreeBlock(Pinned(blockRef));
        }

        return new BtreeSubtree(new BtreeRoot { Ref = blockRef, Height = SubtreeHeight }, false, start, end);
    }

    private void ApplyReplace(ref BtreeRoot root, in ItemKey key, in BlockRef subtree)
    {
        var block = new BtreeBlockEditor(Dirty(ref root.Ref));
        while (block.View.Level > SubtreeHeight)
        {
            int child = block.View.LowerBound(key);
            var childRef = Child(block.View, child);
            var childBlock = new BtreeBlockEditor(Dirty(ref childRef));
            block.SetChild(child, childRef);
            block = childBlock;
        }

        block.SetChild(block.View.LowerBound(key), subtree);
    }
}
