using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Tests.Planting;

namespace ScoutFs.Integration.Tests;

/// <summary>Our volumes and defects under the eyes of an independent checker, volcheck.py.</summary>
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
    public async Task Sample_AsMade_IsClean(DefectOrigin sample)
    {
        var volume = await DefectVolumes.OpenAsync(sample);
        var answer = await Session().CheckAsync(sample.ToString(), volume, volume.Fork());
        Assert.That(answer.Crash, Is.Null);
        Assert.That(answer.Lines, Is.Empty);
    }

    [Test]
    public async Task PlantedDefect_Each_IsSeenByBoth()
    {
        List<string> disagreements = [];
        foreach (var group in DefectCatalogue.All.GroupBy(defect => defect.Base))
        {
            var origin = await DefectVolumes.OpenAsync(group.Key);
            foreach (var defect in group)
            {
                var volume = origin.Fork();
                defect.Plant(volume);
                var answer = await Session().CheckAsync(group.Key.ToString(), origin, volume);
                bool isSeen = IsSeen(defect, answer);
                if (isSeen && defect.ReferenceDiffers is not null)
                    disagreements.Add($"{defect}: volcheck.py agrees after all; drop the note.");
                if (!isSeen && defect.ReferenceDiffers is null)
                    disagreements.Add($"{defect}: volcheck.py says {answer.Crash}{string.Join("; ", answer.Lines)}");
            }
        }

        Assert.That(disagreements, Is.Empty);
    }

    private static bool IsSeen(PlantedDefect defect, CrossCheckAnswer answer)
    {
        if (answer.Codes is null)
            return false;
        string warning = defect.Invariant + "(w)";
        return defect.Severity switch
        {
            FindingSeverity.Error => answer.Codes.Contains(defect.Invariant),
            FindingSeverity.Warning => answer.Codes.Contains(warning),
            _ => answer.Codes.Contains(defect.Invariant) || answer.Codes.Contains(warning),
        };
    }

    private CrossCheckSession Session()
    {
        if (_session is null)
            Assert.Ignore("volcheck.py (in shared/tools beside the repository) or python3 is not there.");
        return _session;
    }
}
