using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Forest;

/// <summary>The bits of a bloom block that a lock range's start key sets (format §9.3, §9.4).</summary>
public readonly struct BloomProbe
{
    private readonly uint _bit0;
    private readonly uint _bit1;
    private readonly uint _bit2;

    /// <summary>Computes the three bits of the lock range that covers an item.</summary>
    /// <param name="lockStart">From <see cref="Keys.LockStart"/>; never the item's own key.</param>
    public BloomProbe(in ItemKey lockStart)
    {
        ulong hash = Fnv1a.Hash64(Disk.Bytes(in lockStart));
        _bit0 = (uint)hash % FormatConstants.BloomBits;
        _bit1 = (uint)(hash >> 19) % FormatConstants.BloomBits;
        _bit2 = (uint)(hash >> 38) % FormatConstants.BloomBits;
    }

    /// <summary>The three bit numbers, 0..523967.</summary>
    public (uint First, uint Second, uint Third) Bits => (_bit0, _bit1, _bit2);

    /// <summary>False: the log tree has no item of the lock range.</summary>
    /// <param name="bloomBlock">A verified bloom block.</param>
    public bool MayBeIn(ReadOnlySpan<byte> bloomBlock)
    {
        var bitmap = bloomBlock[Disk.SizeOf<BloomBlockHeader>()..];
        return IsSet(bitmap, _bit0) && IsSet(bitmap, _bit1) && IsSet(bitmap, _bit2);
    }

    /// <summary>Sets the bits in a dirty bloom block and counts those that are new.</summary>
    public void AddTo(Span<byte> bloomBlock)
    {
        var bitmap = bloomBlock[Disk.SizeOf<BloomBlockHeader>()..];
        ulong added = Set(bitmap, _bit0) + Set(bitmap, _bit1) + Set(bitmap, _bit2);
        ref var header = ref Disk.Ref<BloomBlockHeader>(bloomBlock);
        header.TotalSet = header.TotalSet.Value + added;
    }

    private static ulong Set(Span<byte> bitmap, uint bit)
    {
        if (IsSet(bitmap, bit))
            return 0;
        bitmap[(int)(bit / 8)] |= (byte)(1 << (int)(bit % 8));
        return 1;
    }

    private static bool IsSet(ReadOnlySpan<byte> bitmap, uint bit) =>
        (bitmap[(int)(bit / 8)] & (1 << (int)(bit % 8))) != 0;
}
