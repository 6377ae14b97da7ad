using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Simulation.Model;

public sealed class WorkloadTests
{
    private static IEnumerable<TestCaseData> Profiles =>
    [
        new TestCaseData(WorkloadProfile.Usual).SetArgDisplayNames("usual"),
        new TestCaseData(WorkloadProfile.Usual with { Archive = 60 }).SetArgDisplayNames("archive"),
        new TestCaseData(WorkloadProfile.BigDirectories).SetArgDisplayNames("big directories"),
        new TestCaseData(WorkloadProfile.DeepTrees).SetArgDisplayNames("deep trees"),
        new TestCaseData(WorkloadProfile.Contents).SetArgDisplayNames("contents"),
        new TestCaseData(WorkloadProfile.Xattrs).SetArgDisplayNames("xattrs"),
        new TestCaseData(WorkloadProfile.Crash).SetArgDisplayNames("crash"),
    ];

    [TestCaseSource(nameof(Profiles))]
    public void Next_ManyOperations_MostSucceedAndTheStateStaysWhole(WorkloadProfile profile)
    {
        var fs = new ModelFs(new ModelTime(1, 0));
        var workload = new Workload(new Prng(5), profile);
        var outcomes = new Dictionary<Type, (int Done, int Refused)>();
        int skipped = 0;
        const int Count = 6000;
        for (int i = 0; i < Count; i++)
        {
            var op = workload.Next(fs.State);
            if (!fs.Knows(op))
            {
                skipped++;
                continue;
            }

            bool isDone = fs.Apply(op, new ModelTime(i, 0)).Faults.IsEmpty;
            var (done, refused) = outcomes.GetValueOrDefault(op.GetType());
            outcomes[op.GetType()] = isDone ? (done + 1, refused) : (done, refused + 1);
        }

        RequireWhole(fs.State);
        Assert.That(skipped, Is.LessThan(Count / 10));
        Assert.That(outcomes.Values.Sum(static pair => pair.Done), Is.GreaterThan(Count / 2));
        Assert.That(outcomes.Values.All(static pair => pair.Done > 0), Is.True);
        TestContext.Out.WriteLine(string.Join(
            ", ", outcomes.Select(static pair => $"{pair.Key.Name} {pair.Value.Done}+{pair.Value.Refused}")));
    }

    [Test]
    public void Next_SameSeed_DrawsTheSame()
    {
        var first = Draw(3);
        var second = Draw(3);

        Assert.That(second, Is.EqualTo(first).AsCollection);
        Assert.That(Draw(4), Is.Not.EqualTo(first).AsCollection);
    }

    [Test]
    public void ToText_AnyOperations_ComeBack()
    {
        var operations = Draw(3);

        Assert.That(
            WorkloadShrinker.FromText(WorkloadShrinker.ToText(operations)), Is.EqualTo(operations).AsCollection);
    }

    [Test]
    public async Task ShrinkAsync_TwoOperationsMatter_LeavesThose()
    {
        var operations = Draw(3);
        var (first, second) = (operations[17], operations[333]);

        var shrunk = await WorkloadShrinker.ShrinkAsync(
            operations, list => Task.FromResult(list.Contains(first) && list.Contains(second)));

        Assert.That(shrunk, Is.EqualTo(new[] { first, second }).AsCollection);
    }

    [Test]
    public void Pairs_NameCollisions_HaveOneHash()
    {
        Assert.That(NameCollisions.Pairs, Has.Count.GreaterThan(2));
        foreach (var (first, second) in NameCollisions.Pairs)
        {
            Assert.That(first, Is.Not.EqualTo(second));
            Assert.That(
                NameHash.Compute(ModelText.ToBytes(first)), Is.EqualTo(NameHash.Compute(ModelText.ToBytes(second))));
        }
    }

    private static List<FsOp> Draw(ulong seed)
    {
        var fs = new ModelFs(new ModelTime(1, 0));
        var workload = new Workload(new Prng(seed), WorkloadProfile.Usual);
        var drawn = new List<FsOp>();
        for (int i = 0; i < 1000; i++)
        {
            var op = workload.Next(fs.State);
            drawn.Add(op);
            if (fs.Knows(op))
                _ = fs.Apply(op, new ModelTime(i, 0));
        }

        return drawn;
    }

    // Recounts everything that the model counts along.
    private static void RequireWhole(ModelState state)
    {
        foreach (var inode in state.Inodes.Values)
        {
            Assert.That(inode.Nlink > 0 || inode.Opens > 0, Is.True);
            Assert.That(inode.OfflineBlocks, Is.EqualTo(inode.Blocks.Values.Count(static block => block.IsOffline)));
            foreach (var link in inode.Links)
                Assert.That(state.Find(link.Directory, link.Name)?.Id, Is.EqualTo(inode.Id));
            if (!inode.IsDirectory)
            {
                Assert.That(inode.Nlink, Is.EqualTo(inode.Links.Count));
                continue;
            }

            int directories = inode.Entries.Values.Count(entry => state.Find(entry.Id)!.IsDirectory);
            Assert.That(inode.Nlink, Is.EqualTo(inode.Nlink == 0 ? 0 : 2 + directories));
            Assert.That(inode.Size, Is.EqualTo(inode.Entries.Keys.Sum(static name => name.Length)));
            Assert.That(inode.Entries.Values.All(entry => entry.Position < inode.NextPosition), Is.True);
        }
    }
}
