using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Planting;

/// <summary>The checker finds every planted defect, under its invariant, and nothing that is not there.</summary>
[TestFixture]
[Parallelizable(ParallelScope.Children)]
internal sealed class PlantedDefectTests
{
    private static readonly ConcurrentDictionary<DefectOrigin, IReadOnlyList<Finding>> Baselines = new();

    private static IEnumerable<TestCaseData> Defects =>
        DefectCatalogue.All.Select(defect => new TestCaseData(defect) { TestName = defect.Name });

    [TestCase(DefectOrigin.Busy)]
    [TestCase(DefectOrigin.Plain)]
    [TestCase(DefectOrigin.Tiny)]
    public async Task Sample_AsMade_HasNoFindings(DefectOrigin sample)
    {
        var report = await CheckAsync(await DefectVolumes.OpenAsync(sample));
        Assert.That(report.Findings, Is.Empty);
        Assert.That(report.NotChecked, Is.Empty);
    }

    [TestCaseSource(nameof(Defects))]
    public async Task Defect_Planted_IsReportedAndNothingElse(PlantedDefect defect)
    {
        var volume = await DefectVolumes.OpenAsync(defect.Origin);
        var before = await BaselineAsync(defect.Origin, volume);
        defect.Plant(volume);
        var report = await CheckAsync(volume);
        var found = report.Findings.Where(finding => finding.Invariant == defect.Invariant).ToList();
        Assert.That(found, Is.Not.Empty, () => $"{defect.Invariant} is not reported. {Describe(report)}");
        if (defect.Severity is not null)
        {
            Assert.That(
                found.Select(finding => finding.Severity),
                Does.Contain(defect.Severity),
                () => $"The severity is another. {Describe(report)}");
        }

        var unrelated = report.Findings.Where(finding =>
            finding.Invariant != defect.Invariant
            && !defect.Companions.ContainsKey(finding.Invariant)
            && !before.Any(known => known.Invariant == finding.Invariant && known.What == finding.What));
        Assert.That(unrelated, Is.Empty);
    }

    [Test]
    public void Catalogue_Names_AreDistinct() =>
        Assert.That(DefectCatalogue.All.Select(defect => defect.Name), Is.Unique);

    [Test]
    public void Catalogue_Invariants_AreAllOfThem()
    {
        int[] numbers =
        [
            .. Enumerable.Range(1, 4), .. Enumerable.Range(6, 7), .. Enumerable.Range(20, 20),
            .. Enumerable.Range(41, 6), .. Enumerable.Range(50, 4), 60, 62, 63, .. Enumerable.Range(70, 33),
        ];
        Assert.That(
            DefectCatalogue.All.Select(defect => defect.Invariant).Distinct(),
            Is.EquivalentTo(numbers.Select(number => $"I{number}")));
    }

    /// <summary>What is found in a base that nothing was planted into: what is known of Linux.</summary>
    private static async ValueTask<IReadOnlyList<Finding>> BaselineAsync(DefectOrigin name, VolumeEditor origin)
    {
        if (!Baselines.TryGetValue(name, out var findings))
            Baselines[name] = findings = (await CheckAsync(origin.Fork())).Findings;
        return findings;
    }

    private static ValueTask<CheckReport> CheckAsync(VolumeEditor volume) => VolumeChecker.CheckAsync(
        volume.Meta, volume.Data, new CheckOptions(), null, CancellationToken.None);

    private static string Describe(CheckReport report) =>
        "The report: " + string.Join("\n", report.Findings.Select(finding => finding.ToString()))
        + string.Join("\n", report.NotChecked);
}
