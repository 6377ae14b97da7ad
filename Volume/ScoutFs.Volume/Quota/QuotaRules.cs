using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Quota;

/// <summary>The total that the winning rule compares, and with what.</summary>
/// <param name="Total">Key of the total.</param>
/// <param name="Limit">The operation fails at this.</param>
/// <param name="ComparesCount">The count counts, not the sum.</param>
public readonly record struct QuotaLimit(ItemKey Total, ulong Limit, bool ComparesCount);

/// <summary>A volume's quota rules, sorted so that the first that matches wins (archive §10.8).</summary>
/// <remarks>Immutable.</remarks>
public sealed class QuotaRules
{
    private readonly QuotaRuleItem[] _rules;

    /// <summary>Sorts rules.</summary>
    public QuotaRules(List<QuotaRuleItem> rules)
    {
        _rules = [.. rules];
        Array.Sort(_rules, static (left, right) => Compare(right, left));
    }

    /// <summary>Number of rules.</summary>
    public int Count => _rules.Length;

    /// <summary>Checks a rule that is to be added.</summary>
    public static bool IsValid(in QuotaRuleItem rule)
    {
        if (rule.Op > 1 || rule.RuleFlags > 1)
            return false;
        for (int i = 0; i < 3; i++)
        {
            bool isSelecting = rule.NameFlags[i] == 1;
            if (rule.NameSource[i] > 3 || rule.NameFlags[i] > 1 || (isSelecting && rule.NameSource[i] == 0))
                return false;
            for (int other = 0; other < i; other++)
            {
                bool isSameSource = isSelecting && rule.NameFlags[other] == 1
                    && rule.NameSource[other] == rule.NameSource[i];
                if (isSameSource && rule.NameVal[other] != rule.NameVal[i])
                    return false;
            }
        }

        return true;
    }

    /// <summary>Finds the rule that decides; false when none matches.</summary>
    public bool TryMatch(QuotaOp op, ulong project, uint uid, uint gid, out QuotaLimit limit)
    {
        foreach (ref readonly var rule in _rules.AsSpan())
        {
            if (rule.Op != (byte)op || !Matches(rule, project, uid, gid))
                continue;
            limit = new QuotaLimit(
                Keys.XattrTotal(
                    Name(rule, 0, project, uid, gid),
                    Name(rule, 1, project, uid, gid),
                    Name(rule, 2, project, uid, gid)),
                rule.Limit,
                (rule.RuleFlags & 1) != 0);
            return true;
        }

        limit = default;
        return false;
    }

    private static bool Matches(in QuotaRuleItem rule, ulong project, uint uid, uint gid)
    {
        for (int i = 0; i < 3; i++)
        {
            if (rule.NameFlags[i] == 1 && Attribute(rule.NameSource[i], project, uid, gid) != rule.NameVal[i])
                return false;
        }

        return true;
    }

    private static ulong Name(in QuotaRuleItem rule, int index, ulong project, uint uid, uint gid) =>
        rule.NameSource[index] == 0 ? rule.NameVal[index] : Attribute(rule.NameSource[index], project, uid, gid);

    private static ulong Attribute(byte source, ulong project, uint uid, uint gid) => source switch
    {
        1 => project,
        2 => uid,
        _ => gid,
    };

    // The order in which rules win (format §10.11).
    private static int Compare(in QuotaRuleItem left, in QuotaRuleItem right)
    {
        int order = left.Prio.CompareTo(right.Prio);
        for (int i = 0; i < 3 && order == 0; i++)
        {
            order = left.NameVal[i].Value.CompareTo(right.NameVal[i].Value);
            if (order == 0)
                order = left.NameSource[i].CompareTo(right.NameSource[i]);
            if (order == 0)
                order = left.NameFlags[i].CompareTo(right.NameFlags[i]);
        }

        if (order == 0)
            order = left.Op.CompareTo(right.Op);
        if (order == 0)
            order = left.Limit.Value.CompareTo(right.Limit.Value);
        return order != 0 ? order : left.RuleFlags.CompareTo(right.RuleFlags);
    }
}
