using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Fuzz;

namespace ScoutFs.Volume.Tests.Hostile;

/// <summary>A short run of every fuzz target: good input, and mutations of it.</summary>
/// <remarks>SCOUTFS_SEED=n runs other mutations, and those of a failure again.</remarks>
[TestFixture]
internal sealed class FuzzTargetsTests
{
    private const int Seeds = 12;
    private const int Rounds = 40;

    private static IEnumerable<string> Names => FuzzTargets.All.Select(target => target.Name);

    [TestCaseSource(nameof(Names))]
    public async Task Target_MutatedSeeds_ThrowsNothing(string name)
    {
        var target = FuzzTargets.Find(name)!;
        string? given = Environment.GetEnvironmentVariable("SCOUTFS_SEED");
        ulong seed = given is null ? 1 : ulong.Parse(given, CultureInfo.InvariantCulture);
        var all = await target.Seeds();
        Assert.That(all, Is.Not.Empty);

        // Spread over all volumes that seeds come from.
        var seeds = all.Where((_, index) => index % ((all.Count + Seeds - 1) / Seeds) == 0).ToList();
        using var report = new StringWriter();
        byte[]? failure = await Program.MutateAsync(target, seeds, Rounds, seed, report);
        Assert.That(failure, Is.Null, report.ToString);
    }
}
