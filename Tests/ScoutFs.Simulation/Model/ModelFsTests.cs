using System;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Testing.Model;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Simulation.Model;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ModelFsTests
{
    private const ulong Root = ModelState.RootId;

    private readonly ModelFs _fs = new(new ModelTime(1, 0));
    private long _now = 10;

    [Test]
    public void Make_FileAndDirectory_CountsInTheParent()
    {
        Do(File(2, "abc"));
        Do(Directory(3, "de"));

        var root = _fs.State.Find(Root)!;
        Assert.That((root.Size, root.Nlink, root.Mtime.Seconds), Is.EqualTo((5, 3, 12)));
        Assert.That(_fs.State.Find(3)!.Nlink, Is.EqualTo(2));
        Refuse(File(4, "abc"), FsError.Exists);
        Refuse(File(4, new string('x', 256)), FsError.NameTooLong);
        Refuse(File(4, ".."), FsError.Invalid);
        Refuse(new MakeOp(2, "a", 4, FileMode.Regular, 0, 0), FsError.NotDirectory);
    }

    [Test]
    public void Make_BelowSetGroupIdDirectory_InheritsTheGroup()
    {
        Do(new MakeOp(Root, "d", 2, FileMode.Directory | 0x5ed, 7, 8));
        Do(new SetProjectOp(2, 77));
        Do(new MakeOp(2, "f", 3, FileMode.Regular | 0x1a4, 1, 1));
        Do(new MakeOp(2, "e", 4, FileMode.Directory | 0x1ed, 1, 1));

        Assert.That((_fs.State.Find(3)!.Gid, _fs.State.Find(3)!.Project), Is.EqualTo((8u, 77UL)));
        Assert.That(_fs.State.Find(4)!.Mode, Is.EqualTo(FileMode.Directory | 0x5edu));
    }

    [Test]
    public void Remove_OpenFile_LivesUntilClosed()
    {
        Do(File(2, "a"));
        Do(new OpenOp(2));
        Do(new WriteOp(2, 0, 10, 1));
        Do(new RemoveOp(Root, "a", false));

        Assert.That(_fs.State.Find(2)!.Nlink, Is.Zero);
        Do(new WriteOp(2, 10, 10, 1));
        Refuse(new LinkOp(2, Root, "b"), FsError.NotFound);
        Do(new CloseOp(2));
        Assert.That(_fs.State.Find(2), Is.Null);
        Assert.That(_fs.Knows(new StatOp(2)), Is.False);
    }

    [Test]
    public void Tmpfile_Linked_StaysAfterClose()
    {
        Do(new TmpfileOp(Root, 2, FileMode.Regular, 0, 0));
        Do(new LinkOp(2, Root, "a"));
        Do(new CloseOp(2));
        Do(new TmpfileOp(Root, 3, FileMode.Regular, 0, 0));
        Do(new RemountOp());

        Assert.That(_fs.State.Find(2)!.Nlink, Is.EqualTo(1));
        Assert.That(_fs.State.Find(3), Is.Null);
    }

    [Test]
    public void Remove_WrongKindOrNotEmpty_IsRefused()
    {
        Do(Directory(2, "d"));
        Do(new MakeOp(2, "f", 3, FileMode.Regular, 0, 0));

        Refuse(new RemoveOp(Root, "d", true), FsError.NotEmpty);
        Refuse(new RemoveOp(Root, "d", false), FsError.IsDirectory);
        Refuse(new RemoveOp(2, "f", true), FsError.NotDirectory);
        Refuse(new RemoveOp(2, "g", false), FsError.NotFound);
        Refuse(new LinkOp(2, Root, "e"), FsError.NotPermitted);
    }

    [Test]
    public void Rename_IntoItself_IsRefused()
    {
        Do(Directory(2, "a"));
        Do(new MakeOp(2, "b", 3, FileMode.Directory, 0, 0));
        Do(new MakeOp(3, "c", 4, FileMode.Directory, 0, 0));

        Refuse(new RenameOp(Root, "a", 4, "x", false), FsError.Loop);
        Refuse(new RenameOp(Root, "a", 2, "x", false), FsError.Invalid);
        Refuse(new RenameOp(3, "c", Root, "a", false), FsError.NotEmpty);
        Do(new RenameOp(3, "c", Root, "x", false));
        Do(new RenameOp(Root, "a", 4, "y", false));
        Assert.That(_fs.State.PathOf(3), Is.EqualTo("/x/y/b"));
        Assert.That(_fs.State.Find(Root)!.Nlink, Is.EqualTo(3));
        Assert.That(_fs.State.Find(2)!.Nlink, Is.EqualTo(3));
    }

    [Test]
    public void Rename_OverExisting_ReplacesOnlyTheSameKind()
    {
        Do(File(2, "f"));
        Do(File(3, "g"));
        Do(Directory(4, "d"));
        Do(Directory(5, "e"));
        Do(new LinkOp(3, Root, "h"));

        Refuse(new RenameOp(Root, "f", Root, "d", false), FsError.IsDirectory);
        Refuse(new RenameOp(Root, "d", Root, "f", false), FsError.NotDirectory);
        Refuse(new RenameOp(Root, "f", Root, "g", true), FsError.Exists);
        Do(new RenameOp(Root, "f", Root, "g", false));
        Do(new RenameOp(Root, "d", Root, "e", false));
        Assert.That(_fs.State.Find(3)!.Nlink, Is.EqualTo(1));
        Assert.That(_fs.State.Find(3)!.Ctime.Seconds, Is.EqualTo(_now - 1));
        Assert.That(_fs.State.Find(5), Is.Null);
        Assert.That(Ask(new ListOp(Root)).Names, Is.EqualTo(new[] { "h", "g", "e" }));
    }

    [Test]
    public void Rename_HardLinkOfTheSame_ChangesNothing()
    {
        Do(File(2, "f"));
        Do(new LinkOp(2, Root, "g"));
        var before = _fs.State;

        Do(new RenameOp(Root, "f", Root, "g", false));
        Do(new RenameOp(Root, "f", Root, "f", false));

        Assert.That(_fs.State, Is.SameAs(before));
        Refuse(new RenameOp(Root, "f", Root, "f", true), FsError.Exists);
    }

    [Test]
    public void Truncate_ToMidBlock_LeavesZerosForLater()
    {
        Do(File(2, "f"));
        Do(new WriteOp(2, 0, 8192, 1));
        Do(new TruncateOp(2, 6000));
        Do(new TruncateOp(2, 12_000));

        byte[] bytes = Ask(new ReadOp(2, 0, 20_000)).Bytes!;
        Assert.That(bytes, Has.Length.EqualTo(12_000));
        Assert.That(bytes.AsSpan(6000).IndexOfAnyExcept((byte)0), Is.Negative);
        Assert.That(bytes.AsSpan(0, 6000).Contains((byte)0), Is.False);
        Assert.That(_fs.State.Find(2)!.OnlineBlocks, Is.EqualTo(2));
    }

    [Test]
    public void Seek_SparseFile_FindsDataAndHoles()
    {
        Do(File(2, "f"));
        Do(new WriteOp(2, 8192, 100, 1));
        Do(new TruncateOp(2, 20_000));

        Assert.That(Ask(new SeekOp(2, 0, true)).Offset, Is.EqualTo((0UL, 8192UL)));
        Assert.That(Ask(new SeekOp(2, 9000, true)).Offset, Is.EqualTo((9000UL, 9000UL)));
        Assert.That(Ask(new SeekOp(2, 8192, false)).Offset, Is.EqualTo((12288UL, 20_000UL)));
        Assert.That(Ask(new SeekOp(2, 13_000, true)).MayFail.Allows(FsError.PastEnd), Is.True);
        Refuse(new SeekOp(2, 20_000, false), FsError.PastEnd);
    }

    [Test]
    public void Release_WholeFile_WritesWaitUntilStaged()
    {
        Do(File(2, "f"));
        Do(new WriteOp(2, 0, 9000, 1));
        Do(new ReleaseOp(2, 1, 5));

        Assert.That((_fs.State.Find(2)!.OnlineBlocks, _fs.State.Find(2)!.OfflineBlocks), Is.EqualTo((1UL, 2UL)));
        Refuse(new WriteOp(2, 0, 1, 1), FsError.Offline);
        Refuse(new ReadOp(2, 5000, 1), FsError.Offline);
        Assert.That(Ask(new ReadOp(2, 0, 4096)).Bytes, Has.Length.EqualTo(4096));
        Do(new StageOp(2, 0, 3));
        Do(new WriteOp(2, 0, 1, 1));
    }

    [TestCase("user.a", "v", null)]
    [TestCase("scoutfs.a", "v", null)]
    [TestCase("scoutfs.hide.a", "v", null)]
    [TestCase("scoutfs.unknown.a", "v", FsError.Invalid)]
    [TestCase("scoutfs.hide.hide.a", "v", FsError.Invalid)]
    [TestCase("scoutfs.totl.x.1.2.3", "17", null)]
    [TestCase("scoutfs.totl.x.1.2.3", "x", FsError.Invalid)]
    [TestCase("scoutfs.totl.x.1.2", "17", FsError.Invalid)]
    [TestCase("scoutfs.indx.x.255.3", "", null)]
    [TestCase("scoutfs.indx.x.256.3", "", FsError.Invalid)]
    [TestCase("scoutfs.indx.x.255.3", "1", FsError.Invalid)]
    [TestCase("scoutfs.totl.indx.x.1.2.3", "", FsError.Invalid)]
    [TestCase("foreign.a", "v", FsError.Unsupported)]
    public void SetXattr_NamesAndValues_FollowTheTags(string name, string value, FsError? expected)
    {
        Do(File(2, "f"));
        var op = new SetXattrOp(2, name, value, 0, 0, false, false);
        if (expected is { } error)
            Refuse(op, error);
        else
            Do(op);
        Assert.That(_fs.State.Find(2)!.Xattrs, Has.Count.EqualTo(expected is null ? 1 : 0));
    }

    [Test]
    public void SetXattr_Flags_TellCreateFromReplace()
    {
        Do(File(2, "f"));
        Refuse(new SetXattrOp(2, "user.a", "1", 0, 0, false, true), FsError.NoXattr);
        Do(new SetXattrOp(2, "user.a", "1", 0, 0, true, false));
        Refuse(new SetXattrOp(2, "user.a", "2", 0, 0, true, false), FsError.Exists);
        Do(new SetXattrOp(2, "scoutfs.hide.a", "1", 0, 0, false, false));
        Assert.That(Ask(new ListXattrsOp(2)).Names, Is.EqualTo(new[] { "user.a" }));
        Do(new RemoveXattrOp(2, "user.a"));
        Refuse(new RemoveXattrOp(2, "user.a"), FsError.NoXattr);
    }

    private static MakeOp File(ulong id, string name) => new(Root, name, id, FileMode.Regular | 0x1a4, 0, 0);

    private static MakeOp Directory(ulong id, string name) => new(Root, name, id, FileMode.Directory | 0x1ed, 0, 0);

    private ModelAnswer Ask(FsOp op)
    {
        Assert.That(_fs.Knows(op), Is.True);
        return _fs.Apply(op, new ModelTime(++_now, 0));
    }

    private void Do(FsOp op) => Assert.That(Ask(op).Faults.ToString(), Is.EqualTo("success"));

    private void Refuse(FsOp op, FsError error)
    {
        var before = _fs.State;
        var answer = Ask(op);
        Assert.That(answer.Faults.Errors.ToList(), Does.Contain(error));
        Assert.That(_fs.State, Is.SameAs(before));
    }
}
