using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Tests.Planting;

namespace ScoutFs.Volume.Tests.Hostile;

/// <summary>
/// A volume made to harm whoever reads it gives a clear error or odd contents: it never crashes, hangs or eats memory.
/// </summary>
/// <remarks>
/// The seed is in the name of the case. SCOUTFS_SEED=n runs the cases of that seed only, whether they are among the
/// usual ones or not; SCOUTFS_HOSTILE=n runs n seeds a volume instead of the usual few.
/// </remarks>
[TestFixture]
[NonParallelizable]
internal sealed class HostileVolumeTests
{
    private const int UsualSeeds = 25;
    private const int TimeLimitMs = 60_000;

    /// <summary>
    /// What one use may allocate in all, freed or not. Good volumes of this size need up to 30 MB; the rest is left to
    /// findings, which are text, and to sizes that damage may set within what the format allows.
    /// </summary>
    private const long AllocationLimitBytes = 1L << 30;

    private static IEnumerable<TestCaseData> Cases
    {
        get
        {
            DefectOrigin[] origins =
                [DefectOrigin.Busy, DefectOrigin.Plain, DefectOrigin.GoldenBasic, DefectOrigin.GoldenArchive];
            return
                from origin in origins
                from seed in Seeds
                select new TestCaseData(origin, seed) { TestName = $"Hostile({origin}, {seed})" };
        }
    }

    private static IEnumerable<ulong> Seeds
    {
        get
        {
            if (Number("SCOUTFS_SEED") is { } seed)
                return [seed];
            int count = (int)(Number("SCOUTFS_HOSTILE") ?? UsualSeeds);
            return Enumerable.Range(1, count).Select(number => (ulong)number);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public async Task HostileVolume_AnyUse_EndsInGoodTime(DefectOrigin origin, ulong seed)
    {
        var volume = await DefectVolumes.OpenAsync(origin);
        var random = new Prng(seed).Fork(origin.ToString());
        var mutator = new VolumeEditorMutator(volume, random);
        for (int changes = 1 + random.NextInt32(4); changes > 0; changes--)
            mutator.Mutate();
        foreach (var (name, use) in VolumeEditorProbe.Uses)
        {
            string what = $"{name} after {string.Join(", ", mutator.Log)}";
            long before = GC.GetTotalAllocatedBytes();
            try
            {
                // On a thread of its own: a loop without end would not listen to a token.
                await Task.Run(() => use(volume.Meta, volume.Data, CancellationToken.None))
                    .WaitAsync(TimeSpan.FromMilliseconds(TimeLimitMs));
            }
            catch (Exception exception)
            {
                Assert.Fail($"SCOUTFS_SEED={seed}, {what}: {exception}");
            }

            long allocated = GC.GetTotalAllocatedBytes() - before;
            Assert.That(allocated, Is.LessThan(AllocationLimitBytes), $"SCOUTFS_SEED={seed}, {what}");
        }
    }

    private static ulong? Number(string variable) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out ulong number)
            ? number
            : null;
}
