using System.Collections.Immutable;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>A POSIX file system in memory that is too simple to be wrong: the judge of the real one.</summary>
/// <remarks>
/// <para>Semantics of engine §6 to §8 and archive §10 as one caller with all rights sees them, above the system call
/// layer: no permissions, no umask, no quota, no waiting. Times are what the caller says. Not modelled: seqs, versions,
/// preallocated blocks, atime of reads.</para>
/// <para><see cref="State"/> never changes in place: keeping it keeps the file system of that moment, for the price of
/// what has changed since. An operation that fails leaves it alone.</para>
/// <para>An inode lives while it has a name or an open handle.</para>
/// </remarks>
public sealed partial class ModelFs
{
    /// <summary>Greatest size of a file.</summary>
    public const ulong MaxFileBytes = long.MaxValue;

    private const uint SetGroupId = 0x400; // 02000

    private static readonly FaultSet BadName = FaultSet.Of(FsError.Invalid);

    /// <summary>Creates a file system with an empty root.</summary>
    public ModelFs(ModelTime now)
        : this(new ModelState(ImmutableDictionary<ulong, ModelInode>.Empty.Add(ModelState.RootId, new ModelInode
        {
            Id = ModelState.RootId,
            Mode = FileMode.Directory | 0x1ed, // 0755
            Nlink = 2,
            Atime = now,
            Mtime = now,
            Ctime = now,
            Crtime = now,
        })))
    {
    }

    /// <summary>Creates a file system that goes on from a state.</summary>
    public ModelFs(ModelState state) => State = state;

    /// <summary>The file system now.</summary>
    public ModelState State { get; private set; }

    /// <summary>True when an operation speaks of inodes that exist; others are left out on both sides.</summary>
    public bool Knows(FsOp op) => op switch
    {
        MakeOp make => Has(make.Parent) && !Has(make.NewId),
        TmpfileOp make => Has(make.Parent) && !Has(make.NewId),
        LinkOp link => Has(link.Id) && Has(link.Parent),
        RemoveOp remove => Has(remove.Parent),
        RenameOp rename => Has(rename.Parent) && Has(rename.NewParent),
        OpenOp open => Has(open.Id),
        CloseOp close => State.Find(close.Id) is { Opens: > 0 },
        WriteOp write => Has(write.Id),
        TruncateOp truncate => Has(truncate.Id),
        AllocateOp allocate => Has(allocate.Id),
        SetAttrOp set => Has(set.Id),
        SetProjectOp set => Has(set.Id),
        SetXattrOp set => Has(set.Id),
        RemoveXattrOp remove => Has(remove.Id),
        ReleaseOp release => Has(release.Id),
        StageOp stage => Has(stage.Id),
        ReadOp read => Has(read.Id),
        LookupOp lookup => Has(lookup.Parent),
        ListOp list => Has(list.Id),
        StatOp stat => Has(stat.Id),
        GetXattrOp get => Has(get.Id),
        ListXattrsOp list => Has(list.Id),
        ReadLinkOp read => Has(read.Id),
        SeekOp seek => Has(seek.Id),
        SyncOp sync => sync.Id == 0 || Has(sync.Id),
        _ => true,
    };

    /// <summary>Does an operation, or says why it must fail.</summary>
    /// <param name="op">One that it <see cref="Knows"/>.</param>
    /// <param name="now">Time of the operation.</param>
    public ModelAnswer Apply(FsOp op, ModelTime now) => op switch
    {
        MakeOp make => Changed(Make(make, now)),
        TmpfileOp make => Changed(MakeTmpfile(make, now)),
        LinkOp link => Changed(Link(link, now)),
        RemoveOp remove => Changed(Remove(remove, now)),
        RenameOp rename => Changed(Rename(rename, now)),
        OpenOp open => Changed(Open(open.Id, 1)),
        CloseOp close => Changed(Open(close.Id, -1)),
        WriteOp write => Changed(Write(write, now)),
        TruncateOp truncate => Changed(Truncate(truncate, now)),
        AllocateOp allocate => Changed(Allocate(allocate)),
        SetAttrOp set => Changed(SetAttr(set, now)),
        SetProjectOp set => Changed(SetProject(set, now)),
        SetXattrOp set => Changed(SetXattr(set, now)),
        RemoveXattrOp remove => Changed(RemoveXattr(remove, now)),
        ReleaseOp release => Changed(Release(release)),
        StageOp stage => Changed(Stage(stage)),
        RemountOp => Changed(CloseAll()),
        _ => Answer(op),
    };

    /// <summary>Goes back to a state, or over to another.</summary>
    public void Restore(ModelState state) => State = state;

    /// <summary>All handles are gone: by a crash, or an unmount.</summary>
    public FaultSet CloseAll()
    {
        foreach (var inode in State.Inodes.Values.Where(static inode => inode.Opens != 0).ToList())
            Put(inode with { Opens = 0 });
        return default;
    }

    private static ModelAnswer Changed(FaultSet faults) => new() { Faults = faults };

    private static FaultSet FaultsOfName(string name)
    {
        if (name.Length > FormatConstants.MaxNameBytes)
            return FaultSet.Of(FsError.NameTooLong);
        return name.Length == 0 || name is "." or ".." || name.Contains('/', System.StringComparison.Ordinal)
            || name.Contains('\0', System.StringComparison.Ordinal)
            ? BadName
            : default;
    }

    // A directory that new names can be put into.
    private static FaultSet FaultsOfParent(ModelInode parent)
    {
        if (!parent.IsDirectory)
            return FaultSet.Of(FsError.NotDirectory);
        return parent.Nlink == 0 ? FaultSet.Of(FsError.NotFound) : default;
    }

    private bool Has(ulong id) => State.Inodes.ContainsKey(id);

    private ModelInode Get(ulong id) => State.Inodes[id];

    // Stores a new version of an inode, or drops it when nothing refers to it any more.
    private void Put(ModelInode inode)
    {
        bool isDead = inode is { Nlink: 0, Opens: 0 };
        State = new ModelState(
            isDead ? State.Inodes.Remove(inode.Id) : State.Inodes.SetItem(inode.Id, inode));
    }

    private FaultSet Make(MakeOp op, ModelTime now)
    {
        var parent = Get(op.Parent);
        var faults = FaultsOfName(op.Name) | FaultsOfParent(parent);
        if (parent.Entries.ContainsKey(op.Name))
            faults |= FsError.Exists;
        bool isSymlink = (op.Mode & FileMode.TypeMask) == FileMode.Symlink;
        if (isSymlink && op.Target.Length == 0)
            faults |= FaultSet.Of(FsError.Invalid, FsError.NotFound);
        if (isSymlink && op.Target.Length >= FormatConstants.MaxSymlinkBytes)
            faults |= FsError.NameTooLong;
        if (!faults.IsEmpty)
            return faults;
        var inode = NewInode(op.NewId, parent, op.Mode, op.Uid, op.Gid, now) with
        {
            Rdev = op.Rdev,
            Target = op.Target,
            Size = isSymlink ? (ulong)op.Target.Length + 1 : 0,
        };
        inode = inode with { Nlink = inode.IsDirectory ? 2u : 1u };
        AddEntry(op.Parent, op.Name, inode, now);
        return default;
    }

    private FaultSet MakeTmpfile(TmpfileOp op, ModelTime now)
    {
        var parent = Get(op.Parent);
        var faults = FaultsOfParent(parent);
        if (faults.IsEmpty)
            Put(NewInode(op.NewId, parent, op.Mode, op.Uid, op.Gid, now) with { Opens = 1 });
        return faults;
    }

    private FaultSet Link(LinkOp op, ModelTime now)
    {
        var parent = Get(op.Parent);
        var inode = Get(op.Id);
        var faults = FaultsOfName(op.Name) | FaultsOfParent(parent);
        if (parent.Entries.ContainsKey(op.Name))
            faults |= FsError.Exists;
        if (inode.IsDirectory)
            faults |= FaultSet.Of(FsError.NotPermitted, FsError.IsDirectory);
        if (inode.Nlink == 0 && !inode.IsTmpfile)
            faults |= FsError.NotFound;
        if (!faults.IsEmpty)
            return faults;
        AddEntry(op.Parent, op.Name, inode with { Nlink = inode.Nlink + 1, Ctime = now, IsTmpfile = false }, now);
        return default;
    }

    private FaultSet Remove(RemoveOp op, ModelTime now)
    {
        var parent = Get(op.Parent);
        if (!parent.IsDirectory)
            return FaultSet.Of(FsError.NotDirectory);
        if (State.Find(op.Parent, op.Name) is not { } inode)
            return FaultSet.Of(FsError.NotFound) | FaultsOfName(op.Name);
        if (op.IsRmdir != inode.IsDirectory)
        {
            return op.IsRmdir
                ? FaultSet.Of(FsError.NotDirectory)
                : FaultSet.Of(FsError.IsDirectory, FsError.NotPermitted);
        }

        if (!inode.Entries.IsEmpty)
            return FaultSet.Of(FsError.NotEmpty);
        DropEntry(op.Parent, op.Name, now);
        return default;
    }

    private FaultSet Rename(RenameOp op, ModelTime now)
    {
        var from = Get(op.Parent);
        var to = Get(op.NewParent);
        var faults = FaultsOfName(op.NewName) | FaultsOfParent(to);
        if (!from.IsDirectory)
            return faults | FsError.NotDirectory;
        if (State.Find(op.Parent, op.Name) is not { } moved)
            return faults | FsError.NotFound | FaultsOfName(op.Name);
        var replaced = State.Find(op.NewParent, op.NewName);
        if (replaced is not null && op.NoReplace)
            faults |= FsError.Exists;
        if (moved.IsDirectory && IsAtOrBelow(op.NewParent, moved.Id))
            faults |= FaultSet.Of(FsError.Invalid, FsError.Loop);
        if (replaced is not null && replaced.Id != moved.Id)
            faults |= FaultsOfReplacing(moved, replaced, op.Parent);
        if (!faults.IsEmpty)
            return faults;
        if (replaced?.Id == moved.Id)
            return default;

        if (replaced is not null)
            DropEntry(op.NewParent, op.NewName, now);
        MoveEntry(op, now);
        return default;
    }

    private FaultSet FaultsOfReplacing(ModelInode moved, ModelInode replaced, ulong fromDirectory)
    {
        var faults = default(FaultSet);
        if (moved.IsDirectory && !replaced.IsDirectory)
            faults |= FsError.NotDirectory;
        if (!moved.IsDirectory && replaced.IsDirectory)
            faults |= FsError.IsDirectory;
        if (!replaced.Entries.IsEmpty)
            faults |= FsError.NotEmpty;
        if (replaced.IsDirectory && IsAtOrBelow(fromDirectory, replaced.Id))
            faults |= FaultSet.Of(FsError.Invalid, FsError.Loop, FsError.NotEmpty);
        return faults;
    }

    private bool IsAtOrBelow(ulong directory, ulong ancestor)
    {
        while (directory != ancestor)
        {
            if (directory == ModelState.RootId || Get(directory).Links.IsEmpty)
                return false;
            directory = Get(directory).Links[0].Directory;
        }

        return true;
    }

    private FaultSet Open(ulong id, int change)
    {
        var inode = Get(id);
        Put(inode with { Opens = inode.Opens + change });
        return default;
    }

    private static ModelInode NewInode(
        ulong id, ModelInode parent, uint mode, uint uid, uint gid, ModelTime now)
    {
        // A directory with the SGID bit gives its group, and directories inherit the bit.
        bool inheritsGroup = (parent.Mode & SetGroupId) != 0;
        bool isDirectory = (mode & FileMode.TypeMask) == FileMode.Directory;
        return new ModelInode
        {
            Id = id,
            Mode = mode | (inheritsGroup && isDirectory ? SetGroupId : 0),
            Uid = uid,
            Gid = inheritsGroup ? parent.Gid : gid,
            Project = parent.Project,
            IsTmpfile = true,
            Atime = now,
            Mtime = now,
            Ctime = now,
            Crtime = now,
        };
    }

    private void AddEntry(ulong directory, string name, ModelInode inode, ModelTime now)
    {
        Put(inode with { Links = inode.Links.Add(new ModelLink(directory, name)), IsTmpfile = false });
        var parent = Get(directory);
        Put(parent with
        {
            Entries = parent.Entries.Add(name, new ModelEntry(inode.Id, parent.NextPosition)),
            NextPosition = parent.NextPosition + 1,
            Size = parent.Size + (ulong)name.Length,
            Nlink = parent.Nlink + (inode.IsDirectory ? 1u : 0u),
            Mtime = now,
            Ctime = now,
        });
    }

    // The inode loses the name; a directory loses all its links with it.
    private void DropEntry(ulong directory, string name, ModelTime now)
    {
        var parent = Get(directory);
        var inode = Get(parent.Entries[name].Id);
        Put(parent with
        {
            Entries = parent.Entries.Remove(name),
            Size = parent.Size - (ulong)name.Length,
            Nlink = parent.Nlink - (inode.IsDirectory ? 1u : 0u),
            Mtime = now,
            Ctime = now,
        });
        Put(inode with
        {
            Links = inode.Links.Remove(new ModelLink(directory, name)),
            Nlink = inode.IsDirectory ? 0 : inode.Nlink - 1,
            Ctime = now,
        });
    }

    private void MoveEntry(RenameOp op, ModelTime now)
    {
        var moved = State.Find(op.Parent, op.Name)!;
        DropEntry(op.Parent, op.Name, now);

        // Dropping the last name may have dropped the inode.
        AddEntry(
            op.NewParent,
            op.NewName,
            moved with { Links = moved.Links.Remove(new ModelLink(op.Parent, op.Name)), Ctime = now },
            now);
    }
}
