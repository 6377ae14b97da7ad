namespace ScoutFs.Cluster.Leader;

/// <summary>The trees whose roots lie in the super block and that a leader changes item by item.</summary>
internal enum LeaderTree
{
    /// <summary>Merged file system items; changed by the log merge only.</summary>
    Fs,

    /// <summary>Log trees items. Change them with <see cref="LeaderTransaction.StoreLogTreesAsync"/>.</summary>
    Logs,

    /// <summary>Log merge items.</summary>
    LogMerge,

    /// <summary>Mounted clients. Change them with <see cref="LeaderTransaction.StoreClientAsync"/>.</summary>
    MountedClients,

    /// <summary>Srch files and compactions.</summary>
    Srch,
}
