using System;
using System.Collections.Generic;

namespace ScoutFs.Volume.Offline;

/// <summary>What is known to be wrong with an inode, so that what follows from it is not reported once more.</summary>
[Flags]
internal enum InodeBlame : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Items belong to it, but the inode item is not there.</summary>
    Missing = 1,

    /// <summary>The inode item's value is too short to be looked into.</summary>
    Unreadable = 2,

    /// <summary>Its type is unknown, or not the one its entries say.</summary>
    TypeUnclear = 4,

    /// <summary>Its link count is wrong.</summary>
    Links = 8,

    /// <summary>Its meta_seq is from the future.</summary>
    MetaSeq = 16,

    /// <summary>Its data_seq is from the future.</summary>
    DataSeq = 32,

    /// <summary>The name of one of its xattrs, and so what it is tagged with, is not known.</summary>
    XattrUnknown = 64,
}

/// <summary>A finding that depends on what is found later.</summary>
internal enum SuspicionKind : byte
{
    /// <summary>Holds unless items were lost: something is not there.</summary>
    Plain,

    /// <summary>The link count is wrong, unless an item of an entry is missing or too many.</summary>
    Links,

    /// <summary>Entry and inode are of different types, unless the entry's back reference is what is wrong.</summary>
    EntryType,

    /// <summary>There is no inode, unless all its items are parts of entries that do not belong there.</summary>
    MissingInode,

    /// <summary>Entries in what is no directory, unless they do not belong there.</summary>
    NotDirectory,
}

/// <summary>A suspicion with all that a later verdict needs.</summary>
/// <param name="Kind">What it depends on.</param>
/// <param name="Invariant">As for <see cref="Finding"/>.</param>
/// <param name="Structure">As for <see cref="Finding"/>.</param>
/// <param name="Where">As for <see cref="Finding"/>.</param>
/// <param name="What">As for <see cref="Finding"/>; null for links, whose text depends on the verdict.</param>
/// <param name="Severity">As for <see cref="Finding"/>.</param>
/// <param name="Ino">The inode.</param>
/// <param name="Dir">EntryType: the directory.</param>
/// <param name="Pos">EntryType: the position in it.</param>
/// <param name="Count">EntryType, MissingInode, NotDirectory: how many items say so.</param>
/// <param name="Links">Links: what was counted.</param>
internal sealed record Suspicion(
    SuspicionKind Kind,
    string Invariant,
    string Structure,
    string Where,
    string? What,
    FindingSeverity Severity,
    ulong Ino = 0,
    ulong Dir = 0,
    ulong Pos = 0,
    ulong Count = 0,
    ItemsLinks Links = default);

/// <summary>
/// Takes the findings of one pass over the items: those that hold whatever else is found go on at once, others wait for
/// the end. Also remembers which inodes are to blame.
/// </summary>
/// <remarks>
/// Bounded: beyond <see cref="MaxSuspicions"/> suspicions are only counted, beyond <see cref="MaxBlamed"/> inodes
/// findings that follow from others are no longer recognised as such. Both take a volume with thousands of faults.
/// </remarks>
internal sealed class ItemsFindings
{
    /// <summary>Suspicions that are kept with their text.</summary>
    public const int MaxSuspicions = 4096;

    /// <summary>Inodes whose faults are remembered.</summary>
    public const int MaxBlamed = 32768;

    private readonly IFindingSink? _sink;
    private readonly List<Suspicion> _suspicions = [];
    private readonly Dictionary<ulong, InodeBlame> _blame = [];

    /// <summary>Creates it.</summary>
    /// <param name="sink">Where findings go, or null to hear nothing: a second pass finds the same again.</param>
    public ItemsFindings(IFindingSink? sink) => _sink = sink;

    /// <summary>Suspicions so far, in the order they came.</summary>
    public IReadOnlyList<Suspicion> Suspicions => _suspicions;

    /// <summary>Suspicions that were only counted.</summary>
    public ulong SuspicionsNotKept { get; private set; }

    /// <summary>Inodes without an inode item that suspicions or findings speak of.</summary>
    public ulong MissingInodes { get; set; }

    /// <summary>Xattrs whose part in a total cannot be told.</summary>
    public ulong UnknownXattrs { get; private set; }

    /// <summary>Reports what is wrong whatever else is found.</summary>
    public void Report(
        string invariant,
        string structure,
        string where,
        string what,
        FindingSeverity severity = FindingSeverity.Error) =>
        _sink?.Report(invariant, structure, where, what, severity);

    /// <summary>Keeps what may turn out to follow from something else.</summary>
    public void Suspect(Suspicion suspicion)
    {
        if (_sink is null)
            return;
        if (_suspicions.Count < MaxSuspicions)
            _suspicions.Add(suspicion);
        else
            SuspicionsNotKept++;
    }

    /// <summary>Keeps what holds unless items were lost.</summary>
    public void Suspect(
        string invariant,
        string structure,
        string where,
        string what,
        FindingSeverity severity = FindingSeverity.Error) =>
        Suspect(new Suspicion(SuspicionKind.Plain, invariant, structure, where, what, severity));

    /// <summary>Remembers a fault of an inode.</summary>
    public void Blame(ulong ino, InodeBlame fault)
    {
        if (_blame.TryGetValue(ino, out var faults) || _blame.Count < MaxBlamed)
            _blame[ino] = faults | fault;
    }

    /// <summary>Remembers that an xattr's name or value cannot be made out.</summary>
    public void BlameXattr(ulong ino)
    {
        UnknownXattrs++;
        Blame(ino, InodeBlame.XattrUnknown);
    }

    /// <summary>True when an inode has one of the faults.</summary>
    public bool HasFault(ulong ino, InodeBlame faults) => (_blame.GetValueOrDefault(ino) & faults) != 0;
}
