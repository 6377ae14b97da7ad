using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Simulation;

namespace ScoutFs.Simulation.Volumes;

public sealed class VolumeCrashTests
{
    [Test]
    public void Crash_AtEveryWrite_LosesNothingThatWasSynced([Range(1, 3)] int seed)
    {
        var result = new CrashMachine(new VolumeSubject(), new CrashOptions { CountOperations = 120 }).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountCrashes, Is.GreaterThan(20));
        TestContext.Out.WriteLine(result);
    }

    [Test]
    public void Crash_WhileLogsAreMerged_LosesNothingThatWasSynced([Range(21, 22)] int seed)
    {
        var subject = VolumeSubject.Busy;
        var options = new CrashOptions { CountOperations = 80, PausePerMille = 200, CutPerMille = 250 };

        var result = new CrashMachine(subject, options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(subject.CountMerged, Is.Positive);
        TestContext.Out.WriteLine(result);
    }

    [Test]
    public void Crash_AtEveryWriteOfARecovery_LosesNothingThatWasSynced([Values(31)] int seed)
    {
        var options = new CrashOptions
        {
            CountOperations = 40,
            PausePerMille = 200,
            CutPerMille = 30,
            CutAgainPerMille = 1000,
            CountOperationsAfter = 0,
            MaxCrashes = 100,
        };

        var result = new CrashMachine(VolumeSubject.Busy, options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        TestContext.Out.WriteLine(result);
    }

    [Test]
    public void Crash_FullDataDevice_LosesNothingAndSpaceComesBack([Values(42)] int seed) =>
        Fill(VolumeSubject.SmallData, seed, comesBack: true);

    [Test]
    public void Crash_LowOnMetadata_LosesNothingAndRemovesFiles([Values(1)] int seed) =>
        Fill(VolumeSubject.SmallMeta, seed, comesBack: false);

    [Test]
    public void Crash_SlowDisksThatFail_LosesNothingThatWasSynced([Range(11, 12)] int seed)
    {
        var options = new CrashOptions
        {
            CountOperations = 80,
            Latency = SimLatency.Usual,
            FailPerMillion = 10_000,
        };

        var result = new CrashMachine(new VolumeSubject(), options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        TestContext.Out.WriteLine(result);
    }

    private static void Fill(VolumeSubject subject, int seed, bool comesBack)
    {
        var options = new CrashOptions
        {
            CountOperations = 150,
            Profile = WorkloadProfile.Filling,
            IsFilling = true,
            ComesBack = comesBack,
            CutPerMille = 50,
        };

        var result = new CrashMachine(subject, options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountNoSpace, Is.Positive);
        TestContext.Out.WriteLine(result);
    }
}
