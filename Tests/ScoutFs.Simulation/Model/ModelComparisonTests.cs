using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Testing.Model;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Simulation.Model;

public sealed class ModelComparisonTests
{
    private const ulong Root = ModelState.RootId;

    private static IEnumerable<TestCaseData> Changes =>
    [
        Change(new RemoveOp(4, "file", false), "/dir: 'file' is missing"),
        Change(new MakeOp(4, "more", 99, FileMode.Regular, 0, 0), "/dir: 'more' should not be there"),
        Change(new SetAttrOp(2, Mode: 0x100), "/plain: mode: expected 100644, got 100400"),
        Change(new SetAttrOp(2, Uid: 9), "/plain: owner: expected 0:0, got 9:0"),
        Change(new SetAttrOp(2, Mtime: new ModelTime(-5, 6)), "/plain: mtime"),
        Change(new SetProjectOp(2, 3), "/plain: project: expected 0, got 3"),
        Change(new WriteOp(2, 5000, 1, 77), "/plain: block 1 has other contents from byte 904 on"),
        Change(new WriteOp(2, 16384, 1, 7), "/plain: size: expected 12297, got 16385"),
        Change(new TruncateOp(2, 0), "/plain: size"),
        Change(new SetXattrOp(2, "user.a", "other", 0, 0, false, false), "xattr 'user.a' has another value"),
        Change(new RemoveXattrOp(2, "user.a"), "/plain: xattr 'user.a' is missing"),
        Change(new SetXattrOp(2, "user.b", "x", 0, 0, false, false), "xattr 'user.b' should not be there"),
        Change(new LinkOp(2, 4, "again"), "/dir: 'again' should not be there"),
    ];

    [TestCaseSource(nameof(Changes))]
    public void Compare_OneChange_IsNamed(FsOp change, string expected)
    {
        var before = Sample();
        var fs = new ModelFs(before);

        Assert.That(fs.Apply(change, new ModelTime(8, 0)).Faults.IsEmpty, Is.True);

        Assert.That(ModelComparison.Compare(before, before, Exact).Difference, Is.Null);
        var options = Exact with { ComparesTimes = expected.Contains("mtime", StringComparison.Ordinal) };
        Assert.That(ModelComparison.Compare(before, fs.State, options).Difference, Does.Contain(expected));
    }

    [Test]
    public void Compare_HardLinkBecomesACopy_IsNamed()
    {
        var linked = new ModelFs(new ModelTime(1, 0));
        var copied = new ModelFs(new ModelTime(1, 0));
        foreach (var fs in new[] { linked, copied })
        {
            _ = fs.Apply(new MakeOp(Root, "a", 2, FileMode.Regular, 0, 0), new ModelTime(1, 0));
            _ = fs.Apply(new MakeOp(Root, "b", 3, FileMode.Regular, 0, 0), new ModelTime(1, 0));
        }

        _ = linked.Apply(new LinkOp(2, Root, "c"), new ModelTime(1, 0));
        _ = linked.Apply(new LinkOp(3, Root, "d"), new ModelTime(1, 0));
        _ = copied.Apply(new LinkOp(3, Root, "c"), new ModelTime(1, 0));
        _ = copied.Apply(new LinkOp(2, Root, "d"), new ModelTime(1, 0));

        Assert.That(
            ModelComparison.Compare(linked.State, copied.State, Exact).Difference, Does.Contain("hard link"));
    }

    [Test]
    public void Judge_AnyStateSinceTheSync_IsAccepted()
    {
        var fs = new ModelFs(Sample());
        var judge = new CrashJudge(fs.State);
        var states = new List<ModelState> { fs.State };
        for (ulong i = 0; i < 6; i++)
        {
            _ = fs.Apply(new WriteOp(2, i * 700, 300, i), new ModelTime((long)i, 0));
            judge.Add(fs.State);
            states.Add(fs.State);
            if (i == 2)
                judge.Sync();
        }

        Assert.That(judge.CountDurable, Is.EqualTo(3));
        for (int i = 3; i <= 6; i++)
        {
            Assert.That(judge.Judge(states[i], out long survived), Is.Null);
            Assert.That(survived, Is.EqualTo(i));
        }

        string? lost = judge.Judge(states[2], out _);
        Assert.That(lost, Does.Contain("between operation 3").And.Contain("/plain: mtime"));
    }

    [Test]
    public void Judge_OverwrittenInPlace_AcceptsSectorsOfLaterStatesOnly()
    {
        var fs = new ModelFs(Sample());
        var judge = new CrashJudge(fs.State);
        var before = fs.State.Find(2)!;
        _ = fs.Apply(new WriteOp(2, 0, 4096, 500), new ModelTime(1, 0));
        judge.Add(fs.State);
        var after = fs.State.Find(2)!;

        byte[] torn = (byte[])before.Blocks[0].Bytes.Clone();
        after.Blocks[0].Bytes.AsSpan(512, 512).CopyTo(torn.AsSpan(512));
        var found = With(before, torn);
        Assert.That(judge.Judge(found, out long survived), Is.Null);
        Assert.That(survived, Is.Zero);

        torn[700] ^= 1;
        Assert.That(judge.Judge(With(before, torn), out _), Does.Contain("block 0 has other contents"));

        ModelState With(ModelInode inode, byte[] bytes)
        {
            var blocks = inode.Blocks.SetItem(0, new ModelBlock(bytes, false));
            return new ModelState(Sample().Inodes.SetItem(2, inode with { Blocks = blocks }));
        }
    }

    [TestCase("g0-empty")]
    [TestCase("g1-basic")]
    public async Task LoadAsync_GoldenVolume_ReadsAStateThatEqualsItself(string name)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        using var volume = await OfflineVolume.OpenAsync(
            golden.Meta, golden.DataDevice, OfflineVolume.DefaultCacheBytes, CancellationToken.None);

        var state = await VolumeState.LoadAsync(volume, CancellationToken.None);

        Assert.That(
            ModelComparison.Compare(state, state, Exact with { ComparesAtime = true }).Difference, Is.Null);
        Assert.That(state.Inodes, Is.Not.Empty);
        foreach (var directory in state.Inodes.Values.Where(static inode => inode.IsDirectory))
            Assert.That(directory.Size, Is.EqualTo(directory.Entries.Keys.Sum(static entry => entry.Length)));
    }

    private static ModelComparisonOptions Exact => ModelComparisonOptions.Exact;

    private static TestCaseData Change(FsOp change, string expected) =>
        new TestCaseData(change, expected).SetArgDisplayNames(change.ToString());

    private static ModelState Sample()
    {
        var fs = new ModelFs(new ModelTime(1, 0));
        FsOp[] operations =
        [
            new MakeOp(Root, "plain", 2, FileMode.Regular | 0x1a4, 0, 0),
            new WriteOp(2, 0, 12_297, 1),
            new SetXattrOp(2, "user.a", "value", 0, 0, false, false),
            new MakeOp(Root, "link", 3, FileMode.Symlink | 0x1ff, 0, 0, Target: "plain"),
            new MakeOp(Root, "dir", 4, FileMode.Directory | 0x1ed, 0, 0),
            new MakeOp(4, "file", 5, FileMode.Regular | 0x1a4, 0, 0),
        ];
        foreach (var op in operations)
            Assert.That(fs.Apply(op, new ModelTime(2, 3)).Faults.IsEmpty, Is.True);
        return fs.State;
    }
}
