using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Forest;

/// <summary>Adds up the versions of one totals item (format §9.5, zone 12).</summary>
/// <remarks>
/// Versions of totals are deltas: they are added, never replaced. A merge in progress may already have put the inputs'
/// deltas into fs_root; the seq stored with them tells, so that they are not counted twice.
/// </remarks>
public struct TotalsSum
{
    private bool _hasMerged;
    private ulong _mergedSeq;
    private ulong _mergedTotal;
    private ulong _mergedCount;
    private ulong _inputSeq;
    private ulong _inputTotal;
    private ulong _inputCount;
    private ulong _logTotal;
    private ulong _logCount;

    /// <summary>Adds one version.</summary>
    public void Add(ForestLayer layer, ulong seq, in XattrTotalItem item)
    {
        switch (layer)
        {
            case ForestLayer.Merged:
                _hasMerged = true;
                _mergedSeq = seq;
                _mergedTotal = item.Total;
                _mergedCount = item.Count;
                break;
            case ForestLayer.MergeInput:
                _inputSeq = seq > _inputSeq ? seq : _inputSeq;
                _inputTotal += item.Total;
                _inputCount += item.Count;
                break;
            default:
                _logTotal += item.Total;
                _logCount += item.Count;
                break;
        }
    }

    /// <summary>The sum of all versions; total and count both 0 mean that the item does not exist.</summary>
    public readonly XattrTotalItem Result()
    {
        bool takesInputs = _hasMerged ? _inputSeq > _mergedSeq : (long)_inputCount > 0;
        return new XattrTotalItem
        {
            Total = _mergedTotal + _logTotal + (takesInputs ? _inputTotal : 0),
            Count = _mergedCount + _logCount + (takesInputs ? _inputCount : 0),
        };
    }
}
