using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>What a path must be like to be found; everything that is set must hold.</summary>
public sealed record FindCriteria
{
    /// <summary>Pattern of the last name.</summary>
    public NameGlob? Name { get; init; }

    /// <summary>POSIX type bits, see <see cref="FileMode"/>; 0: any.</summary>
    public uint Type { get; init; }

    /// <summary>Least size in bytes.</summary>
    public ulong MinSizeBytes { get; init; }

    /// <summary>Greatest size in bytes.</summary>
    public ulong MaxSizeBytes { get; init; } = ulong.MaxValue;

    /// <summary>The mtime is at or after this, in nanoseconds since 1970.</summary>
    public Int128 MinMtimeNs { get; init; } = Int128.MinValue;

    /// <summary>The mtime is before this, in nanoseconds since 1970.</summary>
    public Int128 EndMtimeNs { get; init; } = Int128.MaxValue;

    /// <summary>
    /// True: files with contents that are archived elsewhere, at least in part. False: regular files without such.
    /// </summary>
    public bool? IsOffline { get; init; }

    /// <summary>Inode number; 0: any.</summary>
    public ulong Ino { get; init; }

    /// <summary>Pattern of the name of an xattr that the inode has, hidden ones included.</summary>
    public NameGlob? Xattr { get; init; }

    /// <summary>Checks everything but <see cref="Xattr"/>.</summary>
    /// <param name="name">Last name of the path.</param>
    /// <param name="ino">Inode number.</param>
    /// <param name="inode">The inode.</param>
    public bool IsMatch(ReadOnlySpan<byte> name, ulong ino, in InodeItem inode)
    {
        uint type = inode.Mode & FileMode.TypeMask;
        var mtime = ManifestWriter.Nanoseconds(inode.Mtime);
        return (Ino == 0 || Ino == ino)
            && (Type == 0 || Type == type)
            && inode.Size.Value >= MinSizeBytes && inode.Size.Value <= MaxSizeBytes
            && mtime >= MinMtimeNs && mtime < EndMtimeNs
            && IsOffline switch
            {
                null => true,
                true => inode.OfflineBlocks.Value != 0,
                false => type == FileMode.Regular && inode.OfflineBlocks.Value == 0,
            }
            && (Name is null || Name.IsMatch(name));
    }
}

/// <summary>Finds paths in a subtree that are as wanted.</summary>
/// <remarks>Rules and bounds of the <see cref="VolumeWalk"/>.</remarks>
public sealed class VolumeFinder
{
    private readonly VolumeReader _reader;
    private readonly FindCriteria _criteria;

    /// <summary>Creates a finder.</summary>
    /// <param name="reader">Where to read.</param>
    /// <param name="criteria">What is wanted.</param>
    /// <param name="maxDepth">Levels below the start that are looked at.</param>
    public VolumeFinder(VolumeReader reader, FindCriteria criteria, int maxDepth = int.MaxValue)
    {
        _reader = reader;
        _criteria = criteria;
        Walk = new VolumeWalk(reader, WalkOrder.Position, maxDepth);
    }

    /// <summary>The walk: where to start, and what was found.</summary>
    public VolumeWalk Walk { get; }

    /// <summary>What is damaged or unreadable at the path; null when it was found.</summary>
    public VolumeException? Failure { get; private set; }

    /// <summary>Moves to the next path that is as wanted, or to the next problem.</summary>
    /// <returns>False at the end.</returns>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        while (await Walk.MoveNextAsync(cancellationToken))
        {
            Failure = Walk.Failure;
            if (Walk.Visit == WalkVisit.Leave)
                continue;
            if (Failure is not null)
                return true;
            try
            {
                if (_criteria.IsMatch(Walk.Name, Walk.Ino, Walk.Inode)
                    && await HasXattrAsync(Walk.Ino, cancellationToken))
                {
                    return true;
                }
            }
            catch (VolumeException failure)
            {
                Failure = failure;
                return true;
            }
        }

        return false;
    }

    /// <summary>True when the criteria ask for no xattr, or the inode has one of that kind.</summary>
    /// <exception cref="VolumeException">The xattrs are damaged or cannot be read.</exception>
    public async ValueTask<bool> HasXattrAsync(ulong ino, CancellationToken cancellationToken)
    {
        if (_criteria.Xattr is not { } pattern)
            return true;
        foreach (var entry in await _reader.ListXattrsAsync(ino, cancellationToken))
        {
            if (pattern.IsMatch(entry.Name))
                return true;
        }

        return false;
    }
}
