using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Quota;

/// <summary>A place in the listing of quota rules; agents keep it as two numbers.</summary>
/// <param name="Hash">Hash of the rule there.</param>
/// <param name="Collision">Which of the rules with this hash.</param>
public readonly record struct QuotaRulePosition(ulong Hash, ulong Collision);

/// <summary>Lists quota rules in storage order (archive §9.14).</summary>
/// <param name="from">First place.</param>
/// <param name="rules">Receives up to <paramref name="limit"/> rules.</param>
/// <param name="limit">Rules at most.</param>
public struct ListRulesOperation(QuotaRulePosition from, List<QuotaRuleItem> rules, int limit) : IOperation
{
    private static readonly ItemKey Last = Keys.QuotaRule(ulong.MaxValue, ulong.MaxValue);

    private ItemKey _at = Keys.QuotaRule(from.Hash, from.Collision);

    /// <summary>None; Unsupported on a volume of format version 1, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>The place behind the last rule.</summary>
    public readonly QuotaRulePosition Next => new(_at.Second, _at.Third);

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (context.Volume.FormatVersion < 2)
        {
            Error = FsError.Unsupported;
            return true;
        }

        if (!context.Lock(LockRange.Quota, LockMode.Read, out var quotaLock))
            return false;
        while (rules.Count < limit)
        {
            if (!context.Next(quotaLock, _at, Last, out bool isFound, out var key, out var value))
                return false;
            if (!isFound)
                return true;
            if (value.Length != Disk.SizeOf<QuotaRuleItem>())
            {
                Error = FsError.Corrupt;
                return true;
            }

            rules.Add(Disk.Ref<QuotaRuleItem>(value));
            _at = Keys.QuotaRule(key.Second, key.Third + 1);
        }

        return true;
    }
}
