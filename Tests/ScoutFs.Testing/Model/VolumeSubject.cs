using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Lets the crash machine work on volumes: our mkfs, our engine, our checker.</summary>
public sealed class VolumeSubject : ICrashSubject
{
    private const ulong FormattedFsRootBlkno = 2;

    private const long SmallMetaBlocks = 86_760;

    /// <summary>A volume on which log merges, srch compactions and orphan scans happen all the time.</summary>
    public static VolumeSubject Busy => new()
    {
        MergePerMille = 200,
        Node = new VolumeSubject().Node with
        {
            Mount = new VolumeSubject().Node.Mount with
            {
                SrchCompactDelay = TimeSpan.FromSeconds(1),
                OrphanScanDelay = TimeSpan.FromSeconds(1),
            },
        },
    };

    /// <summary>A volume whose data device is full after a few dozen operations.</summary>
    public static VolumeSubject SmallData => new() { DataBytes = 640 << 10 };

    /// <summary>
    /// A volume that is low on metadata now and then, whatever is removed: half of what is free is free in the tree
    /// that is not in use, and each half is about what a leader keeps in reserve (cluster §4.3).
    /// </summary>
    public static VolumeSubject SmallMeta => new() { MetaBytes = SmallMetaBlocks << 16 };

    /// <summary>Room for some mounts and their leaders, which reserve it at once.</summary>
    public long MetaBytes { get; init; } = 12L << 30;

    /// <inheritdoc/>
    public long DataBytes { get; init; } = 4L << 30;

    /// <summary>Small caches, so that they overflow; several thousand mounts a minute must be made.</summary>
    public LocalNodeOptions Node { get; init; } = new()
    {
        Mount = new MountOptions
        {
            BlockCacheBytes = 16 << 20,
            ItemCacheBytes = 4 << 20,
            DataBufferBytes = 8 << 20,
            DataPreallocBlocks = 16,
        },
        Fencing = static (_, _) => new ValueTask<bool>(true),
    };

    /// <summary>Share of operations before which the next commit is told to begin a merge, in thousandths.</summary>
    public int MergePerMille { get; init; }

    /// <summary>Unmounts of volumes of which a part was merged.</summary>
    public long CountMerged { get; private set; }

    /// <summary>The super block, of which there is no second copy (format §17.1).</summary>
    public long? WholeMetaPage => (long)FormatConstants.SuperBlkno;

    /// <inheritdoc/>
    public async Task FormatAsync(CrashWorld world)
    {
        var request = new FormatRequest
        {
            Slots = [new QuorumSlot(0, 0x7f000001, 12345)],
            AllowSmall = true,
        };
        var plan = FormatPlan.Create(
            request, (ulong)MetaBytes, (ulong)DataBytes, new Prng(9), world.Time.GetUtcNow());
        await Formatter.FormatAsync(
            world.Meta.Open("mkfs"), world.DataDisk.Open("mkfs"), plan, CancellationToken.None);
    }

    /// <inheritdoc/>
    public async Task<ModelState> ReadAsync(CrashWorld world)
    {
        using var volume = await OfflineVolume.OpenAsync(
            world.Meta.Open("reader"), world.DataDisk.Open("reader"), 4 << 20, CancellationToken.None);
        return await VolumeState.LoadAsync(volume, CancellationToken.None);
    }

    /// <inheritdoc/>
    public async Task<ulong> CountFreeAsync(CrashWorld world)
    {
        using var volume = await OfflineVolume.OpenAsync(
            world.Meta.Open("reader"), world.DataDisk.Open("reader"), 4 << 20, CancellationToken.None);
        return volume.Super.DataAlloc.TotalLen;
    }

    /// <inheritdoc/>
    public async Task<IFsUnderTest> MountAsync(CrashWorld world) => await MountedVolume.MountAsync(world, this);

    /// <summary>Counts a volume that is about to be unmounted.</summary>
    internal void Count(in SuperBlock super) =>
        CountMerged += super.FsRoot.Ref.Blkno.Value != FormattedFsRootBlkno ? 1 : 0;

    /// <inheritdoc/>
    public async Task<string?> CheckAsync(CrashWorld world)
    {
        var report = await VolumeChecker.CheckAsync(
            world.Meta.Open("checker"),
            world.DataDisk.Open("checker"),
            new CheckOptions { CacheBytes = 8 << 20 },
            progress: null,
            CancellationToken.None);
        if (report.Result == CheckResult.Clean)
            return null;
        var findings = report.Findings.Where(static finding => finding.Severity == FindingSeverity.Error).Take(5);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"The checker has {report.ErrorCount} errors: {string.Join("; ", findings)}");
    }
}
