using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Leader;

/// <summary>Hands out inode numbers, each once in the life of the volume (cluster §5, ALLOC_INODES).</summary>
internal static class InodeNumbers
{
    /// <summary>Takes up to <paramref name="count"/> numbers; 0 when none are left.</summary>
    /// <returns>None once it is durable; NoSpace; or a device's error. A range whose answer is lost is lost.</returns>
    public static ValueTask<(FsError Error, WireInodeRange Range)> AllocateAsync(
        LeaderCommit commit, ulong count, CancellationToken cancellationToken) =>
        commit.RunAsync<WireInodeRange>(
            async transaction =>
            {
                var error = await transaction.OpenAsync();
                ulong ino = transaction.Super.NextIno;
                ulong nr = Math.Min(count, ulong.MaxValue - ino);
                transaction.Super.NextIno = ino + nr;
                return (error, new WireInodeRange { Ino = ino, Nr = nr });
            },
            cancellationToken);
}
