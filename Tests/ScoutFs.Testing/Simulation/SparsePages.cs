using System;
using System.Diagnostics.CodeAnalysis;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Simulation;

/// <summary>4096 bytes that never change, somewhere in an array.</summary>
/// <param name="Bytes">Nothing writes to it any more.</param>
/// <param name="OffsetBytes">Start of the page in it.</param>
public readonly record struct SimPage(byte[] Bytes, int OffsetBytes)
{
    /// <summary>Bytes of a page, the unit of transfers of a device.</summary>
    public const int SizeBytes = 4096;

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Span => Bytes.AsSpan(OffsetBytes, SizeBytes);
}

/// <summary>A sparse array of pages that is copied in no time: copies share what neither has changed since.</summary>
/// <remarks>
/// A tree of nodes with 256 slots. Each map owns the nodes it made since its last <see cref="Fork"/>; all others are
/// shared and copied before they are changed. Pages that were never stored are zeros and take no memory. Not thread
/// safe, also not between forks.
/// </remarks>
public sealed class SparsePages
{
    private const int SlotBits = 8;
    private const int Slots = 1 << SlotBits;

    private readonly int _levels;
    private object _owner = new();
    private Node? _root;

    /// <summary>Creates an array of zeros.</summary>
    /// <param name="countPages">Pages, at least 0.</param>
    public SparsePages(long countPages)
    {
        CountPages = countPages;
        _levels = 1;
        while (_levels * SlotBits < 63 && countPages >> (_levels * SlotBits) != 0)
            _levels++;
    }

    private SparsePages(SparsePages other)
    {
        CountPages = other.CountPages;
        _levels = other._levels;
        _root = other._root;
    }

    /// <summary>Number of pages, constant.</summary>
    public long CountPages { get; }

    /// <summary>Makes a copy that changes on its own. Takes constant time.</summary>
    public SparsePages Fork()
    {
        _owner = new object();
        return new SparsePages(this);
    }

    /// <summary>Finds a page that was stored.</summary>
    public bool TryGet(long index, out SimPage page)
    {
        var node = _root;
        for (int level = _levels - 1; level > 0 && node is not null; level--)
            node = node.Children![SlotOf(index, level)];
        page = node is null ? default : node.Pages![SlotOf(index, 0)];
        return page.Bytes is not null;
    }

    /// <summary>Stores a page.</summary>
    public void Set(long index, SimPage page)
    {
        Invariant.Require(index >= 0 && index < CountPages);
        var node = _root = Own(_root, _levels - 1);
        for (int level = _levels - 1; level > 0; level--)
        {
            ref var child = ref node.Children![SlotOf(index, level)];
            node = child = Own(child, level - 1);
        }

        node.Pages![SlotOf(index, 0)] = page;
    }

    /// <summary>Finds the first page at or after one that was stored.</summary>
    public bool TryFindNext(long index, out long found)
    {
        found = index;
        return _root is not null && index < CountPages && TryFindNext(_root, _levels - 1, ref found);
    }

    private static int SlotOf(long index, int level) => (int)(index >> (level * SlotBits)) & (Slots - 1);

    private static bool TryFindNext(Node node, int level, ref long index)
    {
        long span = 1L << (level * SlotBits);
        for (int slot = SlotOf(index, level); slot < Slots; slot++)
        {
            if (level == 0)
            {
                if (node.Pages![slot].Bytes is not null)
                    return true;
            }
            else if (node.Children![slot] is { } child)
            {
                long within = index;
                if (TryFindNext(child, level - 1, ref within))
                {
                    index = within;
                    return true;
                }
            }

            index = (index / span * span) + span;
        }

        return false;
    }

    private Node Own([AllowNull] Node node, int level)
    {
        if (node is not null && ReferenceEquals(node.Owner, _owner))
            return node;
        return new Node
        {
            Owner = _owner,
            Children = level == 0 ? null : (Node?[]?)node?.Children!.Clone() ?? new Node?[Slots],
            Pages = level != 0 ? null : (SimPage[]?)node?.Pages!.Clone() ?? new SimPage[Slots],
        };
    }

    private sealed class Node
    {
        public required object Owner { get; init; }

        public required Node?[]? Children { get; init; }

        public required SimPage[]? Pages { get; init; }
    }
}
