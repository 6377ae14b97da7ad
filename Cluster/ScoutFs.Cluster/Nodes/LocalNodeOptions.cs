using System;
using ScoutFs.Cluster.Leader;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Volume.Mounting;

namespace ScoutFs.Cluster.Nodes;

/// <summary>How a node that plays all parts takes and mounts a volume.</summary>
public sealed record LocalNodeOptions
{
    /// <summary>Quorum slot to take, 0..14; null: the first that is configured.</summary>
    public int? Slot { get; init; }

    /// <summary>The mount.</summary>
    public MountOptions Mount { get; init; } = new();

    /// <summary>The leader.</summary>
    public LeaderOptions Leader { get; init; } = new();

    /// <summary>Asked about each holder of a volume in use; null refuses such a volume.</summary>
    public HolderFencing? Fencing { get; init; }

    /// <summary>Pause before the last look for others that start at the same time.</summary>
    public TimeSpan Settle { get; init; } = VolumeClaim.DefaultSettle;

    /// <summary>Time between looks whether the volume is still this node's.</summary>
    public TimeSpan ClaimCheckInterval { get; init; } = TimeSpan.FromSeconds(5);
}
