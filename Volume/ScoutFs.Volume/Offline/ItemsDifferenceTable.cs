using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace ScoutFs.Volume.Offline;

/// <summary>Collects what items say about objects in selected buckets, and keeps those that do not agree.</summary>
/// <remarks>
/// Bounded: a round takes the first <see cref="ItemsBuckets.MaxObjects"/> objects it meets. An object is taken with the
/// first item about it or not at all, so everything about those taken is known.
/// </remarks>
internal sealed class ItemsDifferenceTable<TKey, TState>
    where TKey : struct, IEquatable<TKey>, IComparable<TKey>
    where TState : struct
{
    /// <summary>Objects that are kept to be reported one by one.</summary>
    public const int MaxKept = 4096;

    private readonly ItemsBuckets _buckets;
    private readonly Dictionary<TKey, TState> _states = [];
    private readonly List<(TKey Key, TState State)> _kept = [];
    private TState _untaken;

    /// <summary>Creates it.</summary>
    public ItemsDifferenceTable(ItemsBuckets buckets) => _buckets = buckets;

    /// <summary>Objects that do not agree, in ascending order once <see cref="Finish"/> was called.</summary>
    public IReadOnlyList<(TKey Key, TState State)> Kept => _kept;

    /// <summary>Objects in the current round.</summary>
    public IReadOnlyDictionary<TKey, TState> States => _states;

    /// <summary>Something may not agree that is not among <see cref="Kept"/>.</summary>
    public bool IsIncomplete { get; private set; }

    /// <summary>True when this round collects what is in the bucket.</summary>
    public bool IsSelected(int bucket) => _buckets.IsSelected(bucket);

    /// <summary>What is known about an object so far, to be added to.</summary>
    public ref TState At(in TKey key)
    {
        if (_states.Count < ItemsBuckets.MaxObjects)
            return ref CollectionsMarshal.GetValueRefOrAddDefault(_states, key, out _);
        if (_states.ContainsKey(key))
            return ref CollectionsMarshal.GetValueRefOrAddDefault(_states, key, out _);
        IsIncomplete = true;
        _untaken = default;
        return ref _untaken;
    }

    /// <summary>Keeps an object of the current round.</summary>
    public void Keep(in TKey key, in TState state)
    {
        if (_kept.Count < MaxKept)
            _kept.Add((key, state));
        else
            IsIncomplete = true;
    }

    /// <summary>Forgets the objects of the round.</summary>
    public void EndRound() => _states.Clear();

    /// <summary>No round follows.</summary>
    public void Finish()
    {
        _kept.Sort(static (left, right) => left.Key.CompareTo(right.Key));
        if (_buckets.Remaining > 0)
            IsIncomplete = true;
    }
}
