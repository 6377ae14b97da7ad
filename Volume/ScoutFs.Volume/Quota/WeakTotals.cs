using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Quota;

/// <summary>Reads totals without locks, from the super block of the last commit (archive §10.4).</summary>
/// <remarks>
/// Roots, log trees and merge status come from one super block read, so that a delta is counted once. They are used for
/// up to 5 s; a result is up to that old. One read at a time.
/// </remarks>
public sealed class WeakTotals : IDisposable
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    private readonly IBlockDevice _meta;
    private readonly BlockCache _cache;
    private readonly TimeProvider _time;
    private readonly BlockPool _pool = new(1);
    private ForestRoots? _roots;
    private long _rootsTime;

    /// <summary>Creates a reader over the metadata device.</summary>
    public WeakTotals(IBlockDevice meta, BlockCache cache, TimeProvider time)
    {
        _meta = meta;
        _cache = cache;
        _time = time;
    }

    /// <summary>Reads one total.</summary>
    /// <returns>None, whether it exists, and the total; Corrupt, Io, NoBuffers or Cancelled.</returns>
    public async ValueTask<(FsError Error, bool IsFound, XattrTotalItem Total)> ReadAsync(
        ItemKey key, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            var error = await LoadRootsAsync(cancellationToken);
            if (error == FsError.None)
            {
                using var cursor = new ForestCursor(_cache, _roots!);
                var status = await cursor.SeekAsync(key, key, cancellationToken);
                if (status == BtreeStatus.Found && cursor.Key == key
                    && cursor.Value.Length == Disk.SizeOf<XattrTotalItem>())
                {
                    return (FsError.None, true, Disk.Ref<XattrTotalItem>(cursor.Value));
                }

                if (status is BtreeStatus.Found or BtreeStatus.End)
                    return (FsError.None, false, default);
                error = cursor.Error;
            }

            // Rewritten under us: newer roots, and everything from the start.
            _roots = null;
            if (error != FsError.Stale || attempt == 3)
                return (error == FsError.Stale ? FsError.Corrupt : error, false, default);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _pool.Dispose();

    private async ValueTask<FsError> LoadRootsAsync(CancellationToken cancellationToken)
    {
        if (_roots is not null && _time.GetElapsedTime(_rootsTime) < MaxAge)
            return FsError.None;
        long now = _time.GetTimestamp();
        var block = _pool.TryRent()!;
        SuperBlock super;
        try
        {
            var error = await SmallBlocks.ReadAsync(
                _meta, FormatConstants.SuperBlkno, block.Memory, cancellationToken);
            if (error != FsError.None)
                return error;
            var bytes = block.GetSpan()[..FormatConstants.SmallBlockBytes];

            // Torn by a write under way: read again.
            if (SmallBlocks.Verify(bytes, BlockMagic.Super, FormatConstants.SuperBlkno, _cache.Fsid).IsFound)
                return FsError.Stale;
            super = Disk.Ref<SuperBlock>(bytes);
        }
        finally
        {
            _pool.Return(block);
        }

        (_roots, var loadError, _) = await ForestRoots.LoadAsync(
            _cache, super.FsRoot, super.LogsRoot, super.LogMerge, cancellationToken);
        _rootsTime = now;
        return loadError;
    }
}
