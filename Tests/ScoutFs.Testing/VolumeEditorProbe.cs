using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Testing;

/// <summary>Does everything with a volume that can be done without writing, and expects nothing of it.</summary>
/// <remarks>
/// A volume may be as bad as it likes: the only exception that may come out of the product is
/// <see cref="VolumeException"/>, which is swallowed here. Everything else comes through.
/// </remarks>
public static class VolumeEditorProbe
{
    /// <summary>Problems after which a walk is given up, which a user would have done long before.</summary>
    private const int MaxProblems = 10_000;

    /// <summary>Everything, with names for messages.</summary>
    public static IReadOnlyList<(string Name, Func<IBlockDevice, IBlockDevice, CancellationToken, Task> Use)> Uses
    {
        get;
    } =
    [
        ("open", OpenAsync), ("scan", ScanAsync), ("check", CheckAsync), ("print", PrintAsync),
        ("manifest", ManifestAsync), ("find", FindAsync), ("look up", LookUpAsync),
    ];

    /// <summary>Opens the volume and closes it.</summary>
    public static Task OpenAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken) =>
        WithVolumeAsync(meta, data, _ => Task.CompletedTask, cancellationToken);

    /// <summary>Reads every item of the merged view.</summary>
    public static Task ScanAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken) =>
        WithVolumeAsync(
            meta,
            data,
            async volume =>
            {
                using var cursor = new ForestCursor(volume.Cache, volume.Roots);
                long bytes = 0;
                for (var status = await cursor.SeekAsync(ItemKey.Min, ItemKey.Max, cancellationToken);
                    status == BtreeStatus.Found;
                    status = await cursor.MoveNextAsync(cancellationToken))
                {
                    bytes += cursor.Value.Length;
                }
            },
            cancellationToken);

    /// <summary>Runs the checker.</summary>
    public static async Task CheckAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken)
    {
        try
        {
            _ = await VolumeChecker.CheckAsync(meta, data, new CheckOptions(), null, cancellationToken);
        }
        catch (VolumeException)
        {
            // A clear error is all that can be asked for.
        }
    }

    /// <summary>Dumps every structure.</summary>
    public static async Task PrintAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken)
    {
        try
        {
            await VolumeDumper.DumpAsync(meta, new DumpOptions(), _ => { }, progress: null, cancellationToken);
        }
        catch (VolumeException)
        {
            // A clear error is all that can be asked for.
        }
    }

    /// <summary>Writes the manifest of the whole volume, contents included, to nowhere.</summary>
    public static Task ManifestAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken) =>
        WithReaderAsync(
            meta,
            data,
            async reader =>
            {
                var start = await new PathResolver(reader).ResolveAsync("/"u8.ToArray(), false, cancellationToken);
                int problems = 0;
                await new ManifestWriter(reader, Stream.Null).WriteAsync(
                    start,
                    problem => problems = problems < MaxProblems ? problems + 1 : throw problem,
                    null,
                    cancellationToken);
            },
            cancellationToken);

    /// <summary>Walks the tree in the order of directories, looking for an xattr.</summary>
    public static Task FindAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken) =>
        WithReaderAsync(
            meta,
            data,
            async reader =>
            {
                var start = await new PathResolver(reader).ResolveAsync("/"u8.ToArray(), false, cancellationToken);
                var finder = new VolumeFinder(reader, new FindCriteria { MinSizeBytes = 1 });
                finder.Walk.Start(start);
                int problems = 0;
                while (await finder.MoveNextAsync(cancellationToken))
                {
                    if (finder.Failure is not null && ++problems > MaxProblems)
                        return;
                }
            },
            cancellationToken);

    /// <summary>Looks up inodes by number, one after the other, with everything attached to them.</summary>
    public static Task LookUpAsync(IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken) =>
        WithReaderAsync(
            meta,
            data,
            async reader =>
            {
                for (ulong ino = 1; ino < 1200; ino += ino == 1 ? 1023UL : 1)
                    await LookUpAsync(reader, ino, cancellationToken);
            },
            cancellationToken);

    private static async Task LookUpAsync(VolumeReader reader, ulong ino, CancellationToken cancellationToken)
    {
        try
        {
            if (await reader.FindInodeAsync(ino, cancellationToken) is not { } inode)
                return;
            _ = await new PathResolver(reader).FindPathsAsync(ino, 10, cancellationToken);
            foreach (var xattr in await reader.ListXattrsAsync(ino, cancellationToken))
                _ = await reader.ReadXattrAsync(ino, xattr, cancellationToken);
            if ((inode.Mode & FileMode.TypeMask) == FileMode.Symlink)
                _ = await reader.ReadSymlinkAsync(ino, inode, cancellationToken);
            if ((inode.Mode & FileMode.TypeMask) != FileMode.Regular)
                return;
            var contents = new FileContents(reader, ino, inode);
            _ = await contents.NextSegmentAsync(0, cancellationToken);
            _ = await contents.ReadAsync(0, new byte[3 * 4096], cancellationToken);
        }
        catch (VolumeException)
        {
            // The next inode may be better.
        }
    }

    private static Task WithReaderAsync(
        IBlockDevice meta, IBlockDevice data, Func<VolumeReader, Task> use, CancellationToken cancellationToken) =>
        WithVolumeAsync(
            meta,
            data,
            async volume =>
            {
                using var reader = new VolumeReader(volume);
                await use(reader);
            },
            cancellationToken);

    private static async Task WithVolumeAsync(
        IBlockDevice meta, IBlockDevice data, Func<OfflineVolume, Task> use, CancellationToken cancellationToken)
    {
        try
        {
            using var volume = await OfflineVolume.OpenAsync(meta, data, 4 << 20, cancellationToken);
            await use(volume);
            Invariant.Require(volume.Cache.LeasesOut == 0);
        }
        catch (VolumeException)
        {
            // A clear error is all that can be asked for.
        }
    }
}
