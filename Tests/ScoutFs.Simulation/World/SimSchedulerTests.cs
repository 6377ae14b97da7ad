using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Simulation.World;

public sealed class SimSchedulerTests
{
    [Test]
    public void Run_DelaysOutOfOrder_WakeInOrderOfTime()
    {
        var scheduler = new SimScheduler();
        var time = new SimTime(scheduler);
        var order = new List<int>();

        scheduler.Run(() => Task.WhenAll(SleepAsync(30), SleepAsync(10), SleepAsync(20)));

        Assert.That(order, Is.EqualTo(new[] { 10, 20, 30 }));
        Assert.That(time.GetUtcNow(), Is.EqualTo(SimTime.Start.AddSeconds(30)));

        async Task SleepAsync(int seconds)
        {
            await Task.Delay(TimeSpan.FromSeconds(seconds), time);
            order.Add(seconds);
        }
    }

    [Test]
    public void Run_SameSeed_GivesTheSameTrace([Values(1UL, 2UL, 3UL)] ulong seed)
    {
        var first = RunMixedWorld(seed);
        var second = RunMixedWorld(seed);

        Assert.That(second, Is.EqualTo(first));
    }

    [Test]
    public void Run_OtherSeed_GivesAnotherTrace()
    {
        Assert.That(RunMixedWorld(1), Is.Not.EqualTo(RunMixedWorld(2)));
    }

    [Test]
    public void Run_NothingCanRun_FailsAtOnceWithTheLastEvents()
    {
        var scheduler = new SimScheduler();

        var failure = Assert.Throws<SimStalledException>(() => scheduler.Run(async () =>
        {
            scheduler.Trace("takes the lock", 7);
            await new TaskCompletionSource().Task;
        }));

        Assert.That(failure!.Message, Does.Contain("nothing can run").And.Contain("takes the lock 7"));
    }

    [Test]
    public void Run_OnlyATimerThatRepeats_FailsAtTheLimitOfTime()
    {
        var scheduler = new SimScheduler { MaxTime = TimeSpan.FromMinutes(5) };
        var time = new SimTime(scheduler);
        int rings = 0;

        Assert.That(
            () => scheduler.Run(async () =>
            {
                await using var timer = time.CreateTimer(
                    _ => rings++, null, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10));
                await new TaskCompletionSource().Task;
            }),
            Throws.TypeOf<SimStalledException>().With.Message.Contains("00:05:00 of simulated time"));
        Assert.That(rings, Is.EqualTo(30));
    }

    [Test]
    public void Run_CirclesWithoutTime_FailsAtTheLimitOfSteps()
    {
        var scheduler = new SimScheduler { MaxSteps = 1000 };

        Assert.That(
            () => scheduler.Run(async () =>
            {
                while (true)
                    await Task.Yield();
            }),
            Throws.TypeOf<SimStalledException>().With.Message.Contains("1000 steps"));
    }

    [Test]
    public void Run_TimerSwitchedOff_DoesNotMoveTime()
    {
        var scheduler = new SimScheduler();
        var time = new SimTime(scheduler);

        scheduler.Run(async () =>
        {
            using var cancellation = new CancellationTokenSource(TimeSpan.FromHours(1), time);
            await Task.Delay(TimeSpan.FromSeconds(1), time);
        });

        Assert.That(scheduler.NowTicks, Is.EqualTo(TimeSpan.TicksPerSecond));
        Assert.That(scheduler.AlarmsSet, Is.Zero);
    }

    [Test]
    public void Run_WorkFromAnotherThread_Fails()
    {
        var scheduler = new SimScheduler();
        var foreign = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        Assert.That(
            () => scheduler.Run(async () =>
            {
                var thread = new Thread(() => foreign.SetResult());
                thread.Start();
                thread.Join();
                while (!foreign.Task.IsCompleted)
                    await Task.Yield();
                scheduler.Trace("came back");
                var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var waiting = WaitAsync(second.Task);
                var other = new Thread(() => second.SetResult());
                other.Start();
                other.Join();
                await waiting;
            }),
            Throws.TypeOf<SimStalledException>().With.Message.Contains("another thread"));

        static async Task WaitAsync(Task task) => await task;
    }

    [Test]
    public void Run_MainFails_ThrowsItsException()
    {
        Assert.That(
            () => new SimScheduler().Run(async () =>
            {
                await Task.Yield();
                throw new InvalidOperationException("mine");
            }),
            Throws.InvalidOperationException.With.Message.EqualTo("mine"));
    }

    [Test]
    public void Change_PeriodicTimer_RingsUntilDisposed()
    {
        var scheduler = new SimScheduler();
        var time = new SimTime(scheduler);
        int rings = 0;

        scheduler.Run(async () =>
        {
            var timer = time.CreateTimer(
                _ => rings++, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Assert.That(timer.Change(TimeSpan.Zero, TimeSpan.FromSeconds(3)), Is.True);
            await Task.Delay(TimeSpan.FromSeconds(10), time);
            await timer.DisposeAsync();
            await Task.Delay(TimeSpan.FromSeconds(10), time);
            Assert.That(timer.Change(TimeSpan.Zero, TimeSpan.FromSeconds(3)), Is.False);
        });

        Assert.That(rings, Is.EqualTo(4));
    }

    // Delays, semaphores, channels and completions: everything that the product waits with.
    private static (ulong Hash, string Order) RunMixedWorld(ulong seed)
    {
        var prng = new Prng(seed);
        var scheduler = new SimScheduler(prng.Fork("choice"));
        var time = new SimTime(scheduler);
        var semaphore = new SemaphoreSlim(2);
        var channel = Channel.CreateBounded<int>(3);
        var order = new List<int>();
        scheduler.Run(async () =>
        {
            var tasks = new List<Task>();
            for (int i = 0; i < 20; i++)
                tasks.Add(WorkAsync(i, prng.Fork($"task {i}")));
            tasks.Add(DrainAsync());
            await Task.WhenAll(tasks);
        });
        return (scheduler.TraceHash, string.Join(',', order));

        async Task WorkAsync(int number, Prng random)
        {
            for (int round = 0; round < 10; round++)
            {
                await semaphore.WaitAsync();
                try
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(random.NextInt32(5)), time);
                    order.Add(number);
                    await channel.Writer.WriteAsync(number);
                }
                finally
                {
                    _ = semaphore.Release();
                }
            }
        }

        async Task DrainAsync()
        {
            for (int i = 0; i < 200; i++)
            {
                int number = await channel.Reader.ReadAsync();
                scheduler.Trace("took", number);
                await Task.Yield();
            }
        }
    }
}
