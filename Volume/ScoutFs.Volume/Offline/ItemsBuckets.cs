using System;

namespace ScoutFs.Volume.Offline;

/// <summary>Buckets of fingerprints that differ, handed out in rounds that fit into memory.</summary>
internal sealed class ItemsBuckets
{
    /// <summary>Objects that one round may collect: 2 MiB at most in each family.</summary>
    public const int MaxObjects = 16384;

    private readonly bool[] _differs = new bool[MultisetFingerprint.Buckets];
    private readonly bool[] _selected = new bool[MultisetFingerprint.Buckets];
    private readonly int _bucketsPerRound;

    /// <summary>Creates it after the pass that took the fingerprints.</summary>
    /// <param name="objects">Number of objects in all buckets, or more.</param>
    /// <param name="first">A fingerprint.</param>
    /// <param name="second">Another one over the same buckets, or null.</param>
    public ItemsBuckets(ulong objects, MultisetFingerprint first, MultisetFingerprint? second = null)
    {
        for (int bucket = 0; bucket < _differs.Length; bucket++)
        {
            _differs[bucket] = first.IsMismatch(bucket) || (second is not null && second.IsMismatch(bucket));
            if (_differs[bucket])
                Remaining++;
        }

        // Keyed buckets are about equally full; a quarter is left for those that are not.
        ulong perBucket = (objects / MultisetFingerprint.Buckets) + 1;
        _bucketsPerRound = (int)Math.Clamp(MaxObjects * 3 / 4 / perBucket, 1, MultisetFingerprint.Buckets);
    }

    /// <summary>Buckets that no round has collected yet.</summary>
    public int Remaining { get; private set; }

    /// <summary>There is something to collect in this round.</summary>
    public bool HasSelected { get; private set; }

    /// <summary>Selects the buckets of the next round.</summary>
    public void SelectNext()
    {
        Array.Clear(_selected);
        int count = 0;
        for (int bucket = 0; bucket < _differs.Length && count < _bucketsPerRound; bucket++)
        {
            if (!_differs[bucket])
                continue;
            _differs[bucket] = false;
            _selected[bucket] = true;
            count++;
        }

        Remaining -= count;
        HasSelected = count > 0;
    }

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _selected[bucket];
}
