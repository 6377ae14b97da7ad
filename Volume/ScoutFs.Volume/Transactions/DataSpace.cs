using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>Free data extents of the open transaction, in memory (engine §3.3).</summary>
/// <remarks>
/// Extents are taken from the mount's data_avail tree in pieces; what is left of them goes back before each commit.
/// Guarded by the gate. As a need it refills itself.
/// </remarks>
public sealed class DataSpace : IOperationNeed
{
    /// <summary>Blocks of 4 KiB taken from the tree at a time: 128 MiB.</summary>
    public const ulong PieceBlocks = 32768;

    /// <summary>More than one operation takes at a time; with less in memory another piece is fetched.</summary>
    internal const ulong EnoughBlocks = 1024;

    private readonly Transaction _transaction;
    private readonly List<FreeExtent> _free = [];

    /// <summary>Creates the space of a transaction, empty.</summary>
    internal DataSpace(Transaction transaction) => _transaction = transaction;

    /// <summary>Free extents in memory.</summary>
    public int ExtentCount => _free.Count;

    /// <summary>Free blocks in memory.</summary>
    public ulong FreeBlocks { get; private set; }

    /// <summary>Takes blocks; fewer than wanted may come. Only with the transaction held.</summary>
    /// <param name="want">Blocks of 4 KiB, at least 1.</param>
    /// <param name="extent">What was taken.</param>
    /// <returns>False when none are in memory: make this the operation's need.</returns>
    public bool TryTake(ulong want, out FreeExtent extent)
    {
        // The commit goes through the extents without the gate.
        Invariant.Require(!_transaction.IsCommitting);
        extent = default;
        if (_free.Count == 0)
            return false;
        var last = _free[^1];
        ulong count = Math.Min(want, last.Count);
        extent = last with { Count = count };
        FreeBlocks -= count;
        if (count == last.Count)
            _free.RemoveAt(_free.Count - 1);
        else
            _free[^1] = new FreeExtent(last.Start + count, last.Count - count);
        return true;
    }

    /// <summary>Gives back blocks that were taken in this transaction and never referred to.</summary>
    public void GiveBack(in FreeExtent extent)
    {
        FreeBlocks += extent.Count;
        if (_free.Count > 0 && extent.End == _free[^1].Start)
            _free[^1] = new FreeExtent(extent.Start, extent.Count + _free[^1].Count);
        else
            _free.Add(extent);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken) =>
        _transaction.TakeDataAsync(cancellationToken);

    /// <summary>A new transaction begins: what was left went back.</summary>
    internal void Begin()
    {
        _free.Clear();
        FreeBlocks = 0;
    }

    /// <summary>Adds an extent that was taken from the tree.</summary>
    internal void Add(in FreeExtent extent)
    {
        _free.Add(extent);
        FreeBlocks += extent.Count;
    }

    /// <summary>What is left, to be given back by the commit.</summary>
    internal List<FreeExtent> Free => _free;
}
