using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Checks the contents of a file system: every live item of the merged view and every srch entry (format §18, I79, I86
/// as far as inodes go, I90 to I102).
/// </summary>
/// <remarks>
/// <para>Two kinds of questions. What concerns one inode is answered as its items pass by, since they are next to each
/// other (<see cref="ItemsWalk"/>). What concerns two places far apart (entry and target, index and inode, total and
/// xattrs) is answered by fingerprints of both sides, which are equal in a healthy volume
/// (<see cref="MultisetFingerprint"/>). Where they are not, further passes over the items collect what is in the few
/// buckets that differ and name it.</para>
/// <para>Memory: 300 KiB while items pass by, whatever their number; up to 16 MiB in further passes. A further pass
/// takes in about 12,000 objects of each family, at most <see cref="MaxRounds"/> passes are made, and 4096 objects of
/// each family are reported; if that was not all, a finding says so.</para>
/// <para>Causes. One fault shows in many places: an inode that is gone is also missed by its index items, its entries
/// and the inode count. Findings that another one explains are left out: they wait as <see cref="Suspicion"/> until
/// all is known. Nothing is concluded from the absence of items if some could not be read.</para>
/// <para>Not checked: that every directory can be reached from the root. Directories that contain each other have
/// everything an invariant asks for.</para>
/// <para>Use: all items in ascending key order and all srch entries in any order, then one call of
/// <see cref="FinishAsync"/>. One caller at a time; nothing is allocated until something is found.</para>
/// </remarks>
public sealed class FsItemsCheck : IItemSink, ISrchEntrySink
{
    /// <summary>Further passes that are made at most.</summary>
    public const int MaxRounds = 4;

    private readonly ItemsFindings _findings;
    private readonly ItemsCrossFingerprints _fingerprints;
    private readonly ItemsWalk _walk;
    private readonly SuperBlock _super;

    /// <summary>Creates a check of one volume.</summary>
    /// <param name="super">The super block that the items are reached from.</param>
    /// <param name="findings">Takes findings.</param>
    /// <param name="extents">Takes the data extents of the first pass, for the accounting of the data device.</param>
    /// <param name="prng">Keys of the fingerprints.</param>
    public FsItemsCheck(in SuperBlock super, IFindingSink findings, IExtentSink extents, Prng prng)
    {
        _super = super;
        _findings = new ItemsFindings(findings);
        _fingerprints = new ItemsCrossFingerprints(prng);
        _walk = new ItemsWalk(super, _findings, _fingerprints, extents);
    }

    /// <summary>Inode items so far.</summary>
    public ulong InodesSeen => _walk.InodesSeen;

    /// <inheritdoc/>
    public void OnItem(in ItemKey key, ulong seq, ReadOnlySpan<byte> value) => _walk.OnItem(key, seq, value);

    /// <inheritdoc/>
    public void OnSrchEntry(in SrchEntry entry) => _fingerprints.SrchEntry(entry);

    /// <summary>All items and entries have passed by: compares, looks again, reports what waited.</summary>
    /// <param name="passes">Further passes over the same items and entries.</param>
    /// <param name="scope">Whether some were lost.</param>
    /// <param name="cancellationToken">Honoured in further passes.</param>
    public async ValueTask FinishAsync(
        ICheckPasses passes, CheckScope scope, CancellationToken cancellationToken)
    {
        _walk.Finish();
        if (!scope.ItemsComplete)
            return;
        var differences = new ItemsCrossDifferences(_fingerprints, scope.SrchEntriesComplete);
        for (int round = 0; round < MaxRounds && differences.SelectNext(); round++)
        {
            var walk = new ItemsWalk(_super, new ItemsFindings(null), differences, null);
            await passes.PassItemsAsync(walk, cancellationToken);
            walk.Finish();
            if (differences.NeedsSrchEntries)
                await passes.PassSrchEntriesAsync(differences, cancellationToken);
            differences.EndRound();
        }

        // Entries explain link counts, link counts explain orphans, all of them explain the count of inodes.
        differences.Entries.Judge(_findings);
        differences.Inodes.Finish();
        JudgeSuspicions(differences);
        differences.Inodes.Judge(_findings);
        differences.XattrIndex.Judge(_findings);
        differences.Totals.Judge(_findings);
        differences.Srch.Judge(_findings);
        JudgeInodeCount(scope.ExpectedInodes);
    }

    private void JudgeSuspicions(ItemsCrossDifferences differences)
    {
        foreach (var suspicion in _findings.Suspicions)
        {
            if (suspicion.Kind == SuspicionKind.Links)
                JudgeLinks(suspicion, differences);
            else if (Holds(suspicion, differences.Entries))
                Report(suspicion, suspicion.What!, suspicion.Severity);
        }

        if (_findings.SuspicionsNotKept > 0)
        {
            _findings.Report(
                "I94",
                "file system items",
                string.Empty,
                $"Something is missing or miscounted in {_findings.SuspicionsNotKept} more places than are listed.");
        }
    }

    private bool Holds(Suspicion suspicion, ItemsEntryDifferences entries)
    {
        switch (suspicion.Kind)
        {
            case SuspicionKind.EntryType:
                return suspicion.Count > 1 || !entries.IsBackrefWrong(suspicion.Dir, suspicion.Pos);
            case SuspicionKind.NotDirectory:
                return entries.StraysOf(suspicion.Ino) < suspicion.Count;
            case SuspicionKind.MissingInode:
                if (entries.StraysOf(suspicion.Ino) >= suspicion.Count)
                    return false;
                _findings.MissingInodes++;
                return true;
            default:
                return true;
        }
    }

    private void JudgeLinks(Suspicion suspicion, ItemsCrossDifferences differences)
    {
        long missing = differences.Entries.MissingBackrefsOf(suspicion.Ino);
        var verdict = suspicion.Links.Judge(missing, differences.Inodes.HasStrayOrphan(suspicion.Ino));
        if (verdict == LinksVerdict.Right)
            return;
        _findings.Blame(suspicion.Ino, InodeBlame.Links);
        var severity = verdict == LinksVerdict.NeverLinked ? FindingSeverity.Warning : FindingSeverity.Error;
        Report(suspicion, suspicion.Links.Describe(verdict, missing), severity);
    }

    private void Report(Suspicion suspicion, string what, FindingSeverity severity) =>
        _findings.Report(suspicion.Invariant, suspicion.Structure, suspicion.Where, what, severity);

    private void JudgeInodeCount(ulong expected)
    {
        ulong seen = InodesSeen;
        if (seen == expected || seen + _findings.MissingInodes == expected)
            return;
        _findings.Report(
            "I102",
            "super block",
            "inode_count",
            $"The super block and the log trees count {expected} inodes, but there are {seen}.");
    }
}
