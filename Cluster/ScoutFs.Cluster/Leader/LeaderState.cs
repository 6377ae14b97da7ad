using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>One committed state: the super block as written, and copies of the small tables that it roots.</summary>
/// <param name="Super">The super block.</param>
/// <param name="Logs">Every log trees item of <see cref="SuperBlock.LogsRoot"/>.</param>
/// <param name="Clients">Every item of <see cref="SuperBlock.MountedClients"/>.</param>
/// <remarks>Immutable; any thread may read it.</remarks>
internal sealed record LeaderState(
    SuperBlock Super,
    ImmutableSortedDictionary<LogTreesKey, LogTrees> Logs,
    ImmutableSortedDictionary<ulong, MountedClient> Clients)
{
    /// <summary>An empty table of on-disk values, which have no equality of their own.</summary>
    public static ImmutableSortedDictionary<TKey, TValue> NewTable<TKey, TValue>()
        where TKey : notnull
        where TValue : unmanaged =>
        ImmutableSortedDictionary.Create<TKey, TValue>(keyComparer: null, ByBytes<TValue>.Instance);

    /// <summary>The last log tree of every mount, in order of rid: the only one of a mount that may be open.</summary>
    public static IEnumerable<LogTrees> LastOfEach(ImmutableSortedDictionary<LogTreesKey, LogTrees> logs)
    {
        LogTrees last = default;
        foreach (var (key, log) in logs)
        {
            if (last.Nr != 0 && last.Rid != key.Rid)
                yield return last;
            last = log;
        }

        if (last.Nr != 0)
            yield return last;
    }

    private sealed class ByBytes<T> : IEqualityComparer<T>
        where T : unmanaged
    {
        public static readonly ByBytes<T> Instance = new();

        public bool Equals(T x, T y) => Disk.Bytes(in x).SequenceEqual(Disk.Bytes(in y));

        public int GetHashCode(T obj) => (int)Crc32C.Compute(Disk.Bytes(in obj));
    }
}
