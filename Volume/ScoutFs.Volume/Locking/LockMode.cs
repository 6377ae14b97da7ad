namespace ScoutFs.Volume.Locking;

/// <summary>Mode of a cluster lock; on the wire, never renumber (cluster §3.3).</summary>
public enum LockMode : byte
{
    /// <summary>Not held.</summary>
    Null = 0,

    /// <summary>Items may be read; shared with other readers.</summary>
    Read = 1,

    /// <summary>Items may be read and changed; held by one mount.</summary>
    Write = 2,

    /// <summary>Versions may be written blindly, nothing read; shared with other write-only holders.</summary>
    WriteOnly = 3,
}
