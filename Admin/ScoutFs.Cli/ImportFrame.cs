using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;

namespace ScoutFs.Cli;

/// <summary>A directory that is being imported: complete when everything directly in it is.</summary>
internal sealed class ImportFrame(ImportFolder folder, ImportNode node, ulong ino, InodeItem? found, byte[] path)
{
    private int _pending = 1;

    /// <summary>The directory of the tree; held by the frame.</summary>
    public ImportFolder Folder => folder;

    /// <summary>What it was like when it was entered.</summary>
    public ImportNode Node => node;

    /// <summary>Its inode in the volume.</summary>
    public ulong Ino => ino;

    /// <summary>What it was in the volume before; null when it was created.</summary>
    public InodeItem? Found => found;

    /// <summary>Path in the volume.</summary>
    public byte[] Path => path;

    /// <summary>Something in it was created or removed, which changes its times.</summary>
    public bool HasChanges { get; set; }

    /// <summary>Something more to wait for.</summary>
    public void Begin() => _ = Interlocked.Increment(ref _pending);

    /// <summary>Something less.</summary>
    /// <returns>True when that was the last.</returns>
    public bool End() => Interlocked.Decrement(ref _pending) == 0;
}

/// <summary>All names of one inode of the tree.</summary>
internal sealed class ImportLinks
{
    /// <summary>Inode in the volume, when the first name has been made; 0 when that failed.</summary>
    public TaskCompletionSource<ulong> Ino { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Names found so far.</summary>
    public uint CountNames { get; set; }
}

/// <summary>A name that is no directory.</summary>
/// <param name="Frame">Directory that it is in.</param>
/// <param name="Name">The name.</param>
/// <param name="Node">What it was when it was found.</param>
/// <param name="Links">With other names of the same inode; null when there are none.</param>
/// <param name="IsFirst">The first of these names.</param>
internal sealed record ImportJob(ImportFrame Frame, byte[] Name, ImportNode Node, ImportLinks? Links, bool IsFirst);
