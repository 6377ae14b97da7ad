using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Quota;

/// <summary>Adds or deletes a quota rule (archive §9.14).</summary>
/// <param name="rule">The rule, compared as a whole.</param>
/// <param name="isAdded">Add it; else delete it.</param>
/// <param name="check">The mount's check, which forgets its rules.</param>
public struct ChangeRuleOperation(QuotaRuleItem rule, bool isAdded, QuotaCheck check) : IOperation
{
    /// <summary>None; Exists, NotFound, Invalid, Unsupported on a volume of format version 1.</summary>
    public FsError Error { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        Error = context.Volume.FormatVersion < 2 ? FsError.Unsupported
            : isAdded && !QuotaRules.IsValid(rule) ? FsError.Invalid : FsError.None;
        if (Error != FsError.None)
            return true;
        if (!context.Lock(LockRange.Quota, LockMode.Write, out var quotaLock))
            return false;
        ulong hash = Fnv1a.Hash64(Disk.Bytes(in rule));
        var key = Keys.QuotaRule(hash, 0);
        var at = key;
        var last = Keys.QuotaRule(hash, ulong.MaxValue);
        bool isFound;
        while (true)
        {
            if (!context.Next(quotaLock, at, last, out isFound, out var present, out var value))
                return false;
            if (!isFound)
                break;
            if (value.SequenceEqual(Disk.Bytes(in rule)))
            {
                key = present;
                break;
            }

            // Another rule of this hash; between two of them one may have been deleted.
            if (key == present)
                key = Keys.QuotaRule(hash, present.Third + 1);
            at = present.Next();
        }

        if (isFound == isAdded)
        {
            Error = isAdded ? FsError.Exists : FsError.NotFound;
            return true;
        }

        if (!context.Hold(isAllocating: isAdded))
            return false;

        if (isAdded)
            context.Items.Put(key, context.ItemSeq(quotaLock), Disk.Bytes(in rule));
        else
            context.Items.Remove(key, context.ItemSeq(quotaLock));
        check.Forget();
        return true;
    }
}
