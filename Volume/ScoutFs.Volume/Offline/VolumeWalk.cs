using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Order in which a walk visits the entries of a directory and what is below them.</summary>
public enum WalkOrder
{
    /// <summary>As readdir gives them; a directory's entries follow it at once. The fastest.</summary>
    Position,

    /// <summary>By name, bytewise; a directory's entries follow it at once.</summary>
    Name,

    /// <summary>
    /// By whole path, bytewise. Because '-' sorts before '/', "/a-b" comes between "/a" and "/a/x".
    /// </summary>
    Path,
}

/// <summary>What a walk has come to.</summary>
public enum WalkVisit
{
    /// <summary>A path: the inode is there.</summary>
    Entry,

    /// <summary>Everything below a directory has been visited.</summary>
    Leave,

    /// <summary>Something is damaged or unreadable; the walk goes on beside it.</summary>
    Problem,
}

/// <summary>Visits a subtree of a volume, one path at a time.</summary>
/// <remarks>
/// <para>Invariants: 1. memory is bounded: <see cref="MaxSteps"/> entries (some 64 MiB) however large or deep the
/// directories are; what does not fit is read again later; 2. a walk ends: a directory is entered only through the one
/// entry that its back reference names, so that neither loops nor directories with many parents are walked twice;
/// 3. names that cannot be in a path are never put into one.</para>
/// <para>On a volume that changes meanwhile, entries that vanish between two looks are left out.</para>
/// <para>Thread rules: those of the <see cref="VolumeReader"/>.</para>
/// </remarks>
public sealed class VolumeWalk
{
    /// <summary>Entries held at once, over all directories on the way.</summary>
    public const int MaxSteps = 1 << 19;

    /// <summary>Longest path that is followed, in bytes. Linux cannot name a path of more than 4096 at once.</summary>
    public const int MaxPathBytes = 1 << 20;

    private const int PageEntries = 1024;

    private readonly VolumeReader _reader;
    private readonly WalkOrder _order;
    private readonly int _maxDepth;
    private readonly int _maxSteps;
    private readonly bool _onlyDirectories;
    private readonly List<Frame> _frames = [];
    private readonly List<DirectoryEntry> _entries = [];
    private readonly List<LinkBackref> _links = [];
    private byte[] _path = new byte[256];
    private int _pathBytes;
    private int _heldSteps;
    private ulong _startIno;
    private bool _isDescending;

    /// <summary>Creates a walk.</summary>
    /// <param name="reader">Where to read.</param>
    /// <param name="order">Order of visits.</param>
    /// <param name="maxDepth">Levels below the start that are visited.</param>
    /// <param name="maxSteps">Entries held at once, at least 2; tests make it small.</param>
    /// <param name="onlyDirectories">Whether everything else is passed over (but for the start).</param>
    public VolumeWalk(
        VolumeReader reader,
        WalkOrder order,
        int maxDepth = int.MaxValue,
        int maxSteps = MaxSteps,
        bool onlyDirectories = false)
    {
        Invariant.Require(maxSteps >= 2);
        _reader = reader;
        _order = order;
        _maxDepth = maxDepth;
        _maxSteps = maxSteps;
        _onlyDirectories = onlyDirectories;
    }

    /// <summary>What was come to.</summary>
    public WalkVisit Visit { get; private set; }

    /// <summary>Path of the visit, absolute in the volume; valid until the next move.</summary>
    public ReadOnlyMemory<byte> Path => _pathBytes == 0 ? RootPath : _path.AsMemory(0, _pathBytes);

    /// <summary>Last name of the path; empty for the root. Valid until the next move.</summary>
    public ReadOnlySpan<byte> Name
    {
        get
        {
            var path = _path.AsSpan(0, _pathBytes);
            return path[(path.LastIndexOf((byte)'/') + 1)..];
        }
    }

    /// <summary>Levels below the start, which has 0.</summary>
    public int Depth { get; private set; }

    /// <summary>Inode number; with Problem, that of what could not be read.</summary>
    public ulong Ino { get; private set; }

    /// <summary>The inode, with Entry and Leave.</summary>
    public InodeItem Inode { get; private set; }

    /// <summary>
    /// Nothing comes after the entry in its directory, with Entry. May be wrong in order of positions, where what comes
    /// after is not always read yet.
    /// </summary>
    public bool IsLastInDirectory => _frames.Count == 0 || _frames[^1] is { IsAtEnd: true } frame
        && frame.Index == frame.Steps.Count;

    /// <summary>What is wrong, with Problem.</summary>
    public VolumeException? Failure { get; private set; }

    private static byte[] RootPath { get; } = "/"u8.ToArray();

    /// <summary>Chooses where to begin; the first move visits it.</summary>
    /// <param name="start">As resolved.</param>
    public void Start(in ResolvedPath start)
    {
        _frames.Clear();
        _heldSteps = 0;
        _pathBytes = 0;
        if (start.Path.Length > 1)
            SetPath(0, start.Path.AsSpan(1));
        _startIno = start.Ino;
        Ino = start.Ino;
        Inode = start.Inode;
        Depth = -1;
        _isDescending = false;
    }

    /// <summary>Does not visit what is below the directory just visited, nor leave it. Not in order of paths.</summary>
    public void SkipChildren()
    {
        Invariant.Require(_order != WalkOrder.Path);
        _isDescending = false;
    }

    /// <summary>Moves to the next visit.</summary>
    /// <returns>False at the end.</returns>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (Depth < 0)
        {
            Depth = 0;
            ShowEntry();
            return true;
        }

        if (_isDescending)
        {
            _isDescending = false;
            if (!await EnterAsync(cancellationToken))
                return true;
        }

        while (_frames.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var frame = _frames[^1];
            if (frame.Index < frame.Steps.Count)
            {
                var step = frame.Steps[frame.Index++];
                frame.LastStep = step;
                if (await TakeAsync(frame, step, cancellationToken))
                    return true;
            }
            else if (frame.IsAtEnd)
            {
                Leave(frame);
                return true;
            }
            else if (!await TryFillAsync(frame, cancellationToken))
            {
                return true;
            }
        }

        return false;
    }

    private static int Compare(Step left, Step right)
    {
        ReadOnlySpan<byte> a = left.Entry.Name;
        ReadOnlySpan<byte> b = right.Entry.Name;
        int common = a.CommonPrefixLength(b);
        int order = SymbolAt(a, common, left.IsSubtree) - SymbolAt(b, common, right.IsSubtree);
        if (order == 0)
            order = a.Length - b.Length;
        return order != 0 ? order : left.Entry.Pos.CompareTo(right.Entry.Pos);
    }

    // The byte of a path at some place of its last name: what is below a directory goes on with a slash.
    private static int SymbolAt(ReadOnlySpan<byte> name, int index, bool isSubtree)
    {
        if (index < name.Length)
            return name[index];
        return isSubtree ? '/' : -1;
    }

    private static bool IsDirectory(in InodeItem inode) => (inode.Mode & FileMode.TypeMask) == FileMode.Directory;

    private void SetPath(int parentBytes, ReadOnlySpan<byte> name)
    {
        _pathBytes = parentBytes + 1 + name.Length;
        if (_pathBytes > _path.Length)
            Array.Resize(ref _path, Math.Max(_pathBytes, 2 * _path.Length));
        _path[parentBytes] = (byte)'/';
        name.CopyTo(_path.AsSpan(parentBytes + 1));
    }

    private void ShowEntry()
    {
        Visit = WalkVisit.Entry;
        Failure = null;
        _isDescending = IsDirectory(Inode) && Depth < _maxDepth && (_order != WalkOrder.Path || Depth == 0);
    }

    private void ShowProblem(VolumeException failure)
    {
        Visit = WalkVisit.Problem;
        Failure = failure;
        _isDescending = false;
    }

    private VolumeException Damage(string what) => new(
        FsError.Corrupt,
        $"{NameText.Printable(Path.Span)} on {_reader.Volume.Meta.Name}: {what} The volume is damaged.");

    private void Leave(Frame frame)
    {
        _frames.RemoveAt(_frames.Count - 1);
        _heldSteps -= frame.Steps.Count;
        _pathBytes = frame.PathBytes;
        Depth = frame.Depth;
        Ino = frame.Dir;
        Inode = frame.Inode;
        Visit = WalkVisit.Leave;
        Failure = null;
    }

    // Handles one step of a directory; true when there is something to show.
    private async ValueTask<bool> TakeAsync(Frame frame, Step step, CancellationToken cancellationToken)
    {
        Depth = frame.Depth + 1;
        Ino = step.Entry.Ino;
        if (!step.Entry.IsUsableName)
        {
            // The path cannot show such a name; the directory is named instead.
            _pathBytes = frame.PathBytes;
            ShowProblem(Damage(
                $"entry {step.Entry.Pos} has the impossible name \"{NameText.Printable(step.Entry.Name)}\"."));
            return !step.IsSubtree;
        }

        SetPath(frame.PathBytes, step.Entry.Name);
        try
        {
            if (await _reader.FindInodeAsync(Ino, cancellationToken) is not { } inode)
            {
                if (step.IsSubtree || _reader.Generation != frame.Generation)
                    return false;
                inode = await _reader.RequireInodeAsync(Ino, frame.Dir, cancellationToken);
            }

            Inode = inode;
        }
        catch (VolumeException failure)
        {
            ShowProblem(failure);
            return !step.IsSubtree;
        }

        bool isConsistent = (step.Entry.Type == DirentType.Directory) == IsDirectory(Inode);
        if (!isConsistent)
        {
            ShowProblem(Damage($"the entry says {step.Entry.Type}, but inode {Ino} has mode 0{OctalMode(Inode)}."));
            return !step.IsSubtree;
        }

        if (step.IsSubtree)
            return !await EnterAsync(cancellationToken);
        ShowEntry();
        return true;
    }

    private static string OctalMode(in InodeItem inode) => Convert.ToString(inode.Mode, 8);

    // Goes into the directory just visited. False when there is a problem to show, after which it is left at once.
    private async ValueTask<bool> EnterAsync(CancellationToken cancellationToken)
    {
        var parent = _frames.Count > 0 ? _frames[^1] : null;
        var frame = new Frame(Ino, Inode, _pathBytes, Depth);
        _frames.Add(frame);
        try
        {
            if (await FindObstacleAsync(parent, cancellationToken) is not { } obstacle)
                return true;
            ShowProblem(Damage(obstacle));
        }
        catch (VolumeException failure)
        {
            ShowProblem(failure);
        }

        frame.IsAtEnd = true;
        return false;
    }

    // Why a directory must not be entered, or null.
    private async ValueTask<string?> FindObstacleAsync(Frame? parent, CancellationToken cancellationToken)
    {
        if (parent is null)
            return null;
        if (Ino == _startIno)
            return "the directory is inside itself.";
        if (_frames.Count > PathResolver.MaxDepth || _pathBytes > MaxPathBytes)
            return $"more than {PathResolver.MaxDepth} levels or {MaxPathBytes} bytes of path; not followed.";
        _ = await _reader.ReadLinksAsync(Ino, 0, 0, _links, 1, cancellationToken);
        bool isThisOne = _links.Count > 0 && _links[0].Dir == parent.Dir && _links[0].Pos == parent.LastStep.Entry.Pos;
        return isThisOne || _reader.Generation != parent.Generation
            ? null
            : $"directory inode {Ino} does not know this entry as its own, so that it is not entered from here.";
    }

    // Fetches the next steps of a directory. False when there is a problem to show.
    private async ValueTask<bool> TryFillAsync(Frame frame, CancellationToken cancellationToken)
    {
        _heldSteps -= frame.Steps.Count;
        frame.Steps.Clear();
        frame.Index = 0;
        frame.Generation = _reader.Generation;
        try
        {
            if (_order == WalkOrder.Position)
                await FillByPositionAsync(frame, cancellationToken);
            else
                await FillByNameAsync(frame, cancellationToken);
        }
        catch (VolumeException failure)
        {
            frame.Steps.Clear();
            frame.IsAtEnd = true;
            Ino = frame.Dir;
            Depth = frame.Depth;
            _pathBytes = frame.PathBytes;
            ShowProblem(failure);
            return false;
        }

        _heldSteps += frame.Steps.Count;

        // Directories far above are looked at again last.
        for (int i = 0; _heldSteps > _maxSteps && i < _frames.Count - 1; i++)
            Forget(_frames[i]);
        return true;
    }

    private void Forget(Frame frame)
    {
        if (frame.Index == frame.Steps.Count)
            return;
        _heldSteps -= frame.Steps.Count;
        frame.Steps.Clear();
        frame.Steps.TrimExcess();
        frame.Index = 0;
        frame.IsAtEnd = false;
    }

    private async ValueTask FillByPositionAsync(Frame frame, CancellationToken cancellationToken)
    {
        ulong from = 0;
        if (frame.LastStep.IsValid)
        {
            from = frame.LastStep.Entry.Pos + 1;
            if (from == 0)
            {
                frame.IsAtEnd = true;
                return;
            }
        }

        int wanted = Math.Min(PageEntries, _maxSteps);
        bool hasMore = await _reader.ReadDirectoryAsync(frame.Dir, from, _entries, wanted, cancellationToken);
        frame.IsAtEnd = !hasMore;
        foreach (var entry in _entries)
        {
            if (IsWanted(entry))
                frame.Steps.Add(new Step(entry, IsSubtree: false, IsValid: true));
        }

        // Where nothing was wanted, the place to go on from must be kept all the same.
        if (frame.Steps.Count == 0 && hasMore)
            frame.LastStep = new Step(_entries[^1], IsSubtree: false, IsValid: true);
    }

    // Collects the least steps after the last one taken; a directory with more than fit is read once for every batch.
    private async ValueTask FillByNameAsync(Frame frame, CancellationToken cancellationToken)
    {
        var steps = frame.Steps;
        bool isCut = false;
        ulong from = 0;
        bool hasMore = true;
        while (hasMore)
        {
            hasMore = await _reader.ReadDirectoryAsync(frame.Dir, from, _entries, PageEntries, cancellationToken);
            foreach (var entry in _entries)
            {
                from = entry.Pos + 1;
                if (!IsWanted(entry))
                    continue;
                AddIfLater(frame, new Step(entry, IsSubtree: false, IsValid: true));
                if (_order == WalkOrder.Path && entry.Type == DirentType.Directory && frame.Depth + 1 < _maxDepth)
                    AddIfLater(frame, new Step(entry, IsSubtree: true, IsValid: true));
            }

            hasMore &= from != 0;
            if (steps.Count >= 2 * _maxSteps)
                isCut |= CutToLeast(steps);
        }

        steps.Sort(Compare);
        if (steps.Count > _maxSteps)
            isCut |= CutToLeast(steps);
        frame.IsAtEnd = !isCut;
    }

    private bool IsWanted(in DirectoryEntry entry) => !_onlyDirectories || entry.Type == DirentType.Directory;

    private bool CutToLeast(List<Step> steps)
    {
        steps.Sort(Compare);
        steps.RemoveRange(_maxSteps, steps.Count - _maxSteps);
        return true;
    }

    private static void AddIfLater(Frame frame, Step step)
    {
        if (!frame.LastStep.IsValid || Compare(step, frame.LastStep) > 0)
            frame.Steps.Add(step);
    }

    /// <summary>An entry to visit, or the subtree below it.</summary>
    private readonly record struct Step(DirectoryEntry Entry, bool IsSubtree, bool IsValid);

    /// <summary>A directory on the way to the current visit.</summary>
    private sealed class Frame(ulong dir, InodeItem inode, int pathBytes, int depth)
    {
        public ulong Dir { get; } = dir;

        public InodeItem Inode { get; } = inode;

        public int PathBytes { get; } = pathBytes;

        public int Depth { get; } = depth;

        /// <summary>Next steps; those before <see cref="Index"/> are done.</summary>
        public List<Step> Steps { get; } = [];

        public int Index { get; set; }

        /// <summary>Nothing comes after <see cref="Steps"/>.</summary>
        public bool IsAtEnd { get; set; }

        public Step LastStep { get; set; }

        /// <summary>The reader's generation when the steps were read.</summary>
        public int Generation { get; set; }
    }
}
