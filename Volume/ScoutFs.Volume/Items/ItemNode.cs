using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Items;

/// <summary>An inner node of the item cache's index: up to 64 children, each with a lower bound of its keys.</summary>
/// <remarks>Children are all <see cref="ItemPage"/> or all <see cref="ItemNode"/>. Guarded by the mount's
/// gate.</remarks>
internal sealed class ItemNode
{
    /// <summary>Children in a full node.</summary>
    public const int Capacity = 64;

    /// <summary>Lower bounds: every key below child i is at least Keys[i], and less than Keys[i + 1].</summary>
    public readonly ItemKey[] Keys = new ItemKey[Capacity];

    /// <summary>Pages or nodes.</summary>
    public readonly object?[] Children = new object?[Capacity];

    /// <summary>Children in use.</summary>
    public int Count;

    /// <summary>Node above.</summary>
    public ItemNode? Parent;

    /// <summary>Index of the child that a key belongs below.</summary>
    public int IndexFor(in ItemKey key)
    {
        int low = 1;
        int high = Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (ItemKey.Compare(Keys[middle], key) <= 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low - 1;
    }

    /// <summary>Index of a child.</summary>
    public int IndexOf(object child)
    {
        int index = Array.IndexOf(Children, child, 0, Count);
        Invariant.Require(index >= 0);
        return index;
    }

    /// <summary>Puts a child at an index; the node must not be full.</summary>
    public void Insert(int index, in ItemKey key, object child)
    {
        Invariant.Require(Count < Capacity);
        Array.Copy(Keys, index, Keys, index + 1, Count - index);
        Array.Copy(Children, index, Children, index + 1, Count - index);
        Keys[index] = key;
        Children[index] = child;
        Count++;
        Adopt(child);
    }

    /// <summary>Takes a child out.</summary>
    public void RemoveAt(int index)
    {
        Count--;
        Array.Copy(Keys, index + 1, Keys, index, Count - index);
        Array.Copy(Children, index + 1, Children, index, Count - index);
        Children[Count] = null;
    }

    /// <summary>Moves the upper half of the children to an empty node.</summary>
    public void MoveUpperHalf(ItemNode target)
    {
        int from = Count / 2;
        for (int i = from; i < Count; i++)
        {
            target.Insert(target.Count, Keys[i], Children[i]!);
            Children[i] = null;
        }

        Count = from;
    }

    private void Adopt(object child)
    {
        if (child is ItemPage page)
            page.Parent = this;
        else
            ((ItemNode)child).Parent = this;
    }
}
