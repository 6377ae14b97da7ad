using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Sets and clears volume options; they take effect once they are durable (cluster §5).</summary>
internal static class VolumeOptionsService
{
    private const ulong KnownBits = 1UL << VolumeOptions.DataAllocZoneBlocks;

    /// <summary>Sets the options whose bits are set.</summary>
    /// <returns>None; Invalid for an unknown option or a value out of range; NoSpace; or a device's error.</returns>
    public static ValueTask<FsError> SetAsync(
        LeaderCommit commit, VolumeOptions options, CancellationToken cancellationToken) =>
        commit.RunAsync(
            async transaction =>
            {
                if (!IsKnown(options) || !IsInRange(options, transaction.Super.TotalDataBlocks))
                    return FsError.Invalid;
                var error = await transaction.OpenAsync();
                Apply(ref transaction.Super.VolumeOptions, options, isSet: true);
                return error;
            },
            cancellationToken);

    /// <summary>Clears the options whose bits are set.</summary>
    /// <returns>None; Invalid for an unknown option; NoSpace; or a device's error.</returns>
    public static ValueTask<FsError> ClearAsync(
        LeaderCommit commit, VolumeOptions options, CancellationToken cancellationToken) =>
        commit.RunAsync(
            async transaction =>
            {
                if (!IsKnown(options))
                    return FsError.Invalid;
                var error = await transaction.OpenAsync();
                Apply(ref transaction.Super.VolumeOptions, options, isSet: false);
                return error;
            },
            cancellationToken);

    private static bool IsKnown(in VolumeOptions options) => (options.SetBits & ~KnownBits) == 0;

    private static bool IsInRange(in VolumeOptions options, ulong totalDataBlocks)
    {
        if ((options.SetBits & KnownBits) == 0)
            return true;
        ulong zone = options.Values[VolumeOptions.DataAllocZoneBlocks];
        ulong least = (totalDataBlocks + FormatConstants.DataZones - 1) / FormatConstants.DataZones;
        return zone >= Math.Max(least, DataPlacement.Target) && zone <= totalDataBlocks;
    }

    private static void Apply(ref VolumeOptions stored, in VolumeOptions options, bool isSet)
    {
        for (int i = 0; i < FormatConstants.VolumeOptions; i++)
        {
            ulong bit = 1UL << i;
            if ((options.SetBits & bit) == 0)
                continue;
            stored.SetBits = isSet ? stored.SetBits | bit : stored.SetBits & ~bit;
            stored.Values[i] = isSet ? options.Values[i] : 0;
        }
    }
}
