using System;

namespace ScoutFs.Cluster.Leader;

/// <summary>Name of a log tree; ordered by mount, then number (format §9.1).</summary>
/// <param name="Rid">Mount.</param>
/// <param name="Nr">Number within the mount, from 1.</param>
internal readonly record struct LogTreesKey(ulong Rid, ulong Nr) : IComparable<LogTreesKey>
{
    /// <inheritdoc/>
    public int CompareTo(LogTreesKey other)
    {
        int byRid = Rid.CompareTo(other.Rid);
        return byRid != 0 ? byRid : Nr.CompareTo(other.Nr);
    }
}
