using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Blocks;

/// <summary>Tells blocks that were rewritten under a reader from damaged ones, which look the same: a reader that finds
/// a block stale starts over from the newest state, and the same state twice decides (engine §1.1).</summary>
/// <remarks>A state is known by two of its references. For one reader.</remarks>
public struct StaleCheck
{
    private BlockRef _first;
    private BlockRef _second;
    private bool _hasFailed;

    /// <summary>Notes that reading from a state has found a stale block.</summary>
    /// <param name="first">A reference that changes with the state.</param>
    /// <param name="second">Another one.</param>
    /// <returns>True when it is damaged: the state is that of the failure before.</returns>
    public bool IsDamage(in BlockRef first, in BlockRef second)
    {
        bool isSame = _hasFailed && _first.SameAs(first) && _second.SameAs(second);
        (_first, _second, _hasFailed) = (first, second, true);
        return isSame;
    }
}
