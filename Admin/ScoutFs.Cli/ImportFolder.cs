using System;
using System.Collections.Generic;
using System.IO;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>Something of a tree that is imported cannot be read.</summary>
internal sealed class ImportException : IOException
{
    /// <summary>Creates the exception.</summary>
    public ImportException(FsError error, string message)
        : base(message) => Error = error;

    /// <summary>Why.</summary>
    public FsError Error { get; }
}

/// <summary>A directory of the tree, open.</summary>
/// <remarks>
/// <para>Names are those of the volume. Links are never followed. Failures are <see cref="ImportException"/> with a
/// sentence that names the path.</para>
/// <para>Any thread, and several at a time. It closes after as many <see cref="Release"/> as there were
/// <see cref="Hold"/>, the first hold being its maker's.</para>
/// </remarks>
internal abstract class ImportFolder
{
    private int _holds = 1;

    /// <summary>Path for messages.</summary>
    public abstract string ShownPath { get; }

    /// <summary>Opens the tree of a path, links followed.</summary>
    /// <param name="path">A directory; or a file, then the folder is that of the file.</param>
    /// <param name="fileName">Name of the file in the folder; null when the path is a directory.</param>
    public static ImportFolder Open(string path, out byte[]? fileName) => OperatingSystem.IsLinux()
        ? ImportFolderLinux.OpenTop(path, out fileName)
        : ImportFolderPortable.OpenTop(path, out fileName);

    /// <summary>Describes the directory itself.</summary>
    public abstract ImportNode Describe();

    /// <summary>Names in it, in the order of the file system, without dots.</summary>
    public abstract List<byte[]> ListNames();

    /// <summary>Describes what a name leads to.</summary>
    public abstract ImportNode Describe(byte[] name);

    /// <summary>Opens a directory in it; the caller holds it.</summary>
    public abstract ImportFolder OpenFolder(byte[] name);

    /// <summary>Opens a file in it.</summary>
    public abstract ImportFile OpenFile(byte[] name);

    /// <summary>Where a symbolic link leads, as volumes store it.</summary>
    public abstract byte[] ReadLink(byte[] name);

    /// <summary>Extended attributes of the directory itself.</summary>
    public abstract List<ImportXattr> ReadXattrs();

    /// <summary>Extended attributes of a link, fifo, socket or device.</summary>
    public abstract List<ImportXattr> ReadXattrs(byte[] name);

    /// <summary>Keeps it open.</summary>
    public void Hold() => _ = System.Threading.Interlocked.Increment(ref _holds);

    /// <summary>Ends a hold.</summary>
    public void Release()
    {
        if (System.Threading.Interlocked.Decrement(ref _holds) == 0)
            Close();
    }

    /// <summary>Closes it.</summary>
    protected abstract void Close();
}

/// <summary>A file of the tree, open for reading. One thread at a time.</summary>
internal abstract class ImportFile : IDisposable
{
    /// <summary>Describes it as it is now.</summary>
    public abstract ImportNode Describe();

    /// <summary>Reads; fewer bytes than asked for only at the end.</summary>
    public abstract int Read(Span<byte> target, ulong offsetBytes);

    /// <summary>Finds the next data from a place on.</summary>
    /// <returns>False: there are only holes from there on.</returns>
    public abstract bool FindData(ulong fromBytes, ulong sizeBytes, out ulong startBytes, out ulong endBytes);

    /// <summary>Its extended attributes.</summary>
    public abstract List<ImportXattr> ReadXattrs();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes it.</summary>
    protected abstract void Dispose(bool isDisposing);
}
