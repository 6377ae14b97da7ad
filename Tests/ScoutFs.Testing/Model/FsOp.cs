using System.Text.Json;
using System.Text.Json.Serialization;

namespace ScoutFs.Testing.Model;

/// <summary>One operation on a file system, as data: it can be drawn, kept, left out and run again.</summary>
/// <remarks>
/// Inodes go by ids that whoever draws the operation chooses; the root is 1. An operation on an id that does not exist
/// (any more) is left out on both sides, so that lists of operations stay meaningful when others are taken out.
/// Names have one character a byte.
/// </remarks>
[JsonDerivedType(typeof(MakeOp), "make")]
[JsonDerivedType(typeof(TmpfileOp), "tmpfile")]
[JsonDerivedType(typeof(LinkOp), "link")]
[JsonDerivedType(typeof(RemoveOp), "remove")]
[JsonDerivedType(typeof(RenameOp), "rename")]
[JsonDerivedType(typeof(OpenOp), "open")]
[JsonDerivedType(typeof(CloseOp), "close")]
[JsonDerivedType(typeof(WriteOp), "write")]
[JsonDerivedType(typeof(TruncateOp), "truncate")]
[JsonDerivedType(typeof(AllocateOp), "allocate")]
[JsonDerivedType(typeof(SetAttrOp), "setattr")]
[JsonDerivedType(typeof(SetProjectOp), "setproject")]
[JsonDerivedType(typeof(SetXattrOp), "setxattr")]
[JsonDerivedType(typeof(RemoveXattrOp), "removexattr")]
[JsonDerivedType(typeof(ReleaseOp), "release")]
[JsonDerivedType(typeof(StageOp), "stage")]
[JsonDerivedType(typeof(ReadOp), "read")]
[JsonDerivedType(typeof(LookupOp), "lookup")]
[JsonDerivedType(typeof(ListOp), "list")]
[JsonDerivedType(typeof(StatOp), "stat")]
[JsonDerivedType(typeof(GetXattrOp), "getxattr")]
[JsonDerivedType(typeof(ListXattrsOp), "listxattrs")]
[JsonDerivedType(typeof(ReadLinkOp), "readlink")]
[JsonDerivedType(typeof(SeekOp), "seek")]
[JsonDerivedType(typeof(SyncOp), "sync")]
[JsonDerivedType(typeof(RemountOp), "remount")]
public abstract record FsOp
{
    private const int MaxLength = 200;

    /// <summary>Changes nothing, or nothing that can be seen.</summary>
    [JsonIgnore]
    public virtual bool IsQuery => false;

    /// <summary>The operation in one line, long names cut off.</summary>
    public string Describe()
    {
        string text = JsonSerializer.Serialize(this);
        return text.Length <= MaxLength ? text : text[..MaxLength] + "…";
    }
}

/// <summary>Makes a file, directory, symlink or special file, as the type in the mode says.</summary>
public sealed record MakeOp(
    ulong Parent, string Name, ulong NewId, uint Mode, uint Uid, uint Gid, uint Rdev = 0, string Target = "") : FsOp;

/// <summary>Makes a file without a name, and leaves it open.</summary>
public sealed record TmpfileOp(ulong Parent, ulong NewId, uint Mode, uint Uid, uint Gid) : FsOp;

/// <summary>Adds a name.</summary>
public sealed record LinkOp(ulong Id, ulong Parent, string Name) : FsOp;

/// <summary>Unlink or rmdir.</summary>
public sealed record RemoveOp(ulong Parent, string Name, bool IsRmdir) : FsOp;

/// <summary>Rename.</summary>
public sealed record RenameOp(ulong Parent, string Name, ulong NewParent, string NewName, bool NoReplace) : FsOp;

/// <summary>Opens one more handle.</summary>
public sealed record OpenOp(ulong Id) : FsOp;

/// <summary>Closes a handle.</summary>
public sealed record CloseOp(ulong Id) : FsOp;

/// <summary>Writes bytes that a seed makes; at the end of the file, wherever that is, when it appends.</summary>
public sealed record WriteOp(ulong Id, ulong Offset, int Length, ulong Seed, bool IsAppend = false) : FsOp;

/// <summary>Sets the size.</summary>
public sealed record TruncateOp(ulong Id, ulong Size) : FsOp;

/// <summary>Fallocate.</summary>
public sealed record AllocateOp(ulong Id, ulong Offset, ulong Length, bool KeepsSize) : FsOp;

/// <summary>Chmod, chown, utimes, in one; what is null stays. The mode is permissions only.</summary>
public sealed record SetAttrOp(
    ulong Id, uint? Mode = null, uint? Uid = null, uint? Gid = null, ModelTime? Atime = null, ModelTime? Mtime = null)
    : FsOp;

/// <summary>Sets the project id.</summary>
public sealed record SetProjectOp(ulong Id, ulong Project) : FsOp;

/// <summary>Sets an extended attribute to a text, or to bytes that a seed makes where there is none.</summary>
public sealed record SetXattrOp(
    ulong Id, string Name, string? Text, int Length, ulong Seed, bool MustCreate, bool MustReplace) : FsOp;

/// <summary>Removes an extended attribute.</summary>
public sealed record RemoveXattrOp(ulong Id, string Name) : FsOp;

/// <summary>Gives the blocks of a range away, as if archived.</summary>
public sealed record ReleaseOp(ulong Id, ulong FirstBlock, ulong CountBlocks) : FsOp;

/// <summary>Brings the blocks of a range back.</summary>
public sealed record StageOp(ulong Id, ulong FirstBlock, ulong CountBlocks) : FsOp;

/// <summary>Reads bytes.</summary>
public sealed record ReadOp(ulong Id, ulong Offset, int Length) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Looks a name up.</summary>
public sealed record LookupOp(ulong Parent, string Name) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Lists a directory.</summary>
public sealed record ListOp(ulong Id) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Reads all attributes.</summary>
public sealed record StatOp(ulong Id) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Reads an extended attribute.</summary>
public sealed record GetXattrOp(ulong Id, string Name) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Lists extended attributes that are not hidden.</summary>
public sealed record ListXattrsOp(ulong Id) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Reads the target of a symlink.</summary>
public sealed record ReadLinkOp(ulong Id) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>SEEK_DATA or SEEK_HOLE.</summary>
public sealed record SeekOp(ulong Id, ulong Offset, bool IsData) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Makes everything so far durable: fsync of an inode, which syncs all, or sync where there is none.</summary>
public sealed record SyncOp(ulong Id) : FsOp
{
    /// <inheritdoc/>
    public override bool IsQuery => true;
}

/// <summary>Unmounts and mounts again; closes all handles.</summary>
public sealed record RemountOp : FsOp;
