using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Reports metadata blocks without a place (format §14.4; I60, I63).</summary>
internal static class LeakCheck
{
    // Blocks that are read to tell known leaks of Linux from others; beyond it leaks are reported unread.
    private const int MaxReads = 65536;

    /// <summary>Looks at every block without a place.</summary>
    public static async ValueTask RunAsync(CheckContext context, CancellationToken cancellationToken)
    {
        using var pool = new BlockPool(1);
        var buffer = pool.TryRent()!;
        int reads = 0;
        var run = context.Accounting.NextUnclaimed(0);
        for (; run.Count > 0; run = context.Accounting.NextUnclaimed(run.Start + run.Count))
        {
            ulong otherStart = run.Start;
            ulong end = run.Start + run.Count;
            for (ulong blkno = run.Start; blkno < end && reads < MaxReads; blkno++, reads++)
            {
                context.Tick(cancellationToken);
                if (!await IsKnownLeakAsync(context, blkno, buffer, cancellationToken))
                    continue;
                ReportOther(context, otherStart, blkno);
                context.Findings.Report(
                    "I63",
                    "metadata device",
                    string.Create(CultureInfo.InvariantCulture, $"block {blkno}"),
                    "The block is a level 1 btree block of a merged log tree that was never freed.",
                    FindingSeverity.Warning);
                otherStart = blkno + 1;
            }

            ReportOther(context, otherStart, end);
        }

        pool.Return(buffer);
    }

    private static void ReportOther(CheckContext context, ulong start, ulong end)
    {
        if (start >= end)
            return;
        context.Findings.Report(
            "I60",
            "metadata device",
            string.Create(CultureInfo.InvariantCulture, $"blocks {start}..{end - 1}"),
            "The blocks are in no place: neither free nor in use.");
    }

    private static async ValueTask<bool> IsKnownLeakAsync(
        CheckContext context, ulong blkno, PooledBlock buffer, CancellationToken cancellationToken)
    {
        var error = await context.Meta.ReadAsync(
            (long)(blkno * FormatConstants.LargeBlockBytes), buffer.Memory, cancellationToken);
        if (error != FsError.None)
            return false;
        var header = Disk.Ref<BtreeBlockHeader>(buffer.GetSpan());
        var asReferred = new BlockRef(blkno, header.Header.Seq);
        var fault = BlockCache.VerifyHeader(
            buffer.GetSpan(), asReferred, BlockMagic.Btree, context.Super.Header.Fsid);
        return header.Level == 1 && !fault.IsFound;
    }
}
