using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Checks the state of a log merge and what its items own (format §13.2; I81 to I83), and mounted clients (I80).
/// </summary>
internal sealed class LogMergeCheck
{
    private readonly CheckContext _context;
    private readonly List<LogMergeRequest> _requests = [];
    private readonly List<LogMergeComplete> _completions = [];
    private readonly List<LogMergeFreeing> _freeing = [];
    private LogMergeStatus? _status;
    private ulong _ranges;

    /// <summary>Creates the check of one pass.</summary>
    public LogMergeCheck(CheckContext context) => _context = context;

    /// <summary>Finalized log trees with a smaller finalize_seq are inputs; all are while no merge runs.</summary>
    public ulong InputsBefore => _status is { } status ? status.Seq : ulong.MaxValue;

    /// <summary>Checks the mounted clients.</summary>
    public static async ValueTask CheckClientsAsync(CheckContext context, CancellationToken cancellationToken)
    {
        using var walk = new CheckedTreeWalk(context, "mounted_clients", context.Super.MountedClients);
        await walk.ForEachAsync(OnClient, cancellationToken);

        void OnClient(CheckedTreeWalk at)
        {
            at.ReportDeletion();
            var key = at.Item.Key;
            string where = Where(key);
            if (key.Zone != KeyZone.MountedClient)
                context.Findings.Report("I39", at.Structure, where, "Items of this key do not belong here.");
            else if (at.Value.Length != Disk.SizeOf<MountedClient>())
                context.Findings.Report("I80", at.Structure, where, $"The value has {at.Value.Length} bytes, not 40.");
            else if ((Disk.Ref<MountedClient>(at.Value).Flags & ~MountedClient.FlagQuorum) != 0)
                context.Findings.Report("I80", at.Structure, where, "The client has unknown flags.");
        }
    }

    /// <summary>Reads and checks the items of the log_merge tree.</summary>
    public async ValueTask CheckItemsAsync(CancellationToken cancellationToken)
    {
        using var walk = new CheckedTreeWalk(_context, "log_merge", _context.Super.LogMerge);
        await walk.ForEachAsync(OnItem, cancellationToken);
        if (!walk.IsComplete)
        {
            // Which log trees are inputs, and so what totals add up to, is not known without the status.
            _context.ItemsLost = true;
            return;
        }

        ulong requests = (ulong)_requests.Count;
        ulong completions = (ulong)_completions.Count;
        if (_status is { } status)
        {
            if (status.NrRequests != requests)
            {
                _context.Findings.Report(
                    "I83",
                    "log_merge status",
                    "nr_requests",
                    $"It is {status.NrRequests.Value}, there are {requests} request items.");
            }

            if (status.NrComplete < completions)
            {
                _context.Findings.Report(
                    "I83",
                    "log_merge status",
                    "nr_complete",
                    $"It is {status.NrComplete.Value}, there are {completions} completion items.");
            }
        }
        else if (requests + completions + _ranges > 0)
        {
            _context.Findings.Report(
                "I83",
                "log_merge",
                string.Empty,
                "There are items of a merge, but no status item.");
        }
    }

    /// <summary>Accounts for what requests, completions and freeing items own; after fs_root was walked.</summary>
    public async ValueTask CheckOwnedAsync(AllocatorCheck allocators, CancellationToken cancellationToken)
    {
        foreach (var request in _requests)
        {
            string name = Name("request", request.Seq);
            await allocators.CheckListAsync(request.MetaAvail, name + " meta_avail", false, cancellationToken);
            await allocators.CheckListAsync(request.MetaFreed, name + " meta_freed", false, cancellationToken);
        }

        foreach (var completion in _completions)
        {
            string name = Name("completion", completion.Seq);
            await allocators.CheckListAsync(completion.MetaAvail, name + " meta_avail", false, cancellationToken);

            // What the merge replaced is still part of fs_root until the result is spliced in.
            await allocators.CheckListAsync(
                completion.MetaFreed, name + " meta_freed", entriesMayBeShared: true, cancellationToken);
            if (completion.IsSpliced)
                continue;
            var options = new CheckedTreeWalk.Options(IsSubtree: true, IsShared: true);
            using var walk = new CheckedTreeWalk(_context, name, completion.Root, options);
            await walk.ForEachAsync(static at => at.ReportDeletion(), cancellationToken);
        }

        foreach (var freeing in _freeing)
        {
            var options = new CheckedTreeWalk.Options(SkipBefore: freeing.Key);
            using var walk = new CheckedTreeWalk(_context, Name("freeing", freeing.Seq), freeing.Root, options);
            await walk.ForEachAsync(static _ => { }, cancellationToken);
        }
    }

    private static string Name(string kind, ulong seq) =>
        string.Create(CultureInfo.InvariantCulture, $"log_merge {kind} {seq}");

    private static string Where(in ItemKey key) => string.Create(CultureInfo.InvariantCulture, $"item {key}");

    private void OnItem(CheckedTreeWalk walk)
    {
        walk.ReportDeletion();
        var key = walk.Item.Key;
        int expected = key.Zone switch
        {
            KeyZone.MergeStatus => Disk.SizeOf<LogMergeStatus>(),
            KeyZone.MergeRange => Disk.SizeOf<LogMergeRange>(),
            KeyZone.MergeRequest => Disk.SizeOf<LogMergeRequest>(),
            KeyZone.MergeComplete => Disk.SizeOf<LogMergeComplete>(),
            KeyZone.MergeFreeing => Disk.SizeOf<LogMergeFreeing>(),
            _ => -1,
        };
        if (expected < 0)
        {
            _context.Findings.Report("I39", walk.Structure, Where(key), "Items of this key do not belong here.");
            return;
        }

        if (walk.Value.Length != expected)
        {
            _context.Findings.Report(
                "I81", walk.Structure, Where(key), $"The value has {walk.Value.Length} bytes, not {expected}.");
            _context.MetaBlocksLost = true;
            _context.ItemsLost |= key.Zone == KeyZone.MergeStatus;
            return;
        }

        if (!Take(walk, key))
            _context.Findings.Report("I82", walk.Structure, Where(key), "The key does not match what the item holds.");
    }

    // Returns false when the key does not match.
    private bool Take(CheckedTreeWalk walk, in ItemKey key)
    {
        switch (key.Zone)
        {
            case KeyZone.MergeStatus:
                _status = Disk.Ref<LogMergeStatus>(walk.Value);
                CheckSeq(walk, key, _status.Value.Seq);
                return key == new ItemKey(KeyZone.MergeStatus, 0, 0);
            case KeyZone.MergeRange:
                _ranges++;
                var start = Disk.Ref<LogMergeRange>(walk.Value).Start;
                start.Zone = KeyZone.MergeRange;
                return key == start;
            case KeyZone.MergeRequest:
                var request = Disk.Ref<LogMergeRequest>(walk.Value);
                _requests.Add(request);
                CheckSeq(walk, key, Math.Max(request.Seq, request.InputSeq));
                return key == new ItemKey(KeyZone.MergeRequest, request.Rid, 0, request.Seq);
            case KeyZone.MergeComplete:
                var completion = Disk.Ref<LogMergeComplete>(walk.Value);
                _completions.Add(completion);
                CheckSeq(walk, key, completion.Seq);
                return key == new ItemKey(KeyZone.MergeComplete, completion.Seq, 0);
            default:
                var freeing = Disk.Ref<LogMergeFreeing>(walk.Value);
                _freeing.Add(freeing);
                CheckSeq(walk, key, freeing.Seq);
                return key == new ItemKey(KeyZone.MergeFreeing, freeing.Seq, 0);
        }
    }

    private void CheckSeq(CheckedTreeWalk walk, in ItemKey key, ulong seq)
    {
        if (seq <= _context.Super.Seq)
            return;
        _context.Findings.Report(
            "I86",
            walk.Structure,
            Where(key),
            $"Its seq {seq} is greater than the super's seq {_context.Super.Seq.Value}.");
    }
}
