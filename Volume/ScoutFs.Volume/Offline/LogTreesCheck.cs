using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Checks log trees items and what they own (format §9; I84 to I88).</summary>
internal sealed class LogTreesCheck
{
    private readonly CheckContext _context;
    private readonly List<LogTrees> _logs = [];

    /// <summary>Creates the check of one pass.</summary>
    public LogTreesCheck(CheckContext context) => _context = context;

    /// <summary>Every readable log trees item, in key order.</summary>
    public IReadOnlyList<LogTrees> Logs => _logs;

    /// <summary>Name of a log tree, for findings.</summary>
    public static string NameOf(in LogTrees log) => string.Create(
        CultureInfo.InvariantCulture, $"log_trees {log.Rid.Value:x16}.{log.Nr.Value}");

    /// <summary>Reads and checks the items of logs_root.</summary>
    public async ValueTask CheckItemsAsync(CancellationToken cancellationToken)
    {
        using var walk = new CheckedTreeWalk(_context, "logs_root", _context.Super.LogsRoot);
        await walk.ForEachAsync(OnItem, cancellationToken);
        if (!walk.IsComplete)
        {
            _context.ItemsLost = true;
            _context.SrchEntriesLost = true;
            _context.DataBlocksLost = true;
        }

        for (int i = 0; i < _logs.Count; i++)
        {
            bool isLast = i + 1 == _logs.Count || _logs[i + 1].Rid != _logs[i].Rid;
            if (!_logs[i].IsFinalized && !isLast)
                _context.Findings.Report(
                    "I85",
                    NameOf(_logs[i]),
                    "flags",
                    "The tree is open, but not its mount's last.");
        }
    }

    /// <summary>Checks the bloom block of a log tree and gives it its place.</summary>
    public async ValueTask CheckBloomAsync(LogTrees log, CancellationToken cancellationToken)
    {
        if (log.BloomRef.IsNone)
            return;
        string structure = NameOf(log) + " bloom";
        _ = _context.Accounting.Claim(log.BloomRef.Blkno, structure);
        var lease = await _context.ReadAsync(log.BloomRef, BlockMagic.Bloom, structure, cancellationToken);
        if (!lease.IsHeld)
            return;
        ulong counted = CountBits(lease);
        ulong total = Disk.Ref<BloomBlockHeader>(lease.Bytes).TotalSet;
        lease.Dispose();
        if (counted != total)
        {
            _context.Findings.Report(
                "I88", structure, CheckContext.At(log.BloomRef), $"total_set is {total}, {counted} bits are set.");
        }
    }

    private static ulong CountBits(BlockLease lease)
    {
        ulong count = 0;
        int offset = Disk.SizeOf<BloomBlockHeader>();
        foreach (ulong word in Disk.Slice<Le64>(lease.Bytes, offset, FormatConstants.BloomBits / 64))
            count += ulong.PopCount(word);
        return count;
    }

    private void OnItem(CheckedTreeWalk walk)
    {
        walk.ReportDeletion();
        var key = walk.Item.Key;
        string where = string.Create(CultureInfo.InvariantCulture, $"item {key}");
        if (key.Zone != KeyZone.LogTrees)
        {
            _context.Findings.Report("I39", walk.Structure, where, "Items of this key do not belong here.");
            return;
        }

        if (walk.Value.Length != Disk.SizeOf<LogTrees>())
        {
            _context.Findings.Report(
                "I84",
                walk.Structure,
                where,
                $"The value has {walk.Value.Length} bytes, not {Disk.SizeOf<LogTrees>()}.");
            Lose();
            return;
        }

        if (_logs.Count >= ForestRoots.MaxSources)
        {
            throw new VolumeException(
                FsError.NoBuffers,
                $"The volume has more than {ForestRoots.MaxSources} log trees, too many to merge them.");
        }

        var log = Disk.Ref<LogTrees>(walk.Value);
        _logs.Add(log);
        if (key != Keys.LogTrees(log.Rid, log.Nr))
            _context.Findings.Report("I84", NameOf(log), where, "The key does not match rid and nr of the item.");
        CheckState(log);
    }

    private void CheckState(in LogTrees log)
    {
        string name = NameOf(log);
        var findings = _context.Findings;
        if ((log.Flags & ~LogTrees.FlagFinalized) != 0)
            findings.Report("I85", name, "flags", $"Unknown flags 0x{log.Flags.Value & ~LogTrees.FlagFinalized:x}.");
        if (log.CommitTransSeq > log.GetTransSeq)
        {
            findings.Report(
                "I85",
                name,
                "commit_trans_seq",
                $"It is {log.CommitTransSeq.Value}, greater than get_trans_seq {log.GetTransSeq.Value}.");
        }

        if (log.IsFinalized != (log.FinalizeSeq != 0))
        {
            findings.Report(
                "I85",
                name,
                "finalize_seq",
                $"finalize_seq is {log.FinalizeSeq.Value}, but the tree is "
                + $"{(log.IsFinalized ? string.Empty : "not ")}finalized.");
        }
        else if (log.IsFinalized && log.CommitTransSeq < log.GetTransSeq)
        {
            findings.Report("I85", name, "commit_trans_seq", "The tree is finalized while its transaction is open.");
        }

        CheckSeq(name, "get_trans_seq", log.GetTransSeq);
        CheckSeq(name, "max_item_seq", log.MaxItemSeq);
        CheckSeq(name, "finalize_seq", log.FinalizeSeq);
        bool ownsSomething = log.MetaAvail.TotalNr != 0 || log.MetaFreed.TotalNr != 0
            || log.DataAvail.TotalLen != 0 || log.DataFreed.TotalLen != 0 || !log.SrchFile.Ref.IsNone;
        if (log.IsFinalized && ownsSomething)
            findings.Report(
                "I87",
                name,
                string.Empty,
                "The tree is finalized but still has allocators or a srch file.");
    }

    private void CheckSeq(string name, string field, ulong seq)
    {
        if (seq > _context.Super.Seq)
            _context.Findings.Report(
                "I86",
                name,
                field,
                $"It is {seq}, greater than the super's seq {_context.Super.Seq.Value}.");
    }

    private void Lose()
    {
        _context.MetaBlocksLost = true;
        _context.DataBlocksLost = true;
        _context.ItemsLost = true;
        _context.SrchEntriesLost = true;
    }
}
