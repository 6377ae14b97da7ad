using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Lets the crash machine work on volumes: our mkfs, our engine, our checker.</summary>
public sealed class VolumeSubject : ICrashSubject
{
    /// <summary>Room for some mounts and their leaders, which reserve it at once.</summary>
    public long MetaBytes => 12L << 30;

    /// <inheritdoc/>
    public long DataBytes => 4L << 30;

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
    public async Task<IFsUnderTest> MountAsync(CrashWorld world) => await MountedVolume.MountAsync(world);

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
