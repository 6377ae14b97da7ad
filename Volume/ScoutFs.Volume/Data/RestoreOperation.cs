using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>Archive attributes by the bits that agents name them with, never renumber (archive §9.7).</summary>
[Flags]
public enum AttributeFields : ulong
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Seq of the last change.</summary>
    MetaSeq = 1 << 0,

    /// <summary>Seq of the last change of contents.</summary>
    DataSeq = 1 << 1,

    /// <summary>Version of the contents.</summary>
    DataVersion = 1 << 2,

    /// <summary>Blocks with contents.</summary>
    OnlineBlocks = 1 << 3,

    /// <summary>Blocks whose contents are archived.</summary>
    OfflineBlocks = 1 << 4,

    /// <summary>Last change of the inode.</summary>
    Ctime = 1 << 5,

    /// <summary>Creation.</summary>
    Crtime = 1 << 6,

    /// <summary>Size.</summary>
    Size = 1 << 7,

    /// <summary>Retention.</summary>
    Retention = 1 << 8,

    /// <summary>Project id.</summary>
    Project = 1 << 9,

    /// <summary>Those that format version 1 lacks.</summary>
    SinceVersion2 = Retention | Project,

    /// <summary>All of them.</summary>
    All = (1 << 10) - 1,
}

/// <summary>Archive attributes to set on an inode; null leaves one alone (archive §9.7).</summary>
public readonly record struct ArchiveAttributes
{
    /// <summary>Version of the contents, not 0; for a file whose version is 0 still.</summary>
    public ulong? DataVersion { get; init; }

    /// <summary>Size in bytes; together with the version unless 0.</summary>
    public ulong? Size { get; init; }

    /// <summary>All blocks up to the size are archived elsewhere; the file must have none.</summary>
    public bool IsOffline { get; init; }

    /// <summary>Last change of the inode.</summary>
    public Timespec? Ctime { get; init; }

    /// <summary>Creation.</summary>
    public Timespec? Crtime { get; init; }

    /// <summary>Whether contents and most attributes are immutable; needs format version 2.</summary>
    public bool? IsRetained { get; init; }

    /// <summary>Project id; needs format version 2.</summary>
    public ulong? Project { get; init; }

    /// <summary>What the older call SETATTR_MORE sets: size and both times always, the version unless 0.</summary>
    public static ArchiveAttributes Older(
        ulong dataVersion, ulong size, bool isOffline, Timespec ctime, Timespec crtime) => new()
        {
            DataVersion = dataVersion == 0 ? null : dataVersion,
            Size = size,
            IsOffline = isOffline,
            Ctime = ctime,
            Crtime = crtime,
        };
}

/// <summary>Sets archive attributes, as when a file is restored whose contents stay in the archive.</summary>
/// <param name="ino">Inode number.</param>
/// <param name="changes">What to set.</param>
public struct RestoreOperation(ulong ino, ArchiveAttributes changes) : IOperation
{
    /// <summary>None; NotFound, Invalid, NotPermitted under retention, Unsupported, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The inode, changed.</summary>
    public InodeItem Item { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, ino, LockMode.Write, out var inode, out var error))
            return false;
        Error = error != FsError.None ? error : Check(inode.Item, context.Volume.FormatVersion);
        if (Error != FsError.None)
            return true;
        bool changesData = changes.Size is not null || changes.DataVersion is not null;
        if (!FileExtents.Next(context, inode, 0, out bool hasBlocks, out _)
            || !FileExtents.Touch(context, inode, 0, Blocks(changes.Size ?? 0))
            || !InodeAccess.Prepare(context, inode, changesData))
        {
            return false;
        }

        if (changes.IsOffline && hasBlocks)
        {
            Error = FsError.Invalid;
            return true;
        }

        if (!context.Hold(isAllocating: true))
            return false;

        if (changes.IsOffline)
        {
            FileExtents.Set(
                context,
                ref inode,
                new DataExtent(0, Blocks(changes.Size!.Value), 0, DataExtentItem.FlagOffline));
        }

        ref var item = ref inode.Item;
        item.DataVersion = changes.DataVersion ?? item.DataVersion.Value;
        item.Size = changes.Size ?? item.Size.Value;
        item.Ctime = changes.Ctime ?? item.Ctime;
        item.Crtime = changes.Crtime ?? item.Crtime;
        item.Proj = changes.Project ?? item.Proj.Value;
        if (changes.IsRetained is { } isRetained)
        {
            item.Flags = isRetained
                ? item.Flags | InodeItem.FlagRetention
                : item.Flags & ~InodeItem.FlagRetention;
        }

        InodeAccess.Store(context, ref inode, changesData);
        Item = item;
        return true;
    }

    private static ulong Blocks(ulong size) =>
        (size / FormatConstants.SmallBlockBytes) + (size % FormatConstants.SmallBlockBytes == 0 ? 0UL : 1UL);

    private readonly FsError Check(in InodeItem item, ulong formatVersion)
    {
        bool isRegular = InodeAccess.IsRegular(item);
        if ((changes.IsRetained is not null || changes.Project is not null) && formatVersion < 2)
            return FsError.Unsupported;
        if (changes.DataVersion == 0 || changes.Size > long.MaxValue)
            return FsError.Invalid;
        if ((changes.Size is not null || changes.DataVersion is not null) && (!isRegular || item.DataVersion != 0UL))
            return FsError.Invalid;
        if (changes.Size > 0 && changes.DataVersion is null)
            return FsError.Invalid;
        if (changes.IsOffline && changes.Size is null or 0)
            return FsError.Invalid;
        if (changes.IsRetained is not null && !isRegular)
            return FsError.Invalid;
        return InodeAccess.IsRetained(item) && changes.IsRetained != false ? FsError.NotPermitted : FsError.None;
    }
}
