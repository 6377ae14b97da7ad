using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Quota;

/// <summary>Enforces quota rules (archive §10.8).</summary>
/// <remarks>
/// Rules are valid while the quota lock is held for reading; a change takes it for writing and so invalidates them on
/// every mount. Verdicts are reused for 5 s: quotas enforce yesterday's sums, and overshooting is normal. Guarded by
/// the gate.
/// </remarks>
public sealed class QuotaCheck : IQuotaCheck
{
    private const int MaxVerdicts = 4096;
    private static readonly TimeSpan VerdictAge = TimeSpan.FromSeconds(5);

    private readonly Lock _gate;
    private readonly WeakReader _totals;
    private readonly TimeProvider _time;
    private readonly Dictionary<QuotaLimit, (long Time, bool IsExceeded)> _verdicts = [];
    private QuotaRules? _rules;
    private ulong _rulesGeneration;

    /// <summary>Creates the check of a mount.</summary>
    public QuotaCheck(Lock gate, WeakReader totals, TimeProvider time)
    {
        _gate = gate;
        _totals = totals;
        _time = time;
    }

    /// <inheritdoc/>
    public bool Check(
        OperationContext context, QuotaOp op, ulong project, uint uid, uint gid, out FsError error)
    {
        error = FsError.None;
        if (context.Volume.FormatVersion < 2)
            return true;
        if (!context.Lock(LockRange.Quota, LockMode.Read, out var quotaLock)
            || !LoadRules(context, quotaLock, out error))
        {
            return false;
        }

        if (error != FsError.None || !_rules!.TryMatch(op, project, uid, gid, out var limit))
            return true;
        if (_verdicts.TryGetValue(limit, out var verdict) && _time.GetElapsedTime(verdict.Time) < VerdictAge)
        {
            error = verdict.IsExceeded ? FsError.QuotaExceeded : FsError.None;
            return true;
        }

        context.Need(new VerdictNeed(this, limit), releasesLocks: true);
        return false;
    }

    /// <summary>The rules were changed by this mount.</summary>
    public void Forget() => _rules = null;

    private bool LoadRules(OperationContext context, ClusterLock quotaLock, out FsError error)
    {
        error = FsError.None;
        if (_rules is not null && _rulesGeneration == quotaLock.RefreshGeneration)
            return true;
        var rules = new List<QuotaRuleItem>();
        var from = Keys.QuotaRule(0, 0);
        var last = Keys.QuotaRule(ulong.MaxValue, ulong.MaxValue);
        while (context.Next(quotaLock, from, last, out bool isFound, out var key, out var value))
        {
            if (!isFound)
            {
                _rules = new QuotaRules(rules);
                _rulesGeneration = quotaLock.RefreshGeneration;
                return true;
            }

            if (value.Length != Disk.SizeOf<QuotaRuleItem>())
            {
                error = FsError.Corrupt;
                return true;
            }

            rules.Add(Disk.Ref<QuotaRuleItem>(value));
            from = key.Next();
        }

        return false;
    }

    private async ValueTask<FsError> DecideAsync(QuotaLimit limit, CancellationToken cancellationToken)
    {
        var (error, isFound, total) = await _totals.ReadTotalAsync(limit.Total, cancellationToken);
        if (error != FsError.None)
            return error;
        ulong use = limit.ComparesCount ? total.Count : total.Total;
        lock (_gate)
        {
            if (_verdicts.Count >= MaxVerdicts)
                _verdicts.Clear();
            _verdicts[limit] = (_time.GetTimestamp(), isFound && use >= limit.Limit);
        }

        return FsError.None;
    }

    private sealed class VerdictNeed(QuotaCheck check, QuotaLimit limit) : IOperationNeed
    {
        public ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken) =>
            check.DecideAsync(limit, cancellationToken);
    }
}
