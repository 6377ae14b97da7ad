using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Mounting;

/// <content>Questions about many inodes: what changed, where inodes are named (archive §9).</content>
public sealed partial class FileSystem
{
    // A walk to the root that loses its way, because directories are renamed meanwhile, starts over that often.
    private const int PathAttempts = 10;

    /// <summary>The seq up to which everything is durable; nothing changes its place to one below any more
    /// (archive §9.2).</summary>
    /// <returns>None and the seq.</returns>
    public ValueTask<(FsError Error, ulong Seq)> GetCommittedSeqAsync(CancellationToken cancellationToken) =>
        _mount.Leader.GetLastSeqAsync(cancellationToken);

    /// <summary>Lists inodes in the order of their last change (archive §9.3).</summary>
    /// <remarks>
    /// The listing ends with what was committed when the call began, so it waits for few commits. Inodes without links
    /// that are not deleted yet may appear.
    /// </remarks>
    /// <param name="index">The order; directories are in that of meta_seq alone.</param>
    /// <param name="first">First place, inclusive.</param>
    /// <param name="last">Last place, inclusive.</param>
    /// <param name="entries">Receives inodes, in order; emptied first. None: there are no more.</param>
    /// <param name="limit">Entries at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, also when an error came after some entries; Invalid for an unknown index; Corrupt, Io…</returns>
    public async ValueTask<FsError> WalkInodesAsync(
        InodeIndex index,
        IndexedInode first,
        IndexedInode last,
        List<IndexedInode> entries,
        int limit,
        CancellationToken cancellationToken)
    {
        entries.Clear();
        if (index is not (InodeIndex.MetaSeq or InodeIndex.DataSeq))
            return FsError.Invalid;
        var (error, committed) = await GetCommittedSeqAsync(cancellationToken);
        if (error != FsError.None)
            return error;
        if (last.Seq > committed)
            last = new IndexedInode(committed, ulong.MaxValue);
        error = await WalkLocksAsync(KeyOf(index, first), KeyOf(index, last), entries, limit, cancellationToken);
        return entries.Count > 0 ? FsError.None : error;
    }

    /// <summary>Lists the entries that name an inode (archive §9.12).</summary>
    /// <param name="ino">Inode number; one that does not exist has no entries.</param>
    /// <param name="directory">Directory of the place to start from, inclusive.</param>
    /// <param name="pos">Position of the place to start from, inclusive.</param>
    /// <param name="links">Receives entries, by directory and position; emptied first.</param>
    /// <param name="limit">Entries at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, and whether nothing follows; Corrupt, Io.</returns>
    public async ValueTask<(FsError Error, bool IsEnd)> ListLinksAsync(
        ulong ino,
        ulong directory,
        ulong pos,
        List<InodeLink> links,
        int limit,
        CancellationToken cancellationToken)
    {
        links.Clear();
        var (error, done) = await _runner.RunAsync(
            new ListLinksOperation(ino, directory, pos, links, limit), cancellationToken);
        return (error, done.IsEnd);
    }

    /// <summary>Finds the first entry of a directory's back references: its parent and its name
    /// (engine §6.9).</summary>
    /// <returns>None; NotFound for the root and for what has no name; Corrupt, Io.</returns>
    public ValueTask<(FsError Error, InodeLink Link)> GetParentAsync(
        ulong ino, CancellationToken cancellationToken) => FindLinkAsync(ino, 0, 0, cancellationToken);

    /// <summary>Finds a path of an inode: its first entry from a place on, and the way there
    /// (archive §9.4).</summary>
    /// <remarks>For the path after it, ask again from the position after the entry's.</remarks>
    /// <param name="ino">Inode number.</param>
    /// <param name="directory">Directory of the place to start from, inclusive.</param>
    /// <param name="pos">Position of the place to start from, inclusive.</param>
    /// <param name="maxBytes">Bytes that the path may have.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>
    /// None, the entry, and the path from the root without a leading slash; NotFound when there is no such entry, as
    /// for the root; NameTooLong for a longer path; Loop when directories are renamed all the time; Corrupt, Io.
    /// </returns>
    public async ValueTask<(FsError Error, InodeLink Link, byte[] Path)> FindPathAsync(
        ulong ino, ulong directory, ulong pos, int maxBytes, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < PathAttempts; attempt++)
        {
            var (error, link) = await FindLinkAsync(ino, directory, pos, cancellationToken);
            if (error != FsError.None)
                return (error, default, []);
            (error, byte[] path) = await BuildPathAsync(link, maxBytes, cancellationToken);
            if (error != FsError.NotFound)
                return (error, link, path);
        }

        return (FsError.Loop, default, []);
    }

    /// <summary>Lists inodes of the group of 1024 that a number belongs to (archive §9.12).</summary>
    /// <param name="first">First number wanted.</param>
    /// <param name="inos">Receives the numbers of those that have any item left, ascending; emptied first.</param>
    /// <param name="limit">Numbers at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, Corrupt, Io.</returns>
    public async ValueTask<FsError> ListInodesAsync(
        ulong first, List<ulong> inos, int limit, CancellationToken cancellationToken)
    {
        inos.Clear();
        var (error, _) = await _runner.RunAsync(new ListInodesOperation(first, inos, limit), cancellationToken);
        return error;
    }

    private async ValueTask<(FsError Error, InodeLink Link)> FindLinkAsync(
        ulong ino, ulong directory, ulong pos, CancellationToken cancellationToken)
    {
        var links = new List<InodeLink>(1);
        var (error, _) = await ListLinksAsync(ino, directory, pos, links, 1, cancellationToken);
        if (error == FsError.None && links.Count == 0)
            error = FsError.NotFound;
        return (error, error == FsError.None ? links[0] : default);
    }

    private static ItemKey KeyOf(InodeIndex index, IndexedInode place) => index == InodeIndex.MetaSeq
        ? Keys.MetaSeqIndex(place.Seq, place.Ino)
        : Keys.DataSeqIndex(place.Seq, place.Ino);

    // The roots are newer than the committed seq, so what they do not have in the range will never be there.
    private async ValueTask<FsError> WalkLocksAsync(
        ItemKey at, ItemKey last, List<IndexedInode> entries, int limit, CancellationToken cancellationToken)
    {
        ForestRoots? roots = null;
        var stale = default(StaleCheck);
        while (entries.Count < limit && at <= last)
        {
            if (roots is null)
            {
                var (rootsError, wire) = await _mount.Leader.GetRootsAsync(cancellationToken);
                if (rootsError != FsError.None)
                    return rootsError;
                (roots, rootsError, _) = await ForestRoots.LoadAsync(
                    _mount.Cache, wire.FsRoot, wire.LogsRoot, default, cancellationToken);
                if (rootsError is not (FsError.None or FsError.Stale))
                    return rootsError;

                // Loaded again only when the last ones were stale.
                if (stale.IsDamage(wire.FsRoot.Ref, wire.LogsRoot.Ref))
                    return FsError.Corrupt;
                if (roots is null)
                    continue;
            }

            var (error, key) = await NextKey.FindAsync(_mount.Cache, roots, at, cancellationToken);
            if (error == FsError.Stale)
            {
                roots = null;
                continue;
            }

            if (error != FsError.None || key > last)
                return error;
            (error, _) = await _runner.RunAsync(
                new WalkIndexOperation(key, last, entries, limit), cancellationToken);
            if (error != FsError.None)
                return error;
            at = LockRange.Covering(key).End.Next();
        }

        return FsError.None;
    }

    // From the last name to the first; each directory is locked alone.
    private async ValueTask<(FsError Error, byte[] Path)> BuildPathAsync(
        InodeLink link, int maxBytes, CancellationToken cancellationToken)
    {
        var names = new List<byte[]> { link.Name };
        int bytes = link.Name.Length;
        for (ulong at = link.Directory; at != FormatConstants.RootIno && bytes <= maxBytes;)
        {
            var (error, parent) = await GetParentAsync(at, cancellationToken);
            if (error != FsError.None)
                return (error, []);
            names.Add(parent.Name);
            bytes += parent.Name.Length + 1;
            at = parent.Directory;
        }

        if (bytes > maxBytes)
            return (FsError.NameTooLong, []);
        byte[] path = new byte[bytes];
        int end = bytes;
        foreach (byte[] name in names)
        {
            end -= name.Length;
            name.CopyTo(path, end);
            if (end > 0)
                path[--end] = (byte)'/';
        }

        return (FsError.None, path);
    }
}
