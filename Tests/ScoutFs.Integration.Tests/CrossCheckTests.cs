using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Tests.Planting;

namespace ScoutFs.Integration.Tests;

/// <summary>Our checker beside an independent one, volcheck.py: both must say the same.</summary>
/// <remarks>volcheck.py lies beside the repository, not in it; without it, or python3, these are skipped.</remarks>
[TestFixture]
internal sealed class CrossCheckTests
{
    private CrossCheckSession? _session;

    [OneTimeSetUp]
    public void Start()
    {
        string? script = CrossCheckSession.FindScript();
        _session = script is null ? null : CrossCheckSession.TryStart(script);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_session is not null)
            await _session.DisposeAsync();
    }

    [TestCase(DefectOrigin.Busy)]
    [TestCase(DefectOrigin.Plain)]
    [TestCase(DefectOrigin.Tiny)]
    public async Task Sample_AsMade_IsCleanForBoth(DefectOrigin sample)
    {
        var volume = await DefectVolumes.OpenAsync(sample);
        var answer = await Session().CheckAsync(sample.ToString(), volume, volume.Fork());
        Assert.That(answer.Crash, Is.Null);
        Assert.That(answer.Lines, Is.Empty);
        Assert.That((await CheckAsync(volume)).Findings, Is.Empty);
    }

    [TestCaseSource(typeof(GoldenVolume), nameof(GoldenVolume.Names))]
    public async Task GoldenVolume_AsLinuxLeftIt_IsTheSameForBoth(string name)
    {
        var session = Session();
        var volume = await LoadMetadataAsync(name);
        var answer = await session.CheckAsync(name, volume, volume.Fork());
        var report = await CheckAsync(volume);
        Assert.That(answer.Crash, Is.Null);
        Assert.That(report.ErrorCount, Is.Zero);
        Assert.That(report.NotChecked, Is.Empty);
        Assert.That(report.Warnings.Keys.Select(invariant => invariant + "(w)"), Is.EquivalentTo(answer.Codes!));
    }

    /// <summary>Every planted defect, unless the catalogue says why volcheck.py sees it otherwise.</summary>
    [Test]
    public async Task PlantedDefect_Each_IsTheSameForBoth()
    {
        var session = Session();
        List<string> disagreements = [];
        foreach (var group in DefectCatalogue.All.GroupBy(defect => defect.Origin))
        {
            var origin = await DefectVolumes.OpenAsync(group.Key);
            foreach (var defect in group)
            {
                var volume = origin.Fork();
                defect.Plant(volume);
                var answer = await session.CheckAsync(group.Key.ToString(), origin, volume);
                var report = await CheckAsync(volume);
                string ours = Describe(
                    report.Errors.ContainsKey(defect.Invariant), report.Warnings.ContainsKey(defect.Invariant));
                string theirs = answer.Codes is null
                    ? "crash"
                    : Describe(
                        answer.Codes.Contains(defect.Invariant), answer.Codes.Contains(defect.Invariant + "(w)"));
                bool isSame = ours == theirs;
                if (isSame == defect.ReferenceDiffers is null)
                    continue;
                string lines = string.Join("; ", answer.Lines);
                disagreements.Add(
                    $"{defect}: ours {ours}, volcheck.py {theirs}, noted: {defect.ReferenceDiffers}. {lines}");
            }
        }

        Assert.That(disagreements, Is.Empty);
    }

    private static string Describe(bool isError, bool isWarning) =>
        isError ? "error" : isWarning ? "warning" : "nothing";

    private static ValueTask<CheckReport> CheckAsync(VolumeEditor volume) => VolumeChecker.CheckAsync(
        volume.Meta, volume.Data, new CheckOptions(), null, CancellationToken.None);

    /// <summary>Unpacks a golden volume without file contents, which the big ones have plenty of.</summary>
    private static async Task<VolumeEditor> LoadMetadataAsync(string name)
    {
        await using var from = File.OpenRead(GoldenVolume.PathOf(name, ".packed"));
        var sizes = await PackedVolume.ReadHeaderAsync(from, CancellationToken.None);
        var meta = new VolumeEditorDevice(name + "/meta", sizes.MetaBytes);
        var data = new CrossCheckDataDevice(name + "/data", sizes.DataBytes);
        await PackedVolume.UnpackAsync(from, sizes, meta, data, progress: null, CancellationToken.None);
        return new VolumeEditor(meta, data.Kept);
    }

    private CrossCheckSession Session()
    {
        if (_session is null)
            Assert.Ignore("volcheck.py (in shared/tools beside the repository) or python3 is not there.");
        return _session;
    }
}
