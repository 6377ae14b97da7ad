using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Grows a volume on devices that have grown (cluster §5, RESIZE_DEVICES).</summary>
internal static class DeviceSizes
{
    /// <summary>Makes the blocks that are new to the volume free ones; idempotent.</summary>
    /// <returns>None; Invalid when smaller than now or beyond a device; NoSpace; or a device's error.</returns>
    public static ValueTask<FsError> GrowAsync(
        LeaderCommit commit,
        IBlockDevice meta,
        IBlockDevice data,
        WireResize resize,
        CancellationToken cancellationToken) =>
        commit.RunAsync(
            async transaction =>
            {
                ulong oldMeta = transaction.Super.TotalMetaBlocks;
                ulong oldData = transaction.Super.TotalDataBlocks;
                ulong newMeta = resize.TotalMetaBlocks == 0 ? oldMeta : resize.TotalMetaBlocks;
                ulong newData = resize.TotalDataBlocks == 0 ? oldData : resize.TotalDataBlocks;
                if (newMeta < oldMeta || newMeta > (ulong)meta.SizeBytes / FormatConstants.LargeBlockBytes
                    || newData < oldData || newData > (ulong)data.SizeBytes / FormatConstants.SmallBlockBytes)
                {
                    return FsError.Invalid;
                }

                if (newMeta == oldMeta && newData == oldData)
                    return FsError.None;
                var error = await transaction.OpenAsync();
                if (error == FsError.None && newMeta > oldMeta)
                    error = await GrowMetaAsync(transaction, oldMeta, newMeta);
                if (error == FsError.None && newData > oldData)
                    error = await GrowDataAsync(transaction, oldData, newData);
                return error;
            },
            cancellationToken);

    private static async ValueTask<FsError> GrowMetaAsync(LeaderTransaction transaction, ulong before, ulong after)
    {
        // The cache may know of the blocks early: until the commit nothing refers to them.
        transaction.Cache.Grow(after);
        var (error, root) = await transaction.Extents.InsertAsync(
            transaction.MetaAvail, new FreeExtent(before, after - before), CancellationToken.None);
        transaction.MetaAvail = root;
        transaction.Super.TotalMetaBlocks = after;
        return error;
    }

    private static async ValueTask<FsError> GrowDataAsync(LeaderTransaction transaction, ulong before, ulong after)
    {
        var (error, root) = await transaction.Extents.InsertAsync(
            transaction.Super.DataAlloc, new FreeExtent(before, after - before), CancellationToken.None);
        transaction.Super.DataAlloc = root;
        transaction.Super.TotalDataBlocks = after;
        return error;
    }
}
