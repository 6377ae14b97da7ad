using System;
using System.Runtime.CompilerServices;

namespace ScoutFs.Volume.Offline;

/// <summary>Tells whether two multisets are equal, and roughly where not, in 32 KiB whatever their sizes.</summary>
/// <remarks>
/// <para>Each member adds its keyed digest (<see cref="KeyedDigest"/>) to one of 4096 sums, each member of the other
/// multiset subtracts its own. Equal multisets leave all sums zero in whatever order their members come. Different ones
/// leave, but for a chance of about 2^-52, a sum that is not zero in every bucket that holds a difference, and only
/// members of such buckets have to be looked at one by one. The same sums can be used with exclusive or: then members
/// that occur twice cancel out.</para>
/// <para>Members that belong to one object should share a bucket: choose it by the object, not by the member. Not
/// thread safe; no allocation after construction.</para>
/// </remarks>
public sealed class MultisetFingerprint
{
    /// <summary>Number of sums.</summary>
    public const int Buckets = 4096;

    private const int BucketShift = 52;

    private readonly ulong[] _sums = new ulong[Buckets];

    /// <summary>Members added, subtracted and toggled so far.</summary>
    public ulong Members { get; private set; }

    /// <summary>True while both multisets are equal, as far as their digests tell.</summary>
    public bool IsZero => !_sums.AsSpan().ContainsAnyExcept(0UL);

    /// <summary>Buckets in which the multisets differ.</summary>
    public int CountMismatches => Buckets - _sums.AsSpan().Count(0UL);

    /// <summary>The bucket for an object, chosen by its digest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int BucketOf(ulong objectDigest) => (int)(objectDigest >> BucketShift);

    /// <summary>Adds a member of the first multiset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int bucket, ulong digest)
    {
        _sums[bucket] += digest;
        Members++;
    }

    /// <summary>Adds a member of the second multiset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Subtract(int bucket, ulong digest)
    {
        _sums[bucket] -= digest;
        Members++;
    }

    /// <summary>Adds a member to, or removes it from, the difference of two sets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Toggle(int bucket, ulong digest)
    {
        _sums[bucket] ^= digest;
        Members++;
    }

    /// <summary>True when the multisets differ in a bucket.</summary>
    public bool IsMismatch(int bucket) => _sums[bucket] != 0;
}
