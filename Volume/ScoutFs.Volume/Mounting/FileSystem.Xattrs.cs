using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Volume.Mounting;

/// <summary>A total of xattrs tagged totl.</summary>
/// <param name="Name">What it is named by.</param>
/// <param name="Total">Sum of their values, modulo 2^64.</param>
/// <param name="Count">Number of them.</param>
public readonly record struct XattrTotal(TotalName Name, ulong Total, ulong Count);

/// <summary>A place in the index of xattrs tagged indx; ordered by its parts as they stand here.</summary>
/// <param name="Major">First number of the xattr's name.</param>
/// <param name="Minor">Second number.</param>
/// <param name="Ino">Inode that has it.</param>
public readonly record struct IndexedXattr(byte Major, ulong Minor, ulong Ino);

/// <content>Xattrs whose names carry tags (archive §§9.9, 9.14, 10.3–10.5).</content>
public sealed partial class FileSystem
{
    // Fewer candidates cost less memory, more fewer passes over the srch files.
    private const int MinCandidates = 1 << 16;

    /// <summary>Lists hidden xattrs, in storage order from a place on (archive §10.3).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="fromHash">Hash of the place, 0 at the beginning.</param>
    /// <param name="fromId">Id of the place, 0 at the beginning.</param>
    /// <param name="names">Receives xattrs; emptied first. None: there are no more. Else the listing goes on with the
    /// id after the last one's.</param>
    /// <param name="limitBytes">Bytes that the names may have, each with a NUL.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None; BufferTooSmall when not even one name fits; NotFound, Corrupt, Io.</returns>
    public async ValueTask<FsError> ListHiddenXattrsAsync(
        ulong ino,
        uint fromHash,
        ulong fromId,
        List<ListedXattr> names,
        int limitBytes,
        CancellationToken cancellationToken)
    {
        names.Clear();
        var (error, _) = await _runner.RunAsync(
            new ListHiddenXattrsOperation(ino, fromHash, fromId, names, limitBytes), cancellationToken);
        return error;
    }

    /// <summary>Finds inodes that may have an xattr tagged srch (archive §9.9).</summary>
    /// <remarks>Any of them may not have it; none is missing whose xattr was committed.</remarks>
    /// <param name="name">Name with prefix.</param>
    /// <param name="first">First inode number wanted.</param>
    /// <param name="last">Last inode number wanted, inclusive.</param>
    /// <param name="inos">Receives numbers, ascending, each once; emptied first.</param>
    /// <param name="limit">Numbers at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, and whether the search reached <paramref name="last"/> (else it goes on behind the last number);
    /// Invalid for a name without the tag; Io, Corrupt, NoBuffers.</returns>
    public async ValueTask<(FsError Error, bool IsEnd)> SearchXattrsAsync(
        byte[] name, ulong first, ulong last, List<ulong> inos, int limit, CancellationToken cancellationToken)
    {
        inos.Clear();
        bool isSound = name.Length <= FormatConstants.MaxNameBytes && Xattrs.TryParseTags(name, out var tags)
            && (tags & XattrTags.Srch) != 0;
        if (!isSound)
            return (FsError.Invalid, false);
        if (limit <= 0 || first > last)
            return (FsError.None, false);
        int candidates = Math.Clamp(limit, MinCandidates, SrchQuery.DefaultCandidates);
        var query = new SrchQuery(_mount.Cache, _mount.Leader.GetRootsAsync, candidates);
        var (error, isEnd) = await query.SearchAsync(
            XattrName.SrchHash(name), first, last, inos, cancellationToken);
        if (error != FsError.None)
            inos.Clear();
        if (inos.Count <= limit)
            return (error, isEnd);
        inos.RemoveRange(limit, inos.Count - limit);
        return (error, false);
    }

    /// <summary>Lists totals in ascending order, without locks (archive §9.14).</summary>
    /// <remarks>Each is of a committed state that is up to 5 s old.</remarks>
    /// <param name="from">First total wanted.</param>
    /// <param name="totals">Receives totals; emptied first. None: there are no more.</param>
    /// <param name="limit">Totals at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, Corrupt, Io, NoBuffers.</returns>
    public async ValueTask<FsError> ListTotalsAsync(
        TotalName from, List<XattrTotal> totals, int limit, CancellationToken cancellationToken)
    {
        totals.Clear();
        if (limit <= 0)
            return FsError.None;
        return await _mount.Weak.ScanAsync(
            Keys.XattrTotal(from.A, from.B, from.C),
            Keys.XattrTotal(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue),
            cursor =>
            {
                var name = new TotalName(cursor.Key.First, cursor.Key.Second, cursor.Key.Third);
                ref readonly var total = ref Disk.Ref<XattrTotalItem>(cursor.Value);
                totals.Add(new XattrTotal(name, total.Total, total.Count));
                return totals.Count < limit;
            },
            cancellationToken);
    }

    /// <summary>Lists the index of xattrs in ascending order, without locks (archive §9.14).</summary>
    /// <remarks>As old as <see cref="ListTotalsAsync"/>. Several xattrs of an inode at one place come as one.</remarks>
    /// <param name="first">First place.</param>
    /// <param name="last">Last place, inclusive.</param>
    /// <param name="entries">Receives entries; emptied first. None: there are no more.</param>
    /// <param name="limit">Entries at most.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None; Invalid when the first place lies behind the last; Corrupt, Io, NoBuffers.</returns>
    public async ValueTask<FsError> ListXattrIndexAsync(
        IndexedXattr first,
        IndexedXattr last,
        List<IndexedXattr> entries,
        int limit,
        CancellationToken cancellationToken)
    {
        entries.Clear();
        var from = Keys.XattrIndex(first.Major, first.Minor, first.Ino, 0);
        var to = Keys.XattrIndex(last.Major, last.Minor, last.Ino, ulong.MaxValue);
        if (from > to)
            return FsError.Invalid;
        if (limit <= 0 || FormatVersion < 2)
            return FsError.None;
        return await _mount.Weak.ScanAsync(
            from,
            to,
            cursor =>
            {
                var entry = PlaceOf(cursor.Key);
                if (entries.Count == 0 || entries[^1] != entry)
                {
                    if (entries.Count == limit)
                        return false;
                    entries.Add(entry);
                }

                return true;
            },
            cancellationToken);
    }

    /// <summary>Adds to a total without an xattr: for repairs and tests (archive §9.14).</summary>
    /// <param name="name">The total.</param>
    /// <param name="total">Added to the sum, modulo 2^64.</param>
    /// <param name="count">Added to the count, modulo 2^64.</param>
    /// <param name="cancellationToken">Ends a wait.</param>
    /// <returns>None, NoSpace.</returns>
    public async ValueTask<FsError> InjectTotalAsync(
        TotalName name, ulong total, ulong count, CancellationToken cancellationToken)
    {
        var (error, _) = await _runner.RunAsync(new InjectTotalOperation(name, total, count), cancellationToken);
        return error;
    }

    /// <summary>Makes the next listing of totals or of the index see what is committed by then.</summary>
    public ValueTask<FsError> ForgetWeakReadsAsync(CancellationToken cancellationToken) =>
        _mount.Weak.ForgetAsync(cancellationToken);

    // Major, minor, inode number and xattr id, 8 + 64 + 64 + 64 bits, lie across the parts of the key.
    private static IndexedXattr PlaceOf(in ItemKey key) => new(
        (byte)(key.First >> 56),
        (key.First << 8) | (key.Second >> 56),
        (key.Second << 8) | (key.Third >> 56));
}
