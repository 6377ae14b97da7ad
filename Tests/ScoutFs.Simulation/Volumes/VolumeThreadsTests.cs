using NUnit.Framework;
using ScoutFs.Testing.Nodes;

namespace ScoutFs.Simulation.Volumes;

public sealed class VolumeThreadsTests
{
    [Test]
    public void Operations_CallersOnThreads_AnswerAsTheModel()
    {
        var result = new ThreadsMachine(new ThreadsOptions { CountOperations = 4000, CountMounts = 4 }).Run(1);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountOperations, Is.GreaterThan(2000));
    }
}
