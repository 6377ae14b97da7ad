using System;

namespace ScoutFs.Cluster.Leader;

/// <summary>Limits and waits of a leader; constant while it runs.</summary>
public sealed record LeaderOptions
{
    /// <summary>Metadata blocks of 64 KiB that are kept in memory for reading, at least 64.</summary>
    public int CacheBlocks { get; init; } = 512;

    /// <summary>Metadata blocks of 64 KiB that one commit may write, at least 1200 (cluster §4.3).</summary>
    public int DirtyBlocks { get; init; } = 2048;

    /// <summary>How long a request for a transaction waits for other mounts to finalise (cluster §9.2).</summary>
    public TimeSpan LogMergeWait { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Pause before a farewell that failed is tried again.</summary>
    public TimeSpan FarewellRetry { get; init; } = TimeSpan.FromSeconds(1);
}
