using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>Adds to a total without an xattr: for repairs and tests (archive §9.14).</summary>
/// <param name="name">The three numbers of the total.</param>
/// <param name="total">Added to the sum, modulo 2^64.</param>
/// <param name="count">Added to the count, modulo 2^64.</param>
public struct InjectTotalOperation(TotalName name, ulong total, ulong count) : IOperation
{
    /// <summary>None.</summary>
    public readonly FsError Error => FsError.None;

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!context.Lock(LockRange.Totals, LockMode.WriteOnly, out var totals))
            return false;
        if (total == 0 && count == 0)
            return true;
        if (!context.Hold(isAllocating: true))
            return false;

        context.Items.AddDelta(Keys.XattrTotal(name.A, name.B, name.C), context.ItemSeq(totals), total, count);
        return true;
    }
}

/// <summary>What totals are named by: the last three numbers in the names of their xattrs.</summary>
/// <param name="A">First, most significant.</param>
/// <param name="B">Second.</param>
/// <param name="C">Third.</param>
public readonly record struct TotalName(ulong A, ulong B, ulong C);
