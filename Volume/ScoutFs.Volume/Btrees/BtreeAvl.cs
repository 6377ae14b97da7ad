using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>
/// The AVL tree inside a btree block: insertion and removal with exact heights and balance (format §7.3).
/// </summary>
/// <remarks>
/// Works on the items' node fields only, named by the items' byte offsets (0: none). Blocks written by mkfs of Linux
/// have two items and a wrong height in the root, which the next change fixes. Trees whose shape was proven
/// (<see cref="BtreeShape"/>) are the precondition.
/// </remarks>
internal static class BtreeAvl
{
    /// <summary>Links an item that is in the array and not yet in the tree. Its key must not be in the tree.</summary>
    public static void Insert(Span<byte> block, int offset)
    {
        ref readonly var key = ref Disk.Ref<BtreeItem>(block, offset).Key;
        ref var node = ref Node(block, offset);
        node = default;
        node.Height = 1;
        int parent = 0;
        bool goesLeft = false;
        for (int at = Root(block); at != 0;)
        {
            parent = at;
            goesLeft = ItemKey.Compare(key, Disk.Ref<BtreeItem>(block, at).Key) < 0;
            at = goesLeft ? Left(block, at) : Right(block, at);
        }

        Attach(block, offset, parent, goesLeft);
    }

    /// <summary>Links an item that is in the array between two neighbours in key order; 0: none.</summary>
    public static void InsertBetween(Span<byte> block, int offset, int previous, int next)
    {
        ref var node = ref Node(block, offset);
        node = default;
        node.Height = 1;

        // Of two neighbours, one is below the other: either the earlier has no right child or the later no left one.
        bool goesLeft = previous == 0 || Right(block, previous) != 0;
        Attach(block, offset, goesLeft ? next : previous, goesLeft);
    }

    /// <summary>Unlinks an item; it stays in the array.</summary>
    public static void Remove(Span<byte> block, int offset)
    {
        if (Left(block, offset) != 0 && Right(block, offset) != 0)
            SwapWithSuccessor(block, offset);
        int child = Left(block, offset) != 0 ? Left(block, offset) : Right(block, offset);
        int parent = Parent(block, offset);
        Replace(block, parent, offset, child);
        if (child != 0)
            SetParent(block, child, parent);
        Node(block, offset) = default;
        Rebalance(block, parent, mayStop: false);
    }

    /// <summary>Fixes the links that lead to an item which was moved to another place of the array.</summary>
    public static void Relocate(Span<byte> block, int from, int to)
    {
        ref readonly var node = ref Node(block, to);
        int parent = BtreeBlock.FromNode(node.Parent);
        int left = BtreeBlock.FromNode(node.Left);
        int right = BtreeBlock.FromNode(node.Right);
        Replace(block, parent, from, to);
        if (left != 0)
            SetParent(block, left, to);
        if (right != 0)
            SetParent(block, right, to);
    }

    private static void Attach(Span<byte> block, int offset, int parent, bool goesLeft)
    {
        Node(block, offset).Parent = (ushort)BtreeBlock.ToNode(parent);
        if (parent == 0)
            SetRoot(block, offset);
        else if (goesLeft)
            SetLeft(block, parent, offset);
        else
            SetRight(block, parent, offset);
        Rebalance(block, parent, mayStop: true);
    }

    private static void SwapWithSuccessor(Span<byte> block, int offset)
    {
        int next = Right(block, offset);
        while (Left(block, next) != 0)
            next = Left(block, next);

        // The successor has no left child. It may be the direct right child of the item.
        int nextParent = Parent(block, next);
        int nextRight = Right(block, next);
        int parent = Parent(block, offset);
        int left = Left(block, offset);
        int right = Right(block, offset);
        byte height = Node(block, offset).Height;

        Replace(block, parent, offset, next);
        SetParent(block, next, parent);
        SetLeft(block, next, left);
        SetParent(block, left, next);
        Node(block, next).Height = height;
        if (nextParent == offset)
        {
            SetRight(block, next, offset);
            SetParent(block, offset, next);
        }
        else
        {
            SetRight(block, next, right);
            SetParent(block, right, next);
            SetLeft(block, nextParent, offset);
            SetParent(block, offset, nextParent);
        }

        SetLeft(block, offset, 0);
        SetRight(block, offset, nextRight);
        if (nextRight != 0)
            SetParent(block, nextRight, offset);
    }

    // After an insertion nothing changes above a node whose height stays what it was.
    private static void Rebalance(Span<byte> block, int offset, bool mayStop)
    {
        while (offset != 0)
        {
            byte height = Node(block, offset).Height;
            int balance = Height(block, Left(block, offset)) - Height(block, Right(block, offset));
            if (balance > 1)
            {
                int left = Left(block, offset);
                if (Height(block, Left(block, left)) < Height(block, Right(block, left)))
                    _ = RotateLeft(block, left);
                offset = RotateRight(block, offset);
            }
            else if (balance < -1)
            {
                int right = Right(block, offset);
                if (Height(block, Right(block, right)) < Height(block, Left(block, right)))
                    _ = RotateRight(block, right);
                offset = RotateLeft(block, offset);
            }
            else
            {
                FixHeight(block, offset);
            }

            if (mayStop && Node(block, offset).Height == height)
                return;
            offset = Parent(block, offset);
        }
    }

    // The right child takes the place of its parent.
    private static int RotateLeft(Span<byte> block, int offset)
    {
        int child = Right(block, offset);
        int inner = Left(block, child);
        int parent = Parent(block, offset);
        SetRight(block, offset, inner);
        if (inner != 0)
            SetParent(block, inner, offset);
        SetLeft(block, child, offset);
        SetParent(block, offset, child);
        Replace(block, parent, offset, child);
        SetParent(block, child, parent);
        FixHeight(block, offset);
        FixHeight(block, child);
        return child;
    }

    // The left child takes the place of its parent.
    private static int RotateRight(Span<byte> block, int offset)
    {
        int child = Left(block, offset);
        int inner = Right(block, child);
        int parent = Parent(block, offset);
        SetLeft(block, offset, inner);
        if (inner != 0)
            SetParent(block, inner, offset);
        SetRight(block, child, offset);
        SetParent(block, offset, child);
        Replace(block, parent, offset, child);
        SetParent(block, child, parent);
        FixHeight(block, offset);
        FixHeight(block, child);
        return child;
    }

    private static void FixHeight(Span<byte> block, int offset)
    {
        int left = Height(block, Left(block, offset));
        int right = Height(block, Right(block, offset));
        Node(block, offset).Height = (byte)(1 + Math.Max(left, right));
    }

    // Makes the link that led to one item lead to another.
    private static void Replace(Span<byte> block, int parent, int from, int to)
    {
        if (parent == 0)
            SetRoot(block, to);
        else if (Left(block, parent) == from)
            SetLeft(block, parent, to);
        else
            SetRight(block, parent, to);
    }

    private static ref AvlNode Node(Span<byte> block, int offset) => ref Disk.Ref<AvlNode>(block, offset);

    private static int Height(Span<byte> block, int offset) => offset == 0 ? 0 : Node(block, offset).Height;

    private static int Root(Span<byte> block) =>
        BtreeBlock.FromNode(Disk.Ref<BtreeBlockHeader>(block).ItemRoot);

    private static void SetRoot(Span<byte> block, int offset) =>
        Disk.Ref<BtreeBlockHeader>(block).ItemRoot = (ushort)BtreeBlock.ToNode(offset);

    private static int Parent(Span<byte> block, int offset) => BtreeBlock.FromNode(Node(block, offset).Parent);

    private static int Left(Span<byte> block, int offset) => BtreeBlock.FromNode(Node(block, offset).Left);

    private static int Right(Span<byte> block, int offset) => BtreeBlock.FromNode(Node(block, offset).Right);

    private static void SetParent(Span<byte> block, int offset, int parent) =>
        Node(block, offset).Parent = (ushort)BtreeBlock.ToNode(parent);

    private static void SetLeft(Span<byte> block, int offset, int left) =>
        Node(block, offset).Left = (ushort)BtreeBlock.ToNode(left);

    private static void SetRight(Span<byte> block, int offset, int right) =>
        Node(block, offset).Right = (ushort)BtreeBlock.ToNode(right);
}
