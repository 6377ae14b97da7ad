namespace ScoutFs.Volume.Btrees;

/// <summary>Outcome of a step in a btree. Walks never wait: they say which block they miss.</summary>
public enum BtreeStatus
{
    /// <summary>Positioned at an item.</summary>
    Found,

    /// <summary>There is no such item, or no further one.</summary>
    End,

    /// <summary>A block is not cached: await its load, then repeat the call.</summary>
    NeedBlock,

    /// <summary>The tree breaks the format, or a block could not be read.</summary>
    Corrupt,
}
