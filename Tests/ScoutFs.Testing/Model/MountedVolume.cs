using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Nodes;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Our engine, mounted on simulated disks by a node that plays all parts.</summary>
public sealed class MountedVolume : IFsUnderTest
{
    private const int ListBatch = 7;

    private static readonly CancellationToken Never = CancellationToken.None;

    private readonly CrashWorld _world;
    private readonly Dictionary<ulong, ulong> _inoOf;
    private readonly Dictionary<ulong, ulong> _idOf;
    private readonly Dictionary<ulong, int> _opens = [];
    private readonly HashSet<ulong> _unnamed = [];
    private LocalNode _node;

    private MountedVolume(CrashWorld world, LocalNode node)
    {
        _world = world;
        _node = node;
        _inoOf = new Dictionary<ulong, ulong> { [ModelState.RootId] = FormatConstants.RootIno };
        _idOf = new Dictionary<ulong, ulong> { [FormatConstants.RootIno] = ModelState.RootId };
    }

    /// <summary>Small caches, so that they overflow; several thousand mounts a minute must be made.</summary>
    public static LocalNodeOptions SmallOptions { get; } = new()
    {
        Mount = new MountOptions
        {
            BlockCacheBytes = 16 << 20,
            ItemCacheBytes = 4 << 20,
            DataBufferBytes = 8 << 20,
            DataPreallocBlocks = 16,
        },
        Fencing = static (_, _) => new ValueTask<bool>(true),
    };

    /// <summary>The node.</summary>
    public LocalNode Node => _node;

    private FileSystem Fs => _node.Fs;

    /// <summary>Mounts a volume, also one that was not unmounted: whoever had it is known to be dead.</summary>
    /// <exception cref="VolumeException">It cannot be mounted.</exception>
    public static async Task<MountedVolume> MountAsync(CrashWorld world) =>
        new(world, await StartAsync(world));

    /// <inheritdoc/>
    public async Task UnmountAsync()
    {
        foreach (var (ino, uses) in _opens.Where(static pair => pair.Value > 0).ToList())
            await CloseAsync(ino, uses);
        var error = await _node.UnmountAsync();
        if (error != FsError.None)
            throw new VolumeException(error, $"Unmounting failed: {error}. {_node.IsolationReason}");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _node.DisposeAsync();

    /// <inheritdoc/>
    public Task<FsAnswer> ApplyAsync(FsOp op) => op switch
    {
        MakeOp make => MakeAsync(make),
        TmpfileOp make => MakeTmpfileAsync(make),
        LinkOp link => LinkAsync(link),
        RemoveOp remove => ErrorAsync(
            Fs.UnlinkAsync(InoOf(remove.Parent), Bytes(remove.Name), remove.IsRmdir, Never)),
        RenameOp rename => ErrorAsync(Fs.RenameAsync(
            InoOf(rename.Parent),
            Bytes(rename.Name),
            InoOf(rename.NewParent),
            Bytes(rename.NewName),
            rename.NoReplace,
            Never)),
        OpenOp open => OpenAsync(open),
        CloseOp close => CloseAsync(InoOf(close.Id), 1),
        WriteOp write => WriteAsync(write),
        TruncateOp truncate => TruncateAsync(truncate),
        AllocateOp allocate => ErrorAsync(
            Fs.FallocateAsync(InoOf(allocate.Id), allocate.Offset, allocate.Length, allocate.KeepsSize, Never)),
        SeekOp seek => SeekAsync(seek),
        SetAttrOp set => SetAttrAsync(set),
        SetProjectOp set => SetAsync(set.Id, new AttributeChanges { Project = set.Project }),
        SetXattrOp set => SetXattrAsync(set),
        RemoveXattrOp remove => ErrorAsync(
            Fs.SetXattrAsync(InoOf(remove.Id), Bytes(remove.Name), null, XattrMode.Replace, Never)),
        ReadOp read => ReadAsync(read),
        LookupOp lookup => LookupAsync(lookup),
        ListOp list => ListAsync(list),
        StatOp stat => StatAsync(stat),
        GetXattrOp get => GetXattrAsync(get),
        ListXattrsOp list => ListXattrsAsync(list),
        ReadLinkOp read => ReadLinkAsync(read),
        SyncOp => ErrorAsync(Fs.SyncAsync(Never)),
        RemountOp => RemountAsync(),
        _ => Task.FromResult(new FsAnswer { Error = FsError.Unsupported, IsUnsupported = true }),
    };

    private static byte[] Bytes(string name) => ModelText.ToBytes(name);

    private static async Task<FsAnswer> ErrorAsync(ValueTask<FsError> call) => new() { Error = await call };

    private static Timespec? TimeOf(ModelTime? time) => time is { } at
        ? new Timespec { Sec = at.Seconds, Nsec = at.Nanoseconds }
        : null;

    private static async Task<LocalNode> StartAsync(CrashWorld world)
    {
        var (error, node, message) = await LocalNode.StartAsync(
            world.Meta.Open("node"),
            world.DataDisk.Open("node"),
            SmallOptions,
            world.Time,
            new Prng(world.Prng.NextUInt64()),
            Never);
        return node ?? throw new VolumeException(error, message);
    }

    private async Task<FsAnswer> RemountAsync()
    {
        await UnmountAsync();
        await _node.DisposeAsync();
        _node = await StartAsync(_world);
        return new FsAnswer { Error = FsError.None };
    }

    private async Task<FsAnswer> MakeAsync(MakeOp op)
    {
        var (error, ino, _) = await Fs.CreateAsync(
            InoOf(op.Parent),
            Bytes(op.Name),
            op.Mode,
            op.Rdev,
            Bytes(op.Target),
            new Creator(op.Uid, op.Gid, Fs.Now),
            Never);
        if (error == FsError.None)
            Learn(op.NewId, ino);
        return new FsAnswer { Error = error };
    }

    private async Task<FsAnswer> MakeTmpfileAsync(TmpfileOp op)
    {
        var (error, ino, _) = await Fs.CreateAsync(
            InoOf(op.Parent),
            ReadOnlyMemory<byte>.Empty,
            op.Mode,
            0,
            ReadOnlyMemory<byte>.Empty,
            new Creator(op.Uid, op.Gid, Fs.Now),
            Never);
        if (error != FsError.None)
            return new FsAnswer { Error = error };
        Learn(op.NewId, ino);
        Fs.Open(ino);
        _opens[ino] = 1;
        _ = _unnamed.Add(op.NewId);
        return new FsAnswer { Error = error };
    }

    // Inodes that were there before go by their numbers.
    private ulong InoOf(ulong id) => _inoOf.GetValueOrDefault(id, id);

    private void Learn(ulong id, ulong ino)
    {
        _inoOf[id] = ino;
        _idOf[ino] = id;
    }

    private async Task<FsAnswer> LinkAsync(LinkOp op)
    {
        var (error, _) = await Fs.LinkAsync(
            InoOf(op.Id), InoOf(op.Parent), Bytes(op.Name), _unnamed.Contains(op.Id), Never);
        if (error == FsError.None)
            _ = _unnamed.Remove(op.Id);
        return new FsAnswer { Error = error };
    }

    private Task<FsAnswer> OpenAsync(OpenOp op)
    {
        ulong ino = InoOf(op.Id);
        Fs.Open(ino);
        _opens[ino] = _opens.GetValueOrDefault(ino) + 1;
        return Task.FromResult(new FsAnswer { Error = FsError.None });
    }

    private async Task<FsAnswer> CloseAsync(ulong ino, int uses)
    {
        var (error, item) = await Fs.GetAttributesAsync(ino, Never);
        if (error != FsError.None)
            return new FsAnswer { Error = error };
        Fs.Close(ino, item.Nlink == 0, uses);
        _opens[ino] -= uses;
        return new FsAnswer { Error = FsError.None };
    }

    private async Task<FsAnswer> WriteAsync(WriteOp op)
    {
        var (error, written) = await Fs.WriteAsync(
            InoOf(op.Id),
            op.Offset,
            ModelText.Contents(op.Seed, op.Length),
            isAppend: false,
            clearsSetId: false,
            Never);
        return new FsAnswer { Error = error, Written = written };
    }

    private async Task<FsAnswer> TruncateAsync(TruncateOp op)
    {
        var (error, _) = await Fs.TruncateAsync(InoOf(op.Id), op.Size, Never);
        return new FsAnswer { Error = error };
    }

    private Task<FsAnswer> SetAttrAsync(SetAttrOp op) => SetAsync(
        op.Id,
        new AttributeChanges
        {
            Permissions = op.Mode,
            Uid = op.Uid,
            Gid = op.Gid,
            Atime = TimeOf(op.Atime),
            Mtime = TimeOf(op.Mtime),
        });

    private async Task<FsAnswer> SetAsync(ulong id, AttributeChanges changes)
    {
        var (error, _) = await Fs.SetAttributesAsync(InoOf(id), changes, Never);
        return new FsAnswer { Error = error };
    }

    private async Task<FsAnswer> SetXattrAsync(SetXattrOp op)
    {
        // The call can say only one of both.
        if (op.MustCreate && op.MustReplace)
            return new FsAnswer { Error = FsError.Invalid };
        var mode = op.MustCreate ? XattrMode.Create : op.MustReplace ? XattrMode.Replace : XattrMode.Any;
        return await ErrorAsync(Fs.SetXattrAsync(
            InoOf(op.Id), Bytes(op.Name), ModelText.ValueOf(op), mode, Never));
    }

    private async Task<FsAnswer> ReadAsync(ReadOp op)
    {
        byte[] bytes = new byte[op.Length];
        var (error, read) = await Fs.ReadAsync(InoOf(op.Id), op.Offset, bytes, Never);
        return new FsAnswer { Error = error, Bytes = bytes[..read] };
    }

    private async Task<FsAnswer> LookupAsync(LookupOp op)
    {
        var (error, ino, item) = await Fs.LookupAsync(InoOf(op.Parent), Bytes(op.Name), Never);
        return error != FsError.None
            ? new FsAnswer { Error = error }
            : new FsAnswer
            {
                Error = error,
                Id = _idOf.GetValueOrDefault(ino, ino),
                Inode = VolumeState.FromItem(ino, item),
            };
    }

    private async Task<FsAnswer> ListAsync(ListOp op)
    {
        var names = new List<string>();
        var batch = new List<ListedEntry>();
        ulong from = 2;
        while (true)
        {
            var (error, isEnd) = await Fs.ListAsync(InoOf(op.Id), from, batch, ListBatch, Never);
            if (error != FsError.None)
                return new FsAnswer { Error = error };
            names.AddRange(batch.Select(static entry => ModelText.FromBytes(entry.Name)));
            if (isEnd || batch.Count == 0)
                return new FsAnswer { Error = FsError.None, Names = names };
            from = batch[^1].Pos + 1;
        }
    }

    private async Task<FsAnswer> StatAsync(StatOp op)
    {
        var (error, item) = await Fs.GetAttributesAsync(InoOf(op.Id), Never);
        return new FsAnswer { Error = error, Inode = VolumeState.FromItem(InoOf(op.Id), item) };
    }

    private async Task<FsAnswer> GetXattrAsync(GetXattrOp op)
    {
        var (error, value) = await Fs.GetXattrAsync(InoOf(op.Id), Bytes(op.Name), Never);
        return new FsAnswer { Error = error, Bytes = value };
    }

    private async Task<FsAnswer> ListXattrsAsync(ListXattrsOp op)
    {
        var (error, names) = await Fs.ListXattrsAsync(InoOf(op.Id), Never);
        return new FsAnswer
        {
            Error = error,
            Names = [.. names.Where(static one => !one.IsHidden).Select(static one => ModelText.FromBytes(one.Name))],
        };
    }

    private async Task<FsAnswer> SeekAsync(SeekOp op)
    {
        var (error, offset) = await Fs.SeekAsync(InoOf(op.Id), op.Offset, isHole: !op.IsData, Never);
        return new FsAnswer { Error = error, Offset = offset };
    }

    private async Task<FsAnswer> ReadLinkAsync(ReadLinkOp op)
    {
        var (error, target) = await Fs.ReadSymlinkAsync(InoOf(op.Id), Never);
        return new FsAnswer { Error = error, Bytes = target };
    }
}
