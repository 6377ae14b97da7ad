using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>What devices hold before a command writes to them.</summary>
internal static class CliSignatures
{
    /// <summary>Finds what a device holds.</summary>
    /// <exception cref="VolumeException">It cannot be read.</exception>
    public static async Task<IReadOnlyList<DeviceSignature>> FindAsync(
        IBlockDevice device, CancellationToken cancellationToken)
    {
        var probed = await DeviceProbe.FindAsync(device, cancellationToken);
        return probed.Error == FsError.None
            ? probed.Found
            : throw new VolumeException(
                probed.Error,
                $"Cannot read {device.Name} to see what it holds: {FsErrorTable.TextOf(probed.Error)}.");
    }

    /// <summary>True for the mark of a scoutfs volume, of either device.</summary>
    public static bool IsScoutFs(DeviceSignature signature) =>
        signature.Name.StartsWith("scoutfs ", System.StringComparison.Ordinal);

    /// <summary>Names signatures for a sentence.</summary>
    public static string TextOf(IEnumerable<DeviceSignature> found) =>
        string.Join(", ", found.Select(signature => string.Create(
            CultureInfo.InvariantCulture, $"{signature.Name} at byte {signature.OffsetBytes}")));
}
