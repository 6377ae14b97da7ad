using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;

namespace ScoutFs.Benchmarks;

/// <summary>Items of one size with ascending keys.</summary>
/// <param name="first">Inode number of the first key.</param>
/// <param name="step">Distance to the next.</param>
/// <param name="count">Items.</param>
/// <param name="seq">Version of each.</param>
/// <param name="value">Value of each.</param>
internal sealed class InodeItems(ulong first, ulong step, int count, ulong seq, byte[] value) : IItemSource
{
    private ulong _ino = first;
    private int _left = count;

    /// <inheritdoc/>
    public bool TryPeek(out SourceItem item)
    {
        item = _left == 0 ? default : new SourceItem(Keys.Inode(_ino), seq, 0, value);
        return _left > 0;
    }

    /// <inheritdoc/>
    public void Advance()
    {
        _ino += step;
        _left--;
    }
}
