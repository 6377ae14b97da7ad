using System;
using System.Collections.Generic;
using System.Runtime.ExceptionServices;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>Copies a tree of this machine into a volume.</summary>
/// <remarks>
/// <para>One flow of control walks the tree, depth first, and makes directories; several others make what is in them.
/// A directory gets its times when everything directly in it is made.</para>
/// <para>Invariant: a file has the time of change of its original only when it is complete, as that is set last. So
/// size and time tell, however an import ended, what is left to do.</para>
/// </remarks>
internal sealed class ImportCopier
{
    private const int BufferBytes = 1 << 20;
    private const int MaxWaitingJobs = 512;
    private const string Phase = "Importing, paths";

    private readonly ImportTarget _target;
    private readonly ImportSummary _summary;
    private readonly CliProgress _progress;
    private readonly HashSet<ImportId> _excluded;
    private readonly bool _isOneFileSystem;
    private readonly Dictionary<ImportId, ImportLinks> _links = [];
    private readonly Channel<ImportJob> _jobs = Channel.CreateBounded<ImportJob>(MaxWaitingJobs);
    private ExceptionDispatchInfo? _failure;

    /// <summary>Creates a copier for one tree.</summary>
    /// <param name="target">The volume.</param>
    /// <param name="summary">Told about everything.</param>
    /// <param name="progress">Told about every path.</param>
    /// <param name="excluded">Files to leave out: the volume itself.</param>
    /// <param name="isOneFileSystem">Leave out what is mounted below the tree's top.</param>
    public ImportCopier(
        ImportTarget target,
        ImportSummary summary,
        CliProgress progress,
        HashSet<ImportId> excluded,
        bool isOneFileSystem)
    {
        _target = target;
        _summary = summary;
        _progress = progress;
        _excluded = excluded;
        _isOneFileSystem = isOneFileSystem;
    }

    /// <summary>Copies a directory with everything in it.</summary>
    /// <param name="folder">The directory; released at the end.</param>
    /// <param name="place">What becomes the copy: a directory, or nothing yet.</param>
    /// <param name="cancellationToken">Interrupts; a file in work is removed.</param>
    /// <exception cref="VolumeException">The volume takes no more.</exception>
    public Task CopyTreeAsync(ImportFolder folder, VolumePlace place, CancellationToken cancellationToken) =>
        RunAsync(
            async stop => await WalkAsync(await EnterTopAsync(folder, place, stop), stop), cancellationToken);

    /// <summary>Copies one file, link or device.</summary>
    /// <param name="folder">Directory that it is in; released at the end.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="place">Its place in the volume.</param>
    /// <param name="cancellationToken">Interrupts; a file in work is removed.</param>
    public async Task CopyOneAsync(
        ImportFolder folder, byte[] name, VolumePlace place, CancellationToken cancellationToken)
    {
        try
        {
            var node = folder.Describe(name);
            byte[] buffer = new byte[BufferBytes];
            _ = await MakeAsync(folder, name, node, place.Directory, place.Name, null, buffer, cancellationToken);
        }
        finally
        {
            folder.Release();
        }
    }

    private async Task RunAsync(Func<CancellationToken, Task> walkAsync, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var workers = new Task[_target.MaxCalls];
        for (int i = 0; i < workers.Length; i++)
            workers[i] = Task.Run(() => WorkAsync(stop), CancellationToken.None);
        try
        {
            await walkAsync(stop.Token);
        }
        catch (OperationCanceledException) when (_failure is not null)
        {
            // Told about below.
        }
        finally
        {
            _jobs.Writer.Complete();
            await Task.WhenAll(workers);
        }

        _failure?.Throw();
        cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task<ImportFrame> EnterTopAsync(ImportFolder folder, VolumePlace place, CancellationToken stop)
    {
        try
        {
            var node = folder.Describe();
            if (place.Found is not null && !place.IsDirectory)
            {
                throw new VolumeException(
                    FsError.NotDirectory,
                    $"{place.ShownPath} is not a directory in the volume, and {folder.ShownPath} is one. Name another "
                    + "path.");
            }

            ulong ino = place.Found?.Ino
                ?? await _target.CreateAsync(place.Directory, place.Name, node, [], stop);
            if (place.Found is null)
                _summary.AddCreated(FileMode.Directory, replaces: false);
            byte[] path = place.Name.Length == 0 ? [] : VolumePlace.Join(place.DirectoryPath, place.Name);
            return new ImportFrame(folder, node, ino, place.Found?.Inode, path);
        }
        catch
        {
            folder.Release();
            throw;
        }
    }

    // Depth first, so that few directories are open at a time.
    private async Task WalkAsync(ImportFrame top, CancellationToken stop)
    {
        var way = new Stack<(ImportFrame Frame, Queue<(byte[] Name, ImportNode Node)> Below)>();
        try
        {
            way.Push((top, await ListAsync(top, stop)));
            while (way.TryPeek(out var here))
            {
                stop.ThrowIfCancellationRequested();
                if (here.Below.TryDequeue(out var next))
                {
                    if (await TryEnterAsync(here.Frame, next.Name, next.Node, stop) is { } frame)
                        way.Push((frame, await ListAsync(frame, stop)));
                    continue;
                }

                _ = way.Pop();
                await EndAsync(here.Frame, stop);
            }
        }
        finally
        {
            while (way.TryPop(out var left))
                await EndAsync(left.Frame, stop);
        }
    }

    // Hands out what is in a directory; answers the directories in it.
    private async Task<Queue<(byte[] Name, ImportNode Node)>> ListAsync(ImportFrame frame, CancellationToken stop)
    {
        var below = new Queue<(byte[] Name, ImportNode Node)>();
        List<byte[]> names;
        try
        {
            names = frame.Folder.ListNames();
        }
        catch (ImportException failure)
        {
            _summary.AddFailed(failure.Message);
            return below;
        }

        foreach (byte[] name in names)
        {
            try
            {
                var node = frame.Folder.Describe(name);
                if (_excluded.Contains(node.Id))
                    _summary.Note($"{Shown(frame, name)} is left out: it is the volume itself.");
                else if (node.Type == FileMode.Directory)
                    below.Enqueue((name, node));
                else
                    await HandOutAsync(frame, name, node, stop);
            }
            catch (ImportException failure)
            {
                _summary.AddFailed(failure.Message);
            }
        }

        return below;
    }

    private async ValueTask HandOutAsync(
        ImportFrame frame, byte[] name, ImportNode node, CancellationToken stop)
    {
        ImportLinks? links = null;
        if (node.Nlink > 1)
        {
            if (!_links.TryGetValue(node.Id, out links))
                _links.Add(node.Id, links = new ImportLinks());
            links.CountNames++;
            if (links.CountNames == node.Nlink)
                _ = _links.Remove(node.Id);
        }

        frame.Begin();
        frame.Folder.Hold();
        try
        {
            await _jobs.Writer.WriteAsync(
                new ImportJob(frame, name, node, links, links is { CountNames: 1 }), stop);
        }
        catch (OperationCanceledException)
        {
            _ = frame.End();
            frame.Folder.Release();
            throw;
        }
    }

    private async Task<ImportFrame?> TryEnterAsync(
        ImportFrame parent, byte[] name, ImportNode node, CancellationToken stop)
    {
        byte[] path = VolumePlace.Join(parent.Path, name);
        ImportFolder? folder = null;
        try
        {
            bool isMountPoint = _isOneFileSystem && node.Id.Device != parent.Node.Id.Device;
            folder = parent.Folder.OpenFolder(name);
            var found = await _target.FindAsync(parent.Ino, name, stop);
            if (found is { } other && (other.Inode.Mode & FileMode.TypeMask) != FileMode.Directory)
                throw Conflict("a directory", "no directory");
            ulong ino = found?.Ino ?? await _target.CreateAsync(parent.Ino, name, node, [], stop);
            if (found is null)
            {
                parent.HasChanges = true;
                _summary.AddCreated(FileMode.Directory, replaces: false);
            }

            if (!isMountPoint)
                return new ImportFrame(folder, node, ino, found?.Inode, path);
            _summary.AddLoss("contents of a directory that another file system is mounted on");
        }
        catch (ImportException failure)
        {
            _summary.AddFailed(failure.Message);
        }
        catch (VolumeException failure)
        {
            if (IsFatal(failure))
                throw;
            _summary.AddFailed($"{NameText.Printable(path)}: {failure.Message}");
        }

        folder?.Release();
        return null;
    }

    private async Task WorkAsync(CancellationTokenSource stop)
    {
        byte[] buffer = new byte[BufferBytes];
        await foreach (var job in _jobs.Reader.ReadAllAsync(CancellationToken.None))
        {
            ulong ino = 0;
            try
            {
                stop.Token.ThrowIfCancellationRequested();
                ino = await TakeAsync(job, buffer, stop.Token);
            }
            catch (OperationCanceledException)
            {
                // All jobs left are taken, and not done.
            }
            catch (ImportException failure)
            {
                _summary.AddFailed(failure.Message);
            }
            catch (VolumeException failure) when (!IsFatal(failure))
            {
                _summary.AddFailed($"{ShownInVolume(job)}: {failure.Message}");
            }
            catch (Exception failure)
            {
                _failure ??= ExceptionDispatchInfo.Capture(failure);
                await stop.CancelAsync();
            }

            if (job.IsFirst)
                job.Links!.Ino.SetResult(ino);
            await EndAsync(job.Frame, stop.Token);
            job.Frame.Folder.Release();
            _progress.Report(Phase, _summary.CountPaths, 0);
        }
    }

    private async Task<ulong> TakeAsync(ImportJob job, byte[] buffer, CancellationToken stop)
    {
        var frame = job.Frame;
        if (job.Links is null || job.IsFirst)
            return await MakeAsync(frame.Folder, job.Name, job.Node, frame.Ino, job.Name, frame, buffer, stop);

        // Names are taken in the order in which they were found, so the first is done or in work.
        ulong ino = await job.Links.Ino.Task;
        stop.ThrowIfCancellationRequested();
        if (ino == 0)
        {
            throw new ImportException(
                FsError.NotFound,
                $"{Shown(frame, job.Name)} is left out: it is another name of a file that failed.");
        }

        var found = await _target.FindAsync(frame.Ino, job.Name, stop);
        if (found?.Ino == ino)
        {
            _summary.AddPresent(isUpdated: false);
            return ino;
        }

        await MakeRoomAsync(frame.Ino, job.Name, found, stop);
        frame.HasChanges = true;
        await _target.LinkAsync(ino, frame.Ino, job.Name, stop);
        _summary.AddLink(found is not null);
        return ino;
    }

    private async Task<ulong> MakeAsync(
        ImportFolder folder,
        byte[] name,
        ImportNode node,
        ulong directory,
        byte[] newName,
        ImportFrame? frame,
        byte[] buffer,
        CancellationToken stop)
    {
        byte[] linkTarget = node.Type == FileMode.Symlink ? folder.ReadLink(name) : [];
        var found = await _target.FindAsync(directory, newName, stop);
        if (found is { } old && await IsCopyAsync(old.Ino, old.Inode, node, linkTarget, stop))
        {
            bool isDifferent = !HasAttributes(old.Inode, node);
            if (isDifferent)
                await _target.SetAttributesAsync(old.Ino, AttributesOf(node, hasTimes: true), stop);
            _summary.AddPresent(isDifferent);
            return old.Ino;
        }

        // Opened first: nothing is replaced by what cannot be read.
        using var file = node.Type == FileMode.Regular ? folder.OpenFile(name) : null;
        await MakeRoomAsync(directory, newName, found, stop);
        frame?.HasChanges = true;
        ulong ino = await _target.CreateAsync(directory, newName, node, linkTarget, stop);
        try
        {
            if (file is not null)
                await WriteAsync(file, ino, node, buffer, stop);
            var xattrs = file is not null ? file.ReadXattrs() : folder.ReadXattrs(name);
            await SetXattrsAsync(ino, xattrs, isNew: true, stop);
            bool isSteady = file is null || IsSteady(node, file.Describe());
            await _target.SetAttributesAsync(ino, AttributesOf(node, isSteady), stop);
            if (!isSteady)
            {
                throw new ImportException(
                    FsError.Stale,
                    $"{folder.ShownPath}/{NameText.Printable(name)} changed while it was read; its copy may be neither "
                    + "the old nor the new. Run the command again when it is at rest.");
            }
        }
        catch (Exception failure) when (failure is not ImportException { Error: FsError.Stale })
        {
            await AbandonAsync(directory, newName);
            throw;
        }

        _summary.AddCreated(node.Type, found is not null);
        return ino;
    }

    private async Task WriteAsync(
        ImportFile file, ulong ino, ImportNode node, byte[] buffer, CancellationToken stop)
    {
        ulong size = node.SizeBytes;
        ulong at = 0;
        ulong written = 0;
        while (at < size)
        {
            ulong end = size;
            if (node.MayHaveHoles && !file.FindData(at, size, out at, out end))
                break;
            while (at < end)
            {
                stop.ThrowIfCancellationRequested();
                int length = (int)Math.Min(end - at, (ulong)buffer.Length);
                if (!_target.IsDryRun)
                {
                    length = file.Read(buffer.AsSpan(0, length), at);
                    if (length == 0)
                        break;
                    await _target.WriteAsync(ino, at, buffer.AsMemory(0, length), stop);
                }

                _summary.AddBytes(length);
                at += (ulong)length;
                written = at;
            }

            // It became shorter, which is told about when it is described again.
            if (at < end)
                break;
        }

        if (written < size)
            await _target.SetSizeAsync(ino, size, stop);
    }

    private async Task SetXattrsAsync(
        ulong ino, List<ImportXattr> xattrs, bool isNew, CancellationToken stop)
    {
        foreach (var xattr in xattrs)
        {
            string? fault = xattr.Value is null
                ? xattr.Fault
                : await _target.TrySetXattrAsync(ino, xattr, isNew, stop);
            if (fault is null)
                continue;
            int dot = xattr.Name.AsSpan().IndexOf((byte)'.');
            _summary.AddLoss($"extended attribute {NameText.Printable(xattr.Name.AsSpan(0, dot + 1))}*: {fault}");
        }
    }

    private async ValueTask<bool> IsCopyAsync(
        ulong ino, InodeItem inode, ImportNode node, byte[] linkTarget, CancellationToken stop)
    {
        if ((inode.Mode & FileMode.TypeMask) != node.Type || !IsSame(inode.Mtime, node.Mtime))
            return false;
        return node.Type switch
        {
            FileMode.Regular => inode.Size == node.SizeBytes,
            FileMode.Symlink => (await _target.ReadSymlinkAsync(ino, inode, stop)).AsSpan().SequenceEqual(linkTarget),
            FileMode.CharDevice or FileMode.BlockDevice => inode.Rdev == node.Rdev,
            _ => true,
        };
    }

    private async ValueTask MakeRoomAsync(
        ulong directory, byte[] name, (ulong Ino, InodeItem Inode)? found, CancellationToken stop)
    {
        if (found is not { } old)
            return;
        if ((old.Inode.Mode & FileMode.TypeMask) == FileMode.Directory)
            throw Conflict("no directory", "a directory");
        await _target.UnlinkAsync(directory, name, stop);
    }

    // What is incomplete goes, also when the user interrupts.
    private async ValueTask AbandonAsync(ulong directory, byte[] name)
    {
        try
        {
            await _target.UnlinkAsync(directory, name, CancellationToken.None);
        }
        catch (Exception exception) when (exception is VolumeException or OperationCanceledException)
        {
            // The first failure is the one to tell; and without its time the file is known to be incomplete.
        }
    }

    private async ValueTask EndAsync(ImportFrame frame, CancellationToken stop)
    {
        if (!frame.End())
            return;
        try
        {
            stop.ThrowIfCancellationRequested();
            await SetXattrsAsync(frame.Ino, frame.Folder.ReadXattrs(), frame.Found is null, stop);
            bool isAsItWas = frame.Found is { } found && !frame.HasChanges
                && HasAttributes(found, frame.Node) && IsSame(found.Mtime, frame.Node.Mtime);
            if (!isAsItWas)
                await _target.SetAttributesAsync(frame.Ino, AttributesOf(frame.Node, hasTimes: true), stop);
            if (frame.Found is not null)
                _summary.AddPresent(!isAsItWas);
        }
        catch (OperationCanceledException)
        {
            // It stays without its times, and the next run sets them.
        }
        catch (ImportException failure)
        {
            _summary.AddFailed(failure.Message);
        }
        catch (VolumeException failure)
        {
            string path = frame.Path.Length == 0 ? "/" : NameText.Printable(frame.Path);
            _summary.AddFailed($"{path}: {failure.Message}");
        }
        finally
        {
            frame.Folder.Release();
        }
    }

    private static AttributeChanges AttributesOf(in ImportNode node, bool hasTimes) => new()
    {
        // Links have none: what they are created with stays.
        Permissions = node.Type == FileMode.Symlink ? null : node.Permissions,
        Uid = node.Uid,
        Gid = node.Gid,
        Atime = hasTimes ? node.Atime : null,
        Mtime = hasTimes ? node.Mtime : null,
    };

    private static bool HasAttributes(in InodeItem inode, in ImportNode node) =>
        ((inode.Mode & FileMode.PermissionMask) == node.Permissions || node.Type == FileMode.Symlink)
        && inode.Uid == node.Uid && inode.Gid == node.Gid;

    private static bool IsSame(in Timespec one, in Timespec other) =>
        one.Sec.Value == other.Sec.Value && one.Nsec.Value == other.Nsec.Value;

    private static bool IsSteady(in ImportNode before, in ImportNode after) =>
        before.SizeBytes == after.SizeBytes && IsSame(before.Mtime, after.Mtime) && before.Id == after.Id;

    private static bool IsFatal(VolumeException failure) => failure.Error is FsError.NoSpace or FsError.Isolated;

    private static VolumeException Conflict(string here, string there) => new(
        FsError.Exists,
        $"it is {here} in the tree and {there} in the volume, which is left alone. Remove or rename one of them.");

    private static string Shown(ImportFrame frame, byte[] name) =>
        $"{frame.Folder.ShownPath.TrimEnd('/')}/{NameText.Printable(name)}";

    private static string ShownInVolume(ImportJob job) =>
        NameText.Printable(VolumePlace.Join(job.Frame.Path, job.Name));
}
