using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>A volume opened for one command of the group, read only.</summary>
internal sealed class VolumeSession : IAsyncDisposable
{
    // Reads ahead, and whoever writes meanwhile.
    private const int PoolThreads = 8;

    private readonly IBlockDevice _meta;
    private readonly IBlockDevice _data;
    private readonly CliConsole _console;

    /// <summary>Takes over a volume that was opened, and its devices.</summary>
    public VolumeSession(CliConsole console, IBlockDevice meta, IBlockDevice data, OfflineVolume volume)
    {
        _console = console;
        _meta = meta;
        _data = data;
        Volume = volume;
        Reader = new VolumeReader(volume);
        Resolver = new PathResolver(Reader);
    }

    /// <summary>The volume.</summary>
    public OfflineVolume Volume { get; }

    /// <summary>Its file system.</summary>
    public VolumeReader Reader { get; }

    /// <summary>Its paths.</summary>
    public PathResolver Resolver { get; }

    /// <summary>Paths that were left out because they are damaged or unreadable.</summary>
    public long CountProblems { get; private set; }

    /// <summary>Exit code of a command that has done what it could.</summary>
    public int ExitCode => CountProblems == 0 ? 0 : 1;

    /// <summary>Opens both devices and the volume on them, and warns when it looks in use.</summary>
    public static async Task<VolumeSession> OpenAsync(
        CliConsole console, string metaPath, string dataPath, CancellationToken cancellationToken)
    {
        // On Linux a read waits in a thread of the pool, which starts with one a processor and grows slowly: reading
        // ahead would not be ahead (measured on two processors: 900 MB/s exported instead of 1180).
        ThreadPool.GetMinThreads(out int workers, out int ports);
        _ = ThreadPool.SetMinThreads(Math.Max(workers, PoolThreads), ports);
        var meta = await CliDevices.OpenForReadingAsync(metaPath, cancellationToken);
        IBlockDevice? data = null;
        try
        {
            data = await CliDevices.OpenForReadingAsync(dataPath, cancellationToken);
            var volume = await OfflineVolume.OpenAsync(
                meta, data, OfflineVolume.DefaultCacheBytes, cancellationToken);
            if (volume.IsInUse)
            {
                console.Note(
                    $"warning: {metaPath} looks in use: it is mounted, or a mount of it did not end cleanly. "
                    + "What is read is the state of the last commit; on a mounted volume it may change meanwhile.");
            }

            return new VolumeSession(console, meta, data, volume);
        }
        catch
        {
            if (data is not null)
                await data.DisposeAsync();
            await meta.DisposeAsync();
            throw;
        }
    }

    /// <summary>Tells about a path that is left out; the command goes on and fails at its end.</summary>
    public void ReportProblem(VolumeException failure)
    {
        CountProblems++;
        _console.Note(failure.Message);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Reader.Dispose();
        Volume.Dispose();
        await _data.DisposeAsync();
        await _meta.DisposeAsync();
    }
}
