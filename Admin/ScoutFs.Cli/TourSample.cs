using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>The two image files of the tour's sample volume in a directory of the user.</summary>
/// <remarks>
/// Either both are there complete or none is: they are unpacked beside their place and then moved. Files that are there
/// already are used when they are this sample, and never changed.
/// </remarks>
internal sealed class TourSample
{
    /// <summary>The sample's uuid, by which its files are known again.</summary>
    public const string Uuid = "f61304f0-4a77-4d3b-8709-64074ef05c80";

    private const string PackedName = "g1-basic.packed";
    private const string MetaName = "scoutfs-sample-meta.img";
    private const string DataName = "scoutfs-sample-data.img";

    private TourSample(string directory)
    {
        Meta = Path.Combine(directory, MetaName);
        Data = Path.Combine(directory, DataName);
    }

    /// <summary>The metadata device's image.</summary>
    public string Meta { get; }

    /// <summary>The data device's image.</summary>
    public string Data { get; }

    /// <summary>Finds the sample in a directory, or unpacks it there.</summary>
    /// <param name="console">Shows progress.</param>
    /// <param name="directory">The directory, made if it does not exist; null for a new temporary one.</param>
    /// <param name="cancellationToken">Stops the unpacking; what was made is removed.</param>
    /// <exception cref="VolumeException">Something else has the names of the sample.</exception>
    public static async Task<TourSample> OpenAsync(
        CliConsole console, string? directory, CancellationToken cancellationToken)
    {
        string packed = FindPacked();
        bool isNew = directory is null || !Directory.Exists(directory);
        string target = directory is null
            ? Directory.CreateTempSubdirectory("scoutfs-tour-").FullName
            : MakeDirectory(directory);
        bool isDone = false;
        try
        {
            var sample = new TourSample(target);
            if (IsThere(sample.Meta) || IsThere(sample.Data))
                await sample.RequireOwnAsync(cancellationToken);
            else
                await sample.UnpackAsync(console, packed, cancellationToken);
            isDone = true;
            return sample;
        }
        finally
        {
            if (isNew && !isDone)
                Directory.Delete(target);
        }
    }

    private static string MakeDirectory(string directory)
    {
        if (File.Exists(directory))
        {
            throw new VolumeException(
                FsError.NotDirectory, $"{directory} is a file. Name a directory for the sample.");
        }

        return Directory.CreateDirectory(directory).FullName;
    }

    private static bool IsThere(string path) => File.Exists(path) || Directory.Exists(path);

    private static string FindPacked()
    {
        string beside = Path.Combine(AppContext.BaseDirectory, PackedName);
        if (File.Exists(beside))
            return beside;
        throw new VolumeException(
            FsError.NotFound,
            $"The sample volume {PackedName} is not beside the program ({AppContext.BaseDirectory}). Build it from a "
            + "clone.");
    }

    private async Task UnpackAsync(CliConsole console, string packed, CancellationToken cancellationToken)
    {
        string parent = Path.GetDirectoryName(Meta)!;
        string work = Path.Combine(parent, $"scoutfs-sample-{Guid.NewGuid():N}.partial");
        _ = Directory.CreateDirectory(work);
        try
        {
            var (meta, data) = (Path.Combine(work, MetaName), Path.Combine(work, DataName));
            await VolumePackCommands.UnpackAsync(console, packed, meta, data, cancellationToken);
            File.Move(data, Data);
            try
            {
                File.Move(meta, Meta);
            }
            catch
            {
                File.Delete(Data);
                throw;
            }
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private async Task RequireOwnAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RequireOwnAsync(Meta, isMeta: true, cancellationToken);
            await RequireOwnAsync(Data, isMeta: false, cancellationToken);
        }
        catch (VolumeException exception)
        {
            throw new VolumeException(
                FsError.Exists,
                $"{Meta} and {Data} are not the tour's sample: {exception.Message} Nothing was changed. Remove both if "
                + "they are of no use to you, or name another directory for the tour.",
                exception.Fault);
        }
    }

    private static async Task RequireOwnAsync(string path, bool isMeta, CancellationToken cancellationToken)
    {
        await using var device = await CliDevices.OpenForReadingAsync(path, cancellationToken);
        var buffer = AlignedBuffer.Create(FormatConstants.SmallBlockBytes);
        var super = await OfflineVolume.ReadSuperAsync(device, isMeta, buffer, cancellationToken);
        string uuid = OfflineVolume.FormatUuid(super);
        if (uuid != Uuid)
            throw new VolumeException(FsError.Exists, $"{path} belongs to the volume {uuid}.");
    }
}
