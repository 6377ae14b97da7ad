using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Quota rules: size, hash, fields, no rule twice (I99; format §10.11).</summary>
internal sealed class ItemsQuota
{
    private const byte MaxSource = 3;

    private readonly ItemsFindings _findings;
    private readonly ulong _formatVersion;

    private bool _hasLast;
    private ulong _lastHash;
    private QuotaRuleItem _last;

    /// <summary>Creates it for one pass.</summary>
    public ItemsQuota(in SuperBlock super, ItemsFindings findings)
    {
        _findings = findings;
        _formatVersion = super.FormatVersion;
    }

    /// <summary>A quota rule.</summary>
    public void OnRule(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if (_formatVersion < 2)
        {
            Report(key, "Format version 1 has no quota rules, expected no such item.");
            return;
        }

        if (value.Length != Disk.SizeOf<QuotaRuleItem>())
        {
            Report(key, $"The rule's value has {value.Length} bytes, expected {Disk.SizeOf<QuotaRuleItem>()}.");
            return;
        }

        ulong hash = Fnv1a.Hash64(value);
        ref readonly var rule = ref Disk.Ref<QuotaRuleItem>(value);
        if (hash != key.Second)
            Report(key, $"The hash of the rule is {hash:x16}, but the key has {key.Second.Value:x16}.");
        else if ((key.First | key.Fourth) != 0)
            Report(key, "The key of the rule has parts that must be 0 and are not.");
        else if (FaultOf(rule) is { } fault)
            Report(key, fault);
        else if (rule.Op == 2)
            ReportOp(key);
        else if (_hasLast && _lastHash == hash && Disk.Bytes(in _last).SequenceEqual(value))
            Report(key, "The rule is stored twice.");
        _hasLast = true;
        _lastHash = hash;
        _last = rule;
    }

    // What no rule can be, or null.
    private static string? FaultOf(in QuotaRuleItem rule)
    {
        if (rule.Op > 2)
            return $"The rule's operation is {rule.Op}, expected 0 or 1.";
        if (rule.RuleFlags > 1)
            return $"The rule's flags are 0x{rule.RuleFlags:x}, expected 0 or 1.";
        for (int i = 0; i < 3; i++)
        {
            if (rule.NameSource[i] > MaxSource)
                return $"The source of name {i} of the rule is {rule.NameSource[i]}, expected 0 to {MaxSource}.";
            if (rule.NameFlags[i] > 1)
                return $"The flags of name {i} of the rule are 0x{rule.NameFlags[i]:x}, expected 0 or 1.";
            if (rule.NameFlags[i] == 1 && rule.NameSource[i] == 0)
                return $"Name {i} of the rule is a literal number and cannot select.";
            for (int other = 0; other < i; other++)
            {
                bool selectBoth = rule.NameFlags[i] == 1 && rule.NameFlags[other] == 1
                    && rule.NameSource[i] == rule.NameSource[other];
                if (selectBoth && rule.NameVal[i] != rule.NameVal[other])
                    return $"Names {other} and {i} of the rule select different values of the same attribute.";
            }
        }

        for (int i = 0; i < 7; i++)
        {
            if (rule.Pad[i] != 0)
                return "The unused bytes of the rule are not zero.";
        }

        return null;
    }

    private void Report(in ItemKey key, string what) => _findings.Report("I99", "quota rules", key.ToString(), what);

    private void ReportOp(in ItemKey key) => _findings.Report(
        "I99",
        "quota rules",
        key.ToString(),
        "The rule's operation is 2, which applies to nothing; Linux is known to accept it.",
        FindingSeverity.Warning);
}
