using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Btrees;

/// <summary>What a merge did.</summary>
/// <param name="Error">None; else the destination is to be abandoned.</param>
/// <param name="Root">The destination's new version.</param>
/// <param name="Remain">First key that is not merged, or null when the whole range is.</param>
public readonly record struct MergeResult(FsError Error, BtreeRoot Root, ItemKey? Remain);

/// <summary>Merges finalized log trees into fs_root, or into a subtree of it (engine §2.6, format §9.6).</summary>
/// <remarks>
/// <para>Inputs are read in windows: one tree after the other gives its share of items, which draws in the window's
/// end, so that at any time one leaf is leased and about <see cref="WindowBytes"/> are buffered, however many inputs
/// there are. Within a window the versions of a key become one: totals are summed, else the greatest seq wins.</para>
/// <para>One merge at a time; the instance keeps its buffers.</para>
/// </remarks>
public sealed class BtreeMerge : IDisposable
{
    /// <summary>Bytes of items that one window holds before it is cut down.</summary>
    public const int WindowBytes = 2 << 20;

    private const int MinShareBytes = 64 << 10;
    private const int ReadAheadBlocks = 2;

    private readonly BtreeCursor _cursor;
    private readonly BtreeWriter _trees;
    private readonly int _windowBytes;
    private readonly Window _window = new();

    /// <summary>Creates a merge.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="writer">Dirty blocks of the merge.</param>
    /// <param name="allocator">Blocks of the merge.</param>
    /// <param name="windowBytes">See <see cref="WindowBytes"/>; smaller ones for tests.</param>
    public BtreeMerge(
        BlockCache cache, BlockWriter writer, IBlockAllocator allocator, int windowBytes = WindowBytes)
    {
        _cursor = new BtreeCursor(cache, ReadAheadBlocks);
        _trees = new BtreeWriter(cache, writer, allocator);
        _windowBytes = windowBytes;
    }

    /// <summary>What was wrong, after an error.</summary>
    public Corruption Fault { get; private set; }

    /// <summary>Merges the inputs' items of a range of keys.</summary>
    /// <param name="inputs">Roots of log trees; all their items are newer than the destination's.</param>
    /// <param name="root">Root of the destination, whose range of keys contains the range to merge.</param>
    /// <param name="start">First key.</param>
    /// <param name="end">Last key, inclusive.</param>
    /// <param name="limits">When to stop early.</param>
    /// <param name="cancellationToken">Stops between blocks, with an error.</param>
    /// <returns>None and the new root; NoSpace, Corrupt, Stale, Io, NoBuffers or Cancelled.</returns>
    public async ValueTask<MergeResult> MergeAsync(
        IReadOnlyList<BtreeRoot> inputs,
        BtreeRoot root,
        ItemKey start,
        ItemKey end,
        MergeLimits limits,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            var (error, windowEnd) = await ReadWindowAsync(inputs, start, end, cancellationToken);
            if (error != FsError.None)
                return new MergeResult(error, root, start);
            if (!_window.Combine(windowEnd))
            {
                Fault = new Corruption(CorruptionSite.BtreeMergeDelta, root.Ref.Blkno);
                return new MergeResult(FsError.Corrupt, root, start);
            }

            (error, root, bool isStopped) = await _trees.MergeManyAsync(root, _window, limits, cancellationToken);
            if (error != FsError.None)
            {
                Fault = _trees.Fault;
                return new MergeResult(error, root, start);
            }

            if (isStopped)
                return new MergeResult(FsError.None, root, _window.NextKey);
            if (windowEnd == end)
                return new MergeResult(FsError.None, root, null);
            start = windowEnd.Next();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cursor.Dispose();
        _trees.Dispose();
    }

    // Fills the window with all items from start to the end that is returned.
    private async ValueTask<(FsError Error, ItemKey End)> ReadWindowAsync(
        IReadOnlyList<BtreeRoot> inputs, ItemKey start, ItemKey end, CancellationToken cancellationToken)
    {
        _window.Clear();
        int share = Math.Max(Math.Min(MinShareBytes, _windowBytes), _windowBytes / Math.Max(1, inputs.Count));
        foreach (var input in inputs)
        {
            _cursor.SetRoot(input);
            int limit = _window.Bytes + share;
            var status = await _cursor.SeekAsync(start, cancellationToken);
            while (status == BtreeStatus.Found && _cursor.Key <= end)
            {
                _window.Add(_cursor.Item, _cursor.Value);
                if (_window.Bytes >= limit)
                {
                    end = _cursor.Key;
                    break;
                }

                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.Corrupt)
            {
                Fault = _cursor.Fault;
                return (_cursor.Error, end);
            }

            if (_window.Bytes > 2 * _windowBytes)
                end = _window.Cut(end, _windowBytes);
        }

        _cursor.Release();
        return (FsError.None, end);
    }

    /// <summary>Versions of items from several trees, and then one version a key in order.</summary>
    private sealed class Window : IItemSource
    {
        private const int EntryBytes = 56;

        private readonly List<Entry> _entries = [];
        private byte[] _values = [];
        private int _valueBytes;
        private int _next;
        private bool _isSorted;

        /// <summary>Bytes held.</summary>
        public int Bytes => (_entries.Count * EntryBytes) + _valueBytes;

        /// <summary>Key of the first version that was not taken.</summary>
        public ItemKey NextKey => _entries[_next].Key;

        public void Clear()
        {
            _entries.Clear();
            _valueBytes = 0;
            _next = 0;
            _isSorted = true;
        }

        public void Add(in BtreeItem item, ReadOnlySpan<byte> value)
        {
            if (_valueBytes + value.Length > _values.Length)
                Array.Resize(ref _values, Math.Max(64 << 10, 2 * _values.Length));
            value.CopyTo(_values.AsSpan(_valueBytes));
            _isSorted &= _entries.Count == 0 || _entries[^1].Key < item.Key;
            _entries.Add(new Entry(item.Key, item.Seq, _valueBytes, (ushort)value.Length, item.Flags));
            _valueBytes += value.Length;
        }

        /// <summary>Drops what does not fit, from the back; at least one key stays.</summary>
        /// <returns>The window's new end.</returns>
        public ItemKey Cut(in ItemKey end, int bytes)
        {
            Sort();
            int kept = 0;
            int keptBytes = 0;
            for (; kept < _entries.Count && keptBytes < bytes; kept++)
                keptBytes += EntryBytes + _entries[kept].Length;
            var last = _entries[kept - 1].Key;
            if (last >= end)
                last = end;
            while (kept < _entries.Count && _entries[kept].Key <= last)
                kept++;
            _entries.RemoveRange(kept, _entries.Count - kept);
            CompactValues();
            return last;
        }

        /// <summary>Makes one version of those of each key up to the window's end.</summary>
        /// <returns>False: a totals item does not have the right length.</returns>
        public bool Combine(in ItemKey end)
        {
            Sort();
            int kept = 0;
            var entries = CollectionsMarshal.AsSpan(_entries);
            for (int i = 0; i < entries.Length && entries[i].Key <= end;)
            {
                int after = i + 1;
                while (after < entries.Length && entries[after].Key == entries[i].Key)
                    after++;
                if (!TryCombine(entries[i..after], out var combined, out bool isNothing))
                    return false;
                if (!isNothing)
                    entries[kept++] = combined;
                i = after;
            }

            _entries.RemoveRange(kept, _entries.Count - kept);
            _next = 0;
            return true;
        }

        public bool TryPeek(out SourceItem item)
        {
            item = default;
            if (_next == _entries.Count)
                return false;
            ref readonly var entry = ref CollectionsMarshal.AsSpan(_entries)[_next];
            item = new SourceItem(entry.Key, entry.Seq, entry.Flags, _values.AsSpan(entry.Offset, entry.Length));
            return true;
        }

        public void Advance() => _next++;

        private void Sort()
        {
            if (!_isSorted)
                CollectionsMarshal.AsSpan(_entries).Sort(default(EntryOrder));
            _isSorted = true;
        }

        private bool TryCombine(ReadOnlySpan<Entry> versions, out Entry combined, out bool isNothing)
        {
            combined = versions[0];
            isNothing = false;
            foreach (ref readonly var version in versions[1..])
            {
                if (version.Seq > combined.Seq)
                    combined = version;
            }

            if (combined.Key.Zone != KeyZone.XattrTotal)
                return true;

            var sum = default(XattrTotalItem);
            foreach (ref readonly var version in versions)
            {
                if (version.Length != Disk.SizeOf<XattrTotalItem>())
                    return false;
                ref readonly var delta = ref Disk.Ref<XattrTotalItem>(_values.AsSpan(), version.Offset);
                sum.Total = sum.Total + delta.Total;
                sum.Count = sum.Count + delta.Count;
            }

            Disk.Ref<XattrTotalItem>(_values.AsSpan(), combined.Offset) = sum;
            isNothing = sum.Total == 0 && sum.Count == 0;
            return true;
        }

        // Values of dropped entries leave holes.
        private void CompactValues()
        {
            var entries = CollectionsMarshal.AsSpan(_entries);
            entries.Sort(static (left, right) => left.Offset.CompareTo(right.Offset));
            _isSorted = false;
            _valueBytes = 0;
            foreach (ref var entry in entries)
            {
                _values.AsSpan(entry.Offset, entry.Length).CopyTo(_values.AsSpan(_valueBytes));
                entry = entry with { Offset = _valueBytes };
                _valueBytes += entry.Length;
            }
        }
    }

    private readonly record struct Entry(ItemKey Key, ulong Seq, int Offset, ushort Length, byte Flags);

    private readonly struct EntryOrder : IComparer<Entry>
    {
        public int Compare(Entry x, Entry y) => ItemKey.Compare(x.Key, y.Key);
    }
}
