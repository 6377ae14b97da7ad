using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing.Model;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Nodes;

/// <summary>Does the model's operations on a mounted file system, below a directory that is the model's root.</summary>
/// <remarks>
/// Knows the inode number of every id, across mounts; an id that no operation made is an inode number. Several callers
/// may use one at a time as long as they are on one thread.
/// </remarks>
public sealed class FileSystemDriver
{
    // Small, so that listings go on in the middle; a state is read faster.
    private const int ListBatch = 7;
    private const int ReadBatch = 100;
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly Dictionary<ulong, ulong> _inos = [];
    private readonly Dictionary<ulong, ulong> _ids = [];
    private readonly Dictionary<ulong, int> _opens = [];
    private readonly HashSet<ulong> _unnamed = [];

    /// <summary>Creates a driver.</summary>
    /// <param name="fs">The file system; set anew after each mount.</param>
    /// <param name="home">Inode number of the directory that is the model's root.</param>
    public FileSystemDriver(FileSystem fs, ulong home = FormatConstants.RootIno)
    {
        Fs = fs;
        Learn(ModelState.RootId, home);
    }

    /// <summary>The file system.</summary>
    public FileSystem Fs { get; set; }

    /// <summary>The time that the last operation got.</summary>
    public ModelTime StartedAt { get; private set; }

    /// <summary>Inode number of an id.</summary>
    public ulong InoOf(ulong id) => _inos.GetValueOrDefault(id, id);

    /// <summary>Does an operation.</summary>
    /// <param name="op">One that the model knows.</param>
    public Task<FsAnswer> ApplyAsync(FsOp op)
    {
        StartedAt = Now;
        return StartAsync(op);
    }

    /// <summary>Closes all handles, as an unmount needs it; what cannot be read is left for later deletion.</summary>
    public async Task CloseAllAsync()
    {
        foreach (var (id, uses) in _opens.ToArray())
        {
            if (await CloseAsync(id, uses) is { Error: not FsError.None })
                Close(id, uses, hasNoLinks: false);
        }
    }

    /// <summary>Reads everything below the home directory through the file system.</summary>
    /// <returns>A state in which blocks of zeros are left out: they cannot be told from holes.</returns>
    /// <exception cref="InvalidOperationException">Something cannot be read.</exception>
    public async Task<ModelState> ReadAllAsync()
    {
        var inodes = new Dictionary<ulong, ModelInode>();
        ulong home = InoOf(ModelState.RootId);
        var root = (await StatAsync(ModelState.RootId)).Inode!;
        inodes[ModelState.RootId] = root with { Id = ModelState.RootId };
        var open = new Stack<ulong>([ModelState.RootId]);
        while (open.TryPop(out ulong id))
        {
            foreach (var entry in await EntriesAsync(id == ModelState.RootId ? home : id))
            {
                var link = new ModelLink(id, ModelText.FromBytes(entry.Name));
                if (!inodes.TryGetValue(entry.Ino, out var inode))
                {
                    inode = await ReadInodeAsync(entry.Ino);
                    if (inode.IsDirectory)
                        open.Push(entry.Ino);
                }

                inodes[entry.Ino] = inode with { Links = inode.Links.Add(link) };
                var parent = inodes[id];
                inodes[id] = parent with
                {
                    Entries = parent.Entries.Add(link.Name, new ModelEntry(entry.Ino, entry.Pos)),
                };
            }
        }

        var xattrs = await ReadXattrsAsync(home);
        inodes[ModelState.RootId] = inodes[ModelState.RootId] with { Xattrs = xattrs };
        return new ModelState(inodes.ToImmutableDictionary());
    }

    private ModelTime Now => new(Fs.Now.Sec, Fs.Now.Nsec);

    private async Task<FsAnswer> StartAsync(FsOp op) => op switch
    {
        MakeOp make => Made(make.NewId, await Fs.CreateAsync(
            InoOf(make.Parent), ModelText.ToBytes(make.Name), make.Mode, make.Rdev, ModelText.ToBytes(make.Target),
            new Creator(make.Uid, make.Gid, Fs.Now), None)),
        TmpfileOp make => await MakeUnnamedAsync(make),
        LinkOp link => Only((await Fs.LinkAsync(
            InoOf(link.Id), InoOf(link.Parent), ModelText.ToBytes(link.Name), IsUnnamed(link.Id), None)).Error, () =>
            _ = _unnamed.Remove(link.Id)),
        RemoveOp remove => Only(await Fs.UnlinkAsync(
            InoOf(remove.Parent), ModelText.ToBytes(remove.Name), remove.IsRmdir, None)),
        RenameOp rename => Only(await Fs.RenameAsync(
            InoOf(rename.Parent), ModelText.ToBytes(rename.Name), InoOf(rename.NewParent),
            ModelText.ToBytes(rename.NewName), rename.NoReplace, None)),
        OpenOp open => Open(open.Id),
        CloseOp close => await CloseAsync(close.Id, uses: 1),
        WriteOp write => await WriteAsync(write),
        TruncateOp truncate => Only((await Fs.TruncateAsync(InoOf(truncate.Id), truncate.Size, None)).Error),
        AllocateOp allocate => await AllocateAsync(allocate),
        SeekOp seek => await SeekAsync(seek),
        SetAttrOp set => await SetAttributesAsync(set),
        SetProjectOp set => Only((await Fs.SetAttributesAsync(
            InoOf(set.Id), new AttributeChanges { Project = set.Project }, None)).Error),
        SetXattrOp set => Only(await Fs.SetXattrAsync(
            InoOf(set.Id), ModelText.ToBytes(set.Name), ModelText.ValueOf(set), ModeOf(set), None)),
        RemoveXattrOp remove => Only(await Fs.SetXattrAsync(
            InoOf(remove.Id), ModelText.ToBytes(remove.Name), null, XattrMode.Replace, None)),
        ReadOp read => await ReadAsync(read),
        LookupOp lookup => await LookupAsync(lookup),
        ListOp list => await ListAsync(list.Id),
        StatOp stat => await StatAsync(stat.Id),
        GetXattrOp get => await GetXattrAsync(get),
        ListXattrsOp list => await ListXattrsAsync(list.Id),
        ReadLinkOp read => await ReadLinkAsync(read.Id),
        SyncOp => Only(await Fs.SyncAsync(None)),
        _ => new FsAnswer { Error = FsError.Unsupported, IsUnsupported = true },
    };

    private static FsAnswer Only(FsError error, Action? onSuccess = null)
    {
        if (error == FsError.None)
            onSuccess?.Invoke();
        return new FsAnswer { Error = error };
    }

    private static XattrMode ModeOf(SetXattrOp set)
    {
        if (set.MustCreate)
            return XattrMode.Create;
        return set.MustReplace ? XattrMode.Replace : XattrMode.Any;
    }

    private static Timespec? TimeOf(ModelTime? time) =>
        time is { } value ? new Timespec { Sec = value.Seconds, Nsec = value.Nanoseconds } : null;

    private bool IsUnnamed(ulong id) => _unnamed.Contains(id);

    private void Learn(ulong id, ulong ino)
    {
        _inos[id] = ino;
        _ids[ino] = id;
    }

    private FsAnswer Made(ulong id, (FsError Error, ulong Ino, InodeItem Item) made)
    {
        if (made.Error != FsError.None)
            return new FsAnswer { Error = made.Error };
        Learn(id, made.Ino);
        return new FsAnswer { Error = FsError.None };
    }

    private async Task<FsAnswer> MakeUnnamedAsync(TmpfileOp op)
    {
        var answer = Made(op.NewId, await Fs.CreateAsync(
            InoOf(op.Parent), default, op.Mode, 0, default, new Creator(op.Uid, op.Gid, Fs.Now), None));
        if (answer.Error == FsError.None)
        {
            _ = _unnamed.Add(op.NewId);
            _ = Open(op.NewId);
        }

        return answer;
    }

    private FsAnswer Open(ulong id)
    {
        Fs.Open(InoOf(id));
        _opens[id] = _opens.GetValueOrDefault(id) + 1;
        return new FsAnswer { Error = FsError.None };
    }

    // A handle whose inode cannot be read stays open.
    private async Task<FsAnswer> CloseAsync(ulong id, int uses)
    {
        var (error, item) = await Fs.GetAttributesAsync(InoOf(id), None);
        if (error == FsError.None)
            Close(id, uses, item.Nlink == 0U);
        return new FsAnswer { Error = error };
    }

    private void Close(ulong id, int uses, bool hasNoLinks)
    {
        Fs.Close(InoOf(id), hasNoLinks, uses);
        if ((_opens[id] -= uses) == 0)
            _ = _opens.Remove(id);
    }

    // Where it appends, the offset is arbitrary and must not matter.
    private async Task<FsAnswer> WriteAsync(WriteOp op)
    {
        var (error, written) = await Fs.WriteAsync(
            InoOf(op.Id), op.Offset, ModelText.Contents(op.Seed, op.Length), op.IsAppend, clearsSetId: false, None);
        return new FsAnswer { Error = error, Written = written };
    }

    // What was allocated before it failed stays.
    private async Task<FsAnswer> AllocateAsync(AllocateOp op)
    {
        var error = await Fs.FallocateAsync(InoOf(op.Id), op.Offset, op.Length, op.KeepsSize, None);
        if (error is FsError.None)
            return new FsAnswer { Error = error };
        var left = await StatAsync(op.Id);
        return new FsAnswer { Error = error, Inode = left.Error == FsError.None ? left.Inode : null };
    }

    private async Task<FsAnswer> SeekAsync(SeekOp op)
    {
        var (error, offset) = await Fs.SeekAsync(InoOf(op.Id), op.Offset, isHole: !op.IsData, None);
        return new FsAnswer { Error = error, Offset = offset };
    }

    private async Task<FsAnswer> SetAttributesAsync(SetAttrOp set)
    {
        var changes = new AttributeChanges
        {
            Permissions = set.Mode,
            Uid = set.Uid,
            Gid = set.Gid,
            Atime = TimeOf(set.Atime),
            Mtime = TimeOf(set.Mtime),
        };
        return Only((await Fs.SetAttributesAsync(InoOf(set.Id), changes, None)).Error);
    }

    private async Task<FsAnswer> ReadAsync(ReadOp op)
    {
        byte[] bytes = new byte[op.Length];
        bytes.AsSpan().Fill(0xa5);
        var (error, read) = await Fs.ReadAsync(InoOf(op.Id), op.Offset, bytes, None);
        return new FsAnswer { Error = error, Bytes = bytes[..read] };
    }

    private async Task<FsAnswer> LookupAsync(LookupOp op)
    {
        var (error, ino, item) = await Fs.LookupAsync(InoOf(op.Parent), ModelText.ToBytes(op.Name), None);
        return error != FsError.None
            ? new FsAnswer { Error = error }
            : new FsAnswer
            {
                Error = error,
                Id = _ids.GetValueOrDefault(ino, ino),
                Inode = VolumeState.FromItem(ino, item),
            };
    }

    private async Task<FsAnswer> ListAsync(ulong id)
    {
        var entries = new List<ListedEntry>();
        var names = new List<string>();
        ulong pos = 0;
        while (true)
        {
            var (error, isEnd) = await Fs.ListAsync(InoOf(id), pos, entries, ListBatch, None);
            if (error != FsError.None)
                return new FsAnswer { Error = error };
            names.AddRange(entries.Select(static entry => ModelText.FromBytes(entry.Name)));
            if (isEnd)
                return new FsAnswer { Error = error, Names = names };
            pos = entries[^1].Pos + 1;
        }
    }

    private async Task<FsAnswer> StatAsync(ulong id)
    {
        var (error, item) = await Fs.GetAttributesAsync(InoOf(id), None);
        return new FsAnswer { Error = error, Inode = VolumeState.FromItem(id, item) };
    }

    private async Task<FsAnswer> GetXattrAsync(GetXattrOp op)
    {
        var (error, value) = await Fs.GetXattrAsync(InoOf(op.Id), ModelText.ToBytes(op.Name), None);
        return new FsAnswer { Error = error, Bytes = value };
    }

    private async Task<FsAnswer> ListXattrsAsync(ulong id)
    {
        var (error, names) = await Fs.ListXattrsAsync(InoOf(id), None);
        return new FsAnswer
        {
            Error = error,
            Names = [.. names.Where(static xattr => !xattr.IsHidden).Select(static xattr =>
                ModelText.FromBytes(xattr.Name))],
        };
    }

    private async Task<FsAnswer> ReadLinkAsync(ulong id)
    {
        var (error, target) = await Fs.ReadSymlinkAsync(InoOf(id), None);
        return new FsAnswer { Error = error, Bytes = target };
    }

    private async Task<List<ListedEntry>> EntriesAsync(ulong ino)
    {
        var all = new List<ListedEntry>();
        var batch = new List<ListedEntry>();
        for (bool isEnd = false; !isEnd;)
        {
            (var error, isEnd) = await Fs.ListAsync(ino, all.Count == 0 ? 0 : all[^1].Pos + 1, batch, ReadBatch, None);
            Require(error, ino);
            all.AddRange(batch);
        }

        return all;
    }

    private async Task<ModelInode> ReadInodeAsync(ulong ino)
    {
        var (error, item) = await Fs.GetAttributesAsync(ino, None);
        Require(error, ino);
        var inode = VolumeState.FromItem(ino, item) with { Xattrs = await ReadXattrsAsync(ino) };
        if (inode.IsSymlink)
        {
            (error, byte[] target) = await Fs.ReadSymlinkAsync(ino, None);
            Require(error, ino);
            return inode with { Target = ModelText.FromBytes(target) };
        }

        return inode.IsRegular ? inode with { Blocks = await ReadBlocksAsync(ino, inode.Size) } : inode;
    }

    private async Task<ImmutableSortedDictionary<ulong, ModelBlock>> ReadBlocksAsync(ulong ino, ulong size)
    {
        var blocks = ImmutableSortedDictionary.CreateBuilder<ulong, ModelBlock>();
        byte[] bytes = new byte[1 << 20];
        for (ulong at = 0; at < size; at += (ulong)bytes.Length)
        {
            Array.Clear(bytes);
            var (error, read) = await Fs.ReadAsync(ino, at, bytes, None);
            Require(error, ino);
            if ((ulong)read != Math.Min(size - at, (ulong)bytes.Length))
                throw new InvalidOperationException($"inode {ino}: a short read of {read} bytes at {at} of {size}");
            for (int start = 0; start < read; start += BlockBytes)
            {
                var block = bytes.AsSpan(start, BlockBytes);
                if (block.ContainsAnyExcept((byte)0))
                    blocks.Add((at + (ulong)start) / BlockBytes, new ModelBlock(block.ToArray(), IsOffline: false));
            }
        }

        return blocks.ToImmutable();
    }

    private async Task<ImmutableSortedDictionary<string, byte[]>> ReadXattrsAsync(ulong ino)
    {
        var xattrs = ImmutableSortedDictionary.CreateBuilder<string, byte[]>(StringComparer.Ordinal);
        var (error, names) = await Fs.ListXattrsAsync(ino, None);
        Require(error, ino);
        foreach (var xattr in names)
        {
            (error, byte[] value) = await Fs.GetXattrAsync(ino, xattr.Name, None);
            Require(error, ino);
            xattrs.Add(ModelText.FromBytes(xattr.Name), value);
        }

        return xattrs.ToImmutable();
    }

    private static void Require(FsError error, ulong ino)
    {
        if (error != FsError.None)
            throw new InvalidOperationException($"inode {ino} cannot be read: {error}");
    }
}
