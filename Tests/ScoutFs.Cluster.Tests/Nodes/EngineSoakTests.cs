using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Testing.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>A million random operations by callers on threads of their own, remounts and checks in between.</summary>
internal sealed class EngineSoakTests
{
    private const int Callers = 4;
    private const int Rounds = 20;

    private static readonly CancellationToken None = CancellationToken.None;

    [Test]
    [Explicit("Takes minutes.")]
    [Category("Soak")]
    public async Task RandomOperations_OnThreads_AMillionAreAsTheModelSays([Values(1_000_000)] int operations)
    {
        var time = new StandingTime();
        var prng = new Prng(99);
        var (meta, data) = await TestNode.FormatAsync();
        var node = await TestNode.StartAsync(meta, data, 1, new MountOptions(), time);
        var callers = new List<ModelCaller>();
        for (int i = 0; i < Callers; i++)
        {
            var (error, home, _) = await node.Fs.CreateAsync(
                1, ModelText.ToBytes($"home{i}"), FileMode.Directory | 0x1c0, 0, default,
                new Creator(0, 0, node.Fs.Now), None);
            Assert.That(error, Is.EqualTo(FsError.None));
            callers.Add(await ModelCaller.StartAsync(
                node.Fs, home, prng.Fork($"caller{i}"), i % 2 == 0 ? WorkloadProfile.Usual : WorkloadProfile.Crash));
        }

        var clock = Stopwatch.StartNew();
        for (int round = 0; round < Rounds; round++)
        {
            await Task.WhenAll(callers.Select(caller => Task.Run(
                () => caller.RunAsync(operations / Callers / Rounds, static () => Task.CompletedTask))));
            foreach (var caller in callers)
            {
                await caller.CompareAsync();
                await caller.CloseAllAsync();
            }

            await node.UnmountAsync();
            var report = await VolumeChecker.CheckAsync(meta, data, new CheckOptions(), null, None);
            Assert.That(report.Findings.Select(static finding => finding.ToString()), Is.Empty);
            await TestContext.Progress.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{callers.Sum(static caller => caller.Done)} operations in {clock.Elapsed.TotalSeconds:f0} s"));
            time.GoOn();
            node = await TestNode.StartAsync(meta, data, (ulong)round + 2, new MountOptions(), time);
            foreach (var caller in callers)
                caller.Driver.Fs = node.Fs;
        }

        await node.UnmountAsync();
    }

    // Stands still, so that the model knows the time of an operation; timers are real.
    private sealed class StandingTime : TimeProvider
    {
        private long _ticks = DateTimeOffset.UnixEpoch.AddYears(60).UtcTicks;

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

        public void GoOn() => Interlocked.Add(ref _ticks, 12_345_678);
    }
}
