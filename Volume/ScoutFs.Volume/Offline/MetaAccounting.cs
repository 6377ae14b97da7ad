using System;
using System.Collections.Generic;
using System.Numerics;

namespace ScoutFs.Volume.Offline;

/// <summary>Which large blocks have a place (format §14.1), two bits each: 32 MiB for 8 TiB of metadata.</summary>
/// <remarks>
/// A block with a second place is remembered, up to <see cref="MaxDoubles"/> of them. A further pass over the same
/// structures with <see cref="Watch"/> then names all places of these blocks. Not thread safe.
/// </remarks>
internal sealed class MetaAccounting
{
    /// <summary>Blocks with more than one place that are remembered.</summary>
    public const int MaxDoubles = 4096;

    private readonly ulong[] _claimed;
    private readonly ulong[] _entered;
    private readonly HashSet<ulong> _doubles = [];
    private readonly HashSet<ulong> _shared = [];
    private Dictionary<ulong, List<string>>? _watched;

    /// <summary>Starts with no block in any place.</summary>
    public MetaAccounting(ulong totalBlocks)
    {
        TotalBlocks = totalBlocks;
        _claimed = new ulong[(totalBlocks + 63) / 64];
        _entered = new ulong[_claimed.Length];
    }

    /// <summary>Blocks of the volume.</summary>
    public ulong TotalBlocks { get; }

    /// <summary>Blocks that have a second place, as far as remembered, unless they may be shared.</summary>
    public IReadOnlyCollection<ulong> Doubles => _doubles;

    /// <summary>Blocks with a second place that were no longer remembered.</summary>
    public ulong DoublesNotKept { get; private set; }

    /// <summary>Starts to note the places of some blocks, for a further pass.</summary>
    public static MetaAccounting Watch(ulong totalBlocks, IEnumerable<ulong> blocks)
    {
        var accounting = new MetaAccounting(totalBlocks) { _watched = [] };
        foreach (ulong blkno in blocks)
            accounting._watched[blkno] = [];
        return accounting;
    }

    /// <summary>The places of the watched blocks.</summary>
    public IReadOnlyDictionary<ulong, List<string>> Places => _watched ?? [];

    /// <summary>Gives a block a place.</summary>
    /// <returns>False when it has one already (or lies outside the volume): its contents were seen before.</returns>
    public bool Claim(ulong blkno, string place)
    {
        if (blkno >= TotalBlocks)
            return false;
        if (_watched is not null && _watched.TryGetValue(blkno, out var places) && places.Count < 8)
            places.Add(place);
        ulong bit = 1UL << (int)(blkno % 64);
        ref ulong word = ref _claimed[blkno / 64];
        if ((word & bit) == 0)
        {
            word |= bit;
            return true;
        }

        Remember(blkno);
        return false;
    }

    /// <summary>
    /// Notes that a walk enters a block; no walk enters one twice, which bounds any tangle of references.
    /// </summary>
    /// <returns>False when it was entered already, or lies outside the volume.</returns>
    public bool TryEnter(ulong blkno)
    {
        if (blkno >= TotalBlocks || IsEntered(blkno))
            return false;
        _entered[blkno / 64] |= 1UL << (int)(blkno % 64);
        return true;
    }

    /// <summary>True when a walk has entered a block.</summary>
    public bool IsEntered(ulong blkno) =>
        blkno < TotalBlocks && (_entered[blkno / 64] & (1UL << (int)(blkno % 64))) != 0;

    /// <summary>Gives a run of blocks a place; the part outside the volume is left out.</summary>
    public void ClaimRange(ulong start, ulong count, string place)
    {
        ulong end = Math.Min(TotalBlocks, start + count < start ? ulong.MaxValue : start + count);
        for (ulong blkno = start; blkno < end;)
        {
            bool isWord = blkno % 64 == 0 && end - blkno >= 64 && _claimed[blkno / 64] == 0 && _watched is null;
            if (isWord)
            {
                _claimed[blkno / 64] = ulong.MaxValue;
                blkno += 64;
            }
            else
            {
                _ = Claim(blkno++, place);
            }
        }
    }

    /// <summary>A block that may have two places (format §14.3), given before or after its places.</summary>
    public void AllowShared(ulong blkno)
    {
        if (_shared.Count < MaxDoubles * 64)
            _ = _shared.Add(blkno);
        _ = _doubles.Remove(blkno);
    }

    /// <summary>True when a block has a place.</summary>
    public bool IsClaimed(ulong blkno) =>
        blkno < TotalBlocks && (_claimed[blkno / 64] & (1UL << (int)(blkno % 64))) != 0;

    /// <summary>The next run of blocks without a place, at or after a block; Count 0: none.</summary>
    public (ulong Start, ulong Count) NextUnclaimed(ulong from)
    {
        ulong start = Find(from, isClaimed: false);
        return start >= TotalBlocks ? (TotalBlocks, 0) : (start, Find(start, isClaimed: true) - start);
    }

    private ulong Find(ulong from, bool isClaimed)
    {
        for (ulong blkno = from; blkno < TotalBlocks;)
        {
            ulong word = isClaimed ? _claimed[blkno / 64] : ~_claimed[blkno / 64];
            word >>= (int)(blkno % 64);
            if (word != 0)
                return Math.Min(TotalBlocks, blkno + (ulong)BitOperations.TrailingZeroCount(word));
            blkno = (blkno / 64 * 64) + 64;
        }

        return TotalBlocks;
    }

    private void Remember(ulong blkno)
    {
        if (_shared.Contains(blkno))
            return;
        if (_doubles.Count < MaxDoubles)
            _ = _doubles.Add(blkno);
        else
            DoublesNotKept++;
    }
}
