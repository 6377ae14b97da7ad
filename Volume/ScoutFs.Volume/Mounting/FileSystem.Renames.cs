using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Mounting;

/// <content>Renames (engine §7.6).</content>
public sealed partial class FileSystem
{
    private const int MaxDepth = 1 << 20;

    // Guarded by the gate.
    private bool _isRenaming;
    private TaskCompletionSource? _renameEnded;

    /// <summary>Renames, replacing what is there unless told not to.</summary>
    public async ValueTask<FsError> RenameAsync(
        ulong oldDirectory,
        ReadOnlyMemory<byte> oldName,
        ulong newDirectory,
        ReadOnlyMemory<byte> newName,
        bool isNoReplace,
        CancellationToken cancellationToken)
    {
        var rename = new RenameOperation(oldDirectory, oldName, newDirectory, newName, isNoReplace, Now);
        if (oldDirectory == newDirectory)
            return await FinishRenameAsync(rename, cancellationToken);
        var error = await EnterRenameAsync(cancellationToken);
        if (error != FsError.None)
            return error;
        try
        {
            return await RenameBetweenAsync(rename, oldDirectory, oldName, newDirectory, newName, cancellationToken);
        }
        finally
        {
            LeaveRename();
        }
    }

    // The cluster's rename lock is shared by all callers of a mount: among them, they go one by one.
    private async ValueTask<FsError> EnterRenameAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task ended;
            lock (_mount.Gate)
            {
                if (!_isRenaming)
                {
                    _isRenaming = true;
                    return FsError.None;
                }

                _renameEnded ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                ended = _renameEnded.Task;
            }

            if (await ended.OrCancelledAsync(cancellationToken) != FsError.None)
                return FsError.Cancelled;
        }
    }

    private void LeaveRename()
    {
        TaskCompletionSource? ended;
        lock (_mount.Gate)
        {
            _isRenaming = false;
            ended = _renameEnded;
            _renameEnded = null;
        }

        _ = ended?.TrySetResult();
    }

    private async ValueTask<FsError> RenameBetweenAsync(
        RenameOperation rename,
        ulong oldDirectory,
        ReadOnlyMemory<byte> oldName,
        ulong newDirectory,
        ReadOnlyMemory<byte> newName,
        CancellationToken cancellationToken)
    {
        var (error, renameLock) = await _mount.Locks.WaitAsync(
            Locking.LockRange.Rename, Locking.LockMode.Write, cancellationToken);
        if (error != FsError.None)
            return error;
        try
        {
            error = await CheckAncestorsAsync(oldDirectory, oldName, newDirectory, newName, cancellationToken);
            return error != FsError.None ? error : await FinishRenameAsync(rename, cancellationToken);
        }
        finally
        {
            lock (_mount.Gate)
                _mount.Locks.Release(renameLock!, Locking.LockMode.Write, _mount.Transaction.TransSeq);
        }
    }

    private async ValueTask<FsError> FinishRenameAsync(RenameOperation rename, CancellationToken cancellationToken)
    {
        var (error, done) = await _runner.RunAsync(rename, cancellationToken);
        if (error == FsError.None && done.ReplacedIno != 0 && done.ReplacedLinksLeft == 0)
            _mount.Deletion.Start(done.ReplacedIno);
        return error;
    }

    // Neither may the moved directory be above its new place, nor the replaced one above its old (engine §7.6).
    private async ValueTask<FsError> CheckAncestorsAsync(
        ulong oldDirectory,
        ReadOnlyMemory<byte> oldName,
        ulong newDirectory,
        ReadOnlyMemory<byte> newName,
        CancellationToken cancellationToken)
    {
        var (error, moved, item) = await LookupAsync(oldDirectory, oldName, cancellationToken);
        if (error != FsError.None)
            return error;
        if (InodeAccess.IsDirectory(item))
        {
            error = await RefuseAncestorAsync(newDirectory, moved, FsError.Invalid, cancellationToken);
            if (error != FsError.None)
                return error;
        }

        (error, ulong replaced, item) = await LookupAsync(newDirectory, newName, cancellationToken);
        if (error == FsError.NotFound)
            return FsError.None;
        if (error != FsError.None || !InodeAccess.IsDirectory(item))
            return error;
        return await RefuseAncestorAsync(oldDirectory, replaced, FsError.NotEmpty, cancellationToken);
    }

    private async ValueTask<FsError> RefuseAncestorAsync(
        ulong from, ulong forbidden, FsError refusal, CancellationToken cancellationToken)
    {
        ulong at = from;
        for (int depth = 0; depth < MaxDepth; depth++)
        {
            if (at == forbidden)
                return refusal;
            if (at == FormatConstants.RootIno)
                return FsError.None;
            var (error, parent) = await _runner.RunAsync(new GetParentOperation(at), cancellationToken);
            if (error != FsError.None)
                return error;
            at = parent.Parent;
        }

        return FsError.Loop;
    }
}
