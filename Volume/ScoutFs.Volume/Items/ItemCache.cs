using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Items;

/// <summary>What the item cache knows of a key.</summary>
public enum ItemLookup
{
    /// <summary>It exists.</summary>
    Found,

    /// <summary>It does not exist.</summary>
    Absent,

    /// <summary>The forest must be asked.</summary>
    Unknown,
}

/// <summary>
/// Items of the forest that the mount's locks cover, and the open transaction's changes (engine §4.4).
/// </summary>
/// <remarks>
/// <para>An ordered map in pages of 64 entries under an index of nodes of 64. It knows absence too: each entry says
/// whether the gap between the entry before and itself is known to be empty, and a <i>marker</i> is an entry without an
/// item that bounds a known gap. So "not there" costs no I/O, and dropping an entry costs no more than clearing one bit
/// of its successor.</para>
/// <para>There is no cache of inodes beside it: an inode is its item, found here.</para>
/// <para><b>Invariants.</b> 1. Dirty entries are never dropped. 2. What is cached is never replaced by what was read.
/// 3. A key that may have a version on disk is never forgotten when it is deleted: the entry stays as a deletion until
/// the commit.</para>
/// <para>Guarded by the mount's gate. Spans are valid until the next change. Lookups and changes of existing items
/// allocate nothing; pages are reused.</para>
/// </remarks>
public sealed class ItemCache
{
    private const int MaxFreePages = 1024;

    private readonly Stack<ItemPage> _freePages = new();
    private readonly List<ItemPage> _dirtyPages = [];
    private long _dirtyMemoryBytes;
    private ItemNode? _root;
    private ItemPage? _first;
    private ItemPage? _clockHand;
    private ItemPage? _lastUsed;

    /// <summary>Memory of all pages in bytes.</summary>
    public long MemoryBytes { get; private set; }

    /// <summary>Entries that the open transaction has to write.</summary>
    public int DirtyCount { get; private set; }

    /// <summary>Pages with dirty entries.</summary>
    public int DirtyPages => _dirtyPages.Count;

    /// <summary>Bytes of the values of dirty entries, an upper bound.</summary>
    public long DirtyBytes { get; private set; }

    /// <summary>Looks a key up.</summary>
    public ItemLookup Find(scoped in ItemKey key, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!TryLocate(key, out var page, out int index))
            return ItemLookup.Unknown;
        ref var slot = ref page.Slots[index];
        page.IsAccessed = true;
        if (slot.Key != key)
            return slot.Has(ItemState.GapKnown) ? ItemLookup.Absent : ItemLookup.Unknown;
        if (slot.Has(ItemState.Forced))
            return ItemLookup.Unknown;
        if (!slot.Exists)
            return ItemLookup.Absent;
        value = page.Value(index);
        return ItemLookup.Found;
    }

    /// <summary>Finds the first item from a key on.</summary>
    /// <param name="from">First key.</param>
    /// <param name="last">Last key, inclusive.</param>
    /// <param name="key">The item's key; with Unknown, the key from which on the forest must be asked.</param>
    /// <param name="value">The item's value.</param>
    public ItemLookup Next(
        scoped in ItemKey from, scoped in ItemKey last, out ItemKey key, out ReadOnlySpan<byte> value)
    {
        value = default;
        key = from;
        if (!TryLocate(from, out var page, out int index))
            return ItemLookup.Unknown;
        while (true)
        {
            ref var slot = ref page.Slots[index];
            page.IsAccessed = true;
            if (!slot.Has(ItemState.GapKnown) && slot.Key != key)
                return ItemLookup.Unknown;
            if (slot.Key > last)
                return ItemLookup.Absent;
            if (slot.Exists)
            {
                key = slot.Key;
                value = page.Value(index);
                return ItemLookup.Found;
            }

            if (slot.Key == last)
                return ItemLookup.Absent;
            key = slot.Key.Next();
            if (++index < page.Count)
                continue;
            if (page.Next is null)
                return ItemLookup.Unknown;
            page = page.Next;
            index = 0;
        }
    }

    /// <summary>Writes a version of an item that was looked up before.</summary>
    /// <param name="key">Key.</param>
    /// <param name="seq">Version.</param>
    /// <param name="value">Value, at most 896 bytes.</param>
    public void Put(in ItemKey key, ulong seq, ReadOnlySpan<byte> value) => Write(key, seq, value, ItemState.None);

    /// <summary>Removes an item that was found before.</summary>
    public void Remove(in ItemKey key, ulong seq)
    {
        bool isFound = TryLocate(key, out var page, out int index);
        Invariant.Require(isFound && page.Slots[index].Key == key && page.Slots[index].Exists);
        if (page.Slots[index].Has(ItemState.Persistent))
            Write(key, seq, default, ItemState.Deletion);
        else
            Vanish(page, index);
    }

    /// <summary>Writes a version blindly, under a write-only lock.</summary>
    public void ForcePut(in ItemKey key, ulong seq, ReadOnlySpan<byte> value) =>
        Write(key, seq, value, ItemState.Forced);

    /// <summary>Writes a deletion blindly, under a write-only lock.</summary>
    public void ForceRemove(in ItemKey key, ulong seq) =>
        Write(key, seq, default, ItemState.Forced | ItemState.Deletion);

    /// <summary>Adds to a total, blindly; deltas of one transaction are added up (engine §4.5).</summary>
    public void AddDelta(in ItemKey key, ulong seq, ulong total, ulong count)
    {
        var delta = new XattrTotalItem { Total = total, Count = count };
        if (TryLocate(key, out var page, out int index) && page.Slots[index].Key == key)
        {
            Invariant.Require(page.Slots[index].Has(ItemState.Delta));
            ref readonly var present = ref Disk.Ref<XattrTotalItem>(page.Value(index));
            delta.Total = present.Total.Value + total;
            delta.Count = present.Count.Value + count;
            if (delta.Total == 0UL && delta.Count == 0UL)
            {
                Clean(page, index);
                RemoveEntry(page, index);
                return;
            }
        }

        Write(key, seq, Disk.Bytes(in delta), ItemState.Forced | ItemState.Delta);
    }

    /// <summary>Inserts what the forest holds in a range; what is cached already stays as it is.</summary>
    /// <param name="start">First key of the range.</param>
    /// <param name="end">Last key, inclusive.</param>
    /// <param name="items">Items of the range in key order.</param>
    public void Fill(in ItemKey start, in ItemKey end, ItemBatch items)
    {
        Invariant.Require(start <= end);
        int next = 0;
        PutBound(start, items, ref next);
        int unused = items.Count;
        if (end != start)
            PutBound(end, items, ref unused);

        // Walk the entries from start to end; every gap that is not known gets its items and becomes known.
        bool isFound = TryLocate(start, out var page, out int index);
        Invariant.Require(isFound);
        var at = start;
        while (at < end)
        {
            Step(ref page, ref index);
            var bound = page.Slots[index].Key;
            bool isKnown = page.Slots[index].Has(ItemState.GapKnown);
            while (next < items.Count && items.Key(next) <= at)
                next++;
            if (!isKnown)
            {
                page.Slots[index].State |= ItemState.GapKnown;
                bool isInserted = false;
                for (; next < items.Count && items.Key(next) < bound; next++)
                {
                    _ = InsertEntry(
                        items.Key(next), items.Seq(next), ItemState.Persistent | ItemState.GapKnown,
                        items.Value(next));
                    isInserted = true;
                }

                if (isInserted)
                {
                    isFound = TryLocate(bound, out page, out index);
                    Invariant.Require(isFound && page.Slots[index].Key == bound);
                }
            }

            at = bound;
        }
    }

    /// <summary>Forgets a range, which must have nothing dirty.</summary>
    public void Invalidate(in ItemKey start, in ItemKey end)
    {
        while (TryLocate(start, out var page, out int index) && page.Slots[index].Key <= end)
        {
            Invariant.Require(!page.Slots[index].Has(ItemState.Dirty));
            RemoveEntry(page, index);
        }

        if (TryLocate(start, out var after, out int position))
            after.Slots[position].State &= ~ItemState.GapKnown;
    }

    /// <summary>
    /// Copies the dirty entries in key order: readers may change pages while a commit goes through them.
    /// </summary>
    public void CopyDirty(DirtyItems copy)
    {
        copy.Clear();
        _dirtyPages.Sort(static (left, right) => ItemKey.Compare(left.Slots[0].Key, right.Slots[0].Key));
        for (int i = 0; i < _dirtyPages.Count; i++)
        {
            var page = _dirtyPages[i];
            page.DirtyIndex = i;
            for (int index = 0; index < page.Count; index++)
            {
                ref readonly var slot = ref page.Slots[index];
                if (slot.Has(ItemState.Dirty))
                    copy.Add(slot.Key, slot.Seq, slot.Has(ItemState.Deletion), page.Value(index));
            }
        }
    }

    /// <summary>The open transaction is committed: dirty entries become clean, deletions and forced ones go.</summary>
    public void CommitDone()
    {
        while (_dirtyPages.Count > 0)
        {
            var page = _dirtyPages[^1];
            for (int i = page.Count - 1; i >= 0 && page.DirtyCount > 0; i--)
            {
                if (!page.Slots[i].Has(ItemState.Dirty))
                    continue;
                Clean(page, i);
                ref var slot = ref page.Slots[i];
                if (slot.Has(ItemState.Forced))
                    RemoveEntry(page, i);
                else if (slot.Has(ItemState.Deletion))
                    Vanish(page, i);
                else
                    slot.State |= ItemState.Persistent;
            }
        }

        Invariant.Require(DirtyCount == 0);
        DirtyBytes = 0;
    }

    /// <summary>Drops clean pages that were not used lately, a few at a time, while they are over a limit.</summary>
    /// <param name="limitBytes">Memory of pages without dirty entries, in bytes: were dirty ones counted, many of them
    /// would leave no room for what the next operation has to know.</param>
    /// <param name="maxSteps">Pages to look at: bounds the time taken.</param>
    public void Shrink(long limitBytes, int maxSteps)
    {
        for (; MemoryBytes - _dirtyMemoryBytes > limitBytes && maxSteps > 0; maxSteps--)
        {
            var page = _clockHand ?? _first;
            if (page is null)
                return;
            _clockHand = page.Next;
            if (page.DirtyCount > 0)
                continue;
            if (page.IsAccessed)
            {
                page.IsAccessed = false;
                continue;
            }

            if (page.Next is { } next)
                next.Slots[0].State &= ~ItemState.GapKnown;
            page.Count = 0;
            RemovePage(page);
        }
    }

    // The first entry whose key is not less than the key.
    private bool TryLocate(in ItemKey key, out ItemPage page, out int index)
    {
        page = FindPage(key)!;
        index = 0;
        if (page is null)
            return false;
        index = page.LowerBound(key);
        if (index < page.Count)
            return true;
        if (page.Next is null)
            return false;
        page = page.Next;
        index = 0;
        return true;
    }

    private ItemPage? FindPage(in ItemKey key)
    {
        var last = _lastUsed;
        if (last is { Count: > 0 } && key >= last.Slots[0].Key && key <= last.Slots[last.Count - 1].Key)
            return last;
        object? child = _root;
        while (child is ItemNode node)
            child = node.Children[node.IndexFor(key)];
        _lastUsed = (ItemPage?)child;
        return _lastUsed;
    }

    private static void Step(ref ItemPage page, ref int index)
    {
        if (++index < page.Count)
            return;
        Invariant.Require(page.Next is not null);
        page = page.Next;
        index = 0;
    }

    // An entry at exactly this key: the item when there is one, else a marker.
    private void PutBound(in ItemKey key, ItemBatch items, ref int next)
    {
        bool hasSuccessor = TryLocate(key, out var page, out int index);
        if (hasSuccessor && page.Slots[index].Key == key)
            return;
        var gap = hasSuccessor ? page.Slots[index].State & ItemState.GapKnown : ItemState.None;
        if (gap != ItemState.None)
        {
            // Inside a known gap: the key is known to be absent, whatever was read.
            _ = InsertEntry(key, 0, ItemState.Marker | gap, default);
            return;
        }

        int found = items.Find(key);
        if (found >= 0)
        {
            _ = InsertEntry(key, items.Seq(found), ItemState.Persistent, items.Value(found));
            if (next == found)
                next++;
        }
        else
        {
            _ = InsertEntry(key, 0, ItemState.Marker, default);
        }
    }

    private void Write(in ItemKey key, ulong seq, ReadOnlySpan<byte> value, ItemState kind)
    {
        // One search: the successor that says what is known of the gap is right behind the place to insert at.
        var page = FindPage(key) ?? AddFirstPage(key);
        int index = page.LowerBound(key);
        if (index < page.Count && page.Slots[index].Key == key)
        {
            long before = page.Values.Length;
            page.SetValue(index, value);
            CountGrowth(page, page.Values.Length - before);
            ref var slot = ref page.Slots[index];
            slot.Seq = seq;
            slot.State = (slot.State & (ItemState.Dirty | ItemState.Persistent | ItemState.GapKnown)) | kind;
        }
        else
        {
            var gap = index < page.Count
                ? page.Slots[index].State & ItemState.GapKnown
                : page.Next is { } next ? next.Slots[0].State & ItemState.GapKnown : ItemState.None;
            (page, index) = InsertAt(page, index, key, seq, gap | kind, value);
        }

        page.IsAccessed = true;
        DirtyBytes += value.Length + 56;
        MakeDirty(page, index);
    }

    private void MakeDirty(ItemPage page, int index)
    {
        ref var slot = ref page.Slots[index];
        if (slot.Has(ItemState.Dirty))
            return;
        slot.State |= ItemState.Dirty;
        DirtyCount++;
        page.DirtyCount++;
        ListDirty(page);
    }

    private void Clean(ItemPage page, int index)
    {
        ref var slot = ref page.Slots[index];
        Invariant.Require(slot.Has(ItemState.Dirty));
        slot.State &= ~ItemState.Dirty;
        DirtyCount--;
        if (--page.DirtyCount == 0)
            UnlistDirty(page);
    }

    private void CountGrowth(ItemPage page, long bytes)
    {
        MemoryBytes += bytes;
        if (page.DirtyIndex >= 0)
            _dirtyMemoryBytes += bytes;
    }

    private void ListDirty(ItemPage page)
    {
        if (page.DirtyIndex >= 0)
            return;
        _dirtyMemoryBytes += page.MemoryBytes;
        page.DirtyIndex = _dirtyPages.Count;
        _dirtyPages.Add(page);
    }

    private void UnlistDirty(ItemPage page)
    {
        _dirtyMemoryBytes -= page.MemoryBytes;
        var last = _dirtyPages[^1];
        _dirtyPages[page.DirtyIndex] = last;
        last.DirtyIndex = page.DirtyIndex;
        _dirtyPages.RemoveAt(_dirtyPages.Count - 1);
        page.DirtyIndex = -1;
    }

    // The key is known to be absent from now on.
    private void Vanish(ItemPage page, int index)
    {
        if (page.Slots[index].Has(ItemState.Dirty))
            Clean(page, index);
        ref var slot = ref page.Slots[index];
        bool isInside = slot.Has(ItemState.GapKnown) && SuccessorKnown(page, index);
        if (isInside)
        {
            RemoveSlot(page, index);
            return;
        }

        page.SetValue(index, default);
        slot.State = (slot.State & ItemState.GapKnown) | ItemState.Marker;
    }

    private static bool SuccessorKnown(ItemPage page, int index) => index + 1 < page.Count
        ? page.Slots[index + 1].Has(ItemState.GapKnown)
        : page.Next is { } next && next.Slots[0].Has(ItemState.GapKnown);

    // Nothing is known of the key from now on.
    private void RemoveEntry(ItemPage page, int index)
    {
        if (index + 1 < page.Count)
            page.Slots[index + 1].State &= ~ItemState.GapKnown;
        else if (page.Next is { } next)
            next.Slots[0].State &= ~ItemState.GapKnown;
        RemoveSlot(page, index);
    }

    private void RemoveSlot(ItemPage page, int index)
    {
        Invariant.Require(!page.Slots[index].Has(ItemState.Dirty));
        page.RemoveAt(index);
        if (page.Count == 0)
            RemovePage(page);
    }

    private (ItemPage Page, int Index) InsertEntry(
        in ItemKey key, ulong seq, ItemState state, ReadOnlySpan<byte> value)
    {
        var page = FindPage(key) ?? AddFirstPage(key);
        return InsertAt(page, page.LowerBound(key), key, seq, state, value);
    }

    private (ItemPage Page, int Index) InsertAt(
        ItemPage page, int index, in ItemKey key, ulong seq, ItemState state, ReadOnlySpan<byte> value)
    {
        if (page.Count == ItemPage.Capacity)
        {
            page = Split(page, key, index);
            index = page.LowerBound(key);
        }

        long before = page.Values.Length;
        page.Insert(index, key, seq, state, value);
        CountGrowth(page, page.Values.Length - before);
        return (page, index);
    }

    private ItemPage AddFirstPage(in ItemKey key)
    {
        var page = TakePage();
        _root = new ItemNode();
        _root.Insert(0, key, page);
        _first = page;
        return page;
    }

    // Ascending keys fill their pages: a key behind all others of the last page starts a new one.
    private ItemPage Split(ItemPage page, in ItemKey key, int index)
    {
        var right = TakePage();
        int from = index == page.Count ? page.Count : page.Count / 2;
        long before = right.Values.Length;
        page.MoveTail(from, right);
        MemoryBytes += right.Values.Length - before;
        if (right.DirtyCount > 0)
            ListDirty(right);
        if (page.DirtyCount == 0 && page.DirtyIndex >= 0)
            UnlistDirty(page);
        right.Next = page.Next;
        right.Previous = page;
        if (page.Next is { } next)
            next.Previous = right;
        page.Next = right;
        var bound = right.Count > 0 ? right.Slots[0].Key : key;
        InsertChild(page.Parent!, page, bound, right);
        return key >= bound ? right : page;
    }

    private void InsertChild(ItemNode node, object left, in ItemKey bound, object right)
    {
        int index = node.IndexOf(left) + 1;
        if (node.Count == ItemNode.Capacity)
        {
            var upper = new ItemNode();
            if (index == node.Count && node.Parent is not null)
            {
                // Ascending keys fill nodes too.
                upper.Insert(0, bound, right);
                InsertChild(node.Parent, node, bound, upper);
                return;
            }

            node.MoveUpperHalf(upper);
            if (node.Parent is null)
            {
                _root = new ItemNode();
                _root.Insert(0, node.Keys[0], node);
            }

            InsertChild(node.Parent!, node, upper.Keys[0], upper);
            if (index > node.Count)
            {
                index -= node.Count;
                node = upper;
            }
        }

        node.Insert(index, bound, right);
    }

    private void RemovePage(ItemPage page)
    {
        if (page.DirtyIndex >= 0)
            UnlistDirty(page);
        if (page.Previous is { } previous)
            previous.Next = page.Next;
        else
            _first = page.Next;
        if (page.Next is { } next)
            next.Previous = page.Previous;
        if (_clockHand == page)
            _clockHand = page.Next;
        if (_lastUsed == page)
            _lastUsed = null;
        RemoveChild(page.Parent!, page);
        MemoryBytes -= page.MemoryBytes;
        page.Clear();
        if (_freePages.Count < MaxFreePages)
            _freePages.Push(page);
    }

    private void RemoveChild(ItemNode node, object child)
    {
        node.RemoveAt(node.IndexOf(child));
        if (node.Count > 0)
            return;
        if (node.Parent is { } parent)
            RemoveChild(parent, node);
        else
            _root = null;
    }

    private ItemPage TakePage()
    {
        if (!_freePages.TryPop(out var page))
            page = new ItemPage();
        MemoryBytes += page.MemoryBytes;
        return page;
    }
}
