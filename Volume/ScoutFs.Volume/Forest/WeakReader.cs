using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Forest;

/// <summary>Reads items without locks, from the super block of a recent commit (archive §10.4).</summary>
/// <remarks>
/// Roots, log trees and merge status come from one super block read, so that a delta is counted once. They are used for
/// up to 5 s; a result is up to that old. Any number of callers, one reads at a time.
/// </remarks>
public sealed class WeakReader : IDisposable
{
    // A read may meet a write under way.
    private const int TornAttempts = 4;
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    private readonly IBlockDevice _meta;
    private readonly BlockCache _cache;
    private readonly TimeProvider _time;
    private readonly BlockPool _pool = new(1);
    private readonly SemaphoreSlim _turn = new(1);
    private ForestRoots? _roots;
    private (BlockRef Fs, BlockRef Logs) _refs;
    private long _rootsTime;

    /// <summary>Creates a reader over the metadata device.</summary>
    public WeakReader(IBlockDevice meta, BlockCache cache, TimeProvider time)
    {
        _meta = meta;
        _cache = cache;
        _time = time;
    }

    /// <summary>Reads one total.</summary>
    /// <returns>None, whether it exists, and the total; Corrupt, Io, NoBuffers or Cancelled.</returns>
    public async ValueTask<(FsError Error, bool IsFound, XattrTotalItem Total)> ReadTotalAsync(
        ItemKey key, CancellationToken cancellationToken)
    {
        bool isFound = false;
        var total = default(XattrTotalItem);
        var error = await ScanAsync(
            key,
            key,
            cursor =>
            {
                isFound = true;
                total = Disk.Ref<XattrTotalItem>(cursor.Value);
                return false;
            },
            cancellationToken);
        return (error, isFound, total);
    }

    /// <summary>Goes over items of one zone in key order.</summary>
    /// <remarks>Blocks that were written anew meanwhile make the rest of the range come from newer roots.</remarks>
    /// <param name="first">First key.</param>
    /// <param name="last">Last key, inclusive.</param>
    /// <param name="take">Gets each item; false ends the scan.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>None, Corrupt, Io, NoBuffers or Cancelled.</returns>
    public async ValueTask<FsError> ScanAsync(
        ItemKey first, ItemKey last, Func<ForestCursor, bool> take, CancellationToken cancellationToken)
    {
        if (await EnterAsync(cancellationToken) != FsError.None)
            return FsError.Cancelled;
        try
        {
            return await ScanAloneAsync(first, last, take, cancellationToken);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <summary>Reads the super block as it is now.</summary>
    /// <returns>None and the super block; Corrupt, Io, Cancelled.</returns>
    public async ValueTask<(FsError Error, SuperBlock Super)> ReadSuperAsync(CancellationToken cancellationToken)
    {
        if (await EnterAsync(cancellationToken) != FsError.None)
            return (FsError.Cancelled, default);
        try
        {
            return await ReadSuperAloneAsync(cancellationToken);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <summary>Makes the next read start from the super block as it is then.</summary>
    public async ValueTask<FsError> ForgetAsync(CancellationToken cancellationToken)
    {
        if (await EnterAsync(cancellationToken) != FsError.None)
            return FsError.Cancelled;
        _roots = null;
        _ = _turn.Release();
        return FsError.None;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        _turn.Dispose();
    }

    private async ValueTask<FsError> EnterAsync(CancellationToken cancellationToken) =>
        await _turn.WaitAsync(cancellationToken).OrCancelledAsync(CancellationToken.None);

    private async ValueTask<FsError> ScanAloneAsync(
        ItemKey first, ItemKey last, Func<ForestCursor, bool> take, CancellationToken cancellationToken)
    {
        var at = first;
        var stale = default(StaleCheck);
        while (true)
        {
            var error = await LoadRootsAsync(cancellationToken);
            if (error == FsError.None)
            {
                using var cursor = new ForestCursor(_cache, _roots!);
                var status = await cursor.SeekAsync(at, last, cancellationToken);
                while (status == BtreeStatus.Found)
                {
                    at = cursor.Key.Next();
                    if (!take(cursor) || at > last)
                        return FsError.None;
                    status = await cursor.MoveNextAsync(cancellationToken);
                }

                if (status == BtreeStatus.End)
                    return FsError.None;
                error = cursor.Error;
            }

            _roots = null;
            if (error != FsError.Stale)
                return error;
            if (stale.IsDamage(_refs.Fs, _refs.Logs))
                return FsError.Corrupt;
        }
    }

    private async ValueTask<FsError> LoadRootsAsync(CancellationToken cancellationToken)
    {
        if (_roots is not null && _time.GetElapsedTime(_rootsTime) < MaxAge)
            return FsError.None;
        long now = _time.GetTimestamp();
        var (error, super) = await ReadSuperAloneAsync(cancellationToken);
        if (error != FsError.None)
            return error;
        _refs = (super.FsRoot.Ref, super.LogsRoot.Ref);
        (_roots, error, _) = await ForestRoots.LoadAsync(
            _cache, super.FsRoot, super.LogsRoot, super.LogMerge, cancellationToken);
        _rootsTime = now;
        return error;
    }

    private async ValueTask<(FsError Error, SuperBlock Super)> ReadSuperAloneAsync(CancellationToken cancellationToken)
    {
        var block = _pool.TryRent()!;
        try
        {
            for (int attempt = 0; attempt < TornAttempts; attempt++)
            {
                var error = await SmallBlocks.ReadAsync(
                    _meta, FormatConstants.SuperBlkno, block.Memory, cancellationToken);
                if (error != FsError.None)
                    return (error, default);
                var bytes = block.GetSpan()[..FormatConstants.SmallBlockBytes];
                if (!SmallBlocks.Verify(bytes, BlockMagic.Super, FormatConstants.SuperBlkno, _cache.Fsid).IsFound)
                    return (FsError.None, Disk.Ref<SuperBlock>(bytes));
            }

            return (FsError.Corrupt, default);
        }
        finally
        {
            _pool.Return(block);
        }
    }
}
