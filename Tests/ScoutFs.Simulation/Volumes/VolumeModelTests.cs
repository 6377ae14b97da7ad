using System.Collections.Generic;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Simulation;

namespace ScoutFs.Simulation.Volumes;

public sealed class VolumeModelTests
{
    private static IEnumerable<TestCaseData> Profiles =>
    [
        new TestCaseData(WorkloadProfile.Usual, 4000).SetArgDisplayNames("usual"),
        new TestCaseData(WorkloadProfile.BigDirectories, 6000).SetArgDisplayNames("big directories"),
        new TestCaseData(WorkloadProfile.DeepTrees, 3000).SetArgDisplayNames("deep trees"),
        new TestCaseData(WorkloadProfile.Contents, 2000).SetArgDisplayNames("contents"),
        new TestCaseData(WorkloadProfile.Xattrs, 2000).SetArgDisplayNames("xattrs"),
    ];

    [TestCaseSource(nameof(Profiles))]
    public void Operations_OneCaller_AnswerAsTheModel(WorkloadProfile profile, int countOperations)
    {
        var options = new ModelOptions { Profile = profile, CountOperations = countOperations };

        var result = new ModelMachine(new VolumeSubject(), options).Run(1);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountOperations, Is.GreaterThan(countOperations / 2));
    }

    [Test]
    public void Operations_SeveralCallersOnADiskWithLatency_AnswerAsTheModel([Range(1, 2)] int seed)
    {
        var options = new ModelOptions
        {
            CountOperations = 600,
            CountCallers = 4,
            CountMounts = 3,
            Latency = SimLatency.Usual,
        };

        var result = new ModelMachine(new VolumeSubject(), options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountOperations, Is.GreaterThan(1500));
    }

    // Callers that want space while a commit gives back what is left of it.
    [Test]
    public void Operations_SeveralCallersThatWrite_AnswerAsTheModel([Range(1, 2)] int seed)
    {
        var options = new ModelOptions
        {
            Profile = WorkloadProfile.Contents with { Sync = 60, MaxFileBytes = 1 << 20, MaxWriteBytes = 32 << 10 },
            CountOperations = 300,
            CountCallers = 4,
            Latency = SimLatency.Usual,
        };

        var result = new ModelMachine(new VolumeSubject(), options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
    }
}
