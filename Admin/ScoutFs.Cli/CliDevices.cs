using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Devices;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>Opens the devices that a command line names; failures are the user's sentences.</summary>
internal static class CliDevices
{
    /// <summary>Opens a device to read it, shared with everybody.</summary>
    /// <exception cref="VolumeException">It cannot be opened.</exception>
    public static Task<IBlockDevice> OpenForReadingAsync(string path, CancellationToken cancellationToken) =>
        OpenAsync(path, DeviceOpenOptions.ForReading, cancellationToken);

    /// <summary>Opens a device to change it, as the only one who does.</summary>
    /// <exception cref="VolumeException">It cannot be opened, or another program holds it.</exception>
    public static Task<IBlockDevice> OpenForWritingAsync(string path, CancellationToken cancellationToken) =>
        OpenAsync(path, DeviceOpenOptions.ForWriting, cancellationToken);

    private static Task<IBlockDevice> OpenAsync(
        string path, DeviceOpenOptions options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var opened = BlockDevices.Open(path, options);
        IBlockDevice device = opened.Device ?? throw new VolumeException(opened.Error, opened.Message);
        return Task.FromResult(device);
    }
}
