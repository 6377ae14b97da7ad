using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Forest;

/// <summary>Says without locks where the next item may be, so that walks need not lock what is empty.</summary>
public static class NextKey
{
    /// <summary>Finds the least key, from one on, of any version in any tree of the forest.</summary>
    /// <param name="cache">Cache of the metadata device.</param>
    /// <param name="roots">A committed state.</param>
    /// <param name="from">First key.</param>
    /// <param name="cancellationToken">Ends the wait for blocks.</param>
    /// <returns>
    /// None, and the key, greatest of all when there is none; it is a hint: the item may be deleted. Stale, Corrupt,
    /// NoBuffers, Io or Cancelled.
    /// </returns>
    public static async ValueTask<(FsError Error, ItemKey Key)> FindAsync(
        BlockCache cache, ForestRoots roots, ItemKey from, CancellationToken cancellationToken)
    {
        var least = ItemKey.Max;
        using var cursor = new BtreeCursor(cache);
        foreach (var source in roots.Sources)
        {
            cursor.SetRoot(source.Root);
            var status = await cursor.SeekAsync(from, cancellationToken);
            if (status == BtreeStatus.Corrupt)
                return (cursor.Error, default);
            if (status == BtreeStatus.Found && cursor.Key < least)
                least = cursor.Key;
        }

        return (FsError.None, least);
    }
}
