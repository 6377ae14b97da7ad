using System;
using System.Collections.Generic;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Simulation;

/// <summary>A write that is not durable yet.</summary>
internal sealed class SimWrite
{
    private readonly long _firstPage;
    private readonly List<byte[]> _segments;

    public SimWrite(SimDiskView view, long firstPage, List<byte[]> segments)
    {
        View = view;
        _firstPage = firstPage;
        _segments = segments;
    }

    /// <summary>Earlier completions first, then what is under way.</summary>
    public static Comparison<SimWrite> ByCompletion { get; } =
        static (left, right) => SortOf(left).CompareTo(SortOf(right));

    /// <summary>Who wrote it.</summary>
    public SimDiskView View { get; }

    /// <summary>Number of its completion, 0 while under way.</summary>
    public long Completion { get; set; }

    /// <summary>The writer has been told that it is done.</summary>
    public bool IsComplete => Completion != 0;

    /// <summary>Stores all of it.</summary>
    public void Apply(SparsePages pages)
    {
        long page = _firstPage;
        foreach (byte[] segment in _segments)
        {
            for (int at = 0; at < segment.Length; at += SimPage.SizeBytes)
                pages.Set(page++, new SimPage(segment, at));
        }
    }

    /// <summary>A part of it, page by page, as tearing leaves it.</summary>
    /// <param name="prng">Decides what is left.</param>
    /// <param name="atomicBytes">Pieces that stay whole.</param>
    /// <param name="wholePage">Page that stays whole as well; null: none.</param>
    /// <param name="below">What the pages hold where the write was lost.</param>
    public IEnumerable<SimWrite> Torn(Prng prng, int atomicBytes, long? wholePage, SparsePages below)
    {
        int pieces = 0;
        foreach (byte[] segment in _segments)
            pieces += segment.Length / atomicBytes;
        int front = prng.NextInt32(2) == 0 ? prng.NextInt32(pieces + 1) : -1;
        int piece = 0;
        long page = _firstPage;
        foreach (byte[] segment in _segments)
        {
            for (int at = 0; at < segment.Length; at += SimPage.SizeBytes, page++)
            {
                byte[]? torn = null;
                bool? isWhole = null;
                for (int within = 0; within < SimPage.SizeBytes; within += atomicBytes, piece++)
                {
                    bool isKept = front >= 0 ? piece < front : prng.NextInt32(2) == 0;
                    if (page == wholePage)
                        isKept = isWhole ??= isKept;
                    if (!isKept)
                        continue;
                    torn ??= below.TryGet(page, out var old) ? old.Span.ToArray() : new byte[SimPage.SizeBytes];
                    segment.AsSpan(at + within, atomicBytes).CopyTo(torn.AsSpan(within));
                }

                if (torn is not null)
                    yield return new SimWrite(View, page, [torn]);
            }
        }
    }

    private static long SortOf(SimWrite write) => write.IsComplete ? write.Completion : long.MaxValue;
}
