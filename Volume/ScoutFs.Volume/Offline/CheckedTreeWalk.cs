using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Walks a whole btree in key order, verifies and accounts for each block, and survives damage.</summary>
/// <remarks>
/// <para>Items that can be used are delivered in ascending key order; subtrees that cannot be read are reported and
/// skipped, and <see cref="IsComplete"/> becomes false. Each block is entered once: a second reference to it is left to
/// the accounting (I60), which also bounds the walk over any tangle of references.</para>
/// <para>Holds one block a level and a few read ahead. <see cref="MoveNext"/> allocates nothing and never waits; after
/// <see cref="BtreeStatus.NeedBlock"/> await <see cref="LoadAsync"/> and repeat it.</para>
/// </remarks>
internal sealed class CheckedTreeWalk : IDisposable
{
    private const int ReadAheadBlocks = 16;

    private readonly CheckContext _context;
    private readonly BtreeBlockChecker _checker;
    private readonly string _structure;
    private readonly BtreeRoot _root;
    private readonly Options _options;
    private readonly Level?[] _levels = new Level?[FormatConstants.MaxBtreeHeight];
    private int _depth;
    private BlockRef _pending;
    private BtreeBlockChecker.Place _pendingPlace;
    private ItemKey _last;
    private bool _hasLast;

    /// <summary>Creates a walk that stands before the first item.</summary>
    public CheckedTreeWalk(CheckContext context, string structure, BtreeRoot root, Options options = default)
    {
        _context = context;
        _checker = new BtreeBlockChecker(context.Findings);
        _structure = structure;
        _root = root;
        _options = options;
        Start();
    }

    /// <summary>How trees differ.</summary>
    /// <param name="IsSubtree">The root is not on the right edge of a whole tree.</param>
    /// <param name="IsShared">Blocks that have a place already are not entered, and that is right (format
    /// §14.3).</param>
    /// <param name="SkipBefore">Children with a smaller key are freed already (format §13.2).</param>
    public readonly record struct Options(bool IsSubtree = false, bool IsShared = false, ItemKey SkipBefore = default);

    /// <summary>Looks at a block that has been entered, before its items are delivered.</summary>
    /// <param name="block">The block.</param>
    /// <param name="level">The level that its place in the tree gives it.</param>
    /// <param name="order">Offsets of its usable items, in key order.</param>
    public delegate void BlockVisitor(ReadOnlySpan<byte> block, int level, ReadOnlySpan<ushort> order);

    /// <summary>Is shown every block that is entered, parents as well.</summary>
    public BlockVisitor? OnBlock { get; init; }

    /// <summary>Every block was entered and every item delivered.</summary>
    public bool IsComplete { get; private set; } = true;

    /// <summary>Name of the tree, for findings.</summary>
    public string Structure => _structure;

    /// <summary>The current item.</summary>
    public ref readonly BtreeItem Item
    {
        get
        {
            var level = _levels[_depth - 1]!;
            return ref Disk.Ref<BtreeItem>(level.Lease.Bytes, level.Order[level.Index]);
        }
    }

    /// <summary>Value of the current item.</summary>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            ref readonly var item = ref Item;
            return item.ValLen == 0 ? default : _levels[_depth - 1]!.Lease.Bytes.Slice(item.ValOff, item.ValLen);
        }
    }

    /// <summary>Block of the current item.</summary>
    public ulong Blkno => Disk.Ref<BlockHeader>(_levels[_depth - 1]!.Lease.Bytes).Blkno;

    /// <summary>Moves to the next item.</summary>
    /// <returns>Found, End or NeedBlock; never Corrupt.</returns>
    public BtreeStatus MoveNext()
    {
        while (true)
        {
            if (!_pending.IsNone)
            {
                if (!_context.Cache.TryGet(_pending, BlockMagic.Btree, out var lease))
                    return BtreeStatus.NeedBlock;
                Enter(lease);
            }

            if (_depth == 0)
                return BtreeStatus.End;
            var level = _levels[_depth - 1]!;
            if (++level.Index >= level.Count)
            {
                level.Lease.Dispose();
                _depth--;
            }
            else if (level.Place.Level == 0)
            {
                return BtreeStatus.Found;
            }
            else
            {
                ChooseChild(level);
            }
        }
    }

    /// <summary>Loads the block that is needed; one that cannot be had is reported and skipped.</summary>
    public async ValueTask LoadAsync(CancellationToken cancellationToken)
    {
        _context.Tick(cancellationToken);
        var result = await _context.Cache.LoadAsync(_pending, BlockMagic.Btree, cancellationToken);
        if (result.Error == FsError.None)
            return;
        _context.ReportUnusable(result, _pending, _structure);
        Lose();
        _pending = default;
    }

    /// <summary>Passes every item to a callback; for trees whose items are looked at one by one.</summary>
    public async ValueTask ForEachAsync(Action<CheckedTreeWalk> onItem, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (MoveNext())
            {
                case BtreeStatus.Found:
                    onItem(this);
                    break;
                case BtreeStatus.NeedBlock:
                    await LoadAsync(cancellationToken);
                    break;
                default:
                    return;
            }
        }
    }

    /// <summary>Reports a deletion in a tree that is no log tree (I36); for the current item.</summary>
    public void ReportDeletion()
    {
        ref readonly var item = ref Item;
        if ((item.Flags & BtreeItem.FlagDeletion) == 0)
            return;
        _context.Findings.Report(
            "I36", _structure, $"item {item.Key}, block {Blkno}", "It is a deletion, which only log trees may hold.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (; _depth > 0; _depth--)
            _levels[_depth - 1]!.Lease.Dispose();
    }

    private void Start()
    {
        int height = _root.Height;
        if (height == 0 && _root.Ref.IsNone)
            return;
        if (height is 0 or > FormatConstants.MaxBtreeHeight || _root.Ref.IsNone)
        {
            _context.Findings.Report(
                "I34",
                _structure,
                "root",
                $"The root has height {height} and refers to block {_root.Ref.Blkno.Value}; heights are 0 without "
                + "and 1 to "
                + $"{FormatConstants.MaxBtreeHeight} with a block.");
            Lose();
            return;
        }

        SetPending(_root.Ref, new BtreeBlockChecker.Place(
            _structure, height - 1, ItemKey.Min, ItemKey.Max, IsRightSpine: !_options.IsSubtree, IsRoot: true));
    }

    private void SetPending(in BlockRef blockRef, in BtreeBlockChecker.Place place)
    {
        ulong blkno = blockRef.Blkno;
        var accounting = _context.Accounting;
        bool isInside = blkno >= FormatConstants.FirstMetaBlkno && blkno < accounting.TotalBlocks;
        if (isInside && _options.IsShared && accounting.IsEntered(blkno))
            return;

        // A second place, a free list say, does not keep the tree from being read; a second walk through it does.
        if (isInside)
            _ = accounting.Claim(blkno, _structure);
        if (isInside && !accounting.TryEnter(blkno))
        {
            Lose();
            return;
        }

        if (_options.IsShared)
            _context.Accounting.AllowShared(blkno);
        _pending = blockRef;
        _pendingPlace = place;
    }

    private void Enter(BlockLease lease)
    {
        _pending = default;
        var level = _levels[_depth] ??= new Level();
        level.Lease = lease;
        level.Place = _pendingPlace;
        level.Index = -1;
        level.ReadAheadTo = 0;
        var verdict = _checker.Check(lease.Bytes, level.Place, level.Order);
        level.Count = verdict.CountItems;
        level.HasGoodOrder = verdict.HasGoodOrder;

        // What is outside of its range was reported where it was found first: not again below.
        if (!verdict.HasGoodRange)
            level.Place = level.Place with { Start = ItemKey.Min, End = ItemKey.Max };
        if (!verdict.IsComplete)
            Lose();
        if (level.Place.Level == 0)
            KeepAscending(level);
        OnBlock?.Invoke(lease.Bytes, level.Place.Level, level.Order.AsSpan(0, level.Count));
        if (level.Count == 0)
            lease.Dispose();
        else
            _depth++;
    }

    // Holds by itself in trees whose ranges are good. In others leaves may overlap, and what comes too late is lost.
    private void KeepAscending(Level level)
    {
        if (level.Count == 0)
            return;
        var bytes = level.Lease.Bytes;
        int late = 0;
        while (_hasLast && late < level.Count && KeyAt(bytes, level.Order[late]) <= _last)
            late++;
        if (late > 0)
        {
            level.Order.AsSpan(late, level.Count - late).CopyTo(level.Order);
            level.Count -= late;
            Lose();
        }

        if (level.Count == 0)
            return;
        _last = KeyAt(bytes, level.Order[level.Count - 1]);
        _hasLast = true;
    }

    private static ref readonly ItemKey KeyAt(ReadOnlySpan<byte> bytes, int offset) =>
        ref Disk.Ref<BtreeItem>(bytes, offset).Key;

    private void ChooseChild(Level level)
    {
        var bytes = level.Lease.Bytes;
        ref readonly var item = ref Disk.Ref<BtreeItem>(bytes, level.Order[level.Index]);
        if (item.Key < _options.SkipBefore)
            return;
        bool isLast = level.Index == level.Count - 1;
        bool isRightSpine = level.Place.IsRightSpine && isLast;

        // Keys that are out of order, or an edge that is not all ones, are reported here: children are not judged by
        // them.
        var start = level.Index == 0 || !level.HasGoodOrder
            ? level.Place.Start
            : KeyAt(bytes, level.Order[level.Index - 1]).Next();
        var end = isRightSpine || !level.HasGoodOrder ? level.Place.End : item.Key;
        ReadAhead(level, bytes);
        SetPending(
            Disk.Ref<BlockRef>(bytes, item.ValOff),
            new BtreeBlockChecker.Place(
                _structure, level.Place.Level - 1, start, end, isRightSpine, IsRoot: false));
    }

    private void ReadAhead(Level level, ReadOnlySpan<byte> bytes)
    {
        int to = Math.Min(level.Count, level.Index + 1 + ReadAheadBlocks);
        for (int i = Math.Max(level.ReadAheadTo, level.Index + 1); i < to; i++)
        {
            ref readonly var ahead = ref Disk.Ref<BtreeItem>(bytes, level.Order[i]);
            _context.Cache.Prefetch(Disk.Ref<BlockRef>(bytes, ahead.ValOff), BlockMagic.Btree);
        }

        level.ReadAheadTo = to;
    }

    private void Lose()
    {
        IsComplete = false;
        _context.MetaBlocksLost = true;
    }

    private sealed class Level
    {
        public readonly ushort[] Order = new ushort[BtreeShape.MaxParentItems];
        public BlockLease Lease;
        public BtreeBlockChecker.Place Place;
        public int Count;
        public bool HasGoodOrder;
        public int Index;
        public int ReadAheadTo;
    }
}
