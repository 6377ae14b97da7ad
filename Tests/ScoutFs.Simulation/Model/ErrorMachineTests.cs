using NUnit.Framework;
using ScoutFs.Testing.Model;

namespace ScoutFs.Simulation.Model;

public sealed class ErrorMachineTests
{
    [Test]
    public void Run_SoundFileSystem_SurvivesEveryError()
    {
        var result = new ErrorMachine(new JournalSubject(JournalDefect.None), new ErrorOptions()).Run(1);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountCrashes, Is.GreaterThan(20));
    }

    [Test]
    public void Run_ErrorsIgnored_IsFound()
    {
        var options = new ErrorOptions { CountOperations = 60 };

        var result = new ErrorMachine(new JournalSubject(JournalDefect.IgnoresErrors), options).Run(1);

        Assert.That(result.Failure, Does.Contain("equals no state"));
        TestContext.Out.WriteLine(result.Failure);
    }
}
