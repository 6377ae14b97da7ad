using System.Collections.Generic;
using System.Collections.Immutable;
using ScoutFs.Volume.Format;

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
}
