using System;
using System.IO;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>A path of the copy could not be made or described.</summary>
/// <remarks>Fatal ones (no space left, say) end the export; after others it goes on beside the path.</remarks>
internal sealed class ExportException : IOException
{
    /// <summary>Creates the exception.</summary>
    public ExportException(string message, FsError error, bool isFatal = false)
        : base(message)
    {
        Error = error;
        IsFatal = isFatal;
    }

    /// <summary>Why, as far as that matters.</summary>
    public FsError Error { get; }

    /// <summary>Nothing else will work either.</summary>
    public bool IsFatal { get; }
}

/// <summary>Where an export writes to: a place in a file system of this machine.</summary>
/// <remarks>
/// <para>It is a cursor: there is a directory that things are made in, and a node in hand (the file or directory being
/// made) that attributes are given to. Names are those of the volume, usable ones
/// (<see cref="DirectoryEntry.IsUsableName"/>).</para>
/// <para>Invariants: 1. nothing that exists is changed or overwritten; 2. nothing is made outside of the top, whatever
/// names and links the volume holds: links that were made are never followed.</para>
/// <para>Failures are <see cref="ExportException"/>. Not thread safe.</para>
/// </remarks>
internal abstract class ExportTarget : IDisposable
{
    /// <summary>Where the user wants the copy.</summary>
    public abstract string Destination { get; }

    /// <summary>Links must be told whether they lead to a directory.</summary>
    public virtual bool AsksForLinkKind => false;

    /// <summary>Opens the place for a copy on this system.</summary>
    /// <param name="destination">Path of the copy; its parent exists, it does not.</param>
    public static ExportTarget Open(string destination) => OperatingSystem.IsLinux()
        ? new ExportTargetLinux(destination)
        : new ExportTargetPortable(destination);

    /// <summary>Makes a directory, takes it in hand and goes into it.</summary>
    /// <param name="name">Its name; at the top that of the destination.</param>
    /// <param name="isTop">The top itself: may exist if it is empty.</param>
    public abstract void EnterDirectory(ReadOnlySpan<byte> name, bool isTop);

    /// <summary>Takes the directory that was entered last in hand again, to give it its attributes.</summary>
    public abstract void TakeDirectory();

    /// <summary>Goes back to the directory above.</summary>
    public abstract void LeaveDirectory();

    /// <summary>Makes a file and takes it in hand.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="sizeBytes">Its size; everything not written is a hole.</param>
    public abstract void CreateFile(ReadOnlySpan<byte> name, ulong sizeBytes);

    /// <summary>Writes into the file in hand.</summary>
    public abstract void Write(ReadOnlySpan<byte> bytes, ulong offsetBytes);

    /// <summary>Makes a symbolic link and takes it in hand.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="target">Where it leads.</param>
    /// <param name="isToDirectory">See <see cref="AsksForLinkKind"/>.</param>
    public abstract void CreateSymlink(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, bool isToDirectory);

    /// <summary>Makes a fifo, socket or device node and takes it in hand.</summary>
    /// <returns>False when this system has no such thing.</returns>
    public abstract bool TryCreateSpecial(ReadOnlySpan<byte> name, in InodeItem inode);

    /// <summary>Makes another name for something made before; nothing is in hand afterwards.</summary>
    /// <param name="firstPath">Path of the first name below the top, names separated by slashes.</param>
    /// <param name="name">The other name.</param>
    /// <returns>False when that is not possible here.</returns>
    public abstract bool TryLink(ReadOnlySpan<byte> firstPath, ReadOnlySpan<byte> name);

    /// <summary>Gives the node in hand its owner, as far as this user may: before its extended attributes, some of
    /// which the system takes away from what changes owner.</summary>
    /// <param name="inode">Where to take it from.</param>
    /// <returns>Null, or why not.</returns>
    public virtual string? SetOwner(in InodeItem inode) => null;

    /// <summary>Gives the node in hand an extended attribute.</summary>
    /// <returns>Null, or why not.</returns>
    public abstract string? TrySetXattr(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value);

    /// <summary>Gives the node in hand mode and times, as far as this user may; after the owner.</summary>
    /// <param name="inode">Where to take them from.</param>
    /// <returns>Null, or what could not be set.</returns>
    public abstract string? SetAttributes(in InodeItem inode);

    /// <summary>Lets go of the node in hand, which is complete.</summary>
    public abstract void CloseNode();

    /// <summary>Removes the file or link in hand, which is incomplete. Does nothing when none is.</summary>
    public abstract void AbandonNode();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes everything.</summary>
    protected abstract void Dispose(bool isDisposing);

    /// <summary>What to say when the place has a limit for the size of files below that of a file.</summary>
    protected static ExportException TooLargeFailure(string shownPath, ulong sizeBytes) => new(
        $"{shownPath} has {sizeBytes} bytes, holes included, which is more than the file system of the copy allows "
        + "for one file. Copy it to another one (xfs allows 8 EiB, NTFS 16 TiB, ext4 16 TiB).",
        FsError.Invalid);

    /// <summary>What to say when the destination is there already.</summary>
    protected ExportException ExistsFailure() => new(
        $"{Destination} exists already. Nothing is overwritten: name a new path, or an empty directory for the copy of "
        + "a directory.",
        FsError.Exists,
        isFatal: true);
}
