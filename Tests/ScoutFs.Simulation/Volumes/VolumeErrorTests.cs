using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Simulation;

namespace ScoutFs.Simulation.Volumes;

public sealed class VolumeErrorTests
{
    [TestCase(1UL, ErrorKind.Once, SimIoKinds.Any)]
    [TestCase(2UL, ErrorKind.Outage, SimIoKinds.Any)]
    [TestCase(3UL, ErrorKind.Outage, SimIoKinds.Flush)]
    [TestCase(4UL, ErrorKind.ForGood, SimIoKinds.Write | SimIoKinds.Flush)]
    public void Errors_AtEveryDeviceOperation_AreReportedAndLoseNothing(ulong seed, ErrorKind kind, SimIoKinds fails)
    {
        var options = new ErrorOptions { CountOperations = 20, Cases = [new ErrorCase(kind, fails)] };

        var result = new ErrorMachine(new VolumeSubject(), options).Run(seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountCrashes, Is.GreaterThan(10));
        TestContext.Out.WriteLine(result);
    }
}
