using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Simulation;

namespace ScoutFs.Simulation.Volumes;

public sealed class VolumeCrashTests
{
    [Test]
    public void Crash_AtEveryWrite_LosesNothingThatWasSynced([Range(1, 4)] int seed)
    {
        var result = new CrashMachine(new VolumeSubject(), new CrashOptions { CountOperations = 120 }).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountCrashes, Is.GreaterThan(20));
        TestContext.Out.WriteLine(result);
    }

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
}
