using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>Takes the data blocks of files, for the accounting of the data device (I62).</summary>
public interface IExtentSink
{
    /// <summary>A valid extent with blocks; extents that break the format are not passed on.</summary>
    /// <param name="ino">File.</param>
    /// <param name="firstBlock">First logical block, unit 4 KiB.</param>
    /// <param name="blkno">First block on the data device, unit 4 KiB.</param>
    /// <param name="count">Blocks, at least 1.</param>
    void OnDataExtent(ulong ino, ulong firstBlock, ulong blkno, ulong count);
}

/// <summary>Takes every srch entry of the volume, in no particular order.</summary>
public interface ISrchEntrySink
{
    /// <summary>One entry.</summary>
    void OnSrchEntry(in SrchEntry entry);
}

/// <summary>Further passes over a volume, for checks that found a difference and want to name it.</summary>
public interface ICheckPasses
{
    /// <summary>Passes every item of the merged view, as in the first pass; reports nothing.</summary>
    ValueTask PassItemsAsync(IItemSink sink, CancellationToken cancellationToken);

    /// <summary>Passes every srch entry; reports nothing.</summary>
    ValueTask PassSrchEntriesAsync(ISrchEntrySink sink, CancellationToken cancellationToken);
}

/// <summary>What the structures allow to be judged.</summary>
/// <param name="ItemsComplete">Every block of every item tree was read.</param>
/// <param name="SrchEntriesComplete">Every srch block was read.</param>
/// <param name="ExpectedInodes">inode_count plus the deltas of all log trees, modulo 2^64 (I102).</param>
public readonly record struct CheckScope(bool ItemsComplete, bool SrchEntriesComplete, ulong ExpectedInodes);
