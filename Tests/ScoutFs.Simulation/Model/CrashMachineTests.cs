using System.Collections.Generic;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Simulation;

namespace ScoutFs.Simulation.Model;

public sealed class CrashMachineTests
{
    private static readonly CrashOptions Options = new() { CountOperations = 100, CutAgainPerMille = 200 };

    [Test]
    public void Run_SoundFileSystem_SurvivesEveryCrash([Range(1, 4)] int seed)
    {
        var result = new CrashMachine(new JournalSubject(JournalDefect.None), Options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountCrashes, Is.GreaterThan(15));
        Assert.That(result.CountRollbacks, Is.GreaterThan(5));
    }

    [Test]
    public void Run_SoundFileSystemOnSlowDisksThatFail_SurvivesEveryCrash([Range(1, 4)] int seed)
    {
        var options = Options with
        {
            Latency = SimLatency.Slow,
            FailPerMillion = 20_000,
            AtomicBytes = 512,
        };

        var result = new CrashMachine(new JournalSubject(JournalDefect.None), options).Run((ulong)seed);

        Assert.That(result.Failure, Is.Null);
        Assert.That(result.CountCrashes, Is.GreaterThan(15));
    }

    [Test]
    public void Run_SameSeed_RepeatsTheRun()
    {
        var machine = new CrashMachine(new JournalSubject(JournalDefect.None), Options);
        var first = machine.Run(7);
        var second = machine.Run(7);

        Assert.That(second, Is.EqualTo(first));
        Assert.That(machine.Run(8).TraceHash, Is.Not.EqualTo(first.TraceHash));
    }

    [TestCase(JournalDefect.NoFlush, "equals no state")]
    [TestCase(JournalDefect.NoCrc, "")]
    [TestCase(JournalDefect.NoLinks, "equals no state")]
    [TestCase(JournalDefect.HalfRenames, "equals no state")]
    [TestCase(JournalDefect.WrongMode, "mode")]
    public void Run_BrokenFileSystem_IsFound(JournalDefect defect, string expected)
    {
        var machine = new CrashMachine(new JournalSubject(defect), Options);
        var failures = new List<string>();
        for (ulong seed = 1; seed <= 20 && failures.Count == 0; seed++)
        {
            if (machine.Run(seed).Failure is { } failure)
                failures.Add(failure);
        }

        Assert.That(failures, Has.Count.EqualTo(1));
        Assert.That(failures[0], Does.Contain(expected));
        TestContext.Out.WriteLine(failures[0]);
    }
}
