using System.Collections.Generic;
using System.Collections.Immutable;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Reads a whole volume, as it was last committed, into a state that a model can be compared with.</summary>
/// <remarks>
/// Goes through what the product reads unmounted volumes with. Ids are inode numbers. Holds all contents in memory.
/// </remarks>
public sealed class VolumeState
{
    private const int PieceBytes = 1 << 20;

    // Offline ranges may have any length, but are held block by block here.
    private const ulong MaxPieceBytes = 1UL << 30;

    private readonly VolumeReader _reader;
    private readonly FilePieceReader _pieces = new(PieceBytes, 1);
    private readonly Dictionary<ulong, ModelInode> _inodes = [];
    private readonly List<ulong> _directories = [];

    private VolumeState(VolumeReader reader) => _reader = reader;

    /// <summary>Reads a volume.</summary>
    /// <param name="volume">Opened with both devices.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">Something in it is damaged.</exception>
    public static async Task<ModelState> LoadAsync(OfflineVolume volume, CancellationToken cancellationToken)
    {
        using var reader = new VolumeReader(volume);
        var state = new VolumeState(reader);
        var start = await new PathResolver(reader).ResolveAsync(
            System.ReadOnlyMemory<byte>.Empty, followsLast: false, cancellationToken);
        var walk = new VolumeWalk(reader, WalkOrder.Position);
        walk.Start(start);
        while (await walk.MoveNextAsync(cancellationToken))
        {
            if (walk.Visit == WalkVisit.Problem)
                throw walk.Failure!;
            if (walk.Visit == WalkVisit.Entry)
                await state.AddAsync(walk, cancellationToken);
        }

        return new ModelState(state._inodes.ToImmutableDictionary());
    }

    private async Task AddAsync(VolumeWalk walk, CancellationToken cancellationToken)
    {
        ulong ino = walk.Ino;
        string name = ModelText.FromBytes(walk.Name);
        if (!_inodes.TryGetValue(ino, out var inode))
            inode = await ReadAsync(ino, walk.Inode, cancellationToken);
        if (walk.Depth > 0)
        {
            var parent = _inodes[_directories[walk.Depth - 1]];
            inode = inode with { Links = inode.Links.Add(new ModelLink(parent.Id, name)) };
            _inodes[parent.Id] = parent with
            {
                Entries = parent.Entries.Add(name, new ModelEntry(ino, parent.NextPosition)),
                NextPosition = parent.NextPosition + 1,
            };
        }

        _inodes[ino] = inode;
        if (!inode.IsDirectory)
            return;
        _directories.RemoveRange(walk.Depth, _directories.Count - walk.Depth);
        _directories.Add(ino);
    }

    private async Task<ModelInode> ReadAsync(ulong ino, InodeItem item, CancellationToken cancellationToken)
    {
        var inode = FromItem(ino, item);
        foreach (var entry in await _reader.ListXattrsAsync(ino, cancellationToken))
        {
            byte[] value = await _reader.ReadXattrAsync(ino, entry, cancellationToken) ?? [];
            inode = inode with { Xattrs = inode.Xattrs.Add(ModelText.FromBytes(entry.Name), value) };
        }

        if (inode.IsSymlink)
        {
            byte[] target = await _reader.ReadSymlinkAsync(ino, item, cancellationToken);
            return inode with { Target = ModelText.FromBytes(target) };
        }

        return inode.IsRegular ? await ReadContentsAsync(inode, item, cancellationToken) : inode;
    }

    /// <summary>The attributes of an inode item.</summary>
    public static ModelInode FromItem(ulong ino, in InodeItem item) => new()
    {
        Id = ino,
        Mode = item.Mode,
        Nlink = item.Nlink,
        Uid = item.Uid,
        Gid = item.Gid,
        Rdev = item.Rdev,
        Size = item.Size,
        Project = item.Proj,
        IsTruncating = (item.Flags & InodeItem.FlagTruncate) != 0,
        OfflineBlocks = item.OfflineBlocks,
        Atime = TimeOf(item.Atime),
        Mtime = TimeOf(item.Mtime),
        Ctime = TimeOf(item.Ctime),
        Crtime = TimeOf(item.Crtime),
    };

    private static ModelTime TimeOf(in Timespec time) => new(time.Sec, time.Nsec);

    private async Task<ModelInode> ReadContentsAsync(
        ModelInode inode, InodeItem item, CancellationToken cancellationToken)
    {
        const int BlockBytes = FormatConstants.SmallBlockBytes;
        var contents = new FileContents(_reader, inode.Id, item);
        var blocks = ImmutableSortedDictionary.CreateBuilder<ulong, ModelBlock>();
        await _pieces.StartAsync(contents, 0, inode.Size);
        while (await _pieces.MoveNextAsync(cancellationToken))
        {
            var piece = _pieces.Piece;
            Invariant.Require(piece.LengthBytes <= MaxPieceBytes);
            for (ulong at = piece.OffsetBytes; at < piece.EndBytes; at += BlockBytes)
                AddBlock(blocks, at);
        }

        ulong offline = 0;
        foreach (var block in blocks.Values)
            offline += block.IsOffline ? 1u : 0u;
        ulong online = (ulong)blocks.Count - offline;
        if (!inode.IsTruncating && (online != item.OnlineBlocks || offline != item.OfflineBlocks))
        {
            throw new VolumeException(
                FsError.Corrupt,
                $"Inode {inode.Id} has {online} blocks online and {offline} offline, but counts "
                + $"{item.OnlineBlocks.Value} and {item.OfflineBlocks.Value}.");
        }

        return inode with { Blocks = blocks.ToImmutable(), OfflineBlocks = offline };
    }

    // A block of the current piece; pieces may have holes between their runs.
    private void AddBlock(ImmutableSortedDictionary<ulong, ModelBlock>.Builder blocks, ulong at)
    {
        const int BlockBytes = FormatConstants.SmallBlockBytes;
        var piece = _pieces.Piece;
        if (piece.IsOffline)
        {
            blocks.Add(at / BlockBytes, new ModelBlock([], IsOffline: true));
            return;
        }

        int within = (int)(at - piece.OffsetBytes);
        foreach (var run in piece.Runs)
        {
            if (within < run.BufferOffsetBytes || within - run.BufferOffsetBytes >= run.LengthBytes)
                continue;
            byte[] bytes = new byte[BlockBytes];
            var stored = _pieces.Bytes.Span[within..];
            stored[..System.Math.Min(stored.Length, BlockBytes)].CopyTo(bytes);
            blocks.Add(at / BlockBytes, new ModelBlock(bytes, IsOffline: false));
            return;
        }
    }
}
