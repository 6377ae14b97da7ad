using System;
using System.Collections.Generic;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Proves in constant memory that extents cover a range exactly once (format §14.2).</summary>
/// <remarks>
/// Extents tile a range exactly if, and only if, every boundary is as often an end as a start. So a keyed digest of the
/// position is added for each start and subtracted for each end; all sums are zero for a tiling, and otherwise, but for
/// a chance of about 2^-52, not. The sums that are not zero say which positions a further pass has to collect.
/// </remarks>
internal sealed class CoverageFingerprint
{
    private const int Buckets = 4096;

    private readonly ulong[] _sums = new ulong[Buckets];
    private readonly ulong _key0;
    private readonly ulong _key1;

    /// <summary>Starts with nothing covered; the range is start..end-1.</summary>
    public CoverageFingerprint(Prng prng, ulong start, ulong end)
    {
        _key0 = prng.NextUInt64() | 1;
        _key1 = prng.NextUInt64() | 1;
        Start = start;
        End = end;
        Change(start, -1);
        Change(end, 1);
    }

    /// <summary>First block of the range.</summary>
    public ulong Start { get; }

    /// <summary>First block after the range.</summary>
    public ulong End { get; }

    /// <summary>The extents so far cover the range exactly once.</summary>
    public bool IsExact => !_sums.AsSpan().ContainsAnyExcept(0UL);

    /// <summary>Adds an extent.</summary>
    public void Add(ulong start, ulong count)
    {
        Change(start, 1);
        Change(start + count, -1);
    }

    /// <summary>True when a further pass has to collect a boundary at this position.</summary>
    public bool IsSuspect(ulong position) => _sums[BucketOf(DigestOf(position))] != 0;

    private static int BucketOf(ulong digest) => (int)(digest >> 52);

    private void Change(ulong position, int sign)
    {
        ulong digest = DigestOf(position);
        _sums[BucketOf(digest)] += sign > 0 ? digest : 0 - digest;
    }

    private ulong DigestOf(ulong position)
    {
        ulong high = Math.BigMul(position ^ _key0, _key1, out ulong low);
        ulong mixed = high ^ low ^ position;
        high = Math.BigMul(mixed ^ _key1, 0x9e3779b97f4a7c15, out low);
        return high ^ low;
    }
}

/// <summary>Collects the boundaries at suspect positions and tells where coverage is not one.</summary>
internal sealed class CoverageProfile
{
    /// <summary>Boundaries that are collected; a volume with more damage is reported in part.</summary>
    public const int MaxBoundaries = 1 << 20;

    private readonly CoverageFingerprint _fingerprint;
    private readonly Dictionary<ulong, long> _net = [];

    /// <summary>Starts a further pass for a fingerprint that is not exact.</summary>
    public CoverageProfile(CoverageFingerprint fingerprint)
    {
        _fingerprint = fingerprint;
        Change(fingerprint.Start, -1);
        Change(fingerprint.End, 1);
    }

    /// <summary>Not all boundaries could be collected.</summary>
    public bool IsPartial { get; private set; }

    /// <summary>Adds an extent.</summary>
    public void Add(ulong start, ulong count)
    {
        Change(start, 1);
        Change(start + count, -1);
    }

    /// <summary>The ranges covered not at all (0) or more than once, ascending.</summary>
    public List<(ulong Start, ulong End, long Times)> Faults()
    {
        var positions = new List<ulong>();
        foreach (var (position, net) in _net)
        {
            if (net != 0)
                positions.Add(position);
        }

        positions.Sort();
        var faults = new List<(ulong, ulong, long)>();
        long excess = 0;
        for (int i = 0; i + 1 < positions.Count; i++)
        {
            excess += _net[positions[i]];
            if (excess != 0)
                faults.Add((positions[i], positions[i + 1], IsInside(positions[i]) ? excess + 1 : excess));
        }

        return faults;
    }

    private bool IsInside(ulong position) => position >= _fingerprint.Start && position < _fingerprint.End;

    private void Change(ulong position, long change)
    {
        if (!_fingerprint.IsSuspect(position))
            return;
        if (_net.Count >= MaxBoundaries && !_net.ContainsKey(position))
            IsPartial = true;
        else
            _net[position] = _net.GetValueOrDefault(position) + change;
    }
}
