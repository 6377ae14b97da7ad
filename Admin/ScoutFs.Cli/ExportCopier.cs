using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>Copies a subtree of a volume to a place on this machine.</summary>
/// <remarks>
/// One flow of control does everything in the order of the walk. It runs ahead by up to <see cref="MaxAhead"/> paths
/// and starts to read small files there, and reads large ones several pieces ahead, so that the device is busy while
/// this side writes.
/// </remarks>
internal sealed class ExportCopier
{
    private const int MaxAhead = 32;
    private const int SmallBytes = 128 << 10;
    private const int PieceBytes = 2 << 20;
    private const int PiecesAhead = 4;

    // Names to remember until their other names come. Beyond this, links are copied as files of their own.
    private const int MaxFirstNames = 1_000_000;

    private readonly VolumeSession _session;
    private readonly ExportTarget _target;
    private readonly CliProgress _progress;
    private readonly long _totalBytes;
    private readonly bool _offlineAsHoles;
    private readonly FilePieceReader _pieces = new(PieceBytes, PiecesAhead);
    private readonly Queue<Step> _ahead = new();
    private readonly Stack<Step> _free = new();
    private readonly Dictionary<ulong, FirstName> _firstNames = [];
    private int _topPathBytes;

    // Depth of a directory that could not be made; what is below is left out.
    private int _skippedDepth = int.MaxValue;

    /// <summary>Creates a copier.</summary>
    /// <param name="session">The volume.</param>
    /// <param name="target">The place.</param>
    /// <param name="progress">Told about every path and piece.</param>
    /// <param name="totalBytes">Bytes expected, 0 if not known.</param>
    /// <param name="offlineAsHoles">Copy files whose contents are archived elsewhere, with holes there.</param>
    public ExportCopier(
        VolumeSession session, ExportTarget target, CliProgress progress, long totalBytes, bool offlineAsHoles)
    {
        _session = session;
        _target = target;
        _progress = progress;
        _totalBytes = totalBytes;
        _offlineAsHoles = offlineAsHoles;
    }

    /// <summary>What was done so far.</summary>
    public ExportSummary Summary { get; } = new();

    /// <summary>Copies a subtree.</summary>
    /// <exception cref="ExportException">The place takes no more.</exception>
    /// <exception cref="OperationCanceledException">It was interrupted; the file in work has been removed.</exception>
    public async Task CopyAsync(ResolvedPath top, CancellationToken cancellationToken)
    {
        _topPathBytes = top.Path.Length > 1 ? top.Path.Length : 0;
        var walk = new VolumeWalk(_session.Reader, WalkOrder.Position);
        walk.Start(top);
        try
        {
            bool hasMore = true;
            while (hasMore || _ahead.Count > 0)
            {
                while (hasMore && _ahead.Count < MaxAhead)
                {
                    hasMore = await walk.MoveNextAsync(cancellationToken);
                    if (hasMore)
                        _ahead.Enqueue(await PrepareAsync(walk, cancellationToken));
                }

                if (_ahead.Count == 0)
                    return;
                await TakeAsync(_ahead.Dequeue(), cancellationToken);
                _progress.Report("Copying", Summary.CountBytes, _totalBytes);
            }
        }
        finally
        {
            _target.AbandonNode();
            await _pieces.DrainAsync();
            foreach (var step in _ahead.Where(step => step.Read is not null))
                await Task.WhenAny(step.Read!);
        }
    }

    private async Task<Step> PrepareAsync(VolumeWalk walk, CancellationToken cancellationToken)
    {
        if (!_free.TryPop(out var step))
            step = new Step();
        step.Begin(walk);
        bool isSmallFile = walk.Visit == WalkVisit.Entry
            && (walk.Inode.Mode & FileMode.TypeMask) == FileMode.Regular
            && walk.Inode.Size.Value <= SmallBytes && walk.Inode.OfflineBlocks.Value == 0;
        if (!isSmallFile)
            return step;
        try
        {
            var contents = new FileContents(_session.Reader, walk.Ino, walk.Inode);
            bool hasData = await contents.LocateAsync(step.Piece, 0, SmallBytes, cancellationToken);
            if (!hasData)
            {
                step.Read = Task.CompletedTask;
            }
            else if (!step.Piece.IsOffline
                && (step.Piece.EndBytes >= contents.SizeBytes || !await contents.LocateAsync(
                    step.Rest, (step.Piece.EndBytes + 4095) & ~4095UL, SmallBytes, cancellationToken)))
            {
                step.MakeBuffer(SmallBytes);
                step.Read = contents.ReadPieceAsync(step.Piece, step.Buffer, cancellationToken).AsTask();
            }
        }
        catch (VolumeException failure)
        {
            step.Fail(failure);
        }

        return step;
    }

    private async Task TakeAsync(Step step, CancellationToken cancellationToken)
    {
        try
        {
            if (step.Depth > _skippedDepth || (step.Depth == _skippedDepth && step.Visit == WalkVisit.Leave))
            {
                if (step.Visit != WalkVisit.Leave)
                    Summary.CountSkipped++;
                return;
            }

            _skippedDepth = int.MaxValue;
            if (step.Failure is not null)
                throw step.Failure;
            if (step.Visit == WalkVisit.Leave)
                await LeaveAsync(step, cancellationToken);
            else
                await MakeAsync(step, cancellationToken);
        }
        catch (VolumeException failure)
        {
            LeaveOut(step, failure);
        }
        catch (ExportException failure) when (!failure.IsFatal)
        {
            LeaveOut(step, new VolumeException(failure.Error, failure.Message));
        }
        finally
        {
            if (step.Read is not null)
                await Task.WhenAny(step.Read);
            _free.Push(step);
        }
    }

    private void LeaveOut(Step step, VolumeException failure)
    {
        _target.AbandonNode();
        Summary.CountSkipped++;
        string path = NameText.Printable(step.Path);
        _session.ReportProblem(new VolumeException(
            failure.Error, $"{path} is left out or incomplete: {failure.Message}", failure.Fault));
    }

    private async Task LeaveAsync(Step step, CancellationToken cancellationToken)
    {
        _target.TakeDirectory();
        try
        {
            await DescribeAsync(step, cancellationToken);
        }
        finally
        {
            _target.LeaveDirectory();
        }
    }

    private async Task MakeAsync(Step step, CancellationToken cancellationToken)
    {
        switch (step.Inode.Mode & FileMode.TypeMask)
        {
            case FileMode.Directory:
                EnterDirectory(step);
                return;
            case FileMode.Regular:
                if (TryLink(step))
                    return;
                await CopyFileAsync(step, cancellationToken);
                break;
            case FileMode.Symlink:
                if (TryLink(step))
                    return;
                byte[] target = await _session.Reader.ReadSymlinkAsync(step.Ino, step.Inode, cancellationToken);
                bool isToDirectory = _target.AsksForLinkKind
                    && await IsToDirectoryAsync(step.Path, cancellationToken);
                _target.CreateSymlink(step.Name, target, isToDirectory);
                break;
            default:
                if (TryLink(step))
                    return;
                if (!_target.TryCreateSpecial(step.Name, step.Inode))
                {
                    Summary.AddLoss($"{ManifestWriter.TypeName(step.Inode)} node: this system or user cannot make it");
                    return;
                }

                break;
        }

        await DescribeAsync(step, cancellationToken);
        _target.CloseNode();
        Summary.CountPaths++;
        RememberName(step);
    }

    private void EnterDirectory(Step step)
    {
        try
        {
            _target.EnterDirectory(step.Name, step.Depth == 0);
            _target.CloseNode();
            Summary.CountPaths++;
        }
        catch (ExportException)
        {
            _skippedDepth = step.Depth;
            throw;
        }
    }

    private async Task CopyFileAsync(Step step, CancellationToken cancellationToken)
    {
        if (step.Inode.OfflineBlocks.Value != 0 && !_offlineAsHoles)
            throw OfflineFailure();
        _target.CreateFile(step.Name, step.Inode.Size);
        if (step.Read is not null)
        {
            await step.Read;
            WriteRuns(step.Piece, step.Buffer.Span);
            return;
        }

        var contents = new FileContents(_session.Reader, step.Ino, step.Inode);
        await _pieces.StartAsync(contents, 0, contents.SizeBytes);
        try
        {
            while (await _pieces.MoveNextAsync(cancellationToken))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!_pieces.Piece.IsOffline)
                    WriteRuns(_pieces.Piece, _pieces.Bytes.Span);
                else if (!_offlineAsHoles)
                    throw OfflineFailure();
                _progress.Report("Copying", Summary.CountBytes, _totalBytes);
            }
        }
        finally
        {
            await _pieces.DrainAsync();
        }
    }

    private static VolumeException OfflineFailure() => new(
        FsError.Offline,
        "its contents are offline (archived elsewhere). Stage it on a mounted volume first, or copy it with "
        + "--offline-as-holes.");

    // Only what is stored is written, so that holes stay holes.
    private void WriteRuns(FilePiece piece, ReadOnlySpan<byte> bytes)
    {
        foreach (var run in piece.Runs)
        {
            int length = (int)Math.Min((ulong)run.LengthBytes, piece.LengthBytes - (ulong)run.BufferOffsetBytes);
            _target.Write(
                bytes.Slice(run.BufferOffsetBytes, length), piece.OffsetBytes + (ulong)run.BufferOffsetBytes);
            Summary.CountBytes += length;
        }
    }

    private async Task DescribeAsync(Step step, CancellationToken cancellationToken)
    {
        if (_target.SetOwner(step.Inode) is { } ownerLoss)
            Summary.AddLoss(ownerLoss);
        foreach (var entry in await _session.Reader.ListXattrsAsync(step.Ino, cancellationToken))
        {
            if (await _session.Reader.ReadXattrAsync(step.Ino, entry, cancellationToken) is not { } value)
                continue;
            string? fault = _target.TrySetXattr(entry.Name, value);
            if (fault is not null)
                Summary.AddLoss($"extended attribute {Namespace(entry.Name)}: {fault}");
        }

        if (_target.SetAttributes(step.Inode) is { } loss)
            Summary.AddLoss(loss);
    }

    private static string Namespace(ReadOnlySpan<byte> name)
    {
        int dot = name.IndexOf((byte)'.');
        return NameText.Printable(name[..(dot + 1)]) + "*";
    }

    private bool TryLink(Step step)
    {
        if (step.Inode.Nlink.Value < 2 || !_firstNames.TryGetValue(step.Ino, out var first))
            return false;
        if (!_target.TryLink(first.Path, step.Name))
        {
            Summary.AddLoss("hard link: copied as a file of its own");
            return false;
        }

        Summary.CountPaths++;
        if (first.CountMissing == 1)
            _ = _firstNames.Remove(step.Ino);
        else
            _firstNames[step.Ino] = first with { CountMissing = first.CountMissing - 1 };
        return true;
    }

    private void RememberName(Step step)
    {
        if (step.Inode.Nlink.Value < 2 || _firstNames.Count >= MaxFirstNames)
            return;
        byte[] path = step.Path.Length > _topPathBytes ? step.Path[_topPathBytes..] : [];
        _ = _firstNames.TryAdd(step.Ino, new FirstName(path, step.Inode.Nlink.Value - 1));
    }

    private async Task<bool> IsToDirectoryAsync(byte[] path, CancellationToken cancellationToken)
    {
        try
        {
            var found = await _session.Resolver.ResolveAsync(path, followsLast: true, cancellationToken);
            return (found.Inode.Mode & FileMode.TypeMask) == FileMode.Directory;
        }
        catch (VolumeException)
        {
            // Leads nowhere, or out of the volume: then it is of the common kind.
            return false;
        }
    }

    /// <summary>Where an inode with several names was made first, and how many names are still to come.</summary>
    private readonly record struct FirstName(byte[] Path, uint CountMissing);

    /// <summary>A path ahead of the copy, with its contents if they are few.</summary>
    private sealed class Step
    {
        public WalkVisit Visit { get; private set; }

        public byte[] Path { get; private set; } = [];

        public ulong Ino { get; private set; }

        public InodeItem Inode { get; private set; }

        public int Depth { get; private set; }

        public VolumeException? Failure { get; private set; }

        public FilePiece Piece { get; } = new();

        public FilePiece Rest { get; } = new();

        public Memory<byte> Buffer { get; private set; }

        /// <summary>Fills <see cref="Buffer"/>; null when the contents are to be read later.</summary>
        public Task? Read { get; set; }

        public ReadOnlySpan<byte> Name => Path.AsSpan(Path.AsSpan().LastIndexOf((byte)'/') + 1);

        public void Begin(VolumeWalk walk)
        {
            Visit = walk.Visit;
            Path = walk.Path.ToArray();
            Ino = walk.Ino;
            Inode = walk.Inode;
            Depth = walk.Depth;
            Failure = walk.Visit == WalkVisit.Problem ? walk.Failure : null;
            Read = null;
        }

        public void Fail(VolumeException failure) => Failure = failure;

        public void MakeBuffer(int lengthBytes)
        {
            if (Buffer.IsEmpty)
                Buffer = AlignedBuffer.Create(lengthBytes);
        }
    }
}
